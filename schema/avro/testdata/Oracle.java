import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaNormalization;

/**
 * Answers each line of its input with one line. The parts of a line are parted by tabs.
 *
 * <p>schema TEXT IMPORT...: canonical text, resolved text, parsing form, its CRC-64-AVRO and its SHA-256
 * <p>strict TEXT IMPORT...: "valid", defaults included
 * <p>compare READER WRITER: one part for each incompatibility: its type, location and message
 *
 * <p>A line that begins with ! says what was thrown.
 */
class Oracle {
  public static void main(String[] args) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String answer;
      try {
        answer = String.join("\t", answer(line.split("\t", -1)));
      } catch (RuntimeException | StackOverflowError e) {
        answer = "!" + e.toString().replaceAll("\\s+", " ");
      }
      out.println(answer);
    }
    out.flush();
  }

  static List<String> answer(String[] parts) throws Exception {
    List<String> all = new ArrayList<>();
    if (parts[0].equals("compare")) {
      Schema reader = parse(parts[1], false, new ArrayList<>());
      Schema writer = parse(parts[2], false, new ArrayList<>());
      for (SchemaCompatibility.Incompatibility i :
          SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getResult().getIncompatibilities()) {
        all.add(i.getType() + " " + i.getLocation() + " " + i.getMessage());
      }
      return all;
    }
    boolean strict = parts[0].equals("strict");
    List<Schema> imports = new ArrayList<>();
    Schema.Parser parser = new Schema.Parser();
    parser.setValidateDefaults(strict);
    for (int i = 2; i < parts.length; i++) {
      imports.add(parser.parse(parts[i]));
    }
    Schema schema = parser.parse(parts[1]);
    if (strict) {
      return List.of("valid");
    }
    all.add(schema.toString(imports, false));
    all.add(schema.toString());
    all.add(SchemaNormalization.toParsingForm(schema));
    all.add(String.format("%016x", SchemaNormalization.parsingFingerprint64(schema)));
    all.add(String.format("%064x", new BigInteger(1, SchemaNormalization.parsingFingerprint("SHA-256", schema))));
    return all;
  }

  static Schema parse(String text, boolean strict, List<Schema> imports) {
    Schema.Parser parser = new Schema.Parser();
    parser.setValidateDefaults(strict);
    return parser.parse(text);
  }
}

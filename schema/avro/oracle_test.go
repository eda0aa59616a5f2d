package avro_test

import (
	"bytes"
	_ "embed"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
)

//go:embed testdata/oracle.pom.xml
var oraclePOM []byte

// ask has Apache Avro's own Java answer questions, one per line.
func ask(t *testing.T, questions []string) []string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a JVM: not in short runs")
	}
	java, classpath, err := server.Java(t.Context(), "avro-1.12.1", oraclePOM)
	if err != nil {
		leattest.Missing(t, "java", err.Error())
	}
	argv := []string{"-Xmx256m", "-Xss16m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classpath, "testdata/Oracle.java"}
	cmd := exec.CommandContext(t.Context(), java, argv...)
	cmd.Stdin = strings.NewReader(strings.Join(questions, "\n") + "\n")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run Oracle.java: %v\n%s", err, said.Bytes())
	}
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(answers), len(questions))
	}
	return answers
}

const oracleSeeds = 6000

func TestTextsAndFingerprintsAreJavas(t *testing.T) {
	t.Parallel()
	var questions []string
	for seed := range uint64(oracleSeeds) {
		g := newGenerator(seed)
		questions = append(questions, strings.Join(append([]string{"schema"}, g.texts()...), "\t"))
	}
	refused := 0
	for i, answer := range ask(t, questions) {
		texts := strings.Split(questions[i], "\t")[1:]
		got := "!"
		if s, err := avro.Language.Parse(texts[0], importsOf(texts[1:])); err != nil {
			got += err.Error()
		} else {
			got = describe(t, s.(*avro.Schema))
		}
		if strings.HasPrefix(answer, "!") && (strings.HasPrefix(got, "!") || older(answer)) {
			refused++
			continue
		}
		if got != answer {
			t.Fatalf("seed %d: %s\nleat: %s\nJava: %s", i, strings.Join(texts, "\n"), got, answer)
		}
	}
	t.Logf("%d texts, %d of them refused by both", len(questions), refused)
	if refused > len(questions)/2 {
		t.Errorf("both refuse %d of %d: too many", refused, len(questions))
	}
}

// older tells what Java 1.12 refuses and 1.11 read, and leat reads because it may be registered: a
// type outside of any namespace that is used, before its end, inside of one.
func older(answer string) bool { return strings.Contains(answer, "Undefined schema: ") }

func describe(t *testing.T, s *avro.Schema) string {
	t.Helper()
	resolved, err := s.As("resolved")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s\t%s\t%s\t%016x\t%x", s.Canonical(), resolved, s.ParsingForm(), s.Fingerprint64(), s.FingerprintSHA256())
}

func importsOf(texts []string) (all []schema.Import) {
	for i, text := range texts {
		all = append(all, schema.Import{Reference: schema.Reference{Name: fmt.Sprintf("import %d", i)}, Text: text})
	}
	return all
}

func TestStrictnessIsJavas(t *testing.T) {
	t.Parallel()
	var questions []string
	for seed := range uint64(oracleSeeds) {
		g := newGenerator(seed)
		questions = append(questions, "strict\t"+g.withDefaults())
	}
	valid := 0
	for i, answer := range ask(t, questions) {
		text := strings.TrimPrefix(questions[i], "strict\t")
		s, err := avro.Language.Parse(text, nil)
		if err == nil {
			err = s.(*avro.Schema).Validate()
		}
		if (err == nil) != (answer == "valid") && !older(answer) {
			t.Fatalf("seed %d: %s\nleat: %v\nJava: %s", i, text, err, answer)
		}
		if err == nil {
			valid++
		}
	}
	t.Logf("%d texts, %d of them valid", len(questions), valid)
	if valid < oracleSeeds/10 || valid > oracleSeeds*9/10 {
		t.Errorf("%d of %d valid: one-sided", valid, oracleSeeds)
	}
}

func TestVerdictsAreJavas(t *testing.T) {
	t.Parallel()
	var questions []string
	for seed := range uint64(oracleSeeds) {
		reader, writer := newGenerator(seed).pair()
		questions = append(questions, "compare\t"+reader+"\t"+writer)
	}
	rules := map[string]int{}
	for i, answer := range ask(t, questions) {
		pair := strings.Split(questions[i], "\t")[1:]
		got, ok := verdict(pair[0], pair[1])
		if strings.HasPrefix(answer, "!") && (!ok || older(answer)) {
			rules["refused"]++
			continue
		}
		want := once(strings.Split(answer, "\t"))
		if rest, thrown := strings.CutPrefix(answer, "!"); thrown {
			want = rest[strings.Index(rest, ": ")+2:]
		}
		if got != want {
			t.Fatalf("seed %d:\nreader: %s\nwriter: %s\nleat:\n%s\nJava:\n%s", i, pair[0], pair[1], got, want)
		}
		for _, line := range strings.Split(got, "\n") {
			rule, _, _ := strings.Cut(line, " ")
			rules[rule]++
		}
	}
	t.Logf("findings over %d pairs: %v", len(questions), rules)
	for _, rule := range []string{"", "NAME_MISMATCH", "FIXED_SIZE_MISMATCH", "MISSING_ENUM_SYMBOLS", "READER_FIELD_MISSING_DEFAULT_VALUE", "TYPE_MISMATCH", "MISSING_UNION_BRANCH", "Reader"} {
		if rules[rule] < 20 {
			t.Errorf("rule %q was met %d times only", rule, rules[rule])
		}
	}
}

// verdict renders what leat finds as the oracle does.
func verdict(reader, writer string) (lines string, parsed bool) {
	r, err := avro.Language.Parse(reader, nil)
	if err != nil {
		return err.Error(), false
	}
	w, err := avro.Language.Parse(writer, nil)
	if err != nil {
		return err.Error(), false
	}
	var all []string
	for _, d := range avro.Language.Compare(r, w, "") {
		if d.Kind == "AMBIGUOUS_FIELD" {
			return strings.TrimPrefix(d.Message, "Unexpected exception during compatibility check: "), true
		}
		all = append(all, d.Kind+" "+d.Path+" "+d.Info)
	}
	return once(all), true
}

// once keeps the first of equal lines: Java tells a difference again for each use of a type.
func once(lines []string) string {
	var all []string
	seen := map[string]bool{}
	for _, line := range lines {
		if !seen[line] {
			all = append(all, line)
		}
		seen[line] = true
	}
	return strings.Join(all, "\n")
}

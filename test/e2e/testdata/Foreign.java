import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Another client on the same topics: Java's own, with its defaults. */
public class Foreign {
    public static void main(String[] args) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", args[1]);
        if (args[0].equals("produce")) produce(p, args[2]);
        else consume(p, args[2], Integer.parseInt(args[3]));
    }

    static void produce(Properties p, String topic) throws Exception {
        p.put("compression.type", "gzip");
        p.put("delivery.timeout.ms", "120000");
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Future<RecordMetadata>> sent = new java.util.ArrayList<>();
            sent.add(producer.send(new ProducerRecord<>(topic, bytes("k"), bytes("plain text"))));
            sent.add(producer.send(new ProducerRecord<>(topic, null, bytes("{\"name\":\"no headers\"}"))));
            sent.add(producer.send(new ProducerRecord<>(topic, bytes("k"), null)));
            sent.add(producer.send(new ProducerRecord<>(topic, bytes("k"), new byte[] {(byte) 0xff, 0, (byte) 0xc3})));
            ProducerRecord<byte[], byte[]> binary = new ProducerRecord<>(topic, bytes("k"), bytes("{\"name\":\"binary\"}"));
            binary.headers().add("ce_specversion", bytes("1.0")).add("ce_id", bytes("1")).add("ce_source", bytes("/java"))
                .add("ce_type", bytes("test.thing.named.v1")).add("content-type", bytes("application/json"))
                .add("empty", null);
            sent.add(producer.send(binary));
            ProducerRecord<byte[], byte[]> structured = new ProducerRecord<>(topic, bytes("k"), bytes(
                "{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"/java\",\"type\":\"test.thing.named.v1\",\"data\":{\"name\":\"structured\"}}"));
            structured.headers().add("content-type", bytes("application/cloudevents+json; charset=UTF-8"));
            sent.add(producer.send(structured));
            ProducerRecord<byte[], byte[]> broken = new ProducerRecord<>(topic, bytes("k"), bytes("{\"specversion\":"));
            broken.headers().add("content-type", bytes("application/cloudevents+json"));
            sent.add(producer.send(broken));
            for (Future<RecordMetadata> f : sent) f.get();
        }
        System.out.println("sent");
    }

    static void consume(Properties p, String topic, int want) {
        p.put("group.id", topic + ".java");
        p.put("auto.offset.reset", "earliest");
        p.put("isolation.level", "read_committed");
        long end = System.currentTimeMillis() + 300_000;
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(topic));
            for (int n = 0; n < want && System.currentTimeMillis() < end; ) {
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(200))) {
                    n++;
                    StringBuilder line = new StringBuilder(text(r.key()) + " " + text(r.value()));
                    r.headers().forEach(h -> line.append(' ').append(h.key()).append('=').append(text(h.value())));
                    System.out.println(line);
                }
            }
        }
    }

    static byte[] bytes(String s) { return s.getBytes(StandardCharsets.UTF_8); }

    static String text(byte[] b) { return b == null ? "null" : new String(b, StandardCharsets.UTF_8); }
}

import com.sun.management.OperatingSystemMXBean;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.springframework.context.support.GenericApplicationContext;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.BatchMessageListener;
import org.springframework.kafka.listener.ConcurrentMessageListenerContainer;
import org.springframework.kafka.listener.ContainerProperties;
import org.springframework.kafka.listener.DeadLetterPublishingRecoverer;
import org.springframework.kafka.listener.DefaultErrorHandler;
import org.springframework.kafka.listener.MessageListener;
import org.springframework.kafka.support.serializer.ErrorHandlingDeserializer;
import org.springframework.kafka.support.serializer.JacksonJsonDeserializer;
import org.springframework.kafka.transaction.KafkaTransactionManager;
import org.springframework.util.backoff.FixedBackOff;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;

/** The contenders of the JVM: Java's own clients and Spring Kafka. Prints one JSON object of figures. */
public final class Peers {
  public record Item(String sku, int quantity, long unit_price) {}

  public record Order(
      String order_id, String customer_id, String currency, String placed_at, String note, List<Item> items, long total) {}

  static final String INPUT = "bench.transform.in";
  static final int PER_TRANSACTION = 1000;
  static String brokers;
  static String topic;
  static long records;

  /** Counts records and takes the CPU time of the process at half and at the end. */
  static final class Meter {
    final AtomicLong n = new AtomicLong();
    final CountDownLatch done = new CountDownLatch(1);
    volatile long half;
    volatile long end;

    static long cpu() {
      return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    void add(long count) {
      long now = n.addAndGet(count);
      if (half == 0 && now >= records / 2) {
        half = cpu();
      }
      if (now >= records && end == 0) {
        end = cpu();
        done.countDown();
      }
    }
  }

  public static void main(String[] args) throws Exception {
    String work = args[0] + "/" + args[1];
    brokers = args[2];
    topic = args[3];
    records = Long.parseLong(args[4]);
    Meter meter = new Meter();
    long start = System.nanoTime();
    switch (work) {
      case "consume/java" -> consume(meter, null);
      case "consume/spring" -> springConsume(meter, false);
      case "typed/java" -> consume(meter, JsonMapper.builder().build());
      case "typed/spring" -> springConsume(meter, true);
      case "produce/java" -> produce(meter);
      case "produce/spring" -> springProduce(meter);
      case "transform/java" -> transform(meter);
      case "transform/spring" -> springTransform(meter);
      default -> throw new IllegalArgumentException("no contender " + work);
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    double warm = (meter.end - meter.half) / 1e9 / (records - records / 2) * 1e6;
    System.out.printf("{\"records\":%d,\"seconds\":%f,\"warm_cpu_s_per_million\":%f}%n", meter.n.get(), seconds, warm);
    System.out.flush();
    Runtime.getRuntime().halt(0); // what a client does when it closes is not measured
  }

  static Map<String, Object> consumer() {
    Map<String, Object> c = new HashMap<>();
    c.put("bootstrap.servers", brokers);
    c.put("group.id", "java-" + UUID.randomUUID());
    c.put("auto.offset.reset", "earliest");
    c.put("isolation.level", "read_committed");
    c.put("max.poll.records", 5000);
    c.put("receive.buffer.bytes", 1 << 20);
    c.put("auto.commit.interval.ms", 1000);
    return c;
  }

  static Map<String, Object> producer() {
    Map<String, Object> c = new HashMap<>();
    c.put("bootstrap.servers", brokers);
    c.put("acks", "all");
    c.put("compression.type", "lz4");
    c.put("batch.size", 256 << 10);
    c.put("linger.ms", 10);
    c.put("buffer.memory", 64 << 20);
    return c;
  }

  static void consume(Meter meter, ObjectMapper mapper) {
    try (var consumer = new KafkaConsumer<>(consumer(), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.subscribe(List.of(topic));
      while (meter.done.getCount() > 0) {
        ConsumerRecords<byte[], byte[]> polled = consumer.poll(Duration.ofMillis(500));
        if (mapper != null) {
          for (var r : polled) {
            if (mapper.readValue(r.value(), Order.class).total() == 0) {
              throw new IllegalStateException("an order of nothing");
            }
          }
        }
        meter.add(polled.count());
      }
      consumer.commitSync();
    }
  }

  static void springConsume(Meter meter, boolean typed) throws Exception {
    Map<String, Object> config = consumer();
    config.put("enable.auto.commit", false);
    var props = new ContainerProperties(topic);
    props.setAckMode(ContainerProperties.AckMode.TIME);
    props.setAckTime(1000);
    DefaultKafkaConsumerFactory<Object, Object> factory;
    if (typed) {
      var json = new JacksonJsonDeserializer<>(Order.class);
      json.setUseTypeHeaders(false);
      factory = new DefaultKafkaConsumerFactory(config, new StringDeserializer(), new ErrorHandlingDeserializer<>(json));
    } else {
      factory = new DefaultKafkaConsumerFactory(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }
    props.setMessageListener(
        (MessageListener<Object, Object>)
            r -> {
              if (typed && ((Order) r.value()).total() == 0) {
                throw new IllegalStateException("an order of nothing");
              }
              meter.add(1);
            });
    var container = new ConcurrentMessageListenerContainer<>(factory, props);
    container.setConcurrency(2);
    container.setBeanName("bench");
    if (typed) {
      var context = new GenericApplicationContext();
      context.registerBean(SimpleMeterRegistry.class);
      context.refresh();
      container.setApplicationContext(context);
      props.setMicrometerEnabled(true);
      var letters =
          new KafkaTemplate<Object, Object>(
              new DefaultKafkaProducerFactory(producer(), new StringSerializer(), new ByteArraySerializer()));
      container.setCommonErrorHandler(
          new DefaultErrorHandler(new DeadLetterPublishingRecoverer(letters), new FixedBackOff(100, 3)));
    }
    container.start();
    meter.done.await();
    container.stop();
  }

  static Order orderAt(int i) {
    return new Order(
        String.format("order-%06d", i % 10_000),
        String.format("customer-%05d", i % 5_000),
        "EUR",
        "2026-01-02T03:04:05.678Z",
        "leave it with the neighbour at number 12",
        List.of(new Item("sku-1001", 2, 1999), new Item("sku-1002", 1, 4599), new Item("sku-1003", 3, 999)),
        12_345);
  }

  static void produce(Meter meter) throws Exception {
    ObjectMapper mapper = JsonMapper.builder().build();
    try (var producer = new KafkaProducer<>(producer(), new StringSerializer(), new ByteArraySerializer())) {
      for (int i = 0; i < records; i++) {
        Order o = orderAt(i);
        producer.send(
            new ProducerRecord<>(topic, o.order_id(), mapper.writeValueAsBytes(o)),
            (at, failed) -> {
              if (failed != null) {
                failed.printStackTrace();
                Runtime.getRuntime().halt(1);
              }
              meter.add(1);
            });
      }
      producer.flush();
    }
    meter.done.await();
  }

  static void springProduce(Meter meter) throws Exception {
    var json = new org.springframework.kafka.support.serializer.JacksonJsonSerializer<Order>();
    json.setAddTypeInfo(false);
    var template = new KafkaTemplate<>(new DefaultKafkaProducerFactory<>(producer(), new StringSerializer(), json));
    for (int i = 0; i < records; i++) {
      Order o = orderAt(i);
      template
          .send(topic, o.order_id(), o)
          .whenComplete(
              (at, failed) -> {
                if (failed != null) {
                  failed.printStackTrace();
                  Runtime.getRuntime().halt(1);
                }
                meter.add(1);
              });
    }
    template.flush();
    meter.done.await();
  }

  static void transform(Meter meter) {
    Map<String, Object> in = consumer();
    in.put("enable.auto.commit", false);
    in.put("max.poll.records", PER_TRANSACTION);
    Map<String, Object> out = producer();
    out.put("transactional.id", topic);
    out.put("linger.ms", 0);
    try (var consumer = new KafkaConsumer<>(in, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        var producer = new KafkaProducer<>(out, new ByteArraySerializer(), new ByteArraySerializer())) {
      producer.initTransactions();
      consumer.subscribe(List.of(INPUT));
      while (meter.done.getCount() > 0) {
        ConsumerRecords<byte[], byte[]> polled = consumer.poll(Duration.ofMillis(500));
        if (polled.isEmpty()) {
          continue;
        }
        producer.beginTransaction();
        for (var r : polled) {
          producer.send(new ProducerRecord<>(topic, r.key(), r.value()));
        }
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>(polled.nextOffsets());
        ConsumerGroupMetadata group = consumer.groupMetadata();
        producer.sendOffsetsToTransaction(next, group);
        producer.commitTransaction();
        meter.add(polled.count());
      }
    }
  }

  static void springTransform(Meter meter) throws Exception {
    Map<String, Object> in = consumer();
    in.put("enable.auto.commit", false);
    in.put("max.poll.records", PER_TRANSACTION);
    Map<String, Object> out = producer();
    out.put("linger.ms", 0);
    var outs = new DefaultKafkaProducerFactory<>(out, new ByteArraySerializer(), new ByteArraySerializer());
    outs.setTransactionIdPrefix(topic + ".");
    var template = new KafkaTemplate<>(outs);
    var ins = new DefaultKafkaConsumerFactory<>(in, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    var props = new ContainerProperties(INPUT);
    props.setKafkaAwareTransactionManager(new KafkaTransactionManager<>(outs));
    AtomicLong sent = new AtomicLong();
    props.setMessageListener(
        (BatchMessageListener<byte[], byte[]>)
            batch -> {
              for (ConsumerRecord<byte[], byte[]> r : new ArrayList<>(batch)) {
                template.send(topic, r.key(), r.value());
              }
              sent.addAndGet(batch.size());
              meter.add(batch.size());
            });
    var container = new ConcurrentMessageListenerContainer<>(ins, props);
    container.setConcurrency(1);
    container.setBeanName("bench");
    container.start();
    meter.done.await();
    container.stop(); // waits for the commit of the last batch
  }
}

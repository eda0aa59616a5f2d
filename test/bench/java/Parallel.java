import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.ParallelStreamProcessor;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Confluent's Parallel Consumer, ordered by key, 100 at once. Prints one JSON object of figures. */
public final class Parallel {
  public static void main(String[] args) throws Exception {
    String brokers = args[2];
    String topic = args[3];
    long records = Long.parseLong(args[4]);
    long start = System.nanoTime();
    Map<String, Object> config = new HashMap<>();
    config.put("bootstrap.servers", brokers);
    config.put("group.id", "parallel-" + UUID.randomUUID());
    config.put("auto.offset.reset", "earliest");
    config.put("enable.auto.commit", false);
    config.put("max.poll.records", 5000);
    var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new ByteArrayDeserializer());
    var options =
        ParallelConsumerOptions.<String, byte[]>builder()
            .ordering(ParallelConsumerOptions.ProcessingOrder.KEY)
            .maxConcurrency(100)
            .consumer(consumer)
            .build();
    var processor = ParallelStreamProcessor.createEosStreamProcessor(options);
    processor.subscribe(List.of(topic));
    AtomicLong n = new AtomicLong();
    AtomicLong first = new AtomicLong();
    AtomicLong disorder = new AtomicLong();
    Map<String, Integer> next = new ConcurrentHashMap<>();
    var done = new CountDownLatch(1);
    var end = new AtomicLong();
    processor.poll(
        context -> {
          var r = context.getSingleConsumerRecord();
          first.compareAndSet(0, System.nanoTime());
          var value = ByteBuffer.wrap(r.value());
          long until = System.nanoTime() + value.getInt() * 1000L;
          int number = value.getInt();
          if (next.getOrDefault(r.key(), 0) != number) {
            disorder.incrementAndGet();
          }
          next.put(r.key(), number + 1);
          for (long left = until - System.nanoTime(); left > 0; left = until - System.nanoTime()) {
            LockSupport.parkNanos(left);
          }
          if (n.incrementAndGet() == records) {
            end.set(System.nanoTime());
            done.countDown();
          }
        });
    done.await();
    if (disorder.get() > 0) {
      System.err.println(disorder.get() + " events out of their key's order");
      Runtime.getRuntime().halt(1);
    }
    System.out.printf(
        "{\"records\":%d,\"seconds\":%f,\"span_seconds\":%f}%n",
        n.get(), (System.nanoTime() - start) / 1e9, (end.get() - first.get()) / 1e9);
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }
}

// A Spring Kafka application without Boot: Spring.java BROKERS. It takes orders, a line each, "start FAILS
// PREFIX GROUP" and "stop", answers each with a line, and says of each attempt what its listeners see, a
// line as a query string. What has FAILS in it fails, and at once for good where it has "bad" in it.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.math.BigInteger;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.StringJoiner;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.support.DefaultLifecycleProcessor;
import org.springframework.context.support.PropertySourcesPlaceholderConfigurer;
import org.springframework.core.env.MapPropertySource;
import org.springframework.kafka.annotation.BackOff;
import org.springframework.kafka.annotation.EnableKafkaRetryTopic;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.annotation.RetryableTopic;
import org.springframework.kafka.config.ConcurrentKafkaListenerContainerFactory;
import org.springframework.kafka.core.ConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.DeadLetterPublishingRecoverer;
import org.springframework.kafka.listener.DefaultErrorHandler;
import org.springframework.kafka.retrytopic.RetryTopicHeaders;
import org.springframework.kafka.retrytopic.TopicSuffixingStrategy;
import org.springframework.kafka.support.KafkaHeaders;
import org.springframework.messaging.handler.annotation.Header;
import org.springframework.messaging.handler.annotation.Payload;
import org.springframework.scheduling.TaskScheduler;
import org.springframework.scheduling.concurrent.ThreadPoolTaskScheduler;
import org.springframework.util.backoff.FixedBackOff;

public class Spring {
  public static void main(String[] args) throws Exception {
    AnnotationConfigApplicationContext app = null;
    var in = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = in.readLine()) != null; ) {
      var words = line.split(" ");
      if (words[0].equals("stop")) {
        app.close();
        say("stopped");
        continue;
      }
      app = new AnnotationConfigApplicationContext();
      app.getEnvironment().getPropertySources().addFirst(new MapPropertySource("orders", Map.of(
          "brokers", args[0], "fails", words[1], "prefix", words[2], "group", words[3])));
      app.register(App.class, Listeners.class);
      app.refresh();
      say("started");
    }
    if (app != null) {
      app.close();
    }
  }

  static synchronized void say(String line) {
    System.out.println(line);
    System.out.flush();
  }

  static final long PATIENCE = 120_000; // milliseconds, in which a stop waits for what is in hand

  @Configuration(proxyBeanMethods = false)
  @EnableKafkaRetryTopic
  static class App {
    @Bean
    static DefaultLifecycleProcessor lifecycleProcessor() {
      var processor = new DefaultLifecycleProcessor();
      processor.setTimeoutPerShutdownPhase(PATIENCE);
      return processor;
    }

    @Bean
    static PropertySourcesPlaceholderConfigurer placeholders() {
      return new PropertySourcesPlaceholderConfigurer();
    }

    @Bean
    KafkaAdmin admin(@Value("${brokers}") String brokers) {
      return new KafkaAdmin(Map.of("bootstrap.servers", brokers));
    }

    @Bean
    TaskScheduler scheduler() {
      var scheduler = new ThreadPoolTaskScheduler();
      scheduler.setAcceptTasksAfterContextClose(true); // or what begins to wait then is passed on untried
      return scheduler;
    }

    @Bean
    KafkaTemplate<String, byte[]> kafkaTemplate(@Value("${brokers}") String brokers) {
      return new KafkaTemplate<>(new DefaultKafkaProducerFactory<>(
          Map.of("bootstrap.servers", brokers), new StringSerializer(), new ByteArraySerializer()));
    }

    @Bean
    ConsumerFactory<String, byte[]> consumers(@Value("${brokers}") String brokers) {
      var config = new HashMap<String, Object>();
      config.put("bootstrap.servers", brokers);
      config.put("auto.offset.reset", "earliest");
      config.put("fetch.max.wait.ms", 50); // what is read again does not wait for the fetch before it
      return new DefaultKafkaConsumerFactory<>(config, new StringDeserializer(), new ByteArrayDeserializer());
    }

    @Bean
    ConcurrentKafkaListenerContainerFactory<String, byte[]> kafkaListenerContainerFactory(ConsumerFactory<String, byte[]> consumers) {
      var factory = new ConcurrentKafkaListenerContainerFactory<String, byte[]>();
      factory.getContainerProperties().setShutdownTimeout(PATIENCE);
      factory.setConsumerFactory(consumers);
      return factory;
    }

    @Bean
    ConcurrentKafkaListenerContainerFactory<String, byte[]> recovering(
        ConsumerFactory<String, byte[]> consumers, KafkaTemplate<String, byte[]> template) {
      var factory = new ConcurrentKafkaListenerContainerFactory<String, byte[]>();
      factory.getContainerProperties().setShutdownTimeout(PATIENCE);
      factory.setConsumerFactory(consumers);
      factory.setCommonErrorHandler(
          new DefaultErrorHandler(new DeadLetterPublishingRecoverer(template), new FixedBackOff(0, 1)));
      return factory;
    }
  }

  static class Listeners {
    @Value("${fails}")
    String fails;

    @RetryableTopic(
        attempts = "4", numPartitions = "2", exclude = IllegalArgumentException.class,
        backOff = @BackOff(delay = 400, multiplier = 10))
    @KafkaListener(topics = "${prefix}.delays", groupId = "${group}")
    void delays(
        ConsumerRecord<String, byte[]> record, @Payload byte[] value,
        @Header(name = RetryTopicHeaders.DEFAULT_HEADER_ATTEMPTS, required = false) Integer attempt,
        @Header(name = KafkaHeaders.ORIGINAL_PARTITION, required = false) Integer partition,
        @Header(name = KafkaHeaders.ORIGINAL_OFFSET, required = false) Long offset,
        @Header(name = KafkaHeaders.ORIGINAL_TIMESTAMP, required = false) Long timestamp) {
      handle(record, attempt, partition, offset, timestamp);
    }

    @RetryableTopic(
        attempts = "3", numPartitions = "2", exclude = IllegalArgumentException.class, backOff = @BackOff(delay = 10000))
    @KafkaListener(topics = "${prefix}.equal", groupId = "${group}")
    void equal(
        ConsumerRecord<String, byte[]> record, @Payload byte[] value,
        @Header(name = RetryTopicHeaders.DEFAULT_HEADER_ATTEMPTS, required = false) Integer attempt,
        @Header(name = KafkaHeaders.ORIGINAL_PARTITION, required = false) Integer partition,
        @Header(name = KafkaHeaders.ORIGINAL_OFFSET, required = false) Long offset,
        @Header(name = KafkaHeaders.ORIGINAL_TIMESTAMP, required = false) Long timestamp) {
      handle(record, attempt, partition, offset, timestamp);
    }

    @RetryableTopic(
        attempts = "4", numPartitions = "2", exclude = IllegalArgumentException.class,
        topicSuffixingStrategy = TopicSuffixingStrategy.SUFFIX_WITH_INDEX_VALUE,
        backOff = @BackOff(delay = 400, multiplier = 25, maxDelay = 10000))
    @KafkaListener(topics = "${prefix}.numbers", groupId = "${group}")
    void numbers(
        ConsumerRecord<String, byte[]> record, @Payload byte[] value,
        @Header(name = RetryTopicHeaders.DEFAULT_HEADER_ATTEMPTS, required = false) Integer attempt,
        @Header(name = KafkaHeaders.ORIGINAL_PARTITION, required = false) Integer partition,
        @Header(name = KafkaHeaders.ORIGINAL_OFFSET, required = false) Long offset,
        @Header(name = KafkaHeaders.ORIGINAL_TIMESTAMP, required = false) Long timestamp) {
      handle(record, attempt, partition, offset, timestamp);
    }

    // Blocking attempts, then DeadLetterPublishingRecoverer.
    @KafkaListener(topics = "${prefix}.plain", groupId = "${group}", containerFactory = "recovering")
    void plain(ConsumerRecord<String, byte[]> record) {
      handle(record, null, null, null, null);
    }

    void handle(ConsumerRecord<String, byte[]> r, Integer attempt, Integer partition, Long offset, Long timestamp) {
      var seen = new HashMap<String, Object>();
      seen.put("value", new String(r.value(), StandardCharsets.UTF_8));
      seen.put("key", r.key());
      seen.put("topic", r.topic());
      seen.put("now", System.currentTimeMillis());
      seen.put("attempt", attempt == null ? 1 : attempt);
      if (partition != null) {
        seen.put("source", text(r, KafkaHeaders.ORIGINAL_TOPIC) + "/" + partition + "@" + offset);
        seen.put("timestamp", timestamp);
        seen.put("type", text(r, KafkaHeaders.ORIGINAL_TIMESTAMP_TYPE));
        seen.put("first", number(r, RetryTopicHeaders.DEFAULT_HEADER_ORIGINAL_TIMESTAMP));
        seen.put("due", number(r, RetryTopicHeaders.DEFAULT_HEADER_BACKOFF_TIMESTAMP));
        seen.put("group", text(r, KafkaHeaders.ORIGINAL_CONSUMER_GROUP));
        seen.put("error", text(r, KafkaHeaders.EXCEPTION_MESSAGE));
      }
      var query = new StringJoiner("&");
      seen.forEach((k, v) -> query.add(k + "=" + URLEncoder.encode(String.valueOf(v), StandardCharsets.UTF_8)));
      say(query.toString());
      if (!seen.get("value").toString().contains(fails)) {
        return;
      }
      if (seen.get("value").toString().contains("bad")) {
        throw new IllegalArgumentException("not to be tried again");
      }
      throw new IllegalStateException("no luck");
    }

    static String text(ConsumerRecord<?, ?> r, String name) {
      var header = r.headers().lastHeader(name);
      return header == null ? null : new String(header.value(), StandardCharsets.UTF_8);
    }

    static BigInteger number(ConsumerRecord<?, ?> r, String name) {
      var header = r.headers().lastHeader(name);
      return header == null ? null : new BigInteger(header.value());
    }
  }
}

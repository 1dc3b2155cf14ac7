import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.ConsumerStatus;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardEvent;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardRequest;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardResponseHandler;

/** SubscribeToShard from a shard's beginning, over puts and a split, to the event that ends the shard. */
final class SubscribeSteps {
    private static final String STREAM = "subscribed";
    private static final String SHARD = "shardId-000000000000";
    private static final String MIDDLE = "170141183460469231731687303715884105728";
    private final KinesisAsyncClient async;
    private final KinesisClient kinesis;
    private String consumer;

    /** One subscription: its events as they come, and its end. */
    private static final class Subscription {
        final List<SubscribeToShardEvent> events = Collections.synchronizedList(new ArrayList<>());
        final CompletableFuture<Void> answered = new CompletableFuture<>();
        CompletableFuture<Void> ended;

        int records() {
            synchronized (events) {
                return events.stream().mapToInt(event -> event.records().size()).sum();
            }
        }
    }

    SubscribeSteps(KinesisAsyncClient async, KinesisClient kinesis) {
        this.async = async;
        this.kinesis = kinesis;
    }

    private Subscription subscribe(Consumer<SubscribeToShardRequest.Builder> position) {
        Subscription subscription = new Subscription();
        var handler = SubscribeToShardResponseHandler.builder()
                .onResponse(response -> subscription.answered.complete(null))
                .subscriber(event -> {
                    if (event instanceof SubscribeToShardEvent records) {
                        subscription.events.add(records);
                    }
                })
                .build();
        subscription.ended = async.subscribeToShard(
                r -> {
                    r.consumerARN(consumer).shardId(SHARD).overrideConfiguration(
                            // The life of a subscription is five minutes; no call ends it earlier.
                            o -> o.apiCallTimeout(java.time.Duration.ofMinutes(6)));
                    position.accept(r);
                },
                handler);
        return subscription;
    }

    private static Map<String, Object> show(SubscribeToShardEvent event) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("records", event.records().stream().map(Streams::show).toList());
        line.put("continuation", event.continuationSequenceNumber());
        line.put("behind", event.millisBehindLatest());
        line.put("children", event.childShards().stream().map(Streams::show).toList());
        return line;
    }

    void run() throws Exception {
        Steps.step("subscribe register", found -> {
            kinesis.createStream(r -> r.streamName(STREAM).shardCount(1));
            Streams.waitActive(kinesis, STREAM);
            String arn = Streams.arn(kinesis, STREAM);
            consumer = kinesis.registerStreamConsumer(r -> r.streamARN(arn).consumerName("fan-out")).consumer()
                    .consumerARN();
            Streams.waitFor("the consumer is ACTIVE", () -> kinesis
                            .describeStreamConsumer(r -> r.consumerARN(consumer))
                            .consumerDescription().consumerStatus()
                    == ConsumerStatus.ACTIVE);
            found.put("consumer", consumer);
        });
        if (consumer == null) {
            return;
        }
        Steps.step("subscribe", found -> {
            put(0, 10);
            Subscription subscription =
                    subscribe(r -> r.startingPosition(p -> p.type(ShardIteratorType.TRIM_HORIZON)));
            subscription.answered.get(10, TimeUnit.SECONDS);
            Streams.waitFor("ten records came", () -> subscription.records() >= 10 || subscription.ended.isDone());
            put(10, 20);
            Streams.waitFor("twenty records came", () -> subscription.records() >= 20 || subscription.ended.isDone());
            Subscription second =
                    subscribe(r -> r.startingPosition(p -> p.type(ShardIteratorType.LATEST)));
            try {
                second.ended.get(10, TimeUnit.SECONDS);
                found.put("second", Map.of());
            } catch (ExecutionException exception) {
                found.put("second", Steps.describe(exception.getCause()));
            }
            kinesis.splitShard(r -> r.streamName(STREAM).shardToSplit(SHARD).newStartingHashKey(MIDDLE));
            subscription.ended.get(10, TimeUnit.SECONDS);
            found.put("events", subscription.events.stream().map(SubscribeSteps::show).toList());
        });
        Steps.step("subscribe refusals", found -> {
            List<Map<String, Object>> refused = new ArrayList<>();
            for (String shard : List.of("shardId-000000000055")) {
                try {
                    async.subscribeToShard(
                                    r -> r.consumerARN(consumer).shardId(shard)
                                            .startingPosition(p -> p.type(ShardIteratorType.LATEST)),
                                    SubscribeToShardResponseHandler.builder().subscriber(event -> {}).build())
                            .get(10, TimeUnit.SECONDS);
                    refused.add(Map.of());
                } catch (ExecutionException exception) {
                    refused.add(Steps.describe(exception.getCause()));
                }
            }
            found.put("refused", refused);
        });
    }

    private void put(int from, int to) {
        for (int index = from; index < to; index++) {
            String text = "pushed " + index;
            kinesis.putRecord(r -> r.streamName(STREAM).partitionKey("k").data(Streams.bytes(text)));
        }
    }
}

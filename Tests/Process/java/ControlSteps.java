import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.ConsumerStatus;
import software.amazon.awssdk.services.kinesis.model.EncryptionType;
import software.amazon.awssdk.services.kinesis.model.MetricsName;
import software.amazon.awssdk.services.kinesis.model.ResourceNotFoundException;
import software.amazon.awssdk.services.kinesis.model.ScalingType;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;
import software.amazon.awssdk.services.kinesis.model.StreamMode;

/** The calls that make, change and describe streams, and refusals by their class. */
final class ControlSteps {
    private static final String MIDDLE = "170141183460469231731687303715884105728";
    private final String prefix;
    private final String stream;
    private final KinesisClient kinesis;

    ControlSteps(String prefix, KinesisClient kinesis) {
        this.prefix = prefix;
        this.stream = prefix + "-control";
        this.kinesis = kinesis;
    }

    private void step(String name, Steps.Body body) throws Exception {
        Steps.step(prefix + " " + name, body);
    }

    void run() throws Exception {
        step("describe", found -> {
            kinesis.createStream(r -> r.streamName(stream).shardCount(1).tags(Map.of("born", "with")));
            Streams.waitActive(kinesis, stream);
            var description = kinesis.describeStream(r -> r.streamName(stream)).streamDescription();
            var summary = kinesis.describeStreamSummary(r -> r.streamName(stream)).streamDescriptionSummary();
            found.put("name", description.streamName());
            found.put("arn", description.streamARN());
            found.put("mode", description.streamModeDetails().streamModeAsString());
            found.put("retention", description.retentionPeriodHours());
            found.put("encryption", description.encryptionTypeAsString());
            found.put("shards", description.shards().stream().map(Streams::show).toList());
            found.put("created", description.streamCreationTimestamp().toEpochMilli());
            found.put("createdInSummary", summary.streamCreationTimestamp().toEpochMilli());
            found.put("open", summary.openShardCount());
            found.put("consumers", summary.consumerCount());
        });
        step("list streams", found -> found.put("names",
                kinesis.listStreams(r -> r.limit(100)).streamNames()));
        step("tags", this::tags);
        step("retention", found -> {
            kinesis.increaseStreamRetentionPeriod(r -> r.streamName(stream).retentionPeriodHours(48));
            Streams.waitActive(kinesis, stream);
            found.put("increased", retention());
            kinesis.decreaseStreamRetentionPeriod(r -> r.streamName(stream).retentionPeriodHours(24));
            Streams.waitActive(kinesis, stream);
            found.put("decreased", retention());
        });
        step("reshard", found -> {
            kinesis.splitShard(r -> r.streamName(stream).shardToSplit("shardId-000000000000").newStartingHashKey(MIDDLE));
            Streams.waitActive(kinesis, stream);
            kinesis.mergeShards(r -> r.streamName(stream).shardToMerge("shardId-000000000001")
                    .adjacentShardToMerge("shardId-000000000002"));
            Streams.waitActive(kinesis, stream);
            var answer = kinesis.updateShardCount(r -> r.streamName(stream).targetShardCount(2)
                    .scalingType(ScalingType.UNIFORM_SCALING));
            Streams.waitActive(kinesis, stream);
            found.put("current", answer.currentShardCount());
            found.put("target", answer.targetShardCount());
            found.put("shards", kinesis.listShards(r -> r.streamName(stream)).shards().stream()
                    .map(Streams::show).toList());
        });
        step("end of a shard", found -> {
            String iterator = kinesis.getShardIterator(r -> r.streamName(stream).shardId("shardId-000000000000")
                    .shardIteratorType(ShardIteratorType.LATEST)).shardIterator();
            var page = kinesis.getRecords(r -> r.shardIterator(iterator));
            found.put("next", page.nextShardIterator());
            found.put("children", page.childShards().stream().map(Streams::show).toList());
        });
        step("encryption", found -> {
            kinesis.startStreamEncryption(r -> r.streamName(stream).encryptionType(EncryptionType.KMS)
                    .keyId("alias/aws/kinesis"));
            Streams.waitActive(kinesis, stream);
            var started = kinesis.describeStreamSummary(r -> r.streamName(stream)).streamDescriptionSummary();
            found.put("started", started.encryptionTypeAsString());
            found.put("key", started.keyId());
            found.put("put", kinesis.putRecord(r -> r.streamName(stream).partitionKey("k").data(Streams.bytes("x")))
                    .encryptionTypeAsString());
            kinesis.stopStreamEncryption(r -> r.streamName(stream).encryptionType(EncryptionType.KMS)
                    .keyId("alias/aws/kinesis"));
            Streams.waitActive(kinesis, stream);
            found.put("stopped", kinesis.describeStreamSummary(r -> r.streamName(stream))
                    .streamDescriptionSummary().encryptionTypeAsString());
        });
        step("monitoring", found -> {
            var enabled = kinesis.enableEnhancedMonitoring(r -> r.streamName(stream).shardLevelMetrics(MetricsName.ALL));
            Streams.waitActive(kinesis, stream);
            found.put("before", enabled.currentShardLevelMetricsAsStrings());
            found.put("after", enabled.desiredShardLevelMetricsAsStrings());
            var disabled = kinesis.disableEnhancedMonitoring(r -> r.streamName(stream).shardLevelMetrics(MetricsName.ALL));
            Streams.waitActive(kinesis, stream);
            found.put("disabled", disabled.desiredShardLevelMetricsAsStrings());
        });
        step("mode", found -> {
            String arn = Streams.arn(kinesis, stream);
            kinesis.updateStreamMode(r -> r.streamARN(arn).streamModeDetails(m -> m.streamMode(StreamMode.ON_DEMAND)));
            Streams.waitActive(kinesis, stream);
            found.put("mode", kinesis.describeStreamSummary(r -> r.streamARN(arn)).streamDescriptionSummary()
                    .streamModeDetails().streamModeAsString());
        });
        step("limits", found -> found.put("limit", kinesis.describeLimits(r -> {}).shardLimit()));
        step("policy", found -> {
            String arn = Streams.arn(kinesis, stream);
            String policy = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":"
                    + "\"arn:aws:iam::111122223333:root\"},\"Action\":\"kinesis:GetRecords\",\"Resource\":\"" + arn + "\"}]}";
            kinesis.putResourcePolicy(r -> r.resourceARN(arn).policy(policy));
            found.put("same", kinesis.getResourcePolicy(r -> r.resourceARN(arn)).policy().equals(policy));
            kinesis.deleteResourcePolicy(r -> r.resourceARN(arn));
            found.put("deleted", kinesis.getResourcePolicy(r -> r.resourceARN(arn)).policy());
        });
        step("consumers", this::consumers);
        step("refusals", this::refusals);
        step("delete", found -> {
            kinesis.deleteStream(r -> r.streamName(stream));
            Streams.waitFor("the stream is gone", () -> {
                try {
                    kinesis.describeStreamSummary(r -> r.streamName(stream));
                    return false;
                } catch (ResourceNotFoundException exception) {
                    return true;
                }
            });
        });
    }

    private int retention() {
        return kinesis.describeStreamSummary(r -> r.streamName(stream)).streamDescriptionSummary()
                .retentionPeriodHours();
    }

    private void tags(Map<String, Object> found) {
        String arn = Streams.arn(kinesis, stream);
        kinesis.addTagsToStream(r -> r.streamName(stream).tags(Map.of("one", "1", "two", "2")));
        kinesis.tagResource(r -> r.resourceARN(arn).tags(Map.of("three", "3")));
        kinesis.removeTagsFromStream(r -> r.streamName(stream).tagKeys("one"));
        kinesis.untagResource(r -> r.resourceARN(arn).tagKeys("two"));
        Map<String, String> tags = new TreeMap<>();
        kinesis.listTagsForStream(r -> r.streamName(stream)).tags().forEach(tag -> tags.put(tag.key(), tag.value()));
        found.put("tags", tags);
        Map<String, String> same = new TreeMap<>();
        kinesis.listTagsForResource(r -> r.resourceARN(arn)).tags().forEach(tag -> same.put(tag.key(), tag.value()));
        found.put("same", same);
    }

    private void consumers(Map<String, Object> found) throws InterruptedException {
        String arn = Streams.arn(kinesis, stream);
        var consumer = kinesis.registerStreamConsumer(r -> r.streamARN(arn).consumerName("reader")).consumer();
        found.put("arn", consumer.consumerARN());
        found.put("status", consumer.consumerStatusAsString());
        found.put("created", consumer.consumerCreationTimestamp().toEpochMilli());
        Streams.waitFor("the consumer is ACTIVE", () -> kinesis
                        .describeStreamConsumer(r -> r.consumerARN(consumer.consumerARN()))
                        .consumerDescription().consumerStatus()
                == ConsumerStatus.ACTIVE);
        found.put("listed", kinesis.listStreamConsumers(r -> r.streamARN(arn)).consumers().stream()
                .map(other -> other.consumerName()).toList());
        found.put("again", Steps.refusal(
                () -> kinesis.registerStreamConsumer(r -> r.streamARN(arn).consumerName("reader"))));
        kinesis.deregisterStreamConsumer(r -> r.streamARN(arn).consumerName("reader"));
        Streams.waitFor("the consumer is gone", () -> {
            try {
                kinesis.describeStreamConsumer(r -> r.consumerARN(consumer.consumerARN()));
                return false;
            } catch (ResourceNotFoundException exception) {
                return true;
            }
        });
    }

    private void refusals(Map<String, Object> found) {
        Map<String, Object> refused = new LinkedHashMap<>();
        refused.put("no stream", Steps.refusal(() -> kinesis.describeStreamSummary(r -> r.streamName("nowhere"))));
        refused.put("stream exists", Steps.refusal(
                () -> kinesis.createStream(r -> r.streamName(stream).shardCount(1))));
        refused.put("no shard", Steps.refusal(() -> kinesis.getShardIterator(r -> r.streamName(stream)
                .shardId("shardId-000000000077").shardIteratorType(ShardIteratorType.LATEST))));
        refused.put("iterator", Steps.refusal(() -> kinesis.getRecords(r -> r.shardIterator("AAAA"))));
        refused.put("no number", Steps.refusal(() -> kinesis.getShardIterator(r -> r.streamName(stream)
                .shardId("shardId-000000000000").shardIteratorType(ShardIteratorType.AT_SEQUENCE_NUMBER))));
        refused.put("limit", Steps.refusal(() -> kinesis.getRecords(r -> r.shardIterator("AAAA").limit(10001))));
        refused.put("token", Steps.refusal(() -> kinesis.listShards(r -> r.nextToken("AAAA"))));
        refused.put("on demand", Steps.refusal(() -> kinesis.splitShard(r -> r.streamName(stream)
                .shardToSplit("shardId-000000000004").newStartingHashKey("1000"))));
        found.put("refused", refused);
    }
}

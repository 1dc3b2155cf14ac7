import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.ChildShard;
import software.amazon.awssdk.services.kinesis.model.GetRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.Record;
import software.amazon.awssdk.services.kinesis.model.Shard;
import software.amazon.awssdk.services.kinesis.model.StreamStatus;

/** What the steps need of a stream. */
final class Streams {
    private Streams() {}

    static void waitFor(String what, BooleanSupplier condition) throws InterruptedException {
        Instant end = Instant.now().plus(Duration.ofSeconds(15));
        while (!condition.getAsBoolean()) {
            if (Instant.now().isAfter(end)) {
                throw new IllegalStateException("after 15 s still not so: " + what);
            }
            Thread.sleep(15);
        }
    }

    static void waitActive(KinesisClient kinesis, String name) throws InterruptedException {
        waitFor(name + " is ACTIVE", () -> kinesis.describeStreamSummary(r -> r.streamName(name))
                        .streamDescriptionSummary()
                        .streamStatus()
                == StreamStatus.ACTIVE);
    }

    static String arn(KinesisClient kinesis, String name) {
        return kinesis.describeStreamSummary(r -> r.streamName(name)).streamDescriptionSummary().streamARN();
    }

    static SdkBytes bytes(String text) {
        return SdkBytes.fromUtf8String(text);
    }

    static Map<String, Object> show(Shard shard) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("id", shard.shardId());
        line.put("start", shard.hashKeyRange().startingHashKey());
        line.put("end", shard.hashKeyRange().endingHashKey());
        line.put("parent", shard.parentShardId());
        line.put("adjacent", shard.adjacentParentShardId());
        line.put("first", shard.sequenceNumberRange().startingSequenceNumber());
        line.put("last", shard.sequenceNumberRange().endingSequenceNumber());
        return line;
    }

    static Map<String, Object> show(Record record) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("data", record.data().asUtf8String());
        line.put("key", record.partitionKey());
        line.put("number", record.sequenceNumber());
        line.put("millis", record.approximateArrivalTimestamp().toEpochMilli());
        return line;
    }

    static Map<String, Object> show(ChildShard child) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("id", child.shardId());
        line.put("parents", child.parentShards());
        line.put("start", child.hashKeyRange().startingHashKey());
        line.put("end", child.hashKeyRange().endingHashKey());
        return line;
    }

    /** The pages of a shard from `iterator`, until one is empty or the shard ends. */
    static List<GetRecordsResponse> pages(KinesisClient kinesis, String iterator) {
        List<GetRecordsResponse> pages = new ArrayList<>();
        String next = iterator;
        while (next != null) {
            String current = next;
            GetRecordsResponse page = kinesis.getRecords(r -> r.shardIterator(current));
            pages.add(page);
            next = page.nextShardIterator();
            if (page.records().isEmpty() && page.millisBehindLatest() == 0) {
                break;
            }
        }
        return pages;
    }

    static List<Object> records(KinesisClient kinesis, String iterator) {
        List<Object> lines = new ArrayList<>();
        for (GetRecordsResponse page : pages(kinesis, iterator)) {
            page.records().forEach(record -> lines.add(show(record)));
        }
        return lines;
    }
}

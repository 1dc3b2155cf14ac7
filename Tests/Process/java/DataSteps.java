import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.GetRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.GetShardIteratorRequest;
import software.amazon.awssdk.services.kinesis.model.PutRecordResponse;
import software.amazon.awssdk.services.kinesis.model.PutRecordsRequestEntry;
import software.amazon.awssdk.services.kinesis.model.PutRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;

/** Puts and reads, with every iterator type. The stream stays, for the test to read it in its own way. */
final class DataSteps {
    private static final String SHARD = "shardId-000000000000";
    private final String prefix;
    private final String stream;
    private final KinesisClient kinesis;
    private final List<PutRecordResponse> puts = new ArrayList<>();
    private String latest;

    DataSteps(String prefix, KinesisClient kinesis) {
        this.prefix = prefix;
        this.stream = prefix + "-data";
        this.kinesis = kinesis;
    }

    private void step(String name, Steps.Body body) throws Exception {
        Steps.step(prefix + " " + name, body);
    }

    private String iterator(ShardIteratorType type, Consumer<GetShardIteratorRequest.Builder> more) {
        return kinesis.getShardIterator(r -> {
                    r.streamName(stream).shardId(SHARD).shardIteratorType(type);
                    more.accept(r);
                })
                .shardIterator();
    }

    void run() throws Exception {
        step("create", found -> {
            kinesis.createStream(r -> r.streamName(stream).shardCount(1));
            Streams.waitActive(kinesis, stream);
            found.put("arn", Streams.arn(kinesis, stream));
        });
        step("put", found -> {
            for (int index = 0; index < 5; index++) {
                String text = "record " + index;
                puts.add(kinesis.putRecord(r -> r.streamName(stream).partitionKey("k").data(Streams.bytes(text))));
                // Each record gets a millisecond of its own.
                Thread.sleep(5);
            }
            latest = iterator(ShardIteratorType.LATEST, r -> {});
            found.put("shards", puts.stream().map(PutRecordResponse::shardId).toList());
            found.put("numbers", puts.stream().map(PutRecordResponse::sequenceNumber).toList());
        });
        step("trim horizon", found -> found.put(
                "records", Streams.records(kinesis, iterator(ShardIteratorType.TRIM_HORIZON, r -> {}))));
        step("at sequence number", found -> found.put("records", Streams.records(kinesis,
                iterator(ShardIteratorType.AT_SEQUENCE_NUMBER,
                        r -> r.startingSequenceNumber(puts.get(2).sequenceNumber())))));
        step("after sequence number", found -> found.put("records", Streams.records(kinesis,
                iterator(ShardIteratorType.AFTER_SEQUENCE_NUMBER,
                        r -> r.startingSequenceNumber(puts.get(2).sequenceNumber())))));
        step("at timestamp", found -> {
            GetRecordsResponse all = kinesis.getRecords(
                    r -> r.shardIterator(iterator(ShardIteratorType.TRIM_HORIZON, i -> {})));
            List<Object> lines = new ArrayList<>();
            for (var record : all.records()) {
                String from = iterator(ShardIteratorType.AT_TIMESTAMP,
                        r -> r.timestamp(record.approximateArrivalTimestamp()));
                String after = iterator(ShardIteratorType.AT_TIMESTAMP,
                        r -> r.timestamp(record.approximateArrivalTimestamp().plusMillis(1)));
                lines.add(Map.of("millis", record.approximateArrivalTimestamp().toEpochMilli(),
                        "at", Streams.records(kinesis, from), "after", Streams.records(kinesis, after)));
            }
            found.put("starts", lines);
        });
        step("put records", found -> {
            List<PutRecordsRequestEntry> entries = new ArrayList<>();
            for (int index = 0; index < 200; index++) {
                String text = "batch " + index;
                entries.add(PutRecordsRequestEntry.builder()
                        .partitionKey("key " + index % 7).data(Streams.bytes(text)).build());
            }
            PutRecordsResponse answer = kinesis.putRecords(r -> r.streamName(stream).records(entries));
            found.put("failed", answer.failedRecordCount());
            found.put("answers", answer.records().size());
        });
        step("latest", found -> found.put("records", Streams.records(kinesis, latest)));
        step("limit", found -> {
            GetRecordsResponse page = kinesis.getRecords(
                    r -> r.limit(3).shardIterator(iterator(ShardIteratorType.TRIM_HORIZON, i -> {})));
            found.put("count", page.records().size());
            found.put("behind", page.millisBehindLatest());
            found.put("hasNext", page.nextShardIterator() != null);
            found.put("hasChildren", page.hasChildShards() && !page.childShards().isEmpty());
        });
        step("large", found -> {
            byte[] data = new byte[1_000_000];
            for (int index = 0; index < data.length; index++) {
                data[index] = (byte) (index * 31 >> 3);
            }
            var put = kinesis.putRecord(r -> r.streamName(stream).partitionKey("large")
                    .data(software.amazon.awssdk.core.SdkBytes.fromByteArray(data)));
            var page = kinesis.getRecords(r -> r.shardIterator(iterator(ShardIteratorType.AT_SEQUENCE_NUMBER,
                    i -> i.startingSequenceNumber(put.sequenceNumber()))));
            found.put("same", java.util.Arrays.equals(data, page.records().get(0).data().asByteArray()));
        });
    }
}

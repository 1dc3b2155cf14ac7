import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.util.LinkedHashMap;
import java.util.Map;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.common.KinesisClientUtil;
import software.amazon.kinesis.coordinator.PromptScheduler;
import software.amazon.kinesis.exceptions.InvalidStateException;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.MetricsLevel;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.RetrievalSpecificConfig;
import software.amazon.kinesis.retrieval.fanout.FanOutConfig;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * `KclMain ENDPOINT STREAM`: the KCL consumes the stream twice, by polling and by enhanced fan-out, until it is killed.
 * Each record, and each begin and end of a shard, is a JSON line.
 */
public final class KclMain {
    private static final ObjectMapper JSON = new ObjectMapper();

    private KclMain() {}

    public static void main(String[] arguments) {
        URI endpoint = URI.create(arguments[0]);
        String stream = arguments[1];
        DefaultCredentialsProvider credentials = DefaultCredentialsProvider.builder().build();
        // The KCL's own way to make this client: HTTP/2, its window sizes, its pings.
        KinesisAsyncClient kinesis = KinesisClientUtil.createKinesisAsyncClient(
                KinesisAsyncClient.builder().endpointOverride(endpoint).credentialsProvider(credentials));
        DynamoDbAsyncClient dynamo = DynamoDbAsyncClient.builder().endpointOverride(endpoint)
                .credentialsProvider(credentials).httpClientBuilder(NettyNioAsyncHttpClient.builder()).build();
        CloudWatchAsyncClient cloudWatch = CloudWatchAsyncClient.builder().endpointOverride(endpoint)
                .credentialsProvider(credentials).httpClientBuilder(NettyNioAsyncHttpClient.builder()).build();
        for (String mode : new String[] {"polling", "fan-out"}) {
            String application = "kcl-" + mode;
            ConfigsBuilder configs = new ConfigsBuilder(
                    new SingleStreamTracker(stream, InitialPositionInStreamExtended.newInitialPosition(
                            InitialPositionInStream.TRIM_HORIZON)),
                    application, kinesis, dynamo, cloudWatch, "worker", () -> new Printer(mode));
            RetrievalSpecificConfig retrieval = mode.equals("polling")
                    ? new PollingConfig(stream, kinesis).idleTimeBetweenReadsInMillis(200)
                    : new FanOutConfig(kinesis).streamName(stream).applicationName(application);
            // Everything that waits for the clock alone is shortened.
            var leases = configs.leaseManagementConfig().failoverTimeMillis(2000).leaseAssignmentIntervalMillis(1000L)
                    .shardSyncIntervalMillis(200);
            leases.workerUtilizationAwareAssignmentConfig().workerMetricsReporterFreqInMillis(500);
            var scheduler = new PromptScheduler(
                    configs.checkpointConfig(),
                    configs.coordinatorConfig().parentShardPollIntervalMillis(200)
                            .shardConsumerDispatchPollIntervalMillis(100).schedulerInitializationBackoffTimeMillis(200),
                    leases,
                    configs.lifecycleConfig(),
                    configs.metricsConfig().metricsLevel(MetricsLevel.NONE),
                    configs.processorConfig(),
                    configs.retrievalConfig().retrievalSpecificConfig(retrieval));
            new Thread(scheduler, mode).start();
        }
    }

    private static void print(String mode, String event, String shard, Map<String, Object> more) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("mode", mode);
        line.put("event", event);
        line.put("shard", shard);
        line.putAll(more);
        synchronized (System.out) {
            try {
                System.out.println(JSON.writeValueAsString(line));
            } catch (java.io.IOException exception) {
                throw new java.io.UncheckedIOException(exception);
            }
            System.out.flush();
        }
    }

    /** Prints what it is given, and keeps checkpoints. */
    private static final class Printer implements ShardRecordProcessor {
        private final String mode;
        private String shard;

        Printer(String mode) {
            this.mode = mode;
        }

        @Override
        public void initialize(InitializationInput input) {
            shard = input.shardId();
            print(mode, "begin", shard, Map.of());
        }

        @Override
        public void processRecords(ProcessRecordsInput input) {
            input.records().forEach(record -> {
                String data = java.nio.charset.StandardCharsets.UTF_8.decode(record.data()).toString();
                print(mode, "record", shard, Map.of("data", data, "number", record.sequenceNumber()));
            });
            try {
                input.checkpointer().checkpoint();
            } catch (InvalidStateException | ShutdownException exception) {
                print(mode, "no checkpoint", shard, Map.of("why", exception.toString()));
            }
        }

        @Override
        public void leaseLost(LeaseLostInput input) {
            print(mode, "lost", shard, Map.of());
        }

        @Override
        public void shardEnded(ShardEndedInput input) {
            try {
                input.checkpointer().checkpoint();
                print(mode, "end", shard, Map.of());
            } catch (InvalidStateException | ShutdownException exception) {
                print(mode, "no checkpoint", shard, Map.of("why", exception.toString()));
            }
        }

        @Override
        public void shutdownRequested(ShutdownRequestedInput input) {
            print(mode, "shutdown", shard, Map.of());
        }
    }
}

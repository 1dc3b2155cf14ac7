package software.amazon.kinesis.coordinator;

import software.amazon.kinesis.checkpoint.CheckpointConfig;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.lifecycle.LifecycleConfig;
import software.amazon.kinesis.metrics.MetricsConfig;
import software.amazon.kinesis.processor.ProcessorConfig;
import software.amazon.kinesis.retrieval.RetrievalConfig;

/**
 * The KCL's scheduler, but for one thing: on an empty lease table it looks for shards at once, where the KCL waits for a
 * random while of 1 to 30 seconds, so that one of many workers does it.
 */
public final class PromptScheduler extends Scheduler {
    public PromptScheduler(
            CheckpointConfig checkpoint,
            CoordinatorConfig coordinator,
            LeaseManagementConfig leases,
            LifecycleConfig lifecycle,
            MetricsConfig metrics,
            ProcessorConfig processor,
            RetrievalConfig retrieval) {
        super(checkpoint, coordinator, leases, lifecycle, metrics, processor, retrieval);
    }

    @Override
    boolean shouldInitiateLeaseSync() {
        return true;
    }
}

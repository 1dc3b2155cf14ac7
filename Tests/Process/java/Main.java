import java.net.URI;
import java.util.List;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisClient;

/** `Main ENDPOINT`: every step with the synchronous client, then with the asynchronous one. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        URI endpoint = URI.create(arguments[0]);
        Clients.Wire syncWire = new Clients.Wire();
        Clients.Wire asyncWire = new Clients.Wire();
        try (KinesisClient sync = Clients.sync(endpoint, syncWire);
                KinesisAsyncClient async = Clients.async(endpoint, asyncWire)) {
            new DataSteps("sync", sync).run();
            new ControlSteps("sync", sync).run();
            KinesisClient waiting = Clients.waiting(async);
            new DataSteps("async", waiting).run();
            new ControlSteps("async", waiting).run();
            new SubscribeSteps(async, waiting).run();
            Steps.step("sync wire", found -> found.put("seen", syncWire.seen));
            Steps.step("async wire", found -> found.put("seen", asyncWire.seen));
        }
        Steps.step("end", found -> found.put("steps", List.of()));
        System.exit(0);
    }
}

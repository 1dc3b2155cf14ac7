import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import software.amazon.awssdk.awscore.exception.AwsServiceException;

/**
 * Prints one JSON line for each step: {"step": NAME, ...} with what the step found, or with the class of the exception
 * that ended it. What is right is decided by the test that reads the lines.
 */
final class Steps {
    interface Body {
        void run(Map<String, Object> found) throws Exception;
    }

    private static final ObjectMapper JSON = new ObjectMapper();

    private Steps() {}

    static void step(String name, Body body) throws Exception {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("step", name);
        try {
            body.run(line);
        } catch (Exception exception) {
            line.putAll(describe(exception));
        }
        synchronized (System.out) {
            System.out.println(JSON.writeValueAsString(line));
            System.out.flush();
        }
    }

    /** The exception's class, and what the service said about it. */
    static Map<String, Object> describe(Throwable thrown) {
        Throwable cause = thrown;
        while (cause instanceof CompletionException && cause.getCause() != null) {
            cause = cause.getCause();
        }
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("exception", cause.getClass().getSimpleName());
        if (cause instanceof AwsServiceException service && service.awsErrorDetails() != null) {
            line.put("status", service.statusCode());
            line.put("code", service.awsErrorDetails().errorCode());
            line.put("message", service.awsErrorDetails().errorMessage());
            line.put("requestId", service.requestId());
        } else {
            List<String> chain = new ArrayList<>();
            for (Throwable next = cause; next != null; next = next.getCause()) {
                chain.add(next.toString());
            }
            line.put("message", String.join(" <- ", chain));
        }
        return line;
    }

    /** What `call` throws; an empty map when it succeeds. */
    static Map<String, Object> refusal(Runnable call) {
        try {
            call.run();
            return Map.of();
        } catch (RuntimeException exception) {
            return describe(exception);
        }
    }
}

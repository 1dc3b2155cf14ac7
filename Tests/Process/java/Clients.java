import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.client.config.ClientOverrideConfiguration;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.SdkHttpConfigurationOption;
import software.amazon.awssdk.http.apache.ApacheHttpClient;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.utils.AttributeMap;

/**
 * The SDK's two clients as the SDK makes them, without retries, so that a refusal is seen. Credentials and region come
 * from the environment. Certificates are self-made, so none is checked.
 */
final class Clients {
    private static final AttributeMap TRUST_ALL =
            AttributeMap.builder().put(SdkHttpConfigurationOption.TRUST_ALL_CERTIFICATES, true).build();

    /** What went over the wire: operation -> "request content type -> answer's content type". */
    static final class Wire implements ExecutionInterceptor {
        final Map<String, Set<String>> seen = new TreeMap<>();

        @Override
        public synchronized void afterTransmission(Context.AfterTransmission context, ExecutionAttributes attributes) {
            String target = context.httpRequest().firstMatchingHeader("X-Amz-Target").orElse("none");
            String sent = context.httpRequest().firstMatchingHeader("Content-Type").orElse("none");
            String answered = context.httpResponse().firstMatchingHeader("Content-Type").orElse("none");
            seen.computeIfAbsent(target.replaceAll(".*\\.", ""), ignored -> new TreeSet<>())
                    .add(sent + " -> " + answered);
        }
    }

    private Clients() {}

    private static ClientOverrideConfiguration configuration(Wire wire) {
        return ClientOverrideConfiguration.builder()
                .retryStrategy(AwsRetryStrategy.doNotRetry())
                .addExecutionInterceptor(wire)
                .apiCallTimeout(Duration.ofSeconds(20))
                .build();
    }

    static KinesisClient sync(URI endpoint, Wire wire) {
        return KinesisClient.builder()
                .endpointOverride(endpoint)
                .credentialsProvider(DefaultCredentialsProvider.builder().build())
                .httpClient(ApacheHttpClient.builder().buildWithDefaults(TRUST_ALL))
                .overrideConfiguration(configuration(wire))
                .build();
    }

    /** HTTP/2: by prior knowledge on `http`, by ALPN on `https`. */
    static KinesisAsyncClient async(URI endpoint, Wire wire) {
        return KinesisAsyncClient.builder()
                .endpointOverride(endpoint)
                .credentialsProvider(DefaultCredentialsProvider.builder().build())
                .httpClient(NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP2).buildWithDefaults(TRUST_ALL))
                .overrideConfiguration(configuration(wire))
                .build();
    }

    /** The asynchronous client with the synchronous one's methods: each call waits for its future. */
    static KinesisClient waiting(KinesisAsyncClient client) {
        return (KinesisClient) Proxy.newProxyInstance(
                Clients.class.getClassLoader(), new Class<?>[] {KinesisClient.class}, (proxy, method, arguments) -> {
                    try {
                        Object answer = KinesisAsyncClient.class
                                .getMethod(method.getName(), method.getParameterTypes())
                                .invoke(client, arguments);
                        return answer instanceof CompletableFuture<?> future ? future.join() : answer;
                    } catch (InvocationTargetException exception) {
                        throw exception.getCause();
                    } catch (CompletionException exception) {
                        throw exception.getCause() == null ? exception : exception.getCause();
                    }
                });
    }
}

// A closed loop of signed PutRecords calls: each connection keeps one batch outstanding and sends 8 bodies in turn, made
// and signed beforehand; a signature older than 4 minutes is made anew.
//
//     load --port N [--stream S] [--connections 4] [--records 500] [--size 1024] [--seconds 8]
//
// Credentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY. Prints one line of name=value pairs. Ends with 1 when any call
// failed. A call has failed unless its status is 200 and its answer says "FailedRecordCount":0.
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BODIES = 8, MOST_CONNECTIONS = 64, ANSWER = 1 << 20, SIGNATURE_AGE = 240 };

struct body {
    char *bytes;
    size_t count;
    char hash[65];
    char head[1024];
    size_t head_count;
    time_t signed_at;
};

struct connection {
    int fd, turn;
    struct body bodies[BODIES];
    double sent_at;
    size_t sent, answered;
    char *answer;
};

static struct {
    int port, connections, records, size;
    double seconds;
    const char *stream, *region, *key, *secret;
} options = {0, 4, 500, 1024, 8, "bench", "us-east-1", NULL, NULL};

static long calls, errors;
static double *latencies;
static size_t latency_count, latency_room;

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void hex(const unsigned char *bytes, size_t count, char *out) {
    for (size_t i = 0; i < count; i++) sprintf(out + 2 * i, "%02x", bytes[i]);
}

static void sha256_hex(const char *bytes, size_t count, char *out) {
    unsigned char digest[32];
    if (EVP_Digest(bytes, count, digest, NULL, EVP_sha256(), NULL) != 1) fail("SHA-256");
    hex(digest, 32, out);
}

static void hmac(const void *key, size_t key_count, const char *text, unsigned char out[32]) {
    unsigned int length = 32;
    if (HMAC(EVP_sha256(), key, (int)key_count, (const unsigned char *)text, strlen(text), out, &length) == NULL)
        fail("HMAC");
}

static void sign(struct body *body) {
    char date[17], day[9], scope[128], host[32], canonical[1024], digest[65], text[512], secret[256], signature[65];
    body->signed_at = time(NULL);
    struct tm utc;
    gmtime_r(&body->signed_at, &utc);
    strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &utc);
    snprintf(day, sizeof day, "%.8s", date);
    snprintf(scope, sizeof scope, "%s/%s/kinesis/aws4_request", day, options.region);
    snprintf(host, sizeof host, "127.0.0.1:%d", options.port);
    snprintf(canonical, sizeof canonical,
             "POST\n/\n\ncontent-type:application/x-amz-json-1.1\nhost:%s\nx-amz-date:%s\n"
             "x-amz-target:Kinesis_20131202.PutRecords\n\ncontent-type;host;x-amz-date;x-amz-target\n%s",
             host, date, body->hash);
    sha256_hex(canonical, strlen(canonical), digest);
    snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, digest);
    unsigned char key[32];
    snprintf(secret, sizeof secret, "AWS4%s", options.secret);
    hmac(secret, strlen(secret), day, key);
    hmac(key, 32, options.region, key);
    hmac(key, 32, "kinesis", key);
    hmac(key, 32, "aws4_request", key);
    hmac(key, 32, text, key);
    hex(key, 32, signature);
    body->head_count = (size_t)snprintf(
        body->head, sizeof body->head,
        "POST / HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Date: %s\r\n"
        "X-Amz-Target: Kinesis_20131202.PutRecords\r\nAuthorization: AWS4-HMAC-SHA256 Credential=%s/%s, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=%s\r\nContent-Length: %zu\r\n\r\n",
        host, date, options.key, scope, signature, body->count);
}

static void make(struct body *body) {
    size_t text = 4 * (((size_t)options.size + 2) / 3);
    body->bytes = malloc(64 + strlen(options.stream) + (size_t)options.records * (text + 64));
    unsigned char *data = malloc((size_t)options.size);
    if (body->bytes == NULL || data == NULL) fail("memory");
    char *at = body->bytes + sprintf(body->bytes, "{\"StreamName\":\"%s\",\"Records\":[", options.stream);
    for (int i = 0; i < options.records; i++) {
        unsigned int key;
        if (RAND_bytes(data, options.size) != 1 || RAND_bytes((unsigned char *)&key, sizeof key) != 1) fail("random");
        at += sprintf(at, "%s{\"Data\":\"", i > 0 ? "," : "");
        at += EVP_EncodeBlock((unsigned char *)at, data, options.size);
        at += sprintf(at, "\",\"PartitionKey\":\"key-%u\"}", key);
    }
    at += sprintf(at, "]}");
    free(data);
    body->count = (size_t)(at - body->bytes);
    sha256_hex(body->bytes, body->count, body->hash);
    sign(body);
}

static void open_connection(struct connection *c) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) fail("connect");
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->sent = c->answered = 0;
    c->sent_at = now();
}

static void send_more(struct connection *c) {
    struct body *body = &c->bodies[c->turn];
    if (c->sent == 0 && time(NULL) - body->signed_at > SIGNATURE_AGE) sign(body);
    size_t whole = body->head_count + body->count;
    while (c->sent < whole) {
        int in_head = c->sent < body->head_count;
        const char *from = in_head ? body->head + c->sent : body->bytes + (c->sent - body->head_count);
        size_t count = in_head ? body->head_count - c->sent : whole - c->sent;
        ssize_t n = send(c->fd, from, count, MSG_NOSIGNAL | (in_head ? MSG_MORE : 0));
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) fail("send");
        c->sent += (size_t)n;
    }
}

static void note(double latency) {
    if (latency_count == latency_room) {
        latency_room = latency_room == 0 ? 4096 : 2 * latency_room;
        latencies = realloc(latencies, latency_room * sizeof *latencies);
        if (latencies == NULL) fail("memory");
    }
    latencies[latency_count++] = latency;
}

// Reads what there is. Returns 1 when the answer is whole.
static int receive(struct connection *c) {
    ssize_t n = recv(c->fd, c->answer + c->answered, ANSWER - 1 - c->answered, 0);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n < 0) fail("receive");
    if (n == 0) {
        fprintf(stderr, "load: the server closed the connection\n");
        exit(1);
    }
    c->answered += (size_t)n;
    c->answer[c->answered] = 0;
    char *end = strstr(c->answer, "\r\n\r\n");
    if (end == NULL) return 0;
    char *field = strcasestr(c->answer, "content-length:");
    if (field == NULL || field > end) {
        fprintf(stderr, "load: an answer without Content-Length\n");
        exit(1);
    }
    size_t whole = (size_t)(end + 4 - c->answer) + strtoul(field + 15, NULL, 10);
    if (whole >= ANSWER) {
        fprintf(stderr, "load: an answer of %zu bytes\n", whole);
        exit(1);
    }
    if (c->answered < whole) return 0;
    calls++;
    if (strncmp(c->answer, "HTTP/1.1 200", 12) != 0 || strstr(end, "\"FailedRecordCount\":0") == NULL) {
        if (errors++ == 0) fprintf(stderr, "load: first refusal: %.600s\n", c->answer);
    }
    note(now() - c->sent_at);
    return 1;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double percentile(double part) {
    return latency_count == 0 ? 0 : latencies[(size_t)((double)(latency_count - 1) * part)] * 1e3;
}

static void read_options(int argc, char **argv) {
    static const struct option known[] = {
        {"port", 1, NULL, 'p'}, {"stream", 1, NULL, 's'}, {"connections", 1, NULL, 'c'}, {"records", 1, NULL, 'r'},
        {"size", 1, NULL, 'b'}, {"seconds", 1, NULL, 't'}, {NULL, 0, NULL, 0},
    };
    for (int name; (name = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (name == 'p') options.port = atoi(optarg);
        else if (name == 's') options.stream = optarg;
        else if (name == 'c') options.connections = atoi(optarg);
        else if (name == 'r') options.records = atoi(optarg);
        else if (name == 'b') options.size = atoi(optarg);
        else if (name == 't') options.seconds = atof(optarg);
        else exit(64);
    }
    options.key = getenv("AWS_ACCESS_KEY_ID");
    options.secret = getenv("AWS_SECRET_ACCESS_KEY");
    if (options.port <= 0 || options.connections < 1 || options.connections > MOST_CONNECTIONS || options.records < 1 ||
        options.size < 1 || options.key == NULL || options.secret == NULL) {
        fprintf(stderr, "load: needs --port and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY; see the head of load.c\n");
        exit(64);
    }
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    static struct connection connections[MOST_CONNECTIONS];
    struct pollfd polled[MOST_CONNECTIONS];
    for (int i = 0; i < options.connections; i++) {
        struct connection *c = &connections[i];
        for (int b = 0; b < BODIES; b++) make(&c->bodies[b]);
        c->answer = malloc(ANSWER);
        if (c->answer == NULL) fail("memory");
    }
    for (int i = 0; i < options.connections; i++) open_connection(&connections[i]);
    double start = now(), end = start;
    int busy = options.connections;
    while (busy > 0) {
        for (int i = 0; i < options.connections; i++) {
            struct connection *c = &connections[i];
            struct body *body = &c->bodies[c->turn];
            int sending = c->sent < body->head_count + body->count;
            polled[i] = (struct pollfd){.fd = c->fd, .events = (short)(sending ? POLLOUT | POLLIN : POLLIN)};
        }
        if (poll(polled, (nfds_t)options.connections, 30000) <= 0) {
            fprintf(stderr, "load: no answer for 30 s\n");
            return 1;
        }
        for (int i = 0; i < options.connections; i++) {
            struct connection *c = &connections[i];
            if (polled[i].revents & POLLOUT) send_more(c);
            if (!(polled[i].revents & (POLLIN | POLLHUP | POLLERR)) || !receive(c)) continue;
            end = now();
            c->turn = (c->turn + 1) % BODIES;
            c->sent = c->answered = 0;
            c->sent_at = end;
            if (end - start >= options.seconds) {
                close(c->fd);
                c->fd = -1;
                busy--;
            }
        }
    }
    double seconds = end - start, records = (double)(calls - errors) * options.records;
    qsort(latencies, latency_count, sizeof *latencies, compare);
    printf("records_per_s=%.0f mb_per_s=%.1f p50_ms=%.2f p99_ms=%.2f calls=%ld errors=%ld seconds=%.2f\n",
           records / seconds, records * options.size / seconds / 1e6, percentile(0.5), percentile(0.99), calls, errors,
           seconds);
    return errors == 0 ? 0 : 1;
}

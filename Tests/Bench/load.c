// A closed loop of signed PutRecords calls: each connection keeps one batch outstanding and sends 8 bodies in turn, made
// and signed beforehand; a signature older than 4 minutes is made anew.
//
//     load --port N [--stream S] [--connections 4] [--records 500] [--size 1024] [--seconds 8]
//
// Credentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY. Prints one line of name=value pairs. Ends with 1 when any call
// failed. A call has failed unless its status is 200 and its answer says "FailedRecordCount":0.
#include "aws.h"

#include <getopt.h>
#include <openssl/rand.h>
#include <poll.h>
#include <strings.h>
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
    int connections, records, size;
    double seconds;
    const char *stream;
} options = {4, 500, 1024, 8, "bench"};

static long calls, errors;

static void sign(struct body *body) {
    body->signed_at = time(NULL);
    body->head_count =
        sign_head(body->head, sizeof body->head, "PutRecords", body->hash, body->count, body->signed_at);
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
    c->fd = open_socket(SOCK_NONBLOCK);
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

static void read_options(int argc, char **argv) {
    static const struct option known[] = {
        {"port", 1, NULL, 'p'}, {"stream", 1, NULL, 's'}, {"connections", 1, NULL, 'c'}, {"records", 1, NULL, 'r'},
        {"size", 1, NULL, 'b'}, {"seconds", 1, NULL, 't'}, {NULL, 0, NULL, 0},
    };
    for (int name; (name = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (name == 'p') target.port = atoi(optarg);
        else if (name == 's') options.stream = optarg;
        else if (name == 'c') options.connections = atoi(optarg);
        else if (name == 'r') options.records = atoi(optarg);
        else if (name == 'b') options.size = atoi(optarg);
        else if (name == 't') options.seconds = atof(optarg);
        else exit(64);
    }
    if (!read_credentials() || options.connections < 1 || options.connections > MOST_CONNECTIONS ||
        options.records < 1 || options.size < 1) {
        fprintf(stderr, "load: needs --port and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY; see the head of load.c\n");
        exit(64);
    }
}

int main(int argc, char **argv) {
    target.program = "load";
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
    sort_latencies();
    printf("records_per_s=%.0f mb_per_s=%.1f p50_ms=%.2f p99_ms=%.2f calls=%ld errors=%ld seconds=%.2f\n",
           records / seconds, records * options.size / seconds / 1e6, percentile(0.5), percentile(0.99), calls, errors,
           seconds);
    return errors == 0 ? 0 : 1;
}

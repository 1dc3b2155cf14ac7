// One call for each shard of a stream, or many connections that do nothing.
//
//     sweep put --port N [--stream S] [--shards 4] [--connections 8]       a PutRecord of 100 bytes into each
//     sweep read --port N ...                                              the first records of each: GetShardIterator
//                                                                          from TRIM_HORIZON, then GetRecords
//     sweep hold --port N [--connections 1000] [--seconds 30]              keep-alive connections, each after one call;
//                                                                          says `open` when all are
//
// The stream's shards are its first and of equal size. Credentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY. Prints one
// line of name=value pairs; `ended` is the time of the last answer, in seconds since 1970. Ends with 1 at the first refusal.
#include "aws.h"

#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MOST_THREADS = 64, ANSWER = 16 << 20, TOKEN = 600 };

static struct {
    const char *stream;
    int shards, connections, is_read;
    double seconds;
} options = {"bench", 4, 8, 0, 30};

static atomic_int next_shard, records;

struct exchange {
    int fd;
    char *answer;  // the whole answer, with a 0 behind it
};

// Sends a call and reads its answer; returns the body.
static char *call(struct exchange *x, const char *operation, const char *body) {
    char hash[65], request[4096];
    size_t count = strlen(body), have = 0;
    sha256_hex(body, count, hash);
    size_t head = sign_head(request, sizeof request, operation, hash, count, time(NULL));
    if (head + count > sizeof request) die("a request of more than 4 KiB");
    memcpy(request + head, body, count);
    if (send(x->fd, request, head + count, MSG_NOSIGNAL) != (ssize_t)(head + count)) fail("send");
    for (char *end = NULL, *field = NULL;;) {
        ssize_t n = recv(x->fd, x->answer + have, ANSWER - 1 - have, 0);
        if (n < 0) fail("receive");
        if (n == 0) die("the server closed the connection, or the answer is too long");
        x->answer[have += (size_t)n] = 0;
        if (end == NULL && (end = strstr(x->answer, "\r\n\r\n")) == NULL) continue;
        if (field == NULL && (field = strcasestr(x->answer, "content-length:")) == NULL) die("no Content-Length");
        if (have < (size_t)(end + 4 - x->answer) + strtoul(field + 15, NULL, 10)) continue;
        if (strncmp(x->answer, "HTTP/1.1 200", 12) != 0) die(x->answer);
        return end + 4;
    }
}

static void put(struct exchange *x, int shard) {
    // The middle of the shard's hash keys, in decimal.
    unsigned __int128 half = ~(unsigned __int128)0 / (2 * (unsigned)options.shards), key = half * (2 * (unsigned)shard + 1);
    char digits[48], *at = digits + sizeof digits - 1, data[137], body[512];
    for (*at = 0; key > 0; key /= 10) *--at = (char)('0' + (int)(key % 10));
    memset(data, 'A', sizeof data - 1);
    data[sizeof data - 1] = 0;
    snprintf(body, sizeof body, "{\"StreamName\":\"%s\",\"PartitionKey\":\"k\",\"ExplicitHashKey\":\"%s\",\"Data\":\"%s\"}",
             options.stream, at, data);
    char *json = call(x, "PutRecord", body), wanted[64];
    snprintf(wanted, sizeof wanted, "\"shardId-%012d\"", shard);
    if (strstr(json, wanted) == NULL) die("a record went into another shard: the stream's are not its first, or not equal");
    records++;
}

static void read_first(struct exchange *x, int shard) {
    static const char mark[] = "\"ShardIterator\":\"", data[] = "\"Data\":\"";
    char body[TOKEN + 256];
    snprintf(body, sizeof body, "{\"StreamName\":\"%s\",\"ShardId\":\"shardId-%012d\",\"ShardIteratorType\":\"TRIM_HORIZON\"}",
             options.stream, shard);
    char *json = call(x, "GetShardIterator", body), *token = strstr(json, mark);
    if (token == NULL) die("an answer without an iterator");
    token += sizeof mark - 1;
    snprintf(body, sizeof body, "{\"Limit\":1,\"ShardIterator\":\"%.*s\"}", (int)strcspn(token, "\""), token);
    if (strstr(call(x, "GetRecords", body), data) != NULL) records++;
}

static struct exchange connect_to(void) {
    struct exchange x = {open_socket(0), malloc(ANSWER)};
    if (x.answer == NULL) fail("memory");
    return x;
}

static void *sweep(void *unused) {
    (void)unused;
    struct exchange x = connect_to();
    for (int shard; (shard = atomic_fetch_add(&next_shard, 1)) < options.shards;) {
        if (options.is_read) read_first(&x, shard);
        else put(&x, shard);
    }
    close(x.fd);
    return NULL;
}

static void sweep_all(void) {
    pthread_t threads[MOST_THREADS];
    struct timespec end;
    double start = now();
    for (int i = 0; i < options.connections; i++)
        if (pthread_create(&threads[i], NULL, sweep, NULL) != 0) fail("pthread_create");
    for (int i = 0; i < options.connections; i++) pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_REALTIME, &end);
    printf("shards=%d records=%d seconds=%.3f ended=%ld.%06ld\n", options.shards, records, now() - start, (long)end.tv_sec,
           end.tv_nsec / 1000);
    if (records != options.shards) die("not every shard has a record");
}

static void hold(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");
    struct exchange x = connect_to();
    for (int i = 0; i < options.connections; i++) {
        if (i > 0) x.fd = open_socket(0);
        call(&x, "DescribeLimits", "{}");
    }
    printf("open\n");
    fflush(stdout);
    usleep((useconds_t)(options.seconds * 1e6));
}

int main(int argc, char **argv) {
    target.program = "sweep";
    static const struct option known[] = {
        {"port", 1, NULL, 'p'},        {"stream", 1, NULL, 's'},  {"shards", 1, NULL, 'n'},
        {"connections", 1, NULL, 'c'}, {"seconds", 1, NULL, 't'}, {NULL, 0, NULL, 0},
    };
    int is_known = 1;
    for (int name; (name = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (name == 'p') target.port = atoi(optarg);
        else if (name == 's') options.stream = optarg;
        else if (name == 'n') options.shards = atoi(optarg);
        else if (name == 'c') options.connections = atoi(optarg);
        else if (name == 't') options.seconds = atof(optarg);
        else is_known = 0;
    }
    const char *command = optind < argc ? argv[optind] : "";
    int is_hold = strcmp(command, "hold") == 0;
    options.is_read = strcmp(command, "read") == 0;
    if (!is_known || !read_credentials() || options.shards < 1 || options.connections < 1 ||
        (!is_hold && options.connections > MOST_THREADS) || (!is_hold && !options.is_read && strcmp(command, "put") != 0)) {
        fprintf(stderr, "sweep: put, read or hold, with --port and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY\n");
        return 64;
    }
    if (is_hold) hold();
    else sweep_all();
    return 0;
}

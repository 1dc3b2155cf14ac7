// Measures from a put to its receipt, in processes of their own that share the machine's clock: each record begins with the
// moment at which it was due.
//
//     fanout put --port N [--stream S] [--rate 1000] [--size 100] [--connections 8] [--seconds 10]
//         PutRecord calls at a steady rate. A record that is late because all connections are busy is late, not lost.
//     fanout subscribe --port N --consumer ARN [--shard shardId-000000000000] [--seconds 10]
//         SubscribeToShard from LATEST; every record it is pushed.
//     fanout poll --port N [--stream S] [--shard ...] [--every 0.2] [--seconds 10]
//         GetRecords from LATEST, so often as AWS allows one shard.
//     fanout idle --port N [--seconds 30]
//         One subscription for each line `ARN SHARD` on standard input. Says `open` when each has had its first event, and
//         ends with 1 when one is closed or silent for 10 s, as AWS's SDK for Java would.
//
// Credentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY. Readers say `open` when they read, and print one line of name=value
// pairs at their end; `missing` counts records of the first to the last seen that did not come.
#include "aws.h"

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 64, MOST_FEEDS = 4096, STAMP = 36 };

static struct {
    const char *stream, *shard, *consumer;
    double rate, seconds, every;
    int size, connections;
} options = {"bench", "shardId-000000000000", "", 1000, 10, 0.2, 100, 8};

static void send_all(int fd, const char *bytes, size_t count, int flags) {
    while (count > 0) {
        ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL | flags);
        if (n < 0) fail("send");
        bytes += n;
        count -= (size_t)n;
    }
}

static void call(int fd, const char *operation, const char *body) {
    char hash[65], head[1024];
    size_t count = strlen(body);
    sha256_hex(body, count, hash);
    size_t head_count = sign_head(head, sizeof head, operation, hash, count, time(NULL));
    send_all(fd, head, head_count, MSG_MORE);
    send_all(fd, body, count, 0);
}

// Bytes that are gathered until there are enough of them.
struct buffer {
    char *bytes;
    size_t count, room;
};

static void reserve(struct buffer *b, size_t more) {
    if (b->count + more + 1 <= b->room) return;
    b->room = 2 * (b->count + more + 1);
    b->bytes = realloc(b->bytes, b->room);
    if (b->bytes == NULL) fail("memory");
}

static void drop(struct buffer *b, size_t count) {
    memmove(b->bytes, b->bytes + count, b->count - count);
    b->count -= count;
}

// Reads what there is; returns 0 at the end of the stream, -1 when there is nothing.
static int fill(struct buffer *b, int fd) {
    reserve(b, 65536);
    ssize_t n = recv(fd, b->bytes + b->count, 65536, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return -1;
    if (n < 0) fail("receive");
    b->count += (size_t)n;
    b->bytes[b->count] = 0;
    return n > 0;
}

// ---- records

enum { MOST_RECORDS = 10000000 };
static long records, first_number = MOST_RECORDS, last_number = -1;
static unsigned char is_seen[MOST_RECORDS];

// The stamp at the start of each record's data: `<number> <seconds>`, 36 characters, which base64 writes as 48.
static void see_records(const char *json, const char *end, double at) {
    static const char mark[] = "\"Data\":\"";
    for (const char *data; (data = memmem(json, (size_t)(end - json), mark, sizeof mark - 1)) != NULL; json = data) {
        data += sizeof mark - 1;
        if (end - data < STAMP / 3 * 4) die("a record that was not put by this program");
        unsigned char stamp[STAMP + 1];
        if (EVP_DecodeBlock(stamp, (const unsigned char *)data, STAMP / 3 * 4) != STAMP) die("bad base64");
        stamp[STAMP] = 0;
        long number;
        double due;
        if (sscanf((const char *)stamp, "%ld %lf", &number, &due) != 2) die("a record without a stamp");
        if (number < 0 || number >= MOST_RECORDS || is_seen[number]++ > 0) die("a record twice");
        if (number < first_number) first_number = number;
        if (number > last_number) last_number = number;
        records++;
        note(at - due);
    }
}

static void print_latencies(const char *name) {
    sort_latencies();
    long missing = records == 0 ? 0 : last_number - first_number + 1 - records;
    printf("%s p50_ms=%.3f p90_ms=%.3f p99_ms=%.3f max_ms=%.3f records=%ld missing=%ld\n", name, percentile(0.5),
           percentile(0.9), percentile(0.99), percentile(1), records, missing);
}

static void say_open(void) {
    printf("open\n");
    fflush(stdout);
}

// ---- put

static void put(void) {
    struct {
        int fd, is_busy;
        struct buffer answer;
    } connections[MOST_CONNECTIONS] = {0};
    for (int i = 0; i < options.connections; i++) connections[i].fd = open_socket(0);
    long count = (long)(options.rate * options.seconds), sent = 0, answered = 0;
    double start = now() + 0.1, calls = 0;
    char *data = calloc(1, (size_t)options.size + 1), *body = malloc((size_t)options.size * 2 + 256);
    unsigned char *text = malloc((size_t)options.size * 2 + 8);
    if (data == NULL || body == NULL || text == NULL) fail("memory");
    while (answered < count) {
        int is_free = -1;
        for (int i = 0; i < options.connections && is_free < 0; i++)
            if (!connections[i].is_busy) is_free = i;
        double due = start + (double)sent / options.rate;
        if (is_free >= 0 && sent < count && now() >= due) {
            memset(data, '.', (size_t)options.size);
            char stamp[400];
            snprintf(stamp, sizeof stamp, "%011ld %024.9f", sent, due);
            memcpy(data, stamp, STAMP);
            EVP_EncodeBlock(text, (const unsigned char *)data, options.size);
            sprintf(body, "{\"StreamName\":\"%s\",\"PartitionKey\":\"k\",\"Data\":\"%s\"}", options.stream, text);
            connections[is_free].is_busy = 1;
            double begun = now();
            call(connections[is_free].fd, "PutRecord", body);
            calls += now() - begun;
            sent++;
            continue;
        }
        struct pollfd polled[MOST_CONNECTIONS];
        for (int i = 0; i < options.connections; i++)
            polled[i] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
        double rest = is_free >= 0 && sent < count ? due - now() : 5;
        struct timespec limit = {.tv_sec = (time_t)(rest > 0 ? rest : 0)};
        limit.tv_nsec = (long)((rest > 0 ? rest - (double)limit.tv_sec : 0) * 1e9);
        ppoll(polled, (nfds_t)options.connections, &limit, NULL);
        for (int i = 0; i < options.connections; i++) {
            if (!(polled[i].revents & (POLLIN | POLLHUP | POLLERR))) continue;
            struct buffer *answer = &connections[i].answer;
            if (fill(answer, connections[i].fd) == 0) die("the server closed a connection");
            char *end = strstr(answer->bytes, "\r\n\r\n");
            char *field = end == NULL ? NULL : strcasestr(answer->bytes, "content-length:");
            if (field == NULL) continue;
            if (answer->count < (size_t)(end + 4 - answer->bytes) + strtoul(field + 15, NULL, 10)) continue;
            if (strncmp(answer->bytes, "HTTP/1.1 200", 12) != 0) die(answer->bytes);
            answer->count = 0;
            connections[i].is_busy = 0;
            answered++;
        }
    }
    printf("put records=%ld seconds=%.2f signing_and_sending_us=%.1f\n", answered, now() - start, calls * 1e6 / (double)sent);
}

// ---- subscribe

struct feed {
    int fd, is_begun, is_open;
    struct buffer raw, stream;
    long chunk;  // bytes left of the chunk; -1 between chunks
    long messages;
    double heard;
};

static void subscribe(struct feed *feed, const char *consumer, const char *shard) {
    char body[1024];
    snprintf(body, sizeof body, "{\"ConsumerARN\":\"%s\",\"ShardId\":\"%s\",\"StartingPosition\":{\"Type\":\"LATEST\"}}",
             consumer, shard);
    *feed = (struct feed){.fd = open_socket(0), .chunk = -1, .heard = now()};
    call(feed->fd, "SubscribeToShard", body);
    if (fcntl(feed->fd, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
}

// Takes HTTP/1.1's chunks apart. Returns 0 at the last one.
static int dechunk(struct feed *feed) {
    if (!feed->is_begun) {
        char *end = memmem(feed->raw.bytes, feed->raw.count, "\r\n\r\n", 4);
        if (end == NULL) return 1;
        if (strncmp(feed->raw.bytes, "HTTP/1.1 200", 12) != 0) die(feed->raw.bytes);
        drop(&feed->raw, (size_t)(end + 4 - feed->raw.bytes));
        feed->is_begun = 1;
    }
    for (;;) {
        if (feed->chunk < 0) {
            char *end = memmem(feed->raw.bytes, feed->raw.count, "\r\n", 2);
            if (end == NULL) return 1;
            feed->chunk = strtol(feed->raw.bytes, NULL, 16);
            drop(&feed->raw, (size_t)(end + 2 - feed->raw.bytes));
            if (feed->chunk == 0) return 0;
        }
        if ((long)feed->raw.count < feed->chunk + 2) return 1;
        reserve(&feed->stream, (size_t)feed->chunk);
        memcpy(feed->stream.bytes + feed->stream.count, feed->raw.bytes, (size_t)feed->chunk);
        feed->stream.count += (size_t)feed->chunk;
        drop(&feed->raw, (size_t)feed->chunk + 2);
        feed->chunk = -1;
    }
}

static size_t big_endian(const char *bytes) {
    const unsigned char *b = (const unsigned char *)bytes;
    return (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
}

// Returns the messages that were whole.
static int take_messages(struct feed *feed, double at) {
    int messages = 0;
    while (feed->stream.count >= 16) {
        char *message = feed->stream.bytes;
        size_t length = big_endian(message), headers = big_endian(message + 4);
        if (feed->stream.count < length) break;
        if (memmem(message, 12 + headers, "exception", 9) != NULL) die(message + 12 + headers);
        see_records(message + 12 + headers, message + length - 4, at);
        drop(&feed->stream, length);
        messages++;
    }
    if (messages > 0) feed->heard = at;
    return messages;
}

static void read_feeds(struct feed *feeds, int count, double seconds) {
    int events = epoll_create1(EPOLL_CLOEXEC), still_closed = count;
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        if (epoll_ctl(events, EPOLL_CTL_ADD, feeds[i].fd, &event) != 0) fail("epoll");
    }
    double end = now() + 60;
    while (now() < end) {
        struct epoll_event ready[256];
        int found = epoll_wait(events, ready, 256, 100);
        double at = now();
        for (int i = 0; i < found; i++) {
            struct feed *feed = &feeds[ready[i].data.u32];
            int state = fill(&feed->raw, feed->fd);
            if (state < 0) continue;
            if (state == 0 || !dechunk(feed)) die("a subscription ended");
            feed->messages += take_messages(feed, at);
            // The initial response and the first event.
            if (!feed->is_open && feed->messages >= 2) {
                feed->is_open = 1;
                still_closed--;
            }
        }
        for (int i = 0; i < count; i++)
            if (at - feeds[i].heard > 10) die("a subscription was silent for 10 s");
        if (still_closed == 0) {
            still_closed = -1;
            end = now() + seconds;
            say_open();
        }
    }
    if (still_closed > 0) die("not every subscription was answered");
}

static void subscribe_one(void) {
    static struct feed feed;
    subscribe(&feed, options.consumer, options.shard);
    read_feeds(&feed, 1, options.seconds);
    print_latencies("subscribe");
}

static void idle(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");
    static struct feed feeds[MOST_FEEDS];
    char consumer[512], shard[128];
    int count = 0;
    while (count < MOST_FEEDS && scanf("%511s %127s", consumer, shard) == 2) subscribe(&feeds[count++], consumer, shard);
    if (count == 0) die("no line `ARN SHARD` on standard input");
    read_feeds(feeds, count, options.seconds);
    printf("idle subscriptions=%d seconds=%.0f\n", count, options.seconds);
}

// ---- poll

// Sends a call and returns the body of its answer.
static char *ask(int fd, struct buffer *answer, const char *operation, const char *body) {
    call(fd, operation, body);
    answer->count = 0;
    for (;;) {
        if (fill(answer, fd) == 0) die("the server closed the connection");
        char *end = strstr(answer->bytes, "\r\n\r\n");
        char *field = end == NULL ? NULL : strcasestr(answer->bytes, "content-length:");
        if (field == NULL || answer->count < (size_t)(end + 4 - answer->bytes) + strtoul(field + 15, NULL, 10)) continue;
        if (strncmp(answer->bytes, "HTTP/1.1 200", 12) != 0) die(answer->bytes);
        return end + 4;
    }
}

static void iterator(const char *json, const char *name, char *out, size_t room) {
    char mark[64];
    snprintf(mark, sizeof mark, "\"%s\":\"", name);
    const char *from = strstr(json, mark), *end = from == NULL ? NULL : strchr(from + strlen(mark), '"');
    if (end == NULL || (size_t)(end - from) >= room) die("an answer without an iterator");
    from += strlen(mark);
    memcpy(out, from, (size_t)(end - from));
    out[end - from] = 0;
}

static void poll_records(void) {
    struct buffer answer = {0};
    char token[600], body[1024];
    int fd = open_socket(0);
    snprintf(body, sizeof body, "{\"StreamName\":\"%s\",\"ShardId\":\"%s\",\"ShardIteratorType\":\"LATEST\"}",
             options.stream, options.shard);
    iterator(ask(fd, &answer, "GetShardIterator", body), "ShardIterator", token, sizeof token);
    say_open();
    double start = now();
    for (long turn = 1; now() - start < options.seconds; turn++) {
        double rest = start + (double)turn * options.every - now();
        if (rest > 0) usleep((useconds_t)(rest * 1e6));
        snprintf(body, sizeof body, "{\"ShardIterator\":\"%s\"}", token);
        char *json = ask(fd, &answer, "GetRecords", body);
        see_records(json, answer.bytes + answer.count, now());
        iterator(json, "NextShardIterator", token, sizeof token);
    }
    print_latencies("poll");
}

int main(int argc, char **argv) {
    target.program = "fanout";
    static const struct option known[] = {
        {"port", 1, NULL, 'p'}, {"stream", 1, NULL, 's'},      {"shard", 1, NULL, 'h'},   {"consumer", 1, NULL, 'a'},
        {"rate", 1, NULL, 'r'}, {"seconds", 1, NULL, 't'},     {"every", 1, NULL, 'e'},   {"size", 1, NULL, 'b'},
        {"connections", 1, NULL, 'c'}, {NULL, 0, NULL, 0},
    };
    for (int name; (name = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (name == 'p') target.port = atoi(optarg);
        else if (name == 's') options.stream = optarg;
        else if (name == 'h') options.shard = optarg;
        else if (name == 'a') options.consumer = optarg;
        else if (name == 'r') options.rate = atof(optarg);
        else if (name == 't') options.seconds = atof(optarg);
        else if (name == 'e') options.every = atof(optarg);
        else if (name == 'b') options.size = atoi(optarg);
        else if (name == 'c') options.connections = atoi(optarg);
        else exit(64);
    }
    const char *command = optind < argc ? argv[optind] : "";
    if (!read_credentials() || options.connections < 1 || options.connections > MOST_CONNECTIONS || options.size < STAMP) {
        fprintf(stderr, "fanout: needs --port and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY; see the head of fanout.c\n");
        return 64;
    }
    if (strcmp(command, "put") == 0) put();
    else if (strcmp(command, "subscribe") == 0) subscribe_one();
    else if (strcmp(command, "poll") == 0) poll_records();
    else if (strcmp(command, "idle") == 0) idle();
    else {
        fprintf(stderr, "fanout: put, subscribe, poll or idle?\n");
        return 64;
    }
    return 0;
}

// Reads a stream from its beginning to its end, as fast as it comes, and does as little as it can with it: the data is
// counted, not decoded.
//
//     read records --port N [--stream S] [--wire json|cbor] [--limit 10000]     GetRecords, one shard after the other
//     read subscribe --port N --consumer ARN                                    SubscribeToShard over HTTP/1.1, in JSON
//         [--shards 4] [--bytes N]      shards of the stream; bytes of data after which it ends early
//
// Credentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY. Prints one line of name=value pairs; MB are 10^6 bytes of data, the
// partition keys not among them.
#include "aws.h"

#include <getopt.h>
#include <strings.h>
#include <unistd.h>

enum { ROOM = 64 << 20, TOKEN = 600 };

static struct {
    const char *stream, *consumer;
    int shards, is_cbor, limit;
    double bytes;
} options = {"bench", "", 4, 0, 10000, 1e18};

static long records, answers;
static double data_bytes, wire_bytes;

// What came and was not used up yet: `bytes[from..<to]`, with room for 0 behind it.
static struct {
    char *bytes;
    size_t from, to;
    int fd;
} input;

// Reads more; what is used up is dropped only when room is short.
static void fill(void) {
    if (ROOM - input.to < 1 << 20) {
        memmove(input.bytes, input.bytes + input.from, input.to - input.from);
        input.to -= input.from;
        input.from = 0;
        if (ROOM - input.to < 1 << 20) die("an answer of more than 63 MiB");
    }
    ssize_t n = recv(input.fd, input.bytes + input.to, ROOM - 1 - input.to, 0);
    if (n < 0) fail("receive");
    if (n == 0) die("the server closed the connection");
    input.to += (size_t)n;
    input.bytes[input.to] = 0;
    wire_bytes += (double)n;
}

static void send_call(const char *operation, const char *body, size_t count) {
    char hash[65], request[4096];
    sha256_hex(body, count, hash);
    size_t head = sign_head(request, sizeof request, operation, hash, count, time(NULL));
    if (head + count > sizeof request) die("a request of more than 4 KiB");
    memcpy(request + head, body, count);
    if (send(input.fd, request, head + count, MSG_NOSIGNAL) != (ssize_t)(head + count)) fail("send");
}

// Reads a head; dies unless its status is 200. Returns the offset behind it, in `input.bytes`.
static void read_head(char *head, size_t room) {
    char *end;
    while (input.from == input.to || (end = strstr(input.bytes + input.from, "\r\n\r\n")) == NULL) fill();
    size_t count = (size_t)(end + 4 - input.bytes) - input.from;
    if (count >= room) die("a long head");
    memcpy(head, input.bytes + input.from, count);
    head[count] = 0;
    if (strncmp(head, "HTTP/1.1 200", 12) != 0) die(input.bytes + input.from);
    input.from += count;
}

// Sends a call and reads its answer; the body is valid until the next call.
static char *call(const char *operation, const char *body, size_t count, size_t *answer_count) {
    char head[2048];
    input.from = input.to = 0;
    send_call(operation, body, count);
    read_head(head, sizeof head);
    const char *field = strcasestr(head, "content-length:");
    if (field == NULL) die("an answer without Content-Length");
    *answer_count = strtoul(field + 15, NULL, 10);
    while (input.to - input.from < *answer_count) fill();
    answers++;
    return input.bytes + input.from;
}

// ---- JSON

// Counts the records of a list as the collector writes it; returns where the last one's data ends.
static const char *count_json(const char *at, const char *end) {
    static const char mark[] = "\"Data\":\"";
    for (const char *data; (data = memmem(at, (size_t)(end - at), mark, sizeof mark - 1)) != NULL;) {
        data += sizeof mark - 1;
        if ((at = memchr(data, '"', (size_t)(end - data))) == NULL) die("data without an end");
        size_t text = (size_t)(at - data), padding = text < 2 ? 0 : (at[-1] == '=') + (at[-2] == '=');
        data_bytes += (double)(text / 4 * 3 - padding);
        records++;
    }
    return at;
}

static void take_text(const char *json, const char *end, const char *name, char *out) {
    char mark[64];
    int count = snprintf(mark, sizeof mark, "\"%s\":\"", name);
    const char *from = memmem(json, (size_t)(end - json), mark, (size_t)count);
    const char *to = from == NULL ? NULL : memchr(from + count, '"', (size_t)(end - from - count));
    if (to == NULL || to - from - count >= TOKEN) die("an answer without an iterator");
    memcpy(out, from + count, (size_t)(to - from - count));
    out[to - from - count] = 0;
}

static int is_at_tip(const char *json, const char *end) {
    static const char mark[] = "\"MillisBehindLatest\":0";
    const char *found = memmem(json, (size_t)(end - json), mark, sizeof mark - 1);
    return found != NULL && (found[sizeof mark - 1] == '}' || found[sizeof mark - 1] == ',');
}

// ---- CBOR

struct item {
    int major, is_indefinite;
    size_t argument;
};

static struct item take_item(const unsigned char **at, const unsigned char *end) {
    if (*at >= end) die("CBOR that ends early");
    unsigned char first = *(*at)++;
    struct item item = {first >> 5, (first & 31) == 31, first & 31};
    if (item.argument < 24 || item.is_indefinite) return item;
    if (item.argument > 27) die("no CBOR");
    int bytes = 1 << (item.argument - 24);
    if (end - *at < bytes) die("CBOR that ends early");
    for (item.argument = 0; bytes-- > 0;) item.argument = item.argument << 8 | *(*at)++;
    return item;
}

enum { UNSIGNED, NEGATIVE, BYTES, TEXT, LIST, MAP, TAG, SIMPLE };

static void skip(const unsigned char **at, const unsigned char *end);

// Whether a container has another element; counts those of definite length down.
static int has_more(struct item *container, const unsigned char **at, const unsigned char *end) {
    if (!container->is_indefinite) return container->argument-- > 0;
    if (*at >= end) die("CBOR that ends early");
    if (**at != 0xff) return 1;
    (*at)++;
    return 0;
}

static void skip_item(struct item item, const unsigned char **at, const unsigned char *end) {
    if (item.major == BYTES || item.major == TEXT) {
        if (item.is_indefinite || (size_t)(end - *at) < item.argument) die("CBOR: a string in pieces, or cut short");
        *at += item.argument;
    } else if (item.major == LIST || item.major == MAP) {
        while (has_more(&item, at, end)) {
            skip(at, end);
            if (item.major == MAP) skip(at, end);
        }
    } else if (item.major == TAG) {
        skip(at, end);
    }
}

static void skip(const unsigned char **at, const unsigned char *end) { skip_item(take_item(at, end), at, end); }

// The next item, a text; whether it is `name`.
static int is_name(const unsigned char **at, const unsigned char *end, const char *name) {
    struct item item = take_item(at, end);
    const unsigned char *text = *at;
    if (item.major != TEXT) die("CBOR: a name that is no text");
    skip_item(item, at, end);
    return item.argument == strlen(name) && memcmp(text, name, item.argument) == 0;
}

// Reads an answer: counts its records, takes the iterator. Returns whether the end of the shard was reached.
static int read_cbor(const unsigned char *at, const unsigned char *end, const char *iterator, char *out) {
    struct item top = take_item(&at, end);
    int at_tip = 0, has_token = 0;
    if (top.major != MAP) die("CBOR: no map");
    while (has_more(&top, &at, end)) {
        const unsigned char *name = at;
        if (is_name(&at, end, "Records")) {
            struct item list = take_item(&at, end);
            while (has_more(&list, &at, end)) {
                struct item record = take_item(&at, end);
                records++;
                while (has_more(&record, &at, end)) {
                    int is_data = is_name(&at, end, "Data");
                    struct item value = take_item(&at, end);
                    if (is_data) data_bytes += (double)value.argument;
                    skip_item(value, &at, end);
                }
            }
        } else if (at = name, is_name(&at, end, iterator)) {
            struct item text = take_item(&at, end);
            if (text.major != TEXT || text.argument >= TOKEN) die("CBOR: a strange iterator");
            memcpy(out, at, text.argument);
            out[text.argument] = 0;
            has_token = 1;
            skip_item(text, &at, end);
        } else if (at = name, is_name(&at, end, "MillisBehindLatest")) {
            struct item number = take_item(&at, end);
            at_tip = number.major == UNSIGNED && number.argument == 0;
        } else {
            skip(&at, end);
        }
    }
    if (!has_token) die("an answer without an iterator");
    return at_tip;
}

static size_t put_text(unsigned char *at, const char *text) {
    size_t count = strlen(text), head = count < 24 ? 1 : count < 256 ? 2 : 3;
    at[0] = (unsigned char)(head == 1 ? 0x60 + count : head == 2 ? 0x78 : 0x79);
    if (head == 2) at[1] = (unsigned char)count;
    if (head == 3) at[1] = (unsigned char)(count >> 8), at[2] = (unsigned char)count;
    memcpy(at + head, text, count);
    return head + count;
}

// ---- GetRecords

static void start_json(const char *shard, char *token) {
    char body[512];
    size_t count, length = (size_t)snprintf(
        body, sizeof body, "{\"StreamName\":\"%s\",\"ShardId\":\"%s\",\"ShardIteratorType\":\"TRIM_HORIZON\"}",
        options.stream, shard);
    char *json = call("GetShardIterator", body, length, &count);
    take_text(json, json + count, "ShardIterator", token);
}

static int page_json(char *token) {
    char body[TOKEN + 64];
    size_t count, length = (size_t)snprintf(body, sizeof body, "{\"ShardIterator\":\"%s\",\"Limit\":%d}", token, options.limit);
    char *json = call("GetRecords", body, length, &count);
    const char *rest = count_json(json, json + count);
    take_text(rest, json + count, "NextShardIterator", token);
    return is_at_tip(rest, json + count);
}

static void start_cbor(const char *shard, char *token) {
    unsigned char body[512] = {0xa3};
    size_t at = 1, count;
    const char *texts[] = {"StreamName", options.stream, "ShardId", shard, "ShardIteratorType", "TRIM_HORIZON"};
    for (int i = 0; i < 6; i++) at += put_text(body + at, texts[i]);
    const unsigned char *answer = (const unsigned char *)call("GetShardIterator", (char *)body, at, &count);
    read_cbor(answer, answer + count, "ShardIterator", token);
}

static int page_cbor(char *token) {
    unsigned char body[TOKEN + 64] = {0xa2};
    size_t at = 1, count;
    at += put_text(body + at, "ShardIterator");
    at += put_text(body + at, token);
    at += put_text(body + at, "Limit");
    body[at++] = 0x19, body[at++] = (unsigned char)(options.limit >> 8), body[at++] = (unsigned char)options.limit;
    const unsigned char *answer = (const unsigned char *)call("GetRecords", (char *)body, at, &count);
    return read_cbor(answer, answer + count, "NextShardIterator", token);
}

static void get_records(const char *shard) {
    char token[TOKEN];
    if (options.is_cbor) start_cbor(shard, token);
    else start_json(shard, token);
    for (;;) {
        double asked = now();
        int is_over = options.is_cbor ? page_cbor(token) : page_json(token);
        note(now() - asked);
        if (is_over || data_bytes >= options.bytes) return;
    }
}

// ---- SubscribeToShard

static size_t big_endian(const char *bytes) {
    const unsigned char *b = (const unsigned char *)bytes;
    return (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
}

// Takes the whole messages of an event stream off; returns how many bytes they were. Sets `is_over` at the shard's tip.
static size_t take_messages(const char *bytes, size_t count, int *is_over) {
    size_t at = 0;
    while (count - at >= 16 && count - at >= big_endian(bytes + at)) {
        const char *message = bytes + at;
        size_t length = big_endian(message), headers = big_endian(message + 4);
        const char *json = message + 12 + headers, *end = message + length - 4;
        if (memmem(message, 12 + headers, "exception", 9) != NULL) die(json);
        const char *rest = count_json(json, end);
        if (is_at_tip(rest, end)) *is_over = 1;
        answers++;
        at += length;
    }
    return at;
}

static void subscribe(const char *shard) {
    static char *stream;
    if (stream == NULL && (stream = malloc(ROOM)) == NULL) fail("memory");
    char head[2048], body[1024];
    size_t count = 0, length = (size_t)snprintf(
        body, sizeof body, "{\"ConsumerARN\":\"%s\",\"ShardId\":\"%s\",\"StartingPosition\":{\"Type\":\"TRIM_HORIZON\"}}",
        options.consumer, shard);
    input.from = input.to = 0;
    send_call("SubscribeToShard", body, length);
    read_head(head, sizeof head);
    for (int is_over = 0; !is_over && data_bytes < options.bytes;) {
        // A chunk: its length in hexadecimal, its bytes, and a line end each.
        char *end;
        while (input.from == input.to || (end = strstr(input.bytes + input.from, "\r\n")) == NULL) fill();
        size_t chunk = strtoul(input.bytes + input.from, NULL, 16);
        if (chunk == 0) die("the subscription ended");
        input.from = (size_t)(end + 2 - input.bytes);
        while (input.to - input.from < chunk + 2) fill();
        if (count + chunk > ROOM) die("a message of more than 64 MiB");
        memcpy(stream + count, input.bytes + input.from, chunk);
        input.from += chunk + 2;
        if (input.from == input.to) input.from = input.to = 0;
        count += chunk;
        size_t taken = take_messages(stream, count, &is_over);
        memmove(stream, stream + taken, count - taken);
        count -= taken;
    }
    // The collector learns of it: a consumer has one subscription of a shard.
    close(input.fd);
    input.fd = open_socket(0);
}

int main(int argc, char **argv) {
    target.program = "read";
    static const struct option known[] = {
        {"port", 1, NULL, 'p'}, {"stream", 1, NULL, 's'}, {"consumer", 1, NULL, 'a'},
        {"wire", 1, NULL, 'w'}, {"shards", 1, NULL, 'n'}, {"limit", 1, NULL, 'l'},
        {"bytes", 1, NULL, 'b'}, {NULL, 0, NULL, 0},
    };
    int is_known = 1;
    for (int name; (name = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (name == 'p') target.port = atoi(optarg);
        else if (name == 's') options.stream = optarg;
        else if (name == 'a') options.consumer = optarg;
        else if (name == 'w') options.is_cbor = strcmp(optarg, "cbor") == 0;
        else if (name == 'n') options.shards = atoi(optarg);
        else if (name == 'l') options.limit = atoi(optarg);
        else if (name == 'b') options.bytes = atof(optarg);
        else is_known = 0;
    }
    const char *command = optind < argc ? argv[optind] : "";
    int is_subscribe = strcmp(command, "subscribe") == 0;
    if (!is_known || !read_credentials() || (!is_subscribe && strcmp(command, "records") != 0)) {
        fprintf(stderr, "read: records or subscribe, with --port and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY\n");
        return 64;
    }
    if (options.is_cbor && !is_subscribe) target.media = "application/x-amz-cbor-1.1";
    if ((input.bytes = malloc(ROOM)) == NULL) fail("memory");
    input.fd = open_socket(0);
    double start = now();
    for (int i = 0; i < options.shards && data_bytes < options.bytes; i++) {
        char shard[64];
        snprintf(shard, sizeof shard, "shardId-%012d", i);
        if (is_subscribe) subscribe(shard);
        else get_records(shard);
    }
    double seconds = now() - start;
    sort_latencies();
    printf("mb_per_s=%.1f records_per_s=%.0f data_mb=%.1f wire_mb=%.1f records=%ld answers=%ld seconds=%.2f",
           data_bytes / seconds / 1e6, (double)records / seconds, data_bytes / 1e6, wire_bytes / 1e6, records, answers,
           seconds);
    if (!is_subscribe) printf(" p50_ms=%.2f p99_ms=%.2f", percentile(0.5), percentile(0.99));
    printf("\n");
    return 0;
}

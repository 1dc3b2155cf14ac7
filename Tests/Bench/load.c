// A closed loop of signed PutRecords or PutRecord calls: each connection keeps one outstanding. The bodies are made and
// signed beforehand and sent in turn; a signature older than 4 minutes is made anew.
//
//     load --port N [--stream S] [--wire json|cbor] [--connections 4] [--records 500 | --single] [--size 1024]
//          [--seconds 8] [--bytes N] [--zeros] [--spare I/N]
//
// --single: PutRecord. --bytes: ends after so many bytes of data. --zeros: the data is zeros and not random. --spare: no
// partition key is of shard I of a stream of N equal shards.
//
// CBOR is written as AWS's SDK for Java does: maps and lists of indefinite length.
//
// Credentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY. Prints one line of name=value pairs. Ends with 1 when any call
// failed: its status is not 200, or the answer of PutRecords does not say that 0 records failed.
#include "loop.h"

#include <getopt.h>
#include <openssl/rand.h>
#include <strings.h>

enum { SIGNATURE_AGE = 240, MOST_BODIES = 512 };

struct body {
    char *bytes;
    size_t count;
    char hash[65];
    char head[MOST_HEAD];
    size_t head_count;
    time_t signed_at;
};

static struct {
    int records, size, is_single, is_cbor, is_zeros, spare, spare_of;
    double bytes;
    const char *stream;
} options = {.records = 500, .size = 1024, .stream = "bench"};

static struct body bodies[MOST_BODIES];
static int body_count, turn;

static void sign(struct body *body) {
    body->signed_at = time(NULL);
    body->head_count = sign_head(body->head, sizeof body->head, options.is_single ? "PutRecord" : "PutRecords",
                                 body->hash, body->count, body->signed_at);
}

// ---- bodies

static void make_key(char *key) {
    for (;;) {
        unsigned int number;
        unsigned char hash[16];
        if (RAND_bytes((unsigned char *)&number, sizeof number) != 1) fail("random");
        sprintf(key, "key-%u", number);
        if (options.spare_of == 0) return;
        if (EVP_Digest(key, strlen(key), hash, NULL, EVP_md5(), NULL) != 1) fail("MD5");
        unsigned long top = (unsigned long)hash[0] << 24 | hash[1] << 16 | hash[2] << 8 | hash[3];
        if ((int)(top * (unsigned long)options.spare_of >> 32) != options.spare) return;
    }
}

static void make_data(unsigned char *data) {
    if (options.is_zeros) memset(data, 0, (size_t)options.size);
    else if (RAND_bytes(data, options.size) != 1) fail("random");
}

static char *put_json_record(char *at, const unsigned char *data, const char *key) {
    at += sprintf(at, "\"Data\":\"");
    at += EVP_EncodeBlock((unsigned char *)at, data, options.size);
    return at + sprintf(at, "\",\"PartitionKey\":\"%s\"", key);
}

// The head of a CBOR item of a major type.
static char *put_head(char *at, int major, size_t count) {
    int bytes = count < 24 ? 0 : count < 256 ? 1 : count < 65536 ? 2 : 4;
    *at++ = (char)(major << 5 | (bytes == 0 ? (int)count : bytes == 1 ? 24 : bytes == 2 ? 25 : 26));
    while (bytes-- > 0) *at++ = (char)(count >> 8 * bytes);
    return at;
}

static char *put_text(char *at, const char *text) {
    at = put_head(at, 3, strlen(text));
    return stpcpy(at, text);
}

static char *put_cbor_record(char *at, const unsigned char *data, const char *key) {
    at = put_head(put_text(at, "Data"), 2, (size_t)options.size);
    at = (char *)memcpy(at, data, (size_t)options.size) + options.size;
    return put_text(put_text(at, "PartitionKey"), key);
}

static char *put_members(char *at, unsigned char *data, char *(*put_record)(char *, const unsigned char *, const char *)) {
    char key[32];
    make_key(key);
    make_data(data);
    return put_record(at, data, key);
}

static void make(struct body *body) {
    static const char map = '\xbf', list = '\x9f', end = '\xff';
    body->bytes = malloc(128 + strlen(options.stream) + (size_t)options.records * ((size_t)options.size * 4 / 3 + 96));
    unsigned char *data = malloc((size_t)options.size);
    if (body->bytes == NULL || data == NULL) fail("memory");
    char *at = body->bytes;
    if (options.is_cbor) {
        *at++ = map;
        if (!options.is_single) *(at = put_text(at, "Records")) = list, at++;
        for (int i = 0; i < options.records; i++) {
            if (!options.is_single) *at++ = map;
            at = put_members(at, data, put_cbor_record);
            if (!options.is_single) *at++ = end;
        }
        if (!options.is_single) *at++ = end;
        at = put_text(put_text(at, "StreamName"), options.stream);
        *at++ = end;
    } else {
        at += sprintf(at, "{\"StreamName\":\"%s\",%s", options.stream, options.is_single ? "" : "\"Records\":[");
        for (int i = 0; i < options.records; i++) {
            if (!options.is_single) at += sprintf(at, i > 0 ? ",{" : "{");
            at = put_members(at, data, put_json_record);
            if (!options.is_single) *at++ = '}';
        }
        at += sprintf(at, options.is_single ? "}" : "]}");
    }
    free(data);
    body->count = (size_t)(at - body->bytes);
    sha256_hex(body->bytes, body->count, body->hash);
    sign(body);
}

// ---- the loop

static int open_connection(struct connection *c) {
    (void)c;
    return open_socket(SOCK_NONBLOCK);
}

static void prepare(struct connection *c) {
    struct body *body = &bodies[turn++ % body_count];
    if (time(NULL) - body->signed_at > SIGNATURE_AGE) sign(body);
    memcpy(c->head, body->head, body->head_count);
    c->head_count = body->head_count;
    c->body = body->bytes;
    c->body_count = body->count;
}

static int is_answered(struct connection *c) {
    char *end = strstr(c->answer, "\r\n\r\n");
    if (end == NULL) return 0;
    *end = 0;  // so that only the head is searched
    char *field = strcasestr(c->answer, "content-length:");
    if (field == NULL) die("an answer without Content-Length");
    size_t whole = (size_t)(end + 4 - c->answer) + strtoul(field + 15, NULL, 10);
    c->is_closed = strcasestr(c->answer, "connection: close") != NULL;
    *end = '\r';
    if (c->answered < whole) return 0;
    static const char json[] = "\"FailedRecordCount\":0", moto[] = "\"FailedRecordCount\": 0", cbor[] = "FailedRecordCount";
    size_t rest = (size_t)(c->answer + whole - end);
    int is_stored = options.is_single ||
        (options.is_cbor ? memmem(end, rest, cbor, sizeof cbor) != NULL  // the 0 behind the name is the number
                         : memmem(end, rest, json, sizeof json - 1) != NULL || memmem(end, rest, moto, sizeof moto - 1) != NULL);
    if (strncmp(c->answer, "HTTP/1.1 200", 12) != 0 || !is_stored) {
        if (errors++ == 0) fprintf(stderr, "load: first refusal: %.600s\n", c->answer);
    }
    return 1;
}

static void read_options(int argc, char **argv) {
    static const struct option known[] = {
        {"port", 1, NULL, 'p'},    {"stream", 1, NULL, 's'}, {"connections", 1, NULL, 'c'}, {"records", 1, NULL, 'r'},
        {"size", 1, NULL, 'b'},    {"seconds", 1, NULL, 't'}, {"wire", 1, NULL, 'w'},       {"single", 0, NULL, '1'},
        {"bytes", 1, NULL, 'n'},   {"zeros", 0, NULL, '0'},  {"spare", 1, NULL, 'x'},       {NULL, 0, NULL, 0},
    };
    int is_known = 1;
    for (int name; (name = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (name == 'p') target.port = atoi(optarg);
        else if (name == 's') options.stream = optarg;
        else if (name == 'c') loop.connections = atoi(optarg);
        else if (name == 'r') options.records = atoi(optarg);
        else if (name == 'b') options.size = atoi(optarg);
        else if (name == 't') loop.seconds = atof(optarg);
        else if (name == 'w' && strcmp(optarg, "cbor") == 0) options.is_cbor = 1;
        else if (name == 'w' && strcmp(optarg, "json") == 0) options.is_cbor = 0;
        else if (name == '1') options.is_single = options.records = 1;
        else if (name == 'n') options.bytes = atof(optarg);
        else if (name == '0') options.is_zeros = 1;
        else if (name == 'x' && sscanf(optarg, "%d/%d", &options.spare, &options.spare_of) == 2) continue;
        else is_known = 0;
    }
    if (!is_known || !read_credentials() || loop.connections < 1 || loop.connections > MOST_CONNECTIONS ||
        options.records < 1 || (options.is_single && options.records > 1) || options.size < 1) {
        fprintf(stderr, "load: needs --port and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY; see the head of load.c\n");
        exit(64);
    }
}

int main(int argc, char **argv) {
    target.program = "load";
    read_options(argc, argv);
    if (options.is_cbor) target.media = "application/x-amz-cbor-1.1";
    double each = (double)options.records * options.size;
    body_count = each > 65536 ? 32 : MOST_BODIES;
    for (int i = 0; i < body_count; i++) make(&bodies[i]);
    if (options.bytes > 0) loop.most_calls = (long)((options.bytes + each - 1) / each);
    loop.open = open_connection;
    loop.prepare = prepare;
    loop.is_answered = is_answered;
    run_loop();
    return print_loop(options.records, options.size);
}

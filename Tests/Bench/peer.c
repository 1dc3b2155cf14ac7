// The load of load.c for servers that speak another protocol: each connection keeps one batch outstanding.
//
//     peer redis --port N [--connections 4] [--records 500] [--size 1024] [--seconds 8]
//         A batch is that many XADD, pipelined, to the stream `bench`; it is done when each was answered.
//     peer nats --port N ...
//         A batch is one message to a JetStream stream over files; it is done when JetStream has acknowledged it.
//
// Prints load.c's line. Ends with 1 when a batch was refused.
#include "loop.h"

#include <fcntl.h>
#include <getopt.h>
#include <openssl/rand.h>
#include <strings.h>

enum { BODIES = 32 };

static int records = 500, size = 1024, turn;
static struct {
    char *bytes;
    size_t count;
} bodies[BODIES];

static void take_body(struct connection *c) {
    c->body = bodies[turn % BODIES].bytes;
    c->body_count = bodies[turn % BODIES].count;
    turn++;
}

// Makes bodies of so many records, each written by `put` from data and key.
static void make_bodies(char *(*put)(char *at, const unsigned char *data, const char *key), const char *end) {
    unsigned char *data = malloc((size_t)size);
    if (data == NULL) fail("memory");
    for (int i = 0; i < BODIES; i++) {
        char *at = bodies[i].bytes = malloc((size_t)records * ((size_t)size + 128) + 16);
        if (at == NULL) fail("memory");
        for (int r = 0; r < records; r++) {
            unsigned int number;
            char key[32];
            if (RAND_bytes(data, size) != 1 || RAND_bytes((unsigned char *)&number, sizeof number) != 1) fail("random");
            sprintf(key, "key-%u", number);
            at = put(at, data, key);
        }
        at = stpcpy(at, end);
        bodies[i].count = (size_t)(at - bodies[i].bytes);
    }
    free(data);
}

static void send_text(int fd, const char *text) {
    size_t count = strlen(text);
    if (send(fd, text, count, MSG_NOSIGNAL) != (ssize_t)count) fail("send");
}

// ---- Redis

static char *put_xadd(char *at, const unsigned char *data, const char *key) {
    at += sprintf(at, "*7\r\n$4\r\nXADD\r\n$5\r\nbench\r\n$1\r\n*\r\n$1\r\nd\r\n$%d\r\n", size);
    at = (char *)memcpy(at, data, (size_t)size) + size;
    return at + sprintf(at, "\r\n$1\r\nk\r\n$%zu\r\n%s\r\n", strlen(key), key);
}

static int open_redis(struct connection *c) {
    (void)c;
    return open_socket(SOCK_NONBLOCK);
}

static void prepare_redis(struct connection *c) {
    c->head_count = 0;
    take_body(c);
}

// An XADD is answered with two lines, `$<count>` and the entry's id, or with one that begins with `-`.
static int is_answered_redis(struct connection *c) {
    int answers = 0;
    for (char *at = c->answer, *end; (end = strchr(at, '\n')) != NULL; at = end + 1, answers++) {
        if (*at == '-') die(at);
        if (*at != '$' || (end = strchr(end + 1, '\n')) == NULL) break;
    }
    return answers == records;
}

// ---- NATS

// Reads lines until one begins with `wanted`. The server pings only later than this takes.
static void expect(int fd, const char *wanted) {
    char line[8192];
    for (size_t count = 0;;) {
        if (count + 1 == sizeof line || recv(fd, line + count, 1, 0) != 1) fail(wanted);
        if (line[count++] != '\n') continue;
        line[count] = 0;
        if (strncmp(line, wanted, strlen(wanted)) == 0) return;
        if (line[0] == '-') die(line);
        count = 0;
    }
}

static int open_nats_blocking(void) {
    int fd = open_socket(0);
    expect(fd, "INFO");
    send_text(fd, "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}\r\n");
    return fd;
}

static int open_nats(struct connection *c) {
    char text[96];
    int fd = open_nats_blocking();
    sprintf(text, "SUB _INBOX.%d 1\r\nPING\r\n", c->index);
    send_text(fd, text);
    expect(fd, "PONG");
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
    return fd;
}

static void make_nats_stream(void) {
    static const char config[] =
        "{\"name\":\"bench\",\"subjects\":[\"bench\"],\"retention\":\"limits\",\"storage\":\"file\",\"num_replicas\":1}";
    char text[512];
    int fd = open_nats_blocking();
    sprintf(text, "SUB _INBOX.new 1\r\nPUB $JS.API.STREAM.CREATE.bench _INBOX.new %zu\r\n%s\r\n", strlen(config), config);
    send_text(fd, text);
    expect(fd, "MSG");
    expect(fd, "{\"type\":\"io.nats.jetstream.api.v1.stream_create_response\",\"config\"");
    close(fd);
}

static char *put_framed(char *at, const unsigned char *data, const char *key) {
    at += sprintf(at, "%d %s ", size, key);
    return (char *)memcpy(at, data, (size_t)size) + size;
}

static void prepare_nats(struct connection *c) {
    take_body(c);
    c->head_count = (size_t)sprintf(c->head, "PUB bench _INBOX.%d %zu\r\n", c->index, c->body_count - 2);
}

static int is_answered_nats(struct connection *c) {
    // A ping of the server's has nothing to do with the batch.
    if (strncmp(c->answer, "PING\r\n", 6) == 0) {
        send_text(c->fd, "PONG\r\n");
        c->answered -= 6;
        memmove(c->answer, c->answer + 6, c->answered + 1);
    }
    if (c->answer[0] == '-') die(c->answer);
    char *line = strstr(c->answer, "\r\n");
    if (line == NULL || strstr(line + 2, "\r\n") == NULL) return 0;
    if (strstr(line, "\"seq\":") == NULL && errors++ == 0) fprintf(stderr, "peer: first refusal: %.600s\n", c->answer);
    return 1;
}

int main(int argc, char **argv) {
    target.program = "peer";
    static const struct option known[] = {
        {"port", 1, NULL, 'p'}, {"connections", 1, NULL, 'c'}, {"records", 1, NULL, 'r'},
        {"size", 1, NULL, 'b'}, {"seconds", 1, NULL, 't'},     {NULL, 0, NULL, 0},
    };
    int is_known = 1;
    for (int name; (name = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (name == 'p') target.port = atoi(optarg);
        else if (name == 'c') loop.connections = atoi(optarg);
        else if (name == 'r') records = atoi(optarg);
        else if (name == 'b') size = atoi(optarg);
        else if (name == 't') loop.seconds = atof(optarg);
        else is_known = 0;
    }
    const char *kind = optind < argc ? argv[optind] : "";
    if (!is_known || target.port < 1 || loop.connections < 1 || loop.connections > MOST_CONNECTIONS || records < 1 || size < 1)
        kind = "";
    if (strcmp(kind, "redis") == 0) {
        make_bodies(put_xadd, "");
        loop.open = open_redis;
        loop.prepare = prepare_redis;
        loop.is_answered = is_answered_redis;
    } else if (strcmp(kind, "nats") == 0) {
        make_bodies(put_framed, "\r\n");
        make_nats_stream();
        loop.open = open_nats;
        loop.prepare = prepare_nats;
        loop.is_answered = is_answered_nats;
    } else {
        fprintf(stderr, "peer: redis or nats, with --port; see the head of peer.c\n");
        return 64;
    }
    run_loop();
    return print_loop(records, size);
}

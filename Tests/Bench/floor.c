// The floor that the collector is measured beside: an HTTP server that hashes each body with SHA-256, appends it to one
// file and calls fdatasync before it answers 200. One thread, no group commit, nothing understood. With `-` for the file it
// answers only, the null floor: what HTTP on loopback and the client leave.
//
//     floor FILE|- [PORT]      prints "ready http://127.0.0.1:PORT"; ends on TERM or INT
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 64, MOST_REQUEST = 16 << 20 };

struct connection {
    int fd;
    char *bytes;
    size_t count;
};

static volatile sig_atomic_t stopped;

static void stop(int number) {
    (void)number;
    stopped = 1;
}

static void fail(const char *what) {
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

// The length that the header block names; -1 when there is none.
static long content_length(const char *head, const char *end) {
    static const char name[] = "content-length:";
    for (const char *line = head; line < end;) {
        if ((size_t)(end - line) > sizeof name && strncasecmp(line, name, sizeof name - 1) == 0)
            return strtol(line + sizeof name - 1, NULL, 10);
        const char *next = memchr(line, '\n', (size_t)(end - line));
        if (next == NULL) break;
        line = next + 1;
    }
    return -1;
}

static void write_all(int fd, const char *bytes, size_t count, const char *what) {
    while (count > 0) {
        ssize_t n = write(fd, bytes, count);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail(what);
        bytes += n;
        count -= (size_t)n;
    }
}

static unsigned char last_hash[EVP_MAX_MD_SIZE];

static void store(int file, const char *body, size_t count) {
    if (file < 0) return;
    unsigned int length;
    if (EVP_Digest(body, count, last_hash, &length, EVP_sha256(), NULL) != 1) fail("SHA-256");
    write_all(file, body, count, "append");
    if (fdatasync(file) != 0) fail("fdatasync");
}

// Serves every whole request that the connection holds. Returns 0 when the connection is to be closed.
static int serve(struct connection *c, int file) {
    static const char json[] =
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: 23\r\n\r\n"
        "{\"FailedRecordCount\":0}";
    static const char cbor[] =
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-cbor-1.1\r\nContent-Length: 20\r\n\r\n"
        "\xa1qFailedRecordCount";  // a map, a text of 17 bytes, and C's own 0 as the number
    for (;;) {
        char *end = memmem(c->bytes, c->count, "\r\n\r\n", 4);
        if (end == NULL) return c->count < MOST_REQUEST;
        long length = content_length(c->bytes, end);
        size_t head = (size_t)(end + 4 - c->bytes);
        if (length < 0 || head + (size_t)length > MOST_REQUEST) return 0;
        if (c->count < head + (size_t)length) return 1;
        store(file, c->bytes + head, (size_t)length);
        int is_cbor = memmem(c->bytes, head, "x-amz-cbor", 10) != NULL;
        write_all(c->fd, is_cbor ? cbor : json, is_cbor ? sizeof cbor : sizeof json - 1, "answer");
        c->count -= head + (size_t)length;
        memmove(c->bytes, c->bytes + head + length, c->count);
    }
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0) fail("listen");
    socklen_t size = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("ready http://127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: floor FILE|- [PORT]\n");
        return 64;
    }
    int is_null = strcmp(argv[1], "-") == 0;
    int file = is_null ? -1 : open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0 && !is_null) fail(argv[1]);
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);

    static struct connection connections[MOST_CONNECTIONS];
    struct pollfd polled[MOST_CONNECTIONS + 1] = {{.fd = listen_on(argc > 2 ? atoi(argv[2]) : 0), .events = POLLIN}};
    nfds_t count = 0;
    while (!stopped) {
        if (poll(polled, count + 1, -1) < 0) {
            if (errno == EINTR) continue;
            fail("poll");
        }
        for (nfds_t i = 0; i < count; i++) {
            if (polled[i + 1].revents == 0) continue;
            struct connection *c = &connections[i];
            ssize_t n = read(c->fd, c->bytes + c->count, MOST_REQUEST - c->count);
            if (n > 0) c->count += (size_t)n;
            if (n <= 0 || !serve(c, file)) {
                close(c->fd);
                free(c->bytes);
                connections[i] = connections[count - 1];
                polled[i + 1] = polled[count];
                count--;
                i--;
            }
        }
        if (polled[0].revents != 0 && count < MOST_CONNECTIONS) {
            int fd = accept4(polled[0].fd, NULL, NULL, SOCK_CLOEXEC), one = 1;
            if (fd < 0) continue;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            connections[count] = (struct connection){.fd = fd, .bytes = malloc(MOST_REQUEST)};
            if (connections[count].bytes == NULL) fail("memory");
            polled[count + 1] = (struct pollfd){.fd = fd, .events = POLLIN};
            count++;
        }
    }
    return 0;
}

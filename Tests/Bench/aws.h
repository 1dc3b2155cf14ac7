// What the benchmarks' clients share: time, signed requests to a collector on loopback, and percentiles.
#ifndef BENCH_AWS_H
#define BENCH_AWS_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

// Whom requests are signed for. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are read by `read_credentials`.
static struct {
    int port;
    const char *program, *region, *key, *secret, *media;
} target = {0, "bench", "us-east-1", NULL, NULL, "application/x-amz-json-1.1"};

static inline void fail(const char *what) {
    fprintf(stderr, "%s: %s: %s\n", target.program, what, strerror(errno));
    exit(1);
}

static inline double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void die(const char *what) {
    fprintf(stderr, "%s: %.600s\n", target.program, what);
    exit(1);
}

static inline int read_credentials(void) {
    target.key = getenv("AWS_ACCESS_KEY_ID");
    target.secret = getenv("AWS_SECRET_ACCESS_KEY");
    return target.port > 0 && target.key != NULL && target.secret != NULL;
}

static inline void hex(const unsigned char *bytes, size_t count, char *out) {
    for (size_t i = 0; i < count; i++) sprintf(out + 2 * i, "%02x", bytes[i]);
}

static inline void sha256_hex(const char *bytes, size_t count, char *out) {
    unsigned char digest[32];
    if (EVP_Digest(bytes, count, digest, NULL, EVP_sha256(), NULL) != 1) fail("SHA-256");
    hex(digest, 32, out);
}

static inline void hmac(const void *key, size_t key_count, const char *text, unsigned char out[32]) {
    unsigned int length = 32;
    if (HMAC(EVP_sha256(), key, (int)key_count, (const unsigned char *)text, strlen(text), out, &length) == NULL)
        fail("HMAC");
}

// Writes the head of a signed call of a Kinesis operation; returns its length. `hash` is the body's, in hexadecimal.
static inline size_t sign_head(char *head, size_t room, const char *operation, const char *hash, size_t count, time_t at) {
    char date[17], day[9], scope[128], host[32], canonical[1024], digest[65], text[512], secret[256], signature[65];
    struct tm utc;
    gmtime_r(&at, &utc);
    strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &utc);
    snprintf(day, sizeof day, "%.8s", date);
    snprintf(scope, sizeof scope, "%s/%s/kinesis/aws4_request", day, target.region);
    snprintf(host, sizeof host, "127.0.0.1:%d", target.port);
    snprintf(canonical, sizeof canonical,
             "POST\n/\n\ncontent-type:%s\nhost:%s\nx-amz-date:%s\n"
             "x-amz-target:Kinesis_20131202.%s\n\ncontent-type;host;x-amz-date;x-amz-target\n%s",
             target.media, host, date, operation, hash);
    sha256_hex(canonical, strlen(canonical), digest);
    snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, digest);
    unsigned char key[32];
    snprintf(secret, sizeof secret, "AWS4%s", target.secret);
    hmac(secret, strlen(secret), day, key);
    hmac(key, 32, target.region, key);
    hmac(key, 32, "kinesis", key);
    hmac(key, 32, "aws4_request", key);
    hmac(key, 32, text, key);
    hex(key, 32, signature);
    return (size_t)snprintf(
        head, room,
        "POST / HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nX-Amz-Date: %s\r\n"
        "X-Amz-Target: Kinesis_20131202.%s\r\nAuthorization: AWS4-HMAC-SHA256 Credential=%s/%s, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=%s\r\nContent-Length: %zu\r\n\r\n",
        host, target.media, date, operation, target.key, scope, signature, count);
}

// A connection that is being opened. `flags` such as SOCK_NONBLOCK.
static inline int open_socket(int flags) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)target.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) fail("connect");
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

// Latencies, in seconds.
static double *latencies;
static size_t latency_count, latency_room;

static inline void note(double latency) {
    if (latency_count == latency_room) {
        latency_room = latency_room == 0 ? 4096 : 2 * latency_room;
        latencies = realloc(latencies, latency_room * sizeof *latencies);
        if (latencies == NULL) fail("memory");
    }
    latencies[latency_count++] = latency;
}

static inline int compare_latencies(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static inline void sort_latencies(void) { qsort(latencies, latency_count, sizeof *latencies, compare_latencies); }

// In milliseconds, of sorted latencies.
static inline double percentile(double part) {
    return latency_count == 0 ? 0 : latencies[(size_t)((double)(latency_count - 1) * part)] * 1e3;
}

#endif

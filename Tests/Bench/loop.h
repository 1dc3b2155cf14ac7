// A closed loop of calls over few connections in one thread: each keeps one call outstanding. What is sent is made before;
// here it is only copied into sockets.
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include "aws.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 64, MOST_ANSWER = 1 << 20, MOST_HEAD = 1280 };

struct connection {
    int index, fd;
    // The call: a head of its own, and a body that others may send too.
    char head[MOST_HEAD];
    size_t head_count;
    const char *body;
    size_t body_count;
    size_t sent;
    double sent_at;
    // What came back, with a 0 behind it.
    char *answer;
    size_t answered;
    int is_full;    // whether the socket takes no more, and is waited for
    int is_closed;  // set by `is_answered` when the server closes the connection behind the answer
};

static struct {
    int connections;
    double seconds;
    long most_calls;  // 0: no limit
    int (*open)(struct connection *);          // returns a non-blocking socket
    void (*prepare)(struct connection *);      // sets head and body
    int (*is_answered)(struct connection *);   // whether the whole answer is there; counts errors
} loop = {.connections = 4, .seconds = 8};

static long calls, errors;
static double loop_seconds, loop_cpu;

static inline void watch(int events, struct connection *c, int operation) {
    struct epoll_event event = {.events = EPOLLIN | (c->is_full ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(events, operation, c->fd, &event) != 0) fail("epoll_ctl");
}

static inline void send_more(int events, struct connection *c) {
    size_t whole = c->head_count + c->body_count;
    int was_full = c->is_full;
    c->is_full = 0;
    while (c->sent < whole && !c->is_full) {
        size_t in_head = c->sent < c->head_count ? c->head_count - c->sent : 0;
        size_t in_body = c->sent > c->head_count ? c->sent - c->head_count : 0;
        struct iovec parts[] = {{c->head + c->sent, in_head}, {(char *)c->body + in_body, c->body_count - in_body}};
        struct msghdr message = {.msg_iov = in_head > 0 ? parts : parts + 1, .msg_iovlen = in_head > 0 ? 2 : 1};
        ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) c->is_full = 1;
        else if (n < 0) fail("send");
        else c->sent += (size_t)n;
    }
    if (was_full != c->is_full) watch(events, c, EPOLL_CTL_MOD);
}

static inline void begin_call(int events, struct connection *c) {
    loop.prepare(c);
    c->sent = c->answered = 0;
    c->sent_at = now();
    send_more(events, c);
}

// Reads what there is. Returns whether the answer is whole.
static inline int receive(struct connection *c) {
    ssize_t n = recv(c->fd, c->answer + c->answered, MOST_ANSWER - 1 - c->answered, 0);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n < 0) fail("receive");
    if (n == 0) die("the server closed the connection");
    c->answered += (size_t)n;
    c->answer[c->answered] = 0;
    if (c->answered == MOST_ANSWER - 1) die("an answer of 1 MiB");
    return loop.is_answered(c);
}

static inline void connect_to(int events, struct connection *c) {
    c->is_full = c->is_closed = 0;
    c->fd = loop.open(c);
    watch(events, c, EPOLL_CTL_ADD);
}

static inline double cpu_seconds(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) fail("getrusage");
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
        (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static inline void run_loop(void) {
    static struct connection connections[MOST_CONNECTIONS];
    int events = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < loop.connections; i++) {
        connections[i].index = i;
        if ((connections[i].answer = malloc(MOST_ANSWER)) == NULL) fail("memory");
        connect_to(events, &connections[i]);
    }
    double start = now(), end = start, cpu = cpu_seconds();
    long begun = loop.connections;
    for (int i = 0; i < loop.connections; i++) begin_call(events, &connections[i]);
    for (int busy = loop.connections; busy > 0;) {
        struct epoll_event ready[MOST_CONNECTIONS];
        int count = epoll_wait(events, ready, MOST_CONNECTIONS, 30000);
        if (count == 0) die("no answer for 30 s");
        for (int i = 0; i < count; i++) {
            struct connection *c = ready[i].data.ptr;
            if (ready[i].events & EPOLLOUT) send_more(events, c);
            if (!(ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || !receive(c)) continue;
            end = now();
            note(end - c->sent_at);
            calls++;
            int is_over = end - start >= loop.seconds || (loop.most_calls > 0 && begun >= loop.most_calls);
            if (is_over || c->is_closed) close(c->fd);
            if (is_over) {
                busy--;
                continue;
            }
            if (c->is_closed) connect_to(events, c);
            begun++;
            begin_call(events, c);
        }
    }
    loop_seconds = end - start;
    loop_cpu = cpu_seconds() - cpu;
}

// One line of name=value pairs, of calls with so many records of so many bytes. Returns the program's exit status.
static inline int print_loop(int records, int size) {
    sort_latencies();
    double stored = (double)(calls - errors) * records;
    printf("records_per_s=%.0f mb_per_s=%.1f p50_ms=%.2f p99_ms=%.2f calls=%ld errors=%ld seconds=%.2f "
           "client_cpu_s=%.2f\n",
           stored / loop_seconds, stored * size / loop_seconds / 1e6, percentile(0.5), percentile(0.99), calls, errors,
           loop_seconds, loop_cpu);
    return errors == 0 ? 0 : 1;
}

#endif

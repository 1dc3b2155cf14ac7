// What it costs to make one commit group durable that touches many files, on the disk that DIR is on.
//
//     sync DIR FILES BYTES-PER-FILE SECONDS file|parallel|syncfs|journal|journal-only
//
// file: each file is appended to, then fdatasync one after the other. parallel: by 16 threads. syncfs: one syncfs for all.
// journal: the group is appended to one preallocated journal and synced, then to the files; when 128 MiB are in the journal
// the files are synced with one syncfs, on a thread of its own, and the journal starts over in its other half.
// journal-only: the journal without the files, its bound.
// Prints groups and bytes a second, and the time of a group.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { threads = 16, journal_bytes = 128 << 20 };

static int *files, file_count, dir_fd;
static size_t bytes_each;
static off_t *ends;
static char *payload;
static atomic_int turn;
static pthread_barrier_t begin, end;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void append_all(void) {
    for (int at = 0; at < file_count; at++) {
        if (pwrite(files[at], payload, bytes_each, ends[at]) != (ssize_t)bytes_each) die("pwrite");
        ends[at] += bytes_each;
    }
}

static void *sync_some(void *unused) {
    (void)unused;
    for (;;) {
        pthread_barrier_wait(&begin);
        for (int at; (at = atomic_fetch_add(&turn, 1)) < file_count;)
            if (fdatasync(files[at]) != 0) die("fdatasync");
        pthread_barrier_wait(&end);
    }
    return NULL;
}

static atomic_int is_syncing;

static void *sync_folder(void *unused) {
    (void)unused;
    if (syncfs(dir_fd) != 0) die("syncfs");
    atomic_store(&is_syncing, 0);
    return NULL;
}

static int compare(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return a < b ? -1 : a > b;
}

int main(int count, char **arguments) {
    if (count != 6) {
        fprintf(stderr, "sync DIR FILES BYTES-PER-FILE SECONDS file|parallel|syncfs|journal|journal-only\n");
        return 64;
    }
    const char *folder = arguments[1], *way = arguments[5];
    file_count = atoi(arguments[2]);
    bytes_each = strtoul(arguments[3], NULL, 10);
    double seconds = atof(arguments[4]);
    size_t total = bytes_each * file_count;
    mkdir(folder, 0700);
    dir_fd = open(folder, O_RDONLY | O_DIRECTORY);
    if (dir_fd < 0) die(folder);
    files = calloc(file_count, sizeof *files);
    ends = calloc(file_count, sizeof *ends);
    payload = malloc(total > bytes_each ? total : bytes_each);
    for (size_t at = 0; at < total; at++) payload[at] = (char)rand();
    char path[4096];
    for (int at = 0; at < file_count; at++) {
        snprintf(path, sizeof path, "%s/%d", folder, at);
        if ((files[at] = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600)) < 0) die(path);
        if (pwrite(files[at], payload, 64, 0) != 64) die("pwrite");
        ends[at] = 64;
    }
    int journal = -1, is_journal = strncmp(way, "journal", 7) == 0;
    if (is_journal) {
        snprintf(path, sizeof path, "%s/journal", folder);
        if ((journal = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600)) < 0) die(path);
        char *zeros = calloc(1, 1 << 20);
        for (off_t at = 0; at < 2 * journal_bytes; at += 1 << 20)
            if (pwrite(journal, zeros, 1 << 20, at) != 1 << 20) die("pwrite");
        free(zeros);
    }
    if (syncfs(dir_fd) != 0) die("syncfs");
    if (strcmp(way, "parallel") == 0) {
        pthread_barrier_init(&begin, NULL, threads + 1);
        pthread_barrier_init(&end, NULL, threads + 1);
        for (int at = 0; at < threads; at++) {
            pthread_t thread;
            pthread_create(&thread, NULL, sync_some, NULL);
        }
    }

    size_t groups = 0, room = 1 << 20;
    double *times = malloc(room * sizeof *times);
    off_t journal_end = 0;
    double start = now(), last = start;
    while (last - start < seconds && groups < room) {
        if (is_journal) {
            if (journal_end % journal_bytes + (off_t)total > journal_bytes) {
                // Into the other half, as soon as what stood there is in synced files.
                while (atomic_load(&is_syncing)) usleep(100);
                if (strcmp(way, "journal") == 0) {
                    pthread_t thread;
                    atomic_store(&is_syncing, 1);
                    pthread_create(&thread, NULL, sync_folder, NULL);
                    pthread_detach(thread);
                }
                journal_end = journal_end < journal_bytes ? journal_bytes : 0;
            }
            if (pwrite(journal, payload, total, journal_end) != (ssize_t)total) die("pwrite");
            if (fdatasync(journal) != 0) die("fdatasync");
            journal_end += total;
            if (strcmp(way, "journal") == 0) append_all();
        } else {
            append_all();
            if (strcmp(way, "file") == 0) {
                for (int at = 0; at < file_count; at++)
                    if (fdatasync(files[at]) != 0) die("fdatasync");
            } else if (strcmp(way, "parallel") == 0) {
                atomic_store(&turn, 0);
                pthread_barrier_wait(&begin);
                pthread_barrier_wait(&end);
            } else if (syncfs(dir_fd) != 0) {
                die("syncfs");
            }
        }
        double at = now();
        times[groups++] = at - last;
        last = at;
    }
    qsort(times, groups, sizeof *times, compare);
    printf("%-12s files=%d bytes_each=%zu groups_per_s=%.1f mb_per_s=%.1f p50_ms=%.2f p99_ms=%.2f\n", way, file_count,
           bytes_each, groups / (last - start), groups * (double)total / (last - start) / 1e6, times[groups / 2] * 1e3,
           times[groups * 99 / 100] * 1e3);
    return 0;
}

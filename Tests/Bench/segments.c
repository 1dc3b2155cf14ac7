// Makes a shard's history out of one sealed segment: COUNT copies of it, each at its own base, the first at 0. The log's
// format is Sources/EmbeddedLog/Segment.swift's, version 1; another one is refused. Holes stay holes.
//
//     segments copy SEGMENT FOLDER COUNT
//     segments start FOLDER BASE         an empty segment at a base, as a shard has it whose next frame stands there
//
// Prints the bytes of the history: the base of what follows it.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER = 64, PAGE = 4096 };

static void die(const char *what) {
    fprintf(stderr, "segments: %s: %s\n", what, strerror(errno));
    exit(1);
}

// u32 'MRSG' | u8 version | zeros to 8 | u64 base, little-endian | zeros to 64
static void write_header(char *header, uint64_t base) {
    memset(header, 0, HEADER);
    memcpy(header, "MRSG\1", 5);
    for (int i = 0; i < 8; i++) header[8 + i] = (char)(base >> 8 * i);
}

static int make(const char *folder, uint64_t base) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%016llx.log", folder, (unsigned long long)base);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) die(path);
    return file;
}

static void put(int file, const char *bytes, size_t count, uint64_t at) {
    if (pwrite(file, bytes, count, (off_t)at) != (ssize_t)count) die("write");
}

static void copy(const char *bytes, uint64_t size, const char *folder, uint64_t base) {
    static const char zeros[PAGE];
    char header[HEADER];
    int file = make(folder, base);
    if (ftruncate(file, (off_t)size) != 0) die("truncate");
    for (uint64_t at = 0; at < size;) {
        // A run of pages that are not zero.
        uint64_t end = at;
        while (end < size && memcmp(bytes + end, zeros, size - end < PAGE ? size - end : PAGE) != 0) end += PAGE;
        if (end > size) end = size;
        if (end > at) put(file, bytes + at, end - at, at);
        at = end > at ? end : at + PAGE;
    }
    write_header(header, base);
    put(file, header, HEADER, 0);
    close(file);
}

int main(int count, char **arguments) {
    if (count == 4 && strcmp(arguments[1], "start") == 0) {
        char header[HEADER];
        uint64_t base = strtoull(arguments[3], NULL, 10);
        write_header(header, base);
        int file = make(arguments[2], base);
        put(file, header, HEADER, 0);
        close(file);
        return 0;
    }
    if (count != 5 || strcmp(arguments[1], "copy") != 0) {
        fprintf(stderr, "segments: copy SEGMENT FOLDER COUNT, or start FOLDER BASE\n");
        return 64;
    }
    struct stat about;
    int file = open(arguments[2], O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &about) != 0) die(arguments[2]);
    uint64_t size = (uint64_t)about.st_size;
    char *bytes = malloc(size), header[HEADER];
    if (bytes == NULL || pread(file, bytes, size, 0) != (ssize_t)size) die("read");
    write_header(header, 0);
    if (size < HEADER || memcmp(bytes, header, HEADER) != 0) {
        fprintf(stderr, "segments: %s is no first segment of version 1\n", arguments[2]);
        return 1;
    }
    uint64_t copies = strtoull(arguments[4], NULL, 10);
    for (uint64_t i = 0; i < copies; i++) copy(bytes, size, arguments[3], i * size);
    printf("%llu\n", (unsigned long long)(copies * size));
    return 0;
}

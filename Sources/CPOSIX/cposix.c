#define _GNU_SOURCE
#include "CPOSIX.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

int millrace_syncfs(int file) { return syncfs(file); }

int millrace_write_out(int file, int waits) {
    unsigned int flags = SYNC_FILE_RANGE_WRITE;
    if (waits) flags |= SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER;
    return sync_file_range(file, 0, 0, flags);
}

int millrace_keep_blocks(int mapped, int kept) {
    return mallopt(M_MMAP_THRESHOLD, mapped) && mallopt(M_TRIM_THRESHOLD, kept) ? 0 : -1;
}

int millrace_pass_cache(int file, int passes) {
    int flags = fcntl(file, F_GETFL);
    if (flags < 0) return -1;
    return fcntl(file, F_SETFL, passes ? flags | O_DIRECT : flags & ~O_DIRECT);
}

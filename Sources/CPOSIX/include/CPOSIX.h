// System calls that the Swift module of the C library does not show.

#ifndef CPOSIX_H
#define CPOSIX_H

// syncfs(2): 0, or -1 with errno.
int millrace_syncfs(int file);

// sync_file_range(2) over the whole file: hands its dirty pages to the disk, and waits for them where `waits` is not 0. 0, or -1
// with errno.
int millrace_write_out(int file, int waits);

// Sets or takes away O_DIRECT of an open file, see open(2) and fcntl(2): 0, or -1 with errno.
int millrace_pass_cache(int file, int passes);

// mallopt(3): from how many bytes on a block is mapped for itself, and how many free bytes at a heap's end are kept. 0, or -1.
int millrace_keep_blocks(int mapped, int kept);

#endif

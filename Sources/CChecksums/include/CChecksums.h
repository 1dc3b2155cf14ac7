// Checksums, codecs and hints that want the processor's own instructions. Every function has a portable path and picks at run time.
#ifndef CCHECKSUMS_H
#define CCHECKSUMS_H

#include <stddef.h>
#include <stdint.h>

// CRC-32C (Castagnoli, RFC 3720 appendix B.4). `crc` is 0, or the result for the bytes before.
uint32_t millrace_crc32c(uint32_t crc, const void *_Nullable bytes, size_t count);
// The same without special instructions: tests compare the two.
uint32_t millrace_crc32c_software(uint32_t crc, const void *_Nullable bytes, size_t count);

// CRC-32 (IEEE 802.3, RFC 1952 section 8), as event streams have it. `crc` is 0, or the result for the bytes before.
uint32_t millrace_crc32(uint32_t crc, const void *_Nullable bytes, size_t count);

// Base64 with the standard alphabet and padding (RFC 4648 section 4). Writes (count + 2) / 3 * 4 bytes and returns that.
size_t millrace_base64_encode(const uint8_t *_Nullable bytes, size_t count, uint8_t *_Nullable out);
// Decodes strictly: a multiple of four characters, padding at the end only, no blanks. Writes at most count / 4 * 3 bytes.
// Returns the bytes written, or -(index + 1) of the first character that is wrong; of the end for a wrong length.
ptrdiff_t millrace_base64_decode(const uint8_t *_Nullable text, size_t count, uint8_t *_Nullable out);

// How many bytes from the start a JSON string may hold as they are and mean themselves: ASCII from the blank up, without
// quotes and backslashes (RFC 8259 section 7).
size_t millrace_json_plain(const uint8_t *_Nullable text, size_t count);

// MD5 (RFC 1321): places partition keys, protects nothing.
void millrace_md5(const void *_Nullable bytes, size_t count, void *_Nonnull out16);

// Asks for memory that is about to be changed, so that it is at hand by then. A hint: the memory need not be there any more.
static inline void millrace_prefetch(const void *_Nonnull bytes, size_t count) {
    enum { LINE = 64 };
    uintptr_t first = (uintptr_t)bytes / LINE * LINE;
    for (uintptr_t at = first; at < (uintptr_t)bytes + count; at += LINE) __builtin_prefetch((const void *)at, 1);
}

// The same of memory that is about to be read.
static inline void millrace_prefetch_for_reading(const void *_Nonnull bytes, size_t count) {
    enum { LINE = 64 };
    uintptr_t first = (uintptr_t)bytes / LINE * LINE;
    for (uintptr_t at = first; at < (uintptr_t)bytes + count; at += LINE) __builtin_prefetch((const void *)at, 0);
}

#endif

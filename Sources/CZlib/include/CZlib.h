// The system's zlib, as much of it as is needed.
#ifndef CZLIB_H
#define CZLIB_H

#include <stddef.h>
#include <stdint.h>

// A reader of gzip (RFC 1952), one or more members behind each other.
typedef struct czlib_gunzip czlib_gunzip;

// Begins; `bytes` must stay until the reader is closed. NULL when there is no memory.
czlib_gunzip *_Nullable czlib_gunzip_open(const uint8_t *_Nonnull bytes, size_t count);
// The next bytes, at most `capacity`; 0 at the end, -1 when the bytes are damaged, cut short, or something else than gzip.
ptrdiff_t czlib_gunzip_read(czlib_gunzip *_Nonnull reader, uint8_t *_Nonnull out, size_t capacity);
void czlib_gunzip_close(czlib_gunzip *_Nonnull reader);

#endif

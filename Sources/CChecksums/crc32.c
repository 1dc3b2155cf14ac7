// CRC-32 of IEEE 802.3 and gzip is zlib's.
#include "CChecksums.h"

#include <zlib.h>

uint32_t millrace_crc32(uint32_t crc, const void *bytes, size_t count) {
    // zlib takes a null pointer for a question about its first value.
    return bytes == NULL ? crc : (uint32_t)crc32_z(crc, bytes, count);
}

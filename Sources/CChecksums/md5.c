#include "CChecksums.h"

#include <string.h>

static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af,
    0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa,
    0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
    0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97,
    0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
    0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static inline uint32_t rotated(uint32_t value, int by) { return value << by | value >> (32 - by); }

static void block(uint32_t state[4], const uint8_t *bytes) {
    static const int turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t word[16];
    memcpy(word, bytes, 64);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (int i = 0; i < 16; i++) word[i] = __builtin_bswap32(word[i]);
#endif
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
#pragma clang loop unroll(full)
    for (int i = 0; i < 64; i++) {
        uint32_t mix;
        int at;
        switch (i >> 4) {
        case 0: mix = d ^ (b & (c ^ d)); at = i; break;
        case 1: mix = c ^ (d & (b ^ c)); at = 5 * i + 1 & 15; break;
        case 2: mix = b ^ c ^ d; at = 3 * i + 5 & 15; break;
        default: mix = c ^ (b | ~d); at = 7 * i & 15; break;
        }
        uint32_t sum = a + mix + sines[i] + word[at];
        a = d;
        d = c;
        c = b;
        b += rotated(sum, turns[i >> 4][i & 3]);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

void millrace_md5(const void *bytes, size_t count, void *out16) {
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    const uint8_t *p = bytes;
    size_t rest = count;
    for (; rest >= 64; rest -= 64, p += 64) block(state, p);
    uint8_t last[128] = {0};
    if (rest) memcpy(last, p, rest);
    last[rest] = 0x80;
    size_t end = rest < 56 ? 64 : 128;
    uint64_t bits = (uint64_t)count * 8;
    for (int i = 0; i < 8; i++) last[end - 8 + i] = (uint8_t)(bits >> 8 * i);
    block(state, last);
    if (end == 128) block(state, last + 64);
    uint8_t *out = out16;
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++) out[i * 4 + k] = (uint8_t)(state[i] >> 8 * k);
}

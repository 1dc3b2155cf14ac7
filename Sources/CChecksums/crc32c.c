#include "CChecksums.h"

#include <pthread.h>
#include <string.h>

// Slicing-by-8: eight tables, eight bytes a step.
static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill(void) {
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t crc = n;
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0x82F63B78u : crc >> 1;
        table[0][n] = crc;
    }
    for (uint32_t n = 0; n < 256; n++)
        for (int k = 1; k < 8; k++) table[k][n] = table[k - 1][n] >> 8 ^ table[0][table[k - 1][n] & 0xFF];
}

uint32_t millrace_crc32c_software(uint32_t crc, const void *bytes, size_t count) {
    pthread_once(&once, fill);
    const uint8_t *p = bytes;
    crc = ~crc;
    while (count >= 8) {
        uint32_t low, high;
        memcpy(&low, p, 4);
        memcpy(&high, p + 4, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        low = __builtin_bswap32(low);
        high = __builtin_bswap32(high);
#endif
        low ^= crc;
        crc = table[7][low & 0xFF] ^ table[6][low >> 8 & 0xFF] ^ table[5][low >> 16 & 0xFF] ^ table[4][low >> 24]
            ^ table[3][high & 0xFF] ^ table[2][high >> 8 & 0xFF] ^ table[1][high >> 16 & 0xFF] ^ table[0][high >> 24];
        p += 8;
        count -= 8;
    }
    while (count--) crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xFF];
    return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

// The instruction takes three cycles and one can start each cycle: three stretches at once keep it busy. Joining two
// stretches means moving a CRC over as many zero bytes as the second one has; for a fixed length that is four look-ups. Short
// stretches are for what long ones leave, and for small frames.
enum { LONG = 1024, SHORT = 128 };
typedef uint32_t shift_table[4][256];
static shift_table over_long, over_short;
static pthread_once_t shift_once = PTHREAD_ONCE_INIT;

static void fill_shift_by(shift_table shift, int stretch) {
    // Column b of the matrix is what a lone bit b becomes after so many zero bytes; the table adds columns up.
    uint32_t column[32];
    for (int bit = 0; bit < 32; bit++) {
        uint32_t crc = 1u << bit;
        for (int n = 0; n < stretch; n++) crc = crc >> 8 ^ table[0][crc & 0xFF];
        column[bit] = crc;
    }
    for (int k = 0; k < 4; k++)
        for (uint32_t n = 0; n < 256; n++) {
            uint32_t sum = 0;
            for (int bit = 0; bit < 8; bit++)
                if (n >> bit & 1) sum ^= column[k * 8 + bit];
            shift[k][n] = sum;
        }
}

static void fill_shift(void) {
    pthread_once(&once, fill);
    fill_shift_by(over_long, LONG);
    fill_shift_by(over_short, SHORT);
}

static inline uint32_t moved(uint32_t crc, const shift_table shift) {
    return shift[0][crc & 0xFF] ^ shift[1][crc >> 8 & 0xFF] ^ shift[2][crc >> 16 & 0xFF] ^ shift[3][crc >> 24];
}

// Takes three stretches.
__attribute__((target("sse4.2"))) static inline uint64_t three(uint64_t crc, const uint8_t *p, size_t stretch,
                                                               const shift_table shift) {
    uint64_t second = 0, third = 0, a, b, c;
    for (size_t at = 0; at < stretch; at += 8) {
        memcpy(&a, p + at, 8);
        memcpy(&b, p + stretch + at, 8);
        memcpy(&c, p + 2 * stretch + at, 8);
        crc = _mm_crc32_u64(crc, a);
        second = _mm_crc32_u64(second, b);
        third = _mm_crc32_u64(third, c);
    }
    crc = moved((uint32_t)crc, shift) ^ second;
    return moved((uint32_t)crc, shift) ^ third;
}

__attribute__((target("sse4.2"))) static uint32_t hardware(uint32_t start, const uint8_t *p, size_t count) {
    uint64_t crc = ~start;
    uint64_t word;
    if (count >= 3 * SHORT) pthread_once(&shift_once, fill_shift);
    for (; count >= 3 * LONG; p += 3 * LONG, count -= 3 * LONG) crc = three((uint32_t)crc, p, LONG, over_long);
    for (; count >= 3 * SHORT; p += 3 * SHORT, count -= 3 * SHORT) crc = three((uint32_t)crc, p, SHORT, over_short);
    while (count >= 8) {
        memcpy(&word, p, 8);
        crc = _mm_crc32_u64(crc, word);
        p += 8;
        count -= 8;
    }
    uint32_t tail = (uint32_t)crc;
    while (count--) tail = _mm_crc32_u8(tail, *p++);
    return ~tail;
}

uint32_t millrace_crc32c(uint32_t crc, const void *bytes, size_t count) {
    if (!__builtin_cpu_supports("sse4.2")) return millrace_crc32c_software(crc, bytes, count);
    return hardware(crc, bytes, count);
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

uint32_t millrace_crc32c(uint32_t start, const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    uint32_t crc = ~start;
    uint64_t word;
    while (count >= 8) {
        memcpy(&word, p, 8);
        crc = __crc32cd(crc, word);
        p += 8;
        count -= 8;
    }
    while (count--) crc = __crc32cb(crc, *p++);
    return ~crc;
}
#else
uint32_t millrace_crc32c(uint32_t crc, const void *bytes, size_t count) {
    return millrace_crc32c_software(crc, bytes, count);
}
#endif

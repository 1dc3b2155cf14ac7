#include "CChecksums.h"

// Bytes that end a plain run: '"', '\', controls (below 0x20) and everything beyond ASCII. As signed numbers the last two
// are those below 0x20.
static inline int is_plain(uint8_t c) { return (int8_t)c >= 0x20 && c != '"' && c != '\\'; }

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2"))) static inline __m256i special_avx2(const uint8_t *text) {
    __m256i bytes = _mm256_loadu_si256((const __m256i *)text);
    __m256i low = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), bytes);
    __m256i quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
    __m256i backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
    return _mm256_or_si256(low, _mm256_or_si256(quote, backslash));
}

// 128 bytes a step until something special is among them, then 32.
__attribute__((target("avx2"))) static size_t plain_avx2(const uint8_t *text, size_t count) {
    size_t at = 0;
    for (; count - at >= 128; at += 128) {
        __m256i one = _mm256_or_si256(special_avx2(text + at), special_avx2(text + at + 32));
        __m256i other = _mm256_or_si256(special_avx2(text + at + 64), special_avx2(text + at + 96));
        if (!_mm256_testz_si256(_mm256_or_si256(one, other), _mm256_or_si256(one, other))) break;
    }
    for (; count - at >= 32; at += 32) {
        uint32_t special = (uint32_t)_mm256_movemask_epi8(special_avx2(text + at));
        if (special) return at + (size_t)__builtin_ctz(special);
    }
    return at;
}

// Every x86-64 processor has these: 16 bytes a step.
static size_t plain_sse2(const uint8_t *text, size_t count, size_t limit) {
    size_t at = 0;
    for (; count - at >= 16 && at < limit; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(text + at));
        __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
        __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
        __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
        unsigned special = (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, backslash)));
        if (special) return at + (size_t)__builtin_ctz(special);
    }
    return at;
}
#endif

size_t millrace_json_plain(const uint8_t *text, size_t count) {
    size_t at = 0;
#if defined(__x86_64__)
    // Most strings are names and keys: they end within the first steps.
    int wide = __builtin_cpu_supports("avx2");
    at = plain_sse2(text, count, wide ? 32 : count);
    if (wide && at >= 32) at += plain_avx2(text + at, count - at);
#endif
    while (at < count && is_plain(text[at])) at++;
    return at;
}

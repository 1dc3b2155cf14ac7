#include "CChecksums.h"

#include <string.h>

static const uint8_t alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// What a character stands for, or 0xFF.
static inline uint8_t value_of(uint8_t c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    if (c == '/') return 63;
    return 0xFF;
}

#if defined(__x86_64__)
#include <immintrin.h>

// 24 bytes become 32 characters a step. Each lane of 16 holds 12 bytes; a shuffle puts the three bytes of a group where
// two multiplications move its four 6-bit values into four bytes; a look-up by range adds what makes them characters.
__attribute__((target("avx2"))) static size_t encode_avx2(const uint8_t *in, size_t count, uint8_t *out) {
    const __m256i spread = _mm256_setr_epi8(
        1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10, 1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
    // Offsets by class: 0 a-z, 1..10 digits, 11 '+', 12 '/', 13 A-Z.
    const __m256i offsets = _mm256_setr_epi8(
        71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0,
        71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0);
    size_t done = 0;
    while (count - done >= 32) {
        __m256i bytes = _mm256_set_m128i(
            _mm_loadu_si128((const __m128i *)(in + done + 12)), _mm_loadu_si128((const __m128i *)(in + done)));
        bytes = _mm256_shuffle_epi8(bytes, spread);
        __m256i upper = _mm256_mulhi_epu16(_mm256_and_si256(bytes, _mm256_set1_epi32(0x0FC0FC00)), _mm256_set1_epi32(0x04000040));
        __m256i lower = _mm256_mullo_epi16(_mm256_and_si256(bytes, _mm256_set1_epi32(0x003F03F0)), _mm256_set1_epi32(0x01000010));
        __m256i six = _mm256_or_si256(upper, lower);
        __m256i class = _mm256_subs_epu8(six, _mm256_set1_epi8(51));
        __m256i small = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), six);
        class = _mm256_or_si256(class, _mm256_and_si256(small, _mm256_set1_epi8(13)));
        _mm256_storeu_si256((__m256i *)out, _mm256_add_epi8(six, _mm256_shuffle_epi8(offsets, class)));
        out += 32;
        done += 24;
    }
    return done;
}

// 32 characters become 24 bytes a step. Ranges are found by comparisons; a character in none of them ends the fast path,
// and the careful one below says where it stands.
__attribute__((target("avx2"))) static size_t decode_avx2(const uint8_t *in, size_t count, uint8_t *out) {
    const __m256i pack = _mm256_setr_epi8(
        2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1, 2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    size_t done = 0;
    // 48 left: a store writes 8 bytes too many, which must still lie in the caller's buffer.
    while (count - done >= 48) {
        __m256i text = _mm256_loadu_si256((const __m256i *)(in + done));
#define BETWEEN(low, high) \
    _mm256_and_si256(_mm256_cmpgt_epi8(text, _mm256_set1_epi8((low) - 1)), _mm256_cmpgt_epi8(_mm256_set1_epi8((high) + 1), text))
        __m256i upper = BETWEEN('A', 'Z'), lower = BETWEEN('a', 'z'), digit = BETWEEN('0', '9');
        __m256i plus = _mm256_cmpeq_epi8(text, _mm256_set1_epi8('+')), slash = _mm256_cmpeq_epi8(text, _mm256_set1_epi8('/'));
#undef BETWEEN
        __m256i known = _mm256_or_si256(_mm256_or_si256(upper, lower), _mm256_or_si256(digit, _mm256_or_si256(plus, slash)));
        if (_mm256_movemask_epi8(known) != -1) break;
        __m256i add = _mm256_or_si256(
            _mm256_or_si256(_mm256_and_si256(upper, _mm256_set1_epi8(-65)), _mm256_and_si256(lower, _mm256_set1_epi8(-71))),
            _mm256_or_si256(
                _mm256_and_si256(digit, _mm256_set1_epi8(4)),
                _mm256_or_si256(_mm256_and_si256(plus, _mm256_set1_epi8(19)), _mm256_and_si256(slash, _mm256_set1_epi8(16)))));
        __m256i six = _mm256_add_epi8(text, add);
        __m256i pairs = _mm256_maddubs_epi16(six, _mm256_set1_epi32(0x01400140));
        __m256i groups = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
        __m256i bytes = _mm256_shuffle_epi8(groups, pack);
        _mm_storeu_si128((__m128i *)out, _mm256_castsi256_si128(bytes));
        _mm_storeu_si128((__m128i *)(out + 12), _mm256_extracti128_si256(bytes, 1));
        out += 24;
        done += 32;
    }
    return done;
}
#endif

size_t millrace_base64_encode(const uint8_t *bytes, size_t count, uint8_t *out) {
    size_t done = 0;
#if defined(__x86_64__)
    if (count >= 32 && __builtin_cpu_supports("avx2")) done = encode_avx2(bytes, count, out);
#endif
    uint8_t *to = out + done / 3 * 4;
    for (; count - done >= 3; done += 3) {
        uint32_t group = (uint32_t)bytes[done] << 16 | (uint32_t)bytes[done + 1] << 8 | bytes[done + 2];
        *to++ = alphabet[group >> 18];
        *to++ = alphabet[group >> 12 & 63];
        *to++ = alphabet[group >> 6 & 63];
        *to++ = alphabet[group & 63];
    }
    if (count - done == 1) {
        *to++ = alphabet[bytes[done] >> 2];
        *to++ = alphabet[(bytes[done] & 3) << 4];
        *to++ = '=';
        *to++ = '=';
    } else if (count - done == 2) {
        *to++ = alphabet[bytes[done] >> 2];
        *to++ = alphabet[(bytes[done] & 3) << 4 | bytes[done + 1] >> 4];
        *to++ = alphabet[(bytes[done + 1] & 15) << 2];
        *to++ = '=';
    }
    return (count + 2) / 3 * 4;
}

ptrdiff_t millrace_base64_decode(const uint8_t *text, size_t count, uint8_t *out) {
    if (count % 4) return -(ptrdiff_t)count - 1;
    if (!count) return 0;
    size_t done = 0;
#if defined(__x86_64__)
    if (count >= 64 && __builtin_cpu_supports("avx2")) done = decode_avx2(text, count, out);
#endif
    uint8_t *to = out + done / 4 * 3;
    for (; done < count; done += 4) {
        uint8_t a = value_of(text[done]), b = value_of(text[done + 1]), c = value_of(text[done + 2]),
                d = value_of(text[done + 3]);
        if ((a | b | c | d) < 64) {
            *to++ = (uint8_t)(a << 2 | b >> 4);
            *to++ = (uint8_t)(b << 4 | c >> 2);
            *to++ = (uint8_t)(c << 6 | d);
            continue;
        }
        if (a > 63) return -(ptrdiff_t)done - 1;
        if (b > 63) return -(ptrdiff_t)done - 2;
        int is_last = done + 4 == count;
        if (c > 63 && !(is_last && text[done + 2] == '=' && text[done + 3] == '=')) return -(ptrdiff_t)done - 3;
        if (d > 63 && !(is_last && text[done + 3] == '=')) return -(ptrdiff_t)done - 4;
        *to++ = (uint8_t)(a << 2 | b >> 4);
        if (c > 63) {
            // The bits behind the last byte must be zero: otherwise two texts would mean the same bytes.
            if (b & 15) return -(ptrdiff_t)done - 2;
        } else {
            *to++ = (uint8_t)(b << 4 | c >> 2);
            if (c & 3) return -(ptrdiff_t)done - 3;
        }
    }
    return to - out;
}

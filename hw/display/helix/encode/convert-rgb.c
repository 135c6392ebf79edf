/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * convert-rgb.c - 32-bit RGB to NV12 with AVX2.
 *
 * Each step takes 32 pixels of two rows, so that a pixel is loaded once for luma and chroma. Coefficients are multiples
 * of 1/256. Luma's reach up to 157: they are the unsigned factors of the byte multiplication, and pixels the signed
 * ones, less 128. Chroma's are signed and sum up to 0, so that grey stays grey.
 */
#include "convert-rgb.h"

#if defined(__x86_64__)

#include <immintrin.h>

/* 256 * 219/255 * 0.2126, 0.7152, 0.0722 */
#define Y_R 47
#define Y_G 157
#define Y_B 16
/* 256 * 224/255 / 1.8556 * (blue - luma), and / 1.5748 * (red - luma) */
#define CB_R (-26)
#define CB_G (-86)
#define CB_B 112
#define CR_R 112
#define CR_G (-102)
#define CR_B (-10)

#define AVX2 __attribute__((target("avx2")))

/* The order of packing is by 128-bit halves: bring dwords 0 2 4 6 | 1 3 5 7 into order. */
#define IN_ORDER _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)

typedef struct Factors {
    __m256i y, cb, cr; /* a byte each for the four bytes of a pixel */
} Factors;

static AVX2 __m256i factors_of(gboolean red_first, int red, int green, int blue)
{
    guint32 first = (guint8)(red_first ? red : blue), third = (guint8)(red_first ? blue : red);

    return _mm256_set1_epi32((int)(first | (guint32)(guint8)green << 8 | third << 16));
}

/* The four products of each pixel added up: eight 32-bit numbers. */
static inline AVX2 __m256i sum_pairs(__m256i products)
{
    return _mm256_madd_epi16(products, _mm256_set1_epi16(1));
}

/* Sixteen luma samples as 16-bit numbers, in pack's order. */
static inline AVX2 __m256i luma_of(__m256i first, __m256i second, __m256i factors)
{
    const __m256i sign = _mm256_set1_epi8((char)0x80);
    /* 128 of each factor back, black's 16, and half a level */
    const __m256i offset = _mm256_set1_epi16((short)(128 * (Y_R + Y_G + Y_B) + 16 * 256 + 128));
    __m256i a = sum_pairs(_mm256_maddubs_epi16(factors, _mm256_xor_si256(first, sign)));
    __m256i b = sum_pairs(_mm256_maddubs_epi16(factors, _mm256_xor_si256(second, sign)));

    return _mm256_srli_epi16(_mm256_add_epi16(_mm256_packs_epi32(a, b), offset), 8);
}

static inline AVX2 void put_luma(__m256i a, __m256i b, __m256i c, __m256i d, __m256i factors, guint8 *to)
{
    __m256i bytes = _mm256_packus_epi16(luma_of(a, b, factors), luma_of(c, d, factors));

    _mm256_storeu_si256((__m256i *)(gpointer)to, _mm256_permutevar8x32_epi32(bytes, IN_ORDER));
}

/* Means of neighbours among 16 pixels: eight, in pack's order. */
static inline AVX2 __m256i mean_of_columns(__m256i first, __m256i second)
{
    __m256 a = _mm256_castsi256_ps(first), b = _mm256_castsi256_ps(second);

    return _mm256_avg_epu8(_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)),
                           _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd)));
}

/* Sixteen samples of Cb or Cr as 16-bit numbers. */
static inline AVX2 __m256i chroma_of(__m256i first, __m256i second, __m256i factors)
{
    const __m256i offset = _mm256_set1_epi16((short)(128 * 256 + 128));
    __m256i sums = _mm256_packs_epi32(sum_pairs(_mm256_maddubs_epi16(first, factors)),
                                      sum_pairs(_mm256_maddubs_epi16(second, factors)));

    return _mm256_srli_epi16(_mm256_add_epi16(sums, offset), 8);
}

static inline AVX2 void put_chroma(__m256i a, __m256i b, const Factors *factors, guint8 *to)
{
    __m256i cb = chroma_of(a, b, factors->cb), cr = chroma_of(a, b, factors->cr);
    __m256i both = _mm256_or_si256(cb, _mm256_slli_epi16(cr, 8));

    _mm256_storeu_si256((__m256i *)(gpointer)to, _mm256_permutevar8x32_epi32(both, IN_ORDER));
}

static inline AVX2 __m256i load(const guint8 *from)
{
    return _mm256_loadu_si256((const __m256i *)(gconstpointer)from);
}

/* 32 pixels of two rows. */
static inline AVX2 void convert_piece(const guint8 *row, gsize stride, const Factors *factors, guint8 *luma,
                                      guint8 *chroma, gsize out_stride)
{
    const guint8 *below = row + stride;
    __m256i a = load(row), b = load(row + 32), c = load(row + 64), d = load(row + 96);
    __m256i e = load(below), f = load(below + 32), g = load(below + 64), h = load(below + 96);

    put_luma(a, b, c, d, factors->y, luma);
    put_luma(e, f, g, h, factors->y, luma + out_stride);
    put_chroma(mean_of_columns(_mm256_avg_epu8(a, e), _mm256_avg_epu8(b, f)),
               mean_of_columns(_mm256_avg_epu8(c, g), _mm256_avg_epu8(d, h)), factors, chroma);
}

/*
 * Two rows of a picture that is not in the cache are two streams too short for the processor to run ahead of: without
 * this it waits for memory twice as long as it computes. Where a piece of the rows after these begins.
 */
static inline AVX2 void fetch_piece(const guint8 *row, gsize stride)
{
    _mm_prefetch(row, _MM_HINT_T0);
    _mm_prefetch(row + 64, _MM_HINT_T0);
    _mm_prefetch(row + stride, _MM_HINT_T0);
    _mm_prefetch(row + stride + 64, _MM_HINT_T0);
}

gboolean helix_convert_rgb_available(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}

AVX2 void helix_convert_rgb(const HelixRgbPicture *picture, guint8 *luma, guint8 *chroma, gsize stride)
{
    gboolean red_first = picture->red_first;
    const Factors factors = {
        .y = factors_of(red_first, Y_R, Y_G, Y_B),
        .cb = factors_of(red_first, CB_R, CB_G, CB_B),
        .cr = factors_of(red_first, CR_R, CR_G, CR_B),
    };
    guint32 last = picture->width - HELIX_CONVERT_RGB_MIN_WIDTH;

    for (guint32 y = 0; y < picture->height; y += 2) {
        const guint8 *row = picture->pixels + y * picture->stride;
        const guint8 *next = y + 2 < picture->height ? row + 2 * picture->stride : row;
        guint8 *to_luma = luma + y * stride, *to_chroma = chroma + y / 2 * stride;

        for (guint32 x = 0; x < last; x += HELIX_CONVERT_RGB_MIN_WIDTH) {
            fetch_piece(next + (gsize)x * 4, picture->stride);
            convert_piece(row + (gsize)x * 4, picture->stride, &factors, to_luma + x, to_chroma + x, stride);
        }
        /* The last piece ends with the row; what it has in common with the one before is written again, the same. */
        convert_piece(row + (gsize)last * 4, picture->stride, &factors, to_luma + last, to_chroma + last, stride);
    }
}

#else

gboolean helix_convert_rgb_available(void)
{
    return FALSE;
}

void helix_convert_rgb(const HelixRgbPicture *picture, guint8 *luma, guint8 *chroma, gsize stride)
{
    g_assert_not_reached();
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reference.c - see reference.h. */
#include "reference.h"
#include "../guest/pattern.h"

#include <stdlib.h>

void reference_colour(double r, double g, double b, double ycc[3])
{
    double luma = 0.2126 * r + 0.7152 * g + 0.0722 * b;

    ycc[0] = 16 + 219 * luma / 255;
    ycc[1] = 128 + 224 * (b - luma) / 1.8556 / 255;
    ycc[2] = 128 + 224 * (r - luma) / 1.5748 / 255;
}

static int clamp(int value, int size)
{
    return value < 0 ? 0 : value >= size ? size - 1 : value;
}

/* One row of RGB at chroma resolution: the mean of two rows, then across as the site says. */
static void chroma_row(const Reference *reference, const uint8_t *rgb, int row, ChromaSite site, double *cb, double *cr)
{
    static const double taps[2][3] = { { 0.25, 0.5, 0.25 }, { 0, 0.5, 0.5 } };
    int width = reference->width;

    for (int x = 0; x < reference->coded_width / 2; x++) {
        double sum[3] = { 0 }, ycc[3];

        for (int tap = 0; tap < 3; tap++) {
            int column = clamp(2 * x + tap - 1, width);

            for (int i = 0; i < 2; i++) {
                const uint8_t *pixel = rgb +
                    ((size_t)clamp(2 * row + i, reference->height) * (size_t)width + (size_t)column) * 4;

                for (int c = 0; c < 3; c++) {
                    sum[c] += taps[site][tap] / 2 * pixel[c];
                }
            }
        }
        reference_colour(sum[0], sum[1], sum[2], ycc);
        cb[x] = ycc[1];
        cr[x] = ycc[2];
    }
}

Reference *reference_new(unsigned number, int width, int height, ChromaSite site)
{
    Reference *reference = calloc(1, sizeof(*reference));
    uint8_t *rgb = malloc((size_t)width * (size_t)height * 4);
    size_t chroma_width, luma_size;

    reference->width = width;
    reference->height = height;
    reference->coded_width = (width + 1) & ~1;
    reference->coded_height = (height + 1) & ~1;
    chroma_width = (size_t)reference->coded_width / 2;
    luma_size = (size_t)reference->coded_width * (size_t)reference->coded_height;
    reference->y = malloc(luma_size * sizeof(double));
    reference->cb = malloc(luma_size / 4 * sizeof(double));
    reference->cr = malloc(luma_size / 4 * sizeof(double));
    pattern_paint(number, width, height, rgb, (uint32_t)width * 4, 1, 0);
    for (int y = 0; y < reference->coded_height; y++) {
        const uint8_t *row = rgb + (size_t)clamp(y, height) * (size_t)width * 4;

        for (int x = 0; x < reference->coded_width; x++) {
            const uint8_t *pixel = row + clamp(x, width) * 4;
            double ycc[3];

            reference_colour(pixel[0], pixel[1], pixel[2], ycc);
            reference->y[(size_t)y * (size_t)reference->coded_width + (size_t)x] = ycc[0];
        }
    }
    for (int y = 0; y < reference->coded_height / 2; y++) {
        chroma_row(reference, rgb, y, site, reference->cb + (size_t)y * chroma_width,
                   reference->cr + (size_t)y * chroma_width);
    }
    free(rgb);
    return reference;
}

void reference_free(Reference *reference)
{
    free(reference->y);
    free(reference->cb);
    free(reference->cr);
    free(reference);
}

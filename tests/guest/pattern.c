/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pattern.c - the drawing of the picture test, on a grid of eight by eight cells:
 *
 *     rows 0-1   frame number, sixteen blocks
 *     row 2      primaries and secondaries, white, black
 *     row 3      greys and mixed colours
 *     rows 4-7   left: the figure; right: a colour ramp with a moving block
 */
#include "pattern.h"

#include <string.h>

#define GRID 8

typedef struct Painter {
    PatternRect *rects;
    int n;
} Painter;

static const uint8_t patches[2][GRID][3] = {
    { { 255, 0, 0 },
      { 0, 255, 0 },
      { 0, 0, 255 },
      { 0, 255, 255 },
      { 255, 0, 255 },
      { 255, 255, 0 },
      { 255, 255, 255 },
      { 0, 0, 0 } },
    { { 32, 32, 32 },
      { 64, 64, 64 },
      { 128, 128, 128 },
      { 192, 192, 192 },
      { 224, 128, 32 },
      { 32, 96, 160 },
      { 180, 140, 120 },
      { 16, 80, 48 } },
};

/* Cell border @i of @size pixels, even except the last one. */
static int grid_line(int size, int i)
{
    return i == GRID ? size : (int)((int64_t)size * i / GRID) & ~1;
}

static PatternRect cells(int width, int height, int column, int row, int columns, int rows)
{
    PatternRect rect = { .x = grid_line(width, column), .y = grid_line(height, row) };

    rect.w = grid_line(width, column + columns) - rect.x;
    rect.h = grid_line(height, row + rows) - rect.y;
    return rect;
}

/* Sixteenths of @area: from @x, @y, @w by @h, borders on even pixels. */
static PatternRect part(const PatternRect *area, int x, int y, int w, int h)
{
    PatternRect rect = { .x = area->x + ((area->w * x / 16) & ~1), .y = area->y + ((area->h * y / 16) & ~1) };
    int right = x + w == 16 ? area->w : (area->w * (x + w) / 16) & ~1;
    int bottom = y + h == 16 ? area->h : (area->h * (y + h) / 16) & ~1;

    rect.w = area->x + right - rect.x;
    rect.h = area->y + bottom - rect.y;
    return rect;
}

static void add(Painter *painter, PatternRect rect, int r, int g, int b, int flat)
{
    if (rect.w <= 0 || rect.h <= 0) {
        return;
    }
    rect.r = (uint8_t)r;
    rect.g = (uint8_t)g;
    rect.b = (uint8_t)b;
    rect.flat = (uint8_t)flat;
    painter->rects[painter->n++] = rect;
}

/* A letter F with a dot: none of the eight flips and quarter turns maps it onto itself. */
static void add_figure(Painter *painter, const PatternRect *area)
{
    add(painter, *area, 40, 48, 96, 0);
    add(painter, part(area, 2, 2, 3, 12), 240, 208, 64, 0);
    add(painter, part(area, 5, 2, 7, 3), 240, 208, 64, 0);
    add(painter, part(area, 5, 7, 4, 2), 200, 64, 48, 0);
    add(painter, part(area, 12, 11, 2, 3), 64, 208, 144, 0);
}

static void add_ramp(Painter *painter, const PatternRect *area, unsigned number)
{
    for (int i = 0; i < 16; i++) {
        add(painter, part(area, i, 0, 1, 16), 16 + i * 14, 220 - i * 8, 64 + i * 4, 0);
    }
    /* It visits every place of a seven by seven raster, so each frame differs from its neighbours by motion. */
    add(painter, part(area, (int)(number * 3 % 7) * 2, (int)(number * 5 % 7) * 2, 4, 4), 32 + (int)(number * 37 % 192),
        32 + (int)(number * 101 % 192), 32 + (int)(number * 59 % 192), 0);
}

unsigned pattern_code(unsigned number)
{
    unsigned check = (number ^ (number >> 4) ^ (number >> 8) ^ 0xa) & 0xf;

    return (number & PATTERN_MAX_NUMBER) << 4 | check;
}

int pattern_number(unsigned code)
{
    unsigned number = code >> 4 & PATTERN_MAX_NUMBER;

    return pattern_code(number) == code ? (int)number : -1;
}

PatternRect pattern_bit_block(int bit, int width, int height)
{
    return cells(width, height, bit % GRID, bit / GRID, 1, 1);
}

int pattern_rects(unsigned number, int width, int height, PatternRect *rects)
{
    Painter painter = { .rects = rects };
    PatternRect figure = cells(width, height, 0, 4, 4, 4);
    PatternRect ramp = cells(width, height, 4, 4, 4, 4);
    unsigned code = pattern_code(number);

    for (int bit = 0; bit < PATTERN_BITS; bit++) {
        int level = code >> (PATTERN_BITS - 1 - bit) & 1 ? 255 : 0;

        add(&painter, pattern_bit_block(bit, width, height), level, level, level, 0);
    }
    for (int row = 0; row < 2; row++) {
        for (int column = 0; column < GRID; column++) {
            const uint8_t *rgb = patches[row][column];

            add(&painter, cells(width, height, column, 2 + row, 1, 1), rgb[0], rgb[1], rgb[2], 1);
        }
    }
    add_figure(&painter, &figure);
    add_ramp(&painter, &ramp, number);
    return painter.n;
}

static void fill(const PatternRect *rect, uint8_t *pixels, uint32_t stride, int red_first, uint8_t filler)
{
    uint8_t pixel[4] = { rect->b, rect->g, rect->r, filler };
    uint8_t *first = pixels + (uint64_t)rect->y * stride + (uint64_t)rect->x * 4;

    if (red_first) {
        pixel[0] = rect->r;
        pixel[2] = rect->b;
    }
    for (int x = 0; x < rect->w; x++) {
        memcpy(first + x * 4, pixel, 4);
    }
    for (int y = 1; y < rect->h; y++) {
        memcpy(first + (uint64_t)y * stride, first, (uint64_t)rect->w * 4);
    }
}

void pattern_paint(unsigned number, int width, int height, uint8_t *pixels, uint32_t stride, int red_first,
                   uint8_t filler)
{
    PatternRect rects[PATTERN_MAX_RECTS];
    int n = pattern_rects(number, width, height, rects);

    for (int i = 0; i < n; i++) {
        fill(&rects[i], pixels, stride, red_first, filler);
    }
}

/* Rec. ITU-R BT.709-6 in whole numbers, millionths; @to is Y, Cb, Cr. */
static void to_ycc(const PatternRect *rect, uint8_t to[3])
{
    static const int64_t rows[3][3] = {
        { 182586, 614231, 62007 },    /* 219 / 255 x (0.2126, 0.7152, 0.0722) */
        { -100644, -338572, 439216 }, /* 224 / 255 / 1.8556 x (-0.2126, -0.7152, 0.9278) */
        { 439216, -398942, -40274 },  /* 224 / 255 / 1.5748 x (0.7874, -0.7152, -0.0722) */
    };

    for (int i = 0; i < 3; i++) {
        int64_t sum = rows[i][0] * rect->r + rows[i][1] * rect->g + rows[i][2] * rect->b;

        to[i] = (uint8_t)((sum + (i ? 128500000 : 16500000)) / 1000000);
    }
}

void pattern_paint_nv12(unsigned number, int width, int height, uint8_t *y, uint8_t *cbcr, uint32_t stride)
{
    PatternRect rects[PATTERN_MAX_RECTS];
    int n = pattern_rects(number, width, height, rects);

    for (int i = 0; i < n; i++) {
        const PatternRect *rect = &rects[i];
        uint8_t ycc[3];

        to_ycc(rect, ycc);
        for (int row = rect->y; row < rect->y + rect->h; row++) {
            memset(y + (uint64_t)row * stride + rect->x, ycc[0], (size_t)rect->w);
        }
        for (int row = rect->y / 2; row < (rect->y + rect->h + 1) / 2; row++) {
            uint8_t *pair = cbcr + (uint64_t)row * stride + rect->x;

            for (int column = 0; column < (rect->w + 1) / 2; column++) {
                pair[column * 2] = ycc[1];
                pair[column * 2 + 1] = ycc[2];
            }
        }
    }
}

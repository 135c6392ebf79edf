/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pattern.h - the drawing of the picture test: one definition for the guest that draws it and the host that checks it.
 *
 * A drawing is a list of rectangles, later ones on top, so a GPU (scissored clears), a CPU and the checker paint
 * exactly the same pixels. It holds a frame number in black and white blocks, flat patches of primaries and greys, a
 * figure that no flip or rotation maps onto itself, a colour ramp, and a block that moves with the number.
 *
 * Every edge lies on even pixels except the right and bottom ends of odd sizes, so 4:2:0 blurs no patch.
 */
#ifndef HELIX_TEST_PATTERN_H
#define HELIX_TEST_PATTERN_H

#include <stdint.h>

#define PATTERN_MAX_RECTS 96
#define PATTERN_MIN_SIZE 32 /* pixels a side */
#define PATTERN_MAX_NUMBER 0xfff
#define PATTERN_BITS 16 /* 12 of the number, 4 of its check digit */

typedef struct PatternRect {
    int x, y, w, h;
    uint8_t r, g, b;
    uint8_t flat; /* nothing is painted over it: its inside is one colour */
} PatternRect;

/* Rectangles of drawing @number (0..PATTERN_MAX_NUMBER) at this size; returns how many, at most PATTERN_MAX_RECTS. */
int pattern_rects(unsigned number, int width, int height, PatternRect *rects);

/* Where bit @bit (0 is the first, top left) of the number's blocks is drawn. */
PatternRect pattern_bit_block(int bit, int width, int height);

/* The PATTERN_BITS bits that are drawn for @number, first one in the highest bit. */
unsigned pattern_code(unsigned number);

/* The number whose code is @code, or -1 if no number has it. */
int pattern_number(unsigned code);

/*
 * Paint drawing @number into 4-byte pixels at @pixels: byte 0 and 2 are blue and red, or red and blue with @red_first;
 * byte 3 becomes @filler.
 */
void pattern_paint(unsigned number, int width, int height, uint8_t *pixels, uint32_t stride, int red_first,
                   uint8_t filler);

/* The same as NV12, BT.709 limited range. Rows of @y and of @cbcr are @stride bytes. */
void pattern_paint_nv12(unsigned number, int width, int height, uint8_t *y, uint8_t *cbcr, uint32_t stride);

#endif

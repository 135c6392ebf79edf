/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reference.h - what a drawing of pattern.h looks like as 4:2:0 BT.709 limited range, computed in double precision from
 * Rec. ITU-R BT.709-6, clauses 3 and 4, with nothing shared with the encoders under test.
 */
#ifndef HELIX_TEST_REFERENCE_H
#define HELIX_TEST_REFERENCE_H

#include <stdint.h>

/* Where a chroma sample lies between its two luma columns (H.264, clause E.2.1, chroma_sample_loc_type). */
typedef enum ChromaSite {
    CHROMA_LEFT,   /* type 0, also when nothing is said: on the left column, between the rows */
    CHROMA_CENTRE, /* type 1: in the middle of the four */
} ChromaSite;

typedef struct Reference {
    int width, height;             /* of the drawing */
    int coded_width, coded_height; /* rounded up to even by repeating the edge */
    double *y, *cb, *cr;           /* 8-bit code values, not rounded; planes of coded size, chroma halved */
} Reference;

/* Y, Cb and Cr code values of one 8-bit RGB colour. */
void reference_colour(double r, double g, double b, double ycc[3]);

Reference *reference_new(unsigned number, int width, int height, ChromaSite site);
void reference_free(Reference *reference);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * film.h - access units with what they ought to show, written for tests/vm/check-picture.
 *
 * NAME.h264 is the Annex B bytes, NAME.index a text file: first "film 1", then a line for each access unit,
 *
 *     unit STREAM NUMBER WIDTH HEIGHT KEY OFFSET SIZE
 *
 * (STREAM: which decoder gets it; NUMBER: the drawing of pattern.h, or FILM_ANY: it must decode and may show anything;
 * size of the picture that was sent, pixels; KEY: the host said it is an IDR; bytes into NAME.h264), at last "end
 * UNITS", without which the film is not whole.
 */
#ifndef HELIX_TEST_FILM_H
#define HELIX_TEST_FILM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FILM_ANY 0xffffu

typedef struct Film {
    FILE *data, *index;
    unsigned units;
    uint64_t offset;
} Film;

typedef struct FilmUnit {
    unsigned stream, number;
    int width, height, key;
} FilmUnit;

/* Functions return 0, or -1 after printing why. */
int film_open(Film *film, const char *directory, const char *name);
int film_add(Film *film, const FilmUnit *unit, const uint8_t *bytes, size_t size);
int film_close(Film *film);

#endif

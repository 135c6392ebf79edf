/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * without.h - the host with one part of encode/ replaced by the simplest code that does its job.
 *
 * The linker wraps the part's functions (bench/meson.build), so the host itself has no switch for it.
 */
#ifndef HELIX_BENCH_WITHOUT_H
#define HELIX_BENCH_WITHOUT_H

typedef enum Without {
    WITHOUT_NOTHING,
    WITHOUT_PRE_CONVERT,  /* a picture is converted when its encoder is free */
    WITHOUT_SLICES,       /* a picture is converted by one thread: a helper in advance, or its encode thread */
    WITHOUT_PARALLEL_FOR, /* a picture is converted by its encode thread alone: neither of the two above is possible */
    WITHOUT_N
} Without;

/* The part that is missing. */
extern const char *const without_names[WITHOUT_N];

/* Takes effect with the next picture of each stream. Any thread. */
void without_set(Without what);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* measure.h - clocks, quantiles, and the line of JSON that a bench program prints. */
#ifndef HELIX_BENCH_MEASURE_H
#define HELIX_BENCH_MEASURE_H

#include <glib.h>

/* Values of one figure: ours and the rival's, measured alternately. Values of one index are a pair. */
typedef struct Figure {
    const char *name, *unit;
    GArray *ours, *rival; /* double */
} Figure;

Figure *figure_new(const char *name, const char *unit);
void figure_add(Figure *figure, double ours, double rival);
/* {"figures": [{"name", "unit", "ours": [...], "rival": [...]}, ...]} on standard output; NULL ends the list. Frees
 * them. Printed by hand: numbers, and names that are constants. */
void figures_print(Figure *first, ...) G_GNUC_NULL_TERMINATED;
/* The same of @n of them. */
void figures_print_all(Figure *const *figures, guint n);

/* ns of the monotonic clock; ns of processor time of this process. */
gint64 now_ns(void);
gint64 cpu_ns(void);

/* The quantile @share (0 to 1) of @values, which are sorted in place. */
double quantile(double *values, gsize n, double share);

/* Ends the program with a message. */
void die(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;

#endif

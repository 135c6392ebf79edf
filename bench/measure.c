/* SPDX-License-Identifier: GPL-2.0-or-later */
/* measure.c - clocks, quantiles, and the line of JSON that a bench program prints. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "measure.h"

Figure *figure_new(const char *name, const char *unit)
{
    Figure *figure = g_new0(Figure, 1);

    figure->name = name;
    figure->unit = unit;
    figure->ours = g_array_new(FALSE, FALSE, sizeof(double));
    figure->rival = g_array_new(FALSE, FALSE, sizeof(double));
    return figure;
}

void figure_add(Figure *figure, double ours, double rival)
{
    g_array_append_val(figure->ours, ours);
    g_array_append_val(figure->rival, rival);
}

static void print_values(const char *name, GArray *values)
{
    printf(", \"%s\": [", name);
    for (guint i = 0; i < values->len; i++) {
        printf("%s%.6g", i ? ", " : "", g_array_index(values, double, i));
    }
    printf("]");
    g_array_free(values, TRUE);
}

void figures_print_all(Figure *const *figures, guint n)
{
    printf("{\"figures\": [");
    for (guint i = 0; i < n; i++) {
        printf("%s{\"name\": \"%s\", \"unit\": \"%s\"", i ? ", " : "", figures[i]->name, figures[i]->unit);
        print_values("ours", figures[i]->ours);
        print_values("rival", figures[i]->rival);
        printf("}");
        g_free(figures[i]);
    }
    printf("]}\n");
    fflush(stdout);
}

void figures_print(Figure *first, ...)
{
    g_autoptr(GPtrArray) figures = g_ptr_array_new();
    va_list args;

    va_start(args, first);
    for (Figure *figure = first; figure; figure = va_arg(args, Figure *)) {
        g_ptr_array_add(figures, figure);
    }
    va_end(args);
    figures_print_all((Figure *const *)figures->pdata, figures->len);
}

static gint64 clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (gint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

gint64 now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

gint64 cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static int compare(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;

    return (one > other) - (one < other);
}

double quantile(double *values, gsize n, double share)
{
    qsort(values, n, sizeof(*values), compare);
    return values[MIN((gsize)(share * (double)n), n - 1)];
}

void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host-log.c - the lines of a host in the log, a limited number per second. */
#include "host-private.h"

#define LOG_BURST 100

/* A guest can cause lines as fast as it can connect: a burst of them is logged, then one per second. */
static gboolean may_log(HelixHost *host)
{
    gint64 now = g_get_monotonic_time();

    host->log_credit = MIN(host->log_credit + now - host->log_last, LOG_BURST * G_TIME_SPAN_SECOND);
    host->log_last = now;
    if (host->log_credit < G_TIME_SPAN_SECOND) {
        host->log_suppressed++;
        return FALSE;
    }
    host->log_credit -= G_TIME_SPAN_SECOND;
    return TRUE;
}

void helix_host_log(gpointer data, const char *format, ...)
{
    HelixHost *host = data;
    GString *line;
    va_list args;

    if (!host->hooks || !host->hooks->log || !may_log(host)) {
        return;
    }
    line = g_string_new(NULL);
    va_start(args, format);
    g_string_vprintf(line, format, args);
    va_end(args);
    if (host->log_suppressed) {
        g_string_append_printf(line, " (%u lines before this one left out)", host->log_suppressed);
        host->log_suppressed = 0;
    }
    host->hooks->log(host->hooks_data, line->str);
    g_string_free(line, TRUE);
}

void helix_host_log_init(HelixHost *host)
{
    host->log_credit = LOG_BURST * G_TIME_SPAN_SECOND;
    host->log_last = g_get_monotonic_time();
}

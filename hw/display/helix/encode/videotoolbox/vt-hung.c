/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vt-hung.c - the number of sessions that hang in VideoToolbox, which limits how many may be opened. */
#include "vt-session-private.h"

/* Sessions are opened by many threads, and each may hang: those being opened count together with those that hang. */
static GMutex count_lock;
static GCond count_changed;
static guint hung, opening;

void helix_vt_count_hung(gint n)
{
    g_mutex_lock(&count_lock);
    hung = (guint)((gint)hung + n);
    g_cond_broadcast(&count_changed);
    g_mutex_unlock(&count_lock);
}

/*
 * Waits while the sessions being opened could raise the hanging ones to the limit: each of them is open, has failed or
 * counts as hanging within HELIX_VT_OPEN_WITHIN_US.
 */
gboolean helix_vt_opening_begin(void)
{
    gboolean room;

    g_mutex_lock(&count_lock);
    while (hung < HELIX_VT_MAX_HUNG && hung + opening >= HELIX_VT_MAX_HUNG) {
        g_cond_wait(&count_changed, &count_lock);
    }
    room = hung < HELIX_VT_MAX_HUNG;
    opening += room;
    g_mutex_unlock(&count_lock);
    return room;
}

void helix_vt_opening_end(void)
{
    g_mutex_lock(&count_lock);
    opening--;
    g_cond_broadcast(&count_changed);
    g_mutex_unlock(&count_lock);
}

guint helix_vt_sessions_hung(void)
{
    guint count;

    g_mutex_lock(&count_lock);
    count = hung;
    g_mutex_unlock(&count_lock);
    return count;
}

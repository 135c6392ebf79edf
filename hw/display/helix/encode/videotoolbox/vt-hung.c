/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vt-hung.c - how many sessions hang in VideoToolbox, and whether another one may be opened beside them.
 */
#include "vt-session-private.h"

/* Sessions are made by many threads, and each may hang: those that are being made count with those that do. */
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
 * Room for a session that may hang as it is made; FALSE if HELIX_VT_MAX_HUNG hang. Waits while those that others are
 * making could bring them to that many: each is made, fails or counts as hanging within HELIX_VT_OPEN_WITHIN_US.
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

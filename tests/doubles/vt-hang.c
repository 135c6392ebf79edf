/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vt-hang.c - calls into VideoToolbox that do not come back until the test lets them. */
#include "video-toolbox.h"

static GMutex hang_lock;
static GCond hang_over;
static DoubleVtHang hang_next;
static gboolean hang_all;
static guint hang_releases, hanging;

gboolean double_vt_hang_here(DoubleVtHang call)
{
    guint before;

    g_mutex_lock(&hang_lock);
    if (hang_next != call) {
        g_mutex_unlock(&hang_lock);
        return FALSE;
    }
    hang_next = hang_all ? hang_next : DOUBLE_VT_NO_HANG;
    before = hang_releases;
    hanging++;
    while (hang_releases == before) {
        g_cond_wait(&hang_over, &hang_lock);
    }
    hanging--;
    g_mutex_unlock(&hang_lock);
    return TRUE;
}

gboolean double_vt_hangs(void)
{
    gboolean any;

    g_mutex_lock(&hang_lock);
    any = hanging > 0;
    g_mutex_unlock(&hang_lock);
    return any;
}

void double_vt_hang(DoubleVtHang call)
{
    g_mutex_lock(&hang_lock);
    hang_next = call;
    hang_all = FALSE;
    g_mutex_unlock(&hang_lock);
}

void double_vt_hang_all(DoubleVtHang call)
{
    g_mutex_lock(&hang_lock);
    hang_next = call;
    hang_all = TRUE;
    g_mutex_unlock(&hang_lock);
}

void double_vt_let_go(void)
{
    g_mutex_lock(&hang_lock);
    hang_next = DOUBLE_VT_NO_HANG;
    hang_all = FALSE;
    hang_releases++;
    g_cond_broadcast(&hang_over);
    g_mutex_unlock(&hang_lock);
}

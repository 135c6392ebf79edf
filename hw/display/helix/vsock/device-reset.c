/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device-reset.c - all connections of a device end at once: device reset, unplug, free.
 *
 * A guest can cause the first two with a thousand connections open, so they are closed over several iterations of the
 * main loop.
 */
#include "vsock-private.h"
#include "../loop/loop-budget.h"

/* Connections closed per iteration; one takes 50 to 75 us. */
#define CLOSED_MOST 24u

static GPtrArray *reference_all(HelixVsock *vsock)
{
    GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)helix_vsock_connection_unref);
    GHashTableIter iter;
    gpointer conn;

    g_hash_table_iter_init(&iter, vsock->all);
    while (g_hash_table_iter_next(&iter, &conn, NULL)) {
        g_ptr_array_add(all, helix_vsock_connection_ref(conn));
    }
    return all;
}

/* Close some of the connections that were open when this began. TRUE: none is left. */
static gboolean close_some(HelixVsock *vsock, guint most, void (*close)(HelixVsockConnection *conn))
{
    if (!vsock->closing) {
        vsock->closing = reference_all(vsock);
    }
    vsock->n_unmatched = 0;
    helix_vsock_enter(vsock, FALSE);
    for (guint i = 0; vsock->closing->len && i < most; i++) {
        if (i && most != G_MAXUINT && helix_loop_budget_is_spent()) {
            break;
        }
        close(vsock->closing->pdata[vsock->closing->len - 1]);
        g_ptr_array_set_size(vsock->closing, (gint)vsock->closing->len - 1);
    }
    helix_vsock_leave(vsock);
    return vsock->closing->len == 0;
}

gboolean helix_vsock_reset(HelixVsock *vsock)
{
    if (!close_some(vsock, CLOSED_MOST, helix_vsock_connection_peer_reset)) {
        return FALSE;
    }
    g_clear_pointer(&vsock->closing, g_ptr_array_unref);
    return TRUE;
}

/* As at a reset, but no connection stays open for a user that takes its input later. */
static void close_at_once(HelixVsockConnection *conn)
{
    helix_vsock_connection_ref(conn);
    helix_vsock_connection_peer_reset(conn);
    helix_vsock_connection_end(conn);
    helix_vsock_connection_unref(conn);
}

static void destroy(HelixVsock *vsock)
{
    g_ptr_array_unref(vsock->closing);
    g_assert(!g_hash_table_size(vsock->all) && !vsock->queue.length);
    helix_deferred_remove(vsock->deferred, &vsock->serve);
    helix_deferred_unref(vsock->deferred);
    g_hash_table_destroy(vsock->by_key);
    g_hash_table_destroy(vsock->all);
    g_free(vsock->unmatched);
    g_free(vsock);
}

void helix_vsock_free(HelixVsock *vsock)
{
    if (vsock) {
        g_clear_pointer(&vsock->closing, g_ptr_array_unref);
        close_some(vsock, G_MAXUINT, close_at_once);
        destroy(vsock);
    }
}

static void close_more(HelixTask *task)
{
    HelixVsock *vsock = (HelixVsock *)(gpointer)((guint8 *)task - offsetof(HelixVsock, serve));

    if (close_some(vsock, CLOSED_MOST, close_at_once)) {
        destroy(vsock);
    } else {
        helix_deferred_add(vsock->deferred, task);
    }
}

void helix_vsock_free_deferred(HelixVsock *vsock)
{
    if (!vsock) {
        return;
    }
    g_clear_pointer(&vsock->closing, g_ptr_array_unref);
    vsock->closing = reference_all(vsock);
    for (guint i = 0; i < vsock->closing->len; i++) {
        HelixVsockConnection *conn = vsock->closing->pdata[i];

        if (conn->state == HELIX_VSOCK_REQUESTED) {
            helix_vsock_connection_end(conn); /* the caller of helix_vsock_connect() may be freed with the device */
        }
    }
    helix_deferred_remove(vsock->deferred, &vsock->serve);
    vsock->serve.run = close_more;
    close_more(&vsock->serve);
}

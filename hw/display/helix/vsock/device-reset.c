/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device-reset.c - all connections of a device end at once: a reset, an unplug, the end. A guest can cause the first
 * two with a thousand connections open, so they are closed in turns of the main loop.
 */
#include "connection.h"
#include "../loop/loop-time.h"

/* Connections closed in one turn, 50 to 75 us each. */
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

/* Of those that were open when this was begun. TRUE: it was the last of them. */
static gboolean close_some(HelixVsock *vsock, guint most, void (*close)(HelixVsockConnection *conn))
{
    if (!vsock->forgotten) {
        vsock->forgotten = reference_all(vsock);
    }
    vsock->n_strays = 0;
    helix_vsock_enter(vsock, FALSE);
    for (guint i = 0; vsock->forgotten->len && i < most; i++) {
        if (i && most != G_MAXUINT && helix_loop_budget_is_spent()) {
            break;
        }
        close(vsock->forgotten->pdata[vsock->forgotten->len - 1]);
        g_ptr_array_set_size(vsock->forgotten, (gint)vsock->forgotten->len - 1);
    }
    helix_vsock_leave(vsock);
    return vsock->forgotten->len == 0;
}

gboolean helix_vsock_reset(HelixVsock *vsock)
{
    if (!close_some(vsock, CLOSED_MOST, helix_vsock_connection_forgotten)) {
        return FALSE;
    }
    g_clear_pointer(&vsock->forgotten, g_ptr_array_unref);
    return TRUE;
}

/* As in a reset, but nothing stays for a user that takes what is left later. */
static void close_whole(HelixVsockConnection *conn)
{
    helix_vsock_connection_ref(conn);
    helix_vsock_connection_forgotten(conn);
    helix_vsock_connection_end(conn);
    helix_vsock_connection_unref(conn);
}

static void destroy(HelixVsock *vsock)
{
    g_ptr_array_unref(vsock->forgotten);
    g_assert(!g_hash_table_size(vsock->all) && !vsock->queue.length);
    helix_deferred_remove(vsock->later, &vsock->serve);
    helix_deferred_unref(vsock->later);
    g_hash_table_destroy(vsock->by_key);
    g_hash_table_destroy(vsock->all);
    g_free(vsock->strays);
    g_free(vsock);
}

void helix_vsock_free(HelixVsock *vsock)
{
    if (vsock) {
        g_clear_pointer(&vsock->forgotten, g_ptr_array_unref);
        close_some(vsock, G_MAXUINT, close_whole);
        destroy(vsock);
    }
}

static void go_on(HelixTask *task)
{
    HelixVsock *vsock = (HelixVsock *)(gpointer)((guint8 *)task - offsetof(HelixVsock, serve));

    if (close_some(vsock, CLOSED_MOST, close_whole)) {
        destroy(vsock);
    } else {
        helix_deferred_add(vsock->later, task);
    }
}

void helix_vsock_abandon(HelixVsock *vsock)
{
    if (!vsock) {
        return;
    }
    g_clear_pointer(&vsock->forgotten, g_ptr_array_unref);
    vsock->forgotten = reference_all(vsock);
    for (guint i = 0; i < vsock->forgotten->len; i++) {
        HelixVsockConnection *conn = vsock->forgotten->pdata[i];

        if (conn->state == HELIX_VSOCK_REQUESTED) {
            helix_vsock_connection_end(conn); /* the one that asked may go with the device */
        }
    }
    helix_deferred_remove(vsock->later, &vsock->serve);
    vsock->serve.run = go_on;
    go_on(&vsock->serve);
}

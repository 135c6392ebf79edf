/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client-handle.c - see client-handle.h. */
#include "client-handle.h"

void vsockenc_client_set(GstVsockEnc *self, HelixClient *client)
{
    GST_OBJECT_LOCK(self);
    self->handle->client = client;
    GST_OBJECT_UNLOCK(self);
}

HelixClient *vsockenc_client_close(GstVsockEnc *self)
{
    HelixClient *client;

    GST_OBJECT_LOCK(self);
    client = g_steal_pointer(&self->handle->client);
    GST_OBJECT_UNLOCK(self);
    return client;
}

void vsockenc_client_interrupt(GstVsockEnc *self)
{
    g_autoptr(HelixClient) client = vsockenc_ref_client(self);

    if (client) {
        helix_client_shutdown(client);
    }
}

HelixClient *vsockenc_ref_client(GstVsockEnc *self)
{
    HelixClient *client;

    GST_OBJECT_LOCK(self);
    client = self->handle->client ? helix_client_ref(self->handle->client) : NULL;
    GST_OBJECT_UNLOCK(self);
    return client;
}

HelixClient *vsockenc_client(GstVsockEnc *self)
{
    return self->handle->client;
}

void vsockenc_client_get_stats(GstVsockEnc *self, HelixClientStats *stats)
{
    g_autoptr(HelixClient) client = vsockenc_ref_client(self);

    if (client) {
        helix_client_get_stats(client, stats);
        return;
    }
    GST_OBJECT_LOCK(self);
    *stats = self->handle->stats;
    GST_OBJECT_UNLOCK(self);
}

void vsockenc_client_keep_stats(GstVsockEnc *self, HelixClient *client)
{
    HelixClientStats stats;

    helix_client_get_stats(client, &stats);
    GST_OBJECT_LOCK(self);
    self->handle->stats = stats;
    GST_OBJECT_UNLOCK(self);
}

gboolean vsockenc_client_is_active(GstVsockEnc *self)
{
    return self->handle->active;
}

void vsockenc_client_set_active(GstVsockEnc *self, gboolean active)
{
    self->handle->active = active;
}

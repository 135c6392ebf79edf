/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* session.c - see session.h. */
#include "session.h"

void vsockenc_session_set(GstVsockEnc *self, HelixClient *client)
{
    GST_OBJECT_LOCK(self);
    self->session->client = client;
    GST_OBJECT_UNLOCK(self);
}

HelixClient *vsockenc_session_close(GstVsockEnc *self)
{
    HelixClient *client;

    GST_OBJECT_LOCK(self);
    client = g_steal_pointer(&self->session->client);
    GST_OBJECT_UNLOCK(self);
    return client;
}

void vsockenc_session_interrupt(GstVsockEnc *self)
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
    client = self->session->client ? helix_client_ref(self->session->client) : NULL;
    GST_OBJECT_UNLOCK(self);
    return client;
}

HelixClient *vsockenc_client(GstVsockEnc *self)
{
    return self->session->client;
}

void vsockenc_session_get_stats(GstVsockEnc *self, HelixClientStats *stats)
{
    g_autoptr(HelixClient) client = vsockenc_ref_client(self);

    if (client) {
        helix_client_get_stats(client, stats);
        return;
    }
    GST_OBJECT_LOCK(self);
    *stats = self->session->stats;
    GST_OBJECT_UNLOCK(self);
}

void vsockenc_session_keep_stats(GstVsockEnc *self, HelixClient *client)
{
    HelixClientStats stats;

    helix_client_get_stats(client, &stats);
    GST_OBJECT_LOCK(self);
    self->session->stats = stats;
    GST_OBJECT_UNLOCK(self);
}

gboolean vsockenc_session_is_active(GstVsockEnc *self)
{
    return self->session->active;
}

void vsockenc_session_set_active(GstVsockEnc *self, gboolean active)
{
    self->session->active = active;
}

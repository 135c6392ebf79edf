/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings.c - see settings.h. */
#include "../client/helix-client.h"
#include "settings.h"

#define DEFAULT_TIMEOUT_MS 10000u

/* A process with more rights than its user takes nothing from the user's environment. */
static char *text_of(const char *name)
{
    const char *text = secure_getenv(name);

    return text && *text ? g_strdup(text) : NULL;
}

static guint number_of(const char *name, guint fallback)
{
    g_autofree char *text = text_of(name);
    guint64 number;

    return text && g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &number, NULL) ? (guint)number : fallback;
}

void hva_settings_read(HvaSettings *settings)
{
    settings->socket = text_of("HELIX_VA_SOCKET");
    settings->cid = number_of("HELIX_VA_CID", HELIX_CLIENT_HOST_CID);
    settings->port = number_of("HELIX_VA_PORT", HELIX_CLIENT_DEFAULT_PORT);
    settings->timeout_ms = MAX(number_of("HELIX_VA_TIMEOUT_MS", DEFAULT_TIMEOUT_MS), 1);
    settings->connections = MIN(number_of("HELIX_VA_CONNECTIONS", 1), HVA_MAX_CONNECTIONS);
    settings->packed_headers = number_of("HELIX_VA_PACKED_HEADERS", 0) != 0;
    settings->avoid = text_of("HELIX_VA_AVOID");
}

void hva_settings_clear(HvaSettings *settings)
{
    g_clear_pointer(&settings->socket, g_free);
    g_clear_pointer(&settings->avoid, g_free);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings.h - what the environment sets; docs/va-driver.md lists the variables. */
#ifndef HELIX_VA_SETTINGS_H
#define HELIX_VA_SETTINGS_H

#include <glib.h>

#define HVA_MAX_CONNECTIONS 16u

typedef struct HvaSettings {
    char *socket;            /* HELIX_VA_SOCKET; NULL: vsock */
    guint cid, port;         /* HELIX_VA_CID, HELIX_VA_PORT */
    guint timeout_ms;        /* HELIX_VA_TIMEOUT_MS */
    guint connections;       /* HELIX_VA_CONNECTIONS: made in advance (ready.h) */
    gboolean packed_headers; /* HELIX_VA_PACKED_HEADERS: accept headers that clients write, and drop them */
    char *avoid;             /* HELIX_VA_AVOID: for helix_client_avoid() */
} HvaSettings;

void hva_settings_read(HvaSettings *settings);
void hva_settings_clear(HvaSettings *settings);

#endif

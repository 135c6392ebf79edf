/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings.h - what the environment sets; docs/va-driver.md lists the variables. */
#ifndef HELIX_VA_SETTINGS_H
#define HELIX_VA_SETTINGS_H

#include <glib.h>

typedef struct HvaSettings {
    char *socket;            /* HELIX_VA_SOCKET; NULL: vsock */
    guint cid, port;         /* HELIX_VA_CID, HELIX_VA_PORT */
    guint timeout_ms;        /* HELIX_VA_TIMEOUT_MS */
    gboolean packed_headers; /* HELIX_VA_PACKED_HEADERS: accept headers that clients write, and drop them */
    char *avoid;             /* HELIX_VA_AVOID: for helix_client_avoid() */
} HvaSettings;

void hva_settings_read(HvaSettings *settings);
void hva_settings_clear(HvaSettings *settings);

#endif

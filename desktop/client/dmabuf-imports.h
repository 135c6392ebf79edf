/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dmabuf-imports.h - from a DMA-BUF to the virtio-gpu resource id that the host knows it by.
 *
 * Imported handles are kept, because each import and each close costs the host a context attach; a buffer that has not
 * been seen for a while is let go. Any thread.
 */
#ifndef HELIX_CLIENT_DMABUF_IMPORTS_H
#define HELIX_CLIENT_DMABUF_IMPORTS_H

#include "helix-client.h"

typedef struct ClientImports ClientImports;

/* Imports through @fd, a render node of the virtio-gpu, which outlives it and through which nothing else imports. */
ClientImports *client_imports_new(int fd);
void client_imports_free(ClientImports *imports);
/* The resource id of DMA-BUF @fd (kept by the caller). @imported tells whether it was new. 0 with HELIX_CLIENT_ERROR.
 */
guint32 client_imports_lookup(ClientImports *imports, int fd, gboolean *imported, GError **error);
/* Let every buffer go. */
void client_imports_forget(ClientImports *imports);

#endif

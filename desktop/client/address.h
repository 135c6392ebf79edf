/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* address.h - where the host is, how to open it, and what to tell a user when that fails. */
#ifndef VSOCKENC_ADDRESS_H
#define VSOCKENC_ADDRESS_H

#include "connection.h"

/* "vsock CID 2 port 5000" or "UNIX socket /path"; freed by the caller. */
char *vsock_address_name(const VsockAddress *address);
/* A non-blocking socket, connected or (@connecting set) about to be; -1 with GST_RESOURCE_ERROR and the errno in @code.
 */
int vsock_address_connect(const VsockAddress *address, const char *name, gboolean *connecting, int *code,
                          GError **error);
/* Is connect()'s errno @code one that may be gone at the next try? */
gboolean vsock_address_may_come(int code);
/* What connect()'s errno @code means here and what to do about it, as GST_RESOURCE_ERROR. */
GError *vsock_address_error(const VsockAddress *address, const char *name, int code);

#endif

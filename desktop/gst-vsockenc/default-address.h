/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* default-address.h - the host's address where no property gives it: from the environment, else from a file. Any
 * thread. */
#ifndef VSOCKENC_DEFAULT_ADDRESS_H
#define VSOCKENC_DEFAULT_ADDRESS_H

#include <glib.h>

typedef struct VsockEncAddress {
    guint cid, port;
    char *socket_path; /* to be freed; NULL: vsock */
} VsockEncAddress;

/*
 * Replace in @address what is set, first in VSOCKENC_CID, VSOCKENC_PORT and VSOCKENC_SOCKET_PATH, else in the group
 * [vsockenc] of vsockenc.conf in the user's configuration folder, else in that of /etc. A process with more rights than
 * its user reads the last alone. Values that are none are left out and added to @complaint, to be freed.
 */
void vsockenc_address_read(VsockEncAddress *address, char **complaint);

#endif

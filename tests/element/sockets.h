/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.h - socket() and connect() as they are elsewhere: where AF_VSOCK is forbidden, or connecting takes long. */
#ifndef SOCKETS_H
#define SOCKETS_H

#include <glib.h>

/* While set, socket(AF_VSOCK) fails as under a container's seccomp profile: EPERM. */
void sockets_forbid_vsock(gboolean forbid);
/* From here on connect() returns late, to be met in the middle of it: of connections to the UNIX socket @path; NULL: of none. Must stay valid until then. */
void slow_connect(const char *path);
/* Waits until one is connected and does not return yet, which it then does within 0.3 s. */
void slow_connect_wait(void);

#endif

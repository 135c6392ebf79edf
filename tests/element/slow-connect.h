/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slow-connect.h - connect() to one path takes long once it has succeeded, to meet the element in the middle of it. */
#ifndef SLOW_CONNECT_H
#define SLOW_CONNECT_H

/* From here on, of connections to the UNIX socket @path; NULL: of none. Must stay valid until then. */
void slow_connect(const char *path);
/* Waits until one is connected and does not return yet, which it then does within 0.3 s. */
void slow_connect_wait(void);

#endif

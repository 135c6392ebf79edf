/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sockets.h - guest ports as real UNIX sockets: a scripted guest, and programs of the host that connect and listen.
 */
#ifndef TEST_SOCKETS_H
#define TEST_SOCKETS_H

#include "guest.h"

#define FIRST_PORT 0x40000000u /* of connections that the host begins */

typedef struct Fixture {
    Guest *guest;
    char *folder, *path;
} Fixture;

/* Of g_test_add(). */
void setup(Fixture *f, gconstpointer data);
void teardown(Fixture *f, gconstpointer data);

/* Run the loop until nothing is left to do. More than @most rounds are a loop that spins. */
void settle(guint most);

/* A program of the host that connects to the uds-path and says @text; non-blocking. */
int client_connect(Fixture *f, const char *text);

/* One that listens on PATH_PORT. */
int server_new(Fixture *f, guint port, int backlog);
void server_free(Fixture *f, guint port, int fd);

/* What can be read is this; "": end of stream. */
void expect_text(int fd, const char *text);
/* The next packet is RW with this. */
void expect_payload(Guest *guest, const char *text);

#endif

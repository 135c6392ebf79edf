/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.h - a scripted guest: the driver's side of virtio-vsock, one packet at a time, without a VM.
 *
 * It gives receive buffers, keeps what the host put into them, and sends whatever a test says, well-formed or not. The
 * host's ports are served by a User, which plays the channel's other end and remembers what happened to it.
 */
#ifndef TEST_GUEST_H
#define TEST_GUEST_H

#include <glib.h>
#include "cases.h"
#include "vsock/vsock-private.h"
#include "vsock/hybrid.h"
#include "vsock/vsock.h"

#define GUEST_CID 3u
#define P 1024u /* a port of the guest */
#define Q 5000u /* a port of the host */

typedef struct Packet {
    HelixVsockHeader header;
    GByteArray *payload;
} Packet;

typedef struct Guest {
    HelixVsock *vsock;
    GQueue buffers;         /* of GUINT_TO_POINTER(payload room + 1) */
    GQueue packets;         /* of Packet, from the host */
    guint notified;         /* rx_notify() calls */
    guint placed;           /* rx_put() calls */
    gboolean refuse;        /* accept() says no */
    HelixHybrid *hybrid;    /* NULL, or accepts instead of a User; freed by guest_free() */
    GQueue accepted;        /* of User, in the order of their connections */
    struct User *next_user; /* serves the next connection; NULL: a fresh one */
} Guest;

typedef struct User {
    HelixChannel *channel; /* NULL: gone */
    GByteArray *input;     /* consumed so far */
    gsize appetite;        /* bytes input() still takes */
    gsize bite;            /* most that one input() takes; 0: no limit */
    guint32 port;          /* the guest asked for, or the local one after connect */
    guint n_input, n_eof, n_writable, n_write_closed, n_closed, n_connected;
    gboolean takes_write_closed;         /* it is a splice's half, say; writes are dropped otherwise */
    gboolean resume_inside;              /* call resume_input() inside input() */
    gboolean close_inside, abort_inside; /* close inside input() */
    const guint8 *output;                /* what writable() goes on writing */
    gsize output_len;
    gsize written;
    gboolean writes_on_accept; /* output goes out from within accept() */
    gboolean in_callback;      /* to see re-entry */
} User;

/* A device of GUEST_CID; 0 takes the defaults. Ends with guest_free(), which asserts that nothing is left. */
Guest *guest_new(guint32 buf_alloc, guint max_connections);
void guest_free(Guest *guest);

/* A case with a device of the defaults: GUEST_TEST("/vsock/counters-wrap", test_counters_wrap) { ... guest ... } */
#define GUEST_TEST(path, function) \
    static void function(Guest *guest); \
    TEST(path, function##_with_guest) \
    { \
        Guest *guest = guest_new(0, 0); \
\
        function(guest); \
        guest_free(guest); \
    } \
    static void function(Guest *guest)

/* Give @n receive buffers with @room bytes behind the header, and tell the host (or not). */
void guest_add_buffers(Guest *guest, guint n, guint room);
void guest_add_buffers_quietly(Guest *guest, guint n, guint room);

/* Header of a packet from port @src to port @dst of the host, credit of 256 KiB. */
HelixVsockHeader guest_header(guint op, guint32 src, guint32 dst);
/* Send @header with exactly @len bytes of payload behind it (header->len is left as the test says). */
void guest_send(Guest *guest, const HelixVsockHeader *header, const void *payload, gsize len);
/* The common ones. */
void guest_op(Guest *guest, guint op, guint32 src, guint32 dst);
void guest_shutdown(Guest *guest, guint32 src, guint32 dst, guint32 flags);
void guest_data(Guest *guest, guint32 src, guint32 dst, const void *payload, gsize len);
void guest_credit(Guest *guest, guint32 src, guint32 dst, guint32 buf_alloc, guint32 fwd_cnt);
/* The driver resets the device, in as many turns as it takes. */
void guest_reset(Guest *guest);

/* The oldest packet from the host, or NULL; freed by the caller. */
Packet *guest_take(Guest *guest);
void packet_free(Packet *packet);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Packet, packet_free)
/* The next packet is this one; returns it. */
#define guest_expect(guest, op, src, dst) guest_expect_at(G_STRLOC, guest, op, src, dst)
void guest_expect_at(const char *where, Guest *guest, guint op, guint32 src, guint32 dst);
#define guest_expect_nothing(guest) guest_expect_nothing_at(G_STRLOC, guest)
void guest_expect_nothing_at(const char *where, Guest *guest);
void guest_drop_packets(Guest *guest);

/* Connect from @src to @dst of the host, with the handshake asserted; returns the host's user. */
User *guest_connect(Guest *guest, guint32 src, guint32 dst);
HelixVsockConnection *guest_connection(Guest *guest, guint32 src, guint32 dst);

User *user_new(void);
void user_free(User *user);
void user_attach(User *user, HelixChannel *channel);
/* helix_vsock_connect() callback. */
void user_connected(gpointer user, HelixChannel *channel, guint32 local_port);
/* resume_input(), and the loop's turn that offers the rest. */
void user_resume(User *user);
gsize user_write(User *user, const void *data, gsize len);
void user_close(User *user, gboolean abort);

#endif

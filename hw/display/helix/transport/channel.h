/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * channel.h - a byte stream in both directions between the host and one guest client.
 *
 * Two ends meet here. The *carrier* (a vsock connection inside QEMU, a UNIX socket) owns and embeds the HelixChannel
 * and implements HelixChannelCarrier. The *user* (a session of the frame module, the other carrier of a spliced pair)
 * attaches itself with HelixChannelUser. Neither knows the other's type.
 *
 * Everything here runs on the main loop's thread. Calls may nest (write inside an input callback) but the carrier
 * never re-enters a user callback of the same kind.
 *
 * Life: the carrier creates the channel and keeps it until it has called user->closed(), or the user has called
 * helix_channel_close(). After either, neither side calls the other again, and the carrier may free the channel.
 */
#ifndef HELIX_CHANNEL_H
#define HELIX_CHANNEL_H

#include <glib.h>

typedef struct HelixChannel HelixChannel;

/* Implemented by the carrier, called by the user. */
typedef struct HelixChannelCarrier {
    /*
     * Hand @len bytes to the peer. Returns how many were taken (0..len), copied before it returns. Fewer than @len
     * means: wait for user->writable().
     */
    gsize (*write)(HelixChannel *channel, const guint8 *data, gsize len);
    /* No more bytes will be written: the peer sees end of stream after those already taken. */
    void (*shutdown_write)(HelixChannel *channel);
    /*
     * The user reads no longer: input that is left and input to come is dropped, neither input() nor input_eof() is
     * called, and a peer that writes gets an error where the carrier can tell it.
     */
    void (*shutdown_read)(HelixChannel *channel);
    /*
     * The user can take input again after an input() that consumed less than it was given, or will consume less: it is
     * then offered the rest in a later iteration of the loop.
     */
    void (*resume_input)(HelixChannel *channel);
    /*
     * The user is gone. @abort: drop what is not yet sent and reset, so that the peer sees an error where the carrier
     * has one for it; else send what was taken, then close.
     */
    void (*close)(HelixChannel *channel, gboolean abort);
} HelixChannelCarrier;

/* Implemented by the user, called by the carrier. */
typedef struct HelixChannelUser {
    /*
     * @len bytes arrived. Returns how many were consumed; the carrier keeps the rest, stops reading from the peer (so
     * that the peer's credit or socket buffer runs out) and offers it again after resume_input(). The carrier calls it
     * until the loop's budget is spent (loop-budget.h), and once per iteration at least; the user consumes at least one
     * step, and stops when the budget is spent.
     */
    gsize (*input)(HelixChannel *channel, const guint8 *data, gsize len);
    /* The peer will send nothing more (half-close). Comes after every byte was consumed, once. */
    void (*input_eof)(HelixChannel *channel);
    /* write() will take bytes again after it took fewer than it was given. */
    void (*writable)(HelixChannel *channel);
    /*
     * The peer reads no longer: bytes that write() takes from now on are lost. Called once, before the input that is
     * left. May be NULL: such a user gets closed() once there is no more input, and until then its writes are dropped.
     */
    void (*write_closed)(HelixChannel *channel);
    /* The channel is gone in both directions; the last call. Without input_eof() before it, input was cut off. */
    void (*closed)(HelixChannel *channel);
} HelixChannelUser;

/* A process of a Linux guest binds vsock ports below this one only with CAP_NET_BIND_SERVICE. */
#define HELIX_PRIVILEGED_PORTS 1024u

struct HelixChannel {
    const HelixChannelCarrier *carrier;
    const HelixChannelUser *user; /* NULL: none attached, or after close */
    gpointer user_data;
    char *peer;        /* for logs, e.g. "vsock 3:1024"; owned by the carrier */
    guint32 peer_port; /* the guest's vsock port; 0 where there is none, as on a UNIX socket */
};

/* Attach the user; the carrier may call it from now on (never from inside this call). */
static inline void helix_channel_attach(HelixChannel *channel, const HelixChannelUser *user, gpointer user_data)
{
    channel->user = user;
    channel->user_data = user_data;
}

/* Detach the user and let the carrier go; @channel must not be touched afterwards. */
static inline void helix_channel_close(HelixChannel *channel, gboolean abort)
{
    channel->user = NULL;
    channel->user_data = NULL;
    channel->carrier->close(channel, abort);
}

/* Takes a new channel over. FALSE: refused, the carrier then resets the connection. */
typedef gboolean (*HelixChannelAccept)(HelixChannel *channel, gpointer data);

#endif

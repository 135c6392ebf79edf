/* SPDX-License-Identifier: GPL-2.0-or-later */
/* splice.c - two channels that feed each other. */
#include "splice.h"

typedef struct Splice Splice;

typedef struct Half {
    Splice *splice;
    HelixChannel *channel; /* NULL: gone */
    gboolean eof;          /* no more input comes from it, or none is wanted */
    gboolean cut;          /* gone before its end of stream */
    gboolean stalled;      /* it has input that the other side has not taken */
} Half;

struct Splice {
    Half half[2];
    guint depth;
};

static Half *other(Half *half)
{
    return half == &half->splice->half[0] ? &half->splice->half[1] : &half->splice->half[0];
}

/*
 * The pair ends when one side is gone, or when both have reached end of stream. Bytes taken are still delivered; input
 * that was cut off ends in an error, not in an end of stream.
 */
static void leave(Splice *splice)
{
    Half *a = &splice->half[0], *b = &splice->half[1];

    if (--splice->depth > 0 || (a->channel && b->channel && !(a->eof && b->eof))) {
        return;
    }
    for (guint i = 0; i < 2; i++) {
        if (splice->half[i].channel) {
            helix_channel_close(splice->half[i].channel, splice->half[1 - i].cut);
        }
    }
    g_free(splice);
}

static gsize on_input(HelixChannel *channel, const guint8 *data, gsize len)
{
    Half *half = channel->user_data;
    Splice *splice = half->splice;
    HelixChannel *to = other(half)->channel;
    gsize taken = 0;

    splice->depth++;
    if (to) {
        taken = to->carrier->write(to, data, len);
        half->stalled = taken < len;
    }
    leave(splice);
    return taken;
}

static void on_input_eof(HelixChannel *channel)
{
    Half *half = channel->user_data;
    Splice *splice = half->splice;
    HelixChannel *to = other(half)->channel;

    splice->depth++;
    half->eof = TRUE;
    if (to) {
        to->carrier->shutdown_write(to);
    }
    leave(splice);
}

static void on_writable(HelixChannel *channel)
{
    Half *half = channel->user_data;
    Splice *splice = half->splice;
    Half *from = other(half);

    splice->depth++;
    if (from->channel && from->stalled) {
        from->stalled = FALSE;
        from->channel->carrier->resume_input(from->channel);
    }
    leave(splice);
}

/* Tell the other side's peer too. Input that is left from this peer continues: the other side may take it now. */
static void on_write_closed(HelixChannel *channel)
{
    Half *half = channel->user_data;
    Splice *splice = half->splice;
    Half *from = other(half);

    splice->depth++;
    from->eof = TRUE;
    if (from->channel) {
        from->channel->carrier->shutdown_read(from->channel);
    }
    if (half->channel && half->stalled) {
        half->stalled = FALSE;
        half->channel->carrier->resume_input(half->channel);
    }
    leave(splice);
}

static void on_closed(HelixChannel *channel)
{
    Half *half = channel->user_data;
    Splice *splice = half->splice;

    splice->depth++;
    half->channel = NULL;
    half->cut = !half->eof;
    leave(splice);
}

static const HelixChannelUser splice_user = {
    .input = on_input,
    .input_eof = on_input_eof,
    .writable = on_writable,
    .write_closed = on_write_closed,
    .closed = on_closed,
};

void helix_splice(HelixChannel *a, HelixChannel *b)
{
    Splice *splice = g_new0(Splice, 1);

    splice->half[0] = (Half){ .splice = splice, .channel = a };
    splice->half[1] = (Half){ .splice = splice, .channel = b };
    helix_channel_attach(a, &splice_user, &splice->half[0]);
    helix_channel_attach(b, &splice_user, &splice->half[1]);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chain.c - a packet in a chain of virtqueue descriptors. */
#include "chain.h"

#include <string.h>

/* Position in a chain. */
typedef struct Cursor {
    const struct iovec *iov;
    guint left; /* descriptors from iov on */
    gsize at;
} Cursor;

gsize helix_vsock_chain_size(const struct iovec *iov, guint n)
{
    gsize size = 0;

    for (guint i = 0; i < n; i++) {
        if (iov[i].iov_len > (gsize)G_MAXSSIZE - size) {
            return G_MAXSSIZE;
        }
        size += iov[i].iov_len;
    }
    return size;
}

/* Copy @len bytes from the chain to @to or, if @to is NULL, from @from to the chain. The chain has that many. */
static void copy(Cursor *cursor, guint8 *to, const guint8 *from, gsize len)
{
    while (len && cursor->left) {
        gsize piece = MIN(len, cursor->iov->iov_len - cursor->at);

        if (piece && to) {
            memcpy(to, (const guint8 *)cursor->iov->iov_base + cursor->at, piece);
            to += piece;
        } else if (piece) {
            memcpy((guint8 *)cursor->iov->iov_base + cursor->at, from, piece);
            from += piece;
        }
        len -= piece;
        cursor->at += piece;
        if (cursor->at == cursor->iov->iov_len) {
            cursor->iov++;
            cursor->left--;
            cursor->at = 0;
        }
    }
    g_assert(!len);
}

gboolean helix_vsock_chain_take(const struct iovec *iov, guint n, HelixVsockHeader *header, guint8 *payload, gsize most,
                                gsize *len)
{
    gsize size = helix_vsock_chain_size(iov, n);
    Cursor cursor = { .iov = iov, .left = n };
    guint8 bytes[HELIX_VSOCK_HEADER_SIZE];

    *len = 0;
    if (size < sizeof bytes) {
        return FALSE;
    }
    copy(&cursor, bytes, NULL, sizeof bytes);
    helix_vsock_header_parse(header, bytes);
    if (header->len <= size - sizeof bytes && header->len <= most) {
        *len = header->len;
        copy(&cursor, payload, NULL, *len);
    }
    return TRUE;
}

gssize helix_vsock_chain_room(const struct iovec *iov, guint n)
{
    gsize size = helix_vsock_chain_size(iov, n);

    return size < HELIX_VSOCK_HEADER_SIZE ? -1 : (gssize)(size - HELIX_VSOCK_HEADER_SIZE);
}

gsize helix_vsock_chain_put(const struct iovec *iov, guint n, const HelixVsockHeader *header, const guint8 *payload,
                            gsize len)
{
    Cursor cursor = { .iov = iov, .left = n };
    guint8 bytes[HELIX_VSOCK_HEADER_SIZE];

    helix_vsock_header_write(header, bytes);
    copy(&cursor, NULL, bytes, sizeof bytes);
    copy(&cursor, NULL, payload, len);
    return sizeof bytes + len;
}

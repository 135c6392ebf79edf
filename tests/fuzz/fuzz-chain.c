/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-chain.c - a packet in a chain of descriptors cut anywhere, read and written, against the same bytes in one
 * piece; and the packet's header both ways.
 */
#include <string.h>

#include "fuzz.h"
#include "vsock/chain.h"

#define MOST_DESCRIPTORS 20u
#define MOST_PAYLOAD 600u

/* Cut @flat into descriptors, each in memory of its own size. */
static guint cut(Input *input, const guint8 *flat, gsize size, struct iovec *iov)
{
    guint n = 0;

    while (n < MOST_DESCRIPTORS) {
        gsize wanted = input_u8(input), piece = n + 1 < MOST_DESCRIPTORS ? MIN(size, wanted) : size;

        iov[n].iov_base = g_memdup2(flat, piece); /* NULL for an empty one */
        iov[n].iov_len = piece;
        n++;
        if (piece) { /* an empty input has no address to add to */
            flat += piece;
        }
        size -= piece;
        if (!size && input_u8(input) & 1) {
            break;
        }
    }
    return n;
}

static gsize join(const struct iovec *iov, guint n, guint8 *flat)
{
    gsize size = 0;

    for (guint i = 0; i < n; i++) {
        if (iov[i].iov_len) {
            memcpy(flat + size, iov[i].iov_base, iov[i].iov_len);
        }
        size += iov[i].iov_len;
    }
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input input = { data, size };
    struct iovec iov[MOST_DESCRIPTORS];
    guint8 again[HELIX_VSOCK_HEADER_SIZE];
    HelixVsockHeader header;
    gsize most = input_u16(&input) % MOST_PAYLOAD, flat_size, len = 1;
    g_autofree guint8 *flat = input_bytes(&input, input_u16(&input) % 1000, &flat_size);
    g_autofree guint8 *payload = g_malloc(most), *joined = g_malloc(flat_size);
    guint n = cut(&input, flat, flat_size, iov);
    gssize room = helix_vsock_chain_room(iov, n);

    g_assert_cmpuint(helix_vsock_chain_size(iov, n), ==, flat_size);
    g_assert_cmpint(room, ==,
                    flat_size < HELIX_VSOCK_HEADER_SIZE ? -1 : (gssize)flat_size - (gssize)HELIX_VSOCK_HEADER_SIZE);
    g_assert_true(helix_vsock_chain_take(iov, n, &header, payload, most, &len) == (room >= 0));
    if (room < 0) {
        g_assert_cmpuint(len, ==, 0);
    } else {
        helix_vsock_header_write(&header, again);
        g_assert_cmpmem(again, sizeof again, flat, sizeof again);
        g_assert_cmpuint(len, ==, header.len <= (gsize)room && header.len <= most ? header.len : 0);
        if (len) {
            g_assert_cmpmem(payload, len, flat + sizeof again, len);
        }
        len = MIN((gsize)room, most); /* as much as fits goes out, and what is behind it is left alone */
        g_assert_cmpuint(helix_vsock_chain_put(iov, n, &header, payload, len), ==, sizeof again + len);
        g_assert_cmpuint(join(iov, n, joined), ==, flat_size);
        g_assert_cmpmem(joined, sizeof again, again, sizeof again);
        if (len) {
            g_assert_cmpmem(joined + sizeof again, len, payload, len);
        }
        if (flat_size > sizeof again + len) {
            g_assert_cmpmem(joined + sizeof again + len, flat_size - sizeof again - len, flat + sizeof again + len,
                            flat_size - sizeof again - len);
        }
    }
    for (guint i = 0; i < n; i++) {
        g_free(iov[i].iov_base);
    }
    return 0;
}

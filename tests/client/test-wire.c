/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-wire.c - what hosts may send, right or wrong. */
#include <string.h>
#include "../../desktop/client/bytes.h"
#include "../../desktop/client/wire.h"
#include "cases.h"

TEST("/wire/responses", test_responses)
{
    guint8 bytes[HELIX_RESPONSE_SIZE + 64] = { 0 };
    ClientWireResponse response;

    /* Every length, with counts and sizes that promise more than is there. */
    for (guint32 count = 0; count < 4; count++) {
        for (guint64 size = 0; size <= G_MAXUINT32; size = size * 3 + 7) {
            put_u32(bytes + HELIX_RESPONSE_NAL_COUNT, count);
            put_u32(bytes + HELIX_RESPONSE_SIZE, (guint32)size);
            for (gsize len = 0; len <= sizeof(bytes); len++) {
                for (guint8 flags = 0; flags < 8; flags++) {
                    /* A copy of its own, so that a read past its end is seen by a sanitizer. */
                    GBytes *payload = g_bytes_new(bytes, len);

                    if (client_wire_parse_response(payload, flags, &response)) {
                        g_assert_cmpuint(len, >=, HELIX_RESPONSE_SIZE);
                        g_assert_true(response.dropped || g_bytes_get_size(response.unit) > 0);
                        g_clear_pointer(&response.unit, g_bytes_unref);
                    }
                    g_bytes_unref(payload);
                }
            }
        }
    }
}

/* Old hosts may send NAL units one by one, with start codes or without. */
TEST("/wire/nal-units", test_nal_units)
{
    const guint8 entries[] = { 2, 0, 0, 0, 0x67, 0x4d, 6, 0, 0, 0, 0, 0, 0, 1, 0x65, 0x88 };
    const guint8 expected[] = { 0, 0, 0, 1, 0x67, 0x4d, 0, 0, 0, 1, 0x65, 0x88 };
    guint8 bytes[HELIX_RESPONSE_SIZE + sizeof(entries)] = { 0 };
    GBytes *payload, *wanted = g_bytes_new_static(expected, sizeof(expected));
    ClientWireResponse response;

    put_u32(bytes + HELIX_RESPONSE_NAL_COUNT, 2);
    memcpy(bytes + HELIX_RESPONSE_SIZE, entries, sizeof(entries));
    payload = g_bytes_new_static(bytes, sizeof(bytes));
    g_assert_true(client_wire_parse_response(payload, 0, &response));
    g_assert_true(g_bytes_equal(response.unit, wanted));
    g_bytes_unref(response.unit);
    g_bytes_unref(payload);
    g_bytes_unref(wanted);
}

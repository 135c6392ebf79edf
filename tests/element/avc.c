/* SPDX-License-Identifier: GPL-2.0-or-later */
/* avc.c - byte streams as AVC: by hand, and whatever a host may send. */
#include <string.h>
#include "cases.h"
#include "../../desktop/gst-vsockenc/avc.h"

#define UNIT(...) g_bytes_new((const guint8[]){ __VA_ARGS__ }, sizeof((const guint8[]){ __VA_ARGS__ }))

static void check_bytes(GBytes *bytes, const guint8 *expected, gsize len)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);

    g_assert_cmpmem(data, size, expected, len);
    g_bytes_unref(bytes);
}

TEST("/avc/by-hand", test_by_hand)
{
    /* Start codes of 3 and 4 bytes, zeros behind a NAL unit, and an AUD first. */
    g_autoptr(GBytes) unit = UNIT(0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x67, 77, 0, 31, 1, 0, 0, 0, 1, 0x68, 2, 3, 0, 0, 0, 0,
                                  1, 0x65, 4, 0, 0, 3, 1, 5);
    static const guint8 record[] = { 1, 77, 0, 31, 0xff, 0xe1, 0, 5, 0x67, 77, 0, 31, 1, 1, 0, 3, 0x68, 2, 3 };
    static const guint8 stripped[] = { 0, 0, 0, 2, 9, 0xf0, 0, 0, 0, 7, 0x65, 4, 0, 0, 3, 1, 5 };
    static const guint8 whole[] = { 0, 0, 0,    2, 9, 0xf0, 0, 0, 0, 5,    0x67, 77, 0, 31, 1, 0, 0,
                                    0, 3, 0x68, 2, 3, 0,    0, 0, 7, 0x65, 4,    0,  0, 3,  1, 5 };

    g_assert_cmpmem(vsockenc_avc_find_profile(unit), 3, record + 1, 3);
    check_bytes(vsockenc_avc_config(unit), record, sizeof(record));
    check_bytes(vsockenc_avc_convert(unit, TRUE), stripped, sizeof(stripped));
    check_bytes(vsockenc_avc_convert(unit, FALSE), whole, sizeof(whole));
}

/* Clause 5.3.3.1.2: four more bytes, of 4:2:0 and 8 bits. */
TEST("/avc/high", test_high)
{
    g_autoptr(GBytes) unit = UNIT(0, 0, 1, 0x67, 100, 0, 40, 1, 0, 0, 1, 0x67, 100, 0, 40, 2, 0, 0, 1, 0x68, 1);
    static const guint8 record[] = { 1,    100, 0, 40, 0xff, 0xe2, 0, 5, 0x67, 100, 0,    40,   1,    0, 5,
                                     0x67, 100, 0, 40, 2,    1,    0, 2, 0x68, 1,   0xfd, 0xf8, 0xf8, 0 };

    check_bytes(vsockenc_avc_config(unit), record, sizeof(record));
}

static void check_no_config(GBytes *unit)
{
    g_assert_null(vsockenc_avc_config(unit));
    g_bytes_unref(unit);
}

TEST("/avc/incomplete", test_incomplete)
{
    check_no_config(g_bytes_new(NULL, 0));
    check_no_config(UNIT(0, 0, 1));
    check_no_config(UNIT(0, 0, 1, 0x67, 77, 0));
    check_no_config(UNIT(0, 0, 1, 0x67, 77, 0, 31));
    check_no_config(UNIT(0, 0, 1, 0x68, 2, 0, 0, 1, 0x65, 1));
    check_no_config(UNIT(0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1));
    check_no_config(UNIT(0x67, 77, 0, 31, 0x68, 1));
}

/* A reader that trusts nothing finds the NAL units of @unit by its lengths. */
static gsize check_lengths(GBytes *converted)
{
    gsize size, at = 0, n = 0;
    const guint8 *data = g_bytes_get_data(converted, &size);

    while (at < size) {
        gsize len;

        g_assert_cmpuint(size - at, >, 4);
        len = ((gsize)data[at] << 24) | ((gsize)data[at + 1] << 16) | ((gsize)data[at + 2] << 8) | data[at + 3];
        g_assert_cmpuint(len, >, 0);
        g_assert_cmpuint(len, <=, size - at - 4);
        at += 4 + len;
        n++;
    }
    return n;
}

/* Start codes as often as not, at every place: nothing is read beyond the end, and all lengths add up. */
TEST("/avc/random", test_random)
{
    static const guint8 likely[] = { 0, 0, 0, 1, 1, 0x67, 0x68, 0x65 };
    g_autoptr(GRand) random = g_rand_new_with_seed(16);

    for (guint i = 0; i < 20000; i++) {
        gsize len = (gsize)g_rand_int_range(random, 0, 48);
        guint8 *data = g_malloc(len);
        g_autoptr(GBytes) unit = NULL, whole = NULL, stripped = NULL, record = NULL;

        for (gsize k = 0; k < len; k++) {
            data[k] = likely[g_rand_int_range(random, 0, G_N_ELEMENTS(likely))];
        }
        unit = g_bytes_new_take(data, len);
        whole = vsockenc_avc_convert(unit, FALSE);
        stripped = vsockenc_avc_convert(unit, TRUE);
        record = vsockenc_avc_config(unit);
        g_assert_cmpuint(check_lengths(stripped), <=, check_lengths(whole));
        if (record) {
            g_assert_cmpuint(check_lengths(whole) - check_lengths(stripped), >=, 2);
        }
    }
}

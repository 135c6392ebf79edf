/* SPDX-License-Identifier: GPL-2.0-or-later */
/* annexb.c - see annexb.h. */
#include "annexb.h"
#include "../protocol/error.h"

static const guint8 start_code[4] = { 0, 0, 0, 1 };

gboolean helix_annexb_init(HelixAnnexB *annexb, guint length_size, gsize max_bytes, GError **error)
{
    *annexb = (HelixAnnexB){ .length_size = length_size, .max_bytes = max_bytes };
    if (length_size != 1 && length_size != 2 && length_size != 4) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "NAL unit length prefixes of %u bytes: must be 1, 2 or 4",
                    length_size);
        return FALSE;
    }
    annexb->out = g_byte_array_new();
    return TRUE;
}

static gboolean check_room(HelixAnnexB *annexb, guint64 more, GError **error)
{
    if (more > annexb->max_bytes || annexb->out->len > annexb->max_bytes - more) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE,
                    "access unit of more than %" G_GSIZE_FORMAT " bytes: reduce "
                    "the bitrate or the size",
                    annexb->max_bytes);
        return FALSE;
    }
    return TRUE;
}

gboolean helix_annexb_add_nal(HelixAnnexB *annexb, const guint8 *nal, gsize len, GError **error)
{
    g_return_val_if_fail(annexb->remaining == 0 && annexb->length_got == 0, FALSE);
    if (len == 0) {
        return TRUE;
    }
    if (!check_room(annexb, sizeof(start_code) + (guint64)len, error)) {
        return FALSE;
    }
    g_byte_array_append(annexb->out, start_code, sizeof(start_code));
    g_byte_array_append(annexb->out, nal, len);
    return TRUE;
}

static gboolean begin_nal(HelixAnnexB *annexb, GError **error)
{
    annexb->length_got = 0;
    if (annexb->remaining == 0) {
        return TRUE; /* an empty NAL unit has no form in a byte stream */
    }
    if (!check_room(annexb, sizeof(start_code) + annexb->remaining, error)) {
        return FALSE;
    }
    g_byte_array_append(annexb->out, start_code, sizeof(start_code));
    return TRUE;
}

gboolean helix_annexb_push(HelixAnnexB *annexb, const guint8 *data, gsize len, GError **error)
{
    while (len > 0) {
        if (annexb->remaining > 0 && annexb->length_got == 0) {
            gsize n = MIN(len, annexb->remaining);

            g_byte_array_append(annexb->out, data, n);
            annexb->remaining -= n;
            data += n;
            len -= n;
            continue;
        }
        annexb->remaining = annexb->remaining << 8 | *data++;
        len--;
        if (++annexb->length_got == annexb->length_size && !begin_nal(annexb, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

GBytes *helix_annexb_finish(HelixAnnexB *annexb, GError **error)
{
    GByteArray *out = g_steal_pointer(&annexb->out);

    if (annexb->remaining > 0 || annexb->length_got > 0 || out->len == 0) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "the encoder's data ends %s",
                    annexb->length_got > 0      ? "inside a NAL unit's length"
                        : annexb->remaining > 0 ? "inside a NAL unit"
                                                : "before the first NAL unit");
        g_byte_array_unref(out);
        return NULL;
    }
    return g_byte_array_free_to_bytes(out);
}

void helix_annexb_clear(HelixAnnexB *annexb)
{
    g_clear_pointer(&annexb->out, g_byte_array_unref);
}

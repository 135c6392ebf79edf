/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vaapi-output.c - see vaapi-output.h. */
#include "vaapi-output.h"
#include "../../protocol/error.h"

/* primary_pic_type (table 7-5): I in an IDR; I and P else. Then rbsp_trailing_bits(). */
#define AUD_I 0x10
#define AUD_P 0x30

static void append(GByteArray *out, const guint8 *nal, gsize size)
{
    static const guint8 start_code[] = { 0, 0, 0, 1 };

    g_byte_array_append(out, start_code, sizeof(start_code));
    g_byte_array_append(out, nal, (guint)size);
}

static gboolean append_sps(GByteArray *out, const HelixNal *nal, const HelixVui *vui)
{
    g_autoptr(GByteArray) sps = helix_h264_rewrite_sps(nal->data, nal->size, vui);

    if (sps) {
        append(out, sps->data, sps->len);
    }
    return sps != NULL;
}

static GBytes *fail(const char *what, GError **error)
{
    g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "the VA-API driver wrote an access unit %s", what);
    return NULL;
}

GBytes *helix_vaapi_finish_unit(GBytes *unit, const HelixEncoderConfig *config, gboolean *keyframe, GError **error)
{
    g_autoptr(GBytes) owned = unit;
    g_autoptr(GByteArray) out = NULL;
    gboolean has_sps = FALSE, has_slice = FALSE;
    gsize size, position = 0;
    const guint8 *data = g_bytes_get_data(unit, &size);
    HelixNal nal;

    *keyframe = FALSE;
    out = g_byte_array_sized_new((guint)size + 64);
    if (config->aud) {
        g_byte_array_append(out, (const guint8[]){ 0, 0, 0, 1, HELIX_NAL_AUD, AUD_P }, 6);
    }
    while (helix_h264_next_nal(data, size, &position, &nal)) {
        switch (nal.type) {
        case HELIX_NAL_AUD:
        case HELIX_NAL_SEI:
            break;
        case HELIX_NAL_SPS:
            if (!append_sps(out, &nal, &config->vui)) {
                return fail("whose SPS cannot be read", error);
            }
            has_sps = TRUE;
            break;
        default:
            has_slice |= nal.type == HELIX_NAL_SLICE || nal.type == HELIX_NAL_IDR;
            *keyframe |= nal.type == HELIX_NAL_IDR;
            append(out, nal.data, nal.size);
            break;
        }
    }
    if (!has_slice) {
        return fail("without a slice", error);
    }
    if (*keyframe && !has_sps) {
        return fail("with an IDR but no SPS", error);
    }
    if (*keyframe && config->aud) {
        out->data[5] = AUD_I;
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}

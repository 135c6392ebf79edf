/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vt-output.c - an access unit from a sample of VideoToolbox.
 *
 * The parameter sets are in the sample's format description, the NAL units in a block buffer, with length prefixes
 * instead of start codes and not always contiguous.
 */
#include "../../h264/annexb.h"
#include "encoder-videotoolbox.h"
#include "../../protocol/error.h"
#include "../../h264/h264.h"

#define NAL_TYPE_MASK 0x1f
#define USUAL_LENGTH_SIZE 4
/* H.264, 7.4.2.1.1 and 7.4.2.2: ids of 32 sequence and 256 picture parameter sets. */
#define MAX_PARAMETER_SETS (32 + 256)

static gboolean failed(GError **error, const char *what, OSStatus status)
{
    g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "VideoToolbox's sample has no %s (%d)", what, (int)status);
    return FALSE;
}

/* A sync sample (IDR) unless its attachments say otherwise. */
static gboolean is_key(CMSampleBufferRef sample)
{
    CFArrayRef attachments = CMSampleBufferGetSampleAttachmentsArray(sample, FALSE);
    CFBooleanRef not_sync;

    if (!attachments || CFArrayGetCount(attachments) == 0) {
        return TRUE;
    }
    not_sync = CFDictionaryGetValue(CFArrayGetValueAtIndex(attachments, 0), kCMSampleAttachmentKey_NotSync);
    return !not_sync || !CFBooleanGetValue(not_sync);
}

static gboolean add_parameter_set(HelixAnnexB *annexb, const HelixVui *vui, const guint8 *nal, gsize len,
                                  GError **error)
{
    g_autoptr(GByteArray) rewritten = NULL;

    if (len > 0 && (nal[0] & NAL_TYPE_MASK) == HELIX_NAL_SPS) {
        rewritten = helix_h264_rewrite_sps(nal, len, vui);
        if (!rewritten) {
            g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE,
                        "VideoToolbox's sequence parameter set of "
                        "%" G_GSIZE_FORMAT " bytes cannot be read",
                        len);
            return FALSE;
        }
        nal = rewritten->data;
        len = rewritten->len;
    }
    return helix_annexb_add_nal(annexb, nal, len, error);
}

/* On some systems the query of their number fails: then read them until there is none with the next index. */
static gboolean add_parameter_sets(HelixAnnexB *annexb, const HelixVui *vui, CMFormatDescriptionRef format,
                                   GError **error)
{
    size_t count = 0;
    gboolean counted = CMVideoFormatDescriptionGetH264ParameterSetAtIndex(format, 0, NULL, NULL, &count, NULL) == 0 &&
        count > 0;

    for (gsize i = 0; i < (counted ? count : MAX_PARAMETER_SETS); i++) {
        const uint8_t *nal = NULL;
        size_t len = 0;
        OSStatus status = CMVideoFormatDescriptionGetH264ParameterSetAtIndex(format, i, &nal, &len, NULL, NULL);

        if (status != 0 && !counted && i > 0) {
            return TRUE;
        }
        if (status != 0) {
            return failed(error, "parameter sets", status);
        }
        if (!add_parameter_set(annexb, vui, nal, len, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean add_data(HelixAnnexB *annexb, CMBlockBufferRef block, GError **error)
{
    size_t size = CMBlockBufferGetDataLength(block), pos = 0;

    while (pos < size) {
        size_t piece = 0;
        char *data = NULL;
        OSStatus status = CMBlockBufferGetDataPointer(block, pos, &piece, NULL, &data);

        if (status != kCMBlockBufferNoErr || piece == 0) {
            return failed(error, "readable data", status);
        }
        piece = MIN(piece, size - pos);
        if (!helix_annexb_push(annexb, (const guint8 *)data, piece, error)) {
            return FALSE;
        }
        pos += piece;
    }
    return TRUE;
}

gboolean helix_vt_output_read(CMSampleBufferRef sample, const HelixEncoderConfig *config, HelixAccessUnit *unit,
                              GError **error)
{
    static const guint8 any_slices[] = { HELIX_NAL_AUD, 0xf0 }; /* 7.3.2.4: primary_pic_type 7 */
    CMFormatDescriptionRef format = CMSampleBufferGetFormatDescription(sample);
    CMBlockBufferRef block = CMSampleBufferGetDataBuffer(sample);
    int length_size = 0;
    HelixAnnexB annexb;
    gboolean key = is_key(sample);

    if (!format || !block) {
        return failed(error, format ? "data" : "format description", 0);
    }
    if (CMVideoFormatDescriptionGetH264ParameterSetAtIndex(format, 0, NULL, NULL, NULL, &length_size) != 0) {
        length_size = USUAL_LENGTH_SIZE;
    }
    if (!helix_annexb_init(&annexb, length_size,
                           HELIX_MAX_RESPONSE_PAYLOAD - HELIX_RESPONSE_SIZE - HELIX_TIMING_SIZE - 4, error)) {
        return FALSE;
    }
    if ((config->aud && !helix_annexb_add_nal(&annexb, any_slices, sizeof(any_slices), error)) ||
        (key && !add_parameter_sets(&annexb, &config->vui, format, error)) || !add_data(&annexb, block, error)) {
        helix_annexb_clear(&annexb);
        return FALSE;
    }
    unit->data = helix_annexb_finish(&annexb, error);
    unit->keyframe = key;
    return unit->data != NULL;
}

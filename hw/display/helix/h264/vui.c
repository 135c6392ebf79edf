/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vui.c - video usability information: the values that ITU-T H.264 (08/2021), E.2.1 defines. */
#include "h264.h"

#define LAST_CHROMA_LOC 6u /* chroma_sample_loc_type 5, plus 1 */

HelixVui helix_h264_vui_resolve(HelixVui vui)
{
    if (vui.sar_width == 0 || vui.sar_height == 0) {
        vui.sar_width = vui.sar_height = 1;
    }
    vui.primaries = vui.primaries ? vui.primaries : HELIX_H264_BT709;
    vui.transfer = vui.transfer ? vui.transfer : HELIX_H264_BT709;
    vui.matrix = vui.matrix ? vui.matrix : HELIX_H264_BT709;
    vui.full_range = vui.full_range != 0;
    return vui;
}

/* 3 is reserved in each of tables E-3 to E-5. */
static gboolean is_listed(guint code, guint last)
{
    return code <= last && code != 3;
}

const char *helix_h264_vui_fault(const HelixVui *vui)
{
    if ((vui->sar_width == 0) != (vui->sar_height == 0)) {
        return "a sample aspect ratio has both sides, or neither for 1:1";
    }
    if (!is_listed(vui->primaries, 12) && vui->primaries != 22) {
        return "colour_primaries are 1, 2, 4 to 12 or 22 (table E-3), or 0 for BT.709";
    }
    if (!is_listed(vui->transfer, 18)) {
        return "transfer_characteristics are 1, 2 or 4 to 18 (table E-4), or 0 for BT.709";
    }
    if (!is_listed(vui->matrix, 14)) {
        return "matrix_coefficients are 1, 2 or 4 to 14 (table E-5), or 0 for BT.709";
    }
    return vui->chroma_loc > LAST_CHROMA_LOC ? "a chroma location is 1 to 6, chroma_sample_loc_type plus 1, or 0"
                                             : NULL;
}

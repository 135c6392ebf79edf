/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sps.h - a sequence parameter set: what it says, and the same one rewritten for a stream without delay.
 *
 * Hardware encoders leave out bitstream_restriction (H.264, E.1.1), and a decoder must then expect pictures to come
 * reordered: it holds back a whole decoded picture buffer of them. The rewritten set says that none are.
 */
#ifndef HELIX_SPS_H
#define HELIX_SPS_H

#include <glib.h>

/* H.264, 7.3.2.1.1 and E.1.1: the elements that anyone here asks for. */
typedef struct HelixSps {
    guint8 profile_idc;
    guint8 constraint_flags;    /* constraint_set0_flag is the highest bit */
    guint8 level_idc;
    guint32 id;
    guint32 chroma_format_idc;
    guint32 bit_depth_luma, bit_depth_chroma;
    guint32 pic_order_cnt_type;
    guint32 max_num_ref_frames;
    gboolean frame_mbs_only;
    guint32 coded_width, coded_height;  /* whole macroblocks, luma samples */
    guint32 width, height;      /* after cropping */
    gboolean vui_present;
    gboolean signal_type_present, colour_present;
    guint8 video_format, full_range;
    guint8 primaries, transfer, matrix; /* 2, unspecified, if not present */
    gboolean bitstream_restriction;
    guint32 max_num_reorder_frames, max_dec_frame_buffering;    /* valid with bitstream_restriction */
} HelixSps;

/*
 * Read the set in NAL unit @nal (header byte first, no start code). FALSE with HELIX_ERROR (HELIX_CODE_ENCODE) if it is no
 * SPS, ends too early, or holds values that H.264 does not allow.
 */
gboolean helix_sps_parse(const guint8 *nal, gsize len, HelixSps *sps, GError **error);

/*
 * The set in @nal once more, with BT.709 colour description, and bitstream_restriction that allows no reordering and buffers
 * as many frames as are referred to. The range flag and every other element keep their bits. Only for streams whose encoder
 * was told not to reorder. NULL with an error as above. The caller frees it.
 */
GByteArray *helix_sps_rewrite(const guint8 *nal, gsize len, GError **error);

#endif

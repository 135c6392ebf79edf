/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * colours.h - colorimetry, chroma site and pixel aspect ratio of caps as the H.264 VUI, and back; conversion of
 * pictures to BT.709 for hosts that write no other VUI.
 *
 * No state: any thread.
 */
#ifndef VSOCKENC_COLOURS_H
#define VSOCKENC_COLOURS_H

#include <gst/video/video.h>
#include "../client/helix-client.h"

/* What the SPS is to say of pictures of @info. Of RGB, which the host converts to BT.709 in limited range, the shape
 * alone. */
HelixClientVui vsockenc_colours_vui(const GstVideoInfo *info);
/* The same of pixels of @width to @height. */
void vsockenc_colours_set_shape(HelixClientVui *vui, gint width, gint height);
/* The colorimetry of a stream whose SPS says @vui. */
GstVideoColorimetry vsockenc_colours_of(const HelixClientVui *vui);

/* Whether the SPS of a host that cannot be told of colours is right about @info: RGB, BT.709 in limited range, or not
 * known. */
gboolean vsockenc_colours_are_usual(const GstVideoInfo *info);

/*
 * @buffer, NV12 or I420 of @from, as NV12 in BT.709's matrix and limited range: a new buffer of @to, which is filled
 * in, with its metas but for those of its layout. Primaries and transfer function stay what they are, as videoconvert
 * leaves them. (GstVideoConverter itself copies samples as they are where the range alone differs.) NULL with an error
 * of GST_STREAM_ERROR or GST_RESOURCE_ERROR.
 */
GstBuffer *vsockenc_colours_convert(const GstVideoInfo *from, GstBuffer *buffer, GstVideoInfo *to, GError **error);

#endif

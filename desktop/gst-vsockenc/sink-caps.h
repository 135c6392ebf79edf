/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sink-caps.h - the caps that the sink pad takes. */
#ifndef VSOCKENC_SINK_CAPS_H
#define VSOCKENC_SINK_CAPS_H

#include <gst/video/gstvideoencoder.h>

#define RGB_FORMATS "{ BGRx, BGRA, RGBx, RGBA }"
/* No field coding: what is interlaced has to be deinterlaced first. */
#define OF_SIZE(caps, width, height) \
    caps ", width = (int) [ 1, " #width " ], height = (int) [ 1, " #height " ], framerate = (fraction) [ 0, max ], " \
         "interlace-mode = (string) progressive"
/* H.264 has no level for more than 139264 macroblocks (table A-1); the host takes 8192 pixels a side. Caps know
 * rectangles only. */
#define OF_ANY_SIZE(caps) OF_SIZE(caps, 8192, 4352) "; " OF_SIZE(caps, 4352, 8192) "; " OF_SIZE(caps, 5968, 5968)

/* What the guest's CPU converts while it copies: last, so that sources that can draw in another do. */
#define CONVERTED_FORMATS \
    "{ YV12, NV21, YUY2, UYVY, Y42B, Y444, GRAY8, P010_10LE, BGR, RGB, xRGB, ARGB, xBGR, ABGR, RGB16, " \
    "BGR10A2_LE, RGB10A2_LE }"

/* System memory. */
#define PLAIN_CAPS \
    OF_ANY_SIZE("video/x-raw, format = (string) " RGB_FORMATS) \
    "; " OF_ANY_SIZE("video/x-raw, format = (string) { NV12, I420 }") "; " OF_ANY_SIZE( \
        "video/x-raw, format = (string) " CONVERTED_FORMATS)

/* GstVideoEncoder.getcaps: the template, less DMA-BUFs where they cannot be used. To be unreffed. Any thread. */
GstCaps *vsockenc_getcaps(GstVideoEncoder *encoder, GstCaps *filter);
/* The elements that convert @caps, which are not accepted, into some that are. Static. */
const char *vsockenc_sink_caps_advice(const GstCaps *caps);

#endif

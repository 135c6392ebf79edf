/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upstream-source.h - what is known of the sources that DMA-BUFs come from. */
#ifndef VSOCKENC_UPSTREAM_SOURCE_H
#define VSOCKENC_UPSTREAM_SOURCE_H

#include <gst/gst.h>

/*
 * Why the source behind @sinkpad must not be offered DMA-BUF caps, though it claims to know them; NULL if there is no
 * reason. Static text. Any thread.
 */
const char *vsockenc_upstream_without_dmabuf(GstPad *sinkpad);

#endif

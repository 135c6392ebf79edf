/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vaapi-session.h - an open encoder of libavcodec's "h264_vaapi": the render node that it runs on, and how much of the
 * configuration that node's driver can do.
 *
 * On the encode thread of one stream. libva is loaded by libavutil; nothing here links to it.
 */
#ifndef HELIX_VAAPI_SESSION_H
#define HELIX_VAAPI_SESSION_H

#include "../libav-context.h"

/*
 * Open an encoder for @config, and write what is in force back into it. Each render node is tried in the order of
 * names, or only the one set by helix_encoder_set_render_node(). On a node, what drivers may lack is given up in this
 * order: the usual entry point for the low-power one, then the rate control asked for, for the other of CBR and VBR,
 * then for a constant QP. Surfaces are NV12, of whole macroblocks. NULL with HELIX_ERROR (HELIX_CODE_NO_ENCODER: no
 * node or no driver that encodes; HELIX_CODE_ENCODE: it refuses this configuration).
 */
AVCodecContext *helix_vaapi_session_open(HelixEncoderConfig *config, GError **error);

/* TRUE if libavcodec has h264_vaapi and there is a render node to try. FALSE with HELIX_CODE_NO_ENCODER. */
gboolean helix_vaapi_session_possible(GError **error);

#endif

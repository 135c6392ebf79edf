/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* downstream-caps.h - the profile, level and stream format that downstream's caps ask for. */
#ifndef VSOCKENC_DOWNSTREAM_CAPS_H
#define VSOCKENC_DOWNSTREAM_CAPS_H

#include <gst/gst.h>
#include "../client/helix-client.h"
#include "avc.h"

/*
 * The profile: the best that downstream of @srcpad takes. The level: its highest if that is below 3.1, its lowest if
 * that is above, else 0: the host decides. Of several structures the first counts, as downstream prefers it.
 */
void vsockenc_ask_downstream(GstPad *srcpad, HelixClientConfig *config);
/* The profile to put into the caps of a stream of @profile: a lower profile's stream is one of the higher ones too. */
const char *vsockenc_profile_for_downstream(GstPad *srcpad, const char *profile);
/* The stream format: byte-stream wherever downstream takes it, as each of its access units can be decoded without the
 * caps; else avc, else avc3. */
VsockEncStreamFormat vsockenc_stream_format_for_downstream(GstPad *srcpad);
const char *vsockenc_stream_format_name(VsockEncStreamFormat format);
/* Whether there is a muxer or a file sink downstream of @srcpad, and so a film in which one seeks. */
gboolean vsockenc_downstream_writes_files(GstPad *srcpad);

#endif

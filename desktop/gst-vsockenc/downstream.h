/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* downstream.h - the profile and level that downstream's caps ask for. */
#ifndef VSOCKENC_DOWNSTREAM_H
#define VSOCKENC_DOWNSTREAM_H

#include <gst/gst.h>
#include "../client/helix-client.h"

/*
 * The best profile that downstream of @srcpad takes; and its highest level if that is below what the host would code
 * without being asked, its smallest if that is above; 0 where it takes any. Of several structures the first counts: it
 * is the one preferred.
 */
void vsockenc_ask_downstream(GstPad *srcpad, HelixClientConfig *config);
/* What downstream has to be told of a stream of @profile: a lower profile's stream is one of the higher ones too. */
const char *vsockenc_profile_for_downstream(GstPad *srcpad, const char *profile);

#endif

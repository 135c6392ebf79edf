/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream-config.c - how a CONFIG_REQ changes the configuration of a stream. */
#include "stream-config.h"

HelixStreamConfig helix_config_request_merge(const HelixStreamConfig *before, const HelixConfigRequest *request)
{
    const HelixStreamConfig *asked = &request->config;
    HelixStreamConfig merged = request->is_long ? *asked : *before;

    merged.width = asked->width;
    merged.height = asked->height;
    merged.realtime = asked->realtime;
    merged.bitrate = asked->bitrate ? asked->bitrate : before->bitrate;
    merged.fps_num = asked->fps_num ? asked->fps_num : before->fps_num;
    merged.fps_den = asked->fps_num ? asked->fps_den : before->fps_den;
    merged.profile = asked->profile ? asked->profile : before->profile;
    merged.level = asked->level ? asked->level : before->level;
    merged.letterbox = request->has_vui ? asked->letterbox : before->letterbox;
    merged.vui = request->has_vui ? asked->vui : before->vui;
    return merged;
}

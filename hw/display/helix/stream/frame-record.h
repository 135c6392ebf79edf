/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame-record.h - the times, sizes and outcome of one frame, for statistics and tracing. */
#ifndef HELIX_FRAME_RECORD_H
#define HELIX_FRAME_RECORD_H

#include <glib.h>
#include "../frame/surface.h"

/* Stages of one frame, for tracing; times are ns of the monotonic clock. */
typedef struct HelixFrameRecord {
    guint64 connection; /* counts from 1 */
    guint16 session_id;
    guint32 resource_id;
    gint64 pts;
    gint64 received_ns;  /* request complete */
    gint64 lookup_ns;    /* look-up begun */
    gint64 resolved_ns;  /* look-up and copy done */
    gint64 submitted_ns; /* conversion done, handed to the encoder */
    gint64 encoded_ns;   /* encoder done */
    gint64 returned_ns;  /* last byte handed to the transport */
    HelixHostPath path;
    guint64 cpu_bytes;
    gsize bytes; /* of the access unit */
    gboolean keyframe, dropped;
    int error; /* 0, or the HELIX_CODE_ it was answered with */
} HelixFrameRecord;

/* docs/architecture.md, "Stages", defines where each begins and ends. */
typedef enum HelixStage {
    HELIX_STAGE_QUEUED,
    HELIX_STAGE_RESOLVED,
    HELIX_STAGE_ENCODED,
    HELIX_STAGE_RETURNED,
    HELIX_N_STAGES
} HelixStage;

/* Microseconds that each stage of a frame took; 0 for a stage that was not completed. */
void helix_frame_stages(const HelixFrameRecord *record, guint64 us[HELIX_N_STAGES]);

static inline gint64 helix_now_ns(void)
{
    return g_get_monotonic_time() * 1000;
}

#endif

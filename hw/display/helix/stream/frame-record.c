/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame-record.c - how long each stage of a frame took. */
#include "frame-record.h"

static guint64 between(gint64 from_ns, gint64 to_ns)
{
    return from_ns && to_ns > from_ns ? (guint64)(to_ns - from_ns) / 1000 : 0;
}

void helix_frame_stages(const HelixFrameRecord *record, guint64 us[HELIX_N_STAGES])
{
    us[HELIX_STAGE_QUEUED] = between(record->received_ns, record->lookup_ns);
    us[HELIX_STAGE_RESOLVED] = between(record->lookup_ns, record->submitted_ns);
    us[HELIX_STAGE_ENCODED] = between(record->submitted_ns, record->encoded_ns);
    us[HELIX_STAGE_RETURNED] = between(record->encoded_ns, record->returned_ns);
}

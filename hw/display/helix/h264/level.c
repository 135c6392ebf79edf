/* SPDX-License-Identifier: GPL-2.0-or-later */
/* level.c - levels of ITU-T H.264 (08/2021), annex A.3 and table A-1. */
#include "h264.h"

/* Table A-1 without 1b: level times 10, MaxMBPS, MaxFS, MaxBR in 1000 bit/s. */
static const struct {
    guint level;
    guint32 mb_rate, frame_mbs, kbit_rate;
} levels[] = {
    { 10, 1485, 99, 64 },
    { 11, 3000, 396, 192 },
    { 12, 6000, 396, 384 },
    { 13, 11880, 396, 768 },
    { 20, 11880, 396, 2000 },
    { 21, 19800, 792, 4000 },
    { 22, 20250, 1620, 4000 },
    { 30, 40500, 1620, 10000 },
    { 31, 108000, 3600, 14000 },
    { 32, 216000, 5120, 20000 },
    { 40, 245760, 8192, 20000 },
    { 41, 245760, 8192, 50000 },
    { 42, 522240, 8704, 50000 },
    { 50, 589824, 22080, 135000 },
    { 51, 983040, 36864, 240000 },
    { 52, 2073600, 36864, 240000 },
    { 60, 4177920, 139264, 240000 },
    { 61, 8355840, 139264, 480000 },
    { 62, 16711680, 139264, 800000 },
};

gboolean helix_h264_level_known(guint level)
{
    for (guint i = 0; i < G_N_ELEMENTS(levels); i++) {
        if (levels[i].level == level) {
            return TRUE;
        }
    }
    return FALSE;
}

guint helix_h264_level(guint32 width, guint32 height, guint32 fps_num, guint32 fps_den, guint64 bitrate, guint profile,
                       guint at_least)
{
    guint64 mb_width = ((guint64)width + 15) / 16, mb_height = ((guint64)height + 15) / 16, mbs = mb_width * mb_height;
    guint64 bits_per_kbit = profile == HELIX_PROFILE_HIGH ? 1250 : 1000; /* cpbBrVclFactor, table A-2 */
    guint fits_size = 0;

    for (guint i = 0; i < G_N_ELEMENTS(levels); i++) {
        guint64 frame_mbs = levels[i].frame_mbs;

        /* A.3.1: each side is at most the root of eight times MaxFS */
        if (mbs > frame_mbs || mb_width * mb_width > 8 * frame_mbs || mb_height * mb_height > 8 * frame_mbs) {
            continue;
        }
        fits_size = levels[i].level;
        if (fits_size >= at_least && mbs * fps_num <= (guint64)levels[i].mb_rate * fps_den &&
            bitrate <= levels[i].kbit_rate * bits_per_kbit) {
            return fits_size;
        }
    }
    return fits_size;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settings.h - what a user asks of the encoder and what the host says is in force: the properties that go to the host.
 *
 * No lock of its own: with the element's object lock.
 */
#ifndef VSOCKENC_SETTINGS_H
#define VSOCKENC_SETTINGS_H

#include "../client/wire.h"

typedef enum VsockSetting {
    VSOCK_SETTING_BITRATE,      /* kbit/s; 0 automatic */
    VSOCK_SETTING_MAX_BITRATE,  /* kbit/s; 0 none */
    VSOCK_SETTING_RATE_CONTROL, /* HELIX_RATE_ */
    VSOCK_SETTING_KEY_INT_MAX,  /* frames; 0 none */
    VSOCK_SETTING_MIN_QP,       /* 0 automatic, like the next two */
    VSOCK_SETTING_MAX_QP,
    VSOCK_SETTING_NUM_SLICES,
    VSOCK_SETTING_AUD,
    VSOCK_N_SETTINGS
} VsockSetting;

typedef struct VsockSettings {
    guint asked[VSOCK_N_SETTINGS];
    guint64 asked_at[VSOCK_N_SETTINGS]; /* the serial it was set at */
    guint accepted[VSOCK_N_SETTINGS];   /* what was asked when the host last agreed */
    guint in_force[VSOCK_N_SETTINGS];   /* the host's word */
    guint64 serial;                     /* counts changes */
    guint64 told;                       /* up to here the host was told */
    guint64 agreed;                     /* up to here it said what is in force; 0: nothing yet */
} VsockSettings;

void vsock_settings_set(VsockSettings *settings, VsockSetting setting, guint value);
/* In force, or what was asked for where the host has not answered that yet. */
guint vsock_settings_get(const VsockSettings *settings, VsockSetting setting);
/* Is there anything that the host was not told? */
gboolean vsock_settings_changed(const VsockSettings *settings);
/* Write what is asked for to @config, and count it as told. */
void vsock_settings_tell(VsockSettings *settings, VsockConfig *config);
/* The host took @asked and says that @config is in force. */
void vsock_settings_agree(VsockSettings *settings, const VsockConfig *asked, const VsockConfig *config);
/* The host refused @asked: what it changed is as before again. */
void vsock_settings_refuse(VsockSettings *settings, const VsockConfig *asked);
/* A new host, which knows nothing. What was asked for stays. */
void vsock_settings_reset(VsockSettings *settings);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settings.h - what a user asks of the encoder and what the host says is in force: the properties that go to the host.
 *
 * No lock of its own: with the element's object lock.
 */
#ifndef VSOCKENC_SETTINGS_H
#define VSOCKENC_SETTINGS_H

#include "../client/helix-client.h"

typedef enum VsockEncSetting {
    VSOCKENC_SETTING_BITRATE,      /* kbit/s; 0 automatic */
    VSOCKENC_SETTING_MAX_BITRATE,  /* kbit/s; 0 none */
    VSOCKENC_SETTING_RATE_CONTROL, /* HelixClientRateControl */
    VSOCKENC_SETTING_KEY_INT_MAX,  /* frames; 0 none */
    VSOCKENC_SETTING_MIN_QP,       /* 0 automatic, like the next two */
    VSOCKENC_SETTING_MAX_QP,
    VSOCKENC_SETTING_NUM_SLICES,
    VSOCKENC_SETTING_AUD,
    VSOCKENC_N_SETTINGS
} VsockEncSetting;

typedef struct VsockEncSettings {
    guint asked[VSOCKENC_N_SETTINGS];
    guint64 asked_at[VSOCKENC_N_SETTINGS]; /* the serial when it was set */
    guint accepted[VSOCKENC_N_SETTINGS];   /* what was asked when the host last negotiated */
    guint active[VSOCKENC_N_SETTINGS];     /* in force, as the host reported */
    guint64 serial;                        /* counts changes */
    guint64 told;                          /* serial up to which the host was told */
    guint64 negotiated;                    /* serial up to which it has answered; 0: not yet */
} VsockEncSettings;

void vsockenc_settings_set(VsockEncSettings *settings, VsockEncSetting setting, guint value);
/* In force, or what was asked for where the host has not answered that yet. */
guint vsockenc_settings_get(const VsockEncSettings *settings, VsockEncSetting setting);
/* Is there anything that the host was not told? */
gboolean vsockenc_settings_changed(const VsockEncSettings *settings);
/* Write what is asked for to @config, and count it as told. */
void vsockenc_settings_tell(VsockEncSettings *settings, HelixClientConfig *config);
/* The host took @asked and says that @config is in force. */
void vsockenc_settings_accept(VsockEncSettings *settings, const HelixClientConfig *asked,
                              const HelixClientConfig *config);
/* The host refused @asked: what it changed is as before again. */
void vsockenc_settings_refuse(VsockEncSettings *settings, const HelixClientConfig *asked);
/* A new host, which knows nothing. What was asked for stays. */
void vsockenc_settings_reset(VsockEncSettings *settings);

#endif

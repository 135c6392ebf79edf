/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings.c - see settings.h. */
#include <string.h>
#include "settings.h"

void vsockenc_settings_set(VsockEncSettings *settings, VsockEncSetting setting, guint value)
{
    settings->asked[setting] = value;
    settings->asked_at[setting] = ++settings->serial;
}

guint vsockenc_settings_get(const VsockEncSettings *settings, VsockEncSetting setting)
{
    gboolean known = settings->negotiated && settings->asked_at[setting] <= settings->negotiated;

    return known ? settings->active[setting] : settings->asked[setting];
}

gboolean vsockenc_settings_changed(const VsockEncSettings *settings)
{
    return settings->told < settings->serial;
}

/* The wire has 32 bits for it. */
static guint32 bit_per_second(guint kbps)
{
    return MIN(kbps, G_MAXUINT32 / 1000) * 1000;
}

void vsockenc_settings_tell(VsockEncSettings *settings, HelixClientConfig *config)
{
    const guint *asked = settings->asked;

    config->bitrate = bit_per_second(asked[VSOCKENC_SETTING_BITRATE]);
    config->max_bitrate = bit_per_second(asked[VSOCKENC_SETTING_MAX_BITRATE]);
    config->rate_control = (guint8)asked[VSOCKENC_SETTING_RATE_CONTROL];
    config->key_int_max = asked[VSOCKENC_SETTING_KEY_INT_MAX];
    config->min_qp = (guint8)asked[VSOCKENC_SETTING_MIN_QP];
    config->max_qp = (guint8)asked[VSOCKENC_SETTING_MAX_QP];
    config->slices = (guint8)asked[VSOCKENC_SETTING_NUM_SLICES];
    config->aud = (guint8)asked[VSOCKENC_SETTING_AUD];
    config->tag = settings->told = MAX(settings->serial, 1);
    settings->serial = config->tag;
}

static void read_config(guint *values, const HelixClientConfig *config)
{
    values[VSOCKENC_SETTING_BITRATE] = config->bitrate / 1000;
    values[VSOCKENC_SETTING_MAX_BITRATE] = config->max_bitrate / 1000;
    values[VSOCKENC_SETTING_RATE_CONTROL] = MIN(config->rate_control, HELIX_CLIENT_RATE_CQP);
    values[VSOCKENC_SETTING_KEY_INT_MAX] = config->key_int_max;
    values[VSOCKENC_SETTING_MIN_QP] = MIN(config->min_qp, 51);
    values[VSOCKENC_SETTING_MAX_QP] = MIN(config->max_qp, 51);
    values[VSOCKENC_SETTING_NUM_SLICES] = config->slices;
    values[VSOCKENC_SETTING_AUD] = config->aud != 0;
}

void vsockenc_settings_accept(VsockEncSettings *settings, const HelixClientConfig *asked,
                              const HelixClientConfig *config)
{
    settings->negotiated = asked->tag;
    read_config(settings->accepted, asked);
    read_config(settings->active, config);
}

void vsockenc_settings_refuse(VsockEncSettings *settings, const HelixClientConfig *asked)
{
    guint refused[VSOCKENC_N_SETTINGS];

    read_config(refused, asked);
    for (guint i = 0; i < VSOCKENC_N_SETTINGS; i++) {
        gboolean still_asked = settings->asked_at[i] <= asked->tag;

        if (still_asked && refused[i] != settings->accepted[i]) {
            settings->asked[i] = settings->accepted[i];
            settings->asked_at[i] = settings->negotiated;
        }
    }
}

void vsockenc_settings_reset(VsockEncSettings *settings)
{
    settings->told = settings->negotiated = 0;
    settings->serial = MAX(settings->serial, 1);
    memset(settings->accepted, 0, sizeof(settings->accepted));
}

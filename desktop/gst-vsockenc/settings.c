/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings.c - see settings.h. */
#include <string.h>
#include "settings.h"

void vsock_settings_set(VsockSettings *settings, VsockSetting setting, guint value)
{
    settings->asked[setting] = value;
    settings->asked_at[setting] = ++settings->serial;
}

guint vsock_settings_get(const VsockSettings *settings, VsockSetting setting)
{
    gboolean known = settings->agreed && settings->asked_at[setting] <= settings->agreed;

    return known ? settings->in_force[setting] : settings->asked[setting];
}

gboolean vsock_settings_changed(const VsockSettings *settings)
{
    return settings->told < settings->serial;
}

/* The wire has 32 bits for it. */
static guint32 bit_per_second(guint kbps)
{
    return MIN(kbps, G_MAXUINT32 / 1000) * 1000;
}

void vsock_settings_tell(VsockSettings *settings, VsockConfig *config)
{
    const guint *asked = settings->asked;

    config->bitrate = bit_per_second(asked[VSOCK_SETTING_BITRATE]);
    config->max_bitrate = bit_per_second(asked[VSOCK_SETTING_MAX_BITRATE]);
    config->rate_control = (guint8)asked[VSOCK_SETTING_RATE_CONTROL];
    config->key_int_max = asked[VSOCK_SETTING_KEY_INT_MAX];
    config->min_qp = (guint8)asked[VSOCK_SETTING_MIN_QP];
    config->max_qp = (guint8)asked[VSOCK_SETTING_MAX_QP];
    config->slices = (guint8)asked[VSOCK_SETTING_NUM_SLICES];
    config->aud = (guint8)asked[VSOCK_SETTING_AUD];
    config->serial = settings->told = MAX(settings->serial, 1);
    settings->serial = config->serial;
}

static void read_config(guint *values, const VsockConfig *config)
{
    values[VSOCK_SETTING_BITRATE] = config->bitrate / 1000;
    values[VSOCK_SETTING_MAX_BITRATE] = config->max_bitrate / 1000;
    values[VSOCK_SETTING_RATE_CONTROL] = MIN(config->rate_control, HELIX_RATE_CQP);
    values[VSOCK_SETTING_KEY_INT_MAX] = config->key_int_max;
    values[VSOCK_SETTING_MIN_QP] = MIN(config->min_qp, 51);
    values[VSOCK_SETTING_MAX_QP] = MIN(config->max_qp, 51);
    values[VSOCK_SETTING_NUM_SLICES] = config->slices;
    values[VSOCK_SETTING_AUD] = config->aud != 0;
}

void vsock_settings_agree(VsockSettings *settings, const VsockConfig *asked, const VsockConfig *config)
{
    settings->agreed = asked->serial;
    read_config(settings->accepted, asked);
    read_config(settings->in_force, config);
}

void vsock_settings_refuse(VsockSettings *settings, const VsockConfig *asked)
{
    guint refused[VSOCK_N_SETTINGS];

    read_config(refused, asked);
    for (guint i = 0; i < VSOCK_N_SETTINGS; i++) {
        gboolean still_asked = settings->asked_at[i] <= asked->serial;

        if (still_asked && refused[i] != settings->accepted[i]) {
            settings->asked[i] = settings->accepted[i];
            settings->asked_at[i] = settings->agreed;
        }
    }
}

void vsock_settings_reset(VsockSettings *settings)
{
    settings->told = settings->agreed = 0;
    settings->serial = MAX(settings->serial, 1);
    memset(settings->accepted, 0, sizeof(settings->accepted));
}

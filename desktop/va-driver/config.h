/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config.h - a configuration: profile, entry point, and the attributes that the client chose. */
#ifndef HELIX_VA_CONFIG_H
#define HELIX_VA_CONFIG_H

#include "driver.h"

typedef struct HvaConfig {
    HvaObject object;
    VAProfile profile;
    VAEntrypoint entrypoint;
    guint32 rt_format;      /* VA_RT_FORMAT_ bits */
    guint32 rate_control;   /* one VA_RC_ bit; of encoders */
    guint32 packed_headers; /* VA_ENC_PACKED_HEADER_ bits that the client chose: accepted, and dropped */
} HvaConfig;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HvaConfig, hva_unref)

static inline gboolean hva_config_encodes(const HvaConfig *config)
{
    return config->entrypoint == VAEntrypointEncSlice;
}

/* Whether the driver has that profile with that entry point; else what VA says. */
VAStatus hva_profile_check(VAProfile profile, VAEntrypoint entrypoint);
/* profile_idc of H.264, clause A.2; 0: not a profile of an encoder. */
guint8 hva_profile_idc(VAProfile profile);
/* The value of an attribute, VA_ATTRIB_NOT_SUPPORTED included. */
guint32 hva_attribute(const HvaDriver *driver, VAEntrypoint entrypoint, VAConfigAttribType type);
/* Attributes that the driver has; more than any query returns. */
#define HVA_MAX_ATTRIBUTES 16
/* @attributes: room for HVA_MAX_ATTRIBUTES. Returns how many. */
guint hva_attributes(const HvaDriver *driver, VAEntrypoint entrypoint, VAConfigAttrib *attributes);

#endif

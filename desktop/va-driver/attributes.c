/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attributes.c - profiles, entry points, and what their attributes are. */
#include "config.h"
#include "formats.h"
#include "vtable.h"

static const struct {
    VAProfile profile;
    guint8 idc;
} profiles[] = {
    { VAProfileH264ConstrainedBaseline, 66 },
    { VAProfileH264Main, 77 },
    { VAProfileH264High, 100 },
    { VAProfileNone, 0 },
};

/* MaxSlices: what the host's encoders give rows to in pictures of any size. */
#define MAX_SLICES 8u

static const VAConfigAttribType encode_types[] = {
    VAConfigAttribRTFormat,        VAConfigAttribRateControl,      VAConfigAttribEncPackedHeaders,
    VAConfigAttribEncMaxRefFrames, VAConfigAttribEncMaxSlices,     VAConfigAttribEncSliceStructure,
    VAConfigAttribMaxPictureWidth, VAConfigAttribMaxPictureHeight, VAConfigAttribPredictionDirection,
};
static const VAConfigAttribType process_types[] = { VAConfigAttribRTFormat };

guint8 hva_profile_idc(VAProfile profile)
{
    for (guint i = 0; i < G_N_ELEMENTS(profiles); i++) {
        if (profiles[i].profile == profile) {
            return profiles[i].idc;
        }
    }
    return 0;
}

static VAEntrypoint entrypoint_of(VAProfile profile)
{
    return profile == VAProfileNone ? VAEntrypointVideoProc : VAEntrypointEncSlice;
}

VAStatus hva_profile_check(VAProfile profile, VAEntrypoint entrypoint)
{
    if (profile != VAProfileNone && hva_profile_idc(profile) == 0) {
        return VA_STATUS_ERROR_UNSUPPORTED_PROFILE;
    }
    return entrypoint == entrypoint_of(profile) ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_UNSUPPORTED_ENTRYPOINT;
}

static guint32 encode_attribute(const HvaDriver *driver, VAConfigAttribType type)
{
    switch ((int)type) {
    case VAConfigAttribRTFormat:
        return VA_RT_FORMAT_YUV420;
    case VAConfigAttribRateControl:
        return VA_RC_CQP | VA_RC_CBR | VA_RC_VBR;
    case VAConfigAttribEncPackedHeaders:
        return driver->settings.packed_headers ? VA_ENC_PACKED_HEADER_SEQUENCE | VA_ENC_PACKED_HEADER_PICTURE |
                VA_ENC_PACKED_HEADER_SLICE | VA_ENC_PACKED_HEADER_RAW_DATA
                                               : VA_ENC_PACKED_HEADER_NONE;
    case VAConfigAttribEncMaxRefFrames:
        return 1; /* list 0; list 1, in the upper half, has none */
    case VAConfigAttribEncMaxSlices:
        return MAX_SLICES;
    case VAConfigAttribEncSliceStructure:
        return VA_ENC_SLICE_STRUCTURE_EQUAL_ROWS | VA_ENC_SLICE_STRUCTURE_EQUAL_MULTI_ROWS;
    case VAConfigAttribMaxPictureWidth:
    case VAConfigAttribMaxPictureHeight:
        return HVA_MAX_SIDE;
    case VAConfigAttribPredictionDirection:
        return VA_PREDICTION_DIRECTION_PREVIOUS;
    default:
        return VA_ATTRIB_NOT_SUPPORTED;
    }
}

guint32 hva_attribute(const HvaDriver *driver, VAEntrypoint entrypoint, VAConfigAttribType type)
{
    if (entrypoint == VAEntrypointEncSlice) {
        return encode_attribute(driver, type);
    }
    return type == VAConfigAttribRTFormat ? VA_RT_FORMAT_YUV420 | VA_RT_FORMAT_RGB32 : VA_ATTRIB_NOT_SUPPORTED;
}

guint hva_attributes(const HvaDriver *driver, VAEntrypoint entrypoint, VAConfigAttrib *attributes)
{
    gboolean encode = entrypoint == VAEntrypointEncSlice;
    const VAConfigAttribType *types = encode ? encode_types : process_types;
    guint n = encode ? G_N_ELEMENTS(encode_types) : G_N_ELEMENTS(process_types);

    G_STATIC_ASSERT(G_N_ELEMENTS(encode_types) <= HVA_MAX_ATTRIBUTES);
    for (guint i = 0; i < n; i++) {
        attributes[i].type = types[i];
        attributes[i].value = hva_attribute(driver, entrypoint, types[i]);
    }
    return n;
}

/* ---- entries ---- */

VAStatus hva_query_config_profiles(VADriverContextP va, VAProfile *list, int *n)
{
    for (guint i = 0; i < G_N_ELEMENTS(profiles); i++) {
        list[i] = profiles[i].profile;
    }
    *n = G_N_ELEMENTS(profiles);
    return VA_STATUS_SUCCESS;
}

VAStatus hva_query_config_entrypoints(VADriverContextP va, VAProfile profile, VAEntrypoint *list, int *n)
{
    VAStatus status = hva_profile_check(profile, entrypoint_of(profile));

    *n = 0;
    if (status == VA_STATUS_SUCCESS) {
        list[(*n)++] = entrypoint_of(profile);
    }
    return status;
}

VAStatus hva_get_config_attributes(VADriverContextP va, VAProfile profile, VAEntrypoint entrypoint,
                                   VAConfigAttrib *attributes, int n)
{
    VAStatus status = hva_profile_check(profile, entrypoint);

    for (int i = 0; status == VA_STATUS_SUCCESS && i < n; i++) {
        attributes[i].value = hva_attribute(hva_driver(va), entrypoint, attributes[i].type);
    }
    return status;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config.c - see config.h. */
#include "config.h"
#include "vtable.h"

static void finalize(gpointer object)
{
}

/* All bits of @value are among those that are offered, and there is one at least. */
static gboolean is_offered(const HvaDriver *driver, VAEntrypoint entrypoint, VAConfigAttribType type, guint32 value)
{
    guint32 offered = hva_attribute(driver, entrypoint, type);

    return offered != VA_ATTRIB_NOT_SUPPORTED && value != 0 && (value & ~offered) == 0;
}

/* What a client asks for with one attribute. Attributes that are answers and no choices are not looked at. */
static VAStatus choose(HvaConfig *config, const HvaDriver *driver, const VAConfigAttrib *attribute)
{
    guint32 value = attribute->value;

    switch ((int)attribute->type) {
    case VAConfigAttribRTFormat:
        if (!is_offered(driver, config->entrypoint, attribute->type, value)) {
            return VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT;
        }
        config->rt_format = value;
        break;
    case VAConfigAttribRateControl:
        if (!is_offered(driver, config->entrypoint, attribute->type, value) || (value & (value - 1)) != 0) {
            return VA_STATUS_ERROR_INVALID_VALUE;
        }
        config->rate_control = value;
        break;
    case VAConfigAttribEncPackedHeaders:
        if (config->entrypoint != VAEntrypointEncSlice ||
            (value != VA_ENC_PACKED_HEADER_NONE && !is_offered(driver, config->entrypoint, attribute->type, value))) {
            return VA_STATUS_ERROR_INVALID_VALUE;
        }
        config->packed_headers = value;
        break;
    default:
        break;
    }
    return VA_STATUS_SUCCESS;
}

VAStatus hva_create_config(VADriverContextP va, VAProfile profile, VAEntrypoint entrypoint, VAConfigAttrib *attributes,
                           int n, VAConfigID *id)
{
    HvaDriver *driver = hva_driver(va);
    VAStatus status = hva_profile_check(profile, entrypoint);
    g_autoptr(HvaConfig) config = NULL;

    *id = VA_INVALID_ID;
    if (status != VA_STATUS_SUCCESS) {
        return status;
    }
    config = hva_object_new(sizeof(*config), HVA_CONFIG, finalize);
    config->profile = profile;
    config->entrypoint = entrypoint;
    config->rt_format = hva_attribute(driver, entrypoint, VAConfigAttribRTFormat);
    config->rate_control = entrypoint == VAEntrypointEncSlice ? VA_RC_CQP : 0;
    for (int i = 0; i < n && status == VA_STATUS_SUCCESS; i++) {
        status = choose(config, driver, &attributes[i]);
    }
    if (status == VA_STATUS_SUCCESS) {
        *id = hva_objects_add(driver->objects, config);
    }
    return status;
}

VAStatus hva_destroy_config(VADriverContextP va, VAConfigID id)
{
    g_autoptr(HvaConfig) config = hva_objects_take(hva_driver(va)->objects, HVA_CONFIG, id);

    return config ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_INVALID_CONFIG;
}

VAStatus hva_query_config_attributes(VADriverContextP va, VAConfigID id, VAProfile *profile, VAEntrypoint *entrypoint,
                                     VAConfigAttrib *attributes, int *n)
{
    HvaDriver *driver = hva_driver(va);
    g_autoptr(HvaConfig) config = hva_objects_ref(driver->objects, HVA_CONFIG, id);

    if (!config) {
        return VA_STATUS_ERROR_INVALID_CONFIG;
    }
    *profile = config->profile;
    *entrypoint = config->entrypoint;
    *n = (int)hva_attributes(driver, config->entrypoint, attributes);
    for (int i = 0; i < *n; i++) {
        if (attributes[i].type == VAConfigAttribRTFormat) {
            attributes[i].value = config->rt_format;
        } else if (attributes[i].type == VAConfigAttribRateControl) {
            attributes[i].value = config->rate_control;
        } else if (attributes[i].type == VAConfigAttribEncPackedHeaders) {
            attributes[i].value = config->packed_headers;
        }
    }
    return VA_STATUS_SUCCESS;
}

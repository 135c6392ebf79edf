/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-config.c - what the driver says it has, and what it refuses. No host is needed for any of it. */
#include "va-rig.h"

static const VAProfile profiles[] = { VAProfileH264ConstrainedBaseline, VAProfileH264Main, VAProfileH264High,
                                      VAProfileNone };

static VAStatus create(VaRig *rig, VAProfile profile, VAEntrypoint entrypoint, VAConfigAttribType type, guint32 value)
{
    VAConfigAttrib attribute = { type, value };
    VAConfigID config;
    VAStatus status = vaCreateConfig(rig->display, profile, entrypoint, &attribute, 1, &config);

    if (status == VA_STATUS_SUCCESS) {
        assert_va(vaDestroyConfig(rig->display, config));
    } else {
        g_assert_cmpuint(config, ==, VA_INVALID_ID);
    }
    return status;
}

static guint32 offered(VaRig *rig, VAProfile profile, VAEntrypoint entrypoint, VAConfigAttribType type)
{
    VAConfigAttrib attribute = { type, 0 };

    assert_va(vaGetConfigAttributes(rig->display, profile, entrypoint, &attribute, 1));
    return attribute.value;
}

LONE_TEST("/config/profiles", test_profiles)
{
    VAProfile list[16];
    VAEntrypoint entrypoints[16];
    VAConfigID config;
    int n;

    g_assert_cmpint(vaMaxNumProfiles(f->display), <=, (int)G_N_ELEMENTS(list));
    g_assert_cmpint(vaMaxNumEntrypoints(f->display), <=, (int)G_N_ELEMENTS(entrypoints));
    assert_va(vaQueryConfigProfiles(f->display, list, &n));
    g_assert_cmpmem(list, (gsize)n * sizeof(*list), profiles, sizeof(profiles));
    for (guint i = 0; i < G_N_ELEMENTS(profiles); i++) {
        assert_va(vaQueryConfigEntrypoints(f->display, profiles[i], entrypoints, &n));
        g_assert_cmpint(n, ==, 1);
        g_assert_cmpint(entrypoints[0], ==,
                        profiles[i] == VAProfileNone ? VAEntrypointVideoProc : VAEntrypointEncSlice);
        assert_va_is(vaCreateConfig(f->display, profiles[i], VAEntrypointVLD, NULL, 0, &config),
                     VA_STATUS_ERROR_UNSUPPORTED_ENTRYPOINT);
    }
    assert_va_is(vaQueryConfigEntrypoints(f->display, VAProfileHEVCMain, entrypoints, &n),
                 VA_STATUS_ERROR_UNSUPPORTED_PROFILE);
    assert_va_is(vaCreateConfig(f->display, VAProfileHEVCMain, VAEntrypointEncSlice, NULL, 0, &config),
                 VA_STATUS_ERROR_UNSUPPORTED_PROFILE);
}

/* One bit at a time: those that are offered are taken, others are refused with the status that is theirs. */
static void check_bits(VaRig *rig, VAProfile profile, VAEntrypoint entrypoint, VAConfigAttribType type,
                       VAStatus refusal)
{
    guint32 bits = offered(rig, profile, entrypoint, type);

    g_assert_cmpuint(bits, !=, VA_ATTRIB_NOT_SUPPORTED);
    for (guint i = 0; i < 31; i++) {
        assert_va_is(create(rig, profile, entrypoint, type, 1u << i), bits & 1u << i ? VA_STATUS_SUCCESS : refusal);
    }
}

LONE_TEST("/config/bits", test_bits)
{
    for (guint i = 0; i < G_N_ELEMENTS(profiles) - 1; i++) {
        const VAEntrypoint encode = VAEntrypointEncSlice;

        check_bits(f, profiles[i], encode, VAConfigAttribRTFormat, VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT);
        check_bits(f, profiles[i], encode, VAConfigAttribRateControl, VA_STATUS_ERROR_INVALID_VALUE);
        g_assert_cmpuint(offered(f, profiles[i], encode, VAConfigAttribRateControl), ==,
                         VA_RC_CQP | VA_RC_CBR | VA_RC_VBR);
        /* 0, and not "not supported": GStreamer refuses that. */
        g_assert_cmpuint(offered(f, profiles[i], encode, VAConfigAttribEncPackedHeaders), ==, 0);
        check_bits(f, profiles[i], encode, VAConfigAttribEncPackedHeaders, VA_STATUS_ERROR_INVALID_VALUE);
        assert_va(create(f, profiles[i], encode, VAConfigAttribEncPackedHeaders, 0));
        g_assert_cmpuint(offered(f, profiles[i], encode, VAConfigAttribEncMaxRefFrames), ==, 1);
        g_assert_cmpuint(offered(f, profiles[i], encode, VAConfigAttribEncROI), ==, VA_ATTRIB_NOT_SUPPORTED);
    }
    check_bits(f, VAProfileNone, VAEntrypointVideoProc, VAConfigAttribRTFormat, VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT);
    assert_va_is(create(f, VAProfileNone, VAEntrypointVideoProc, VAConfigAttribEncPackedHeaders, 0),
                 VA_STATUS_ERROR_INVALID_VALUE);
    g_setenv("HELIX_VA_PACKED_HEADERS", "1", TRUE);
    va_rig_reopen(f);
    g_unsetenv("HELIX_VA_PACKED_HEADERS");
    check_bits(f, VAProfileH264High, VAEntrypointEncSlice, VAConfigAttribEncPackedHeaders,
               VA_STATUS_ERROR_INVALID_VALUE);
    g_assert_cmpuint(offered(f, VAProfileH264High, VAEntrypointEncSlice, VAConfigAttribEncPackedHeaders), ==,
                     VA_ENC_PACKED_HEADER_SEQUENCE | VA_ENC_PACKED_HEADER_PICTURE | VA_ENC_PACKED_HEADER_SLICE |
                         VA_ENC_PACKED_HEADER_RAW_DATA);
}

LONE_TEST("/config/query", test_query)
{
    for (guint i = 0; i < G_N_ELEMENTS(profiles); i++) {
        VAEntrypoint entrypoint = profiles[i] == VAProfileNone ? VAEntrypointVideoProc : VAEntrypointEncSlice, found;
        VAConfigAttrib attributes[64];
        gboolean has_format = FALSE;
        VAConfigID config;
        VAProfile profile;
        int n = 0;

        g_assert_cmpint(vaMaxNumConfigAttributes(f->display), <=, (int)G_N_ELEMENTS(attributes));
        assert_va(vaCreateConfig(f->display, profiles[i], entrypoint, NULL, 0, &config));
        assert_va(vaQueryConfigAttributes(f->display, config, &profile, &found, attributes, &n));
        g_assert_cmpint(profile, ==, profiles[i]);
        g_assert_cmpint(found, ==, entrypoint);
        g_assert_cmpint(n, <=, vaMaxNumConfigAttributes(f->display));
        for (int k = 0; k < n; k++) {
            g_assert_cmpuint(attributes[k].value, !=, VA_ATTRIB_NOT_SUPPORTED);
            has_format |= attributes[k].type == VAConfigAttribRTFormat;
        }
        g_assert_true(has_format);
        assert_va(vaDestroyConfig(f->display, config));
        assert_va_is(vaDestroyConfig(f->display, config), VA_STATUS_ERROR_INVALID_CONFIG);
        assert_va_is(vaQueryConfigAttributes(f->display, config, &profile, &found, attributes, &n),
                     VA_STATUS_ERROR_INVALID_CONFIG);
    }
}

/* ---- surfaces ---- */

static VAStatus create_surface(VaRig *rig, guint32 rt_format, guint32 fourcc, guint width, guint height)
{
    VASurfaceAttrib attribute = { .type = VASurfaceAttribPixelFormat, .flags = VA_SURFACE_ATTRIB_SETTABLE };
    VASurfaceID surface;
    VAStatus status;

    attribute.value.type = VAGenericValueTypeInteger;
    attribute.value.value.i = (int)fourcc;
    status = vaCreateSurfaces(rig->display, rt_format, width, height, &surface, 1, &attribute, 1);
    if (status == VA_STATUS_SUCCESS) {
        assert_va(vaDestroySurfaces(rig->display, &surface, 1));
        assert_va_is(vaDestroySurfaces(rig->display, &surface, 1), VA_STATUS_ERROR_INVALID_SURFACE);
    } else {
        g_assert_cmpuint(surface, ==, VA_INVALID_ID);
    }
    return status;
}

static guint value_of(const VASurfaceAttrib *attributes, guint n, VASurfaceAttribType type)
{
    for (guint i = 0; i < n; i++) {
        if (attributes[i].type == type) {
            return (guint)attributes[i].value.value.i;
        }
    }
    g_assert_not_reached();
}

/* All that is listed can be made, and nothing that is smaller or larger than it says. */
static void check_surfaces(VaRig *rig, VAProfile profile, VAEntrypoint entrypoint, guint32 rt_formats)
{
    VASurfaceAttrib list[32];
    guint n = 0, least, most, formats = 0;
    VAConfigID config;

    assert_va(vaCreateConfig(rig->display, profile, entrypoint, NULL, 0, &config));
    assert_va(vaQuerySurfaceAttributes(rig->display, config, NULL, &n));
    g_assert_cmpuint(n, <=, entrypoint == VAEntrypointEncSlice ? 8 : G_N_ELEMENTS(list));
    n--;
    assert_va_is(vaQuerySurfaceAttributes(rig->display, config, list, &n), VA_STATUS_ERROR_MAX_NUM_EXCEEDED);
    assert_va(vaQuerySurfaceAttributes(rig->display, config, list, &n));
    least = value_of(list, n, VASurfaceAttribMinWidth);
    most = value_of(list, n, VASurfaceAttribMaxWidth);
    g_assert_cmpuint(least, ==, value_of(list, n, VASurfaceAttribMinHeight));
    g_assert_cmpuint(most, ==, value_of(list, n, VASurfaceAttribMaxHeight));
    for (guint i = 0; i < n; i++) {
        guint32 fourcc = (guint32)list[i].value.value.i;
        gboolean rgb = fourcc != VA_FOURCC_NV12 && fourcc != VA_FOURCC_I420;

        if (list[i].type == VASurfaceAttribPixelFormat) {
            guint32 rt_format = rgb ? VA_RT_FORMAT_RGB32 : VA_RT_FORMAT_YUV420;

            g_assert_true(rt_formats & rt_format);
            assert_va(create_surface(rig, rt_format, fourcc, least, least));
            assert_va(create_surface(rig, rt_format, fourcc, most, most));
            assert_va_is(create_surface(rig, rt_format, fourcc, least - 1, least),
                         VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED);
            assert_va_is(create_surface(rig, rt_format, fourcc, most, most + 1),
                         VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED);
            assert_va(create_surface(rig, rt_format ^ (VA_RT_FORMAT_RGB32 | VA_RT_FORMAT_YUV420), fourcc, 64, 64));
            assert_va_is(create_surface(rig, VA_RT_FORMAT_YUV444, fourcc, 64, 64),
                         VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT);
            formats++;
        }
    }
    g_assert_cmpuint(formats, ==, rt_formats & VA_RT_FORMAT_RGB32 ? 6 : 2);
    assert_va(vaDestroyConfig(rig->display, config));
}

LONE_TEST("/config/surfaces", test_surfaces)
{
    check_surfaces(f, VAProfileH264Main, VAEntrypointEncSlice, VA_RT_FORMAT_YUV420);
    check_surfaces(f, VAProfileNone, VAEntrypointVideoProc, VA_RT_FORMAT_YUV420 | VA_RT_FORMAT_RGB32);
    assert_va_is(create_surface(f, VA_RT_FORMAT_YUV422, VA_FOURCC_YUY2, 64, 64), VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT);
    assert_va_is(create_surface(f, VA_RT_FORMAT_YUV420, VA_FOURCC_YV12, 64, 64), VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT);
}

LONE_TEST("/config/contexts", test_contexts)
{
    VAConfigID config;
    VAContextID context;
    VASurfaceID none = 12345;

    assert_va(vaCreateConfig(f->display, VAProfileH264Main, VAEntrypointEncSlice, NULL, 0, &config));
    assert_va_is(vaCreateContext(f->display, config, 15, 64, VA_PROGRESSIVE, NULL, 0, &context),
                 VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED);
    assert_va_is(vaCreateContext(f->display, config, 64, 8193, VA_PROGRESSIVE, NULL, 0, &context),
                 VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED);
    assert_va_is(vaCreateContext(f->display, config, 64, 64, VA_PROGRESSIVE, &none, 1, &context),
                 VA_STATUS_ERROR_INVALID_SURFACE);
    g_assert_cmpuint(context, ==, VA_INVALID_ID);
    assert_va(vaCreateContext(f->display, config, 64, 64, VA_PROGRESSIVE, NULL, 0, &context));
    assert_va_is(vaBeginPicture(f->display, context, none), VA_STATUS_ERROR_INVALID_SURFACE);
    assert_va_is(vaEndPicture(f->display, context), VA_STATUS_ERROR_OPERATION_FAILED);
    assert_va(vaDestroyConfig(f->display, config)); /* its context stays */
    assert_va(vaDestroyContext(f->display, context));
    assert_va_is(vaDestroyContext(f->display, context), VA_STATUS_ERROR_INVALID_CONTEXT);
    assert_va_is(vaBeginPicture(f->display, context, none), VA_STATUS_ERROR_INVALID_CONTEXT);
    assert_va_is(vaCreateContext(f->display, config, 64, 64, VA_PROGRESSIVE, NULL, 0, &context),
                 VA_STATUS_ERROR_INVALID_CONFIG);
}

LONE_TEST("/config/images", test_images)
{
    VAImageFormat *formats = g_new0(VAImageFormat, (gsize)vaMaxNumImageFormats(f->display));
    VAImage image;
    int n;

    assert_va(vaQueryImageFormats(f->display, formats, &n));
    g_assert_cmpint(n, ==, 7);
    for (int i = 0; i < n; i++) {
        void *bytes;

        assert_va(vaCreateImage(f->display, &formats[i], 63, 33, &image));
        g_assert_cmpuint(image.format.fourcc, ==, formats[i].fourcc);
        assert_va(vaMapBuffer(f->display, image.buf, &bytes));
        for (guint k = 0; k < image.data_size; k++) { /* all of it is there: ASan looks */
            ((guint8 *)bytes)[k] = 1;
        }
        assert_va(vaUnmapBuffer(f->display, image.buf));
        assert_va(vaDestroyImage(f->display, image.image_id));
        assert_va_is(vaDestroyImage(f->display, image.image_id), VA_STATUS_ERROR_INVALID_IMAGE);
        assert_va_is(vaMapBuffer(f->display, image.buf, &bytes), VA_STATUS_ERROR_INVALID_BUFFER);
    }
    formats[0].fourcc = VA_FOURCC_P010;
    assert_va_is(vaCreateImage(f->display, &formats[0], 64, 64, &image), VA_STATUS_ERROR_INVALID_IMAGE_FORMAT);
    g_assert_cmpuint(image.image_id, ==, VA_INVALID_ID);
    g_free(formats);
}

LONE_TEST("/config/not-offered", test_not_offered)
{
    VADisplayAttribute attributes[4];
    int n = 4;

    assert_va_is(vaQueryDisplayAttributes(f->display, attributes, &n), VA_STATUS_ERROR_UNIMPLEMENTED);
    assert_va_is(vaSyncBuffer(f->display, 1, 0), VA_STATUS_ERROR_UNIMPLEMENTED); /* see entry.c */
    /* Names by which programs know drivers, and treat them in ways of their own. */
    for (const char *const *name = (const char *const[]){ "ubit", "iHD", "Mesa Gallium", NULL }; *name; name++) {
        g_assert_null(g_strstr_len(vaQueryVendorString(f->display), -1, *name));
    }
}

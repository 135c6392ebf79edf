/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* entry.c - what libva looks for in helix_drv_video.so: one function, which fills its tables. */
#include <stdarg.h>
#include "config.h"
#include "driver.h"
#include "formats.h"
#include "keep.h"
#include "pixels.h"
#include "ready.h"
#include "vtable.h"

/* Programs treat drivers that they know by name in ways of their own: none of those names is in it. */
#define VENDOR "Helix VA-API driver, encoding by the host of the virtual machine, version " HELIX_VA_VERSION

#define EXPORT __attribute__((visibility("default")))

EXPORT VAStatus __vaDriverInit_1_0(VADriverContextP va);

static void say(void (*callback)(VADriverContextP, const char *), VADriverContextP va, const char *format, va_list args)
{
    g_autofree char *text = g_strdup_vprintf(format, args);
    g_autofree char *line = g_strconcat(text, "\n", NULL);

    if (callback) {
        callback(va, line);
    }
}

void hva_error(HvaDriver *driver, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(driver->va->error_callback, driver->va, format, args);
    va_end(args);
}

void hva_info(HvaDriver *driver, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(driver->va->info_callback, driver->va, format, args);
    va_end(args);
}

static VAStatus terminate(VADriverContextP va)
{
    HvaDriver *driver = va->pDriverData;

    hva_objects_free(driver->objects);
    hva_keeper_free(driver->keeper);
    hva_pool_free(driver->pool);
    if (driver->gpu) {
        helix_client_gpu_unref(driver->gpu);
    }
    hva_settings_clear(&driver->settings);
    g_free(driver);
    va->pDriverData = NULL;
    return VA_STATUS_SUCCESS;
}

static void fill_core(struct VADriverVTable *vtable)
{
    hva_fill_not_offered(vtable);
    vtable->vaTerminate = terminate;
    vtable->vaQueryConfigProfiles = hva_query_config_profiles;
    vtable->vaQueryConfigEntrypoints = hva_query_config_entrypoints;
    vtable->vaGetConfigAttributes = hva_get_config_attributes;
    vtable->vaCreateConfig = hva_create_config;
    vtable->vaDestroyConfig = hva_destroy_config;
    vtable->vaQueryConfigAttributes = hva_query_config_attributes;
    vtable->vaCreateContext = hva_create_context;
    vtable->vaDestroyContext = hva_destroy_context;
    vtable->vaCreateBuffer = hva_create_buffer;
    vtable->vaBufferSetNumElements = hva_buffer_set_num_elements;
    vtable->vaMapBuffer = hva_map_buffer;
    vtable->vaUnmapBuffer = hva_unmap_buffer;
    vtable->vaDestroyBuffer = hva_destroy_buffer;
    vtable->vaBufferInfo = hva_buffer_info;
    vtable->vaBeginPicture = hva_begin_picture;
    vtable->vaRenderPicture = hva_render_picture;
    vtable->vaEndPicture = hva_end_picture;
}

/* No vaSyncBuffer: with it FFmpeg keeps one more frame back. */
static void fill_surfaces(struct VADriverVTable *vtable)
{
    vtable->vaCreateSurfaces = hva_create_surfaces;
    vtable->vaCreateSurfaces2 = hva_create_surfaces2;
    vtable->vaDestroySurfaces = hva_destroy_surfaces;
    vtable->vaQuerySurfaceAttributes = hva_query_surface_attributes;
    vtable->vaSyncSurface = hva_sync_surface;
    vtable->vaSyncSurface2 = hva_sync_surface2;
    vtable->vaQuerySurfaceStatus = hva_query_surface_status;
    vtable->vaQuerySurfaceError = hva_query_surface_error;
    vtable->vaExportSurfaceHandle = hva_export_surface_handle;
    vtable->vaQueryImageFormats = hva_query_image_formats;
    vtable->vaCreateImage = hva_create_image;
    vtable->vaDeriveImage = hva_derive_image;
    vtable->vaDestroyImage = hva_destroy_image;
    vtable->vaGetImage = hva_get_image;
    vtable->vaPutImage = hva_put_image;
}

static void fill_process(struct VADriverVTableVPP *vtable)
{
    vtable->version = VA_DRIVER_VTABLE_VPP_VERSION;
    vtable->vaQueryVideoProcFilters = hva_query_filters;
    vtable->vaQueryVideoProcFilterCaps = hva_query_filter_caps;
    vtable->vaQueryVideoProcPipelineCaps = hva_query_pipeline_caps;
}

/* Succeeds without a host and without a virtio-gpu: GStreamer keeps what it finds here once. */
VAStatus __vaDriverInit_1_0(VADriverContextP va)
{
    HvaDriver *driver = g_new0(HvaDriver, 1);

    driver->va = va;
    hva_settings_read(&driver->settings);
    hva_ready_fill(&driver->settings);
    driver->objects = hva_objects_new();
    driver->pool = hva_pool_new();
    driver->keeper = hva_keeper_new();
    /* A file of its own: in the client's, closing a handle would free the client's buffer. */
    driver->gpu = helix_client_gpu_open(NULL, NULL);
    va->pDriverData = driver;
    va->version_major = 1;
    va->version_minor = 0;
    va->max_profiles = 4;
    va->max_entrypoints = 1;
    va->max_attributes = HVA_MAX_ATTRIBUTES;
    va->max_image_formats = HVA_N_FORMATS;
    va->max_subpic_formats = 1; /* libva refuses 0 */
    va->max_display_attributes = 1;
    va->str_vendor = VENDOR;
    fill_core(va->vtable);
    fill_surfaces(va->vtable);
    if (va->vtable_vpp) {
        fill_process(va->vtable_vpp);
    }
    return VA_STATUS_SUCCESS;
}

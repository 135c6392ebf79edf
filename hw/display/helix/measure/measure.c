/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure.c - properties of the exporting GPU for `make bench` and the tests in a VM. QEMU reserves the prefix "x-" for
 * unstable names.
 *
 *     x-helix-encoder     name of the encoder of new streams; may be set while the VM runs
 *     x-helix-readback    reading it reads the last texture back, whole, by one call of virglrenderer, and returns what
 *                         the main loop spent on it: {"resource", "width", "height", "cpu_us", "wall_us"}
 *     x-helix-threaded    textures read back so far by the read-back thread
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qobject/qdict.h"
#include "system/cpus.h"

#include "../qemu/frame-export.h"
#include "measure.h"

typedef struct Measure {
    VirtIOGPU *gpu;
    HelixHost *host;
    char *encoder;
} Measure;

static Measure measure;

static void get_encoder(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    char *value = measure.encoder ?: (char *)"";

    visit_type_str(v, name, &value, errp);
}

static void set_encoder(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    g_autoptr(GError) error = NULL;
    char *value = NULL;

    if (!visit_type_str(v, name, &value, errp)) {
        return;
    }
    if (measure.host && !helix_host_set_encoder(measure.host, value, &error)) {
        error_setg(errp, "%s: %s", name, error->message);
        g_free(value);
        return;
    }
    g_free(measure.encoder);
    measure.encoder = value;
}

static int64_t clock_us(clockid_t id)
{
    struct timespec now;

    (void)clock_gettime(id, &now); /* fails for unknown clocks only */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void get_readback(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *pixels = NULL;
    uint32_t id = helix_measure_last_texture();
    HelixResource resource;
    QObject *result;
    QDict *dict;
    int64_t cpu, wall;
    bool good;

    if (qemu_in_vcpu_thread() || !helix_texture_reader || !id ||
        !helix_resource_find(measure.gpu, id, false, &resource, &error) || !resource.texture_id) {
        error_setg(errp, "%s: no texture was looked up yet, or it is gone", name);
        return;
    }
    pixels = g_try_malloc((size_t)resource.width * resource.height * 4);
    if (!pixels) {
        error_setg(errp, "%s: no memory for %" PRIu32 " x %" PRIu32 " pixels", name, resource.width, resource.height);
        return;
    }
    memset(pixels, 0, (size_t)resource.width * resource.height * 4); /* touch the pages, as the pool's are */
    wall = clock_us(CLOCK_MONOTONIC);
    cpu = clock_us(CLOCK_THREAD_CPUTIME_ID);
    good = helix_texture_reader->read(measure.gpu, &resource, 0, 0, resource.width, resource.height, pixels,
                                      resource.width * 4, &error);
    cpu = clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu;
    wall = clock_us(CLOCK_MONOTONIC) - wall;
    if (!good) {
        error_setg(errp, "%s: %s", name, error->message);
        return;
    }
    dict = qdict_new();
    qdict_put_int(dict, "resource", resource.id);
    qdict_put_int(dict, "width", resource.width);
    qdict_put_int(dict, "height", resource.height);
    qdict_put_int(dict, "cpu_us", cpu);
    qdict_put_int(dict, "wall_us", wall);
    result = QOBJECT(dict);
    visit_type_any(v, name, &result, errp);
    qobject_unref(result);
}

static void get_threaded(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    uint64_t value = helix_readback_thread ? helix_readback_thread->count() : 0;

    visit_type_uint64(v, name, &value, errp);
}

static const char encoder_name[] = "x-helix-encoder", readback_name[] = "x-helix-readback",
                  threaded_name[] = "x-helix-threaded";

static void add_properties(VirtIOGPU *g, HelixHost *host)
{
    measure = (Measure){ .gpu = g, .host = host };
    object_property_add(OBJECT(g), encoder_name, "str", get_encoder, set_encoder, NULL, NULL);
    object_property_add(OBJECT(g), readback_name, "HelixReadback", get_readback, NULL, NULL, NULL);
    object_property_add(OBJECT(g), threaded_name, "uint64", get_threaded, NULL, NULL, NULL);
}

static void forget_host(void)
{
    measure.host = NULL;
}

static void remove_properties(VirtIOGPU *g)
{
    object_property_del(OBJECT(g), encoder_name);
    object_property_del(OBJECT(g), readback_name);
    object_property_del(OBJECT(g), threaded_name);
    g_free(measure.encoder);
    measure = (Measure){ 0 };
}

static const HelixExportExtension extension = {
    .added = add_properties,
    .host_freed = forget_host,
    .removed = remove_properties,
};

static void register_extension(void)
{
    helix_export_extension = &extension;
    helix_texture_filter = helix_measure_texture;
}

type_init(register_extension)

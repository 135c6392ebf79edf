/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure.c - what `make bench` needs to know of a running QEMU, as properties of the exporting GPU. Nobody else does,
 * hence their names: QEMU keeps "x-" for what may change at any time.
 *
 *     x-helix-encoder     the encoder that new streams get; may be set while the VM runs
 *     x-helix-readback    reading it reads the texture that was looked up last back, whole, in one call of
 * virglrenderer, and says what the main loop paid for it: {"resource", "width", "height", "cpu_us", "wall_us"}
 *     x-helix-threaded    how many textures were read by a thread of its own so far (resource-thread.c)
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qobject/qdict.h"
#include "system/cpus.h"

#include "../stream/host.h"
#include "measure.h"

typedef struct Measure {
    VirtIOGPU *gpu;
    HelixHost *host;
    char *encoder;
} Measure;

static Measure measure;
static uint32_t last_texture;

void helix_measure_looked_up(uint32_t id)
{
    last_texture = id;
}

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

    (void)clock_gettime(id, &now); /* fails for clocks that are not there only */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void get_readback(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *pixels = NULL;
    HelixResource resource;
    QObject *result;
    QDict *dict;
    int64_t cpu, wall;
    bool good;

    if (qemu_in_vcpu_thread() || !helix_texture_reader || !last_texture ||
        !helix_resource_find(measure.gpu, last_texture, false, &resource, &error) || !resource.texture_id) {
        error_setg(errp, "%s: no texture was looked up yet, or it is gone", name);
        return;
    }
    pixels = g_try_malloc((size_t)resource.width * resource.height * 4);
    if (!pixels) {
        error_setg(errp, "%s: no memory for %" PRIu32 " x %" PRIu32 " pixels", name, resource.width, resource.height);
        return;
    }
    memset(pixels, 0, (size_t)resource.width * resource.height * 4); /* pages that are there, as a pool's are */
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
    uint64_t value = helix_texture_thread ? helix_texture_thread->count() : 0;

    visit_type_uint64(v, name, &value, errp);
}

static const char encoder_name[] = "x-helix-encoder", readback_name[] = "x-helix-readback",
                  threaded_name[] = "x-helix-threaded";

void helix_measure_add(VirtIOGPU *g, HelixHost *host)
{
    measure = (Measure){ .gpu = g, .host = host };
    object_property_add(OBJECT(g), encoder_name, "str", get_encoder, set_encoder, NULL, NULL);
    object_property_add(OBJECT(g), readback_name, "HelixReadback", get_readback, NULL, NULL, NULL);
    object_property_add(OBJECT(g), threaded_name, "uint64", get_threaded, NULL, NULL, NULL);
}

void helix_measure_host_gone(void)
{
    measure.host = NULL;
}

void helix_measure_remove(VirtIOGPU *g)
{
    object_property_del(OBJECT(g), encoder_name);
    object_property_del(OBJECT(g), readback_name);
    object_property_del(OBJECT(g), threaded_name);
    g_free(measure.encoder);
    measure = (Measure){ 0 };
    last_texture = 0;
}

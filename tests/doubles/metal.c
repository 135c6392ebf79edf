/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metal.c - a GPU with command queues, textures and shared events; command buffers run on threads of their own.
 *
 * from: objc2-generated Metal/MTLDevice.rs, MTLCommandQueue.rs, MTLCommandBuffer.rs, MTLCommandEncoder.rs,
 * MTLBlitCommandEncoder.rs, MTLTexture.rs, MTLResource.rs, MTLEvent.rs, MTLTypes.rs
 */
#include <stdlib.h>
#include <string.h>

#include "gpu.h"
#include "not-in-c.h"
#include "objc.h"

typedef MTLOrigin Origin;
typedef MTLSize Size;
typedef MTLRegion Region;

DoubleMetalOrders double_metal;
DoubleMetalSeen double_metal_seen;

static GMutex lock; /* events, status, threads */
static GCond changed;
static guint threads;

/* ---- device ---- */

static const DoubleClass device_class = { "MTLDevice", NULL };
static const DoubleObject device = { DOUBLE_MAGIC, -1, &device_class };

id MTLCreateSystemDefaultDevice(void)
{
    return (id)&device;
}

/* ---- textures and their descriptors ---- */

typedef struct Texture {
    DoubleObject object;
    guint width, height, format;
    gsize stride;
    guint8 *data; /* own memory, or the IOSurface's */
    DoubleSurface *surface;
} Texture;

static void texture_finalize(gpointer object)
{
    Texture *texture = object;

    if (texture->surface) {
        g_atomic_int_add(&texture->surface->textures, -1);
        CFRelease(texture->surface);
    } else {
        g_free(texture->data);
    }
}

static const DoubleClass texture_class = { "MTLTexture", texture_finalize };

id double_metal_texture_new(guint width, guint height, guint format, IOSurfaceRef surface)
{
    Texture *texture = double_object_new(&texture_class, sizeof(*texture));

    texture->width = width;
    texture->height = height;
    texture->format = format ? format : MTLPixelFormatBGRA8Unorm;
    if (surface) {
        texture->surface = (DoubleSurface *)CFRetain(surface);
        g_atomic_int_inc(&texture->surface->textures);
        texture->stride = texture->surface->stride;
        texture->data = texture->surface->data;
    } else {
        texture->stride = (gsize)width * 4;
        texture->data = g_malloc0(texture->stride * height);
    }
    return (id)texture;
}

guint8 *double_metal_texture_data(id ref, gsize *stride)
{
    Texture *texture = double_check(ref, &texture_class);

    *stride = texture->stride;
    return texture->data;
}

static IOSurfaceRef texture_iosurface(id self, SEL selector)
{
    return (IOSurfaceRef)((Texture *)double_check(self, &texture_class))->surface;
}

static unsigned long texture_format(id self, SEL selector)
{
    return ((Texture *)double_check(self, &texture_class))->format;
}

static unsigned long texture_width(id self, SEL selector)
{
    return ((Texture *)double_check(self, &texture_class))->width;
}

static unsigned long texture_height(id self, SEL selector)
{
    return ((Texture *)double_check(self, &texture_class))->height;
}

static id texture_device(id self, SEL selector)
{
    return (id)&device;
}

static void texture_replace(id self, SEL selector, Region region, unsigned long level, const void *bytes,
                            unsigned long stride)
{
    Texture *texture = double_check(self, &texture_class);

    g_assert_true(level == 0 && region.origin.z == 0 && region.size.depth == 1);
    g_assert_cmpuint(region.origin.x + region.size.width, <=, texture->width);
    g_assert_cmpuint(region.origin.y + region.size.height, <=, texture->height);
    for (unsigned long y = 0; y < region.size.height; y++) {
        memcpy(texture->data + (region.origin.y + y) * texture->stride + region.origin.x * 4,
               (const guint8 *)bytes + y * stride, region.size.width * 4);
    }
}

typedef struct Descriptor {
    DoubleObject object;
    unsigned long format, width, height, usage;
} Descriptor;

static const DoubleClass descriptor_class = { "MTLTextureDescriptor", NULL };
static const DoubleClass descriptor_meta = { "class MTLTextureDescriptor", NULL };
static const DoubleObject descriptor_object = { DOUBLE_MAGIC, -1, &descriptor_meta };

Class objc_getClass(const char *name)
{
    return strcmp(name, "MTLTextureDescriptor") == 0 ? (Class)&descriptor_object : NULL;
}

static id descriptor_2d(id self, SEL selector, unsigned long format, unsigned long width, unsigned long height,
                        signed char mipmapped)
{
    Descriptor *descriptor = double_object_new(&descriptor_class, sizeof(*descriptor));

    g_assert_false(mipmapped);
    descriptor->format = format;
    descriptor->width = width;
    descriptor->height = height;
    return double_autorelease(descriptor);
}

static void descriptor_set_usage(id self, SEL selector, unsigned long usage)
{
    ((Descriptor *)double_check(self, &descriptor_class))->usage = usage;
}

static id device_new_texture(id self, SEL selector, id descriptor_ref, IOSurfaceRef surface, unsigned long plane)
{
    Descriptor *descriptor = double_check(descriptor_ref, &descriptor_class);

    g_assert_cmpuint(plane, ==, 0);
    g_assert_cmpuint(descriptor->width, <=, IOSurfaceGetWidth(surface));
    g_assert_cmpuint(descriptor->height, <=, IOSurfaceGetHeight(surface));
    return double_metal.no_texture ? NULL
                                   : double_metal_texture_new((guint)descriptor->width, (guint)descriptor->height,
                                                              (guint)descriptor->format, surface);
}

static id device_new_plain_texture(id self, SEL selector, id descriptor_ref)
{
    Descriptor *descriptor = double_check(descriptor_ref, &descriptor_class);

    return double_metal_texture_new((guint)descriptor->width, (guint)descriptor->height, (guint)descriptor->format,
                                    NULL);
}

/* ---- events ---- */

typedef struct Event {
    DoubleObject object;
    guint64 value;
} Event;

static const DoubleClass event_class = { "MTLSharedEvent", NULL };

id double_metal_event_new(void)
{
    return double_object_new(&event_class, sizeof(Event));
}

void double_metal_event_signal(id ref, guint64 value)
{
    Event *event = double_check(ref, &event_class);

    g_mutex_lock(&lock);
    event->value = value;
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
}

static id device_new_event(id self, SEL selector)
{
    return double_metal_event_new();
}

static void event_set_value(id self, SEL selector, guint64 value)
{
    double_metal_event_signal(self, value);
}

/* ---- queues, command buffers, encoders ---- */

static const DoubleClass queue_class = { "MTLCommandQueue", NULL };

typedef struct Commands {
    DoubleObject object;
    unsigned long status; /* under the lock */
    Event *event;
    guint64 event_value;
    Texture *from, *to;
    Origin from_origin, to_origin;
    Size size;
    gboolean encoding;
    DoubleMetalOrders orders;
} Commands;

static void commands_finalize(gpointer object)
{
    Commands *commands = object;

    if (commands->event) {
        CFRelease(commands->event);
    }
    if (commands->from) {
        CFRelease(commands->from);
        CFRelease(commands->to);
    }
}

static const DoubleClass commands_class = { "MTLCommandBuffer", commands_finalize };

typedef struct Encoder {
    DoubleObject object;
    Commands *commands;
} Encoder;

static void encoder_finalize(gpointer object)
{
    CFRelease(((Encoder *)object)->commands);
}

static const DoubleClass encoder_class = { "MTLBlitCommandEncoder", encoder_finalize };

static id device_new_queue(id self, SEL selector)
{
    double_metal_seen.queues++;
    return double_metal.no_queue ? NULL : double_object_new(&queue_class, sizeof(DoubleObject));
}

static id queue_command_buffer(id self, SEL selector)
{
    return double_metal.no_commands ? NULL : double_autorelease(double_object_new(&commands_class, sizeof(Commands)));
}

static Commands *commands_of(id self)
{
    return double_check(self, &commands_class);
}

static void commands_wait_event(id self, SEL selector, id event, guint64 value)
{
    Commands *commands = commands_of(self);

    g_assert_false(commands->encoding);
    commands->event = (Event *)CFRetain(double_check(event, &event_class));
    commands->event_value = value;
}

static id commands_blit_encoder(id self, SEL selector)
{
    Encoder *encoder = double_object_new(&encoder_class, sizeof(*encoder));

    encoder->commands = (Commands *)CFRetain(self);
    encoder->commands->encoding = TRUE;
    return double_autorelease(encoder);
}

/* What Metal's validation layer checks. */
static void encoder_copy(id self, SEL selector, id from, unsigned long from_slice, unsigned long from_level,
                         Origin from_origin, Size size, id to, unsigned long to_slice, unsigned long to_level,
                         Origin to_origin)
{
    Commands *commands = ((Encoder *)double_check(self, &encoder_class))->commands;

    commands->from = (Texture *)CFRetain(double_check(from, &texture_class));
    commands->to = (Texture *)CFRetain(double_check(to, &texture_class));
    g_assert_true(commands->encoding && from_slice == 0 && from_level == 0 && to_slice == 0 && to_level == 0);
    g_assert_cmpuint(commands->from->format, ==, commands->to->format);
    g_assert_cmpuint(from_origin.x + size.width, <=, commands->from->width);
    g_assert_cmpuint(from_origin.y + size.height, <=, commands->from->height);
    g_assert_cmpuint(to_origin.x + size.width, <=, commands->to->width);
    g_assert_cmpuint(to_origin.y + size.height, <=, commands->to->height);
    g_assert_cmpuint(size.depth, ==, 1);
    commands->from_origin = from_origin;
    commands->to_origin = to_origin;
    commands->size = size;
}

static void encoder_end(id self, SEL selector)
{
    ((Encoder *)double_check(self, &encoder_class))->commands->encoding = FALSE;
}

static void copy_pixels(const Commands *commands)
{
    const Texture *from = commands->from, *to = commands->to;

    for (unsigned long y = 0; y < commands->size.height; y++) {
        memcpy(to->data + (commands->to_origin.y + y) * to->stride + commands->to_origin.x * 4,
               from->data + (commands->from_origin.y + y) * from->stride + commands->from_origin.x * 4,
               commands->size.width * 4);
    }
}

static gpointer execute(gpointer data)
{
    Commands *commands = data;

    g_mutex_lock(&lock);
    while (commands->event && commands->event->value < commands->event_value) {
        g_cond_wait(&changed, &lock);
    }
    double_metal_seen.unordered += commands->event == NULL;
    double_metal_seen.copies++;
    g_mutex_unlock(&lock);
    g_usleep(commands->orders.delay_us);
    if (!commands->orders.fail) {
        copy_pixels(commands);
    }
    g_mutex_lock(&lock);
    commands->status = commands->orders.fail ? MTLCommandBufferStatusError : MTLCommandBufferStatusCompleted;
    g_mutex_unlock(&lock);
    CFRelease(commands);
    g_mutex_lock(&lock);
    threads--;
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
    return NULL;
}

static void commands_commit(id self, SEL selector)
{
    Commands *commands = commands_of(self);

    g_assert_false(commands->encoding);
    commands->orders = double_metal;
    CFRetain(commands);
    g_mutex_lock(&lock);
    commands->status = 2;
    threads++;
    g_mutex_unlock(&lock);
    g_thread_unref(g_thread_new("metal-double", execute, commands));
}

static unsigned long commands_status(id self, SEL selector)
{
    unsigned long status;

    g_mutex_lock(&lock);
    status = commands_of(self)->status;
    g_mutex_unlock(&lock);
    return status;
}

void double_metal_idle(void)
{
    g_mutex_lock(&lock);
    while (threads > 0) {
        g_cond_wait(&changed, &lock);
    }
    g_mutex_unlock(&lock);
}

#define METHOD(klass, selector, function) { &klass, selector, (DoubleMethod)function }

const DoubleMethodEntry double_metal_methods[] = {
    METHOD(texture_class, "iosurface", texture_iosurface),
    METHOD(texture_class, "pixelFormat", texture_format),
    METHOD(texture_class, "width", texture_width),
    METHOD(texture_class, "height", texture_height),
    METHOD(texture_class, "device", texture_device),
    METHOD(texture_class, "replaceRegion:mipmapLevel:withBytes:bytesPerRow:", texture_replace),
    METHOD(descriptor_meta, "texture2DDescriptorWithPixelFormat:width:height:mipmapped:", descriptor_2d),
    METHOD(descriptor_class, "setUsage:", descriptor_set_usage),
    METHOD(device_class, "newCommandQueue", device_new_queue),
    METHOD(device_class, "newTextureWithDescriptor:iosurface:plane:", device_new_texture),
    METHOD(device_class, "newTextureWithDescriptor:", device_new_plain_texture),
    METHOD(device_class, "newSharedEvent", device_new_event),
    METHOD(event_class, "setSignaledValue:", event_set_value),
    METHOD(queue_class, "commandBuffer", queue_command_buffer),
    METHOD(commands_class, "encodeWaitForEvent:value:", commands_wait_event),
    METHOD(commands_class, "blitCommandEncoder", commands_blit_encoder),
    METHOD(commands_class, "commit", commands_commit),
    METHOD(commands_class, "status", commands_status),
    METHOD(encoder_class,
           "copyFromTexture:sourceSlice:sourceLevel:sourceOrigin:sourceSize:toTexture:destinationSlice:"
           "destinationLevel:destinationOrigin:",
           encoder_copy),
    METHOD(encoder_class, "endEncoding", encoder_end),
    { NULL, NULL, NULL },
};

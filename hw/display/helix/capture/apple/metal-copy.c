/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metal-copy.c - the messages to Metal that a copy needs, sent from C.
 *
 * Metal's headers are Objective-C, for which QEMU's build has a compiler on macOS only, while these lines also run
 * elsewhere, in tests. objc_msgSend must be called with the method's own type, through a variable: gcc makes a call
 * through a cast a trap.
 */
#include <objc/runtime.h>

#include "../../protocol/error.h"
#include "metal-copy.h"

/* MTLPixelFormat, MTLTextureUsage and MTLCommandBufferStatus; Metal's own headers can't be included in C. */
enum {
    MTLPixelFormatBGRA8Unorm = 80,
    MTLTextureUsageRenderTarget = 4,
    MTLCommandBufferStatusCompleted = 4,
    MTLCommandBufferStatusError = 5,
};

typedef struct MTLOrigin {
    unsigned long x, y, z;
} MTLOrigin;

typedef struct MTLSize {
    unsigned long width, height, depth;
} MTLSize;

struct HelixMetalCopy {
    id device, queue; /* of the last texture; NULL: none yet */
};

static id ask(id object, const char *selector)
{
    id (*message)(id, SEL) = (id(*)(id, SEL))objc_msgSend;

    return message(object, sel_registerName(selector));
}

static void tell(id object, const char *selector)
{
    void (*message)(id, SEL) = (void (*)(id, SEL))objc_msgSend;

    message(object, sel_registerName(selector));
}

static unsigned long ask_number(id object, const char *selector)
{
    unsigned long (*message)(id, SEL) = (unsigned long (*)(id, SEL))objc_msgSend;

    return message(object, sel_registerName(selector));
}

void helix_metal_release(id object)
{
    if (object) {
        tell(object, "release");
    }
}

IOSurfaceRef helix_metal_iosurface(id texture)
{
    IOSurfaceRef (*message)(id, SEL) = (IOSurfaceRef(*)(id, SEL))objc_msgSend;

    return message(texture, sel_registerName("iosurface"));
}

gboolean helix_metal_is_bgra(id texture)
{
    return ask_number(texture, "pixelFormat") == MTLPixelFormatBGRA8Unorm;
}

guint32 helix_metal_width(id texture)
{
    return (guint32)ask_number(texture, "width");
}

guint32 helix_metal_height(id texture)
{
    return (guint32)ask_number(texture, "height");
}

HelixMetalCopy *helix_metal_copy_new(void)
{
    return g_new0(HelixMetalCopy, 1);
}

void helix_metal_copy_free(HelixMetalCopy *copy)
{
    helix_metal_release(copy->queue);
    helix_metal_release(copy->device);
    g_free(copy);
}

void helix_metal_copy_forget(HelixPooledIOSurface *entry)
{
    helix_metal_release(entry->metal);
    entry->metal = NULL;
}

/* A queue of our own on the texture's GPU; if it can't be created, the next copy tries again. */
static gboolean use_device(HelixMetalCopy *copy, id texture)
{
    id device = ask(texture, "device");

    if (device != copy->device) {
        helix_metal_release(copy->queue);
        helix_metal_release(copy->device);
        copy->device = ask(device, "retain");
        copy->queue = NULL;
    }
    if (!copy->queue) {
        copy->queue = ask(device, "newCommandQueue");
    }
    return copy->queue != NULL;
}

static gboolean prepare_entry(HelixMetalCopy *copy, HelixPooledIOSurface *entry)
{
    id (*describe)(id, SEL, unsigned long, unsigned long, unsigned long, signed char) = (id(*)(
        id, SEL, unsigned long, unsigned long, unsigned long, signed char))objc_msgSend;
    void (*set_number)(id, SEL, unsigned long) = (void (*)(id, SEL, unsigned long))objc_msgSend;
    id (*new_texture)(id, SEL, id, IOSurfaceRef,
                      unsigned long) = (id(*)(id, SEL, id, IOSurfaceRef, unsigned long))objc_msgSend;
    id descriptor;

    if (entry->metal && ask(entry->metal, "device") == copy->device) {
        return TRUE;
    }
    helix_metal_copy_forget(entry);
    descriptor = describe((id)objc_getClass("MTLTextureDescriptor"),
                          sel_registerName("texture2DDescriptorWithPixelFormat:width:height:mipmapped:"),
                          MTLPixelFormatBGRA8Unorm, entry->width, entry->height, FALSE);
    set_number(descriptor, sel_registerName("setUsage:"), MTLTextureUsageRenderTarget);
    entry->metal = new_texture(copy->device, sel_registerName("newTextureWithDescriptor:iosurface:plane:"), descriptor,
                               entry->surface, 0);
    return entry->metal != NULL;
}

static void encode_copy(id commands, id texture, HelixRect source, HelixPooledIOSurface *entry)
{
    void (*copy)(id, SEL, id, unsigned long, unsigned long, MTLOrigin, MTLSize, id, unsigned long, unsigned long,
                 MTLOrigin) = (void (*)(id, SEL, id, unsigned long, unsigned long, MTLOrigin, MTLSize, id,
                                        unsigned long, unsigned long, MTLOrigin))objc_msgSend;
    id encoder = ask(commands, "blitCommandEncoder");

    copy(encoder,
         sel_registerName("copyFromTexture:sourceSlice:sourceLevel:sourceOrigin:sourceSize:toTexture:"
                          "destinationSlice:destinationLevel:destinationOrigin:"),
         texture, 0, 0, (MTLOrigin){ source.x, source.y, 0 }, (MTLSize){ source.width, source.height, 1 }, entry->metal,
         0, 0, (MTLOrigin){ 0, 0, 0 });
    tell(encoder, "endEncoding");
}

id helix_metal_copy_begin(HelixMetalCopy *copy, id texture, HelixRect source, id event, HelixPooledIOSurface *entry,
                          GError **error)
{
    void (*wait_event)(id, SEL, id, guint64) = (void (*)(id, SEL, id, guint64))objc_msgSend;
    id commands = NULL;

    if (use_device(copy, texture) && prepare_entry(copy, entry)) {
        commands = ask(copy->queue, "commandBuffer");
    }
    if (commands) {
        ask(commands, "retain");
        wait_event(commands, sel_registerName("encodeWaitForEvent:value:"), event, 1);
        encode_copy(commands, texture, source, entry);
        tell(commands, "commit");
    } else {
        g_set_error_literal(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE,
                            "Metal has no queue, texture or command "
                            "buffer to copy with");
    }
    return commands;
}

HelixGpuStatus helix_metal_copy_status(id commands)
{
    switch (ask_number(commands, "status")) {
    case MTLCommandBufferStatusCompleted:
        return HELIX_GPU_DONE;
    case MTLCommandBufferStatusError:
        return HELIX_GPU_FAILED;
    default:
        return HELIX_GPU_PENDING;
    }
}

void helix_metal_copy_end(id commands)
{
    helix_metal_release(commands);
}

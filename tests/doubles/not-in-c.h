/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the product uses of Apple's and declares itself, as no header for C has it: Metal's are Objective-C, and the
 * runtime's autorelease pools are for compilers. The doubles use these, and check-api compares the product's with them.
 */
#ifndef DOUBLE_NOT_IN_C_H
#define DOUBLE_NOT_IN_C_H

#include <objc/message.h>

/* from: objc2 crates/objc2/src/ffi/rc.rs */
void *objc_autoreleasePoolPush(void);
void objc_autoreleasePoolPop(void *pool);

/* from: Metal/MTLPixelFormat.rs */
#define MTLPixelFormatBGRA8Unorm 80

/* from: Metal/MTLTexture.rs */
#define MTLTextureUsageRenderTarget 4

/* from: Metal/MTLCommandBuffer.rs */
#define MTLCommandBufferStatusCompleted 4
#define MTLCommandBufferStatusError 5

/* from: Metal/MTLTypes.rs */
typedef struct {
    unsigned long x, y, z;
} MTLOrigin;
typedef struct {
    unsigned long width, height, depth;
} MTLSize;
typedef struct {
    MTLOrigin origin;
    MTLSize size;
} MTLRegion;

/* from: Metal/MTLDevice.rs */
id MTLCreateSystemDefaultDevice(void);

#endif

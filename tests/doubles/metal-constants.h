/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The constants of Metal's that the product uses. Metal's headers are Objective-C, which it is not, so it has them itself:
 * this is the list that check-api compares them with.
 */
#ifndef DOUBLE_METAL_CONSTANTS_H
#define DOUBLE_METAL_CONSTANTS_H

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

#endif

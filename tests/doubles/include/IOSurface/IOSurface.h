/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of IOSurface that the product and its tests use; see CoreFoundation.h for where declarations come from. */
#ifndef DOUBLE_IOSURFACE_H
#define DOUBLE_IOSURFACE_H

#include <CoreFoundation/CoreFoundation.h>

typedef struct __IOSurface *IOSurfaceRef;
typedef int kern_return_t;

/* from: IOSurface/IOSurfaceTypes.rs */
typedef uint32_t IOSurfaceLockOptions;
#define kIOSurfaceLockReadOnly 0x00000001

/* from: IOSurface/IOSurfaceRef.rs */
extern const CFStringRef kIOSurfaceWidth;
extern const CFStringRef kIOSurfaceHeight;
extern const CFStringRef kIOSurfaceBytesPerElement;
extern const CFStringRef kIOSurfacePixelFormat;
IOSurfaceRef IOSurfaceCreate(CFDictionaryRef properties);
kern_return_t IOSurfaceLock(IOSurfaceRef buffer, IOSurfaceLockOptions options, uint32_t *seed);
kern_return_t IOSurfaceUnlock(IOSurfaceRef buffer, IOSurfaceLockOptions options, uint32_t *seed);
void *IOSurfaceGetBaseAddress(IOSurfaceRef buffer);
size_t IOSurfaceGetBytesPerRow(IOSurfaceRef buffer);
size_t IOSurfaceGetWidth(IOSurfaceRef buffer);
size_t IOSurfaceGetHeight(IOSurfaceRef buffer);
OSType IOSurfaceGetPixelFormat(IOSurfaceRef buffer);
Boolean IOSurfaceIsInUse(IOSurfaceRef buffer);

#endif

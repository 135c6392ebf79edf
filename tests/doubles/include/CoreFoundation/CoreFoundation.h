/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of CoreFoundation that the product uses, declared for a Linux build from the facts in the objc2 bindings
 * (madsmtm/objc2 and madsmtm/objc2-generated). "from:" names the bindings' file for the declarations below it;
 * check-api.py compares them.
 */
#ifndef DOUBLE_CORE_FOUNDATION_H
#define DOUBLE_CORE_FOUNDATION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __APPLE__ /* the suite darwin: clang finds a name that is used without IF_MACOS and newer than the target */
#include <os/availability.h>
#else
#define API_AVAILABLE(...)
#endif

/* from: objc2 crates/test-frameworks/src/lib.rs */
typedef unsigned char Boolean;
typedef int32_t OSStatus;
typedef uint32_t OSType;

/* from: objc2 framework-crates/objc2-core-foundation/src/base.rs */
typedef unsigned long CFTypeID;
typedef long CFIndex;

typedef const void *CFTypeRef;

/* from: CoreFoundation/mod.rs */
typedef const struct __CFAllocator *CFAllocatorRef;
extern const CFAllocatorRef kCFAllocatorDefault;

/* from: objc2 framework-crates/objc2-core-foundation/src/retained.rs */
CFTypeRef CFRetain(CFTypeRef cf);
void CFRelease(CFTypeRef cf);

/* from: CoreFoundation/mod.rs */
typedef const struct __CFString *CFStringRef;

/* from: CoreFoundation/CFNumber.rs */
typedef const struct __CFBoolean *CFBooleanRef;
typedef const struct __CFNumber *CFNumberRef;
typedef CFIndex CFNumberType;
extern const CFBooleanRef kCFBooleanTrue;
extern const CFBooleanRef kCFBooleanFalse;
#define kCFNumberSInt32Type 3
#define kCFNumberSInt64Type 4
#define kCFNumberDoubleType 13
Boolean CFBooleanGetValue(CFBooleanRef boolean);
CFNumberRef CFNumberCreate(CFAllocatorRef allocator, CFNumberType the_type, const void *value_ptr);

/* from: CoreFoundation/CFArray.rs */
typedef const struct __CFArray *CFArrayRef;
CFIndex CFArrayGetCount(CFArrayRef the_array);
const void *CFArrayGetValueAtIndex(CFArrayRef the_array, CFIndex idx);

/* from: CoreFoundation/CFDictionary.rs */
typedef const struct __CFDictionary *CFDictionaryRef;
typedef struct {
    CFIndex version;
    const void *(*retain)(CFAllocatorRef allocator, const void *value);
    void (*release)(CFAllocatorRef allocator, const void *value);
    CFStringRef (*copyDescription)(const void *value);
    Boolean (*equal)(const void *value1, const void *value2);
    uintptr_t (*hash)(const void *value);
} CFDictionaryKeyCallBacks;
typedef struct {
    CFIndex version;
    const void *(*retain)(CFAllocatorRef allocator, const void *value);
    void (*release)(CFAllocatorRef allocator, const void *value);
    CFStringRef (*copyDescription)(const void *value);
    Boolean (*equal)(const void *value1, const void *value2);
} CFDictionaryValueCallBacks;
extern const CFDictionaryKeyCallBacks kCFTypeDictionaryKeyCallBacks;
extern const CFDictionaryValueCallBacks kCFTypeDictionaryValueCallBacks;
CFDictionaryRef CFDictionaryCreate(CFAllocatorRef allocator, const void **keys, const void **values, CFIndex num_values,
                                   const CFDictionaryKeyCallBacks *key_call_backs,
                                   const CFDictionaryValueCallBacks *value_call_backs);
const void *CFDictionaryGetValue(CFDictionaryRef the_dict, const void *key);

#endif

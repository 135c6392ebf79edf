/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of the Objective-C runtime that the product uses; see CoreFoundation.h for where declarations come from. */
#ifndef DOUBLE_OBJC_MESSAGE_H
#define DOUBLE_OBJC_MESSAGE_H

typedef struct objc_object *id;
typedef struct objc_class *Class;
typedef struct objc_selector *SEL;

/* from: objc2 crates/objc2/src/ffi/message.rs */
void objc_msgSend(void);

/* from: objc2 crates/objc2/src/ffi/class.rs */
Class objc_getClass(const char *name);

/* from: objc2 crates/objc2/src/ffi/selector.rs */
SEL sel_registerName(const char *name);

#endif

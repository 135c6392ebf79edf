/* SPDX-License-Identifier: GPL-2.0-or-later */
/* objc.h - between the runtime's double and Metal's. */
#ifndef DOUBLE_OBJC_INNER_H
#define DOUBLE_OBJC_INNER_H

#include <objc/message.h>

#include "doubles.h"
#include "threads.h"

typedef void (*DoubleMethod)(void);

typedef struct DoubleMethodEntry {
    const DoubleClass *klass;
    const char *selector;
    DoubleMethod method;
} DoubleMethodEntry;

extern const DoubleMethodEntry double_metal_methods[]; /* ends with klass NULL */

DoubleMethod double_objc_method(id self, SEL selector);

#endif

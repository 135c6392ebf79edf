/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * objc.c - messages.
 *
 * objc_msgSend does what the runtime's does: find the method and jump to it with every argument where it was, so a
 * caller that sends a message with another type than the method's fails here as it would there.
 */
#include <string.h>

#include "objc.h"

#ifndef __x86_64__
#error "objc_msgSend is written for x86-64: leave this double out elsewhere"
#endif

__asm__(".text\n"
        ".globl objc_msgSend\n.type objc_msgSend, @function\nobjc_msgSend:\n    pushq %rbp\n    movq %rsp, %rbp\n"
        "    pushq %rdi\n    pushq %rsi\n    pushq %rdx\n    pushq %rcx\n    pushq %r8\n    pushq %r9\n"
        "    call double_objc_method@PLT\n    movq %rax, %r11\n    popq %r9\n    popq %r8\n    popq %rcx\n"
        "    popq %rdx\n    popq %rsi\n    popq %rdi\n    popq %rbp\n    jmp *%r11\n"
        ".size objc_msgSend, .-objc_msgSend\n");

SEL sel_registerName(const char *name)
{
    return (SEL)g_intern_string(name);
}

/* ---- every object's ---- */

static id nil_method(id self, SEL selector)
{
    return NULL;
}

static id retain(id self, SEL selector)
{
    return (id)CFRetain(self);
}

static void release(id self, SEL selector)
{
    CFRelease(self);
}

DoubleMethod double_objc_method(id self, SEL selector)
{
    const char *name = (const char *)selector;
    DoubleObject *object;

    if (!self) {
        return (DoubleMethod)nil_method;
    }
    object = double_check(self, NULL);
    if (strcmp(name, "retain") == 0) {
        return (DoubleMethod)retain;
    }
    if (strcmp(name, "release") == 0) {
        return (DoubleMethod)release;
    }
    for (const DoubleMethodEntry *entry = double_metal_methods; entry->klass; entry++) {
        if (entry->klass == object->klass && strcmp(entry->selector, name) == 0) {
            return entry->method;
        }
    }
    g_error("a %s does not respond to %s", object->klass->name, name);
}

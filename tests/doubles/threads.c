/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * threads.c - what a thread has on macOS: autorelease pools and a quality-of-service class.
 *
 * Without a pool objects gather until the thread ends, as objc4's NSObject.mm has it (autoreleaseNoPage(), which makes
 * a first page without a pool, and tls_dealloc(), which empties the pages).
 */
#include <pthread/qos.h>

#include "threads.h"

static void release_object(gpointer object)
{
    CFRelease(object);
}

static void release_all(gpointer stack);

static GPrivate pools = G_PRIVATE_INIT(release_all);
static GPrivate qos_class = G_PRIVATE_INIT(NULL);

static const char marker[] = "pool";

static GPtrArray *stack_of_thread(void)
{
    GPtrArray *stack = g_private_get(&pools);

    if (!stack) {
        stack = g_ptr_array_new();
        g_private_set(&pools, stack);
    }
    return stack;
}

static void pop_to(GPtrArray *stack, guint length)
{
    while (stack->len > length) {
        gpointer object = g_ptr_array_remove_index(stack, stack->len - 1);

        if (object != marker) {
            release_object(object);
        }
    }
}

static void release_all(gpointer stack)
{
    pop_to(stack, 0);
    g_ptr_array_unref(stack);
}

void *objc_autoreleasePoolPush(void)
{
    GPtrArray *stack = stack_of_thread();

    g_ptr_array_add(stack, (gpointer)marker);
    return GUINT_TO_POINTER(stack->len);
}

void objc_autoreleasePoolPop(void *pool)
{
    GPtrArray *stack = stack_of_thread();

    g_assert_cmpuint(stack->len, >=, GPOINTER_TO_UINT(pool));
    pop_to(stack, GPOINTER_TO_UINT(pool) - 1);
}

gpointer double_autorelease(gpointer object)
{
    g_ptr_array_add(stack_of_thread(), object);
    return object;
}

int pthread_set_qos_class_self_np(unsigned int class, int relative_priority)
{
    g_assert_true(relative_priority <= 0 && relative_priority >= -15);
    g_private_set(&qos_class, GUINT_TO_POINTER(class));
    return 0;
}

guint double_qos_class(void)
{
    return GPOINTER_TO_UINT(g_private_get(&qos_class));
}

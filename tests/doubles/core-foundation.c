/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core-foundation.c - objects with retain counts, numbers, arrays and dictionaries. */
#include <string.h>

#include "doubles.h"

#define DEAD 0xdeadbeefu

static GMutex live_lock;
static GHashTable *live; /* of DoubleObject */

gpointer double_object_new(const DoubleClass *klass, gsize size)
{
    DoubleObject *object = g_malloc0(size);

    object->magic = DOUBLE_MAGIC;
    object->refs = 1;
    object->klass = klass;
    g_mutex_lock(&live_lock);
    if (!live) {
        live = g_hash_table_new(NULL, NULL);
    }
    g_hash_table_add(live, object);
    g_mutex_unlock(&live_lock);
    return object;
}

/* Freed objects stay in nobody's hands: the memory may be gone, so the set of live ones is asked first. */
static DoubleObject *alive(gconstpointer pointer)
{
    DoubleObject *object = (DoubleObject *)pointer;
    gboolean known;

    g_mutex_lock(&live_lock);
    known = live && g_hash_table_contains(live, pointer);
    g_mutex_unlock(&live_lock);
    if (!known && (object == NULL || object->magic != DOUBLE_MAGIC || g_atomic_int_get(&object->refs) != -1)) {
        g_error("%p is not a live CoreFoundation object", pointer);
    }
    return object;
}

gpointer double_check(gconstpointer pointer, const DoubleClass *klass)
{
    DoubleObject *object = alive(pointer);

    if (klass && object->klass != klass) {
        g_error("%p is a %s, not a %s", pointer, object->klass->name, klass->name);
    }
    return object;
}

guint double_live_objects(char **kinds)
{
    GString *text = g_string_new(NULL);
    GHashTableIter iter;
    gpointer key;
    guint n = 0;

    g_mutex_lock(&live_lock);
    if (live) {
        g_hash_table_iter_init(&iter, live);
        while (g_hash_table_iter_next(&iter, &key, NULL)) {
            g_string_append_printf(text, "%s (%d)\n", ((DoubleObject *)key)->klass->name, ((DoubleObject *)key)->refs);
            n++;
        }
    }
    g_mutex_unlock(&live_lock);
    *kinds = g_string_free(text, FALSE);
    return n;
}

CFTypeRef CFRetain(CFTypeRef cf)
{
    DoubleObject *object = alive(cf);

    if (g_atomic_int_get(&object->refs) != -1) {
        g_atomic_int_inc(&object->refs);
    }
    return cf;
}

void CFRelease(CFTypeRef cf)
{
    DoubleObject *object = alive(cf);

    if (g_atomic_int_get(&object->refs) == -1 || !g_atomic_int_dec_and_test(&object->refs)) {
        return;
    }
    g_mutex_lock(&live_lock);
    g_hash_table_remove(live, object);
    g_mutex_unlock(&live_lock);
    if (object->klass->finalize) {
        object->klass->finalize(object);
    }
    object->magic = DEAD;
    g_free(object);
}

/* ---- strings, booleans, numbers ---- */

const DoubleClass double_string = { "CFString", NULL };
static const DoubleClass boolean_class = { "CFBoolean", NULL };
static const DoubleObject true_object = { DOUBLE_MAGIC, -1, &boolean_class };
static const DoubleObject false_object = { DOUBLE_MAGIC, -1, &boolean_class };
const CFBooleanRef kCFBooleanTrue = (const void *)&true_object;
const CFBooleanRef kCFBooleanFalse = (const void *)&false_object;
const CFAllocatorRef kCFAllocatorDefault = NULL;

const char *double_text(CFStringRef string)
{
    return ((DoubleString *)double_check(string, &double_string))->text;
}

Boolean CFBooleanGetValue(CFBooleanRef boolean)
{
    return double_check(boolean, &boolean_class) == (gconstpointer)kCFBooleanTrue;
}

typedef struct Number {
    DoubleObject object;
    gboolean is_double;
    gint64 integer;
    double real;
} Number;

const DoubleClass double_number = { "CFNumber", NULL };

CFNumberRef CFNumberCreate(CFAllocatorRef allocator, CFNumberType type, const void *value)
{
    Number *number = double_object_new(&double_number, sizeof(*number));

    switch (type) {
    case kCFNumberSInt32Type:
        number->integer = *(const gint32 *)value;
        break;
    case kCFNumberSInt64Type:
        number->integer = *(const gint64 *)value;
        break;
    case kCFNumberDoubleType:
        number->is_double = TRUE;
        number->real = *(const double *)value;
        break;
    default:
        g_error("CFNumberType %ld is not doubled", (long)type);
    }
    return (CFNumberRef)number;
}

gint64 double_number_as_int(CFTypeRef cf)
{
    Number *number = double_check(cf, &double_number);

    return number->is_double ? (gint64)number->real : number->integer;
}

double double_number_as_double(CFTypeRef cf)
{
    Number *number = double_check(cf, &double_number);

    return number->is_double ? number->real : (double)number->integer;
}

/* ---- arrays and dictionaries ---- */

typedef struct Array {
    DoubleObject object;
    GPtrArray *values;
} Array;

static void array_finalize(gpointer object)
{
    g_ptr_array_unref(((Array *)object)->values);
}

const DoubleClass double_array = { "CFArray", array_finalize };

CFArrayRef double_array_new(const void *const *values, guint n)
{
    Array *array = double_object_new(&double_array, sizeof(*array));

    array->values = g_ptr_array_new_with_free_func((GDestroyNotify)CFRelease);
    for (guint i = 0; i < n; i++) {
        g_ptr_array_add(array->values, (gpointer)CFRetain(values[i]));
    }
    return (CFArrayRef)array;
}

CFIndex CFArrayGetCount(CFArrayRef array)
{
    return ((Array *)double_check(array, &double_array))->values->len;
}

const void *CFArrayGetValueAtIndex(CFArrayRef array, CFIndex index)
{
    GPtrArray *values = ((Array *)double_check(array, &double_array))->values;

    g_assert_cmpint(index, >=, 0);
    g_assert_cmpint(index, <, values->len);
    return values->pdata[index];
}

typedef struct Dictionary {
    DoubleObject object;
    GHashTable *values;
} Dictionary;

static void dictionary_finalize(gpointer object)
{
    g_hash_table_unref(((Dictionary *)object)->values);
}

const DoubleClass double_dictionary = { "CFDictionary", dictionary_finalize };

/* Only their addresses count: the double always retains. */
const CFDictionaryKeyCallBacks kCFTypeDictionaryKeyCallBacks;
const CFDictionaryValueCallBacks kCFTypeDictionaryValueCallBacks;

CFDictionaryRef CFDictionaryCreate(CFAllocatorRef allocator, const void **keys, const void **values, CFIndex n,
                                   const CFDictionaryKeyCallBacks *key_calls,
                                   const CFDictionaryValueCallBacks *value_calls)
{
    Dictionary *dictionary = double_object_new(&double_dictionary, sizeof(*dictionary));

    g_assert_true(key_calls == &kCFTypeDictionaryKeyCallBacks && value_calls == &kCFTypeDictionaryValueCallBacks);
    dictionary->values = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)CFRelease);
    for (CFIndex i = 0; i < n; i++) {
        g_hash_table_insert(dictionary->values, (gpointer)double_text(keys[i]), (gpointer)CFRetain(values[i]));
    }
    return (CFDictionaryRef)dictionary;
}

const void *CFDictionaryGetValue(CFDictionaryRef dictionary, const void *key)
{
    return g_hash_table_lookup(((Dictionary *)double_check(dictionary, &double_dictionary))->values, double_text(key));
}

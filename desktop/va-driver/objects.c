/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* objects.c - see objects.h. */
#include "objects.h"

/* The kind is in a number's upper bits: a surface's is never taken for a buffer's. */
#define KIND_SHIFT 24

struct HvaObjects {
    GMutex lock;
    GHashTable *table; /* number to object */
    guint32 last;
};

HvaObjects *hva_objects_new(void)
{
    HvaObjects *objects = g_new0(HvaObjects, 1);

    g_mutex_init(&objects->lock);
    objects->table = g_hash_table_new(NULL, NULL);
    return objects;
}

static void drop_all(HvaObjects *objects, gboolean contexts)
{
    GHashTableIter iter;
    gpointer object;

    g_hash_table_iter_init(&iter, objects->table);
    while (g_hash_table_iter_next(&iter, NULL, &object)) {
        if (!contexts || ((HvaObject *)object)->kind == HVA_CONTEXT) {
            g_hash_table_iter_remove(&iter);
            hva_unref(object);
        }
    }
}

void hva_objects_free(HvaObjects *objects)
{
    drop_all(objects, TRUE);
    drop_all(objects, FALSE);
    g_hash_table_unref(objects->table);
    g_mutex_clear(&objects->lock);
    g_free(objects);
}

gpointer hva_object_new(gsize size, HvaKind kind, GDestroyNotify finalize)
{
    HvaObject *object = g_malloc0(size);

    g_atomic_ref_count_init(&object->refs);
    object->kind = kind;
    object->finalize = finalize;
    return object;
}

gpointer hva_ref(gpointer object)
{
    g_atomic_ref_count_inc(&((HvaObject *)object)->refs);
    return object;
}

void hva_unref(gpointer object)
{
    HvaObject *self = object;

    if (self && g_atomic_ref_count_dec(&self->refs)) {
        self->finalize(self);
        g_free(self);
    }
}

VAGenericID hva_objects_add(HvaObjects *objects, gpointer object)
{
    HvaObject *self = hva_ref(object);

    g_mutex_lock(&objects->lock);
    do { /* numbers come again after 16 million */
        objects->last = (objects->last + 1) & ((1u << KIND_SHIFT) - 1);
        self->id = (guint32)self->kind << KIND_SHIFT | objects->last;
    } while (g_hash_table_contains(objects->table, GUINT_TO_POINTER(self->id)));
    g_hash_table_insert(objects->table, GUINT_TO_POINTER(self->id), self);
    g_mutex_unlock(&objects->lock);
    return self->id;
}

/* With the lock. */
static HvaObject *find(HvaObjects *objects, HvaKind kind, VAGenericID id)
{
    HvaObject *object = g_hash_table_lookup(objects->table, GUINT_TO_POINTER(id));

    return object && object->kind == kind ? object : NULL;
}

gpointer hva_objects_ref(HvaObjects *objects, HvaKind kind, VAGenericID id)
{
    HvaObject *object;

    g_mutex_lock(&objects->lock);
    object = find(objects, kind, id);
    if (object) {
        hva_ref(object);
    }
    g_mutex_unlock(&objects->lock);
    return object;
}

gpointer hva_objects_take(HvaObjects *objects, HvaKind kind, VAGenericID id)
{
    HvaObject *object;

    g_mutex_lock(&objects->lock);
    object = find(objects, kind, id);
    if (object) {
        g_hash_table_remove(objects->table, GUINT_TO_POINTER(id));
    }
    g_mutex_unlock(&objects->lock);
    return object;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * objects.h - what clients know by a number: configs, contexts, surfaces, images, buffers.
 *
 * Objects are reference-counted: one that is destroyed while another thread uses it, or while the host reads it, goes
 * with the last reference. Any thread; the table's lock is held for a look-up and nothing else.
 */
#ifndef HELIX_VA_OBJECTS_H
#define HELIX_VA_OBJECTS_H

#include <glib.h>
#include <va/va.h>

typedef enum HvaKind { HVA_CONFIG = 1, HVA_CONTEXT, HVA_SURFACE, HVA_IMAGE, HVA_BUFFER } HvaKind;

/* The first field of every object. */
typedef struct HvaObject {
    gatomicrefcount refs;
    HvaKind kind;
    VAGenericID id;
    GDestroyNotify finalize; /* frees what the object holds, not the object */
} HvaObject;

typedef struct HvaObjects HvaObjects;

HvaObjects *hva_objects_new(void);
/* Drops the table's references: contexts first, whose threads use the others. */
void hva_objects_free(HvaObjects *objects);

/* A zeroed object of @size bytes with one reference. */
gpointer hva_object_new(gsize size, HvaKind kind, GDestroyNotify finalize);
gpointer hva_ref(gpointer object);
void hva_unref(gpointer object); /* NULL is allowed */

/* Give the object a number; the table takes a reference of its own. */
VAGenericID hva_objects_add(HvaObjects *objects, gpointer object);
/* A reference to the object of that number. NULL: there is none, or it is of another kind. */
gpointer hva_objects_ref(HvaObjects *objects, HvaKind kind, VAGenericID id);
/* The table's reference, now the caller's; the number is not known from here on. */
gpointer hva_objects_take(HvaObjects *objects, HvaKind kind, VAGenericID id);

#endif

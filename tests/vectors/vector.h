/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vector.h - the wire vectors (README.md) for tests in C, read with json-glib. Every failure ends the test.
 */
#ifndef HELIX_TEST_VECTOR_H
#define HELIX_TEST_VECTOR_H

#include <json-glib/json-glib.h>

typedef struct Vector {
    char *name;
    GBytes *data;          /* the whole message */
    const guint8 *payload; /* behind its header */
    gsize payload_len;     /* what is there: an invalid message may end before its payload_size */
    gboolean to_host, valid;
    guint8 type, flags;
    guint16 session_id;
    guint32 payload_size;
    JsonObject *text;   /* the whole JSON */
    JsonObject *fields; /* NULL: the message has none */
    GHashTable *read;   /* paths that were asked for */
} Vector;

/* All that lie in $HELIX_VECTORS, ordered by name; of Vector. */
GPtrArray *vectors_load(void);

/*
 * The values below "fields"; @path is a name, or names with dots between them: "ext.offset.0".
 */
gboolean vector_has(const Vector *vector, const char *path);
gint64 vector_number(const Vector *vector, const char *path); /* 64-bit numbers are strings in the files */
guint32 vector_fourcc(const Vector *vector, const char *path);
const char *vector_text(const Vector *vector, const char *path);
GBytes *vector_bytes(const Vector *vector, const char *path);
guint vector_length(const Vector *vector, const char *path); /* of an array */
/* Fails if "fields" has a value that was not asked for: then no test compares it. */
void vector_assert_all_read(const Vector *vector);

/* The bytes of @hex. */
GBytes *vector_from_hex(const char *hex);
/* Whether what comes before @vector on its connection agrees to more than the frozen messages. */
gboolean vector_is_agreed(const Vector *vector);
/* The code of the ERROR that answers it; 0: none does. */
gint vector_error_code(const Vector *vector);

#endif

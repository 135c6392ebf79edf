/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vector.c - see vector.h. */
#include <string.h>
#include "vector.h"

#define HEADER_SIZE 12u

static void vector_free(gpointer data)
{
    Vector *vector = data;

    g_free(vector->name);
    g_bytes_unref(vector->data);
    json_object_unref(vector->text);
    g_hash_table_unref(vector->read);
    g_free(vector);
}

static JsonObject *load_json(const char *path)
{
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autoptr(GError) error = NULL;

    json_parser_load_from_file(parser, path, &error);
    g_assert_no_error(error);
    return json_object_ref(json_node_get_object(json_parser_get_root(parser)));
}

static Vector *vector_load(const char *folder, const char *file)
{
    g_autofree char *name = g_strndup(file, strlen(file) - strlen(".json"));
    g_autofree char *json_path = g_build_filename(folder, file, NULL);
    g_autofree char *bytes_path = g_strdup_printf("%s/%s.bin", folder, name);
    g_autoptr(GError) error = NULL;
    Vector *vector = g_new0(Vector, 1);
    JsonObject *header;
    char *bytes;
    gsize len;

    g_file_get_contents(bytes_path, &bytes, &len, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(len, >=, HEADER_SIZE);
    vector->name = g_steal_pointer(&name);
    vector->data = g_bytes_new_take(bytes, len);
    vector->payload = (const guint8 *)bytes + HEADER_SIZE;
    vector->payload_len = len - HEADER_SIZE;
    vector->text = load_json(json_path);
    vector->to_host = g_str_equal(json_object_get_string_member(vector->text, "direction"), "guest-to-host");
    vector->valid = json_object_get_boolean_member(vector->text, "valid");
    header = json_object_get_object_member(vector->text, "header");
    vector->type = (guint8)json_object_get_int_member(header, "type");
    vector->flags = (guint8)json_object_get_int_member(header, "flags");
    vector->session_id = (guint16)json_object_get_int_member(header, "session_id");
    vector->payload_size = (guint32)json_object_get_int_member(header, "payload_size");
    if (json_object_has_member(vector->text, "fields")) {
        vector->fields = json_object_get_object_member(vector->text, "fields");
    }
    vector->read = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return vector;
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp((*(Vector *const *)a)->name, (*(Vector *const *)b)->name);
}

GPtrArray *vectors_load(void)
{
    const char *folder = g_getenv("HELIX_VECTORS"), *file;
    GPtrArray *vectors = g_ptr_array_new_with_free_func(vector_free);
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = NULL;

    g_assert_nonnull(folder);
    dir = g_dir_open(folder, 0, &error);
    g_assert_no_error(error);
    while ((file = g_dir_read_name(dir)) != NULL) {
        if (g_str_has_suffix(file, ".json")) {
            g_ptr_array_add(vectors, vector_load(folder, file));
        }
    }
    g_assert_cmpuint(vectors->len, >, 0);
    g_ptr_array_sort(vectors, by_name);
    return vectors;
}

/* NULL: there is none. */
static JsonNode *find(const Vector *vector, const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, ".", -1);
    JsonNode *node = json_object_get_member(vector->fields, names[0]);

    g_hash_table_add(vector->read, g_strdup(path));
    for (char **name = names + 1; node && *name; name++) {
        node = JSON_NODE_HOLDS_ARRAY(node)
            ? json_array_get_element(json_node_get_array(node), (guint)g_ascii_strtoull(*name, NULL, 10))
            : json_object_get_member(json_node_get_object(node), *name);
    }
    return node;
}

gboolean vector_has(const Vector *vector, const char *path)
{
    return find(vector, path) != NULL;
}

static JsonNode *need(const Vector *vector, const char *path)
{
    JsonNode *node = find(vector, path);

    if (!node) {
        g_error("%s.json has no field %s", vector->name, path);
    }
    return node;
}

gint64 vector_number(const Vector *vector, const char *path)
{
    JsonNode *node = need(vector, path);
    const char *text;

    if (json_node_get_value_type(node) != G_TYPE_STRING) {
        return json_node_get_int(node);
    }
    text = json_node_get_string(node);
    return *text == '-' ? g_ascii_strtoll(text, NULL, 10) : (gint64)g_ascii_strtoull(text, NULL, 10);
}

const char *vector_text(const Vector *vector, const char *path)
{
    return json_node_get_string(need(vector, path));
}

guint32 vector_fourcc(const Vector *vector, const char *path)
{
    const char *text = vector_text(vector, path);
    guint32 fourcc = 0;

    for (gsize i = 0; text[i]; i++) {
        fourcc |= (guint32)(guint8)text[i] << 8 * i;
    }
    return fourcc;
}

GBytes *vector_from_hex(const char *hex)
{
    gsize len = strlen(hex) / 2;
    guint8 *bytes = g_malloc(len);

    for (gsize i = 0; i < len; i++) {
        bytes[i] = (guint8)(g_ascii_xdigit_value(hex[2 * i]) << 4 | g_ascii_xdigit_value(hex[2 * i + 1]));
    }
    return g_bytes_new_take(bytes, len);
}

GBytes *vector_bytes(const Vector *vector, const char *path)
{
    return vector_from_hex(vector_text(vector, path));
}

guint vector_length(const Vector *vector, const char *path)
{
    return json_array_get_length(json_node_get_array(need(vector, path)));
}

static void assert_read(const Vector *vector, const char *path, JsonNode *node)
{
    if (JSON_NODE_HOLDS_OBJECT(node)) {
        JsonObjectIter iter;
        const char *name;
        JsonNode *member;

        json_object_iter_init(&iter, json_node_get_object(node));
        while (json_object_iter_next(&iter, &name, &member)) {
            g_autofree char *below = *path ? g_strdup_printf("%s.%s", path, name) : g_strdup(name);

            assert_read(vector, below, member);
        }
    } else if (JSON_NODE_HOLDS_ARRAY(node)) {
        for (guint i = 0; i < json_array_get_length(json_node_get_array(node)); i++) {
            g_autofree char *below = g_strdup_printf("%s.%u", path, i);

            assert_read(vector, below, json_array_get_element(json_node_get_array(node), i));
        }
    } else if (!g_hash_table_contains(vector->read, path)) {
        g_error("no test looks at %s of %s.json", path, vector->name);
    }
}

void vector_assert_all_read(const Vector *vector)
{
    assert_read(vector, "", json_object_get_member(vector->text, "fields"));
}

gboolean vector_is_agreed(const Vector *vector)
{
    return json_object_has_member(vector->text, "before");
}

gint vector_error_code(const Vector *vector)
{
    JsonArray *answers = json_object_get_array_member(vector->text, "answers");
    JsonObject *answer = json_array_get_length(answers) ? json_array_get_object_element(answers, 0) : NULL;

    const char *type = answer ? json_object_get_string_member(answer, "type_name") : "";

    if (!g_str_equal(type, "ERROR") && !g_str_equal(type, "SNAPSHOT_DONE")) {
        return 0;
    }
    return (gint)json_object_get_int_member(json_object_get_object_member(answer, "fields"), "code");
}

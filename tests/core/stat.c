/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stat.c - values out of the statistics' JSON, which json-glib parses: a mistake of the hand-written writer ends the
 * test. */
#include <json-glib/json-glib.h>

#include "stat.h"

static JsonNode *member(JsonNode *node, const char *name)
{
    if (JSON_NODE_HOLDS_ARRAY(node)) {
        JsonArray *array = json_node_get_array(node);
        guint64 index = g_ascii_strtoull(name, NULL, 10);

        return index < json_array_get_length(array) ? json_array_get_element(array, (guint)index) : NULL;
    }
    return JSON_NODE_HOLDS_OBJECT(node) ? json_object_get_member(json_node_get_object(node), name) : NULL;
}

/* @root gets the tree that the value belongs to. */
static JsonNode *find(const char *json, const char *path, JsonNode **root)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) names = g_strsplit(path, ".", -1);
    JsonNode *node = *root = json_from_string(json, &error);

    if (!node) {
        g_error("%s: %s", error ? error->message : "no JSON", json);
    }
    for (char **name = names; *name && node; name++) {
        node = member(node, *name);
    }
    return node;
}

gboolean stat_find(const char *json, const char *path, guint64 *value)
{
    g_autoptr(JsonNode) root = NULL;
    JsonNode *node = find(json, path, &root);

    if (!node || json_node_get_value_type(node) != G_TYPE_INT64) {
        return FALSE;
    }
    *value = (guint64)json_node_get_int(node);
    return TRUE;
}

guint64 stat_number(const char *json, const char *path)
{
    guint64 value = 0;

    if (!stat_find(json, path, &value)) {
        g_error("no number %s in %s", path, json);
    }
    return value;
}

char *stat_text(const char *json, const char *path)
{
    g_autoptr(JsonNode) root = NULL;
    JsonNode *node = find(json, path, &root);

    if (!node || json_node_get_value_type(node) != G_TYPE_STRING) {
        g_error("no text %s in %s", path, json);
    }
    return json_node_dup_string(node);
}

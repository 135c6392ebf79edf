/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encoder.c - the encoders of this build. */
#include "encoder.h"
#include "../protocol/error.h"

/* Best first. "auto" takes no encoder whose pictures are grey: those are asked for by name. */
static const HelixEncoderClass *const classes[] = {
#ifdef HELIX_HAVE_VIDEOTOOLBOX
    &helix_encoder_videotoolbox,
#endif
#ifdef HELIX_HAVE_VAAPI
    &helix_encoder_vaapi,
#endif
#ifdef HELIX_HAVE_LIBAVCODEC
    &helix_encoder_x264,
#endif
    &helix_encoder_null,
#ifdef HELIX_MEASURE
    &helix_encoder_null_texture,
#endif
};

static char *render_node;

void helix_encoder_set_render_node(const char *path)
{
    g_free(render_node);
    render_node = g_strdup(path);
}

const char *helix_encoder_render_node(void)
{
    return render_node;
}

/* Asked once per process: hardware makes a session to find out, and the caller may hold the BQL. */
static gboolean is_available(guint index, gboolean hardware_only, GError **error)
{
    static struct {
        gboolean asked;
        GError *missing; /* NULL: it is */
    } verdicts[G_N_ELEMENTS(classes)][2], *verdict;
    static GMutex lock; /* of them */
    gboolean available;

    if (!classes[index]->available) {
        return TRUE;
    }
    verdict = &verdicts[index][hardware_only != FALSE];
    g_mutex_lock(&lock);
    if (!verdict->asked) {
        classes[index]->available(hardware_only, &verdict->missing);
        verdict->asked = TRUE;
    }
    available = !verdict->missing;
    if (!available && error) {
        *error = g_error_copy(verdict->missing);
    }
    g_mutex_unlock(&lock);
    return available;
}

/* "x264, null": the encoders that are compiled in. */
static char *list_names(void)
{
    GString *names = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(classes); i++) {
        g_string_append_printf(names, "%s%s", names->len ? ", " : "", classes[i]->name);
    }
    return g_string_free(names, FALSE);
}

static const HelixEncoderClass *find_best(gboolean hardware_only, GError **error)
{
    g_autofree char *names = NULL;
    g_autoptr(GString) why = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(classes); i++) {
        g_autoptr(GError) missing = NULL;

        if (g_str_has_prefix(classes[i]->name, "null")) {
            continue;
        }
        if (is_available(i, hardware_only, &missing)) {
            return classes[i];
        }
        g_string_append_printf(why, "%s%s: %s", why->len ? "; " : " (", classes[i]->name, missing->message);
    }
    names = list_names();
    g_set_error(
        error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
        "no encoder for pictures is available%s%s: %s; encoders of this build: %s", why->str, why->len ? ")" : "",
        hardware_only ? "allow encoding in software" : "build with libavcodec and install one that has libx264", names);
    return NULL;
}

const HelixEncoderClass *helix_encoder_find(const char *name, gboolean hardware_only, GError **error)
{
    g_autofree char *names = NULL;

    if (!name || g_str_equal(name, "auto")) {
        return find_best(hardware_only, error);
    }
    for (guint i = 0; i < G_N_ELEMENTS(classes); i++) {
        g_autoptr(GError) missing = NULL;

        if (!g_str_equal(name, classes[i]->name)) {
            continue;
        }
        if (is_available(i, hardware_only, &missing)) {
            return classes[i];
        }
        names = list_names();
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER, "encoder \"%s\" cannot be used: %s; there are: auto, %s",
                    name, missing->message, names);
        return NULL;
    }
    names = list_names();
    g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                "there is no encoder \"%s\" in this build; there are: auto, %s", name, names);
    return NULL;
}

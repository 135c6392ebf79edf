/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scripted.c - a real encoder that is slow, drops or fails when told to. */
#include <string.h>

#include "protocol/error.h"
#include "scripted.h"

#define PATIENCE (20 * G_TIME_SPAN_SECOND)

typedef struct Scripted {
    HelixEncoder base;
    HelixEncoder *inner;
    HelixEncoderConfig config;
} Scripted;

static HelixEncoderClass scripted_class;
static const HelixEncoderClass *inner_class;

static GMutex lock; /* all below */
static GCond changed;
static guint delay_ms, drops, drop_every, fails, oversized, open_fails, refusals, begun, opened, closed, reconfigured;
static gboolean held, remember;
static GArray *calls;
static HelixEncoderConfig last_config;

static HelixEncoder *scripted_open(HelixEncoderConfig *config, gboolean hardware_only, GError **error)
{
    Scripted *scripted;
    HelixEncoder *inner;
    gboolean fail;

    g_mutex_lock(&lock);
    last_config = *config;
    fail = open_fails > 0;
    open_fails -= fail;
    g_mutex_unlock(&lock);
    if (fail) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER, "scripted to fail at open");
        return NULL;
    }
    inner = inner_class->open(config, hardware_only, error);
    if (!inner) {
        return NULL;
    }
    scripted = g_new(Scripted, 1);
    *scripted = (Scripted){ .base.klass = &scripted_class, .inner = inner, .config = *config };
    g_mutex_lock(&lock);
    opened++;
    g_mutex_unlock(&lock);
    return &scripted->base;
}

static gboolean scripted_reconfigure(HelixEncoder *encoder, HelixEncoderConfig *config, GError **error)
{
    Scripted *scripted = (Scripted *)encoder;
    gboolean refuse;

    g_mutex_lock(&lock);
    last_config = *config;
    refuse = refusals > 0;
    refusals -= refuse;
    reconfigured += !refuse;
    g_mutex_unlock(&lock);
    if (refuse) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID, "scripted to refuse");
        return FALSE;
    }
    if (!inner_class->reconfigure(scripted->inner, config, error)) {
        return FALSE;
    }
    scripted->config = *config;
    return TRUE;
}

/* What is to become of this encode; waits as told. */
static void begin(gboolean *drop, gboolean *fail)
{
    g_mutex_lock(&lock);
    begun++;
    g_cond_broadcast(&changed);
    while (held) {
        g_cond_wait(&changed, &lock);
    }
    *fail = fails > 0;
    fails -= *fail;
    *drop = !*fail && (drops > 0 || (drop_every && begun % drop_every == 0));
    drops -= *drop && drops > 0;
    g_mutex_unlock(&lock);
}

static gboolean scripted_encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force_idr, HelixAccessUnit *unit,
                                GError **error)
{
    const HelixEncoderConfig *config = &((Scripted *)encoder)->config;
    ScriptedCall call = { .width = surface->width,
                          .height = surface->height,
                          .coded_width = config->width,
                          .bitrate = config->bitrate,
                          .path = surface->path,
                          .force_idr = force_idr };
    gboolean ok = TRUE;
    guint wait_ms;

    if (surface->kind == HELIX_SURFACE_MEMORY) {
        memcpy(&call.pixel, surface->data + surface->offset[0], sizeof call.pixel);
    }
    begin(&call.dropped, &call.failed);
    if (call.failed) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_ENCODE, "scripted to fail");
        ok = FALSE;
    } else if (call.dropped) {
        unit->dropped = TRUE;
    } else {
        ok = inner_class->encode(((Scripted *)encoder)->inner, surface, force_idr, unit, error);
        call.keyframe = unit->keyframe;
    }
    g_mutex_lock(&lock);
    wait_ms = delay_ms;
    if (oversized > 0 && unit->data) {
        oversized--;
        g_bytes_unref(unit->data);
        unit->data = g_bytes_new_take(g_malloc0(HELIX_MAX_RESPONSE_PAYLOAD), HELIX_MAX_RESPONSE_PAYLOAD);
    }
    g_mutex_unlock(&lock);
    g_usleep(wait_ms * 1000ul); /* after conversion, as coding would be */
    g_mutex_lock(&lock);
    if (remember) {
        g_array_append_val(calls, call);
    }
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
    return ok;
}

static void scripted_close(HelixEncoder *encoder)
{
    inner_class->close(((Scripted *)encoder)->inner);
    g_free(encoder);
    g_mutex_lock(&lock);
    closed++;
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
}

const HelixEncoderClass *scripted_wrap(const HelixEncoderClass *inner)
{
    g_mutex_lock(&lock);
    delay_ms = drops = drop_every = fails = oversized = open_fails = refusals = begun = opened = closed = reconfigured =
        0;
    held = FALSE;
    remember = TRUE;
    g_clear_pointer(&calls, g_array_unref);
    calls = g_array_new(FALSE, FALSE, sizeof(ScriptedCall));
    g_mutex_unlock(&lock);
    inner_class = inner;
    scripted_class = *inner;
    scripted_class.open = scripted_open;
    scripted_class.reconfigure = scripted_reconfigure;
    scripted_class.encode = scripted_encode;
    scripted_class.close = scripted_close;
    return &scripted_class;
}

static guint64 sixteen_a_pixel(const HelixEncoderConfig *config)
{
    return (guint64)config->width * config->height * 16;
}

void scripted_keep(void)
{
    scripted_class.memory = sixteen_a_pixel;
}

void scripted_want_nv12(void)
{
    scripted_class.wants_nv12 = TRUE;
}

#define SETTER(name, type, variable) \
    void name(type value) \
    { \
        g_mutex_lock(&lock); \
        variable = value; \
        g_cond_broadcast(&changed); \
        g_mutex_unlock(&lock); \
    }
#define GETTER(name, type, expression) \
    type name(void) \
    { \
        type value; \
        g_mutex_lock(&lock); \
        value = expression; \
        g_mutex_unlock(&lock); \
        return value; \
    }

SETTER(scripted_remember, gboolean, remember)
SETTER(scripted_delay_ms, guint, delay_ms)
SETTER(scripted_drop, guint, drops)
SETTER(scripted_drop_every, guint, drop_every)
SETTER(scripted_fail, guint, fails)
SETTER(scripted_oversize, guint, oversized)
SETTER(scripted_fail_open, guint, open_fails)
SETTER(scripted_refuse, guint, refusals)
SETTER(scripted_hold, gboolean, held)
GETTER(scripted_n_begun, guint, begun)
GETTER(scripted_n_calls, guint, calls->len)
GETTER(scripted_n_opened, guint, opened)
GETTER(scripted_n_closed, guint, closed)
GETTER(scripted_n_reconfigured, guint, reconfigured)
GETTER(scripted_config, HelixEncoderConfig, last_config)

static gboolean wait_for(const guint *counter, guint n)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE;
    gboolean there;

    g_mutex_lock(&lock);
    while (*counter < n && g_cond_wait_until(&changed, &lock, deadline)) {
    }
    there = *counter >= n;
    g_mutex_unlock(&lock);
    return there;
}

gboolean scripted_wait_begun(guint n)
{
    return wait_for(&begun, n);
}

gboolean scripted_wait_closed(guint n)
{
    return wait_for(&closed, n);
}

ScriptedCall scripted_call(guint i)
{
    ScriptedCall call;

    g_mutex_lock(&lock);
    g_assert_cmpuint(i, <, calls->len);
    call = g_array_index(calls, ScriptedCall, i);
    g_mutex_unlock(&lock);
    return call;
}

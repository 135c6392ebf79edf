/* SPDX-License-Identifier: GPL-2.0-or-later */
/* va-rig.c - the display and the host; see va-rig.h. */
#include <fcntl.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include <va/va_drm.h>
#include "va-rig.h"

static void on_error(gpointer data, const char *text)
{
    VaRig *rig = data;

    g_mutex_lock(&rig->log_lock);
    g_string_append(rig->log, text);
    g_mutex_unlock(&rig->log_lock);
}

static void ignore(gpointer data, const char *text)
{
}

static void open_display(VaRig *rig)
{
    int major, minor;

    rig->node = open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
    g_assert_cmpint(rig->node, >=, 0);
    rig->display = vaGetDisplayDRM(rig->node);
    g_assert_nonnull(rig->display);
    vaSetErrorCallback(rig->display, on_error, rig);
    vaSetInfoCallback(rig->display, ignore, rig);
    assert_va(vaInitialize(rig->display, &major, &minor));
}

static void close_display(VaRig *rig)
{
    assert_va(vaTerminate(rig->display));
    close(rig->node);
}

void va_rig_set_up_alone(VaRig *rig, gconstpointer data)
{
    g_autofree char *node = NULL;

    rig->dir = g_dir_make_tmp("helix-va-XXXXXX", NULL);
    node = g_build_filename(rig->dir, "renderD128", NULL);
    g_assert_true(g_file_set_contents(node, "", 0, NULL));
    g_setenv("FAKE_DRI", rig->dir, TRUE);
    g_setenv("LIBVA_DRIVER_NAME", "helix", TRUE);
    g_setenv("LIBVA_DRIVERS_PATH", g_getenv("HELIX_VA_DRIVERS"), TRUE);
    g_setenv("LIBVA_MESSAGING_LEVEL", "1", TRUE);
    g_setenv("HELIX_VA_SOCKET", rig->has_host ? rig->host.path : node, TRUE);
    g_mutex_init(&rig->log_lock);
    rig->log = g_string_new(NULL);
    open_display(rig);
}

void va_rig_set_up(VaRig *rig, gconstpointer data)
{
    rig->has_host = TRUE;
    real_host_start(&rig->host, NULL);
    va_rig_set_up_alone(rig, data);
}

void va_rig_tear_down(VaRig *rig, gconstpointer data)
{
    g_autofree char *node = g_build_filename(rig->dir, "renderD128", NULL);

    close_display(rig);
    if (rig->has_host) {
        real_host_stop(&rig->host);
    }
    g_unlink(node);
    g_rmdir(rig->dir);
    g_free(rig->dir);
    g_string_free(rig->log, TRUE);
    g_mutex_clear(&rig->log_lock);
}

void va_rig_restart_host(VaRig *rig, const char *option)
{
    real_host_kill(&rig->host);
    rig->host.option = option;
    real_host_again(&rig->host);
}

void va_rig_reopen(VaRig *rig)
{
    close_display(rig);
    open_display(rig);
}

guint va_rig_lines(VaRig *rig)
{
    guint lines = 0;

    g_mutex_lock(&rig->log_lock);
    for (const char *at = rig->log->str; *at; at++) {
        lines += *at == '\n';
    }
    g_mutex_unlock(&rig->log_lock);
    return lines;
}

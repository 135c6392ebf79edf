/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * va-rig.h - what the tests of the VA-API driver share: libva with the driver, on the render node that fake-dri.c
 * plays, and the real host in a process of its own.
 */
#ifndef VA_RIG_H
#define VA_RIG_H

#include <va/va.h>
#include <va/va_enc_h264.h>
#include "../client/real-host.h"
#include "../encoder/common.h"
#include "cases.h"

typedef struct VaRig {
    RealHost host;
    gboolean has_host;
    char *dir;
    int node;
    VADisplay display;
    GString *log; /* what the driver said to the user */
    GMutex log_lock;
} VaRig;

/* A case with a rig f: with a host, and without. */
#define RIG_TEST(path, function) TEST_WITH(VaRig, va_rig_set_up, va_rig_tear_down, path, function)
#define LONE_TEST(path, function) TEST_WITH(VaRig, va_rig_set_up_alone, va_rig_tear_down, path, function)

void va_rig_set_up(VaRig *rig, gconstpointer data);
void va_rig_set_up_alone(VaRig *rig, gconstpointer data);
void va_rig_tear_down(VaRig *rig, gconstpointer data);
/* The host again, with @option. */
void va_rig_restart_host(VaRig *rig, const char *option);
/* The display closed, and opened anew: what is set in the environment holds from here on. */
void va_rig_reopen(VaRig *rig);
/* How many lines the driver wrote. */
guint va_rig_lines(VaRig *rig);

#define assert_va(call) g_assert_cmpstr(vaErrorStr(call), ==, vaErrorStr(VA_STATUS_SUCCESS))
#define assert_va_is(call, status) g_assert_cmpstr(vaErrorStr(call), ==, vaErrorStr(status))

/* ---- an encoder ---- */
typedef struct Film {
    VaRig *rig;
    VAConfigID config;
    VAContextID context;
    VASurfaceID input, reconstructed;
    VABufferID coded;
    guint width, height;
    VAEncSequenceParameterBufferH264 sequence; /* sent with an IDR, and whenever @send_sequence is set */
    VAEncPictureParameterBufferH264 picture;
    VAEncSliceParameterBufferH264 slice;
    VAEncMiscParameterRateControl rate; /* sent with the sequence if bits_per_second is not 0 */
    gboolean send_sequence;
    guint n_slices; /* 0: one */
    Decoder *decoder;
} Film;

/* An encoder with an NV12 surface of its own. */
void film_open(Film *film, VaRig *rig, VAProfile profile, guint32 rate_control, guint width, guint height);
void film_close(Film *film);
/* Upload picture @n of @painter, in BT.709. */
void film_paint(Film *film, VASurfaceID surface, Painter painter, guint n);
/* vaBeginPicture() to vaEndPicture(), the first status that is no success. */
VAStatus film_begin(Film *film, VASurfaceID surface, gboolean idr);
/* The access unit of the picture begun. NULL with @status if it is not NULL; else the test fails. */
GBytes *film_take(Film *film, VAStatus *status);
/* Paint, encode, take. */
GBytes *film_encode(Film *film, Painter painter, guint n, gboolean idr);
/* Decode @unit, and compare: the least PSNR of the three planes. */
double film_compare(Film *film, GBytes *unit, Painter painter, guint n);

/* A surface of @fourcc. */
VASurfaceID make_surface(VaRig *rig, guint32 fourcc, guint width, guint height);
/* Picture @n of @painter in an RGB surface, by vaDeriveImage(). */
void paint_rgb(VaRig *rig, VASurfaceID surface, Painter painter, guint n);

#endif

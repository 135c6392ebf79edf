/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encoder.h - the interface of an H.264 encoder, the list of encoders in this build, and their configuration.
 *
 * An encoder belongs to one stream and is opened, used, reconfigured and closed on that stream's encode thread only. It
 * returns the access unit of each frame before it gets the next frame: no reordering, no delay.
 */
#ifndef HELIX_ENCODER_H
#define HELIX_ENCODER_H

#include <glib.h>
#include "../frame/surface.h"
#include "../h264/h264.h"
#include "../protocol/stream-config.h"

/* A stream's configuration with every automatic value resolved (helix_encoder_config_complete()): width and height are
 * even and > 0. */
typedef HelixStreamConfig HelixEncoderConfig;

typedef struct HelixEncoder HelixEncoder;

/* Result of an encode(). The caller sets pts_ns and zeroes the rest. */
typedef struct HelixAccessUnit {
    gint64 pts_ns;       /* of the picture, as the guest says, unchecked: only for rate control */
    GBytes *data;        /* one access unit, Annex B, SPS and PPS before an IDR; NULL if dropped */
    gboolean keyframe;   /* an IDR */
    gboolean dropped;    /* the encoder chose to drop the frame: no data, no error */
    gint64 submitted_ns; /* g_get_monotonic_time() * 1000 at the end of conversion, where coding begins */
    guint64 cpu_bytes;   /* bytes the host's CPU read and wrote to convert or scale the picture, coding not counted;
                            encode() adds */
} HelixAccessUnit;

typedef struct HelixEncoderClass {
    const char *name;     /* "x264", "vaapi", "null", "videotoolbox" */
    guint surface_kinds;  /* bits 1 << HelixSurfaceKind it can read */
    gboolean wants_nv12;  /* a picture in host memory is best given as NV12 of the coded size; it takes others too */
    gboolean letterboxes; /* it can keep the shape of pictures that it scales: config.letterbox */
    gboolean on_cpu;      /* it codes with the CPU: its threads are scheduled as batch work (threads.h) */
    /* Bytes of host memory that an encoder open for a completed @config keeps at most. NULL: negligible. Any
     * thread. */
    guint64 (*memory)(const HelixEncoderConfig *config);
    /*
     * Open for @config; writes the active values back into it. @hardware_only: do not encode in software. NULL
     * with HELIX_ERROR (HELIX_CODE_NO_ENCODER with what is missing, HELIX_CODE_ENCODE otherwise).
     */
    HelixEncoder *(*open)(HelixEncoderConfig *config, gboolean hardware_only, GError **error);
    /*
     * Change to @config without a new session, writing the active values back. FALSE without @error set: this needs
     * open and close (a new SPS and IDR follow). FALSE, with an error or without, leaves the encoder as it was.
     */
    gboolean (*reconfigure)(HelixEncoder *encoder, HelixEncoderConfig *config, GError **error);
    /*
     * Encode @surface, scaled to the coded size (with config.letterbox in its own shape), RGB converted to BT.709
     * limited range. With @force_idr the access unit is an IDR. FALSE with HELIX_ERROR (HELIX_CODE_ENCODE;
     * HELIX_CODE_GEOMETRY for a picture that does not lie within its memory, HELIX_CODE_NO_IOSURFACE for one whose
     * IOSurface can't be read): the stream closes this encoder and opens a new one for the next frame.
     */
    gboolean (*encode)(HelixEncoder *encoder, HelixSurface *surface, gboolean force_idr, HelixAccessUnit *unit,
                       GError **error);
    void (*close)(HelixEncoder *encoder);
    /*
     * Whether this machine can run it, with @hardware_only without encoding in software. NULL: always. FALSE with
     * HELIX_ERROR (HELIX_CODE_NO_ENCODER) and what is missing. May take seconds. Any thread, one call at a time.
     */
    gboolean (*available)(gboolean hardware_only, GError **error);
} HelixEncoderClass;

struct HelixEncoder {
    const HelixEncoderClass *klass;
};

extern const HelixEncoderClass helix_encoder_null;
extern const HelixEncoderClass helix_encoder_null_texture; /* HELIX_MEASURE */
extern const HelixEncoderClass helix_encoder_x264;         /* HELIX_HAVE_LIBAVCODEC */
extern const HelixEncoderClass helix_encoder_vaapi;        /* HELIX_HAVE_VAAPI */
extern const HelixEncoderClass helix_encoder_videotoolbox; /* HELIX_HAVE_VIDEOTOOLBOX */

/*
 * The encoder called @name; "auto" or NULL takes the best one of this build that encodes pictures (never `null`) and
 * is available on this machine: VideoToolbox on a Mac, VA-API on Linux, or x264 if those open no session.
 * @hardware_only excludes encoders that use the CPU. NULL with HELIX_ERROR (HELIX_CODE_NO_ENCODER): the message has the
 * reason and the names of this build. Availability is tested once per process, by the first call that needs it, which
 * takes as long as opening a session. Any thread.
 */
const HelixEncoderClass *helix_encoder_find(const char *name, gboolean hardware_only, GError **error);

/*
 * The render node that encoders on a GPU use, such as "/dev/dri/renderD129". NULL, the default: each is tried. To be
 * set before the first call of helix_encoder_find(), and not again. Copied.
 */
void helix_encoder_set_render_node(const char *path);
const char *helix_encoder_render_node(void);

/*
 * Fill in automatic values: bit rate by resolution and frame rate, 60 fps, High profile. Rounds the coded size up to
 * even. FALSE with HELIX_CODE_INVALID or HELIX_CODE_GEOMETRY for values out of range, and the range.
 */
gboolean helix_encoder_config_complete(HelixEncoderConfig *config, GError **error);

/* Whether pictures can be coded at this size. FALSE with HELIX_CODE_GEOMETRY and the limit. */
gboolean helix_encoder_check_size(guint32 width, guint32 height, GError **error);

/*
 * The level to code a completed @config with, times 10: the one asked for, raised where size, frame rate or bit rate
 * need a higher one (table A-1). Automatic is 3.1 at least: every decoder in use takes that, and it leaves a small
 * picture room for a higher bit rate without a new SPS. 6.2 where no level allows the rates.
 */
guint8 helix_encoder_level(const HelixEncoderConfig *config);

#endif

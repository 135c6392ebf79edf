/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helix-client.h - libhelix-client: encode a guest's frames on the host of its virtual machine.
 *
 * A client connects to the host by vsock or by a UNIX socket, negotiates a configuration, and submits frames. The host
 * encodes them and returns H.264 access units. A frame is named by the virtio-gpu resource id of its memory wherever
 * that is possible; else its pixels are copied into such memory, or sent over the connection.
 *
 * One access unit of a resource, as an example:
 *
 *     static GBytes *film(guint32 resource_id, const HelixClientImage *image, GError **error)
 *     {
 *         g_autoptr(HelixClient) client = helix_client_new();
 *         g_autoptr(HelixClientEvent) event = NULL;
 *
 *         if (!helix_client_connect(client, error)) {
 *             return NULL;
 *         }
 *         helix_client_configure(client, &(HelixClientConfig){ .fps_num = 30, .fps_den = 1 });
 *         helix_client_submit(client, helix_client_frame_new_resource(resource_id, image), 0, 0, TRUE, NULL);
 *         do {
 *             g_clear_pointer(&event, helix_client_event_free);
 *             event = helix_client_wait_event(client);
 *         } while (event && event->type == HELIX_CLIENT_EVENT_CONFIGURED);
 *         return event && event->type == HELIX_CLIENT_EVENT_ACCESS_UNIT ? g_bytes_ref(event->unit) : NULL;
 *     }
 *
 * Threads: the library has one thread a client, which reads and writes the socket, and which is named
 * "helix-client-io". Every function may be called from any thread, and several at once, unless its text says something
 * else. Callbacks are made with no lock held, unless their text says so. Those on the library's thread must not block,
 * and must not close or unref the client.
 * Blocking: no function waits for the host, except those named helix_client_wait_...() and helix_client_drain().
 * Ownership: pointers given to a function stay the caller's, unless its text says "taken over". ..._new...(), ..._ref()
 * and gpu_open() return a reference; other pointers belong to the library, unless "to be freed". Structs are copied.
 * Units: sizes and offsets in bytes, pictures in pixels, times in nanoseconds, intervals as their names say (_ms, _us).
 * Errors: functions that can fail take a GError, of domain HELIX_CLIENT_ERROR; its text says what can be done about it.
 *
 * Structs that callers fill end in reserved fields; initialise them to zero, as "= { 0 }" or a list of fields does.
 *
 * This header includes the others: helix-client-gpu.h (virtio-gpu memory) and helix-client-snapshot.h (pixels that the
 * host keeps).
 */
#ifndef HELIX_CLIENT_H
#define HELIX_CLIENT_H

#include <glib.h>

G_BEGIN_DECLS

/* ---- errors ---- */
#define HELIX_CLIENT_ERROR (helix_client_error_quark())
GQuark helix_client_error_quark(void);

typedef enum HelixClientError {
    HELIX_CLIENT_ERROR_FAILED,     /* a system call failed that should not */
    HELIX_CLIENT_ERROR_NO_MEMORY,  /* an allocation of a frame's size failed */
    HELIX_CLIENT_ERROR_ADDRESS,    /* no socket can have this address */
    HELIX_CLIENT_ERROR_CONNECT,    /* nothing can be connected to at the address */
    HELIX_CLIENT_ERROR_PERMISSION, /* this process may not connect, or not open the render node */
    HELIX_CLIENT_ERROR_CLOSED,     /* the host closed the connection */
    HELIX_CLIENT_ERROR_WRITE,      /* writing to the connection failed */
    HELIX_CLIENT_ERROR_TIMEOUT,    /* the host does not answer in time */
    HELIX_CLIENT_ERROR_NOT_A_HOST, /* the peer speaks another protocol */
    HELIX_CLIENT_ERROR_PROTOCOL,   /* the host breaks the protocol */
    HELIX_CLIENT_ERROR_REFUSED,    /* the host refuses the connection, the stream or a frame for good */
    HELIX_CLIENT_ERROR_CONFIG,     /* the host refuses the configuration */
    HELIX_CLIENT_ERROR_NO_GPU,     /* there is no render node of a virtio-gpu, or none was set */
    HELIX_CLIENT_ERROR_FOREIGN,    /* the DMA-BUF belongs to another driver than the virtio-gpu's */
    HELIX_CLIENT_ERROR_GPU,        /* the virtio-gpu's driver refuses a request */
    HELIX_CLIENT_ERROR_IMAGE,      /* the protocol cannot describe this image */
    HELIX_CLIENT_ERROR_NO_BUFFER,  /* no buffer of the virtio-gpu can be had that the host is able to read */
} HelixClientError;

/* Codes that a host sends, in HelixClientEvent.code. */
typedef enum HelixClientHostCode {
    HELIX_CLIENT_HOST_INVALID = -1,
    HELIX_CLIENT_HOST_NOT_FOUND = -2,    /* no such resource */
    HELIX_CLIENT_HOST_NOT_READABLE = -3, /* the host cannot read the resource's pixels */
    HELIX_CLIENT_HOST_NO_IOSURFACE = -4,
    HELIX_CLIENT_HOST_ENCODE = -5, /* the encoder failed; a later frame may succeed */
    HELIX_CLIENT_HOST_NOT_CONFIGURED = -6,
    HELIX_CLIENT_HOST_BUSY = -7,     /* too many requests; a later frame may succeed */
    HELIX_CLIENT_HOST_GEOMETRY = -8, /* size, stride, format, crop or offset does not fit the resource */
    HELIX_CLIENT_HOST_NOT_PERMITTED = -9,
    HELIX_CLIENT_HOST_NO_ENCODER = -10, /* a limit is reached, or the host has no encoder */
    HELIX_CLIENT_HOST_INTERNAL = -99,
} HelixClientHostCode;

/* ---- the client: one connection with one stream ---- */
typedef struct HelixClient HelixClient;
typedef struct HelixClientEvent HelixClientEvent;
typedef struct HelixClientFrame HelixClientFrame;
typedef struct HelixClientGpu HelixClientGpu;
typedef struct HelixClientBuffer HelixClientBuffer;
typedef struct HelixClientSnapshot HelixClientSnapshot;

#define HELIX_CLIENT_HOST_CID 2u
#define HELIX_CLIENT_DEFAULT_PORT 5000u

/* A client with a reference, for that CID and port, a timeout of 10 s, and no reconnecting. Never NULL. */
HelixClient *helix_client_new(void);
HelixClient *helix_client_ref(HelixClient *client);
/* The last reference closes the client, as helix_client_close() does: not from a callback. */
void helix_client_unref(HelixClient *client);

/* Call the setters up to helix_client_connect() before it; they are not thread-safe. */
void helix_client_set_vsock_address(HelixClient *client, guint cid, guint port);
/* A UNIX socket instead of vsock; NULL: vsock. */
void helix_client_set_socket_path(HelixClient *client, const char *path);
/* How long a host may leave a PING unanswered or a message unfinished; the answer itself may take
 * six times as long. 0: no limit. */
void helix_client_set_timeout(HelixClient *client, guint timeout_ms);
/* Whether to connect again to a host that is not there yet, closes, or falls silent: after 100 ms, then less and less
 * often down to every 2 s. Errors that waiting cannot mend (no permission, another protocol) are HELIX_CLIENT_FAILED.
 * The stream is negotiated again by the library, with the last configuration; the host's first frame is an IDR. */
void helix_client_set_reconnect(HelixClient *client, gboolean reconnect);
/* Frees the frame_data of each event from which it was not stolen, and of frames that were never answered. */
void helix_client_set_frame_data_free(HelixClient *client, GDestroyNotify free_frame_data);
/* The virtio-gpu whose memory frames may be in; referenced. Without one, DMA-BUFs and buffers cannot be submitted. */
void helix_client_set_gpu(HelixClient *client, HelixClientGpu *gpu);

typedef enum HelixClientState {
    HELIX_CLIENT_DISCONNECTED, /* with reconnect: the connection is lost or not made yet, and tried again */
    HELIX_CLIENT_CONNECTED,    /* ... and there again, and a host has negotiated */
    HELIX_CLIENT_FAILED,       /* nothing more comes; terminal */
} HelixClientState;

/* Called on the library's thread, or by connect(), before anything that waits for the client is woken. @error
 * (DISCONNECTED, FAILED) is the client's. With a function set, there are no events of these names. */
typedef void (*HelixClientStateFunc)(HelixClient *client, HelixClientState state, const GError *error, gpointer data);
void helix_client_set_state_func(HelixClient *client, HelixClientStateFunc func, gpointer data);

/* Messages for a log, @level a GLogLevelFlags. By default they go to g_log(), domain "helix-client". Any thread, a lock
 * held: the function must not call the library. */
typedef void (*HelixClientLogFunc)(GLogLevelFlags level, const char *message, gpointer data);
void helix_client_set_log_func(HelixClient *client, HelixClientLogFunc func, gpointer data);

/* Begin to connect. FALSE with an error, after which it may be called again, for what is known at once (no vsock in
 * this kernel, no such socket); what shows later comes as HELIX_CLIENT_FAILED. */
gboolean helix_client_connect(HelixClient *client, GError **error);
/* Begin to connect a socket to the client's address, for helix_client_set_socket() of any client: for programs that may
 * open none later, as in a sandbox. No thread is started, and nothing sent. The descriptor, which does not block and is
 * closed by exec(), is the caller's. -1: an error as helix_client_connect()'s. */
int helix_client_open_socket(HelixClient *client, GError **error);
/* A setter: connect() begins with @fd (taken over; -1: none), a stream socket that is connected to a host, or about to
 * be, on which nothing was sent. It is made not to block. Later connections are made at the client's address. */
void helix_client_set_socket(HelixClient *client, int fd);
/* Ends every wait on this client, for good: they return as when flushing. The connection stays open. */
void helix_client_shutdown(HelixClient *client);
/* helix_client_shutdown(), and closes the connection: returns once the library's thread has ended, which takes
 * microseconds. Frames under way are released, data of frames freed. Not from a callback. */
void helix_client_close(HelixClient *client);

/* ---- configuration ---- */
/* What the stream's SPS says of its pictures (H.264, clause E.2.1). All 0: square pixels, BT.709 in limited range. */
typedef struct HelixClientVui {
    guint16 sar_width, sar_height;      /* sample aspect ratio; both 0: 1:1 */
    guint8 primaries, transfer, matrix; /* code points of tables E-3 to E-5; 0: BT.709 */
    guint8 full_range;
    guint32 chroma_loc; /* chroma_sample_loc_type plus 1; 0: not said */
} HelixClientVui;

typedef enum HelixClientRateControl {
    HELIX_CLIENT_RATE_AUTO,
    HELIX_CLIENT_RATE_CBR,
    HELIX_CLIENT_RATE_VBR,
    HELIX_CLIENT_RATE_CQP, /* min_qp is the quantiser */
} HelixClientRateControl;

/* The host chooses the value of each field that is 0. */
typedef struct HelixClientConfig {
    guint32 width, height;    /* of the coded picture; 0: follows the frames */
    guint32 bitrate;          /* bit/s */
    guint32 fps_num, fps_den; /* frames a second; of a variable rate the maximum. fps_den is not 0 if fps_num is not */
    guint8 profile;           /* profile_idc: 66, 77 or 100 */
    guint8 level;             /* times 10 */
    guint8 realtime;          /* 1: a live stream, latency matters */
    guint8 rate_control;      /* HelixClientRateControl */
    /* From here on only hosts with HELIX_CLIENT_CAP_LONG_CONFIG are told; rate_control too. */
    guint32 max_bitrate;   /* bit/s, of HELIX_CLIENT_RATE_VBR */
    guint32 key_int_max;   /* frames from one keyframe to the next at most; 0: keyframes only when asked for */
    guint8 min_qp, max_qp; /* bounds of the quantiser */
    guint8 slices;         /* a picture */
    guint8 aud;            /* 1: access unit delimiters */
    HelixClientVui vui;    /* HELIX_CLIENT_CAP_VUI */
    guint64 tag;           /* the caller's: not sent, comes back in the event */
    /* HELIX_CLIENT_CAP_LETTERBOX. 1: frames of another shape than the coded size's get black borders; 0: they are
     * stretched. */
    guint8 letterbox;
    guint8 reserved_bytes[3];
    guint32 reserved[7];
} HelixClientConfig;

typedef enum HelixClientCapability {
    HELIX_CLIENT_CAP_EXT = 0x01,           /* crop, offset, plane layout, pages as a source */
    HELIX_CLIENT_CAP_RELEASE = 0x02,       /* says when it has read a frame */
    HELIX_CLIENT_CAP_TIMING = 0x04,        /* says how long each stage took */
    HELIX_CLIENT_CAP_REPEAT = 0x08,        /* encodes its last frame again */
    HELIX_CLIENT_CAP_LONG_CONFIG = 0x10,   /* rate control and what follows it in HelixClientConfig */
    HELIX_CLIENT_CAP_SESSION_CLOSE = 0x20, /* several streams on a connection */
    HELIX_CLIENT_CAP_NV12_PAGES = 0x40,    /* NV12 in the pages of any resource */
    HELIX_CLIENT_CAP_VUI = 0x80,           /* aspect ratio and colours */
    HELIX_CLIENT_CAP_SNAPSHOT = 0x100,     /* keeps pixels to be encoded later: helix-client-snapshot.h */
    HELIX_CLIENT_CAP_LETTERBOX = 0x200,    /* letterbox of HelixClientConfig */
} HelixClientCapability;

/* What a host says of itself and of the stream. All 0 for an old one, which knows the frozen messages only. */
typedef struct HelixClientHost {
    HelixClientConfig active; /* the configuration in force */
    guint32 max_in_flight;    /* requests that it takes at once */
    guint32 capabilities;     /* HelixClientCapability */
    char encoder[33];         /* its encoder's name, UTF-8 */
    guint32 reserved[8];
} HelixClientHost;

/* Encode with @config from here on, in order with submitted frames. The first call, before connect() or after it,
 * begins the negotiation: CONFIGURED and CONFIG_REFUSED tell how each call ended. A refusal of the first is
 * HELIX_CLIENT_FAILED. */
void helix_client_configure(HelixClient *client, const HelixClientConfig *config);
/* Whether a host is connected and has negotiated. It may go at any time. */
gboolean helix_client_is_negotiated(HelixClient *client);
/* The latest host's word. FALSE and all 0: none has negotiated yet. */
gboolean helix_client_get_host(HelixClient *client, HelixClientHost *host);
/* HelixClientCapability bits of the host; before the first negotiation those of a host of this version. */
guint32 helix_client_get_capabilities(HelixClient *client);
/* Requests that may be under way at once: 1 to 4. */
guint helix_client_get_max_in_flight(HelixClient *client);

/* ---- images and frames ---- */
/* Formats of frames: DRM's fourccs. */
#define HELIX_CLIENT_FOURCC(a, b, c, d) \
    ((guint32)(a) | ((guint32)(b) << 8) | ((guint32)(c) << 16) | ((guint32)(d) << 24))
#define HELIX_CLIENT_FORMAT_AR24 HELIX_CLIENT_FOURCC('A', 'R', '2', '4') /* bytes B G R A */
#define HELIX_CLIENT_FORMAT_XR24 HELIX_CLIENT_FOURCC('X', 'R', '2', '4') /* bytes B G R x */
#define HELIX_CLIENT_FORMAT_AB24 HELIX_CLIENT_FOURCC('A', 'B', '2', '4') /* bytes R G B A */
#define HELIX_CLIENT_FORMAT_XB24 HELIX_CLIENT_FOURCC('X', 'B', '2', '4') /* bytes R G B x */
#define HELIX_CLIENT_FORMAT_NV12 HELIX_CLIENT_FOURCC('N', 'V', '1', '2') /* Y, then Cb and Cr interleaved */
#define HELIX_CLIENT_FORMAT_YU12 HELIX_CLIENT_FOURCC('Y', 'U', '1', '2') /* I420; copied as NV12, never by id */
/* These too are never sent by id: the copy becomes NV12, or XR24 if they are RGB, in 8 bits a sample. */
#define HELIX_CLIENT_FORMAT_YV12 HELIX_CLIENT_FOURCC('Y', 'V', '1', '2') /* Y, Cr, Cb */
#define HELIX_CLIENT_FORMAT_NV21 HELIX_CLIENT_FOURCC('N', 'V', '2', '1') /* Y, then Cr and Cb interleaved */
#define HELIX_CLIENT_FORMAT_YUYV HELIX_CLIENT_FOURCC('Y', 'U', 'Y', 'V') /* bytes Y Cb Y Cr */
#define HELIX_CLIENT_FORMAT_UYVY HELIX_CLIENT_FOURCC('U', 'Y', 'V', 'Y') /* bytes Cb Y Cr Y */
#define HELIX_CLIENT_FORMAT_YU16 HELIX_CLIENT_FOURCC('Y', 'U', '1', '6') /* 4:2:2, Y, Cb, Cr */
#define HELIX_CLIENT_FORMAT_YU24 HELIX_CLIENT_FOURCC('Y', 'U', '2', '4') /* 4:4:4, Y, Cb, Cr */
#define HELIX_CLIENT_FORMAT_P010 \
    HELIX_CLIENT_FOURCC('P', '0', '1', '0') /* NV12 with 16 bits a sample, of which the upper ten count */
#define HELIX_CLIENT_FORMAT_R8 HELIX_CLIENT_FOURCC('R', '8', ' ', ' ')   /* grey from 0 to 255 */
#define HELIX_CLIENT_FORMAT_RG24 HELIX_CLIENT_FOURCC('R', 'G', '2', '4') /* bytes B G R */
#define HELIX_CLIENT_FORMAT_BG24 HELIX_CLIENT_FOURCC('B', 'G', '2', '4') /* bytes R G B */
#define HELIX_CLIENT_FORMAT_RG16 HELIX_CLIENT_FOURCC('R', 'G', '1', '6') /* 16 bits, red highest */
#define HELIX_CLIENT_FORMAT_BX24 HELIX_CLIENT_FOURCC('B', 'X', '2', '4') /* bytes x R G B */
#define HELIX_CLIENT_FORMAT_BA24 HELIX_CLIENT_FOURCC('B', 'A', '2', '4') /* bytes A R G B */
#define HELIX_CLIENT_FORMAT_RX24 HELIX_CLIENT_FOURCC('R', 'X', '2', '4') /* bytes x B G R */
#define HELIX_CLIENT_FORMAT_RA24 HELIX_CLIENT_FOURCC('R', 'A', '2', '4') /* bytes A B G R */
#define HELIX_CLIENT_FORMAT_XR30 HELIX_CLIENT_FOURCC('X', 'R', '3', '0') /* 10 bits each, red highest */
#define HELIX_CLIENT_FORMAT_AR30 HELIX_CLIENT_FOURCC('A', 'R', '3', '0')
#define HELIX_CLIENT_FORMAT_XB30 HELIX_CLIENT_FOURCC('X', 'B', '3', '0') /* 10 bits each, blue highest */
#define HELIX_CLIENT_FORMAT_AB30 HELIX_CLIENT_FOURCC('A', 'B', '3', '0')

/* DRM_FORMAT_MOD_INVALID: the driver knows the layout. 0 is linear. */
#define HELIX_CLIENT_MODIFIER_INVALID G_GUINT64_CONSTANT(0x00ffffffffffffff)

/* A picture in memory: RGB, R8, YUYV and UYVY have one plane, NV12, NV21 and P010 two, the others three. */
typedef struct HelixClientImage {
    guint32 format;                                  /* HELIX_CLIENT_FORMAT_ */
    guint32 width, height;                           /* of all that lies there */
    guint32 crop_x, crop_y, crop_width, crop_height; /* the part to encode; crop_width 0: all of it */
    gsize offset[3];                                 /* of each plane in the memory; not of pixels */
    gint32 stride[3];                                /* bytes from one row to the next; of pixels it may be negative */
    const guint8 *data[3];                           /* of pixels: the first row of each plane; else NULL */
    guint64 modifier;                                /* of a DMA-BUF or resource: DRM format modifier */
    guint32 reserved[8];
} HelixClientImage;

/* How a frame's pixels come to the host. */
typedef enum HelixClientPath {
    HELIX_CLIENT_PATH_DMABUF,     /* by resource id, nothing copied */
    HELIX_CLIENT_PATH_GUEST_COPY, /* in a virtio-gpu buffer of the library's, by its resource id */
    HELIX_CLIENT_PATH_PIXEL_DATA, /* over the connection */
    HELIX_CLIENT_N_PATHS
} HelixClientPath;

/* "dmabuf", "guest-copy", "pixel-data". */
const char *helix_client_path_name(HelixClientPath path);

/* Frames are reference-counted; a new one has one reference, which helix_client_submit() takes over. */
/* The resource @id of the virtio-gpu that the host knows: a program that made it itself knows the id. Never NULL. */
HelixClientFrame *helix_client_frame_new_resource(guint32 id, const HelixClientImage *image);
/* The DMA-BUF @fd of the virtio-gpu. @fd is polled until its write fence is signalled, before the host is told: keep it
 * open until the frame's release function is called. The import is cached for five seconds from its last use, as each
 * costs the host work. NULL with HELIX_CLIENT_ERROR_NO_GPU, _FOREIGN, _GPU, or _IMAGE (more than one plane). */
HelixClientFrame *helix_client_frame_new_dmabuf(HelixClient *client, int fd, const HelixClientImage *image,
                                                GError **error);
/* A buffer of the library's that the caller drew into; referenced until the host has read it. NULL with
 * HELIX_CLIENT_ERROR_NO_BUFFER: the host cannot read it from there (helix_client_buffer_kind() says which it can); with
 * _IMAGE: the image does not lie in it as the protocol needs. */
HelixClientFrame *helix_client_frame_new_buffer(HelixClient *client, HelixClientBuffer *buffer,
                                                const HelixClientImage *image, GError **error);
/* @image's pixels, copied into a virtio-gpu buffer of the library's. Copies before it returns. NULL with
 * HELIX_CLIENT_ERROR_NO_BUFFER, whose text says why: no buffer can be had, or the host cannot read such. Send pixels.
 */
HelixClientFrame *helix_client_frame_new_copy(HelixClient *client, const HelixClientImage *image, GError **error);
/* @image's pixels, sent over the connection from where they lie if the protocol has that layout, else from a copy. They
 * must stay until the release function is called. NULL with HELIX_CLIENT_ERROR_NO_MEMORY. */
HelixClientFrame *helix_client_frame_new_pixels(const HelixClientImage *image, GError **error);
HelixClientFrame *helix_client_frame_ref(HelixClientFrame *frame);
void helix_client_frame_unref(HelixClientFrame *frame);
/* Called with @data when the frame's memory is no longer needed: the host has read it, or it is not sent. Any
 * thread, no lock held. Before submit(); once. */
void helix_client_frame_set_release(HelixClientFrame *frame, GDestroyNotify release, gpointer data);
/* The host is told when @fd polls readable, two seconds later at most. -1: at once. Before submit(). */
void helix_client_frame_set_fence(HelixClientFrame *frame, int fd);
/* Add HelixClientCapability bits without which a host must not be given this frame. Before submit(). */
void helix_client_frame_require(HelixClientFrame *frame, guint32 capabilities);
/* Those bits, and those that its own description needs. */
guint32 helix_client_frame_get_required(const HelixClientFrame *frame);
HelixClientPath helix_client_frame_get_path(const HelixClientFrame *frame);
/* Whether no host of this connection has read a frame by its copy mode yet: it may refuse, and another mode may do. */
gboolean helix_client_frame_is_unverified(const HelixClientFrame *frame);
/* The same picture once more, for a host that comes later and may not know the first; a refusal is only an event. Of
 * a frame by id @release takes the place of the first one's release function; of guest-copy its buffer is referenced,
 * and @release called at the end, too; pixels are copied (counted in cpu_bytes). NULL: no memory. */
HelixClientFrame *helix_client_frame_again(HelixClient *client, HelixClientFrame *frame, GDestroyNotify release,
                                           gpointer data);
/* A guest-copy frame of frame_again() as one of pixels, which every host can read. NULL: no memory. */
HelixClientFrame *helix_client_frame_as_pixels(HelixClientFrame *frame);
gboolean helix_client_frame_is_again(const HelixClientFrame *frame);

/* ---- events ---- */
typedef enum HelixClientEventType {
    HELIX_CLIENT_EVENT_ACCESS_UNIT,    /* unit, keyframe, and times: a frame's access unit */
    HELIX_CLIENT_EVENT_DROPPED,        /* the host's encoder dropped the frame */
    HELIX_CLIENT_EVENT_ERROR,          /* the host refused the frame: code, message */
    HELIX_CLIENT_EVENT_SKIPPED,        /* not sent: a newer one took its place, or the host cannot read it */
    HELIX_CLIENT_EVENT_LATE,           /* submit_nothing(): counted as late */
    HELIX_CLIENT_EVENT_GIVEN_UP,       /* submit_nothing(): counted as dropped */
    HELIX_CLIENT_EVENT_UNUSED,         /* submit_nothing(): not counted */
    HELIX_CLIENT_EVENT_LOST,           /* under way when the connection was lost, or held when all was to end */
    HELIX_CLIENT_EVENT_CONFIGURED,     /* asked, host: what is in force from here on */
    HELIX_CLIENT_EVENT_CONFIG_REFUSED, /* asked, code, message: what was in force stays so */
    HELIX_CLIENT_EVENT_DRAINED,        /* after drain_async(): nothing is under way */
    HELIX_CLIENT_EVENT_REPEAT,       /* after want_frame(): none was submitted in time. Submit a repeat, or the first */
    HELIX_CLIENT_EVENT_KEEPALIVE,    /* after set_keepalive(): none was submitted for so long. Submit a repeat */
    HELIX_CLIENT_EVENT_DISCONNECTED, /* error: HelixClientState, without a function for it */
    HELIX_CLIENT_EVENT_CONNECTED,
    HELIX_CLIENT_EVENT_FAILED, /* error */
} HelixClientEventType;

/* ---- sending ---- */
#define HELIX_CLIENT_TIME_NONE G_MAXUINT64
/* Ask the host to encode @frame (taken over). @pts must grow from frame to frame, and comes back in the event, as does
 * @frame_data. If as many frames are under way as may be, it is held until one is answered, and a frame held before it
 * is answered SKIPPED: there is never more than one. Each call brings exactly one event, in the order of calls. */
void helix_client_submit(HelixClient *client, HelixClientFrame *frame, guint64 pts, guint64 duration,
                         gboolean force_keyframe, gpointer frame_data);
/* The same with the host's last frame, encoded again. SKIPPED if it has none, or cannot. */
void helix_client_submit_repeat(HelixClient *client, guint64 pts, guint64 duration, gboolean force_keyframe,
                                gpointer frame_data);
/* There is no frame for @frame_data: bring an event of @type (LATE, GIVEN_UP, UNUSED), in order with frames' events. */
void helix_client_submit_nothing(HelixClient *client, HelixClientEventType type, gpointer frame_data);
/* Make the frame that is held a keyframe: TRUE; or, if none is held, the next that is submitted: FALSE. */
gboolean helix_client_force_keyframe(HelixClient *client);
/* The frame that is held is answered SKIPPED. */
void helix_client_skip_held(HelixClient *client);

/* ---- screens that stand still ---- */
/* A frame is wanted, for a keyframe: bring the event REPEAT if none that is to be a keyframe is submitted within @ms
 * and the host can repeat its last one, or needs its initial frame. After a reconnect it comes without this call. */
void helix_client_want_frame(HelixClient *client, guint ms);
/* Bring the event KEEPALIVE when no frame was submitted for @ms; 0: never. */
void helix_client_set_keepalive(HelixClient *client, guint ms);
/* Whether the source may stand still (a screen, a camera): of others KEEPALIVE never comes. Off at first. */
void helix_client_set_still_source(HelixClient *client, gboolean still_source);
/* Count the keepalive time from now on, or from the next frame on. */
void helix_client_restart_keepalive(HelixClient *client, gboolean from_now);
/* Whether the host has no frame, and needs the client's last one: it came back, or could not use the first. */
gboolean helix_client_needs_initial_frame(HelixClient *client);
/* Whether the host failed in encoding its last frame, and no other came since: ask it to repeat that. */
gboolean helix_client_needs_repeat(HelixClient *client);

/* ---- taking events ---- */
/* Made by the library only; to be read. Later versions add fields at its end. */
struct HelixClientEvent {
    HelixClientEventType type;
    gpointer frame_data;                   /* what was given with the frame; freed with the event unless stolen */
    guint64 pts;                           /* that the frame was submitted with */
    GBytes *unit;                          /* ACCESS_UNIT: one H.264 access unit in Annex B */
    gboolean keyframe;                     /* it is an IDR */
    gboolean was_forced;                   /* the frame was submitted as a keyframe */
    gboolean was_repeat;                   /* it was a repeat, or made by frame_again() */
    gboolean unverified;                   /* of guest-copy: the first answer about its copy mode, by this host */
    guint32 width, height;                 /* of the frame */
    gint64 took_us;                        /* from submit() to the answer */
    gint64 resolve_us, wait_us, encode_us; /* on the host: find the pixels, wait for the encoder, encode; -1: unknown */
    gint32 code;                           /* HelixClientHostCode */
    const char *message;                   /* the host's text, UTF-8 */
    const GError *error;
    HelixClientConfig asked; /* tag 0: the host has taken a part of it only, the rest follows */
    HelixClientHost host;
};

/* The client's descriptor, made with the first call, that polls readable while there is an event. -1: with errno. */
int helix_client_get_fd(HelixClient *client);
/* The next event, to be freed; NULL: none now, or flushing, or after shutdown(). */
HelixClientEvent *helix_client_next_event(HelixClient *client);
/* The same, waited for. After HELIX_CLIENT_FAILED it still waits: own events may come. */
HelixClientEvent *helix_client_wait_event(HelixClient *client);
/* Free an event of any client, also after close(). Until then its frame keeps its place, and drain() waits. */
void helix_client_event_free(HelixClientEvent *event);
/* The event's frame_data, now the caller's. */
gpointer helix_client_event_steal_frame_data(HelixClientEvent *event);
/* The same of an ERROR whose picture is submitted again by another path: it counts neither as error nor as dropped. */
gpointer helix_client_event_take_back(HelixClientEvent *event);
/* Whether an ERROR says that the host cannot read frames by this copy mode, and is its first answer to one. */
gboolean helix_client_event_refuses_copy_mode(const HelixClientEvent *event);
/* Whether @code says that this host cannot read the frame as it was described: another path may do. */
gboolean helix_client_code_is_about_path(gint32 code);
/* Whether @code says that the same request may succeed a little later. */
gboolean helix_client_code_is_transient(gint32 code);

/* Take events, in order, and call @func with each, which must free it, until there is none. Returns how many. */
typedef void (*HelixClientEventFunc)(HelixClient *client, HelixClientEvent *event, gpointer data);
guint helix_client_dispatch(HelixClient *client, HelixClientEventFunc func, gpointer data);
/* A GSource that calls @func with each event in the thread of its GMainContext; attach and unref it as any. NULL if
 * helix_client_get_fd() fails. It references the client. @free_data may be NULL. */
GSource *helix_client_source_new(HelixClient *client, HelixClientEventFunc func, gpointer data,
                                 GDestroyNotify free_data);

/* ---- waiting, for threads that may block ---- */
typedef enum HelixClientWait {
    HELIX_CLIENT_WAIT_READY,
    HELIX_CLIENT_WAIT_FLUSHING, /* flushing, or shut down */
    HELIX_CLIENT_WAIT_FAILED,   /* HELIX_CLIENT_FAILED */
    HELIX_CLIENT_WAIT_TIMEOUT,
} HelixClientWait;

/* A live source waits that long, from configure() on, for the first host to negotiate. */
#define HELIX_CLIENT_NEGOTIATE_MS 45

/* Wait until one more frame may be under way. With @live only until what a host can read is known, and not for one that
 * is disconnected or takes longer than HELIX_CLIENT_NEGOTIATE_MS: submit() holds the frame for it. */
HelixClientWait helix_client_wait_room(HelixClient *client, gboolean live);
/* Wait until every frame was answered and every event freed, @ms at most (0: no limit). A frame held for a host that is
 * disconnected is LOST. Another thread must take the events. */
HelixClientWait helix_client_drain(HelixClient *client, guint ms);
/* Does not wait: DRAINED comes behind the last frame's event. */
void helix_client_drain_async(HelixClient *client);
/* While set, nothing waits here, and no event comes. */
void helix_client_set_flushing(HelixClient *client, gboolean flushing);
gboolean helix_client_is_flushing(HelixClient *client);
/* Forget the frames submitted so far: they bring no events. The next one must be a keyframe. */
void helix_client_discard(HelixClient *client);

/* ---- statistics ---- */
typedef enum HelixClientStage {
    HELIX_CLIENT_STAGE_FENCE,        /* submitted to write fence signalled */
    HELIX_CLIENT_STAGE_ROUND_TRIP,   /* submitted to answered */
    HELIX_CLIENT_STAGE_HOST_RESOLVE, /* on the host: received to pixels found */
    HELIX_CLIENT_STAGE_HOST_SUBMIT,  /* on the host: that to given to the encoder */
    HELIX_CLIENT_STAGE_HOST_ENCODE,  /* on the host: in the encoder */
    HELIX_CLIENT_N_STAGES
} HelixClientStage;

/* Counted since helix_client_new(). */
typedef struct HelixClientStats {
    guint64 frames;    /* access units that came */
    guint64 keyframes; /* of these */
    guint64 dropped;   /* frames without an access unit, for whatever reason; repeats not counted, here and below */
    guint64 errors;    /* of these, refused by the host */
    guint64 skipped;   /* of these, not sent for a newer one */
    guint64 late;      /* of these, LATE */
    guint64 lost;      /* of these, with the connection */
    guint64 repeats;   /* sent */
    guint64 reconnects;
    guint64 bytes_to_host;        /* all that was written */
    guint64 pixel_bytes;          /* of these, pixels */
    guint64 bitstream_bytes;      /* of access units */
    guint64 cpu_bytes;            /* pixel bytes that the CPU copied, into another layout and into the socket */
    guint64 drawn_in_place;       /* frames made by helix_client_frame_new_buffer() */
    guint64 imports;              /* DMA-BUFs imported into the render node */
    guint64 paths[4];             /* frames sent, by HelixClientPath */
    guint64 p50_us[8], p99_us[8]; /* by HelixClientStage, of the latest 4096 frames; 0: none */
    guint64 reserved[16];
} HelixClientStats;

void helix_client_get_stats(HelixClient *client, HelixClientStats *stats);
/* Count pixel bytes that the caller's CPU copied for a frame. */
void helix_client_add_cpu_bytes(HelixClient *client, guint64 bytes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HelixClient, helix_client_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HelixClientEvent, helix_client_event_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HelixClientFrame, helix_client_frame_unref)

G_END_DECLS

#include "helix-client-gpu.h"
#include "helix-client-snapshot.h"

#endif

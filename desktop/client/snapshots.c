/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* snapshots.c - see snapshots.h. */
#include "snapshots.h"

struct HelixClientSnapshot {
    ClientSnapshots *all; /* a reference */
    guint32 number;
    guint32 format, width, height;
    /* With the lock. */
    guint refs; /* 0: dropped while the host reads the frame; freed when it says that it has */
    HelixClientSnapshotState state;
    gboolean asked; /* PENDING: the host was asked */
    gint32 code;
    char *message;
    HelixClientFrame *frame; /* PENDING */
};

struct ClientSnapshots {
    gatomicrefcount refs; /* the client's, and one of each snapshot */
    GMutex lock;
    GCond cond;                   /* a state changed, or flushing */
    GQueue list;                  /* HelixClientSnapshot, the oldest first; not references */
    ClientConnection *connection; /* NULL: no host has negotiated */
    guint32 capabilities;         /* of the host */
    guint32 last_number;
    gint64 progress_us;
    gboolean flushing, ended;
};

ClientSnapshots *client_snapshots_new(void)
{
    ClientSnapshots *self = g_new0(ClientSnapshots, 1);

    g_atomic_ref_count_init(&self->refs);
    g_mutex_init(&self->lock);
    g_cond_init(&self->cond);
    g_queue_init(&self->list);
    return self;
}

void client_snapshots_unref(ClientSnapshots *self)
{
    if (g_atomic_ref_count_dec(&self->refs)) {
        g_mutex_clear(&self->lock);
        g_cond_clear(&self->cond);
        g_free(self);
    }
}

/* ---- one of them; with the lock ---- */

/* The frame is not needed any longer; it goes to @gone. */
static void settle(HelixClientSnapshot *snapshot, HelixClientSnapshotState state, GQueue *gone)
{
    snapshot->state = state;
    snapshot->asked = FALSE;
    if (snapshot->frame) {
        g_queue_push_tail(gone, g_steal_pointer(&snapshot->frame));
    }
    g_cond_broadcast(&snapshot->all->cond);
}

static void refuse(HelixClientSnapshot *snapshot, gint32 code, const char *message, GQueue *gone)
{
    snapshot->code = code;
    snapshot->message = g_strdup(message);
    settle(snapshot, HELIX_CLIENT_SNAPSHOT_REFUSED, gone);
}

/* Nobody references it, and the host does not read its frame: it is in no list from now on. Not the last reference of
 * @all, as the caller has another. */
static void snapshot_free(HelixClientSnapshot *snapshot)
{
    g_queue_remove(&snapshot->all->list, snapshot);
    client_snapshots_unref(snapshot->all);
    g_free(snapshot->message);
    g_free(snapshot);
}

/* ---- asking the host; with the lock ---- */

static gboolean is_awaited(const ClientSnapshots *self)
{
    for (const GList *l = self->list.head; l; l = l->next) {
        if (((const HelixClientSnapshot *)l->data)->asked) {
            return TRUE;
        }
    }
    return FALSE;
}

static void ask(ClientSnapshots *self, HelixClientSnapshot *snapshot)
{
    ClientMessage *message = client_message_new();
    ClientWireRequest wire;

    client_frame_to_wire(snapshot->frame, &wire);
    wire.flags = self->capabilities & HELIX_CAP_EXT ? HELIX_REQUEST_EXT : 0;
    message->head_len = client_wire_snapshot(message->head, CLIENT_SESSION, &wire, snapshot->number);
    message->fence_fd = snapshot->frame->fence_fd;
    message->owner = helix_client_frame_ref(snapshot->frame);
    message->release = (GDestroyNotify)helix_client_frame_unref;
    if (!is_awaited(self)) {
        self->progress_us = g_get_monotonic_time();
    }
    snapshot->asked = TRUE;
    client_connection_send(self->connection, message);
}

static void ask_or_refuse(ClientSnapshots *self, HelixClientSnapshot *snapshot, GQueue *gone)
{
    if (!(self->capabilities & HELIX_CAP_SNAPSHOT)) {
        refuse(snapshot, HELIX_CODE_NOT_PERMITTED, "this host keeps no snapshots: it is of an earlier version", gone);
    } else if (helix_client_frame_get_required(snapshot->frame) & ~self->capabilities) {
        refuse(snapshot, HELIX_CODE_NOT_READABLE,
               "this host cannot read frames of this kind: it is of an earlier version", gone);
    } else {
        ask(self, snapshot);
    }
}

static void drop(ClientSnapshots *self, const HelixClientSnapshot *snapshot)
{
    ClientMessage *message = client_message_new();

    message->head_len = client_wire_snapshot_drop(message->head, CLIENT_SESSION, snapshot->number);
    client_connection_send(self->connection, message);
}

/* ---- the host comes and goes ---- */

void client_snapshots_begin(ClientSnapshots *self, ClientConnection *connection, guint32 capabilities, GQueue *gone)
{
    g_mutex_lock(&self->lock);
    self->connection = self->ended ? NULL : connection;
    self->capabilities = capabilities;
    for (GList *l = self->list.head; l && self->connection; l = l->next) {
        HelixClientSnapshot *snapshot = l->data;

        if (snapshot->state == HELIX_CLIENT_SNAPSHOT_PENDING && !snapshot->asked) {
            ask_or_refuse(self, snapshot, gone);
        }
    }
    g_mutex_unlock(&self->lock);
}

/* With the lock. Those that the host has are lost; of the others those that nobody references, or with @pending
 * all. */
static void lose(ClientSnapshots *self, gboolean pending, GQueue *gone)
{
    self->connection = NULL;
    for (GList *l = self->list.head, *next; l; l = next) {
        HelixClientSnapshot *snapshot = l->data;

        next = l->next;
        snapshot->asked = FALSE;
        if (snapshot->state == HELIX_CLIENT_SNAPSHOT_KEPT ||
            (snapshot->state == HELIX_CLIENT_SNAPSHOT_PENDING && (pending || snapshot->refs == 0))) {
            settle(snapshot, HELIX_CLIENT_SNAPSHOT_LOST, gone);
        }
        if (snapshot->refs == 0) {
            snapshot_free(snapshot);
        }
    }
}

void client_snapshots_lose(ClientSnapshots *self, GQueue *gone)
{
    g_mutex_lock(&self->lock);
    lose(self, FALSE, gone);
    g_mutex_unlock(&self->lock);
}

void client_snapshots_end(ClientSnapshots *self, GQueue *gone)
{
    g_mutex_lock(&self->lock);
    self->ended = TRUE;
    lose(self, TRUE, gone);
    g_mutex_unlock(&self->lock);
}

void client_snapshots_set_flushing(ClientSnapshots *self, gboolean flushing)
{
    g_mutex_lock(&self->lock);
    self->flushing = flushing;
    g_cond_broadcast(&self->cond);
    g_mutex_unlock(&self->lock);
}

/* ---- its answers ---- */

/* With the lock. */
static HelixClientSnapshot *find_asked(ClientSnapshots *self, guint32 number)
{
    for (GList *l = self->list.head; l; l = l->next) {
        HelixClientSnapshot *snapshot = l->data;

        if (snapshot->number == number && snapshot->asked) {
            return snapshot;
        }
    }
    return NULL;
}

HelixClientFrame *client_snapshots_asked(ClientSnapshots *self, guint32 number)
{
    HelixClientSnapshot *snapshot;
    HelixClientFrame *frame;

    g_mutex_lock(&self->lock);
    snapshot = find_asked(self, number);
    frame = snapshot ? helix_client_frame_ref(snapshot->frame) : NULL;
    g_mutex_unlock(&self->lock);
    return frame;
}

void client_snapshots_done(ClientSnapshots *self, guint32 number, gint32 code, const char *message, GQueue *gone)
{
    HelixClientSnapshot *snapshot;

    g_mutex_lock(&self->lock);
    self->progress_us = g_get_monotonic_time();
    snapshot = find_asked(self, number);
    if (snapshot && code) {
        refuse(snapshot, code, message, gone);
    } else if (snapshot) {
        settle(snapshot, HELIX_CLIENT_SNAPSHOT_KEPT, gone);
    }
    if (snapshot && snapshot->refs == 0) {
        snapshot_free(snapshot);
    }
    g_mutex_unlock(&self->lock);
}

void client_snapshots_progress(ClientSnapshots *self)
{
    g_mutex_lock(&self->lock);
    self->progress_us = g_get_monotonic_time();
    g_mutex_unlock(&self->lock);
}

gint64 client_snapshots_waiting(ClientSnapshots *self)
{
    gint64 since;

    g_mutex_lock(&self->lock);
    since = is_awaited(self) ? self->progress_us : 0;
    g_mutex_unlock(&self->lock);
    return since;
}

/* ---- making them ---- */

HelixClientSnapshot *client_snapshots_add(ClientSnapshots *self, HelixClientFrame *frame, GQueue *gone)
{
    HelixClientSnapshot *snapshot = g_new0(HelixClientSnapshot, 1);

    g_atomic_ref_count_inc(&self->refs);
    snapshot->all = self;
    snapshot->refs = 1;
    snapshot->format = frame->fourcc;
    snapshot->width = frame->width;
    snapshot->height = frame->height;
    snapshot->frame = frame;
    g_mutex_lock(&self->lock);
    snapshot->number = ++self->last_number ? self->last_number : ++self->last_number; /* 0 names none */
    g_queue_push_tail(&self->list, snapshot);
    if (self->ended) {
        settle(snapshot, HELIX_CLIENT_SNAPSHOT_LOST, gone);
    } else if (self->connection) {
        ask_or_refuse(self, snapshot, gone);
    }
    g_mutex_unlock(&self->lock);
    return snapshot;
}

/* ---- public ---- */

HelixClientSnapshot *helix_client_snapshot_ref(HelixClientSnapshot *snapshot)
{
    g_mutex_lock(&snapshot->all->lock);
    snapshot->refs++;
    g_mutex_unlock(&snapshot->all->lock);
    return snapshot;
}

void helix_client_snapshot_unref(HelixClientSnapshot *snapshot)
{
    ClientSnapshots *all = snapshot->all;
    HelixClientFrame *frame = NULL;

    g_atomic_ref_count_inc(&all->refs); /* for as long as its lock is held */
    g_mutex_lock(&all->lock);
    if (--snapshot->refs == 0) {
        if (all->connection && (snapshot->asked || snapshot->state == HELIX_CLIENT_SNAPSHOT_KEPT)) {
            drop(all, snapshot);
        }
        if (!snapshot->asked) {
            frame = g_steal_pointer(&snapshot->frame);
            snapshot_free(snapshot);
        }
    }
    g_mutex_unlock(&all->lock);
    client_snapshots_unref(all); /* NOLINT(clang-analyzer-unix.Malloc): the analyzer does not count references */
    g_clear_pointer(&frame, helix_client_frame_unref);
}

HelixClientSnapshotState helix_client_snapshot_wait(HelixClientSnapshot *snapshot, gint timeout_ms)
{
    gint64 until = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    ClientSnapshots *all = snapshot->all;
    HelixClientSnapshotState state;

    g_mutex_lock(&all->lock);
    while (snapshot->state == HELIX_CLIENT_SNAPSHOT_PENDING && !all->flushing && timeout_ms != 0) {
        if (timeout_ms < 0) {
            g_cond_wait(&all->cond, &all->lock);
        } else if (!g_cond_wait_until(&all->cond, &all->lock, until)) {
            break;
        }
    }
    state = snapshot->state;
    g_mutex_unlock(&all->lock);
    return state;
}

gint32 helix_client_snapshot_get_code(HelixClientSnapshot *snapshot, const char **message)
{
    gint32 code;

    g_mutex_lock(&snapshot->all->lock);
    code = snapshot->code;
    if (message) {
        *message = snapshot->message;
    }
    g_mutex_unlock(&snapshot->all->lock);
    return code;
}

HelixClientFrame *helix_client_frame_new_snapshot(HelixClientSnapshot *snapshot, guint32 x, guint32 y, guint32 width,
                                                  guint32 height)
{
    HelixClientFrame *frame = client_frame_new(HELIX_CLIENT_PATH_DMABUF);

    frame->snapshot = helix_client_snapshot_ref(snapshot);
    frame->needs = HELIX_CAP_SNAPSHOT;
    frame->resource_id = snapshot->number;
    frame->fourcc = snapshot->format;
    frame->width = width ? width : snapshot->width;
    frame->height = width ? height : snapshot->height;
    frame->crop_x = width ? x : 0;
    frame->crop_y = width ? y : 0;
    frame->res_width = snapshot->width;
    frame->res_height = snapshot->height;
    return frame;
}

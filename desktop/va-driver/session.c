/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* session.c - see session.h: the queue of jobs and the thread's loop. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include "session-private.h"

/* How often it is looked whether a host has negotiated, and whether a job's time is over. */
#define LOOK_MS 20

HvaSession *hva_session_new(HvaDriver *driver)
{
    HvaSession *self = g_new0(HvaSession, 1);

    self->driver = driver;
    self->wake = -1;
    self->process = getpid();
    g_mutex_init(&self->lock);
    return self;
}

static void wake(HvaSession *self)
{
    const guint64 one = 1;

    while (write(self->wake, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

static void forget_wakes(HvaSession *self)
{
    guint64 count;

    while (read(self->wake, &count, sizeof(count)) < 0 && errno == EINTR) {
    }
}

/* ---- the thread ---- */

/* FALSE: the session ends. */
static gboolean take_jobs(HvaSession *self)
{
    gboolean ends;
    HvaJob *job;

    g_mutex_lock(&self->lock);
    while ((job = g_queue_pop_head(&self->pushed))) {
        g_queue_push_tail(&self->waiting, job);
    }
    if (self->shared && !self->client) {
        self->client = helix_client_ref(self->shared);
    }
    ends = self->ends;
    g_mutex_unlock(&self->lock);
    return !ends;
}

static void wait_for_work(HvaSession *self)
{
    struct pollfd fds[2] = { { .fd = self->wake, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
    gboolean look = self->waiting.length > 0 && (!self->client || !helix_client_is_negotiated(self->client));

    if (self->client) {
        fds[1].fd = helix_client_get_fd(self->client);
        look |= fds[1].fd < 0; /* no descriptor is left: nothing wakes this thread */
    }
    poll(fds, G_N_ELEMENTS(fds), look ? LOOK_MS : -1);
    if (fds[0].revents) {
        forget_wakes(self);
    }
}

static gpointer run(gpointer data)
{
    HvaSession *self = data;

    while (take_jobs(self)) {
        hva_session_take_events(self);
        hva_session_submit(self);
        hva_session_give_up_late(self);
        wait_for_work(self);
    }
    hva_session_fail_all(self, VA_STATUS_ERROR_OPERATION_FAILED);
    hva_session_disconnect(self);
    return NULL;
}

/* ---- for clients ---- */

/* A child of fork() has no threads but its own: waiting for them has no end. */
static gboolean is_inherited(const HvaSession *self)
{
    return self->process != getpid();
}

/* With the lock. */
static gboolean start(HvaSession *self)
{
    if (self->wake < 0) {
        self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    if (self->wake >= 0 && !self->thread) {
        self->thread = g_thread_try_new("helix-va", run, self, NULL);
    }
    return self->thread != NULL;
}

/* It is negotiated with what the host chooses; the first picture brings the stream's own configuration. */
HelixClient *hva_session_client(HvaSession *self)
{
    HelixClient *client = NULL;
    gboolean fresh = FALSE;

    if (is_inherited(self)) {
        return NULL;
    }
    g_mutex_lock(&self->lock);
    if (!self->ends && start(self)) {
        fresh = !self->shared;
        client = hva_session_connect(self, NULL) ? helix_client_ref(self->shared) : NULL;
        if (client && fresh) {
            helix_client_configure(client, &(HelixClientConfig){ .realtime = 1 });
        }
    }
    g_mutex_unlock(&self->lock);
    if (client && fresh) {
        wake(self); /* the thread takes the connection's events from now on */
    }
    return client;
}

gboolean hva_session_push(HvaSession *self, HvaJob *job)
{
    gboolean runs;

    if (is_inherited(self)) {
        return FALSE;
    }
    g_mutex_lock(&self->lock);
    runs = start(self);
    if (runs) {
        g_queue_push_tail(&self->pushed, hva_job_ref(job));
    }
    g_mutex_unlock(&self->lock);
    if (runs) {
        wake(self);
    }
    return runs;
}

void hva_session_free(HvaSession *self)
{
    if (is_inherited(self)) {
        return; /* the thread, its locks and the connection are the parent's */
    }
    g_mutex_lock(&self->lock);
    self->ends = TRUE;
    g_mutex_unlock(&self->lock);
    if (self->thread) {
        wake(self);
        g_thread_join(self->thread);
    }
    if (self->wake >= 0) {
        close(self->wake);
    }
    g_queue_clear_full(&self->pushed, (GDestroyNotify)hva_job_unref);
    g_mutex_clear(&self->lock);
    g_free(self);
}

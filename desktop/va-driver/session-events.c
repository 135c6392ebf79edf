/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* session-events.c - the host's answers. The session's thread. */
#include "session-private.h"

/* Of one job; an encoder that fails so often in a row fails again. */
#define MAX_FAILURES 8u

void hva_session_fail(HvaSession *self, const GError *error)
{
    VAStatus status = VA_STATUS_ERROR_OPERATION_FAILED;

    if (g_error_matches(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_REFUSED)) {
        status = VA_STATUS_ERROR_HW_BUSY; /* mostly: no encoder is free */
    } else if (g_error_matches(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_CONFIG)) {
        status = VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    if (self->waiting.length + self->under_way.length > 0) {
        hva_error(self->driver, "helix: no encoding by the host: %s", error->message);
    } else { /* there is no picture yet; the first one tries anew */
        hva_info(self->driver, "No connection to the host: %s", error->message);
    }
    hva_session_disconnect(self);
    hva_session_fail_all(self, status);
}

/* The oldest job under way, which @event answers. */
static HvaJob *pop_answered(HvaSession *self, const HelixClientEvent *event)
{
    HvaJob *job = g_queue_peek_head(&self->under_way);

    g_return_val_if_fail(job == event->frame_data, NULL);
    return g_queue_pop_head(&self->under_way);
}

static void finish(HvaSession *self, const HelixClientEvent *event)
{
    g_autoptr(HvaJob) job = pop_answered(self, event);

    if (job) {
        hva_job_finish(job, VA_STATUS_SUCCESS, event->unit);
    }
}

/* Later frames need this one as a reference: all that is under way is sent again. */
static void retry(HvaSession *self, const HelixClientEvent *event, gboolean counts)
{
    HvaJob *job = g_queue_peek_head(&self->under_way);

    if (job && counts && ++job->failures >= MAX_FAILURES) {
        hva_error(self->driver, "helix: the host failed %u times to encode a picture: %s", job->failures,
                  event->message ? event->message : "it drops it");
        hva_job_finish(job, VA_STATUS_ERROR_ENCODING_ERROR, NULL);
        hva_job_unref(g_queue_pop_head(&self->under_way));
    }
    hva_session_send_again(self);
}

static void refuse(HvaSession *self, const HelixClientEvent *event)
{
    if (helix_client_event_refuses_copy_mode(event)) {
        retry(self, event, FALSE); /* the library knows now, and takes another way */
        return;
    }
    if (helix_client_code_is_transient(event->code) || event->code == HELIX_CLIENT_HOST_ENCODE) {
        retry(self, event, TRUE);
        return;
    }
    hva_error(self->driver, "helix: the host cannot encode a picture (error %d): %s", event->code, event->message);
    hva_job_finish(g_queue_peek_head(&self->under_way), VA_STATUS_ERROR_ENCODING_ERROR, NULL);
    hva_job_unref(g_queue_pop_head(&self->under_way));
    hva_session_send_again(self);
}

static void refuse_config(HvaSession *self, const HelixClientEvent *event)
{
    hva_error(self->driver, "helix: the host refuses the configuration (error %d): %s", event->code, event->message);
    hva_session_disconnect(self);
    hva_session_fail_all(self, VA_STATUS_ERROR_INVALID_PARAMETER);
}

static void take(HvaSession *self, const HelixClientEvent *event)
{
    switch (event->type) {
    case HELIX_CLIENT_EVENT_ACCESS_UNIT:
        finish(self, event);
        break;
    case HELIX_CLIENT_EVENT_DROPPED:
        retry(self, event, TRUE);
        break;
    case HELIX_CLIENT_EVENT_SKIPPED:
    case HELIX_CLIENT_EVENT_LOST:
        retry(self, event, FALSE);
        break;
    case HELIX_CLIENT_EVENT_ERROR:
        refuse(self, event);
        break;
    case HELIX_CLIENT_EVENT_CONFIG_REFUSED:
        refuse_config(self, event);
        break;
    case HELIX_CLIENT_EVENT_DISCONNECTED:
        if (!self->ever_negotiated) { /* there was none: that is to be said at once */
            hva_session_fail(self, event->error);
        } else {
            hva_info(self->driver, "%s Reconnecting.", event->error->message);
        }
        break;
    case HELIX_CLIENT_EVENT_FAILED:
        hva_session_fail(self, event->error);
        break;
    default:
        break; /* CONFIGURED, CONNECTED: it is looked whether the host has negotiated */
    }
}

void hva_session_take_events(HvaSession *self)
{
    HelixClientEvent *event;

    while (self->client && (event = helix_client_next_event(self->client))) {
        take(self, event);
        helix_client_event_free(event);
    }
}

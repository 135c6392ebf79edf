/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* keep.c - see keep.h. */
#include "keep.h"
#include "pixels-frame.h"

/* Pictures that have snapshots at a time, and programs have few more than that between VideoProc and encoder. A host
 * keeps HELIX_CLIENT_MAX_SNAPSHOTS for a connection; one is new, and one on its way out. */
#define MAX_PICTURES (HELIX_CLIENT_MAX_SNAPSHOTS - 2)

struct HvaKeeper {
    GMutex lock;       /* all below, and the snapshots of pixels */
    GQueue sessions;   /* HvaSession, of encoders */
    HvaSession *spare; /* made for snapshots, before there was an encoder */
    GQueue pictures;   /* HvaPixels with snapshots, not referenced; the latest first */
};

HvaKeeper *hva_keeper_new(void)
{
    HvaKeeper *keeper = g_new0(HvaKeeper, 1);

    g_mutex_init(&keeper->lock);
    return keeper;
}

void hva_keeper_free(HvaKeeper *keeper)
{
    if (keeper->spare) {
        hva_session_free(keeper->spare);
    }
    g_queue_clear(&keeper->pictures);
    g_mutex_clear(&keeper->lock);
    g_free(keeper);
}

HvaSession *hva_keeper_open(HvaDriver *driver)
{
    HvaKeeper *keeper = driver->keeper;
    HvaSession *session;

    g_mutex_lock(&keeper->lock);
    session = g_steal_pointer(&keeper->spare);
    if (!session) {
        session = hva_session_new(driver);
    }
    g_queue_push_tail(&keeper->sessions, session);
    g_mutex_unlock(&keeper->lock);
    return session;
}

void hva_keeper_close(HvaDriver *driver, HvaSession *session)
{
    HvaKeeper *keeper = driver->keeper;

    g_mutex_lock(&keeper->lock);
    g_queue_remove(&keeper->sessions, session);
    g_mutex_unlock(&keeper->lock);
    hva_session_free(session);
}

/* References to the connections that snapshots are to be made for. */
static guint get_clients(HvaDriver *driver, HelixClient *clients[HVA_MAX_KEPT])
{
    HvaKeeper *keeper = driver->keeper;
    guint n = 0;

    g_mutex_lock(&keeper->lock);
    if (keeper->sessions.length == 0 && !keeper->spare) {
        keeper->spare = hva_session_new(driver);
    }
    if (keeper->spare) {
        clients[n] = hva_session_client(keeper->spare);
        n += clients[n] != NULL;
    }
    for (GList *l = keeper->sessions.head; l && n < HVA_MAX_KEPT; l = l->next) {
        clients[n] = hva_session_client(l->data);
        n += clients[n] != NULL;
    }
    g_mutex_unlock(&keeper->lock);
    return n;
}

/* ---- the snapshots of pixels ---- */

/* With the lock. The snapshots of @pixels, for the caller to drop without it. */
static void take_away(HvaPixels *pixels, HvaKept kept[HVA_MAX_KEPT])
{
    for (guint i = 0; i < HVA_MAX_KEPT; i++) {
        kept[i] = pixels->kept[i];
        pixels->kept[i] = (HvaKept){ 0 };
    }
}

static void drop(HvaKept kept[HVA_MAX_KEPT])
{
    for (guint i = 0; i < HVA_MAX_KEPT; i++) {
        g_clear_pointer(&kept[i].snapshot, helix_client_snapshot_unref);
        g_clear_pointer(&kept[i].client, helix_client_unref);
    }
}

static void forget(HvaPixels *pixels)
{
    HvaKeeper *keeper = pixels->driver->keeper;
    HvaKept kept[HVA_MAX_KEPT];

    g_mutex_lock(&keeper->lock);
    g_queue_remove(&keeper->pictures, pixels);
    take_away(pixels, kept);
    g_mutex_unlock(&keeper->lock);
    drop(kept);
}

/* Room for the snapshots of one more picture: those of the oldest go, which then is read as it is. */
static void make_room(HvaKeeper *keeper)
{
    HvaKept kept[HVA_MAX_KEPT] = { 0 };

    g_mutex_lock(&keeper->lock);
    if (keeper->pictures.length >= MAX_PICTURES) {
        take_away(g_queue_pop_tail(&keeper->pictures), kept);
    }
    g_mutex_unlock(&keeper->lock);
    drop(kept);
}

static void add(HvaKeeper *keeper, HvaPixels *pixels, HvaKept kept[HVA_MAX_KEPT])
{
    g_mutex_lock(&keeper->lock);
    for (guint i = 0; i < HVA_MAX_KEPT; i++) {
        pixels->kept[i] = kept[i];
    }
    pixels->forget = forget;
    g_queue_push_head(&keeper->pictures, pixels);
    g_mutex_unlock(&keeper->lock);
}

HelixClientSnapshot *hva_kept(HvaPixels *pixels, HelixClient *client)
{
    HvaKeeper *keeper = pixels->driver->keeper;
    HelixClientSnapshot *snapshot = NULL;

    if (!pixels->forget) {
        return NULL;
    }
    g_mutex_lock(&keeper->lock);
    for (guint i = 0; i < HVA_MAX_KEPT && !snapshot; i++) {
        if (pixels->kept[i].client == client) {
            snapshot = helix_client_snapshot_ref(pixels->kept[i].snapshot);
        }
    }
    g_mutex_unlock(&keeper->lock);
    if (snapshot && helix_client_snapshot_wait(snapshot, 0) != HELIX_CLIENT_SNAPSHOT_KEPT) {
        g_clear_pointer(&snapshot, helix_client_snapshot_unref); /* it went with the host that had it */
    }
    return snapshot;
}

/* ---- making them ---- */

static HelixClientSnapshot *begin(HvaPixels *pixels, HelixClient *client)
{
    g_autoptr(GError) error = NULL;
    HelixClientFrame *frame = hva_frame_new_dmabuf(client, pixels, NULL, &error);
    HelixClientSnapshot *snapshot = frame ? helix_client_snapshot_new(client, frame, &error) : NULL;

    if (!snapshot) {
        hva_info(pixels->driver, "The host is asked for no snapshot of a picture: %s", error->message);
    }
    return snapshot;
}

static gboolean finish(HvaDriver *driver, HelixClientSnapshot *snapshot)
{
    HelixClientSnapshotState state = helix_client_snapshot_wait(snapshot,
                                                                (gint)MIN(driver->settings.timeout_ms, G_MAXINT));
    const char *message = NULL;

    if (state == HELIX_CLIENT_SNAPSHOT_REFUSED) {
        helix_client_snapshot_get_code(snapshot, &message);
        hva_info(driver, "The host keeps no snapshot of a picture: %s", message ? message : "it does not say why");
    }
    return state == HELIX_CLIENT_SNAPSHOT_KEPT;
}

HvaPixels *hva_keep(HvaDriver *driver, HvaPixels *imported)
{
    HvaPixels *pixels = hva_pixels_new_dmabuf(driver, imported->format, imported->width, imported->height,
                                              &imported->layout, imported->dmabuf, imported->modifier);
    HelixClient *clients[HVA_MAX_KEPT];
    HvaKept kept[HVA_MAX_KEPT] = { 0 };
    guint n;

    if (!pixels) {
        return NULL;
    }
    make_room(driver->keeper);
    n = get_clients(driver, clients);
    for (guint i = 0; i < n; i++) {
        kept[i] = (HvaKept){ clients[i], begin(pixels, clients[i]) };
    }
    for (guint i = 0; i < n; i++) {
        if (!kept[i].snapshot || !finish(driver, kept[i].snapshot)) {
            g_clear_pointer(&kept[i].snapshot, helix_client_snapshot_unref);
            g_clear_pointer(&kept[i].client, helix_client_unref);
        }
    }
    add(driver->keeper, pixels, kept);
    return pixels;
}

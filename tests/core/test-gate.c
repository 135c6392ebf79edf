/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-gate.c - the gate's width, its stays, and threads that hang inside, by a clock that the test sets.
 *
 * The linker puts the functions below in the place of GLib's: time passes only when the test says so, however busy the
 * machine is, and a thread that waits at the gate is known to wait.
 */
#include "cases.h"
#include "encode/scheduler.h"

#define STAY_US 16000 /* of the gate */
#define REST_US 4000
#define PATIENCE_US 500000
#define A_WHILE_US 10000 /* of real time, for what should not happen to happen */

typedef enum Command { NOTHING, ENTER, LEAVE, END } Command;

/* A thread that does what it is told, one thing at a time. */
typedef struct Player {
    GThread *thread;
    Command command; /* NOTHING: done */
    gboolean waits;  /* at the gate */
    gboolean inside;
} Player;

static GMutex lock; /* of what follows, and of every Player */
static GCond changed;
static gint64 now = 1000 * G_TIME_SPAN_SECOND;
static guint inside, most; /* since forget_most() */
static GPrivate this_player;

gint64 __wrap_g_get_monotonic_time(void);
gboolean __real_g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end);
gboolean __wrap_g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end);
gint64 __real_g_get_monotonic_time(void);

gint64 __wrap_g_get_monotonic_time(void)
{
    gint64 value;

    g_mutex_lock(&lock);
    value = now;
    g_mutex_unlock(&lock);
    return value;
}

static void set_waits(Player *player, gboolean waits)
{
    g_mutex_lock(&lock);
    player->waits = waits;
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
}

/* Looks at the test's clock every millisecond. */
gboolean __wrap_g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end)
{
    set_waits(g_private_get(&this_player), TRUE);
    return __real_g_cond_wait_until(cond, mutex, __real_g_get_monotonic_time() + 1000) || g_get_monotonic_time() < end;
}

static void pass_time(gint64 us)
{
    g_mutex_lock(&lock);
    now += us;
    g_mutex_unlock(&lock);
}

static guint width(void)
{
    return MAX(g_get_num_processors(), 2u);
}

/* ---- players ---- */

static void count_inside(Player *player, gboolean is_inside)
{
    g_mutex_lock(&lock);
    inside += is_inside;
    most = MAX(most, inside);
    player->inside = is_inside;
    player->waits = FALSE;
    player->command = NOTHING;
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
}

static gpointer play(gpointer data)
{
    Player *player = data;
    Command command;

    g_private_set(&this_player, player);
    do {
        g_mutex_lock(&lock);
        while (player->command == NOTHING) {
            g_cond_wait(&changed, &lock);
        }
        command = player->command;
        inside -= player->inside; /* one that asks for its next picture is not inside until it is again */
        player->inside = FALSE;
        g_mutex_unlock(&lock);
        if (command == ENTER) {
            helix_scheduler_enter();
        } else {
            helix_scheduler_leave();
        }
        count_inside(player, command == ENTER);
    } while (command != END);
    return NULL;
}

static Player *players_new(guint count)
{
    Player *players = g_new0(Player, count);

    for (guint i = 0; i < count; i++) {
        players[i].thread = g_thread_new("player", play, &players[i]);
    }
    return players;
}

static void tell(Player *player, Command command)
{
    g_mutex_lock(&lock);
    g_assert_cmpint(player->command, ==, NOTHING);
    player->command = command;
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
}

static void expect_done(Player *player)
{
    g_mutex_lock(&lock);
    while (player->command != NOTHING) { /* the test's timeout is the limit */
        g_cond_wait(&changed, &lock);
    }
    g_mutex_unlock(&lock);
}

static void enter(Player *player)
{
    tell(player, ENTER);
    expect_done(player);
}

static void leave(Player *player)
{
    tell(player, LEAVE);
    expect_done(player);
}

/* Ask for a place that is not to be had yet. */
static void ask(Player *player)
{
    tell(player, ENTER);
    g_mutex_lock(&lock);
    while (!player->waits) {
        g_cond_wait(&changed, &lock);
    }
    g_mutex_unlock(&lock);
}

static void expect_waiting(Player *player)
{
    g_usleep(A_WHILE_US);
    g_mutex_lock(&lock);
    g_assert_cmpint(player->command, ==, ENTER);
    g_mutex_unlock(&lock);
}

static void forget_most(void)
{
    g_mutex_lock(&lock);
    most = inside;
    g_mutex_unlock(&lock);
}

/* All leave, the gate is as wide as before, and they end. */
static void players_free(Player *players, guint count)
{
    for (guint i = 0; i < count; i++) {
        expect_done(&players[i]);
        leave(&players[i]);
    }
    for (guint i = 0; i < count; i++) {
        (i < width() ? enter : ask)(&players[i]);
    }
    if (count > width()) {
        expect_waiting(&players[width()]);
    }
    for (guint i = 0; i < count; i++) {
        expect_done(&players[i]);
        leave(&players[i]);
    }
    for (guint i = 0; i < count; i++) {
        tell(&players[i], END);
        g_thread_join(players[i].thread);
    }
    g_free(players);
}

/* ---- how many ---- */

/* As many as fit are in, the others come in the order in which they asked, and none is taken to hang that leaves in
 * time. */
TEST("/gate/width", test_width)
{
    guint count = 8 * width();
    Player *players = players_new(count);

    forget_most();
    for (guint i = 0; i < count; i++) {
        (i < width() ? enter : ask)(&players[i]);
    }
    for (guint i = 0; i < count; i += width()) {
        pass_time(PATIENCE_US * 4 / 5); /* in all, many times as long as would be a hang */
        if (i + width() < count) {
            expect_waiting(&players[i + width()]);
        }
        for (guint j = i; j < i + width(); j++) {
            expect_done(&players[j]);
            leave(&players[j]);
        }
    }
    g_assert_cmpuint(most, ==, width());
    players_free(players, count);
}

/* As many hang as fit; others pass all the same, and when all is over the gate is as wide as before. */
TEST("/gate/hanging", test_hanging)
{
    guint count = width() + 8;
    Player *players = players_new(count);

    for (guint i = 0; i < width(); i++) {
        enter(&players[i]);
    }
    ask(&players[width()]);
    pass_time(PATIENCE_US - 1);
    expect_waiting(&players[width()]);
    pass_time(1);
    expect_done(&players[width()]);
    for (guint i = width() + 1; i < count; i++) {
        leave(&players[i - 1]);
        enter(&players[i]);
    }
    players_free(players, count);
}

/* ---- stays ---- */

/* Those who always have another picture stay for several, and then take turns. */
TEST("/gate/stay", test_stay)
{
    guint count = 2 * width();
    Player *players = players_new(count);

    for (guint i = 0; i < count; i++) {
        (i < width() ? enter : ask)(&players[i]);
    }
    for (guint round = 0; round < 4; round++) {
        Player *in = &players[round % 2 * width()], *out = &players[(round + 1) % 2 * width()];

        /* They were let in at this time, while others waited; threads that came anew were away for no time. */
        for (guint picture = 1; picture < STAY_US / 1000; picture++) {
            pass_time(1000);
            for (guint i = 0; round > 0 && i < width(); i++) {
                enter(&in[i]);
            }
        }
        pass_time(1000);
        for (guint i = 0; i < width(); i++) {
            ask(&in[i]);
            expect_done(&out[i]);
        }
    }
    for (guint i = 0; i < count; i++) { /* threads that still ask get a place */
        if (players[i].inside) {
            leave(&players[i]);
        }
    }
    players_free(players, count);
}

/* A thread that was away for a while waits for one picture of each thread before it, not for their whole stays. */
TEST("/gate/rested", test_rested)
{
    guint count = 2 * width();
    Player *players = players_new(count + 1), *others = players + width(), *rested = players + count;

    enter(rested);
    leave(rested);
    pass_time(REST_US + 1);
    for (guint i = 0; i < count; i++) {
        enter(&players[i]);
        leave(&players[i]);
    }
    for (guint i = 0; i < count; i++) {
        (i < width() ? enter : ask)(&players[i]);
    }
    for (guint i = 0; i < width(); i++) {
        enter(&players[i]); /* nobody rested waits: they stay */
    }
    ask(rested);
    for (guint i = 0; i < width(); i++) {
        ask(&players[i]);
        expect_done(&others[i]);
    }
    ask(&others[0]);
    expect_done(rested);
    for (guint i = 1; i < width(); i++) {
        enter(&others[i]); /* and when it is in, others stay again */
    }
    for (guint i = 1; i < width(); i++) {
        leave(&others[i]);
    }
    leave(rested);
    players_free(players, count + 1);
}

/* Those who seemed to hang go on, and always have another picture: the gate is not wider for them, though nobody waits.
 */
TEST("/gate/resumed", test_resumed)
{
    guint count = 2 * width();
    Player *players = players_new(count), *others = players + width();

    for (guint i = 0; i < count; i++) {
        (i < width() ? enter : ask)(&players[i]);
    }
    pass_time(PATIENCE_US);
    for (guint i = 0; i < width(); i++) {
        expect_done(&others[i]);
    }
    g_assert_cmpuint(inside, ==, count);
    for (guint i = 0; i < width(); i++) {
        ask(&players[i]);
    }
    forget_most();
    expect_waiting(&players[0]);
    for (guint i = 0; i < width(); i++) {
        leave(&others[i]);
        expect_done(&players[i]);
    }
    g_assert_cmpuint(most, ==, width());
    players_free(players, count);
}

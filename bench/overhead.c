/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * overhead.c - time from a request to its answer over a UNIX socket with the null encoder, against a skeleton of the
 * same thread hops: client, loop, encode thread, loop, client.
 *
 *     bench-overhead [ROUNDS [REQUESTS]]
 *
 * Host and skeleton have the same client, and the skeleton's answer is a copy of one of the host's. They are asked
 * alternately, BLOCK requests at a time: with a change after each request, the threads of one would move those of the
 * other to other processors.
 *
 * A hop to another processor takes longer than all work between two hops, and threads that are not pinned stay for
 * seconds where the kernel happened to put them. So both are measured unpinned, then pinned to one processor and, where
 * there are two, with every hop to the other one.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "desktop.h"
#include "measure.h"
#include "served.h"

#define BLOCK 200u /* requests to one before the other is asked */
#define SETTLE 20u /* of them, the first ones, which do not count */
#define WIDTH 1920u
#define HEIGHT 1080u
#define REQUEST_BYTES (HELIX_WIRE_HEADER_SIZE + HELIX_REQUEST_SIZE)

/* The first and the second processor that this process may use. */
typedef enum Processor { FIRST, SECOND, N_PROCESSORS } Processor;

typedef struct Placement {
    const char *p50, *p99;
    Processor client, loop, encoder;
} Placement;

static const Placement placements[N_PROCESSORS] = {
    { "p50, pinned to one processor", "p99, pinned to one processor", FIRST, FIRST, FIRST },
    { "p50, pinned, every hop to another", "p99, pinned, every hop to another", FIRST, SECOND, FIRST },
};

typedef struct Skeleton {
    int socket; /* the loop's end */
    int done;   /* eventfd: the encoder thread to the loop */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    gboolean job; /* under lock */
    GByteArray *answer;
} Skeleton;

static void *encoder_thread(void *data)
{
    Skeleton *skeleton = data;
    guint64 one = 1;

    pthread_setname_np(pthread_self(), "bare-encoder");
    while (TRUE) {
        pthread_mutex_lock(&skeleton->lock);
        while (!skeleton->job) {
            pthread_cond_wait(&skeleton->wake, &skeleton->lock);
        }
        skeleton->job = FALSE;
        pthread_mutex_unlock(&skeleton->lock);
        if (write(skeleton->done, &one, sizeof(one)) != sizeof(one)) {
            die("eventfd: %s", g_strerror(errno));
        }
    }
    return NULL;
}

static void *loop_thread(void *data)
{
    Skeleton *skeleton = data;
    struct pollfd wait[2] = { { .fd = skeleton->socket, .events = POLLIN },
                              { .fd = skeleton->done, .events = POLLIN } };
    guint8 request[65536];
    guint64 count;

    pthread_setname_np(pthread_self(), "bare-loop");
    while (poll(wait, 2, -1) > 0) {
        if (wait[0].revents) {
            ssize_t got = recv(skeleton->socket, request, sizeof(request), 0);

            if (got <= 0) {
                return NULL;
            }
            if (got != REQUEST_BYTES) {
                die("the skeleton got %zd bytes", got);
            }
            pthread_mutex_lock(&skeleton->lock);
            skeleton->job = TRUE;
            pthread_cond_signal(&skeleton->wake);
            pthread_mutex_unlock(&skeleton->lock);
        }
        if (wait[1].revents) {
            if (read(skeleton->done, &count, sizeof(count)) != sizeof(count) ||
                send(skeleton->socket, skeleton->answer->data, skeleton->answer->len, MSG_NOSIGNAL) < 0) {
                die("the skeleton's loop: %s", g_strerror(errno));
            }
        }
    }
    return NULL;
}

static Client *skeleton_start(GByteArray *answer)
{
    Skeleton *skeleton = g_new0(Skeleton, 1);
    pthread_t thread;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) {
        die("socketpair: %s", g_strerror(errno));
    }
    skeleton->socket = pair[0];
    skeleton->done = eventfd(0, EFD_CLOEXEC);
    skeleton->answer = answer;
    pthread_mutex_init(&skeleton->lock, NULL);
    pthread_cond_init(&skeleton->wake, NULL);
    if (pthread_create(&thread, NULL, loop_thread, skeleton) ||
        pthread_create(&thread, NULL, encoder_thread, skeleton)) {
        die("no threads");
    }
    return client_new(pair[1]);
}

/* A whole answer of the host's, header and payload. */
static GByteArray *copy_answer(Client *client)
{
    g_autoptr(Message) message = client_receive(client);
    GByteArray *bytes = g_byte_array_new();
    guint8 header[HELIX_WIRE_HEADER_SIZE] = { 'H', 'X', 'F', 'R', HELIX_MSG_FRAME_RESPONSE, 0, 1, 0 };
    guint32 size;

    if (!message || message->type != HELIX_MSG_FRAME_RESPONSE) {
        die("the host does not answer");
    }
    size = GUINT32_TO_LE(message->size);
    memcpy(header + HELIX_WIRE_HEADER_PAYLOAD, &size, sizeof(size));
    g_byte_array_append(bytes, header, sizeof(header));
    return g_byte_array_append(bytes, message->payload, message->size);
}

/* ---- processors ---- */

static cpu_set_t processors[N_PROCESSORS];

/* Returns how many there are. */
static guint find_processors(void)
{
    cpu_set_t all;
    guint found = 0;

    if (sched_getaffinity(0, sizeof(all), &all) < 0) {
        die("the processors are not known: %s", g_strerror(errno));
    }
    for (int i = 0; i < CPU_SETSIZE && found < N_PROCESSORS; i++) {
        if (CPU_ISSET(i, &all)) {
            CPU_SET(i, &processors[found++]);
        }
    }
    return found;
}

static void put_thread(pid_t thread, Processor where)
{
    if (sched_setaffinity(thread, sizeof(processors[where]), &processors[where]) < 0) {
        die("a thread cannot be put on other processors: %s", g_strerror(errno));
    }
}

/* The host's thread that is called @name, and the skeleton's @other. */
static void put_threads(const char *name, const char *other, Processor where)
{
    DIR *tasks = opendir("/proc/self/task");
    guint found = 0;

    for (struct dirent *task = tasks ? readdir(tasks) : NULL; task; task = readdir(tasks)) {
        g_autofree char *path = g_strdup_printf("/proc/self/task/%s/comm", task->d_name), *comm = NULL;

        if (g_file_get_contents(path, &comm, NULL, NULL) &&
            (strcmp(g_strchomp(comm), name) == 0 || strcmp(comm, other) == 0)) {
            put_thread((pid_t)atoi(task->d_name), where);
            found++;
        }
    }
    if (found != 2) {
        die("%u threads are called %s or %s, not one each", found, name, other);
    }
    closedir(tasks);
}

static void put(const Placement *placement)
{
    put_thread(0, placement->client);
    put_threads("host", "bare-loop", placement->loop);
    put_threads("helix-encoder", "bare-encoder", placement->encoder);
}

/* ---- measuring ---- */

static double ask(Client *client, guint n)
{
    gint64 begin = now_ns();

    served_ask(client, WIDTH, HEIGHT, n % DESKTOP_PICTURES);
    served_answer(client);
    return (double)(now_ns() - begin) / 1e3;
}

static void run_round(Client *host, Client *skeleton, guint requests, Figure *p50, Figure *p99)
{
    g_autofree double *ours = g_new(double, requests), *rival = g_new(double, requests);
    double ours50, rival50;

    for (guint first = 0; first < requests; first += BLOCK) {
        gboolean host_first = first / BLOCK % 2;

        for (guint which = 0; which < 2; which++) {
            Client *client = (which == 0) == host_first ? host : skeleton;
            double *took = client == host ? ours : rival;

            for (guint i = 0; i < SETTLE; i++) {
                ask(client, i);
            }
            for (guint i = first; i < MIN(first + BLOCK, requests); i++) {
                took[i] = ask(client, i);
            }
        }
    }
    ours50 = quantile(ours, requests, 0.5);
    rival50 = quantile(rival, requests, 0.5);
    figure_add(p50, ours50, rival50);
    figure_add(p99, quantile(ours, requests, 0.99), quantile(rival, requests, 0.99));
}

int main(int argc, char **argv)
{
    guint rounds = argc > 1 ? (guint)atoi(argv[1]) : 10, requests = argc > 2 ? (guint)atoi(argv[2]) : 4000;
    Served *served = served_new("null", WIDTH, HEIGHT, FALSE);
    Client *host = served_connect(served), *skeleton;
    Figure *p50 = figure_new("p50, unpinned", "us"), *p99 = figure_new("p99, unpinned", "us");
    Figure *put50[N_PROCESSORS] = { NULL }, *put99[N_PROCESSORS] = { NULL };
    guint n_placements = find_processors(); /* with one no hop is to another */

    for (guint i = 0; i < 100; i++) {
        ask(host, i); /* the first is an IDR */
    }
    served_ask(host, WIDTH, HEIGHT, 0);
    skeleton = skeleton_start(copy_answer(host));
    for (guint i = 0; i < 100; i++) {
        ask(skeleton, i);
    }
    for (guint round = 0; round < rounds; round++) {
        run_round(host, skeleton, requests, p50, p99);
    }
    for (guint i = 0; i < n_placements; i++) {
        put50[i] = figure_new(placements[i].p50, "us");
        put99[i] = figure_new(placements[i].p99, "us");
    }
    for (guint round = 0; round < rounds; round++) {
        for (guint i = 0; i < n_placements; i++) {
            put(&placements[i]);
            run_round(host, skeleton, requests, put50[i], put99[i]);
        }
    }
    figures_print(p50, p99, put50[0], put99[0], put50[1], put99[1], NULL);
    client_free(host);
    served_free(served);
    return 0;
}

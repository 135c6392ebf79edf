/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-peer ADDRESS...: the host's end of the transports that are measured against each other, the same code for all.
 *
 * unix:PATH and tcp:PORT (127.0.0.1) are listened on; connect:PATH is connected to, as a virtio-serial port's socket
 * is. Each connection has a thread that does jobs (wire-end.h) until it is closed. Prints "ready" and runs until it is
 * killed.
 */
#include "wire-end.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static bool work(int fd, const Job *job, char *buffer)
{
    bool good = job->size <= SIZE_MOST;

    for (uint32_t i = 0; good && i < job->count; i++) {
        good = (job->what == JOB_SOURCE || read_all(fd, buffer, job->size)) &&
            (job->what == JOB_SINK || write_all(fd, buffer, job->size));
    }
    return good && (job->what != JOB_SINK || write_all(fd, buffer, 1));
}

static void *serve(void *data)
{
    int fd = (int)(intptr_t)data;
    char *buffer = calloc(1, SIZE_MOST);
    Job job;

    while (read_all(fd, &job, sizeof(job)) && work(fd, &job, buffer)) {
    }
    close(fd);
    free(buffer);
    return NULL;
}

static void begin(void *(*run)(void *data), int fd)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, (void *)(intptr_t)fd)) {
        die("pthread_create");
    }
    pthread_detach(thread);
}

static void *accept_all(void *data)
{
    int listener = (int)(intptr_t)data, fd, on = 1;

    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* of TCP only; a UNIX socket says no */
        begin(serve, fd);
    }
    return NULL;
}

static void open_unix(const char *path, bool listens)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || (listens ? bind : connect)(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        die(path);
    }
    if (listens && listen(fd, 16) < 0) {
        die(path);
    }
    begin(listens ? accept_all : serve, fd);
}

static void open_tcp(const char *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)atoi(port)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 16) < 0) {
        die(port);
    }
    begin(accept_all, fd);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < argc; i++) {
        const char *value = strchr(argv[i], ':');

        if (value && !strncmp(argv[i], "unix:", 5)) {
            open_unix(value + 1, true);
        } else if (value && !strncmp(argv[i], "connect:", 8)) {
            open_unix(value + 1, false);
        } else if (value && !strncmp(argv[i], "tcp:", 4)) {
            open_tcp(value + 1);
        } else {
            fprintf(stderr, "usage: bench-peer unix:PATH | connect:PATH | tcp:PORT ...\n");
            return 2;
        }
    }
    printf("ready\n");
    fflush(stdout);
    pause();
    return 0;
}

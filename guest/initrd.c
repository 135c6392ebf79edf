/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * initrd.c - the guest's first program: load the modules in /modules in the order of their names, mount /dev/vda, and
 * go on with /init of that disk. One static program starts in a fraction of the time that a distribution's initrd
 * takes under an emulated processor.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
    printf("helix initrd: %s: %s\n", what, strerror(errno));
    fflush(stdout);
    _exit(1);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_modules(void)
{
    struct dirent **names;
    int n = scandir("/modules", &names, NULL, by_name);

    if (n < 0) {
        fail("/modules");
    }
    for (int i = 0; i < n; i++) {
        char path[512];
        int fd;

        if (names[i]->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof(path), "/modules/%s", names[i]->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)) {
            fail(path);
        }
        close(fd);
    }
}

int main(void)
{
    static char *const argv[] = { "/init", NULL };
    static char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", NULL };

    if (mount("dev", "/dev", "devtmpfs", 0, NULL)) {
        fail("devtmpfs");
    }
    load_modules();
    /* The disk is probed asynchronously. */
    for (int tries = 0; access("/dev/vda", F_OK); tries++) {
        if (tries == 3000) {
            fail("/dev/vda did not appear");
        }
        nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
    }
    if (mount("/dev/vda", "/root", "ext4", 0, NULL)) {
        fail("/dev/vda");
    }
    if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/")) {
        fail("switching to /dev/vda");
    }
    execve(argv[0], argv, env);
    fail(argv[0]);
}

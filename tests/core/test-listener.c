/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a UNIX socket may be: folders that nobody else can exchange, and a path that no other program listens on. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <glib-unix.h>
#include <glib/gstdio.h>

#include "cases.h"
#include "transport/descriptors.h"
#include "protocol/error.h"
#include "transport/listener.h"
#include "transport/unix-socket.h"

#define NOBODY 65534

typedef struct Folder {
    char *folder, *path, *lock;
} Folder;

static void folder_up(Folder *f, gconstpointer data)
{
    f->folder = g_dir_make_tmp("helix-listener-XXXXXX", NULL);
    f->path = g_build_filename(f->folder, "s", NULL);
    f->lock = g_strconcat(f->path, ".lock", NULL);
}

static void remove_tree(const char *path)
{
    GDir *dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *inner = g_build_filename(path, name, NULL);

        remove_tree(inner);
    }
    g_clear_pointer(&dir, g_dir_close);
    g_remove(path);
}

static void folder_down(Folder *f, gconstpointer data)
{
    remove_tree(f->folder);
    g_free(f->folder);
    g_free(f->path);
    g_free(f->lock);
}

static gboolean refuse_all(HelixChannel *channel, gpointer data)
{
    return FALSE;
}

static HelixListener *try_listen(const char *path, GError **error)
{
    g_autofree char *address = g_strconcat("unix:", path, NULL);

    return helix_listener_new(NULL, address, refuse_all, NULL, error);
}

/* It can be listened on at @path, and nothing stays behind. */
static void expect_taken(const char *path)
{
    g_autofree char *lock = g_strconcat(path, ".lock", NULL);
    g_autoptr(GError) error = NULL;
    HelixListener *listener = try_listen(path, &error);

    g_assert_no_error(error);
    g_assert_cmpint(access(path, F_OK), ==, 0);
    helix_listener_free(listener);
    g_assert_cmpint(access(path, F_OK), !=, 0);
    g_assert_cmpint(access(lock, F_OK), !=, 0);
}

static void expect_refused(const char *path, const char *says)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(try_listen(path, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_INVALID);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, says));
}

/* ---- folders ---- */

static char *make_folder(const char *above, const char *name, mode_t mode)
{
    char *path = g_build_filename(above, name, NULL);

    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    g_assert_cmpint(chmod(path, mode), ==, 0);
    return path;
}

/* <f>/shared/vm/s, where shared has @mode. */
static char *in_shared(const Folder *f, mode_t mode)
{
    g_autofree char *shared = make_folder(f->folder, "shared", mode), *vm = make_folder(shared, "vm", 0700);

    return g_build_filename(vm, "s", NULL);
}

TEST_WITH(Folder, folder_up, folder_down, "/listener/open-above", test_open_above)
{
    g_autofree char *path = in_shared(f, 0777), *shared = g_build_filename(f->folder, "shared", NULL);

    expect_refused(path, "/shared belongs to uid");
    g_assert_cmpint(chmod(shared, 0770), ==, 0);
    expect_refused(path, "mode 0770");
    g_assert_cmpint(chmod(shared, 0755), ==, 0);
    expect_taken(path);
}

TEST_WITH(Folder, folder_up, folder_down, "/listener/open-far-above", test_open_far_above)
{
    g_autofree char *shared = make_folder(f->folder, "shared", 0777), *one = make_folder(shared, "one", 0700);
    g_autofree char *two = make_folder(one, "two", 0700), *path = g_build_filename(two, "s", NULL);

    expect_refused(path, "/shared belongs to uid");
}

/* In a sticky folder nobody can rename what is ours: it may be above, but not hold the socket itself. */
TEST_WITH(Folder, folder_up, folder_down, "/listener/sticky-above", test_sticky_above)
{
    g_autofree char *path = in_shared(f, 01777), *inside = g_build_filename(f->folder, "shared", "s", NULL);

    expect_taken(path);
    expect_refused(inside, "mode 1777");
}

TEST_WITH(Folder, folder_up, folder_down, "/listener/another-users", test_another_users)
{
    g_autofree char *path = in_shared(f, 01777), *shared = g_build_filename(f->folder, "shared", NULL);
    g_autofree char *vm = g_build_filename(shared, "vm", NULL), *deep = make_folder(vm, "deep", 0700);
    g_autofree char *deeper = g_build_filename(deep, "s", NULL);

    if (geteuid() != 0) {
        g_test_skip("only root can give a folder away");
        return;
    }
    g_assert_cmpint(chown(vm, NOBODY, NOBODY), ==, 0);
    expect_refused(path, "uid 65534");
    expect_refused(deeper, "uid 65534");
    g_assert_cmpint(chmod(shared, 0755), ==, 0);
    expect_refused(deeper, "uid 65534"); /* the owner of a folder may write it, whatever its mode */
    g_assert_cmpint(chown(vm, 0, 0), ==, 0);
    expect_taken(deeper);
    g_assert_cmpint(chmod(shared, 01777), ==, 0);
    g_assert_cmpint(chown(shared, NOBODY, NOBODY), ==, 0);
    expect_refused(deeper, "uid 65534"); /* a sticky folder's owner may rename what is in it */
}

static char *make_link(const char *above, const char *name, const char *target)
{
    char *path = g_build_filename(above, name, NULL);

    g_assert_cmpint(symlink(target, path), ==, 0);
    return path;
}

/* A symbolic link is as good as the folder it is in and all that it leads through. */
TEST_WITH(Folder, folder_up, folder_down, "/listener/links", test_links)
{
    g_autofree char *real = make_folder(f->folder, "real", 0700), *open = make_folder(f->folder, "open", 0777);
    g_autofree char *sticky = make_folder(f->folder, "sticky", 01777), *inner = make_folder(open, "inner", 0700);
    g_autofree char *good = make_link(f->folder, "good", real),
                    *near = make_link(f->folder, "near", "./sticky/../real");
    g_autofree char *bad = make_link(f->folder, "bad", "open/inner"), *in_open = make_link(open, "link", real);
    g_autofree char *in_sticky = make_link(sticky, "link", real), *loop = make_link(f->folder, "loop", "loop");
    const char *const taken[] = { good, near, in_sticky }, *const refused[] = { bad, in_open };

    for (guint i = 0; i < G_N_ELEMENTS(taken); i++) {
        g_autofree char *path = g_build_filename(taken[i], "s", NULL);

        expect_taken(path);
    }
    for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autofree char *path = g_build_filename(refused[i], "s", NULL);

        expect_refused(path, "/open belongs to uid");
    }
    {
        g_autofree char *path = g_build_filename(loop, "s", NULL),
                        *through = g_build_filename(real, "..", "real", "s", NULL);

        expect_refused(path, g_strerror(ELOOP));
        expect_taken(through);
    }
    if (geteuid() == 0) {
        g_autofree char *path = g_build_filename(in_sticky, "s", NULL);

        g_assert_cmpint(lchown(in_sticky, NOBODY, NOBODY), ==, 0);
        expect_refused(path, "uid 65534");
    }
}

TEST_WITH(Folder, folder_up, folder_down, "/listener/no-folder", test_no_folder)
{
    g_autofree char *missing = g_build_filename(f->folder, "none", "s", NULL),
                    *file = g_build_filename(f->folder, "file", NULL);
    g_autofree char *below = g_build_filename(file, "s", NULL);

    g_assert_true(g_file_set_contents(file, "", 0, NULL));
    expect_refused(missing, g_strerror(ENOENT));
    expect_refused(below, g_strerror(ENOTDIR));
}

/* A relative path begins where the program is, and so does its check. */
TEST_WITH(Folder, folder_up, folder_down, "/listener/relative", test_relative)
{
    g_autofree char *path = in_shared(f, 0777), *vm = g_path_get_dirname(path), *before = g_get_current_dir();

    g_assert_cmpint(g_chdir(vm), ==, 0);
    expect_refused("s", "/shared belongs to uid");
    g_assert_cmpint(g_chdir(f->folder), ==, 0);
    expect_taken("s");
    expect_taken("./s");
    g_assert_cmpint(g_chdir(before), ==, 0);
}

/* ---- the listener ---- */

static int bind_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    g_assert_cmpint(bind(fd, (const struct sockaddr *)&address, sizeof address), ==, 0);
    return fd;
}

/* A program that listens there and is killed; in between it does what @also says. */
static void die_listening(const char *path, void (*also)(const char *path))
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        if (try_listen(path, NULL) && also) {
            also(path);
        }
        kill(getpid(), SIGKILL);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFSIGNALED(status));
}

TEST_WITH(Folder, folder_up, folder_down, "/listener/left-behind", test_left_behind)
{
    for (guint i = 0; i < 3; i++) {
        die_listening(f->path, NULL);
        g_assert_cmpint(access(f->path, F_OK), ==, 0);
    }
    expect_taken(f->path);
}

static void empty_lock(const char *path)
{
    g_autofree char *lock = g_strconcat(path, ".lock", NULL);

    (void)!truncate(lock, 0);
}

/* It died before it could note a socket of its own: the one that is there may be another program's. */
TEST_WITH(Folder, folder_up, folder_down, "/listener/left-behind-early", test_left_behind_early)
{
    die_listening(f->path, empty_lock);
    expect_refused(f->path, "another program made: remove it");
    g_unlink(f->path);
    expect_taken(f->path);
}

/* A program with a full backlog lives: its socket stays, whatever the lock file beside it was left with. */
TEST_WITH(Folder, folder_up, folder_down, "/listener/full-backlog", test_full_backlog)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd, waiting[8];
    guint n = 0;

    die_listening(f->path, empty_lock);
    g_unlink(f->path);
    fd = bind_at(f->path);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    g_strlcpy(address.sun_path, f->path, sizeof address.sun_path);
    for (gboolean room = TRUE; room; n += room) {
        g_assert_cmpuint(n, <, G_N_ELEMENTS(waiting));
        waiting[n] = socket(AF_UNIX, SOCK_STREAM, 0);
        g_assert_true(g_unix_set_fd_nonblocking(waiting[n], TRUE, NULL));
        room = connect(waiting[n], (const struct sockaddr *)&address, sizeof address) == 0;
    }
    expect_refused(f->path, "another program");
    g_assert_cmpint(access(f->path, F_OK), ==, 0);
    for (guint i = 0; i <= n; i++) {
        close(waiting[i]);
    }
    close(fd);
}

/* A connection is refused by a program that is about to listen too, and on XNU by one whose backlog is full. */
TEST_WITH(Folder, folder_up, folder_down, "/listener/refused-is-no-proof", test_refused_is_no_proof)
{
    int fd = bind_at(f->path);

    expect_refused(f->path, "another program made");
    g_assert_cmpint(access(f->path, F_OK), ==, 0);
    g_assert_cmpint(access(f->lock, F_OK), !=, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    expect_refused(f->path, "another program listens");
    close(fd);
    expect_refused(f->path, "another program made");
    g_unlink(f->path);

    die_listening(f->path, NULL); /* and what comes after a dead one's is not its own */
    g_unlink(f->path);
    fd = bind_at(f->path);
    expect_refused(f->path, "another program made");
    g_assert_cmpint(access(f->path, F_OK), ==, 0);
    close(fd);
}

/* The program that holds the lock listens: a removed socket lets no other one in. */
TEST_WITH(Folder, folder_up, folder_down, "/listener/lock-is-held", test_lock_is_held)
{
    HelixListener *first = try_listen(f->path, NULL);

    g_assert_nonnull(first);
    g_unlink(f->path);
    expect_refused(f->path, "another program listens");
    helix_listener_free(first);
    expect_taken(f->path);
}

TEST_WITH(Folder, folder_up, folder_down, "/listener/lock-files", test_lock_files)
{
    g_autofree char *other = make_link(f->folder, "s.lock", "/dev/null");
    int fd;

    expect_refused(f->path, "not a lock file");
    g_assert_true(g_file_test(other, G_FILE_TEST_IS_SYMLINK));
    g_unlink(other);
    g_assert_cmpint(g_mkdir(other, 0700), ==, 0);
    expect_refused(f->path, f->lock);
    g_rmdir(other);
    g_assert_cmpint(mkfifo(other, 0600), ==, 0);
    expect_refused(f->path, "not a lock file");
    g_unlink(other);

    fd = open(f->lock, O_RDWR | O_CREAT, 0600); /* held by another, then not */
    g_assert_cmpint(flock(fd, LOCK_EX | LOCK_NB), ==, 0);
    expect_refused(f->path, "another program listens");
    g_assert_cmpint(access(f->lock, F_OK), ==, 0);
    close(fd);
    expect_taken(f->path);
}

/* Programs that start at once on the path of a dead one: each round one of them listens. */
TEST_WITH(Folder, folder_up, folder_down, "/listener/many-at-once", test_many_at_once)
{
    enum { PROGRAMS = 4, ROUNDS = 50 };

    for (guint round = 0; round < ROUNDS; round++) {
        int go[2], told[2], hold[2];
        guint listening = 0;
        char byte;

        die_listening(f->path, NULL);
        g_assert_true(pipe(go) == 0 && pipe(told) == 0 && pipe(hold) == 0);
        for (guint i = 0; i < PROGRAMS; i++) {
            if (fork() == 0) {
                close(go[1]);
                close(hold[1]);
                (void)!read(go[0], &byte, 1);
                byte = try_listen(f->path, NULL) ? 'y' : 'n';
                (void)!write(told[1], &byte, 1);
                (void)!read(hold[0], &byte, 1); /* until all have tried */
                _exit(0);
            }
        }
        close(go[1]);
        for (guint i = 0; i < PROGRAMS; i++) {
            g_assert_cmpint(read(told[0], &byte, 1), ==, 1);
            listening += byte == 'y';
        }
        close(hold[1]);
        while (wait(NULL) > 0) {
            continue;
        }
        close(go[0]);
        close(told[0]);
        close(told[1]);
        close(hold[0]);
        g_assert_cmpuint(listening, ==, 1);
    }
}

/* ---- open files ---- */

/* What all that may listen can need together fits the limit, or is refused with both figures. */
TEST_WITH(Folder, folder_up, folder_down, "/listener/open-files", test_open_files)
{
    struct rlimit before, low;
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
    low = (struct rlimit){ .rlim_cur = HELIX_DESCRIPTORS_OTHER + 100, .rlim_max = before.rlim_max };
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &low), ==, 0);
    g_assert_true(helix_descriptors_reserve(60, &error));
    g_assert_no_error(error);
    g_assert_false(helix_descriptors_reserve(41, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_INVALID);
    g_assert_nonnull(strstr(error->message, "may need 357 open files, 256 for"));
    g_assert_nonnull(strstr(error->message, "RLIMIT_NOFILE is 356:"));
    g_clear_error(&error);
    g_assert_true(helix_descriptors_reserve(40, &error));
    helix_descriptors_release(60);
    g_assert_true(helix_descriptors_reserve(60, &error));
    g_assert_no_error(error);
    helix_descriptors_release(100);
    g_assert_false(helix_descriptors_reserve(G_MAXUINT, NULL));
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
}

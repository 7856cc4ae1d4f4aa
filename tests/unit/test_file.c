/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_file.c -- files read whole and replaced whole, also when every operation in
 * turn fails, is cut short or is interrupted. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h> /* needs all of the above */

#include "base/file.h"
#include "base/input.h"
#include "support/fixture.h"

static const char old_text[] = "the old content";
static const char new_text[] = "what replaces it, somewhat longer";
enum { OLD = sizeof old_text - 1, NEW = sizeof new_text - 1 };

static int setup(void **state)
{
    fixture_folder *folder = malloc(sizeof *folder);
    assert_non_null(folder);
    fixture_folder_make(folder);
    *state = folder;
    return 0;
}

static int teardown(void **state)
{
    fixture_folder_remove(*state);
    free(*state);
    return 0;
}

static void test_read(void **state)
{
    const char *path = fixture_path(*state, "file");
    vq_context *ctx = fixture_context();
    vq_bytes bytes;
    fixture_write(path, old_text, OLD);
    assert_int_equal(vq_file_read(ctx, path, OLD, &bytes), VQ_OK);
    assert_int_equal(bytes.size, OLD);
    assert_memory_equal(bytes.data, old_text, OLD);
    vq_release(ctx, bytes.data);
    assert_int_equal(vq_file_read(ctx, path, OLD - 1, &bytes), VQ_E_FORMAT);
    assert_null(bytes.data);
    fixture_error_names(ctx, "larger than 14 bytes");
    assert_int_equal(vq_file_read(ctx, fixture_path(*state, "none"), 1, &bytes), VQ_E_IO);
    fixture_error_names(ctx, "none: could not be opened: No such file");
    const fixture_folder *folder = *state;
    assert_int_equal(vq_file_read(ctx, folder->path, 1, &bytes), VQ_E_IO);
    fixture_write(path, "", 0);
    assert_int_equal(vq_file_read(ctx, path, 0, &bytes), VQ_OK);
    assert_int_equal(bytes.size, 0);
    vq_release(ctx, bytes.data);
    vq_context_destroy(ctx);
}

/* A pipe at `path` into which a process of its own writes `size` zeros. */
static pid_t feed_pipe(const char *path, size_t size)
{
    assert_int_equal(mkfifo(path, 0600), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0) return child;
    const int fd = open(path, O_WRONLY);
    char *data = calloc(size, 1);
    while (data && size > 0) {
        const ssize_t put = write(fd, data, size);
        if (put <= 0) break;
        size -= (size_t)put;
    }
    free(data);
    _exit(0);
}

/* A pipe tells no size: the buffer must grow. */
static void test_read_unknown_size(void **state)
{
    enum { SIZE = 300000 };
    vq_context *ctx = fixture_context();
    vq_bytes bytes;
    const char *path = fixture_path(*state, "fifo");
    const pid_t child = feed_pipe(path, SIZE);
    assert_int_equal(vq_file_read(ctx, path, SIZE, &bytes), VQ_OK);
    assert_int_equal(bytes.size, SIZE);
    assert_int_equal(waitpid(child, NULL, 0), child);
    vq_release(ctx, bytes.data);
    vq_context_destroy(ctx);
}

/* Files in pieces, pipes whole, and files that become shorter. */
static void test_input(void **state)
{
    enum { SIZE = 300000 };
    const char *path = fixture_path(*state, "file"), *pipe = fixture_path(*state, "fifo");
    fixture_faults files = {.most = 3, .interrupt = true};
    vq_context *ctx = fixture_faulty_context(NULL, &files), *plain = fixture_context();
    vq_input input;
    char got[8] = "";
    fixture_write(path, old_text, OLD);
    assert_int_equal(vq_input_open(ctx, path, &input), VQ_OK);
    assert_int_equal(input.size, OLD);
    assert_int_equal(vq_input_take(&input, 8, got, 7), VQ_OK);
    assert_string_equal(got, "content");
    fixture_write(path, old_text, OLD - 1);
    assert_int_equal(vq_input_take(&input, 8, got, 7), VQ_E_IO);
    fixture_error_names(ctx, "file: became shorter while it was read");
    vq_input_close(&input);
    const pid_t child = feed_pipe(pipe, SIZE);
    assert_int_equal(vq_input_open(plain, pipe, &input), VQ_OK);
    assert_int_equal(input.size, SIZE);
    assert_int_equal(vq_input_take(&input, SIZE - 1, got, 1), VQ_OK);
    assert_int_equal(*got, 0);
    vq_input_close(&input);
    assert_int_equal(waitpid(child, NULL, 0), child);
    const fixture_folder *folder = *state;
    assert_int_equal(vq_input_open(plain, folder->path, &input), VQ_E_IO);
    fixture_error_names(plain, "could not be read: Is a directory");
    vq_input_close(&input);
    vq_context_destroy(ctx);
    vq_context_destroy(plain);
}

static void test_read_at(void **state)
{
    const char *path = fixture_path(*state, "file");
    fixture_faults files = {.most = 1, .interrupt = true};
    vq_context *ctx = fixture_faulty_context(NULL, &files);
    char got[4] = "";
    fixture_write(path, old_text, OLD);
    const int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(vq_file_read_at(ctx, path, fd, 4, got, 3), VQ_OK);
    assert_string_equal(got, "old");
    assert_int_equal(vq_file_read_at(ctx, path, fd, OLD - 2, got, 3), VQ_E_FORMAT);
    fixture_error_names(ctx, "ends at byte 15, 1 bytes too early");
    assert_int_equal(vq_file_read_at(ctx, path, fd, UINT64_MAX, got, 1), VQ_E_FORMAT);
    close(fd);
    vq_context_destroy(ctx);
}

static void test_replace(void **state)
{
    const char *path = fixture_path(*state, "file");
    vq_context *ctx = fixture_context();
    vq_replacement r;
    fixture_write(path, old_text, OLD);
    assert_int_equal(vq_replace_begin(ctx, path, &r), VQ_OK);
    assert_int_equal(vq_replace_write(&r, new_text, 10), VQ_OK);
    assert_true(fixture_holds(path, old_text, OLD));
    vq_replace_abandon(&r);
    vq_replace_abandon(&r);
    assert_int_equal(fixture_folder_count(*state), 1);
    assert_int_equal(vq_file_replace(ctx, path, new_text, NEW), VQ_OK);
    assert_true(fixture_holds(path, new_text, NEW));
    assert_int_equal(fixture_folder_count(*state), 1);
    assert_int_equal(vq_file_replace(ctx, fixture_path(*state, "new"), "", 0), VQ_OK);
    assert_int_equal(fixture_folder_count(*state), 2);
    vq_context_destroy(ctx);
}

/* Two at once, and one left over by a process that was killed, do not meet. */
static void test_replace_names(void **state)
{
    const char *path = fixture_path(*state, "file");
    vq_context *ctx = fixture_context();
    vq_replacement a, b;
    assert_int_equal(vq_replace_begin(ctx, path, &a), VQ_OK);
    assert_int_equal(vq_replace_begin(ctx, path, &b), VQ_OK);
    assert_int_equal(vq_replace_write(&a, new_text, NEW), VQ_OK);
    assert_int_equal(vq_replace_write(&b, old_text, OLD), VQ_OK);
    assert_int_equal(vq_replace_commit(&a), VQ_OK);
    assert_true(fixture_holds(path, new_text, NEW));
    assert_int_equal(vq_replace_commit(&b), VQ_OK);
    assert_true(fixture_holds(path, old_text, OLD));
    assert_int_equal(fixture_folder_count(*state), 1);
    vq_context_destroy(ctx);
}

static void test_replace_refused(void **state)
{
    const fixture_folder *folder = *state;
    vq_context *ctx = fixture_context();
    assert_int_equal(vq_file_replace(ctx, folder->path, "x", 1), VQ_E_IO);
    fixture_error_names(ctx, "not a regular file");
    assert_int_equal(vq_file_replace(ctx, "", "x", 1), VQ_E_ARG);
    const char *lost = fixture_path(folder, "no/such/folder");
    assert_int_equal(vq_file_replace(ctx, lost, "x", 1), VQ_E_IO);
    fixture_error_names(ctx, "could not be created");
    assert_int_equal(fixture_folder_count(folder), 0);
    vq_context_destroy(ctx);
}

static void test_short_and_interrupted(void **state)
{
    const char *path = fixture_path(*state, "file");
    fixture_faults files = {.most = 3, .interrupt = true};
    vq_context *ctx = fixture_faulty_context(NULL, &files);
    vq_bytes bytes;
    assert_int_equal(vq_file_replace(ctx, path, new_text, NEW), VQ_OK);
    assert_true(fixture_holds(path, new_text, NEW));
    assert_int_equal(vq_file_read(ctx, path, NEW, &bytes), VQ_OK);
    assert_int_equal(bytes.size, NEW);
    assert_memory_equal(bytes.data, new_text, NEW);
    vq_release(ctx, bytes.data);
    vq_context_destroy(ctx);
}

/* Whichever operation fails, the file is the old one or the new one, and nothing else is left. */
static void test_every_operation_fails(void **state)
{
    const char *path = fixture_path(*state, "file");
    vq_status status = VQ_E_IO;
    long at = 0;
    while (status != VQ_OK) {
        fixture_faults files = {.fail_at = ++at, .code = ENOSPC, .most = 10};
        vq_context *ctx = fixture_faulty_context(NULL, &files);
        fixture_write(path, old_text, OLD);
        status = vq_file_replace(ctx, path, new_text, NEW);
        if (status != VQ_OK) {
            assert_int_equal(status, VQ_E_IO);
            fixture_error_names(ctx, "No space left");
        }
        assert_true(fixture_holds(path, new_text, NEW) ||
                    (status != VQ_OK && fixture_holds(path, old_text, OLD)));
        assert_int_equal(fixture_folder_count(*state), 1);
        vq_context_destroy(ctx);
        assert_in_range(at, 1, 50);
    }
    /* open, four writes, sync, close, rename, open and sync of the folder; the close of the
     * folder may fail unheard. */
    assert_int_equal(at, 11);
}

static void test_every_allocation_fails(void **state)
{
    const char *path = fixture_path(*state, "file");
    vq_status status = VQ_E_NOMEM;
    for (long at = 1; status != VQ_OK; at++) {
        fixture_faults memory = {.fail_at = at};
        vq_context *ctx = fixture_faulty_context(&memory, NULL);
        vq_bytes bytes = {0};
        status = vq_file_replace(ctx, path, new_text, NEW);
        if (status == VQ_OK) status = vq_file_read(ctx, path, NEW, &bytes);
        assert_true(status == VQ_OK || status == VQ_E_NOMEM);
        vq_release(ctx, bytes.data);
        vq_context_destroy(ctx);
        assert_int_equal(memory.live, 0);
        assert_in_range(at, 1, 50);
    }
    assert_int_equal(fixture_folder_count(*state), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_unknown_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_input, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_at, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replace_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replace_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_short_and_interrupted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_operation_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_allocation_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * fuzz/replay.c -- meets the inputs of a corpus without a fuzzer: replay FOLDER
 *
 * ok-* must be accepted, bad-* refused; what a fuzzer found goes by other names and may be either.
 * Each is then met again with its first allocation failing, its second, and so on; so for opening
 * and reading files, which are also interrupted. What comes of an input is one line of TAP, so that
 * each counts as a test. */
#include "fuzz/fuzz.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 1 << 20, FAILURES_MAX = 200 };

/* A copy of exactly its size, so that the sanitizers see reads beyond it. */
static uint8_t *read_input(const char *path, size_t *size)
{
    static uint8_t buffer[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    FUZZ_CHECK(file);
    *size = fread(buffer, 1, sizeof buffer, file);
    FUZZ_CHECK(!ferror(file) && *size < INPUT_MAX);
    fclose(file);
    uint8_t *bytes = malloc(*size ? *size : 1);
    FUZZ_CHECK(bytes);
    return memcpy(bytes, buffer, *size);
}

static bool wrong(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s: \"%s\"\n", path, what, vq_context_error(fuzz_context()));
    return false;
}

static bool starts(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

static bool check_verdict(const char *path, const char *name, vq_status status)
{
    if (starts(name, "ok-") && status != VQ_OK) return wrong(path, "refused");
    if (starts(name, "bad-") && status == VQ_OK) return wrong(path, "accepted");
    return true;
}

/* What fails changes no verdict but to `instead`; where it was for comfort only, to none. */
static bool fail_each(const char *path, const uint8_t *bytes, size_t size, vq_status verdict,
                      fuzz_fault kind, int code, vq_status instead)
{
    (void)fuzz_fail(kind, 0, 0);
    (void)fuzz_run(bytes, size);
    const long calls = fuzz_fail(kind, 0, 0);
    for (long n = 1; n <= calls && n <= FAILURES_MAX; n++) {
        (void)fuzz_fail(kind, n, code);
        const vq_status status = fuzz_run(bytes, size);
        (void)fuzz_fail(kind, 0, 0);
        if (status != instead && status != verdict) return wrong(path, strerror(code));
    }
    return true;
}

static bool replay(const char *path, const char *name)
{
    size_t size = 0;
    uint8_t *bytes = read_input(path, &size);
    const vq_status status = fuzz_run(bytes, size);
    const bool good = check_verdict(path, name, status) &&
                      fail_each(path, bytes, size, status, FUZZ_MEMORY, ENOMEM, VQ_E_NOMEM) &&
                      fail_each(path, bytes, size, status, FUZZ_HEAP, ENOMEM, VQ_E_NOMEM) &&
                      fail_each(path, bytes, size, status, FUZZ_LIBRARIES, ENOMEM, VQ_E_NOMEM) &&
                      fail_each(path, bytes, size, status, FUZZ_SYSTEM, EIO, VQ_E_IO) &&
                      fail_each(path, bytes, size, status, FUZZ_FILES, EIO, VQ_E_IO) &&
                      fail_each(path, bytes, size, status, FUZZ_FILES, EINTR, status);
    free(bytes);
    return good;
}

int main(int argc, char **argv)
{
    struct dirent **found = NULL;
    char path[4096];
    int n_inputs = 0, n_wrong = 0;
    FUZZ_CHECK(argc == 2);
    const int n = scandir(argv[1], &found, NULL, alphasort);
    FUZZ_CHECK(n >= 0);
    for (int i = 0; i < n; i++) {
        const char *name = found[i]->d_name;
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], name);
        if (name[0] != '.') {
            const bool good = replay(path, name);
            n_wrong += !good;
            printf("%sok %d %s\n", good ? "" : "not ", ++n_inputs, name);
        }
        free(found[i]);
    }
    free(found);
    vq_context_destroy(fuzz_context());
    return n_wrong > 0 || n_inputs == 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Faults on purpose in the program: every allocation and every operation on files that its verbs
 * make fails once, those of the libraries' files among them. Each time the exit code is not 0,
 * there is a sentence, no half file is left, and what was there is as it was.
 *
 * The linker puts the functions called __wrap_X in the place of X (--wrap), in the objects of the
 * program and of the libraries, not in the C library. */
#define _XOPEN_SOURCE 700
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "option.h" /* its fail() is a macro of cmocka's below */

#include <cmocka.h> /* needs all of the above */
#include <vqvae/tensor.h>

#include "support/fixture.h"

/* ---- what fails ---------------------------------------------------------------------- */

typedef enum fault_kind { MEMORY, FILES, KINDS } fault_kind;

static struct {
    bool counts;
    long calls[KINDS], fail_at[KINDS]; /* fail_at 0: none */
    const char *met;                   /* the operation that failed */
    size_t room;                       /* larger blocks of the libraries fail; 0: none does */
} faults;

static bool fails(fault_kind kind, const char *operation)
{
    if (!faults.counts || ++faults.calls[kind] != faults.fail_at[kind]) return false;
    faults.met = operation;
    errno = kind == MEMORY ? ENOMEM : EIO;
    return true;
}

static bool is_folder(int fd)
{
    struct stat about;
    return fstat(fd, &about) == 0 && S_ISDIR(about.st_mode);
}

/* The index beside codes is a companion: they are decoded without it. */
static bool is_companion(const char *path, const char *mode)
{
    return mode[0] == 'r' && strstr(path, ".index.jsonl");
}

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return faults.room && size > faults.room ? NULL : __real_aligned_alloc(alignment, size);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    return fails(MEMORY, "calloc") ? NULL : __real_calloc(n, size);
}

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size)
{
    return fails(MEMORY, "realloc") ? NULL : __real_realloc(memory, size);
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    const bool counts = !is_companion(path, mode);
    return counts && fails(FILES, "fopen") ? NULL : __real_fopen(path, mode);
}

size_t __real_fwrite(const void *from, size_t size, size_t n, FILE *file);
size_t __wrap_fwrite(const void *from, size_t size, size_t n, FILE *file);
size_t __wrap_fwrite(const void *from, size_t size, size_t n, FILE *file)
{
    return fails(FILES, "fwrite") ? 0 : __real_fwrite(from, size, n, file);
}

int __real_fflush(FILE *file);
int __wrap_fflush(FILE *file);
int __wrap_fflush(FILE *file)
{
    return file != stdout && fails(FILES, "fflush") ? EOF : __real_fflush(file);
}

/* Syncing takes longer than all else here; that of a folder is done as well as it can be. */
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return !is_folder(fd) && fails(FILES, "fsync") ? -1 : 0;
}

/* Where the folder exists, a failure would change nothing. */
int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
    return access(path, F_OK) != 0 && fails(FILES, "mkdir") ? -1 : __real_mkdir(path, mode);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    return fails(FILES, "rename") ? -1 : __real_rename(from, to);
}

/* ---- the works ----------------------------------------------------------------------- */

enum { WORDS = 16, SENTENCE = 2048 };

typedef struct work {
    const char *name;
    const char *words[WORDS]; /* the verb and what follows it */
    const char *written[3];   /* removed after each run */
} work;

static const work works[] = {
    {"training",
     {"train", "images.npy", "-o", "new", "--preset", "tiny", "--steps", "2", "--batch", "2", "-q",
      "--set", "model.level.0.width=2"},
     {"new"}},
    {"resuming", {"train", "-o", "run", "--resume", "--steps", "3", "-q"}, {"run"}},
    {"planning",
     {"train", "images.npy", "-o", "new", "--preset", "tiny", "--batch", "2", "--dry-run", "-q"},
     {NULL}},
    {"evaluating", {"eval", "run", "images.npy", "--grid", "g.png", "-q"}, {"g.png"}},
    {"encoding", {"encode", "run", "images.npy", "-o", "c.npy", "-q"}, {"c.npy", "c.index.jsonl"}},
    {"encoding several sizes",
     {"encode", "run", "images.npy", "wide.npy", "-o", "c.safetensors", "-q"},
     {"c.safetensors", "c.safetensors.index.jsonl"}},
    {"decoding", {"decode", "run", "codes.npy", "-o", "d.npy", "-q"}, {"d.npy"}},
    {"decoding to a folder", {"decode", "run", "codes.npy", "-o", "d", "-n", "2", "-q"}, {"d"}},
    {"reconstructing", {"reconstruct", "run", "wide.npy", "-o", "r.png", "-q"}, {"r.png"}},
    {"reconstructing to a folder",
     {"reconstruct", "run", "images.npy", "-o", "d", "-n", "2", "-q"},
     {"d"}},
    {"inspecting", {"inspect", "codes.npy"}, {NULL}},
    {"reporting", {"report", "run", "-o", "p.html", "-q"}, {"p.html"}},
};
enum { WORKS = sizeof works / sizeof *works };

static int run_words(const char *const *given, char *sentence, size_t size)
{
    char *words[WORDS];
    void *options = NULL;
    program p;
    int n = 0, n_operands = 0, code;
    for (; given[n]; n++) words[n] = (char *)(uintptr_t)given[n];
    const verb *v = verb_named(words[0]);
    program_init(&p);
    p.verb = v->name;
    p.quiet = true;
    TRY_TO(allocate(&p, 1, v->options_size, &options));
    TRY_TO(options_parse(&p, v, n - 1, words + 1, options, &n_operands));
    TRY_TO(program_context(&p, 1, "portable"));
    TRY_TO(v->run(&p, options, n_operands, words + 1));
done:
    if (options) options_clear(v, options);
    free(options);
    snprintf(sentence, size, "%s", p.error);
    program_close(&p);
    return code;
}

/* With standard output led away. */
static int run_work(const work *w, char *sentence, size_t size)
{
    const int kept = dup(STDOUT_FILENO), nothing = open("/dev/null", O_WRONLY);
    memset(faults.calls, 0, sizeof faults.calls);
    faults.met = NULL;
    (void)fflush(stdout);
    (void)dup2(nothing, STDOUT_FILENO);
    faults.counts = true;
    const int code = run_words(w->words, sentence, size);
    faults.counts = false;
    (void)fflush(stdout);
    (void)dup2(kept, STDOUT_FILENO);
    (void)close(kept);
    (void)close(nothing);
    return code;
}

/* ---- the place ----------------------------------------------------------------------- */

typedef struct place {
    fixture_folder folder;
} place;

static void make_array(const char *name, int64_t n, int64_t height, int64_t width)
{
    vq_context *ctx = fixture_context();
    uint8_t pixels[1024];
    char none[] = "";
    const vq_array array = {none, VQ_U8, {3, {n, height, width}}, pixels};
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37 % 251);
    assert_true((size_t)(n * height * width) <= sizeof pixels);
    assert_int_equal(vq_npy_save(ctx, name, &array), VQ_OK);
    vq_context_destroy(ctx);
}

static void must_run(const char *const *words)
{
    char sentence[SENTENCE];
    const work w = {.words = {words[0], words[1], words[2], words[3], words[4], words[5], words[6],
                              words[7], words[8], words[9], words[10], words[11], words[12]}};
    if (run_work(&w, sentence, sizeof sentence) != DONE) fail_msg("%s: %s", words[0], sentence);
}

static int setup(void **state)
{
    static const char *const train[WORDS] = {"train",
                                             "images.npy",
                                             "-o",
                                             "run",
                                             "--preset",
                                             "tiny",
                                             "--steps",
                                             "2",
                                             "--batch",
                                             "2",
                                             "-q",
                                             "--set",
                                             "model.level.0.width=2"};
    static const char *const encode[WORDS] = {"encode", "run",       "images.npy",
                                              "-o",     "codes.npy", "-q"};
    place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    fixture_folder_make(&p->folder);
    assert_int_equal(chdir(p->folder.path), 0);
    make_array("images.npy", 6, 8, 8);
    make_array("wide.npy", 2, 8, 16);
    must_run(train);
    must_run(encode);
    assert_int_equal(system("cp -r run kept"), 0);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    place *p = *state;
    assert_int_equal(system("rm -rf run kept new d *"), 0);
    assert_int_equal(chdir("/"), 0);
    fixture_folder_remove(&p->folder);
    free(p);
    return 0;
}

/* Removes what a run wrote; a run folder becomes again what it was. */
static void restore(const work *w)
{
    for (size_t i = 0; i < 3 && w->written[i]; i++) {
        char command[128];
        snprintf(command, sizeof command, "rm -rf '%s'", w->written[i]);
        assert_int_equal(system(command), 0);
        if (strcmp(w->written[i], "run") == 0) assert_int_equal(system("cp -r kept run"), 0);
    }
}

static bool ends_in_tmp(const char *name)
{
    const size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, ".tmp") == 0;
}

static void check_folder(const work *w, const char *path, long at)
{
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;)
        if (ends_in_tmp(entry->d_name))
            fail_msg("%s, %s as call %ld: %s/%s is left", w->name, faults.met, at, path,
                     entry->d_name);
    if (folder) (void)closedir(folder);
}

/* Nothing half written lies about, and what a reader would look for first can be read. */
static void check_place(const work *w, long at)
{
    char sentence[SENTENCE];
    static const char *const folders[] = {".", "run", "new", "d"};
    static const work reading = {"reading", {"inspect", "run/best.safetensors"}, {NULL}};
    const char *met = faults.met;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) check_folder(w, folders[i], at);
    faults.fail_at[MEMORY] = faults.fail_at[FILES] = 0;
    if (run_work(&reading, sentence, sizeof sentence) != DONE)
        fail_msg("%s, %s as call %ld: %s", w->name, met, at, sentence);
}

/* ---- the loops ----------------------------------------------------------------------- */

static void every_one_fails_once(fault_kind kind, long least)
{
    char sentence[SENTENCE];
    memset(faults.fail_at, 0, sizeof faults.fail_at);
    for (size_t i = 0; i < WORKS; i++) {
        const work *w = &works[i];
        if (run_work(w, sentence, sizeof sentence) != DONE) fail_msg("%s: %s", w->name, sentence);
        const long calls = faults.calls[kind];
        restore(w);
        for (long at = 1; at <= calls; at++) {
            faults.fail_at[kind] = at;
            const int code = run_work(w, sentence, sizeof sentence);
            const bool right = kind == MEMORY ? code == MACHINE_FAILED
                                              : code == MACHINE_FAILED || code == BAD_INPUT;
            if (!right || !sentence[0])
                fail_msg("%s, %s as call %ld of %ld: code %d: %s", w->name, faults.met, at, calls,
                         code, sentence);
            if (faults.met && strcmp(faults.met, "mkdir") == 0) /* and no later errno */
                assert_non_null(strstr(sentence, strerror(EIO)));
            check_place(w, at);
            restore(w);
        }
        faults.fail_at[kind] = 0;
        print_message("%s: %ld\n", w->name, calls);
        assert_true(calls >= least);
    }
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    every_one_fails_once(MEMORY, 1);
}

static void every_file_operation_fails_once(void **state)
{
    (void)state;
    every_one_fails_once(FILES, 0);
}

/* Where memory cannot hold a training, planning it says how much it would take, and what to do. */
static void too_large_trainings_are_planned(void **state)
{
    enum { ROOM = 64 << 20 };
    static const work rows[] = {
        {"at a batch of 65536",
         {"train", "images.npy", "-o", "new", "--preset", "tiny", "--batch", "65536", "--dry-run",
          "-q"},
         {"; lower train.batch"}},
        {"even at a batch of 1: the codebook of model.level.0 alone is 1048576 x 64 parameters, "
         "256 MB",
         {"train", "images.npy", "-o", "new", "--preset", "tiny", "--dry-run", "-q", "--set",
          "model.level.0.k=1048576", "--set", "model.level.0.d=64"},
         {"; lower model.level.0.k and .d"}},
    };
    (void)state;
    faults.room = ROOM;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char sentence[SENTENCE];
        assert_int_equal(run_work(&rows[i], sentence, sizeof sentence), MACHINE_FAILED);
        if (!strstr(sentence, rows[i].name) || !strstr(sentence, rows[i].written[0]))
            fail_msg("%s", sentence);
        const char *about = strstr(sentence, "takes about ");
        assert_true(i > 0 || (about && strtod(about + 12, NULL) * (1 << 20) > ROOM));
        assert_int_equal(access("new", F_OK), -1);
    }
    faults.room = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(every_file_operation_fails_once),
        cmocka_unit_test(too_large_trainings_are_planned),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

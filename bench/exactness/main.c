/* SPDX-License-Identifier: Apache-2.0
 * bench/exactness/main.c -- are the nearest codes right, and the same everywhere?
 *
 * Searches many vectors in codebooks of three shapes and five kinds, holds every choice against all
 * distances in double (check.h), and prints the worst ratio to the bound and one hash of all codes,
 * which is the same for every instruction set, compiler, number of threads and batch. */
#include "base/cpu.h"
#include "check.h"
#include "kernels/nearest.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL /* the header alone serves where the library is not installed */
#include <xxhash.h>

static const struct {
    size_t n_codes, dim;
} shapes[] = {{512, 64}, {16384, 8}, {1024, 256}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Hashes that bench/exactness.sh found equal everywhere, by the number of vectors of a shape. They
 * change only with how scores are computed: the centre, the chains. */
static const struct {
    size_t vectors;
    uint64_t hash;
} known[] = {
    {500, 0x3ae6ffc53418fa23},
    {50000, 0x8a8d85dde275108b},
};

typedef struct options {
    const char *table; /* NULL: the best; "all": each in turn */
    int threads;
    size_t vectors, checked, cut; /* of each shape; checked in double; searched at a time */
} options;

static const char help[] =
    "usage: exactness [--table NAME|all] [--threads N] [--vectors N] [--checked N] [--cut N]\n"
    "  --table    portable, avx2, avx512, avx512bf16, amx, neon; all: each that can run (default: "
    "best)\n"
    "  --threads  default 1\n"
    "  --vectors  in each of the three shapes, default 100000\n"
    "  --checked  how many of them are checked in double, default all\n"
    "  --cut      vectors that are searched at a time, default 4096\n"
    "  --list     names the tables that can run\n";

static void *memory_for(size_t size)
{
    void *memory = aligned_alloc(VQ_ALIGNMENT, (size / VQ_ALIGNMENT + 1) * VQ_ALIGNMENT);
    if (memory) return memory;
    fprintf(stderr, "exactness: no memory for %zu bytes\n", size);
    exit(3);
}

/* Searches vectors of one case, adds their codes to the hash, returns the worst ratio. */
static double run_case(const options *o, vq_context *ctx, const exact_case *c, XXH3_state_t *hash)
{
    const size_t vectors = o->vectors / KINDS, checked = o->checked / KINDS;
    const size_t cut = o->cut < vectors ? o->cut : vectors;
    float *codes = memory_for(c->n_codes * c->dim * sizeof *codes);
    float *x = memory_for(cut * c->dim * sizeof *x);
    int32_t *idx = memory_for(cut * sizeof *idx);
    double *ratio = memory_for(cut * sizeof *ratio), worst = 0.0;
    vq_code_index index;
    case_codes(c, codes);
    void *memory = memory_for(vq_code_index_plan(ctx, c->dim, c->n_codes, SIZE_MAX, &index));
    void *workspace = memory_for(vq_nearest_workspace(ctx, &index, cut));
    checker k = checker_create(c, codes);
    vq_code_index_build(ctx, codes, memory, &index);
    for (size_t from = 0; from < vectors; from += cut) {
        const size_t count = vectors - from < cut ? vectors - from : cut;
        case_vectors(ctx, c, codes, from, count, x);
        (void)vq_nearest_run(ctx, &index, count, x, idx, workspace);
        XXH3_64bits_update(hash, idx, count * sizeof *idx);
        if (from >= checked) continue;
        const size_t left = checked - from < count ? checked - from : count;
        const double most = checker_run(ctx, &k, left, x, idx, ratio);
        worst = most > worst ? most : worst;
    }
    checker_destroy(&k);
    void *const all[] = {codes, x, idx, ratio, memory, workspace};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    return worst;
}

/* Whether what was found is as it should be. */
static bool run_table(const options *o, const vq_kernels *kernels)
{
    const vq_context_config config = {.threads = o->threads};
    vq_context *ctx = NULL;
    XXH3_state_t hash;
    bool good = true;
    if (vq_context_create(&config, &ctx) != VQ_OK) return false;
    ctx->kernels = kernels;
    XXH3_INITSTATE(&hash);
    XXH3_64bits_reset(&hash);
    for (size_t s = 0; s < SHAPES; s++)
        for (size_t i = 0; i < KINDS; i++) {
            const exact_case c = {shapes[s].n_codes, shapes[s].dim, (case_kind)i};
            const double worst = run_case(o, ctx, &c, &hash);
            printf("%s K %zu D %zu, %s: %zu vectors, %zu checked, worst %.4f of the bound\n",
                   kernels->name, c.n_codes, c.dim, case_name(c.kind), o->vectors / KINDS,
                   o->checked / KINDS, worst);
            fflush(stdout);
            good = good && worst <= 1.0;
        }
    vq_context_destroy(ctx);
    const uint64_t sum = XXH3_64bits_digest(&hash);
    printf("hash %016" PRIx64 "\n", sum);
    if (!good) fprintf(stderr, "exactness: a code is farther than the bound allows\n");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].vectors == o->vectors && known[i].hash != sum) {
            fprintf(stderr, "exactness: the hash should be %016" PRIx64 "\n", known[i].hash);
            good = false;
        }
    return good;
}

static size_t whole_number(const char *name, const char *text, size_t least)
{
    char *end = NULL;
    const unsigned long long number = strtoull(text, &end, 10);
    if (number >= least && number <= UINT32_MAX && end != text && *end == '\0')
        return (size_t)number;
    fprintf(stderr, "exactness: --%s is \"%s\"; it may be %zu to %" PRIu32 "\n", name, text, least,
            UINT32_MAX);
    exit(2);
}

static options read_options(int argc, char **argv, bool *list)
{
    static const struct option names[] = {
        {"table", required_argument, NULL, 'k'},
        {"threads", required_argument, NULL, 't'},
        {"vectors", required_argument, NULL, 'n'},
        {"checked", required_argument, NULL, 'd'},
        {"cut", required_argument, NULL, 'c'},
        {"list", no_argument, NULL, 'l'},
        {NULL, 0, NULL, 0},
    };
    options o = {.threads = 1, .vectors = 100000, .checked = SIZE_MAX, .cut = 4096};
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (option == 'k') o.table = optarg;
        else if (option == 't') o.threads = (int)whole_number("threads", optarg, 1);
        else if (option == 'n') o.vectors = whole_number("vectors", optarg, KINDS);
        else if (option == 'd') o.checked = whole_number("checked", optarg, 0);
        else if (option == 'c') o.cut = whole_number("cut", optarg, 1);
        else if (option == 'l') *list = true;
        else fputs(help, stderr), exit(2);
    }
    if (o.checked > o.vectors) o.checked = o.vectors;
    return o;
}

int main(int argc, char **argv)
{
    static const struct {
        const vq_kernels *kernels;
        uint32_t need;
    } tables[] = {
#define VQ_KERNELS(isa, need) {&vq_kernels_##isa, (need)},
#include "kernels/kernel_list.def"
#undef VQ_KERNELS
    };
    bool list = false, good = true, any = false;
    const options o = read_options(argc, argv, &list);
    const uint32_t cpu = vq_cpu_detect(VQ_CPU_ALL);
    const char *best = vq_kernels_for(cpu)->name;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const char *name = tables[i].kernels->name;
        const bool wanted = list || strcmp(o.table ? o.table : best, name) == 0 ||
                            (o.table && strcmp(o.table, "all") == 0);
        if (!wanted || (tables[i].need & ~cpu)) continue;
        any = true;
        if (list) puts(name);
        else good = run_table(&o, tables[i].kernels) && good;
    }
    if (!any) fprintf(stderr, "exactness: this processor does not run %s; --list\n", o.table);
    return !any ? 2 : good ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0
 * nn/onednn/threads.c -- oneDNN's threads, which are OpenMP's.
 *
 * Those wait for their next work by looking for it. A second set of threads would have to share the
 * processors with them, so the operations of ours between two of oneDNN's use them as well. The
 * caller's own settings are left as found. */
#include "base/parallel.h"
#include "nn/onednn/onednn.h"

#ifdef _OPENMP
#include <omp.h>

static void run_pieces(const vq_pieces *job)
{
    /* The runtime may grant fewer threads than asked for; the loop still runs every piece. */
#pragma omp parallel for num_threads(job->pieces) schedule(static, 1)
    for (int p = 0; p < job->pieces; p++) vq_pieces_run(job, p);
}

int vq_onednn_threads(vq_context *ctx)
{
    const int before = omp_get_max_threads();
    ctx->run_pieces = run_pieces;
    omp_set_num_threads(ctx->threads);
    return before;
}

void vq_onednn_threads_back(int before)
{
    omp_set_num_threads(before);
}
#else
int vq_onednn_threads(vq_context *ctx)
{
    (void)ctx;
    return 0;
}

void vq_onednn_threads_back(int before)
{
    (void)before;
}
#endif

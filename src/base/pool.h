/* SPDX-License-Identifier: Apache-2.0
 * base/pool.h -- the threads of a context, which wait for pieces of ranges. */
#ifndef VQ_BASE_POOL_H
#define VQ_BASE_POOL_H

#include "base/parallel.h"

/** Runs all pieces of the job, on the context's threads and the calling one; they are started by
 *  the first job. Where there is no memory for them the caller runs every piece. */
void vq_pool_run(vq_context *ctx, const vq_pieces *job);

/** Ends and frees the threads, if there are any. */
void vq_pool_destroy(vq_context *ctx);

#endif

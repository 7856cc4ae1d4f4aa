/* SPDX-License-Identifier: Apache-2.0
 * vqvae/context.h -- allocator, threads, messages: what every call works with. */
#ifndef VQVAE_CONTEXT_H
#define VQVAE_CONTEXT_H

#include <stddef.h>
#include <vqvae/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One user of the library. A context serves one thread at a time; two contexts
 * may run in two threads, and may share models, which are immutable.
 */
typedef struct vq_context vq_context;

/** Where memory comes from. Both functions must be safe to call from several threads. */
typedef struct vq_allocator {
    /** Returns `size` bytes aligned to 64, or NULL. `size` is never 0. */
    void *(*alloc)(void *user, size_t size);
    /** Releases what alloc returned. NULL never arrives here. */
    void (*release)(void *user, void *memory);
    void *user;
} vq_allocator;

/** How the operating system's files are reached; every field has a POSIX default.
 *  Each returns what the POSIX call of the same name returns and sets errno. */
typedef struct vq_file_hooks {
    int (*open)(void *user, const char *path, int flags, int mode);
    long long (*read)(void *user, int fd, void *to, size_t size);
    long long (*write)(void *user, int fd, const void *from, size_t size);
    /** As pread: at a place, without moving the file's own; threads share one fd. */
    long long (*read_at)(void *user, int fd, void *to, size_t size, long long offset);
    int (*sync)(void *user, int fd);
    int (*close)(void *user, int fd);
    int (*rename)(void *user, const char *from, const char *to);
    /** As unlink. */
    int (*remove)(void *user, const char *path);
    void *user;
} vq_file_hooks;

typedef enum vq_log_level { VQ_LOG_INFO = 0, VQ_LOG_WARNING = 1 } vq_log_level;

/** Receives one sentence without a newline. The library itself prints nothing. */
typedef void (*vq_log_fn)(void *user, vq_log_level level, const char *sentence);

typedef struct vq_context_config {
    vq_allocator allocator; /**< all zero: the C library's */
    vq_file_hooks files;    /**< functions left NULL: POSIX */
    int threads;            /**< 0 (default): one for each processor; else 1..1024 */
    vq_log_fn log;          /**< NULL: sentences are dropped */
    void *log_user;
    const char *cpu; /**< NULL: the best the processor has; or an upper bound among "portable",
                          "avx2", "avx512", "avx512bf16", "amx", "neon" for this library's own
                          kernels (oneDNN has ONEDNN_MAX_CPU_ISA in the environment). Where it
                          may take "amx" and the processor has it, Linux is asked to allow the
                          process its tile registers: signal stacks then have to be larger, see
                          sysconf(_SC_MINSIGSTKSZ); else it refuses, and others run */
} vq_context_config;

/** Fills in the defaults named above. */
VQ_API void vq_context_config_default(vq_context_config *config);

/**
 * Creates a context.
 * @param config  copied; NULL means the defaults
 * @param out     set to the new context, owned by the caller; NULL on failure
 * @return VQ_OK; VQ_E_ARG (threads or cpu out of range); VQ_E_NOMEM
 */
VQ_API VQ_MUST_USE vq_status vq_context_create(const vq_context_config *config, vq_context **out);

/** Destroys a context once everything made with it is gone. NULL is fine. */
VQ_API void vq_context_destroy(vq_context *ctx);

/** The sentence that explains the last failure in this context; "" when there was none.
 *  Valid until the next call with this context. */
VQ_API const char *vq_context_error(const vq_context *ctx);

/** Number of threads a parallel section uses. */
VQ_API int vq_context_threads(const vq_context *ctx);

/** Name of the instruction set whose kernels run, such as "portable" or "avx512". */
VQ_API const char *vq_context_cpu(const vq_context *ctx);

#ifdef __cplusplus
}
#endif
#endif

# SPDX-License-Identifier: Apache-2.0
"""k-means: ours, scikit-learn's and faiss's, on the same vectors from the same start.

    bench/peers/run bench/kmeans_peers.py [--threads 2] [--repeats 5] [--iterations 10]

All three run Lloyd's iterations on all vectors, from rows that ours draws at random, and take turns,
so that a busy machine slows all of them alike. Prints the median time of each, the median of the
processor time of all its threads (what to look at with --threads 1 where others use the machine), and
the inertia of the centroids that it gives, computed here in double. VQVAE_LIBRARY names libvqvae.so; else that of
the release build is taken.
"""

import argparse
import ctypes
import os
import statistics
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir)
SHAPES = ((65536, 64, 512), (200000, 16, 1024), (20000, 256, 1024))


class Context(ctypes.Structure):
    """vq_context_config; the allocator's and the files' hooks are left NULL."""

    _fields_ = [("hooks", ctypes.c_void_p * 12), ("threads", ctypes.c_int), ("log", ctypes.c_void_p),
                ("log_user", ctypes.c_void_p), ("cpu", ctypes.c_char_p)]


class Fit(ctypes.Structure):
    """vq_codebook_fit_config."""

    _fields_ = [("codes", ctypes.c_int64), ("dim", ctypes.c_int64), ("iterations", ctypes.c_int64),
                ("random", ctypes.c_bool), ("seed", ctypes.c_uint64), ("progress", ctypes.c_void_p),
                ("user", ctypes.c_void_p)]


class Library:
    def __init__(self, threads):
        path = os.environ.get("VQVAE_LIBRARY", os.path.join(ROOT, "build/release/libvqvae.so"))
        self.lib = ctypes.CDLL(path)
        self.lib.vq_codebook_vectors.restype = ctypes.POINTER(ctypes.c_float)
        self.lib.vq_codebook_vectors.argtypes = [ctypes.c_void_p]
        self.lib.vq_context_error.restype = ctypes.c_char_p
        self.lib.vq_context_error.argtypes = [ctypes.c_void_p]
        self.lib.vq_codebook_destroy.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        config = Context()
        self.lib.vq_context_config_default(ctypes.byref(config))
        config.threads = threads
        self.context = ctypes.c_void_p()
        if self.lib.vq_context_create(ctypes.byref(config), ctypes.byref(self.context)):
            raise SystemExit("no context")

    def fit(self, x, codes, iterations, seed=0):
        config, book = Fit(), ctypes.c_void_p()
        self.lib.vq_codebook_fit_config_default(ctypes.byref(config))
        config.codes, config.dim, config.iterations = codes, x.shape[1], iterations
        config.random, config.seed = True, seed
        if self.lib.vq_codebook_fit(self.context, ctypes.byref(config), ctypes.c_size_t(len(x)),
                                    x.ctypes.data_as(ctypes.c_void_p), None, ctypes.byref(book)):
            raise SystemExit(self.lib.vq_context_error(self.context).decode())
        vectors = self.lib.vq_codebook_vectors(book)
        centroids = np.ctypeslib.as_array(vectors, (codes, x.shape[1])).copy()
        self.lib.vq_codebook_destroy(self.context, book)
        return centroids


def sample(n, dim, codes):
    """Blobs that overlap: half as many as there will be centroids."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(codes // 2, dim))
    return (centres[rng.integers(len(centres), size=n)]
            + rng.normal(size=(n, dim))).astype(np.float32)


def inertia(x, centroids):
    total, c = 0.0, centroids.astype(np.float64)
    for rows in np.array_split(x.astype(np.float64), max(1, len(x) // 4096)):
        near = (-2.0 * rows @ c.T + (c * c).sum(1)).argmin(1)
        total += ((rows - c[near]) ** 2).sum()
    return total


def fit_sklearn(x, start, iterations, threads):
    with threadpool_limits(threads):
        model = KMeans(len(start), init=start, n_init=1, max_iter=iterations, tol=0.0,
                       algorithm="lloyd").fit(x)
    return model.cluster_centers_


def fit_faiss(x, start, iterations):
    model = faiss.Kmeans(x.shape[1], len(start), niter=iterations, min_points_per_centroid=1,
                         max_points_per_centroid=len(x))
    model.train(x, init_centroids=start)
    return model.centroids


def compare(library, shape, options):
    n, dim, codes = shape
    x = sample(n, dim, codes)
    start = library.fit(x, codes, 0)
    fits = {"vqvae": lambda: library.fit(x, codes, options.iterations),
            "scikit-learn": lambda: fit_sklearn(x, start, options.iterations, options.threads),
            "faiss": lambda: fit_faiss(x, start, options.iterations)}
    times, found = {name: [] for name in fits}, {}
    for _ in range(options.repeats):
        for name, fit in fits.items():
            begin, busy = time.perf_counter(), time.process_time()
            found[name] = fit()
            times[name].append((time.perf_counter() - begin, time.process_time() - busy))
    medians = {name: [statistics.median(part) for part in zip(*t)] for name, t in times.items()}
    print(f"{n} x {dim}, {codes} centroids, {options.iterations} iterations", flush=True)
    for name, median in medians.items():
        print(f"  {name:12} {1e3 * median[0]:9.1f} ms, processor {1e3 * median[1]:9.1f} ms, "
              f"inertia {inertia(x, found[name]):.8g}", flush=True)
    ours, peers = medians.pop("vqvae"), medians.values()
    ratio = [min(peer[i] for peer in peers) / ours[i] for i in range(2)]
    print(f"  the better peer over ours: {ratio[0]:.2f}, processor {ratio[1]:.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=10)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    load_peers(options.threads)
    library = Library(options.threads)
    for shape in SHAPES:
        compare(library, shape, options)


def load_peers(threads):
    """Only now: their numbers of threads are read from the environment as they load."""
    global np, faiss, KMeans, threadpool_limits
    import faiss
    import numpy as np
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits
    faiss.omp_set_num_threads(threads)


if __name__ == "__main__":
    main()

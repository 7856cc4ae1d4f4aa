# SPDX-License-Identifier: Apache-2.0
"""Nearest codes and the quantiser's training step by other libraries, one step for each line.

Reads a JSON object a line, {"peer": NAME, "n": N, "dim": D, "codes": K}, makes that workload ready
and says "ready"; then each empty line is one step, answered by its milliseconds, until the next
object. Peers of the search: faiss, eager, compiled, vqp; of the training step: step eager, step
compiled. The first codes and vectors are standard normal.
"""

import json
import os
import sys
import time

import torch

from paper import EmaQuantizer

WARM_UP = 3
LEAST_MS = 0.2  # shorter steps are timed several at a time, as vqvae bench does


def faiss_search(z, codes):
    import faiss
    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatL2(codes.shape[1])
    index.add(codes.numpy())
    vectors = z.numpy()
    return lambda: index.search(vectors, 1)


def nearest(z, codes):
    """|z - e|^2 without |z|^2, which is the same for all codes."""
    return torch.addmm(codes.square().sum(1), z, codes.t(), alpha=-2).argmin(1)


def eager_search(z, codes):
    return torch.no_grad()(lambda: nearest(z, codes))


def compiled_search(z, codes):
    compiled = torch.compile(nearest, dynamic=bool(os.environ.get("PEERS_DYNAMIC")))
    return torch.no_grad()(lambda: compiled(z, codes))


def vqp_search(z, codes):
    from vector_quantize_pytorch import VectorQuantize
    quantizer = VectorQuantize(dim=codes.shape[1], codebook_size=codes.shape[0]).eval()
    with torch.no_grad():
        quantizer._codebook.embed.copy_(codes[None])
    return torch.no_grad()(lambda: quantizer(z[None])[1])


class Step(EmaQuantizer):
    """Codes, q straight through, the commitment and the moving averages, without a perplexity."""

    def forward(self, z):
        distance = (z.square().sum(1, keepdim=True) - 2 * z @ self.codebook.t()
                    + self.codebook.square().sum(1))
        codes = distance.argmin(1)
        hot = torch.nn.functional.one_hot(codes, len(self.codebook)).to(z.dtype)
        q = torch.nn.functional.embedding(codes, self.codebook)
        self.update(z.detach(), hot)
        return z + (q - z).detach(), (q.detach() - z).square().mean()


def training_step(z, codes, compiled):
    module = Step(len(codes), codes.shape[1])
    module.start_from(codes)
    run = torch.compile(module) if compiled else module
    z = z.clone().requires_grad_()

    def step():
        z.grad = None
        run(z)[1].backward()
    return step


def workload(order):
    torch.manual_seed(0)
    z, codes = torch.randn(order["n"], order["dim"]), torch.randn(order["codes"], order["dim"])
    if order["peer"].startswith("step"):
        return training_step(z, codes, order["peer"] == "step compiled")
    return {"faiss": faiss_search, "eager": eager_search, "compiled": compiled_search,
            "vqp": vqp_search}[order["peer"]](z, codes)


def timed(step, repeats=1):
    begin = time.perf_counter()
    for _ in range(repeats):
        step()
    return (time.perf_counter() - begin) * 1e3 / repeats


def main():
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch._dynamo.config.cache_size_limit = 256
    step, repeats = None, 1
    for line in sys.stdin:
        if not line.strip():
            print(f"{timed(step, repeats):.6f}", flush=True)
            continue
        step = workload(json.loads(line))
        ms = min(timed(step) for _ in range(WARM_UP))
        repeats = 1 + int(LEAST_MS / ms)
        print("ready", flush=True)


if __name__ == "__main__":
    main()

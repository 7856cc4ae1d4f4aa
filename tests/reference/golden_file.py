# SPDX-License-Identifier: Apache-2.0
"""Writing golden files, and the arithmetic behind their tolerances."""

import hashlib
import math
import os

import numpy as np
import safetensors
import torch
from safetensors.numpy import save_file

SEED = 20170711
UNIT = 2.0**-24  # half the distance from 1 to the next f32: the error of one rounding
LARGEST_FILE = 64 * 1024


def generator(name):
    """A generator of its own for each file, so that adding a file changes no other."""
    digest = hashlib.sha256(f"{SEED} {name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))


def normal(rng, *shape, scale=1.0):
    """Normal numbers in f64 that f32 holds exactly, so that both sides start from the same."""
    return (torch.randn(*shape, generator=rng) * scale).to(torch.float32).to(torch.float64)


def uniform(rng, *shape, limit):
    return ((torch.rand(*shape, generator=rng) * 2 - 1) * limit).float().double()


def chain_error(length, norm):
    """Bound for a sum of `length` rounded products, whatever their order.

    Each partial sum is rounded with an error of at most UNIT times itself. Partial sums of
    products of independent signs grow like the root of their number, so that the errors add up
    to about UNIT * sqrt(length / 2) * norm, norm being the root of the sum of squared products.
    8 of these are beyond chance for the few thousand numbers of a file.
    """
    return 8 * UNIT * math.sqrt(max(length, 1) / 2) * norm


def array(tensor):
    if tensor.dtype == torch.float64:
        tensor = tensor.to(torch.float32)
    return np.ascontiguousarray(tensor.detach().numpy())


class Golden:
    """The golden files of one run: gathers arrays, then writes them and golden.tsv."""

    def __init__(self, folder):
        self.folder = folder
        self.rows = []

    def write(self, name, op, arrays, rtol, atol, derivation):
        path = os.path.join(self.folder, name + ".safetensors")
        made = f"torch {torch.__version__.split('+')[0]}, numpy {np.__version__}, " \
               f"safetensors {safetensors.__version__}, seed {SEED}"
        plain = {k: np.ascontiguousarray(v) if isinstance(v, np.ndarray) else array(v) for k, v in arrays.items()}
        save_file(plain, path, metadata={"made_with": made})
        os.chmod(path, 0o644)
        with open(path, "rb") as file:
            content = file.read()
        if len(content) > LARGEST_FILE:
            raise SystemExit(f"{name}: {len(content)} bytes, at most {LARGEST_FILE} are allowed")
        self.rows.append((name, op, f"{rtol:.3g}", f"{atol:.3g}", derivation,
                          hashlib.sha256(content).hexdigest()))

    def finish(self):
        with open(os.path.join(self.folder, "golden.tsv"), "w", encoding="utf-8") as file:
            file.write("file\top\trtol\tatol\tderivation\tsha256\n")
            for row in self.rows:
                file.write("\t".join(row) + "\n")

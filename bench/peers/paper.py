# SPDX-License-Identifier: Apache-2.0
"""The paper's model as users of PyTorch train it: the peer of every benchmark here."""

import json
import os
import subprocess
import sys

import torch
import torch.nn.functional as F
from torch import nn

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir)
sys.path.insert(0, os.path.join(ROOT, "examples"))
from load_in_pytorch import Decoder, Encoder  # noqa: E402


def program():
    """The program that was built: $VQVAE, or the release build."""
    return os.environ.get("VQVAE", os.path.join(ROOT, "build", "release", "vqvae"))


def preset(name):
    """Every setting of a preset, so that both sides run the very same configuration."""
    return json.loads(subprocess.check_output([program(), "presets", name]))


class EmaQuantizer(nn.Module):
    """Moving averages by products with one-hot rows, as vq-vae-2-pytorch (start `zero`) and
    sonnet (`debias`) have them; `one` starts from counts of one. The first codebook is `normal`,
    `uniform` with variance 1/D, or is set later by start_from()."""

    def __init__(self, codes, dim, start="zero", init="normal", decay=0.99, epsilon=1e-5):
        super().__init__()
        self.start, self.decay, self.epsilon = start, decay, epsilon
        self.register_buffer("codebook", torch.zeros(codes, dim))
        self.register_buffer("counts", torch.full((codes,), 1.0 if start == "one" else 0.0))
        self.register_buffer("sums", torch.zeros(codes, dim))
        self.register_buffer("steps", torch.zeros(()))
        self.start_from(torch.randn(codes, dim) if init == "normal" else
                        (torch.rand(codes, dim) * 2 - 1) * (3 / dim) ** 0.5)

    @torch.no_grad()
    def start_from(self, rows):
        """Takes as many random rows as there are codes."""
        self.codebook.copy_(rows[torch.randperm(len(rows))[:len(self.codebook)]])
        if self.start != "debias":
            self.sums.copy_(self.codebook)

    def correction(self):
        """Averages that start at 0 are divided by this when they are used."""
        return 1 - self.decay**self.steps if self.start == "debias" else 1.0

    def moving_counts(self):
        return self.counts / self.correction()

    @torch.no_grad()
    def place(self, codes, rows, counts):
        """Puts codes on rows as if each had been chosen `counts` times in every step."""
        counts = counts * self.correction()
        self.codebook[codes] = rows
        self.counts[codes] = counts
        self.sums[codes] = rows * counts[:, None]

    def forward(self, z):  # N,h,w,D
        rows = z.flatten(0, 2)
        distance = (rows.square().sum(1, keepdim=True) - 2 * rows @ self.codebook.t()
                    + self.codebook.square().sum(1))
        codes = distance.argmin(1)
        hot = F.one_hot(codes, len(self.codebook)).to(rows.dtype)
        q = F.embedding(codes, self.codebook).view(z.shape)
        if self.training:
            self.update(rows.detach(), hot)
        commitment = (q.detach() - z).square().mean()
        share = hot.mean(0)
        perplexity = torch.exp(-(share * (share + 1e-10).log()).sum())
        return z + (q - z).detach(), commitment, perplexity, codes

    @torch.no_grad()
    def update(self, rows, hot):
        self.steps += 1
        self.counts.mul_(self.decay).add_(hot.sum(0), alpha=1 - self.decay)
        self.sums.mul_(self.decay).add_(hot.t() @ rows, alpha=1 - self.decay)
        scale = self.correction()
        counts = self.counts / scale
        total = counts.sum()
        smooth = (counts + self.epsilon) / (total + len(counts) * self.epsilon) * total
        self.codebook.copy_(self.sums / scale / smooth[:, None])


class Peer(nn.Module):
    def __init__(self, config, channels, start, init):
        super().__init__()
        level = config["level"][0]
        self.encoder = Encoder(level, channels)
        self.quantizer = EmaQuantizer(level["k"], level["d"], start, init,
                                      config["decay"], config["epsilon"])
        self.decoder = Decoder(level, channels)
        self.weight = config["commitment"]

    def forward(self, x):
        z = self.encoder(x).permute(0, 2, 3, 1)
        q, commitment, perplexity, codes = self.quantizer(z)
        return self.decoder(q.permute(0, 3, 1, 2)), commitment, perplexity, codes

    def losses(self, x, reconstruction, commitment, variance):
        mse = F.mse_loss(reconstruction, x)
        return mse / variance + self.weight * commitment, mse


def environment(threads):
    """Both sides are alive at once but work in turn: nobody's idle threads may spin."""
    return os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive",
                         "KMP_BLOCKTIME": "0", "GOMP_SPINCOUNT": "0"}

# SPDX-License-Identifier: Apache-2.0
"""Runs a model of vqvae in PyTorch: all that is needed fits on a page.

    python load_in_pytorch.py MODEL.safetensors IMAGES.npy -o CODES.npy
    python load_in_pytorch.py MODEL.safetensors IMAGES.npy --compare CODES.npy

MODEL is what `vqvae train` leaves, IMAGES holds bytes of shape N,H,W,C or N,H,W, and CODES is what
`vqvae encode MODEL IMAGES.npy -o CODES.npy` writes. Needs torch, numpy and safetensors.
"""

import argparse
import json

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn


class Block(nn.Module):
    """x + conv1x1(relu(conv3x3(relu(x))))"""

    def __init__(self, width, inner):
        super().__init__()
        self.conv3 = nn.Conv2d(width, inner, 3, padding=1)
        self.conv1 = nn.Conv2d(inner, width, 1)

    def forward(self, x):
        return x + self.conv1(F.relu(self.conv3(F.relu(x))))


class Half(nn.Module):
    """What encoder and decoder share: a 3x3 convolution, residual blocks, and a ReLU."""

    def __init__(self, level, channels_in):
        super().__init__()
        self.steps = level["stride"].bit_length() - 1
        self.narrow = level["narrow"] or max(level["width"] // 2, 1)
        self.conv = nn.Conv2d(channels_in, level["width"], 3, padding=1)
        self.blocks = level["blocks"]
        for i in range(self.blocks):
            setattr(self, f"block{i}", Block(level["width"], level["block_width"]))

    def stack(self, x):
        x = self.conv(x)
        for i in range(self.blocks):
            x = getattr(self, f"block{i}")(x)
        return F.relu(x)


class Encoder(Half):
    def __init__(self, level, channels):
        super().__init__(level, level["width"] if level["stride"] > 1 else channels)
        for i in range(self.steps):
            out = level["width"] if i + 1 == self.steps else self.narrow
            setattr(self, f"down{i}", nn.Conv2d(channels, out, 4, stride=2, padding=1))
            channels = out
        self.project = nn.Conv2d(level["width"], level["d"], 1)

    def forward(self, x):
        for i in range(self.steps):
            x = F.relu(getattr(self, f"down{i}")(x))
        return self.project(self.stack(x))


class Decoder(Half):
    def __init__(self, level, channels):
        super().__init__(level, level["d"])
        width = level["width"]
        for i in range(self.steps):
            out = channels if i + 1 == self.steps else self.narrow
            setattr(self, f"up{i}", nn.ConvTranspose2d(width, out, 4, stride=2, padding=1))
            width = out
        if self.steps == 0:
            self.out = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, x):
        x = self.stack(x)
        for i in range(self.steps):
            x = getattr(self, f"up{i}")(x if i == 0 else F.relu(x))
        return x if self.steps else self.out(x)


class Codebook(nn.Module):
    """Gives the nearest code of every position, and code vectors for codes."""

    def __init__(self, level):
        super().__init__()
        self.register_buffer("codebook", torch.zeros(level["k"], level["d"]))

    def codes(self, z):  # N,D,h,w -> N,h,w
        rows = z.permute(0, 2, 3, 1).double()
        return torch.cdist(rows.flatten(0, 2), self.codebook.double(),
                           compute_mode="donot_use_mm_for_euclid_dist").argmin(1).view(
                               rows.shape[:3])

    def vectors(self, codes):  # N,h,w -> N,D,h,w
        return self.codebook[codes].permute(0, 3, 1, 2)


class PaperModel(nn.Module):
    """The model of arXiv:1711.00937 with one grid of codes; modules bear the library's names."""

    def __init__(self, config):
        super().__init__()
        if len(config["level"]) != 1:
            raise ValueError("this page builds models of one level")
        level = config["level"][0]
        self.encoder = nn.ModuleList([Encoder(level, config["channels"])])
        self.quantizer = nn.ModuleList([Codebook(level)])
        self.decoder = nn.ModuleList([Decoder(level, config["channels"])])

    def encode(self, pixels):  # bytes N,H,W,C -> codes N,h,w
        return self.quantizer[0].codes(self.encoder[0](network_input(pixels)))

    def decode(self, codes):  # codes N,h,w -> bytes N,H,W,C
        image = self.decoder[0](self.quantizer[0].vectors(codes)).permute(0, 2, 3, 1)
        return ((image + 0.5) * 255).round().clamp(0, 255).to(torch.uint8)


def network_input(pixels):
    """The library pads sizes that the stride does not divide; this page leaves that out."""
    return pixels.permute(0, 3, 1, 2).float() / 255 - 0.5


def load_model(path):
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["vqvae.config"])
    model = PaperModel(config)
    tensors = load_file(path)
    # An EMA codebook's averages matter to training alone.
    model.load_state_dict({name: tensor for name, tensor in tensors.items()
                           if not name.endswith((".counts", ".sums"))})
    return model.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("images", help=".npy of bytes, N,H,W,C or N,H,W")
    parser.add_argument("-o", "--out", help="where to write the codes")
    parser.add_argument("--compare", help="codes to compare with")
    options = parser.parse_args()
    model = load_model(options.model)
    pixels = torch.from_numpy(np.load(options.images))
    pixels = pixels if pixels.dim() == 4 else pixels.unsqueeze(-1)
    with torch.no_grad():
        codes = torch.cat([model.encode(batch) for batch in pixels.split(64)])
        error = np.mean([(model.decode(part).float() - batch.float()).square().mean().item()
                         for part, batch in zip(codes.split(64), pixels.split(64))]) / 255**2
    codes = codes.numpy()
    print(f"{len(codes)} images, {codes[0].size} codes each, mse {error:.6f}")
    if options.out:
        largest = len(model.quantizer[0].codebook) - 1
        np.save(options.out, codes.astype(np.min_scalar_type(largest)))
    if options.compare:
        same = np.load(options.compare) == codes
        print(f"{same.sum()} of {same.size} codes are the same")
        raise SystemExit(0 if same.all() else 1)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""PyTorch on CIFAR-10 with the settings of preset cifar10.

    bench/peers/run bench/cifar_recipe.py [TAR] [--seed N] [--all] [--revive 0.1] [--init normal]

TAR holds train/CLASS/*.jpg and test/CLASS/*.jpg; without it, cifar10-jpeg.tar is looked for where
VQVAE_DATA points and in ../shared/data. Prints the nmse on all test images. With --all it trains
on every image of train/, as `vqvae train TAR:train --valid TAR:test` does. The decoded images are
kept in build/ for the next run.
"""

import argparse
import io
import os
import sys
import tarfile

import numpy as np
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "peers")]
from cifar_tar import NAME, find_tar  # noqa: E402
from paper import ROOT, preset  # noqa: E402
from recipe import add_options, run  # noqa: E402


def decode(path):
    parts = {"train": [], "test": []}
    with tarfile.open(path) as tar:
        for member in tar:
            part = os.path.normpath(member.name).split(os.sep)[0]
            if member.isfile() and part in parts:
                with Image.open(io.BytesIO(tar.extractfile(member).read())) as image:
                    parts[part].append(np.asarray(image.convert("RGB")))
    return {part: np.stack(images) for part, images in parts.items()}


def images(path):
    kept = os.path.join(ROOT, "build", NAME + ".npz")
    if not os.path.exists(kept) or os.path.getmtime(kept) < os.path.getmtime(path):
        os.makedirs(os.path.dirname(kept), exist_ok=True)
        np.savez(kept, **decode(path))
    with np.load(kept) as parts:
        return parts["train"], parts["test"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tar", nargs="?")
    add_options(parser)
    options = parser.parse_args()
    run("cifar10", preset("cifar10"), *images(options.tar or find_tar()), options)


if __name__ == "__main__":
    main()

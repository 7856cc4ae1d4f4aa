# SPDX-License-Identifier: Apache-2.0
"""PyTorch on the demo's task: preset fashion-mnist, the same steps, batch, loss and schedule.

    bench/peers/run bench/fashion_mnist_peer.py [--seed N]

Prints the nmse on the 10,000 test images. The images are those of Debian's package
dataset-fashion-mnist.
"""

import argparse
import gzip
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers"))
from paper import preset  # noqa: E402
from recipe import add_options, run  # noqa: E402

FOLDER = "/usr/share/datasets/fashion-mnist"
HEADER = 16  # magic number, images, height, width


def images(folder, part):
    with gzip.open(os.path.join(folder, part + "-images-idx3-ubyte.gz")) as file:
        content = file.read()
    count, height, width = np.frombuffer(content, ">i4", 3, offset=4)
    return np.frombuffer(content, np.uint8, offset=HEADER).reshape(count, height, width, 1).copy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=FOLDER, help="where the IDX files are")
    add_options(parser)
    options = parser.parse_args()
    if not os.path.isdir(options.folder):
        raise SystemExit(f"{options.folder} is not there: install dataset-fashion-mnist")
    run("fashion-mnist", preset("fashion-mnist"), images(options.folder, "train"),
        images(options.folder, "t10k"), options)


if __name__ == "__main__":
    main()

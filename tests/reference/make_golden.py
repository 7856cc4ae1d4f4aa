# SPDX-License-Identifier: Apache-2.0
"""Makes the golden files that the library's tests compare with.

    python make_golden.py [--out FOLDER] [--original vqvae.py]

PyTorch computes in f64; what is stored is rounded to f32. golden.tsv says for each file how far
f32 arithmetic may be off, and why. --original compares our start `zero` with the file of
vq-vae-2-pytorch before anything is written.
"""

import argparse
import os

import torch

import golden_collections
import golden_ops
import golden_pictures
import golden_quantize
import golden_resize
import golden_train
import golden_walk
from golden_file import Golden


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--out", default=os.path.join(here, os.pardir, "golden"))
    parser.add_argument("--original", help="vqvae.py of vq-vae-2-pytorch")
    options = parser.parse_args()
    torch.set_num_threads(1)
    original = golden_quantize.load_original(options.original) if options.original else None
    if original:
        golden_quantize.compare_with_original(original)
    golden = Golden(options.out)
    for part in (golden_ops, golden_quantize, golden_train):
        part.write_all(golden)
    golden_walk.write_all(golden, original)
    golden_collections.write_all(golden)
    golden_pictures.write_all(golden)
    golden_resize.write_all(golden)
    golden.finish()


if __name__ == "__main__":
    main()

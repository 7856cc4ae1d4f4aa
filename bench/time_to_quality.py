#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long training takes until test images come back well enough, from nothing.

    bench/time_to_quality.py [TAR] [--nmse 0.0526] [--seeds 0 1 2] [--precision f32|bf16] [--write]
        [-- option of train ...]

TAR holds train/CLASS and test/CLASS; without it, cifar10-jpeg.tar is looked for where VQVAE_DATA
points and in ../shared/data. Trains preset cifar10-fast on the training images, validates on all test
images every 500 steps, and prints for each seed when the first validation at or below the nmse
had ended, counted from the start of the process: decoding the images, k-means and every validation
up to then included. Training then goes on to its last step, and what the best model of all does is told
as `eval` computes it, in exact f32, whatever it was trained in. 0.0526 is what PyTorch reaches in 10,000
steps of 32 at a constant rate of 3e-4. --write puts the table of this processor and precision into
docs/benchmarks.md.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = pathlib.Path(HERE).parent
sys.path.insert(0, HERE)
from cifar_tar import find_tar  # noqa: E402
from turns import processor, write_between  # noqa: E402

HEADING = "## How long until images come back well"
EVERY = 500
POLL_SECONDS = 0.02


def validations(metrics):
    """(step, nmse) of each line so far that holds a validation; a line is written whole."""
    try:
        lines = metrics.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = (json.loads(line) for line in lines if '"valid_nmse"' in line)
    return [(line["step"], line["valid_nmse"]) for line in found]


def train(options, seed, folder):
    """Seconds, step and nmse of the first good validation, None where there is none; then the
    best model's exact nmse and the seconds of the whole training."""
    run = pathlib.Path(folder) / str(seed)
    command = [options.program, "train", f"{options.tar}:train", "-o", str(run), "--quiet",
               "--preset", "cifar10-fast", "--valid", f"{options.tar}:test", "--seed", str(seed),
               "--valid-every", str(EVERY), "--precision", options.precision, *options.more]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    reached = None
    while process.poll() is None:
        time.sleep(POLL_SECONDS)
        good = [v for v in validations(run / "metrics.jsonl") if v[1] <= options.nmse]
        if good and not reached:
            reached = (time.monotonic() - start, *good[0])
    seconds = time.monotonic() - start
    if process.returncode != 0:
        raise SystemExit(f"training with seed {seed} ended with {process.returncode}")
    command = [options.program, "eval", str(run), f"{options.tar}:test", "--json", "--quiet"]
    return reached, json.loads(subprocess.check_output(command, text=True))["nmse"], seconds


def row(seed, reached, best, seconds):
    when = f"{reached[0]:.0f} s | {reached[1]:,} | {reached[2]:.4f}" if reached else "never | |"
    return f"| {seed} | {when} | {best:.4f} | {seconds:.0f} s |"


def main():
    arguments = sys.argv[1:]
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tar", nargs="?")
    parser.add_argument("--nmse", type=float, default=0.0526)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--program", default=str(ROOT / "build" / "release" / "vqvae"))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(arguments[:cut])
    options.tar, options.more = options.tar or find_tar(), arguments[cut + 1:]

    where = f"{processor()}, {options.precision}"
    table = [f"{where}, preset cifar10-fast, test nmse at most {options.nmse}:", "",
             "| seed | reached after | steps | nmse | of the best model, exact | whole training |",
             "|---|--:|--:|--:|--:|--:|"]
    print("\n".join(table), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for seed in options.seeds:
            table.append(row(seed, *train(options, seed, folder)))
            print(table[-1], flush=True)
    if options.write:
        write_between(f"time to quality {where}", "\n".join(table), HEADING)


if __name__ == "__main__":
    main()

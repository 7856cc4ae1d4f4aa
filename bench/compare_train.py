# SPDX-License-Identifier: Apache-2.0
"""Training step and forward pass beside compiled PyTorch, taking turns.

    bench/peers/run bench/compare_train.py [--pairs 15] [--preset cifar10] [--batch 128]

Both programs are alive all the time and run one step when asked, so that a pair shares whatever
else the machine does. Prints both medians and the median of the pairs' ratios: below 1.00 vqvae
is the faster one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "peers"))
from paper import environment, program  # noqa: E402

WARM_UP = 3


class Worker:
    """A program that says "ready", then runs one step for each line it is given."""

    def __init__(self, command, threads):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=environment(threads), text=True, bufsize=1)
        if self.answer() != "ready":
            raise SystemExit(f"{command[0]} is not ready")

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args[0]} ended with {self.process.wait()}")
        return line.strip()

    def step(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.answer())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def commands(what, options):
    shape = ["--preset", options.preset, "--batch", str(options.batch), "--threads",
             str(options.threads), "--lines"]
    peer = [sys.executable, os.path.join(HERE, "peers", "peer_train.py"), what, *shape]
    if not options.eager:
        peer += ["--compile"]
    if not options.channels_first:
        peer += ["--channels-last"]
    return [program(), "bench", what, *shape], peer


def compare(what, options):
    ours, peer = (Worker(command, options.threads) for command in commands(what, options))
    for worker in (ours, peer):
        for _ in range(WARM_UP):
            worker.step()
    pairs = []
    for number in range(options.pairs):
        if number % 2:  # neither always goes first
            theirs = peer.step()
            pairs.append((ours.step(), theirs))
        else:
            pairs.append((ours.step(), peer.step()))
    ours.close()
    peer.close()
    return {"what": what, "preset": options.preset, "batch": options.batch,
            "threads": options.threads, "pairs": options.pairs,
            "peer": "eager" if options.eager else "compiled",
            "vqvae_ms": statistics.median(mine for mine, _ in pairs),
            "pytorch_ms": statistics.median(theirs for _, theirs in pairs),
            "vqvae_min_ms": min(mine for mine, _ in pairs),
            "pytorch_min_ms": min(theirs for _, theirs in pairs),
            "ratio": statistics.median(mine / theirs for mine, theirs in pairs)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=["train", "forward"],
                        help="train, forward or both")
    parser.add_argument("--preset", default="cifar10")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--eager", action="store_true", help="without torch.compile")
    parser.add_argument("--channels-first", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for what in options.what:
        row = compare(what, options)
        if options.json:
            print(json.dumps(row), flush=True)
        else:
            print(f"{what:8} {options.preset}, batch {options.batch}, {options.threads} threads, "
                  f"{options.pairs} pairs: vqvae {row['vqvae_ms']:.1f} ms, PyTorch "
                  f"{row['peer']} {row['pytorch_ms']:.1f} ms (least {row['vqvae_min_ms']:.1f} "
                  f"and {row['pytorch_min_ms']:.1f}), median ratio {row['ratio']:.3f}",
                  flush=True)


if __name__ == "__main__":
    main()

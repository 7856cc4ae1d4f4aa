#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains on, and encodes, a folder of many small images of which one in a hundred is damaged.

    bench/damaged_folder.py build/release/vqvae [--images 100000] [--preset cifar10] [--write]

Makes the folder, damaging images in ten ways, and prints as one JSON object what vqvae made of it:
whether the damaged ones are listed, and no others; the most memory that each verb took; and the
share of its time that it waited for images. Decoded images do not fit into the cache that training
is given. Ends with 1 where an image is wrongly listed or missing. --write puts a table of it into
docs/benchmarks.md. Needs nothing but Python."""

import argparse
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import zlib

from turns import processor, write_between

HEADING = "## A folder of many images, some of them damaged"
EDGE, A_FOLDER, EVERY = 32, 1000, 100


def chunk(kind, content):
    """One part of a PNG file: length, kind, content, checksum (ISO 15948, 5.3)."""
    return (struct.pack(">I", len(content)) + kind + content
            + struct.pack(">I", zlib.crc32(kind + content)))


def png(rows, width=EDGE, height=EDGE, colour=2):
    """A PNG file of 8 bits; colour 2 is RGB, 3 a palette."""
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1))
            + chunk(b"IEND", b""))


def picture(number):
    """A disc of one colour on a slope between two others, all chosen by the number."""
    chance = random.Random(number)
    left, right, disc = ([chance.randrange(256) for _ in range(3)] for _ in range(3))
    x0, y0, r = chance.randrange(EDGE), chance.randrange(EDGE), chance.randrange(3, 14)
    slope = [bytes((left[c] * (EDGE - x) + right[c] * x) // EDGE for c in range(3))
             for x in range(EDGE)]
    rows = bytearray()
    for y in range(EDGE):
        half = int(max(0, r * r - (y - y0) ** 2) ** 0.5)
        line = list(slope)
        for x in range(max(0, x0 - half), min(EDGE, x0 + half)):
            line[x] = bytes(disc)
        rows += b"\0" + b"".join(line)  # 0: the row is not predicted from others
    return png(bytes(rows))


def flipped(whole):
    """One bit of the pixels is another, which the checksum tells."""
    at = whole.index(b"IDAT") + 20
    return whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1:]


WAYS = {
    "empty": lambda whole: b"",
    "text": lambda whole: b"no image at all\n",
    "cut in the header": lambda whole: whole[:20],
    "cut in the pixels": lambda whole: whole[:len(whole) * 2 // 3],
    "a bit flipped": flipped,
    "60,000 x 60,000 pixels": lambda whole: png(b"", 60000, 60000),
    "no pixels wide": lambda whole: png(b"", 0, EDGE),
    "too few pixels": lambda whole: png(b"\0" * 100),
    "a palette without colours": lambda whole: png(b"\0" * (EDGE + 1) * EDGE, colour=3),
    "a JPEG's beginning": lambda whole: b"\xff\xd8\xff\xe0" + whole[:200],
}


def make(folder, n):
    """Writes those of n images that are not there yet; returns the names of the damaged ones."""
    ways, damaged = list(WAYS.values()), set()
    for number in range(n):
        name = f"{number // A_FOLDER:03}/{number:06}.png"
        path = folder / name
        is_damaged = number % EVERY == EVERY // 2
        if is_damaged:
            damaged.add(name)
        if path.exists():
            continue
        path.parent.mkdir(exist_ok=True, parents=True)
        whole = picture(number)
        path.write_bytes(ways[number // EVERY % len(ways)](whole) if is_damaged else whole)
    return damaged


def run(*words):
    """The last object that vqvae prints; its warnings are passed on."""
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def rows(path):
    """The objects of a file of JSON lines."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def train(vqvae, images, preset, run_folder, damaged):
    """One epoch; what it was like, and whether the list is right."""
    result = run(vqvae, "train", images, "-o", run_folder, "--preset", preset, "--epochs", "1",
                 "--batch", "128", "--set", "data.cache_mb=64", "--valid-every", "0",
                 "--save-every", "0", "--json")
    listed = [row["path"] for row in rows(run_folder / "skipped.jsonl")]
    about = {key: result[key] for key in ("steps", "skipped", "data_wait", "peak_rss_mb")}
    about["valid_nmse"] = result["best_valid_nmse"]
    about["right"] = sorted(listed) == sorted(damaged)
    return about


def encode(vqvae, images, run_folder, out, damaged, n):
    """All images to codes; what it was like, and whether index and codes are right."""
    result = run(vqvae, "encode", run_folder, images, "-o", out, "--json")
    index = rows(out.with_suffix(".index.jsonl"))[1:]
    listed = {row["path"] for row in index if "skipped" in row}
    kept = [row["row"] for row in index if "row" in row]
    about = {key: result[key] for key in ("images", "skipped", "images_per_second", "data_wait",
                                          "peak_rss_mb")}
    about["codes_mb"] = out.stat().st_size / 1e6
    about["right"] = (listed == damaged and kept == list(range(n - len(damaged)))
                      and len(index) == n)
    return about


def table(found):
    """What was found, for the page."""
    lines = ["| | images | left out | waiting for images | memory at most |",
             "|---|--:|--:|--:|--:|"]
    for verb in ("train", "encode"):
        about = found[verb]
        lines.append(f"| {verb} | {found['images'] - found['damaged']:,} | {about['skipped']:,} | "
                     f"{100 * about['data_wait']:.2f} % | {about['peak_rss_mb']:.1f} MB |")
    right = found["train"]["right"] and found["encode"]["right"]
    lines.append(f"\n{processor()}, preset {found['preset']}, {found['images']:,} PNG files of "
                 f"{EDGE}x{EDGE}, {found['damaged']:,} of them damaged in {found['ways']} ways, "
                 f"one epoch of training. {found['encode']['images_per_second']:,.0f} images a "
                 f"second were encoded. Both lists of what was left out are "
                 f"{'those of the damaged images' if right else 'WRONG'}.")
    return "\n".join(lines)


def main():
    """Reads the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vqvae", help="the program")
    parser.add_argument("--images", type=int, default=100000)
    parser.add_argument("--preset", default="cifar10")
    parser.add_argument("--keep", type=pathlib.Path,
                        help="folder to work in, which stays; its images serve again")
    parser.add_argument("--write", action="store_true", help="put a table into docs/benchmarks.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = options.keep or pathlib.Path(temporary)
        damaged = make(place / "images", options.images)
        trained = train(options.vqvae, place / "images", options.preset, place / "run", damaged)
        encoded = encode(options.vqvae, place / "images", place / "run", place / "codes.npy",
                         damaged, options.images)
    found = {"images": options.images, "damaged": len(damaged), "ways": len(WAYS),
             "preset": options.preset, "train": trained, "encode": encoded}
    print(json.dumps(found, indent=2))
    if options.write:
        write_between("damaged folder", table(found), HEADING)
    sys.exit(0 if trained["right"] and encoded["right"] else 1)


if __name__ == "__main__":
    main()

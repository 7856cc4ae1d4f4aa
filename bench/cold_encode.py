#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One image to codes from a cold start: a new process each time, and what the program weighs.

    bench/cold_encode.py MODEL [--runs 50] [--program build/minimal/vqvae] [--write]

Encodes one 32x32 PNG many times. Prints the medians of wall and processor time from the start of the
process to its end, beside those of `vqvae --version`, which is what the system asks of any program
that loads as much; then memory at its most, and the size of the program and its own libraries,
stripped. The program is the one without oneDNN: make it by `PRESET=minimal make`. --write puts the
table into docs/benchmarks.md.
"""

import argparse
import json
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = pathlib.Path(HERE).parent
sys.path.insert(0, HERE)
from turns import processor, write_between  # noqa: E402

EDGE = 32
HEADING = "## From a cold start"


def chunk(kind, content):
    """One part of a PNG file: length, kind, content, checksum (ISO 15948, 5.3)."""
    return (struct.pack(">I", len(content)) + kind + content
            + struct.pack(">I", zlib.crc32(kind + content)))


def picture():
    """A PNG file of 8-bit RGB: two slopes."""
    rows = b"".join(b"\0" + bytes(v for x in range(EDGE) for v in (8 * x, 8 * y, 128))
                    for y in range(EDGE))
    head = struct.pack(">IIBBBBB", EDGE, EDGE, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))


def once(command):
    """Milliseconds on the wall and of processors of one process."""
    begin = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status, used = os.wait4(process, 0)
    wall = time.perf_counter() - begin
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {status}")
    return wall * 1e3, (used.ru_utime + used.ru_stime) * 1e3


def memory(command):
    """MB that it had at most, as it says itself; the system counts what was there before exec too,
    so that it is started by something small."""
    said = subprocess.check_output(["sh", "-c", '"$@"; exit $?', "sh", *command, "--json"])
    return json.loads(said)["peak_rss_mb"]


def measure(program, model, runs):
    with tempfile.TemporaryDirectory() as folder:
        image = pathlib.Path(folder, "image.png")
        image.write_bytes(picture())
        encode = [program, "encode", model, str(image), "--force", "--quiet", "-o",
                  str(pathlib.Path(folder, "codes.npy"))]
        commands = {"`vqvae --version`": [program, "--version"], "`vqvae encode`": encode}
        taken = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                taken[name].append(once(command))
        return {name: [statistics.median(column) for column in zip(*rows)]
                for name, rows in taken.items()}, memory(encode)


def stripped(program):
    """Bytes of the program and of the libraries that were built beside it."""
    here = os.path.dirname(os.path.realpath(program))
    loaded = subprocess.check_output(["ldd", program], text=True).split()
    files = {os.path.realpath(word) for word in loaded if word.startswith("/")}
    files = {file for file in files if os.path.dirname(file) == here}
    total = 0
    for file in sorted(files | {program}):
        with tempfile.NamedTemporaryFile() as copy:
            subprocess.check_call(["strip", "-o", copy.name, file])
            total += os.path.getsize(copy.name)
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--program", default=str(ROOT / "build" / "minimal" / "vqvae"))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    program = os.path.realpath(options.program)
    lines = ["| | wall | processor |", "|---|--:|--:|"]
    times, most = measure(program, options.model, options.runs)
    for name, (wall, used) in times.items():
        lines.append(f"| {name} | {wall:.1f} ms | {used:.1f} ms |")
    lines.append(f"\n{processor()}, medians of {options.runs} processes each. `encode` has at most "
                 f"{most:.1f} MB. The program without oneDNN, stripped, with its own libraries: "
                 f"{stripped(program) / 1e6:.2f} MB.")
    print("\n".join(lines))
    if options.write:
        write_between("cold start", "\n".join(lines), HEADING)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Programs that take turns: what the comparisons of this folder share."""

import os
import platform
import statistics
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, os.pardir, "docs", "benchmarks.md")


class Worker:
    """A program that says "ready", then does one step for every line and answers its milliseconds.
    All are alive at once, so that what else the machine does meets all of them."""

    def __init__(self, name, command, environment):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=environment, text=True, bufsize=1)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with {self.process.wait()}")
        return line.strip()

    def await_ready(self):
        said = self.answer()
        if said != "ready":
            raise SystemExit(f"{self.name} is not ready: {said}")

    def ask(self, line=""):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return float(self.answer())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def take_turns(workers, rounds):
    """Milliseconds of every worker, as many as rounds; each is first as often as the others."""
    times = {worker.name: [] for worker in workers}
    for turn in range(rounds):
        for i in range(len(workers)):
            worker = workers[(turn + i) % len(workers)]
            times[worker.name].append(worker.ask())
    return times


def median_ratio(ours, theirs):
    """Of the pairs, round by round: what disturbs the machine disturbs both."""
    return statistics.median(a / b for a, b in zip(ours, theirs))


def processor():
    """The processor's name as the system tells it, with what its kernels may use."""
    name, flags = platform.processor() or platform.machine(), ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    name = value.strip()
                if key.strip() == "flags":
                    flags = value.split()
    except OSError:
        pass
    best = [word for word, flag in (("AMX", "amx_bf16"), ("AVX-512 bf16", "avx512_bf16"),
                                    ("AVX-512", "avx512bw"), ("AVX2", "avx2")) if flag in flags]
    return name + (f", {best[0]}" if best else "")


def write_between(mark, text, after):
    """Puts text between the comments "mark: begin" and "mark: end" of docs/benchmarks.md; where
    there are none yet, below the line `after`."""
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->\n"
    if begin not in page:
        head, found, tail = page.partition(after + "\n")
        if not found:
            raise SystemExit(f"docs/benchmarks.md has no line {after!r}")
        page = head + found + begin + end + tail
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    with open(PAGE + ".new", "w", encoding="utf-8") as file:
        file.write(head + begin + text.strip("\n") + "\n" + end + tail)
    os.replace(PAGE + ".new", PAGE)

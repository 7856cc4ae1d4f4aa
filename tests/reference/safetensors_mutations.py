# SPDX-License-Identifier: Apache-2.0
"""Headers of safetensors files, changed at random, with what the reference reader makes of each.

    python safetensors_mutations.py ROWS [--seed N] [--even] > CASES

--even keeps as many accepted files as refused ones; 400 such rows are
tests/tables/safetensors_mutations.tsv.

A row for each file: the change, what its first 8 bytes say ("-": the truth), the header, the bytes
of data behind it (0, 1, 2, ...), "accepts" or "refuses", and what the reference read: for each
tensor, by name, NAME=TYPE[EXTENTS]:BYTES; and for each text of the metadata #KEY=VALUE; or "-".
Bytes that are not printable ASCII are written \\xNN, and so is the backslash.
tests/unit/test_safetensors_reference.c reads them back.
"""

import argparse
import json
import random
import re
import sys

from safetensors import SafetensorError, deserialize

SIZES = {"BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "U16": 16, "F16": 16, "BF16": 16,
         "F32": 32, "I32": 32, "F64": 64, "I64": 64, "U64": 64, "C64": 64, "F4": 4}
COMMON = ["U8", "U8", "F32", "F32", "BF16", "I64", "BOOL", "U16", "F64"]
NAMES = ["a", "b", "weight", "encoder.0.bias", "", "é", "\"q\"", "x/y", "__metadata", "日"]
NUMBERS = ["0", "-0", "1", "-1", "2", "3", "4", "8", "01", "1.0", "4e0", "1E2", "+1", "0x4", ".5",
           "281474976710656", "281474976710657", "9223372036854775807", "9223372036854775808",
           "18446744073709551615", "18446744073709551616", "1e400", "1" * 40, "NaN", "Infinity"]
VALUES = NUMBERS + ["null", "true", "\"4\"", "[]", "{}", "[4]", "{\"k\":\"v\"}", "\"\"", "[[1]]",
                    "[" * 130 + "]" * 130, "\"\\u0000\"", "\"\\ud83d\\ude00\"", "\"\\ud800\""]
WORDS = list(SIZES) + ["u8", "f32", "F128", "", "F32 ", "dtype", "shape", "data_offsets",
                       "__metadata__", "F8_E8M0", "F6_E2M3", "F6_E3M2", "U32", "I16"]
BLANKS = [" ", "  ", "\n", "\t", "\r", "\f", "\v", "\u00a0", "\0", "/**/", "//\n", "\ufeff"]


def text(rng, value):
    return json.dumps(value, ensure_ascii=rng.random() < 0.3, separators=(",", ":"))


def join(rng, members):
    return "{" + ",".join("%s:%s" % (text(rng, key), value) for key, value in members) + "}"


def sound(rng):
    """A header that every reader accepts, and the bytes of data it speaks of."""
    at, entries = 0, []
    for name in rng.sample(NAMES, rng.choice([0, 1, 1, 2, 2, 3])):
        dtype = rng.choice(COMMON)
        extents = [1, 1, 2, 3, 0] if rng.random() < 0.3 else [1, 2]
        shape = [rng.choice(extents) for _ in range(rng.randrange(4))]
        if rng.random() < 0.02:
            dtype, shape = rng.choice(sorted(SIZES)), [2]
        if rng.random() < 0.02:
            shape = [1] * rng.choice([5, 6])
        bits = SIZES[dtype]
        for extent in shape:
            bits *= extent
        fields = [("dtype", text(rng, dtype)), ("shape", "[" + ",".join(map(str, shape)) + "]"),
                  ("data_offsets", "[%d,%d]" % (at, at + bits // 8))]
        rng.shuffle(fields)
        entries.append((name, join(rng, fields)))
        at += bits // 8
    if rng.random() < 0.4:
        keys = rng.sample(["format", "k", "", "vqvae.config"], rng.randrange(4))
        values = [rng.choice(["pt", "", "{\"x\":1}", "é"]) for _ in keys]
        entries.append(("__metadata__", text(rng, dict(zip(keys, values)))))
    rng.shuffle(entries)
    return join(rng, entries), at


def spans(pattern, header):
    return [found.span() for found in re.finditer(pattern, header)]


def replace(rng, header, pattern, choices):
    places = spans(pattern, header)
    if not places:
        return header
    begin, end = rng.choice(places)
    return header[:begin] + rng.choice(choices) + header[end:]


NUMBER, STRING, VALUE = r"\d+", r'"[^"\\]*"', r'(?<=[:,\[])("[^"\\]*"|\d+|\{[^{}]*\}|\[[^\[\]]*\])'
MEMBER = r'"[^"\\]*":("[^"\\]*"|\[[^\[\]]*\]|\{[^{}]*\})'


def change_number(rng, header):
    return replace(rng, header, NUMBER, NUMBERS)


def change_value(rng, header):
    return replace(rng, header, VALUE, VALUES)


def change_word(rng, header):
    return replace(rng, header, STRING, [text(rng, word) for word in WORDS])


def add_blank(rng, header):
    at = rng.choice([0, len(header), rng.randrange(len(header) + 1)])
    return header[:at] + rng.choice(BLANKS) + header[at:]


def escape_letter(rng, header):
    places = [at for begin, end in spans(STRING, header) for at in range(begin + 1, end - 1)]
    if not places:
        return header
    at = rng.choice(places)
    codes = ["\\u%04x" % ord(header[at]), "\\u%04X" % ord(header[at]), "\\u0000", "\\q"]
    return header[:at] + rng.choice(codes) + header[at + 1:]


def repeat_member(rng, header):
    places = spans(MEMBER, header)
    if not places:
        return header
    begin, end = rng.choice(places)
    return header[:end] + "," + header[begin:end] + header[end:]


def drop_member(rng, header):
    return replace(rng, header, MEMBER + ",?", [""])


def add_member(rng, header):
    openings = spans(r"\{", header)
    if not openings:
        return header
    opening = rng.choice(openings)[1]
    comma = "" if header[opening:opening + 1] == "}" else ","
    member = text(rng, rng.choice(WORDS + NAMES)) + ":" + rng.choice(VALUES)
    return header[:opening] + member + comma + header[opening:]


def entry_as_list(rng, header):
    found = re.search(r'\{"dtype":("[^"]*"),"shape":(\[[^\]]*\]),"data_offsets":(\[[^\]]*\])\}',
                      header)
    if not found:
        return header
    return header[:found.start()] + "[%s,%s,%s]" % found.groups() + header[found.end():]


def begin_metadata(rng, header):
    comma = "" if header == "{}" else ","
    values = ["null", "{}", "[]", "1", "\"x\"", "{\"k\":1}", "{\"k\":null}",
              "{\"k\":\"1\",\"k\":\"1\"}"]
    return "{\"__metadata__\":" + rng.choice(values) + comma + header[1:]


def cut(rng, header):
    begin = rng.randrange(len(header) + 1)
    return header[:begin] + header[rng.randrange(begin, min(begin + 4, len(header)) + 1):]


def swap_letters(rng, header):
    if not header:
        return header
    a, b = (rng.randrange(len(header)) for _ in range(2))
    letters = list(header)
    letters[a], letters[b] = letters[b], letters[a]
    return "".join(letters)


def nothing(_, header):
    return header


CHANGES = [change_number, change_number, change_number, change_value, change_value, change_word,
           add_blank, escape_letter, repeat_member, drop_member, add_member, entry_as_list,
           begin_metadata, cut, swap_letters, nothing]


def change_bytes(rng, header):
    header = bytearray(header)
    for _ in range(rng.choice([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2])):
        at = rng.randrange(len(header) + 1)
        what = rng.randrange(4)
        if what == 0 or at == len(header):
            header.insert(at, rng.choice([rng.randrange(256), *b'{}[],:"0']))
        elif what == 1:
            header[at] = rng.randrange(256)
        elif what == 2:
            header[at] ^= 1 << rng.randrange(8)
        else:
            del header[at]
    return bytes(header)


def escape(raw):
    return "".join(chr(b) if 32 <= b < 127 and b != 92 else "\\x%02x" % b for b in raw)


def read(length, header, data):
    """What the reference reads, or None."""
    file = length.to_bytes(8, "little") + header + bytes(i & 255 for i in range(data))
    try:
        tensors = deserialize(file)
    except SafetensorError:
        return None
    content = ""
    for name, about in sorted(tensors, key=lambda pair: pair[0].encode()):
        extents = ",".join(map(str, about["shape"]))
        data = bytes(about["data"]).hex()
        content += "%s=%s[%s]:%s;" % (escape(name.encode()), about["dtype"], extents, data)
    metadata = json.loads(file[8:8 + length].decode()).get("__metadata__") or {}
    for key in sorted(metadata, key=str.encode):
        content += "#%s=%s;" % (escape(key.encode()), escape(metadata[key].encode()))
    return content or "-"


def row(rng):
    header, data = sound(rng)
    names = []
    for _ in range(rng.choice([1, 1, 1, 1, 1, 2, 3])):
        change = rng.choice(CHANGES)
        names.append(change.__name__)
        header = change(rng, header)
    raw = change_bytes(rng, header.encode())
    if rng.random() < 0.06:
        data = max(0, data + rng.choice([-4, -1, 1, 4, 8]))
    length = len(raw)
    if rng.random() < 0.04:
        length = rng.choice([0, 1, length - 1, length + 1, length + data, length + data + 1,
                             100000000, 100000001, 2**63, 2**64 - 1])
        length = max(0, length)
    content = read(length, raw, data)
    told = "-" if length == len(raw) else str(length)
    verdict = "refuses" if content is None else "accepts"
    cells = ["+".join(names), told, escape(raw), str(data), verdict, content or "-"]
    return "\t".join(cells), verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--even", action="store_true")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    room = {verdict: options.rows // 2 if options.even else options.rows
            for verdict in ("accepts", "refuses")}
    print("change\tlength\theader\tdata\treference\tcontent")
    printed = 0
    while printed < options.rows and max(room.values()) > 0:
        line, verdict = row(rng)
        if room[verdict] > 0:
            print(line)
            room[verdict] -= 1
            printed += 1


if __name__ == "__main__":
    sys.exit(main())

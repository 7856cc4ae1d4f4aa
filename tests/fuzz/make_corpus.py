#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the fuzz targets: python3 tests/fuzz/make_corpus.py

Each corpus/TARGET/ok-NAME is accepted, each bad-NAME refused, an either-NAME
whatever its libraries make of it; replay.c holds the targets to that.
Files of other names there were found by a fuzzer and are left alone. JPEG and WebP come from Pillow
(tests/reference/requirements.txt); every other byte is put together here.
"""
import gzip
import io
import json
import struct
import sys
import zipfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent / "corpus"
CUT = b"<-cut->"


class Corpus:
    """Seeds of one target; what is there from an earlier run goes."""

    def __init__(self, target):
        self.folder = ROOT / target
        self.folder.mkdir(parents=True, exist_ok=True)
        for kind in ("ok-*", "bad-*", "either-*"):
            for old in self.folder.glob(kind):
                old.unlink()

    def ok(self, name, data):
        (self.folder / f"ok-{name}").write_bytes(data)

    def bad(self, name, data):
        (self.folder / f"bad-{name}").write_bytes(data)

    def either(self, name, data):
        (self.folder / f"either-{name}").write_bytes(data)


# ---- safetensors -------------------------------------------------------------


def safetensors(header, data=b"", length=None):
    if not isinstance(header, bytes):
        header = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def tensor(dtype="F32", shape=(2,), offsets=(0, 8), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


def one(**fields):
    return safetensors({"a": tensor(**fields)}, bytes(8))


def make_safetensors():
    c = Corpus("safetensors")
    c.ok("nothing", safetensors({}))
    c.ok("one", one())
    c.ok("spaces", safetensors(json.dumps({"a": tensor()}).encode() + b"   ", bytes(8)))
    c.ok("metadata", safetensors({"__metadata__": {"format": "pt", "b": "", "a": "x"}, "a": tensor()},
                                 bytes(8)))
    c.ok("metadata-null", safetensors({"__metadata__": None, "a": tensor()}, bytes(8)))
    c.ok("scalar", safetensors({"a": tensor("I64", (), (0, 8))}, bytes(8)))
    c.ok("escaped-name", safetensors(b'{"\\u0061\\n":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
                                     b"x"))
    c.ok("empty-name", safetensors({"": tensor()}, bytes(8)))
    c.ok("unordered", safetensors({"b": tensor("U8", (3,), (8, 11)), "a": tensor()}, bytes(11)))
    # An empty tensor begins where its neighbour does; two at one place are ordered by name.
    c.ok("empty-tensors", safetensors({"b": tensor(), "a": tensor("U8", (0, 4), (0, 0)),
                                       "c": tensor("U8", (0,), (0, 0)),
                                       "d": tensor("U8", (0,), (8, 8))}, bytes(8)))
    sizes = {"U64": 8, "I64": 8, "F64": 8, "F32": 4, "U32": 4, "I32": 4, "BF16": 2, "F16": 2,
             "U16": 2, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
    at, header = 0, {}
    for name, size in sizes.items():
        header[name.lower()] = tensor(name, (1, 2, 1), (at, at + 2 * size))
        at += 2 * size
    c.ok("every-dtype", safetensors(header, bytes(i % 251 for i in range(at))))
    c.ok("rank-5", safetensors({"a": tensor("U8", (1, 1, 2, 1, 1), (0, 2))}, b"ab"))

    c.bad("short", b"\x02\0\0")
    c.bad("empty", b"")
    c.bad("length-0", safetensors(b"", length=0))
    c.bad("length-beyond", safetensors(b"{}", length=3))
    c.bad("length-largest", safetensors(b"{}", length=2**64 - 1))
    c.bad("length-100000001", safetensors(b"{}", length=100000001))
    c.bad("leading-space", safetensors(b" {}"))
    c.bad("list", safetensors(b"[]"))
    c.bad("zero-byte", safetensors(b'{"a":1\0}'))
    c.bad("padded-with-zeros", safetensors(b"{}\0\0"))
    c.bad("broken-json", safetensors(b'{"a":}'))
    c.bad("two-values", safetensors(b"{}{}"))
    c.bad("bad-utf8", safetensors(b'{"\xff":{}}'))
    c.bad("lone-surrogate", safetensors(b'{"\\ud800":{}}'))
    c.bad("deep", safetensors(b'{"a":' + b"[" * 3000))
    entry = json.dumps(tensor()).encode()
    c.bad("name-twice", safetensors(b'{"a":' + entry + b',"a":' + entry + b"}", bytes(8)))
    c.bad("metadata-key-twice", safetensors(b'{"__metadata__":{"k":"1","k":"2"}}'))
    c.bad("metadata-list", safetensors({"__metadata__": []}))
    c.bad("metadata-number", safetensors({"__metadata__": {"a": "b", "k": 1}}))
    c.bad("entry-list", safetensors({"a": ["F32", [2], [0, 8]]}, bytes(8)))
    c.bad("unknown-field", one(stride=1))
    c.bad("dtype-missing", safetensors({"a": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)))
    c.bad("dtype-lower", one(dtype="f32"))
    c.bad("dtype-foreign", one(dtype="F8_E4M3"))
    c.bad("shape-missing", safetensors({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, bytes(8)))
    c.bad("shape-negative", one(shape=(-2,)))
    c.bad("shape-real", one(shape=(2.0,)))
    c.bad("shape-2-49", one(shape=(1 << 49,)))
    c.bad("shape-overflow", one(shape=(1 << 40, 1 << 40)))
    c.bad("shape-overflow-bytes", one(shape=(1 << 48, 1 << 14)))
    c.bad("rank-6", one(shape=(1, 1, 1, 1, 1, 2)))
    c.bad("offsets-missing", safetensors({"a": {"dtype": "F32", "shape": [2]}}, bytes(8)))
    c.bad("offsets-three", one(offsets=(0, 8, 8)))
    c.bad("offsets-text", one(offsets=("0", 8)))
    c.bad("offsets-text-end", one(offsets=(0, "8")))
    c.bad("offsets-negative", one(offsets=(-8, 0)))
    c.bad("offsets-reversed", one(offsets=(8, 0)))
    c.bad("offsets-other-size", one(offsets=(0, 4)))
    c.bad("hole", safetensors({"a": tensor(offsets=(8, 16))}, bytes(16)))
    c.bad("overlap", safetensors({"a": tensor(), "b": tensor(offsets=(4, 12))}, bytes(12)))
    c.bad("same-place", safetensors({"a": tensor(), "b": tensor()}, bytes(8)))
    c.bad("trailing", safetensors({"a": tensor()}, bytes(9)))
    c.bad("cut", safetensors({"a": tensor()}, bytes(7)))


# ---- .npy --------------------------------------------------------------------


def npy(text, data=b"", version=(1, 0), length=None):
    if isinstance(text, str):
        text = text.encode()
    size = len(text) if length is None else length
    width = "<H" if version[0] == 1 else "<I"
    return b"\x93NUMPY" + bytes(version) + struct.pack(width, size) + text + data


def header(descr="'<f4'", fortran="False", shape="(2, 3)", end=" }\n"):
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape},{end}"


def make_npy():
    c = Corpus("npy")
    data = bytes(range(24))
    c.ok("plain", npy(header(), data))
    c.ok("version-2", npy(header(), data, (2, 0)))
    c.ok("version-3", npy(header(), data, (3, 0)))
    c.ok("fortran", npy(header(fortran="True"), data))
    c.ok("fortran-rank-5", npy(header("'<u2'", "True", "(1, 2, 3, 1, 2)"), data))
    c.ok("big-endian", npy(header("'>f4'"), data))
    c.ok("big-endian-fortran", npy(header("'>u8'", "True", "(3, 1)"), data))
    c.ok("native", npy(header("'=f4'"), data))
    c.ok("bare", npy(header("'f4'"), data))
    c.ok("double-quotes", npy('{"descr": "|u1", "fortran_order": False, "shape": (24,)}', data))
    c.ok("other-order", npy("{'shape':(3,),'fortran_order':\tFalse,'descr':'<f8'}\r\n", data))
    c.ok("scalar", npy(header("'<i8'", shape="()"), data[:8]))
    c.ok("scalar-fortran", npy(header("'<i8'", "True", "()"), data[:8]))
    c.ok("python-2", npy(header(shape="(2L, 3L)"), data))
    c.ok("empty", npy(header(shape="(0, 3)")))
    c.ok("empty-fortran", npy(header(fortran="True", shape="(0, 3)")))
    c.ok("header-largest", npy(header()[:-1].ljust(9999) + "\n", data))
    c.bad("zero-after-dict", npy(header() + "\0", data))
    c.ok("empty-big-endian", npy(header("'>f4'", shape="(0,)")))
    for name in ("f2", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"):
        size = int(name[1])
        c.ok(f"type-{name}", npy(header(f"'<{name}'", shape=f"({24 // size},)"), bytes(24)))

    c.bad("empty", b"")
    c.bad("magic", b"\x93NUMPX\x01\0\x02\0{}")
    c.bad("version-1-1", npy(header(), data, (1, 1)))
    c.bad("version-0", npy(header(), data, (0, 0)))
    c.bad("version-4", npy(header(), data, (4, 0)))
    c.bad("cut-length", b"\x93NUMPY\x02\0\x10")
    c.bad("length-large", npy(header(), data, (2, 0), 10001))
    c.bad("length-beyond", npy(header(), b"", length=5000))
    c.bad("data-short", npy(header(), data[:-1]))
    c.bad("data-long", npy(header(), data + b"x"))
    c.bad("no-dict", npy("(1, 2)"))
    c.bad("open-dict", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)"))
    c.bad("goes-on", npy(header() + "x", data))
    c.bad("no-comma", npy("{'descr': '<f4' 'shape': ()}"))
    c.bad("no-colon", npy("{'descr' '<f4'}"))
    c.bad("no-key", npy("{1: 2}"))
    c.bad("ends-at-key", npy("{"))
    c.bad("key-unknown", npy("{'dtype': '<f4'}"))
    c.bad("key-twice", npy("{'descr': '<f4', 'descr': '<f4'}"))
    c.bad("key-missing", npy("{'descr': '<f4', 'shape': ()}"))
    c.bad("key-long", npy("{'a key that is too long': 1}"))
    c.bad("key-escaped", npy("{'des\\x63r': 1}"))
    c.bad("key-zero", npy(b"{'des\0r': 1}"))
    c.bad("key-open", npy("{'descr"))
    c.bad("descr-structure", npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}"))
    c.bad("descr-nothing", npy("{'descr':"))
    for kind in ("O", "|O", "U4", "V8", "M8[ns]", "c8", "a4", "<f16", "", "<", "x4", "f3"):
        name = "".join(ch if ch.isalnum() else "_" for ch in kind)
        c.bad(f"descr-{name}", npy(header(f"'{kind}'"), data))
    c.bad("order-number", npy(header(fortran="0"), data))
    c.bad("order-cut", npy("{'fortran_order': Fals"))
    c.bad("shape-list", npy(header(shape="[2, 3]"), data))
    c.bad("shape-number", npy(header(shape="(6)"), data))
    c.bad("shape-negative", npy(header(shape="(-2, 3)"), data))
    c.bad("shape-no-comma", npy(header(shape="(2 3)"), data))
    c.bad("shape-padded", npy(header(shape="(02, 3)"), data))
    c.bad("shape-large", npy(header(shape="(281474976710657,)"), data))
    c.bad("shape-overflow", npy(header(shape="(281474976710656, 281474976710656)"), data))
    c.bad("shape-rank-6", npy(header("'|u1'", shape="(1, 1, 1, 1, 1, 24)"), data))
    c.bad("shape-open", npy("{'shape': (2"))
    c.bad("shape-open-comma", npy("{'shape': (2,"))


# ---- IDX ---------------------------------------------------------------------


def idx(*extents, kind=8, data=None, rank=None):
    count = 1
    for extent in extents:
        count *= extent
    data = bytes(i % 251 for i in range(count)) if data is None else data
    rank = len(extents) if rank is None else rank
    return bytes((0, 0, kind, rank)) + b"".join(struct.pack(">I", e) for e in extents) + data


def packed(data):
    return gzip.compress(data, 9, mtime=0)


def with_labels(images, labels, part=b""):
    return images + CUT + labels + (CUT + part if part else b"")


def make_idx():
    c = Corpus("idx")
    images, labels = idx(3, 4, 5), idx(3)
    c.ok("labels", with_labels(images, labels))
    c.ok("colour", with_labels(idx(2, 4, 4, 3), idx(2)))
    c.ok("packed", with_labels(packed(images), packed(labels)))
    c.ok("packed-twice", with_labels(packed(images[:20]) + packed(images[20:]), labels))
    c.ok("half", with_labels(images, labels, b":t10k"))
    c.ok("file-packed-labels", with_labels(images, labels, b"/some-images-idx3-ubyte"))
    c.ok("file-plain-labels", with_labels(images, labels, b"/pack-images-idx3-ubyte.gz"))
    c.ok("file-no-labels", with_labels(images, b"", b"/solo-images-idx3-ubyte"))
    c.ok("file-other-name", with_labels(images, b"", b"/other-pictures"))
    c.ok("file-rank-4", with_labels(images, labels, b"/t10k-images.idx4-ubyte"))
    c.bad("file-missing", with_labels(images, labels, b"/another"))
    c.ok("packed-stored", with_labels(gzip.compress(images, 0, mtime=0), labels))

    c.bad("empty", b"")
    c.bad("labels-empty", images)
    c.bad("labels-fewer", with_labels(images, idx(2)))
    c.bad("labels-rank-2", with_labels(images, idx(3, 1)))
    c.bad("labels-damaged", with_labels(images, packed(labels)[:-9]))
    c.bad("labels-no-idx", with_labels(images, b"no labels at all"))
    c.bad("of-labels", with_labels(labels, labels))
    c.bad("no-images", with_labels(idx(0, 4, 5), idx(0)))
    c.bad("floats", with_labels(idx(3, 4, 5, kind=13), labels))
    c.bad("type-7", with_labels(idx(3, 4, 5, kind=7), labels))
    c.bad("type-15", with_labels(idx(3, 4, 5, kind=15), labels))
    c.bad("rank-0", with_labels(b"\0\0\x08\0" + bytes(12), labels))
    c.bad("gzip-second-byte", with_labels(b"\x1f\x8c\x08" + bytes(12), labels))
    c.bad("gzip-third-byte", with_labels(b"\x1f\x8b\x07" + bytes(12), labels))
    c.bad("rank-5", with_labels(idx(1, 1, 1, 1, 1), labels))
    c.bad("rank-9", with_labels(idx(1, 1, 1, 1, 1, rank=9), labels))
    c.bad("channels-2", with_labels(idx(3, 4, 4, 2), labels))
    c.bad("height-0", with_labels(idx(3, 0, 5), labels))
    c.bad("width-0", with_labels(idx(3, 4, 0), labels))
    c.bad("first-byte", b"\x01" + images[1:])
    c.bad("second-byte", b"\0\x01" + images[2:])
    c.bad("cut-header", images[:11])
    c.bad("short", images[:-1])
    c.bad("long", images + b"x")
    c.bad("overflow", idx(2**32 - 1, 2**32 - 1, 2**32 - 1, data=b""))
    c.bad("overflow-early", idx(2**32 - 1, 2**32 - 1, 2**32 - 1, 1, data=b""))
    c.bad("too-large", idx(2**31, 2**12, 1, data=b""))
    c.bad("packed-short", packed(images[:-1]))
    c.bad("packed-long", packed(images + b"x"))
    c.bad("packed-cut", packed(images)[:-3])
    c.bad("packed-cut-header", packed(images)[:8])
    c.bad("packed-sum", packed(images)[:-8] + bytes(8))
    c.bad("packed-damaged", packed(images)[:14] + b"\xff\xff" + packed(images)[16:])
    c.bad("packed-trailing", packed(images) + b"x")
    c.bad("packed-no-idx", packed(b"no images at all"))
    c.bad("packed-promise", packed(idx(60000, 1000, 1000, data=b"")))
    c.bad("packed-promise-small", packed(idx(2, 100, 100, data=b"")))
    c.bad("packed-dictionary", b"\x1f\x8b\x08\xe0" + packed(images)[4:])
    c.bad("part-missing", with_labels(images, labels, b":valid"))
    c.bad("part-unnamed", with_labels(images, labels, b":"))
    c.bad("folder", with_labels(images, labels, b"/"))


# ---- PNG ---------------------------------------------------------------------


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def ihdr(width, height, depth, kind, interlace=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace))


def rows_of(width, height, bits, filters, seed):
    out, size = b"", (width * bits + 7) // 8
    for y in range(height):
        out += bytes([filters[y % len(filters)]])
        out += bytes((seed + 37 * x + 11 * y) & 255 for x in range(size))
    return out


def png(width=5, height=4, depth=8, kind=2, before=b"", after=b"", interlace=0, filters=(0,), seed=3):
    bits = depth * CHANNELS[kind]
    if interlace:
        rows = b""
        for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                               (1, 0, 2, 2), (0, 1, 1, 2)):
            w, h = (width - x0 + dx - 1) // dx, (height - y0 + dy - 1) // dy
            if w > 0 and h > 0:
                rows += rows_of(w, h, bits, filters, seed)
    else:
        rows = rows_of(width, height, bits, filters, seed)
    return (SIGNATURE + ihdr(width, height, depth, kind, interlace) + before
            + chunk(b"IDAT", zlib.compress(rows, 9)) + after + chunk(b"IEND", b""))


def tiff(value=6, order="<", kind=3, tag=0x112, magic=42, table=8, entries=1, more=b""):
    body = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", magic, table)
    body += struct.pack(order + "H", entries) + more
    return body + struct.pack(order + "HHI", tag, kind, 1) + struct.pack(order + "HH", value, 0) + bytes(4)


OTHER_ENTRY = struct.pack("<HHIHH", 0x10F, 3, 1, 7, 0)

TIFFS = {
    "short": b"II*\0",
    "none": b"XX" + tiff()[2:],
    "magic": tiff(magic=43),
    "table": tiff(table=4000),
    "value-0": tiff(0),
    "value-9": tiff(9),
    "type": tiff(kind=4),
    "entries": tiff(entries=9, tag=0x10F),
    "no-entries": tiff(entries=0),
    "second": tiff(3, entries=2, more=OTHER_ENTRY),
    "big-endian": tiff(8, ">"),
    "cut": tiff()[:16],
}


def palette(count):
    return chunk(b"PLTE", bytes((7 * i) & 255 for i in range(3 * count)))


def make_png():
    c = Corpus("png")
    for depth in (1, 2, 4, 8, 16):
        c.ok(f"grey-{depth}", png(depth=depth, kind=0))
    for depth in (1, 2, 4, 8):
        c.ok(f"palette-{depth}", png(depth=depth, kind=3, before=palette(2**depth)))
    for depth in (8, 16):
        c.ok(f"colour-{depth}", png(depth=depth))
        c.ok(f"grey-alpha-{depth}", png(depth=depth, kind=4))
        c.ok(f"colour-alpha-{depth}", png(depth=depth, kind=6))
    c.ok("interlaced", png(width=9, height=9, interlace=1, filters=(0, 1, 2, 3, 4)))
    c.ok("interlaced-bits", png(width=3, height=2, depth=1, kind=0, interlace=1))
    c.ok("filters", png(width=6, height=6, filters=(4, 3, 2, 1, 0)))
    c.ok("large-enough", png(width=40, height=40))
    c.ok("transparent-grey", png(kind=0, before=chunk(b"tRNS", b"\0\x03")))
    c.ok("transparent-colour", png(before=chunk(b"tRNS", b"\0\x03\0\x28\0\x4d")))
    c.ok("transparent-palette", png(kind=3, before=palette(256) + chunk(b"tRNS", bytes(range(0, 250, 9)))))
    c.ok("chunks", png(before=chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"sRGB", b"\0")
                       + chunk(b"pHYs", bytes(9)) + chunk(b"tEXt", b"Title\0seed"),
                       after=chunk(b"tIME", b"\x07\xe8\x01\x01\0\0\0")))
    c.ok("two-idat", SIGNATURE + ihdr(1, 1, 8, 0) + chunk(b"IDAT", zlib.compress(b"\0\7")[:4])
         + chunk(b"IDAT", zlib.compress(b"\0\7")[4:]) + chunk(b"IEND", b""))
    for value in range(1, 9):
        c.ok(f"orientation-{value}", png(before=chunk(b"eXIf", tiff(value))))
    for name in ("value-0", "value-9", "type", "entries", "no-entries", "second", "big-endian", "table"):
        c.ok(f"exif-{name}", png(before=chunk(b"eXIf", TIFFS[name])))

    whole = png()
    c.bad("empty", b"")
    c.bad("signature", SIGNATURE)
    c.bad("signature-damaged", b"\x89PNG\n\x1a\n" + whole[7:])
    c.bad("cut", whole[:-30])
    c.bad("sum", whole[:30] + bytes((whole[30] ^ 1,)) + whole[31:])
    c.bad("width-0", png(width=0))
    c.bad("absurd", SIGNATURE + ihdr(60000, 60000, 8, 2) + chunk(b"IDAT", zlib.compress(b"\0"))
          + chunk(b"IEND", b""))
    c.bad("too-few-bytes", SIGNATURE + ihdr(16000, 16000, 8, 2) + chunk(b"IDAT", zlib.compress(b"\0"))
          + chunk(b"IEND", b""))
    # Bits so few that the length alone does not refuse it.
    c.bad("absurd-bits", SIGNATURE + ihdr(3000, 3000, 1, 0)
          + chunk(b"IDAT", zlib.compress(bytes(1200), 0)) + chunk(b"IEND", b""))
    c.bad("depth-3", SIGNATURE + ihdr(5, 4, 3, 0) + whole[33:])
    c.bad("kind-5", SIGNATURE + ihdr(5, 4, 8, 5) + whole[33:])
    c.bad("interlace-2", SIGNATURE + ihdr(5, 4, 8, 2, 2) + whole[33:])
    c.bad("no-palette", png(kind=3))
    c.bad("cut-after-pixels", whole[:-12])
    c.either("sum-after-pixels", png(after=chunk(b"tEXt", b"a\0b")[:-4] + bytes(4)))
    c.either("transparent-alpha", png(kind=6, before=chunk(b"tRNS", bytes(6))))
    c.bad("few-rows-alpha", SIGNATURE + ihdr(5, 40, 16, 6) + whole[33:])
    c.bad("few-rows", SIGNATURE + ihdr(5, 40, 8, 2) + whole[33:])
    c.bad("no-pixels", SIGNATURE + ihdr(5, 4, 8, 2) + chunk(b"IEND", b""))
    c.bad("filter-5", png(filters=(5,)))
    for name, start in (("gif", b"GIF89a"), ("webp", b"RIFF\x20\0\0\0WEBQ"), ("tiff", b"II*\0"),
                        ("tiff-big", b"MM\0*"), ("bmp", b"BM"), ("heic", b"\0\0\0\x18ftyp"),
                        ("text", b"hello")):
        c.bad(f"other-{name}", start + bytes(8))
    c.bad("other-short", b"G")


# ---- JPEG --------------------------------------------------------------------


def jpeg(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=50, **options)
    return out.getvalue()


def segment(marker, data):
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def patched(data, marker, at, new):
    """Bytes of a segment replaced, counted from behind its length."""
    place = data.index(bytes((0xFF, marker))) + 4 + at
    return data[:place] + new + data[place + len(new):]


def make_jpeg():
    from PIL import Image  # pylint: disable=import-outside-toplevel

    c = Corpus("jpeg")
    colour = Image.frombytes("RGB", (17, 9), bytes((i * 7) & 255 for i in range(17 * 9 * 3)))
    grey, cmyk = colour.convert("L"), colour.convert("CMYK")
    plain = jpeg(colour)
    c.ok("colour", plain)
    c.ok("grey", jpeg(grey))
    c.ok("full-chroma", jpeg(colour, subsampling=0))
    c.ok("chroma-422", jpeg(colour, subsampling=1))
    c.ok("progressive", jpeg(colour, progressive=True))
    c.ok("progressive-grey", jpeg(grey, progressive=True))
    c.ok("restart", jpeg(colour, restart_marker_blocks=1))
    c.ok("optimised", jpeg(colour, optimize=True))
    c.ok("larger", jpeg(colour.resize((48, 40))))
    small = jpeg(grey.crop((0, 0, 5, 3)))
    body = small[2:]
    for value in range(1, 9):
        c.ok(f"orientation-{value}", b"\xff\xd8" + segment(0xE1, b"Exif\0\0" + tiff(value)) + body)
    for name, data in TIFFS.items():
        c.ok(f"exif-{name}", b"\xff\xd8" + segment(0xE1, b"Exif\0\0" + data) + body)
    c.ok("exif-other", b"\xff\xd8" + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0") + body)
    c.ok("exif-tiny", b"\xff\xd8" + segment(0xE1, b"Exif\0") + body)
    c.ok("comment", b"\xff\xd8" + segment(0xFE, b"a seed") + body)
    c.ok("trailing", small + b"after the end")
    c.ok("extraneous-bytes", small[:-2] + b"\0\0" + small[-2:])

    inks = jpeg(cmyk.crop((0, 0, 5, 3)))
    c.ok("cmyk", inks)
    adobe = inks.index(b"\xff\xee")
    c.bad("cmyk-unmarked", inks[:adobe] + inks[adobe + 16:])
    c.bad("cmyk-cut", inks[:-20])
    c.bad("start", b"\xff\xd8\xff")
    c.bad("cut-header", plain[:100])
    c.bad("cut-pixels", plain[:-40])
    c.bad("no-end-of-pixels", small[:-12])
    c.bad("components-beyond", patched(small, 0xC0, 5, b"\x02"))
    c.bad("no-size", patched(small, 0xC0, 1, bytes(4)))
    c.bad("precision-12", patched(small, 0xC0, 0, b"\x0c"))
    c.bad("absurd", patched(small, 0xC0, 1, b"\xea\x60\xea\x60"))
    c.bad("lossless", small.replace(b"\xff\xc0", b"\xff\xc3"))
    c.bad("damaged-codes", plain[:-90] + bytes(range(0x40, 0x7a)) * 2 + plain[-2:])
    restarted = jpeg(colour, restart_marker_blocks=1)
    c.bad("stray-restart", restarted.replace(b"\xff\xd0", b"\xff\xd5"))
    c.bad("bytes-before-restart", restarted.replace(b"\xff\xd0", b"\x55" * 40 + b"\xff\xd0", 1))
    c.bad("marker-in-pixels", plain[:-60] + b"\xff\xdb" + plain[-58:])
    c.either("arithmetic", small.replace(b"\xff\xc0", b"\xff\xc9"))
    c.bad("no-tables", plain[:2] + plain[plain.index(b"\xff\xc0"):])
    # A 2^28th pixel too many that arithmetic coding might really hold.
    c.bad("arithmetic-absurd", patched(small.replace(b"\xff\xc0", b"\xff\xc9"), 0xC9, 1,
                                       b"\xea\x60\xea\x60"))
    # Progressive, and then the same scan again and again; of a flat image, so that it fits each time.
    many = jpeg(Image.new("L", (8, 8), 128), progressive=True)
    last = many.rindex(b"\xff\xda")
    c.bad("many-scans", many[:-2] + many[last:-2] * 520 + many[-2:])
    # Two components whose factors libjpeg cannot bring together.
    c.bad("factors", patched(plain, 0xC0, 7, b"\x33"))
    start = small.index(b"\xff\xc0")
    for count in (2, 5):
        more = b"".join(bytes((9 + i, 0x11, 0)) for i in range(count - 1))
        frame = segment(0xC0, small[start + 4:start + 9] + bytes((count,)) + small[start + 10:start + 13] + more)
        c.bad(f"channels-{count}", small[:start] + frame + small[start + 13:])
    c.bad("too-few-bytes", patched(small, 0xC0, 1, b"\x3e\x80\x3e\x80"))


# ---- WebP --------------------------------------------------------------------


def riff(*chunks):
    body = b"WEBP" + b"".join(kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
                              for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def extended(width, height, flags, *chunks):
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return riff((b"VP8X", bytes((flags, 0, 0, 0)) + size), *chunks)


def make_webp():
    from PIL import Image  # pylint: disable=import-outside-toplevel

    c = Corpus("webp")

    def webp(image, **options):
        out = io.BytesIO()
        image.save(out, "WEBP", **options)
        return out.getvalue()

    colour = Image.frombytes("RGB", (9, 7), bytes((i * 7) & 255 for i in range(9 * 7 * 3)))
    alpha = Image.frombytes("RGBA", (9, 7), bytes((i * 5) & 255 for i in range(9 * 7 * 4)))
    lossy, exact = webp(colour, quality=30), webp(colour, lossless=True)
    c.ok("lossy", lossy)
    c.ok("lossless", exact)
    c.ok("lossy-alpha", webp(alpha, quality=30))
    c.ok("lossless-alpha", webp(alpha, lossless=True, exact=True))
    c.ok("palette", webp(colour.quantize(4).convert("RGB"), lossless=True))
    c.ok("profile", webp(colour, quality=30, icc_profile=b"no profile"))
    frame = lossy[12:]
    body = (frame[:4], frame[8:8 + struct.unpack("<I", frame[4:8])[0]])
    for value in (1, 3, 6):
        c.ok(f"orientation-{value}", extended(9, 7, 8, body, (b"EXIF", tiff(value))))
    c.ok("orientation-named", extended(9, 7, 8, body, (b"EXIF", b"Exif\0\0" + tiff(8))))
    for name in ("short", "none", "table", "value-9", "cut"):
        c.ok(f"exif-{name}", extended(9, 7, 8, body, (b"EXIF", TIFFS[name])))
    c.bad("exif-cut-off", extended(9, 7, 8, body, (b"EXIF", tiff(6)))[:-6])
    c.ok("exif-empty", extended(9, 7, 8, body, (b"EXIF", b"")))

    c.bad("start", lossy[:12])
    c.bad("cut-header", lossy[:24])
    c.bad("cut-pixels", lossy[:-20])
    c.bad("cut-lossless", exact[:-12])
    c.bad("cut-alpha", webp(alpha, quality=30)[:-40])
    c.bad("damaged", lossy[:20] + b"\xff" * 6 + lossy[26:])
    c.bad("damaged-lossless", exact[:20] + b"\x30" + exact[21:])
    c.bad("not-webp", b"RIFF" + lossy[4:8] + b"WAVE" + lossy[12:])
    c.bad("no-frame", extended(9, 7, 8, (b"EXIF", tiff())))
    c.bad("other-size", extended(10, 7, 0, body))
    c.bad("animated", webp(colour, save_all=True, append_images=[colour.rotate(180)], duration=9))
    # 14 bits a side: 16384 x 16384 is exactly 2^28 pixels, far too many for these bytes.
    sides = (16383 | 16383 << 14).to_bytes(4, "little")
    c.bad("absurd-lossless", riff((b"VP8L", exact[20:21] + sides + exact[25:])))
    c.bad("absurd-canvas", extended(1 << 24, 1 << 8, 0, body))


# ---- tar ---------------------------------------------------------------------


def octal(value, size):
    return b"%0*o\0" % (size - 1, value)


def member(name, data=b"", kind=b"0", link=b"", size=None, checksum=True):
    name = name if isinstance(name, bytes) else name.encode()
    size = len(data) if size is None else size
    head = (name.ljust(100, b"\0") + octal(0o644, 8) + octal(0, 8) * 2 + octal(size, 12) + octal(0, 12)
            + b" " * 8 + kind + link.ljust(100, b"\0") + b"ustar\x0000").ljust(512, b"\0")
    total = sum(head) if checksum else 1
    head = head[:148] + b"%06o\0 " % total + head[156:]
    return head + data + bytes(-len(data) % 512)


END = bytes(1024)
TINY = SIGNATURE + ihdr(1, 1, 8, 0) + chunk(b"IDAT", zlib.compress(b"\0\7")) + chunk(b"IEND", b"")
TINY_COLOUR = SIGNATURE + ihdr(1, 1, 8, 2) + chunk(b"IDAT", zlib.compress(b"\0\7\7\7")) + chunk(b"IEND", b"")


def pax(**fields):
    lines = b""
    for key, value in fields.items():
        rest = b" " + key.replace("_", ".").encode() + b"=" + value + b"\n"
        size = len(rest) + 1
        while len(str(size).encode() + rest) != size:
            size += 1
        lines += str(size).encode() + rest
    return member("PaxHeader", lines, b"x")


def make_tar():
    c = Corpus("tar")
    two = member("cat/a.png", TINY) + member("dog/b.PNG", TINY)
    four = b"".join(member(f"{name}/{i}.png", TINY) for i in range(2) for name in ("cat", "dog"))
    parts = (member("top/train/cat/a.png", TINY) + member("top/train/dog/b.jpeg.png", TINY)
             + member("top/test/cat/c.png", TINY))
    c.ok("one", member("a.png", TINY) + END)
    c.ok("classes", two + END)
    c.ok("flat-and-folder", member("a.png", TINY) + member("dog/b.png", TINY) + END)
    c.ok("unordered", member("dog/b.png", TINY) + member("cat/a.png", TINY) + END)
    c.ok("part", parts + END + CUT + b":train")
    c.ok("part-test", parts + END + CUT + b":test")
    c.ok("only-train", member("train/a.png", TINY) + member("other/b.png", TINY) + END)
    c.ok("others", member("notes.txt", b"text") + member("./a.png", TINY) + member("b", b"x")
         + member("._a.png", b"x") + END)
    c.ok("folder-and-links", member("d/", kind=b"5") + member("a.png", TINY)
         + member("b.png", kind=b"1", link=b"a.png") + member("c.png", kind=b"2", link=b"a.png") + END)
    c.ok("packed", packed(two + END))
    c.ok("colour-and-grey", member("a.png", TINY_COLOUR) + member("b.png", TINY) + END)
    c.ok("pax-name", pax(path=b"folder/" + b"n" * 120 + b".png") + member("short.png", TINY) + END)
    c.ok("pax-utf8", pax(path="h\u00e9/\u4e2d.png".encode()) + member("short.png", TINY) + END)
    c.ok("gnu-name", member("././@LongLink", b"d/" + b"n" * 120 + b".png\0", b"L") + member("x", TINY) + END)
    c.ok("no-end", member("a.png", TINY))
    c.ok("classes-of-two", four + END)
    c.ok("packed-many", packed(b"".join(member(f"{i:03}.png", TINY) for i in range(300)) + END))
    c.ok("packed-long-name", packed(pax(path=b"d/" + b"n" * 70000 + b".png") + member("x", TINY) + END))
    c.bad("hard-link-with-data", member("a.png", TINY) + member("b.png", TINY, b"1", b"a.png") + END)
    c.ok("many-classes", b"".join(member(f"c{i:02}/a.png", TINY) for i in range(20)) + END)
    sparse = pax(GNU_sparse_major=b"0", GNU_sparse_minor=b"1", GNU_sparse_name=b"s.png",
                 GNU_sparse_size=str(len(TINY)).encode(), GNU_sparse_map=b"0,%d" % len(TINY))
    c.ok("sparse", sparse + member("s.png", TINY) + END)

    holes = pax(GNU_sparse_major=b"0", GNU_sparse_minor=b"1", GNU_sparse_name=b"s.png",
                GNU_sparse_size=b"900", GNU_sparse_map=b"0,%d,800,9" % len(TINY))
    c.either("sparse-holes", holes + member("s.png", TINY + bytes(9)) + END)

    c.bad("empty", b"")
    c.bad("block-of-zeros", bytes(512))
    c.bad("no-images", member("notes.txt", b"text") + END)
    c.bad("twice", member("a.png", TINY) + member("a.png", TINY) + END)
    c.bad("empty-image", member("a.png") + END)
    c.bad("huge-image", member("a.png", TINY, size=0o20000000000) + END)
    c.bad("cut", member("a.png", TINY)[:540])
    c.bad("cut-header", two[:1536 + 200])
    c.bad("beyond", member("a.png", TINY, size=5000) + END)
    c.bad("checksum", member("a.png", TINY, checksum=False) + END)
    c.bad("checksum-later", member("a.png", TINY) + member("b.png", TINY, checksum=False) + END)
    c.bad("no-image-inside", member("a.png", b"no image") + END)
    c.bad("other-sizes", member("a.png", TINY) + member("b.png", png()) + END)
    c.bad("parts-unnamed", parts + END)
    for other in ("val", "valid", "validation"):
        c.bad(f"parts-{other}", member("train/a.png", TINY) + member(f"{other}/b.png", TINY) + END)
    c.bad("part-missing", parts + END + CUT + b":valid")
    c.bad("part-of-files", member("a.png", TINY) + END + CUT + b":train")
    long = b"".join(member(f"{i}" + "f" * 80 + "/a.png", TINY) for i in range(8))
    c.bad("part-among-many", long + END + CUT + b":train")
    c.bad("packed-cut", packed(two + END)[:-40])
    c.bad("packed-beyond", packed(member("a.png", TINY, size=5000)))
    c.bad("packed-no-tar", packed(b"text" * 200))
    c.either("packed-sum", packed(two + END)[:-8] + bytes(8))
    c.bad("no-name", member("", TINY) + member("a.png", b"x") + END)
    c.bad("gnu-name-cut", member("././@LongLink", b"d.png", b"L", size=900000))
    c.bad("pax-damaged", member("PaxHeader", b"999 path=a.png\n", b"x") + member("a.png", b"x") + END)


# ---- CIFAR ---------------------------------------------------------------------


def record(*labels, seed=0):
    # Plain pixels, so that the repository packs them well.
    return bytes(labels) + bytes([seed]) * 1024 + bytes([seed + 1]) * 1024 + bytes([seed + 2]) * 1024


def make_cifar():
    c = Corpus("cifar")
    ten, hundred = record(3) + record(9, seed=7), record(7, 80)
    names = b"".join(b"class-%d\n" % i for i in range(10))
    c.ok("ten", ten + CUT + names)
    c.ok("ten-crlf", ten + CUT + names.replace(b"\n", b"\r\n") + b"\n\n")
    c.ok("ten-long-name", ten + CUT + b"l" * 100 + names[:-8] + b"nine")
    c.ok("hundred", hundred + CUT + b"".join(b"fine%d\n" % i for i in range(100)))
    c.ok("hundred-coarse", hundred + CUT + b"".join(b"coarse%d\n" % i for i in range(20)))
    c.ok("train", ten + CUT + names + CUT + b":train")
    c.ok("test", ten + CUT + names + CUT + b":test")
    c.bad("empty", b"")
    c.bad("part-of-empty", CUT + names + CUT + b":train")
    c.bad("no-names", ten)
    c.bad("names-nine", ten + CUT + names[8:])
    # Found by the fuzzer: a class whose name was empty.
    c.bad("names-zero-byte", ten + CUT + b"\0" + names)
    c.bad("names-coarse-of-ten", ten + CUT + names + b"coarse")
    c.bad("short", ten[:-1] + CUT + names)
    c.bad("long", ten + b"x" + CUT + names)
    c.bad("label-10", record(10) + CUT + names)
    c.bad("label-later", record(1) + record(200) + CUT + names)
    c.bad("coarse-label-20", record(20, 1) + CUT + names)
    c.bad("fine-label-100", record(1, 100) + CUT + names)
    c.bad("two-kinds", ten + CUT + names + CUT + b":train" + CUT + hundred)
    c.bad("second-short", ten + CUT + names + CUT + b":train" + CUT + ten[:-1])
    c.bad("part-unnamed", ten + CUT + names + CUT + b"/")
    c.bad("part-missing", ten + CUT + names + CUT + b":valid")
    c.bad("file-part", ten + CUT + names + CUT + b"/one.bin:train")


# ---- .npz ----------------------------------------------------------------------


def npz(*members, pack=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", pack) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, pack)
    return out.getvalue()


def make_npz():
    c = Corpus("npz")
    images = npy(header("'|u1'", shape="(2, 3, 4)"), bytes(24))
    labels = npy(header("'<i8'", shape="(2,)"), struct.pack("<2q", 1, 4))
    x, y = ("x.npy", images), ("y.npy", labels)

    def of_type(kind, code, *values, shape="(2,)"):
        return npy(header(f"'{kind}'", shape=shape), struct.pack(f"<{len(values)}{code}", *values))

    c.ok("images", npz(x))
    c.ok("labels", npz(x, y))
    c.ok("stored", npz(x, y, pack=zipfile.ZIP_STORED))
    c.ok("labels-first", npz(("labels.npy", labels), ("images.npy", images)))
    c.ok("unnamed", npz(("arr_0.npy", images), ("arr_1.npy", labels)))
    parts = (("x_train.npy", images), ("y_train.npy", labels), ("test_images.npy", images))
    c.ok("part", npz(*parts) + CUT + b":train")
    c.ok("part-before", npz(*parts) + CUT + b":test")
    c.ok("only-part", npz(("x_train.npy", images), ("train_labels.npy", labels)))
    c.ok("colour", npz(("x.npy", npy(header("'|u1'", shape="(2, 2, 2, 3)"), bytes(24)))))
    for kind, code in (("|i1", "b"), ("<i2", "h"), ("<i4", "i"), ("|u1", "B"), ("<u2", "H"), ("<u4", "I")):
        c.ok(f"labels-{kind[1:]}", npz(x, ("y.npy", of_type(kind, code, 0, 3))))
    c.ok("labels-column", npz(x, ("y.npy", of_type("<i4", "i", 0, 3, shape="(2, 1)"))))

    whole = npz(x, y)
    c.bad("empty", b"PK\5\6" + bytes(18))
    c.bad("start", b"PK\3\4")
    c.bad("cut", whole[:-30])
    c.bad("cut-directory", whole[:-60])
    stored = npz(x, y, pack=zipfile.ZIP_STORED)
    place = stored.index(b"\x93NUMPY") + 140
    c.bad("sum", stored[:place] + b"\1" + stored[place + 1:])
    place = whole.index(b"x.npy") + 9
    c.bad("damaged", whole[:place] + b"\xff\xff" + whole[place + 2:])
    flags = bytearray(whole)
    flags[flags.index(b"PK\1\2") + 8] |= 1
    flags[6] |= 1
    c.bad("encrypted", bytes(flags))
    method = bytearray(whole)
    method[method.index(b"PK\1\2") + 10] = 99
    method[8] = 99
    c.bad("method-99", bytes(method))
    for name, at, value in (("longer", 24, 100), ("shorter", 24, 200), ("huge", 27, 1), ("largest", 27, 255)):
        changed = bytearray(npz(x, pack=zipfile.ZIP_STORED if name == "longer" else zipfile.ZIP_DEFLATED))
        changed[changed.index(b"PK\1\2") + at] = value
        changed[at - 2] = value
        (c.either if name == "longer" else c.bad)(f"size-{name}", bytes(changed))
    c.bad("no-array", npz(x, ("notes.txt", b"text")))
    c.bad("short-name", npz((".npy", images)))
    c.bad("no-name", npz(("", images)))
    c.bad("other-name", npz(x, ("z.npy", images)))
    c.bad("near-name", npz(("x_.npy", images)))
    c.bad("joined-name", npz(("xtrain.npy", images)))
    c.bad("joined-behind", npz(("trainimages.npy", images)))
    c.bad("long-name", npz(("x_" + "n" * 90 + ".npy", images)))
    c.bad("twice", npz(x, ("images.npy", images)))
    c.bad("no-images", npz(y))
    c.bad("labels-fewer", npz(x, ("y.npy", of_type("<i8", "q", 1, shape="(1,)"))))
    c.bad("labels-negative", npz(x, ("y.npy", of_type("<i8", "q", 1, -1))))
    c.bad("labels-large", npz(x, ("y.npy", of_type("<u4", "I", 1, 4294967295))))
    c.bad("labels-real", npz(x, ("y.npy", of_type("<f4", "f", 1, 2))))
    c.bad("labels-true", npz(x, ("y.npy", of_type("|b1", "B", 1, 0))))
    c.bad("labels-u8", npz(x, ("y.npy", of_type("<u8", "Q", 1, 0))))
    c.bad("labels-rank-3", npz(x, ("y.npy", of_type("|u1", "B", 1, 2, shape="(2, 1, 1)"))))
    c.bad("labels-pairs", npz(x, ("y.npy", of_type("|u1", "B", 1, 2, 3, 4, shape="(2, 2)"))))
    c.bad("images-real", npz(("x.npy", of_type("<f4", "f", *range(4), shape="(1, 2, 2)"))))
    c.bad("images-damaged", npz(("x.npy", images[:-1])))
    c.bad("parts-unnamed", npz(*parts))
    c.bad("parts-and-whole", npz(x, *parts))
    c.bad("part-missing", npz(*parts) + CUT + b":valid")
    c.bad("part-of-whole", npz(x) + CUT + b":train")
    c.bad("part-empty", npz(x) + CUT + b":")
    many = tuple((f"x_{i}{'n' * 50}.npy", images) for i in range(12))
    c.bad("many-parts", npz(*many))
    c.bad("too-many", npz(*((f"x_{i}.npy", b"") for i in range(65))))


# ---- lists ---------------------------------------------------------------------


def make_list():
    c = Corpus("list")
    one = CUT + TINY
    c.ok("one", b"a.png\n" + one)
    c.ok("two", b"a.png\nb.png" + one)
    c.ok("classes", b"b.png\tdog\na.png\tcat\n./a.png\tcat" + one)
    c.ok("crlf", b"a.png\r\nb.png\r\n" + one)
    c.ok("mark", b"\xef\xbb\xbfa.png\n" + one)
    c.ok("blank-lines", b"\n\na.png\n\n" + one)
    c.ok("many", b"".join(b"a.png\n" if i == 0 else b"./" * i + b"a.png\n" for i in range(60)) + one)
    c.ok("many-classes", b"".join(b"./" * i + b"a.png\t%d\n" % (i % 7) for i in range(40)) + one)
    c.bad("empty", b"")
    c.bad("blank", b"\n" + one)
    c.bad("zero-byte", b"a.png\0\n" + one)
    c.bad("no-path", b"\tcat\n" + one)
    c.bad("no-class", b"a.png\t\n" + one)
    c.bad("two-tabs", b"a.png\tcat\tdog\n" + one)
    c.bad("class-missing", b"a.png\tcat\nb.png\n" + one)
    c.bad("class-too-many", b"a.png\nb.png\tcat\n" + one)
    c.bad("twice", b"a.png\nb.png\na.png\n" + one)
    c.bad("missing", b"c.png\n" + one)
    c.bad("elsewhere", b"/a.png\n" + one)
    c.bad("damaged", b"a.png\n" + CUT + TINY[:-20])
    c.bad("no-image", b"a.png\n" + CUT + b"text")


# ---- anything that images come in ----------------------------------------------


def make_source():
    c = Corpus("source")
    c.ok("png", TINY)
    for kind in ("jpeg", "webp"):
        c.ok(kind, (ROOT / kind / "ok-orientation-3").read_bytes())
    c.ok("npy", npy(header("'|u1'", shape="(2, 3, 4)"), bytes(24)))
    c.ok("npy-colour", npy(header("'|u1'", shape="(2, 2, 2, 3)"), bytes(24)))
    c.ok("idx", idx(2, 3, 4))
    c.ok("idx-packed", packed(idx(2, 3, 4)))
    c.ok("tar", member("a.png", TINY) + END)
    c.ok("tar-packed", packed(member("a.png", TINY) + END))
    c.ok("npz", npz(("x.npy", npy(header("'|u1'", shape="(2, 3, 4)"), bytes(24)))))

    c.bad("empty", b"")
    c.bad("text", b"hello")
    c.bad("packed-text", packed(b"hello"))
    c.bad("packed-cut", packed(b"hello")[:12])
    c.bad("packed-damaged", b"\x1f\x8b\x08\xff" + bytes(9))
    c.bad("png-part", TINY + CUT + b":train")
    c.bad("npy-floats", npy(header("'<f4'", shape="(2, 3, 1)"), bytes(24)))
    c.bad("npy-rank-2", npy(header("'|u1'", shape="(4, 6)"), bytes(24)))
    c.bad("npy-rank-5", npy(header("'|u1'", shape="(1, 1, 4, 6, 1)"), bytes(24)))
    c.bad("npy-channels", npy(header("'|u1'", shape="(3, 2, 2, 2)"), bytes(24)))
    c.bad("npy-flat", npy(header("'|u1'", shape="(3, 0, 2)")))
    c.bad("npy-narrow", npy(header("'|u1'", shape="(3, 2, 0)")))
    c.bad("npy-none", npy(header("'|u1'", shape="(0, 2, 2)")))
    c.bad("npy-damaged", b"\x93NUMPY\x09" + bytes(9))


# ---- settings ----------------------------------------------------------------


def make_settings():
    c = Corpus("settings")
    c.ok("nothing", b"")
    c.ok("empty-object", b"{}")
    c.ok("sections", b'{"model": {}, "train": {}, "data": {}, "run": 7}')
    full = {"model": {"height": 32, "quantizer": "gradient", "commitment": 0.5, "ema_start": "zero",
                      "level": [{"k": 16, "d": 4}, {"k": 8, "stride": 2}]},
            "train": {"steps": 10, "lr": 1e-3, "schedule": "cosine"},
            "data": {"height": 8, "width": 8, "flip": True}}
    c.ok("full", json.dumps(full).encode())
    c.ok("real-as-whole", b'{"model": {"commitment": 1}}')
    c.ok("escaped-name", b'{"mod\\u0065l": {"level": [{"\\u006b": 3}]}}')
    sets = (b"model.height=32\nmodel.commitment=0.1\nmodel.level.0.k=9\nmodel.level.1.d=3\n"
            b"model.quantizer=gradient\ntrain.lr=1e-5\ntrain.seed=3\ndata.flip=true\ndata.cache_mb=0")
    c.ok("set", CUT + sets)
    c.ok("preset", CUT + CUT + b"cifar10")
    c.ok("preset-and-more", b'{"model": {"height": 16}}' + CUT + b"train.lr=0.5" + CUT + b"tiny")
    c.bad("preset-near", CUT + CUT + b"cifar01")
    c.bad("preset-far", CUT + CUT + b"something else")
    c.ok("set-over-file", b'{"model": {"height": 16}}' + CUT + b"model.height=0")

    c.bad("no-json", b"{")
    c.bad("list", b"[]")
    c.bad("number", b"7")
    c.bad("section-twice", b'{"model": {}, "model": {}}')
    c.bad("section-unknown", b'{"modle": {}}')
    c.bad("section-list", b'{"data": []}')
    c.bad("section-null", b'{"train": null}')
    c.bad("name-unknown", b'{"train": {"lrr": 1}}')
    c.bad("name-long", b'{"train": {"' + b"l" * 300 + b'": 1}}')
    c.bad("name-control", b'{"train": {"l\\u001b[31mr": 1}}')
    c.bad("whole-real", b'{"train": {"steps": 1.5}}')
    c.bad("whole-range", b'{"train": {"steps": -1}}')
    c.bad("whole-huge", b'{"train": {"steps": 99999999999999999999}}')
    c.bad("real-text", b'{"train": {"lr": "fast"}}')
    c.bad("real-infinite", b'{"train": {"lr": 1e999}}')
    c.bad("real-range", b'{"train": {"lr": 1e9}}')
    c.bad("yes-number", b'{"data": {"flip": 1}}')
    c.bad("choice-unknown", b'{"model": {"quantizer": "best"}}')
    c.bad("choice-number", b'{"model": {"quantizer": 1}}')
    c.bad("choice-object", b'{"model": {"quantizer": {"' + b"a" * 200 + b'": 1}}}')
    c.bad("choice-list", b'{"model": {"quantizer": [' + b"1," * 100 + b"1]}}")
    c.bad("choice-long", b'{"model": {"quantizer": "' + b"a" * 200 + b'"}}')
    c.bad("level-object", b'{"model": {"level": {}}}')
    c.bad("level-none", b'{"model": {"level": []}}')
    c.bad("level-five", b'{"model": {"level": [{}, {}, {}, {}, {}]}}')
    c.bad("level-of-numbers", b'{"model": {"level": [1]}}')
    c.bad("level-range", b'{"model": {"level": [{"k": 0}]}}')
    for name, line in {
        "nothing": b"x", "no-section": b"lr=1", "dot-behind": b"lr=1.5", "section": b"lr.lr=1",
        "unknown": b"train.stepz=1", "unknown-data": b"data.hight=1", "unknown-model": b"model.kk=1",
        "no-value": b"train.steps=", "text": b"train.steps=many", "part-of-number": b"train.lr.x=1",
        "level": b"model.level=1", "level-no-number": b"model.level.x.k=1",
        "level-no-setting": b"model.level.0=1", "level-far": b"model.level.3.k=1",
        "level-beyond": b"model.level.9.k=1", "level-digits": b"model.level.0000000.k=1",
        "level-unknown": b"model.level.0.kk=1", "no-utf8": b"model.quantizer=\xff",
        "long": b"train." + b"l" * 300 + b"=1", "list": b"model.height=[1, 2]",
        "twice": b'model.level=[{"k": 1, "k": 2}]', "nan": b"train.lr=nan", "hex": b"train.lr=0x1",
        "run": b"run.data=x",
    }.items():
        c.bad(f"set-{name}", CUT + line)


# ---- figures of a run ----------------------------------------------------------


def lines_of(count, **more):
    out = b""
    for i in range(count):
        line = {"step": 10 * (i + 1), "epoch": 0.1 * i, "seconds": 0.5 * i, "loss": 1.0 / (i + 1),
                "nmse": 0.9 / (i + 1), "perplexity": 3.0 + i, "codes_used": 5, "lr": 1e-3,
                "images_per_second": 1000.5, **more}
        if i % 3 == 2:
            line.update(valid_nmse=0.8 / (i + 1), valid_loss=0.5, valid_psnr=20.25,
                        valid_perplexity=7.5, valid_codes_used=6)
        out += json.dumps(line).encode() + b"\n"
    return out


RUN = {"data": "/d", "valid": "/v", "init": "/m", "backend": "portable", "threads": 2, "images": 9,
       "held_out": 3}


def config(**run):
    return json.dumps({"model": {"level": [{"k": 7}, {"k": 9}]}, "train": {}, "data": {},
                       "run": {**RUN, **run}}).encode()


def run_seeds(c, many):
    c.ok("empty", b"")
    c.ok("one-line", lines_of(1))
    c.ok("lines", lines_of(6))
    c.ok("many", lines_of(many))
    c.ok("half-a-line", lines_of(4)[:-20])
    c.ok("damaged-line", lines_of(2) + b'{"step": 25, "lo\n' + b"[1]\n\n7\n" + lines_of(1))
    c.ok("zero-byte", lines_of(2) + b"\0" + lines_of(2))
    c.ok("no-utf8", b'{"step": "\xff"}\n' + lines_of(2))
    c.ok("texts", b'{"step": "one", "loss": null, "valid_nmse": "x"}\n' * 3)
    c.ok("extremes", b'{"step": 1, "loss": 1e308, "lr": -1e308, "valid_nmse": 5e-324}\n'
         b'{"step": 1e300, "loss": 5e-324, "lr": 1e308, "valid_nmse": 1e308}\n'
         b'{"step": -1e300, "loss": -1, "lr": 0, "valid_nmse": 0}\n')
    c.ok("alike", b'{"step": 3, "loss": 2, "lr": 0.5, "perplexity": 1}\n' * 3)
    c.ok("steps", b"".join(b'{"step": %s}\n' % step for step in (b"1", b"20", b"21", b"5.0", b"-3", b"null")))


def config_seeds(c):
    c.ok("config", lines_of(6) + CUT + config())
    c.ok("config-nulls", lines_of(2) + CUT + config(data=None, valid=None, init=None, backend=None))
    c.ok("config-mark", lines_of(2) + CUT + b"\xef\xbb\xbf" + config())
    newer = json.loads(config())
    newer["model"] = {"level": [{"k": 8, "more": 1}], "more": {}}
    newer["prior"] = {"more": []}
    c.ok("config-newer", lines_of(2) + CUT + json.dumps(newer).encode())
    c.bad("config-newer-wrong", CUT + json.dumps(newer).replace(': 8', ': "8"').encode())
    c.bad("config-none", lines_of(2) + CUT + b" ")
    c.bad("config-damaged", CUT + config()[:-3])
    c.bad("config-no-run", CUT + b'{"model": {}}')
    c.bad("config-run-list", CUT + b'{"run": []}')
    c.bad("config-settings", CUT + b'{"model": {"height": -1}, "run": {}}')
    c.bad("config-long", CUT + config(backend="b" * 40))
    c.bad("config-threads", CUT + config(threads=-1))
    c.bad("config-images", CUT + config(images=3))


def make_metrics():
    run_seeds(Corpus("metrics"), 12)


def make_report():
    c = Corpus("report")
    run_seeds(c, 40)
    config_seeds(c)
    c.ok("more-than-bins", b"".join(b'{"step":%d,"lr":%d}\n' % (i, i % 7) for i in range(700)))


# ---- command lines -----------------------------------------------------------


def make_options():
    c = Corpus("options")

    def line(*words):
        return "\n".join(words).encode()

    c.ok("train", line("train", "images", "-o", "run"))
    c.ok("train-many", line("train", "images", "--out=run", "--set", "train.lr=1", "--set", "data.flip=true",
                            "--steps", "10", "--batch=4", "--resume", "-q", "--json", "--threads", "2"))
    c.ok("short-joined", line("train", "images", "-orun"))
    c.ok("help", line("train", "--help"))
    c.ok("help-letter", line("eval", "-h"))
    c.ok("dashes", line("eval", "--", "-model", "--data"))
    c.ok("single-dash", line("eval", "-", "-"))
    c.ok("choice", line("bench", "train", "--backend", "portable"))
    c.ok("inspect", line("inspect", "model", "--plan"))
    c.ok("presets", line("presets"))
    c.ok("report", line("report", "a", "b", "--out", "page.html"))
    c.ok("every-type", line("every", "x", "--flag", "--text=a", "--must", "b", "--list", "c", "--list=d",
                            "--whole", "-3", "--real", "1e-3", "--pick", "two", "--word", "one"))
    for word in ("x", "", "1x", "nan", "inf", "-1", "2.5"):
        c.bad("real-" + (word or "empty"), line("every", "x", "--must", "b", "--real", word))
    c.bad("pick-near", line("every", "x", "--must", "b", "--pick", "tow"))
    c.bad("word-far", line("every", "x", "--must", "b", "--word", "nothing like it"))
    c.bad("word-empty", line("every", "x", "--must", "b", "--word", ""))
    c.bad("must-missing", line("every", "x"))
    c.bad("empty", b"")
    c.bad("verb", line("trian"))
    c.ok("no-operand", line("train", "-o", "run"))
    c.bad("few-operands", line("eval", "model"))
    c.bad("too-many", line("decode", "a", "b", "c"))
    c.bad("required", line("train", "a"))
    c.bad("unknown", line("train", "a", "-o", "r", "--stpes", "3"))
    c.bad("unknown-far", line("train", "a", "--qqqqqqqqqqqqqqqq"))
    c.bad("unknown-long", line("train", "a", "--" + "s" * 200))
    c.bad("letter", line("train", "a", "-Z"))
    c.bad("no-value", line("train", "a", "-o"))
    c.bad("no-number", line("train", "a", "-o", "r", "--steps", "many"))
    c.bad("number-and-more", line("train", "a", "-o", "r", "--steps", "3x"))
    c.bad("number-low", line("train", "a", "-o", "r", "--steps", "0"))
    c.bad("number-high", line("train", "a", "-o", "r", "--threads", "1025"))
    c.bad("number-huge", line("train", "a", "-o", "r", "--steps", "99999999999999999999"))
    c.bad("flag-value", line("train", "a", "-o", "r", "--resume=yes"))
    c.bad("flag-joined", line("train", "a", "-o", "r", "-qx"))
    c.bad("choice-unknown", line("bench", "train", "--backend", "fast"))
    c.bad("dashes-only", line("train", "--"))
    c.bad("equals-only", line("train", "a", "--=3"))
    c.bad("not-utf8", b"train\n\xff\n--\xfe")


def main():
    for make in (make_safetensors, make_npy, make_idx, make_png, make_jpeg, make_webp, make_tar, make_cifar,
                 make_npz, make_list, make_source,
                 make_settings, make_metrics, make_report, make_options):
        make()
    files = [f for f in ROOT.rglob("*") if f.is_file()]
    print(f"{len(files)} files, {sum(f.stat().st_size for f in files)} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Compares the column "reference" of the tables in tests/tables with the reference readers, and what
numpy reads with what we say that we read.

    python check_tables.py safetensors|npy TABLE
"""

import csv
import io
import re
import sys
import warnings

import numpy as np
from safetensors import SafetensorError, deserialize


def unescape(cell):
    return re.sub(rb"\\x(..)", lambda byte: bytes.fromhex(byte[1].decode()), cell.encode())


def cut(told, file):
    return file[:int(told.split()[1])] if told.startswith("first") else file


def safetensors_file(row):
    header, told = unescape(row["header"]), row["length"]
    length = int(told) if told.isdigit() else len(header)
    return cut(told, length.to_bytes(8, "little") + header + bytes(range(int(row["data"]))))


def safetensors_right(row):
    try:
        deserialize(safetensors_file(row))
    except SafetensorError:
        return row["reference"] == "refuses"
    return row["reference"] == "accepts"


def npy_file(row):
    header, told = unescape(row["header"]), row["start"]
    if told in ("2.0", "3.0"):
        start = b"\x93NUMPY" + bytes([int(told[0]), 0]) + len(header).to_bytes(4, "little")
    elif told == "-" or told.startswith("first"):
        start = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little")
    else:
        start = unescape(told)
    return cut(told, start + header + bytes(range(int(row["data"]))))


def npy_right(row):
    try:
        array = np.load(io.BytesIO(npy_file(row)), allow_pickle=False)
    except Exception:  # numpy lets those of Python's parser through
        return row["reference"] == "refuses"
    numbers = array.astype(array.dtype.newbyteorder("<")).tobytes()
    extents = ",".join(map(str, array.shape))
    content = "%s%d[%s]:%s" % (array.dtype.kind, array.dtype.itemsize, extents, numbers.hex())
    return row["reference"] == "accepts" and (row["ours"] != "accepts" or row["sentence"] == content)


def main():
    kind, path = sys.argv[1:]
    warnings.simplefilter("ignore")  # numpy speaks of old headers
    right = {"safetensors": safetensors_right, "npy": npy_right}[kind]
    with open(path, encoding="ascii", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    wrong = [row["case"] for row in rows if not right(row)]
    print("%d cases, %d of them wrong" % (len(rows), len(wrong)), *wrong, sep="\n")
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.exit(main())

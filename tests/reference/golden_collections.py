# SPDX-License-Identifier: Apache-2.0
"""Collections of images in one file, as numpy and the CIFAR format write them, and what they hold."""

import io
import warnings
import zipfile

import numpy as np


def content(data):
    return np.frombuffer(data, np.uint8)


def cifar(rng, n, label_counts):
    """Records of labels and planes; returns bytes, pixels (n,32,32,3) and labels (n, len)."""
    labels = np.stack([rng.integers(0, count, n) for count in label_counts], 1).astype(np.uint8)
    labels[0] = [count - 1 for count in label_counts]
    planes = rng.integers(0, 256, (n, 3, 32, 32)).astype(np.uint8)
    records = np.concatenate([labels, planes.reshape(n, -1)], 1)
    return records.tobytes(), planes.transpose(0, 2, 3, 1), labels.astype(np.int32)


def npz(packed=False, **arrays):
    to = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(to, **arrays)
    return to.getvalue()


def npy(array):
    to = io.BytesIO()
    np.save(to, array)
    return to.getvalue()


def zipped(members, method=zipfile.ZIP_STORED):
    to = io.BytesIO()
    warnings.simplefilter("ignore")  # about one name twice, which is wanted here
    with zipfile.ZipFile(to, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return to.getvalue()


def npz_files(rng):
    """Name, bytes, part to ask for, images and labels."""
    grey = rng.integers(0, 256, (5, 4, 6)).astype(np.uint8)
    colour = rng.integers(0, 256, (3, 5, 4, 3)).astype(np.uint8)
    other = rng.integers(0, 256, (2, 5, 4, 3)).astype(np.uint8)
    y5, y3, y2 = np.array([3, 0, 1, 1, 9]), np.array([2, 2, 7]), np.array([1, 300])
    yield "xy", npz(x=grey, y=y5), "", grey, y5
    yield "packed", npz(True, images=colour, labels=y3.astype(">i2")), "", colour, y3
    to = io.BytesIO()
    np.savez(to, colour, y3.astype(np.uint8))
    yield "unnamed", to.getvalue(), "", colour, y3
    yield "alone", npz(x=grey), "", grey, None
    yield "fortran", npz(x=np.asfortranarray(colour), y=y3.astype(np.int32)), "", colour, y3
    parts = npz(x_train=colour, y_train=y3, x_test=other, y_test=y2)
    yield "parts_train", parts, "train", colour, y3
    yield "parts_test", parts, "test", other, y2
    yield "before", npz(True, train_images=colour, train_labels=y3.reshape(3, 1).astype(np.uint8),
                        val_images=other), "train", colour, y3
    yield "one_part", npz(x_train=other, y_train=y2), "", other, y2


def refused_npz(rng):
    grey = rng.integers(0, 256, (5, 4, 6)).astype(np.uint8)
    good = npz(x=grey, y=np.arange(5))
    packed = zipped([("x.npy", npy(np.zeros((50, 8, 8), np.uint8)))], zipfile.ZIP_DEFLATED)
    at = good.index(b"NUMPY") + 200  # within the pixels of x
    flipped = good[:at] + bytes([good[at] ^ 1]) + good[at + 1:]
    flags = bytearray(good)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        flags[good.index(mark) + offset] |= 1

    def claiming(size):
        """The same member, said to be of another size in both of its headers."""
        claims = bytearray(packed)
        for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
            field = packed.index(mark) + offset
            claims[field:field + 4] = size.to_bytes(4, "little")
        return bytes(claims)

    objects = np.array([1, "two", 3, 4, 5], dtype=object)
    return {
        "unknown": npz(x=grey, weights=np.arange(5)),
        "floats": npz(x=grey.astype(np.float32)),
        "vectors": npz(x=grey[0]),
        "channels": npz(x=rng.integers(0, 256, (2, 3, 8, 8)).astype(np.uint8)),
        "few_labels": npz(x=grey, y=np.arange(4)),
        "many_labels": npz(x=grey, y=np.arange(6)),
        "negative": npz(x=grey, y=np.array([0, 1, -1, 2, 3])),
        "large_label": npz(x=grey, y=np.array([0, 1, 1 << 20, 2, 3])),
        "one_hot": npz(x=grey, y=np.eye(5, dtype=np.int64)),
        "float_labels": npz(x=grey, y=np.arange(5.0)),
        "objects": npz(x=grey, y=objects),
        "both": npz(x=grey, images=grey),
        "no_images": npz(y=np.arange(5)),
        "nothing": zipped([]),
        "text": zipped([("x.npy", npy(grey)), ("readme.txt", b"hello")]),
        "twice": zipped([("x.npy", npy(grey)), ("x.npy", npy(grey))]),
        "no_npy": zipped([("x.npy", b"hello, world")]),
        "empty_array": zipped([("x.npy", b"")]),
        "zero_images": npz(x=grey[:0]),
        "flipped": flipped,
        "cut": good[:len(good) // 2],
        "encrypted": bytes(flags),
        "claims_much": claiming(1 << 30),
        "claims_more": claiming(3329),
        "claims_less": claiming(3327),
        "parts": npz(x_train=grey, x_test=grey),
    }


def write_all(golden):
    rng = np.random.default_rng(2009)
    arrays = {}
    for name, counts in (("cifar10", (10,)), ("cifar100", (20, 100))):
        data, pixels, labels = cifar(rng, 3, counts)
        arrays |= {f"{name}.file": content(data), f"{name}.pixels": pixels,
                   f"{name}.labels": labels}
    golden.write("collections_cifar", "collections", arrays, 0, 0, "input")
    arrays = {}
    for name, data, part, pixels, labels in npz_files(rng):
        shape = pixels.shape if pixels.ndim == 4 else pixels.shape + (1,)
        arrays |= {f"{name}.file": content(data), f"{name}.pixels": pixels.reshape(shape),
                   f"{name}.part": content(part.encode() + b"\0")}
        if labels is not None:
            arrays[f"{name}.labels"] = labels.astype(np.int32)
    golden.write("collections_npz", "collections", arrays, 0, 0, "input")
    golden.write("collections_refused", "collections",
                 {name: content(data) for name, data in refused_npz(rng).items()}, 0, 0, "input")

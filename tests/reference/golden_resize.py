# SPDX-License-Identifier: Apache-2.0
"""Images scaled by Pillow: what data.filter and data.fit are held against."""

import numpy as np
from PIL import Image

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}
# Height and width: larger, smaller, both at once, by whole and by odd factors, to one pixel.
SIZES = [(34, 46), (13, 7), (9, 40), (50, 5), (1, 1), (17, 23), (8, 11)]


def scene(height, width, channels, seed):
    """Waves, noise and hard edges, so that filters overshoot and rounding shows."""
    rng = np.random.default_rng(seed)
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    smooth = 127 + 90 * np.sin(0.7 * x + c) * np.cos(0.4 * y)
    image = smooth + rng.integers(-40, 40, smooth.shape)
    image[height // 3:height // 2, width // 4:] = 255
    image[:, 2:4] = 0
    return np.clip(image, 0, 255).astype(np.uint8)


def picture(array):
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def scaled(array, height, width, resample):
    result = np.asarray(picture(array).resize((width, height), resample))
    return result.reshape(height, width, -1)


def rounded(value):
    return int(np.floor(value + 0.5))


def crop(array, height, width, resample):
    """Short side scaled, then the middle."""
    h, w = array.shape[:2]
    scale = max(height / h, width / w)
    whole = scaled(array, max(height, rounded(h * scale)), max(width, rounded(w * scale)), resample)
    top, left = (whole.shape[0] - height) // 2, (whole.shape[1] - width) // 2
    return whole[top:top + height, left:left + width]


def pad(array, height, width, resample):
    """Long side scaled, then the edge repeated."""
    h, w = array.shape[:2]
    scale = min(height / h, width / w)
    inner = scaled(array, min(height, max(1, rounded(h * scale))),
                   min(width, max(1, rounded(w * scale))), resample)
    top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
    return np.pad(inner, ((top, height - inner.shape[0] - top),
                          (left, width - inner.shape[1] - left), (0, 0)), mode="edge")


def fits():
    arrays = {}
    inputs = [scene(19, 31, 3, 3), scene(70, 22, 1, 4)]  # the second: rows before columns
    for i, image in enumerate(inputs):
        arrays[f"input.{i}"] = image
        for height, width in ((16, 16), (8, 20), (48, 24)):
            size = f"{i}.{height}x{width}"
            arrays[f"crop.bilinear.{size}"] = crop(image, height, width, FILTERS["bilinear"])
            arrays[f"crop.lanczos.{size}"] = crop(image, height, width, FILTERS["lanczos"])
            arrays[f"pad.bicubic.{size}"] = pad(image, height, width, FILTERS["bicubic"])
            arrays[f"stretch.box.{size}"] = scaled(image, height, width, FILTERS["box"])
    return arrays


def write_all(golden):
    arrays = {}
    for i, image in enumerate((scene(17, 23, 3, 1), scene(29, 6, 1, 2))):
        arrays[f"input.{i}"] = image
        for name, resample in FILTERS.items():
            for height, width in SIZES:
                arrays[f"stretch.{name}.{i}.{height}x{width}"] = scaled(image, height, width,
                                                                       resample)
    bound = "Pillow's 8 bits between two passes; one level where a sum ends at a half"
    golden.write("resize_filters", "resize", arrays, 0, 1, bound)
    golden.write("resize_fits", "resize", fits(), 0, 1, bound)

# SPDX-License-Identifier: Apache-2.0
"""Small picture files of every kind, each with the pixels that it shows.

PNG files are written here, because Pillow writes few of their kinds, and their pixels follow from
what was put in; Pillow reads them too wherever it can, and must agree. JPEG and WebP files are
written and read by Pillow.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
# First row, first column, steps down and across of the seven passes (PNG 1.2, 2.6).
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
         (1, 0, 2, 1)]


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def packed_rows(samples, depth):
    """Rows of samples (h,w,c) as PNG stores them, each behind filter 0."""
    if 0 in samples.shape:
        return b""
    rows = samples.reshape(samples.shape[0], -1)
    if depth == 16:
        packed = rows.astype(">u2").view(np.uint8).reshape(rows.shape[0], -1)
    elif depth == 8:
        packed = rows.astype(np.uint8)
    else:
        shifts = np.arange(depth - 1, -1, -1)
        packed = np.packbits(((rows[..., None] >> shifts) & 1).reshape(rows.shape[0], -1)
                             .astype(np.uint8), axis=1)
    return np.insert(packed, 0, 0, axis=1).tobytes()


def png(samples, depth, kind, interlaced, palette=None, transparency=None, exif=None):
    height, width = samples.shape[:2]
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind,
                                                            0, 0, int(interlaced)))
    if palette is not None:
        out += chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    if transparency is not None:
        out += chunk(b"tRNS", transparency)
    if exif is not None:
        out += chunk(b"eXIf", exif)
    if interlaced:
        data = b"".join(packed_rows(samples[y::dy, x::dx], depth) for y, x, dy, dx in ADAM7)
    else:
        data = packed_rows(samples, depth)
    return out + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


def over_white(colour, alpha, top):
    """Values 0..top over white, as 0..255."""
    value = colour.astype(np.float64) / top
    share = alpha.astype(np.float64) / top
    return np.floor(255 * (value * share + 1 - share) + 0.5).astype(np.uint8)


def shown_by_pillow(content, channels):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA"))
        return over_white(rgba[..., :channels], rgba[..., 3:], 255)
    image = image.convert("L" if channels == 1 else "RGB")
    return np.asarray(image).reshape(image.height, image.width, channels)


def samples_of(rng, depth, channels, height=9, width=11):
    return rng.integers(0, 1 << depth, (height, width, channels))


def png_kinds(rng):
    """Name, arguments of png(), pixels, and whether Pillow keeps all bits of it."""
    for depth in (1, 2, 4, 8, 16):
        top = (1 << depth) - 1
        grey = samples_of(rng, depth, 1)
        opaque = np.full_like(grey, top)
        yield f"grey{depth}", (grey, depth, GREY), {}, over_white(grey, opaque, top), depth < 16
        key = int(grey[4, 5, 0])
        alpha = np.where(grey == key, 0, top)
        yield (f"grey{depth}_key", (grey, depth, GREY), {"transparency": struct.pack(">H", key)},
               over_white(grey, alpha, top), depth == 8)
    for depth in (8, 16):
        top = (1 << depth) - 1
        for name, kind, channels in (("rgb", RGB, 3), ("grey_alpha", GREY_ALPHA, 2),
                                     ("rgba", RGBA, 4)):
            values = samples_of(rng, depth, channels)
            colour = values if kind == RGB else values[..., :-1]
            alpha = np.full_like(values[..., :1], top) if kind == RGB else values[..., -1:]
            yield (f"{name}{depth}", (values, depth, kind), {}, over_white(colour, alpha, top),
                   depth == 8)
        colour = samples_of(rng, depth, 3)
        colour[2:5, 3:6] = colour[0, 0]
        alpha = np.where((colour == colour[0, 0]).all(2, keepdims=True), 0, top)
        yield (f"rgb{depth}_key", (colour, depth, RGB),
               {"transparency": struct.pack(">3H", *(int(c) for c in colour[0, 0]))},
               over_white(colour, alpha, top), depth == 8)
    for depth in (1, 2, 4, 8):
        index = samples_of(rng, depth, 1)
        palette = rng.integers(0, 256, (1 << depth, 3))
        yield (f"palette{depth}", (index, depth, PALETTE), {"palette": palette},
               palette[index[..., 0]].astype(np.uint8), True)
        alpha = rng.integers(0, 256, (1 << depth) - 1).astype(np.uint8)
        every = np.append(alpha, 255)
        yield (f"palette{depth}_alpha", (index, depth, PALETTE),
               {"palette": palette, "transparency": alpha.tobytes()},
               over_white(palette[index[..., 0]], every[index], 255), True)


def orientation_tag(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif.tobytes()


def png_files(rng):
    arrays = {}
    for name, arguments, options, pixels, pillow_reads in png_kinds(rng):
        for interlaced in (False, True):
            content = png(*arguments, interlaced, **options)
            if pillow_reads:
                assert (shown_by_pillow(content, pixels.shape[2]) == pixels).all(), name
            add(arrays, name + ("_interlaced" if interlaced else ""), content, pixels)
    colour = samples_of(rng, 8, 3, 3, 5)
    for value in range(1, 9):
        content = png(colour, 8, RGB, False, exif=orientation_tag(value)[6:])
        add(arrays, f"orientation{value}", content, shown_by_pillow(content, 3))
    return arrays


def add(arrays, name, content, pixels):
    arrays[f"{name}.file"] = np.frombuffer(content, np.uint8)
    arrays[f"{name}.pixels"] = pixels.astype(np.uint8)


def saved(image, **options):
    to = io.BytesIO()
    image.save(to, **options)
    return to.getvalue()


def waves(height, width, channels, shift=0.0):
    """Smooth, as photographs are: JPEG and lossy WebP keep it."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    return np.round(127.5 + 120 * np.sin(0.31 * x + 1.7 * c + shift)
                    * np.cos(0.23 * y - 0.6 * c)).astype(np.uint8)


def as_ycck(content):
    """The same data under Adobe's other transform: 2 instead of 0 (Adobe TN 5116, 18)."""
    at = content.index(b"\xff\xee\x00\x0eAdobe") + 15
    assert content[at] == 0
    return content[:at] + b"\x02" + content[at + 1:]


def jpeg_files():
    arrays = {}
    colour = Image.fromarray(waves(21, 27, 3))
    grey = Image.fromarray(waves(21, 27, 1)[..., 0])
    inks = Image.fromarray(waves(18, 22, 4), "CMYK")
    files = {
        "rgb": saved(colour, format="JPEG", quality=92, subsampling=0),
        "rgb_420": saved(colour, format="JPEG", quality=80, subsampling=2),
        "rgb_422_progressive": saved(colour, format="JPEG", quality=85, subsampling=1,
                                     progressive=True),
        "rgb_kept": saved(colour, format="JPEG", quality=90, keep_rgb=True),
        "restarts": saved(colour, format="JPEG", quality=90, restart_marker_blocks=2),
        "grey": saved(grey, format="JPEG", quality=90),
        "grey_progressive": saved(grey, format="JPEG", quality=60, progressive=True),
        "cmyk": saved(inks, format="JPEG", quality=93),
        "cmyk_progressive": saved(inks, format="JPEG", quality=93, progressive=True),
    }
    files["ycck"] = as_ycck(files["cmyk"])
    small = Image.fromarray(waves(9, 14, 1)[..., 0])
    for value in range(1, 9):
        files[f"orientation{value}"] = saved(small, format="JPEG", quality=90,
                                             exif=orientation_tag(value))
    for name, content in files.items():
        channels = 1 if Image.open(io.BytesIO(content)).mode == "L" else 3
        add(arrays, name, content, shown_by_pillow(content, channels))
    return arrays


def webp_files(rng):
    arrays = {}
    colour = Image.fromarray(waves(19, 23, 3))
    alpha = np.round(waves(19, 23, 1, 2.0)).astype(np.uint8)
    clear = Image.fromarray(np.concatenate([waves(19, 23, 3), alpha], 2))
    files = {
        "lossy": saved(colour, format="WEBP", quality=80),
        "lossy_alpha": saved(clear, format="WEBP", quality=80),
        "lossless": saved(colour, format="WEBP", lossless=True),
        "lossless_alpha": saved(clear, format="WEBP", lossless=True, exact=True),
    }
    small = Image.fromarray(samples_of(rng, 8, 3, 3, 5).astype(np.uint8))
    for value in range(1, 9):
        files[f"orientation{value}"] = saved(small, format="WEBP", lossless=True,
                                             exif=orientation_tag(value))
    for name, content in files.items():
        add(arrays, name, content, shown_by_pillow(content, 3))
    return arrays


def with_jpeg_size(content, height, width):
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4:]


def without_adobe(content):
    at = content.index(b"\xff\xee\x00\x0eAdobe")
    return content[:at] + content[at + 16:]


def many_scans(n):
    """A progressive image whose first scan, of the lowest frequency, stands there n times."""
    content = saved(Image.fromarray(waves(8, 8, 1)[..., 0]), format="JPEG", progressive=True)
    begin = content.index(b"\xff\xda")
    end = content.index(b"\xff", begin + 2 + 8)
    return content[:end] + content[begin:end] * (n - 1) + content[end:]


def damaged(content, at):
    return content[:at] + bytes([content[at] ^ 0xff]) + content[at + 1:]


def refused_files(rng):
    grey = samples_of(rng, 8, 1)
    plain = png(grey, 8, GREY, False)
    idat = plain.index(b"IDAT")
    header = plain[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, RGB, 0, 0, 0))
    wide = plain[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 16384, 16384, 8, GREY, 0, 0, 0))
    colour = waves(16, 24, 3)
    jpeg = saved(Image.fromarray(colour), format="JPEG", quality=90)
    inks = saved(Image.fromarray(waves(16, 16, 4), "CMYK"), format="JPEG", quality=90)
    webp = saved(Image.fromarray(colour), format="WEBP", lossless=True)
    at = webp.index(b"VP8L") + 9  # 14 bits of width - 1, 14 of height - 1
    huge = webp[:at] + struct.pack("<I", 0x0fffffff) + webp[at + 4:]
    frames = [Image.fromarray(waves(8, 8, 3, t)) for t in (0.0, 1.0)]
    files = {
        "png_60000": header + plain[33:],
        "png_few_bytes": wide + plain[33:],
        "png_damaged": damaged(plain, idat + 14),
        "png_no_pixels": plain[:idat - 4] + chunk(b"IEND", b""),
        "png_no_palette": png(grey, 8, PALETTE, False),
        "png_depth": plain[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 11, 9, 3, GREY, 0, 0, 0))
        + plain[33:],
        "jpeg_65500": with_jpeg_size(jpeg, 65500, 65500),
        "jpeg_few_bytes": with_jpeg_size(jpeg, 16000, 16000),
        "jpeg_cut": jpeg[:len(jpeg) * 2 // 3],
        "jpeg_cut_and_ended": jpeg[:len(jpeg) * 2 // 3] + b"\xff\xd9",
        "jpeg_no_tables": jpeg[:2] + jpeg[jpeg.index(b"\xff\xc0"):],
        "jpeg_cmyk_unmarked": without_adobe(inks),
        "jpeg_scans": many_scans(501),
        "webp_animated": saved(frames[0], format="WEBP", save_all=True, append_images=frames[1:]),
        "webp_few_bytes": huge,
        "webp_cut": webp[:len(webp) - 20],
        "webp_damaged": webp[:at + 4] + bytes(b ^ 0x5a for b in webp[at + 4:]),
        "gif": saved(Image.fromarray(colour), format="GIF"),
        "bmp": saved(Image.fromarray(colour), format="BMP"),
        "tiff": saved(Image.fromarray(colour), format="TIFF"),
    }
    return {name: np.frombuffer(content, np.uint8) for name, content in files.items()}


def write_all(golden):
    rng = np.random.default_rng(1996)
    golden.write("pictures_png", "pictures", png_files(rng), 0, 0, "lossless; alpha rounded once")
    golden.write("pictures_jpeg", "pictures", jpeg_files(), 0, 1,
                 "the same integer transform; one level where colours are mixed otherwise")
    golden.write("pictures_webp", "pictures", webp_files(rng), 0, 0,
                 "the format fixes every bit; alpha rounded once")
    golden.write("pictures_refused", "pictures", refused_files(rng), 0, 0, "input")

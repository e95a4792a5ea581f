"""One picture: read, made plain, brought to a size."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from partedvae.data.dataset import DataError
from partedvae.data.reading import Size

Array = NDArray[Any]

SUFFIXES = {".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".gif"}

# Of what Pillow knows, no format that takes another program to be read, as EPS does.
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_GREY_MODES = {"1", "L", "I", "I;16", "I;16B", "I;16L", "F"}
_SIXTEEN_BITS = ("PNG", "PPM")  # which Pillow opens as 32, but has scaled to 16
_OF_32_BITS = "its grey is of 32 bits, and nothing says what is black and what white; 8 or 16 are read"
_TRANSPARENT_GREY = {"1", "L", "LA", "La"}
_ALPHA_MODES = {"LA", "PA", "RGBA", "La", "RGBa"}
MOST_CHANNELS = 4
FURTHER = "further"
"""In a picture's ``info``: its file holds further pages or frames, which are not read."""

DARK = 64  # of 255: pictures none of which is as bright make one wonder
WHITE = "In files, bring white to 255, or to 65535 in those of 16 bits."
_LONGEST = 4096  # pixels of a side: 16 million in each picture
_BILINEAR = Image.Resampling.BILINEAR


def parse_size(text: str) -> Size:
    """``64`` or ``64x48`` (height × width).

    >>> parse_size("64x48")
    (64, 48)
    """
    parts = text.lower().split("x")
    if not all(part.isdigit() and int(part) > 0 for part in parts) or len(parts) > 2:
        raise DataError(f"--size {text}: should be a number of pixels, or height x width, as in 64 or 64x48.")
    size = int(parts[0]), int(parts[-1])
    if max(size) > _LONGEST:
        raise DataError(f"--size {text}: at most {_LONGEST:,} pixels a side; models of pictures see some hundred.")
    return size


def read_picture(file: Path | IO[bytes], name: object = None) -> Image.Image:
    """A picture of 8-bit grey (mode L) or colour (mode RGB).

    A grey one of 16 bits keeps its upper 8; a transparent one is laid over white; a palette or CMYK becomes RGB. Of
    several pages or frames it is the first, with ``FURTHER`` in its ``info``.

    Raises:
        DataError: it is no picture, damaged, so large that it may be meant to fill the memory, or grey of numbers that
            8 bits cannot stand for.
    """
    called = file if name is None else name
    try:
        if isinstance(file, Path) and file.exists() and not file.is_file():
            raise ValueError("it is no regular file")  # a pipe would be waited for
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata, mostly; what cannot be read is an error
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=_FORMATS) as image:
                image.load()
                if image.mode == "I" and image.format not in _SIXTEEN_BITS:
                    raise ValueError(_OF_32_BITS)
                ImageOps.exif_transpose(image, in_place=True)  # as the camera was held
                further = _goes_on(image)
                plain = _plain(image)
                plain.info = {FURTHER: True} if further else {}
                return plain
    except UnidentifiedImageError:
        raise DataError(f"{called} is not a picture that can be read.") from None
    except Exception as error:  # decoders meet damage with errors of many kinds
        reason = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        raise DataError(f"{called} cannot be read: {reason}") from None


def of_mode(image: Image.Image, mode: str) -> Image.Image:
    """A picture in another mode; one that has it already is not copied."""
    return image if image.mode == mode else image.convert(mode)


def fit_to(image: Image.Image, size: Size | None, pad: bool) -> Image.Image:
    """A picture at (height, width): stretched, or with its proportions kept and the rest filled with black."""
    if size is None or image.size == (size[1], size[0]):
        return image
    target = (size[1], size[0])
    if not pad:
        return image.resize(target, _BILINEAR)
    scale = min(target[0] / image.width, target[1] / image.height)
    inside = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))  # a line stays one
    return ImageOps.pad(image.resize(inside, _BILINEAR), target)


def resize(images: Array, size: Size, pad: bool = False) -> Array:
    """Images of uint8, (N, H, W) or (N, H, W, C), at another size; bilinear.

    >>> resize(np.zeros((5, 8, 8, 1), dtype=np.uint8), (16, 12)).shape
    (5, 16, 12, 1)
    """
    if images.shape[1:3] == size:
        return images
    if images.ndim == 3:
        return np.stack([np.asarray(fit_to(Image.fromarray(image), size, pad)) for image in images])
    if images.shape[3] > MOST_CHANNELS:
        raise DataError(f"--size: pictures should be (N, H, W) or (N, H, W, C); these are {images.shape}.")
    # One channel at a time, as of two or four the last would be taken for transparency.
    return np.stack([resize(channel, size, pad) for channel in np.moveaxis(images, 3, 0)], axis=3)


def in_unit_range(x: Array) -> Array:
    """Pictures of bytes in [0, 1], as a model gives them back; all else as it is.

    >>> in_unit_range(np.full((1, 1, 1), 51, dtype=np.uint8))
    array([[[0.2]]])
    """
    return x / 255 if x.dtype == np.uint8 and x.ndim > 2 else x


def _goes_on(image: Image.Image) -> bool:
    """Whether there are further pages or frames; damage behind the first is not the first's."""
    with suppress(Exception):
        return bool(getattr(image, "is_animated", False))
    return False


def _plain(image: Image.Image) -> Image.Image:
    """Grey of 8 bits, or RGB."""
    if image.mode in _GREY_MODES and "transparency" not in image.info:
        if image.mode in ("1", "L"):
            return of_mode(image, "L")
        values = np.asarray(image)
        if values.dtype.kind == "f" or values.min() < 0 or values.max() > 65535:
            raise ValueError(_OF_32_BITS)
        return Image.fromarray((values / 257).round().astype(np.uint8))  # the upper 8 bits
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        over = image.convert("RGBA")
        shown = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
        return shown.convert("L" if image.mode in _TRANSPARENT_GREY else "RGB")
    return of_mode(image, "RGB")

"""One picture: read, made plain, brought to a size."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from partedvae.data.dataset import DataError
from partedvae.data.reading import Size

Array = NDArray[Any]

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"}

_GREY_MODES = {"1", "L", "I", "I;16", "I;16B", "I;16L", "F"}
_ALPHA_MODES = {"LA", "PA", "RGBA", "La", "RGBa"}
_BILINEAR = Image.Resampling.BILINEAR


def parse_size(text: str) -> Size:
    """``64`` or ``64x48`` (height × width).

    >>> parse_size("64x48")
    (64, 48)
    """
    parts = text.lower().split("x")
    if not all(part.isdigit() and int(part) > 0 for part in parts) or len(parts) > 2:
        raise DataError(f"--size {text}: should be a number of pixels, or height x width, as in 64 or 64x48.")
    return int(parts[0]), int(parts[-1])


def read_picture(file: Path | IO[bytes], name: object = None) -> Image.Image:
    """A picture of 8-bit grey (mode L) or colour (mode RGB).

    A grey one of 16 bits keeps its upper 8; a transparent one is laid over white; a palette or CMYK becomes RGB.

    Raises:
        DataError: it is no picture, damaged, or so large that it may be meant to fill the memory.
    """
    called = file if name is None else name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                image.load()
                return _plain(image)
    except UnidentifiedImageError:
        raise DataError(f"{called} is not a picture that can be read.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{called} cannot be read: {error}") from None


def fit_to(image: Image.Image, size: Size | None, pad: bool) -> Image.Image:
    """A picture at (height, width): stretched, or with its proportions kept and the rest filled with black."""
    if size is None or image.size == (size[1], size[0]):
        return image
    target = (size[1], size[0])
    return ImageOps.pad(image, target, _BILINEAR) if pad else image.resize(target, _BILINEAR)


def resize(images: Array, size: Size, pad: bool = False) -> Array:
    """Images of uint8, (N, H, W) or (N, H, W, C), at another size; bilinear."""
    if images.shape[1:3] == size:
        return images
    return np.stack([np.asarray(fit_to(Image.fromarray(image), size, pad)) for image in images])


def _plain(image: Image.Image) -> Image.Image:
    """Grey of 8 bits, or RGB."""
    if image.mode in _GREY_MODES:
        if image.mode in ("1", "L"):
            return image.convert("L")
        values = np.asarray(image, dtype=np.float64)  # 16 bits, of which the upper 8 are kept
        return Image.fromarray((values.clip(0, 65535) / 257).round().astype(np.uint8))
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")
    return image.convert("RGB")

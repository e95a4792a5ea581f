"""A folder of pictures, one folder a class."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from partedvae.data.dataset import DataError, Dataset
from partedvae.labels import MISSING, Attribute

Array = NDArray[Any]
Size = tuple[int, int]

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"}
UNLABELLED = {"unlabeled", "unlabelled"}

_GREY_MODES = {"1", "L", "I", "I;16", "I;16B", "I;16L", "F"}
_ALPHA_MODES = {"LA", "PA", "RGBA", "La", "RGBa"}


def read_folder(folder: Path, size: Size | None) -> Dataset:
    """Pictures in ``<class>/…`` with that class, and in ``unlabeled/…`` or directly in the folder with none.

    If every picture is grey, observations are grey (N, H, W); otherwise all are read as colour (N, H, W, 3), a
    transparent one laid over white.

    Args:
        size: (height, width) that all are resized to; without it they must have one size.

    Raises:
        DataError: no pictures, an empty class folder, a file that cannot be read, different sizes; it names which.
    """
    named = _class_folders(folder)
    files = [(path, MISSING) for path in _pictures(folder, nested=False)]
    classes = sorted(name for name in named if name.lower() not in UNLABELLED)
    for name, inside in named.items():
        found = _pictures(inside, nested=True)
        if not found:
            raise DataError(f"{inside} has no pictures ({', '.join(sorted(SUFFIXES))}).")
        code = MISSING if name.lower() in UNLABELLED else classes.index(name)
        files += [(path, code) for path in found]
    if not files:
        raise DataError(f"{folder} has no pictures ({', '.join(sorted(SUFFIXES))}).")
    files.sort(key=lambda item: item[0].as_posix())
    paths = [path for path, _ in files]
    return Dataset(
        x=_read_all(paths, size),
        codes=np.array([[code] for _, code in files], dtype=np.int64)[:, : 1 if classes else 0],
        attributes=(Attribute("class", np.array(classes)),) if classes else (),
        ids=tuple(path.relative_to(folder).as_posix() for path in paths),
    )


def parse_size(text: str) -> Size:
    """``64`` or ``64x48`` (height × width).

    >>> parse_size("64x48")
    (64, 48)
    """
    parts = text.lower().split("x")
    if not all(part.isdigit() and int(part) > 0 for part in parts) or len(parts) > 2:
        raise DataError(f"--size {text}: should be a number of pixels, or height x width, as in 64 or 64x48.")
    return int(parts[0]), int(parts[-1])


def resize(images: Array, size: Size) -> Array:
    """Images of uint8, (N, H, W) or (N, H, W, C), at another size; bilinear."""
    height, width = size
    if images.shape[1:3] == size:
        return images
    return np.stack([np.asarray(Image.fromarray(image).resize((width, height), _BILINEAR)) for image in images])


_BILINEAR = Image.Resampling.BILINEAR


def _class_folders(folder: Path) -> dict[str, Path]:
    return {
        inside.name: inside
        for inside in sorted(folder.iterdir())
        if inside.is_dir() and not inside.name.startswith(".")
    }


def _pictures(folder: Path, nested: bool) -> list[Path]:
    found = folder.rglob("*") if nested else folder.iterdir()
    return [path for path in found if path.suffix.lower() in SUFFIXES and path.is_file()]


def _read_all(paths: list[Path], size: Size | None) -> Array:
    images = [_read(path) for path in paths]
    grey = all(image.mode == "L" for image in images)
    if size is None:
        _require_one_size(paths, images)
    else:
        images = [image.resize((size[1], size[0]), _BILINEAR) for image in images]
    return np.stack([np.asarray(image if grey else image.convert("RGB")) for image in images])


def _read(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.load()
                return _plain(image)
    except UnidentifiedImageError:
        raise DataError(f"{path} is not a picture that can be read.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


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


def _require_one_size(paths: list[Path], images: list[Image.Image]) -> None:
    sizes = Counter(image.size for image in images)
    if len(sizes) == 1:
        return
    (width, height), _ = sizes.most_common(1)[0]
    others = [(path, image.size) for path, image in zip(paths, images, strict=True) if image.size != (width, height)]
    shown = ", ".join(f"{path} ({h}x{w})" for path, (w, h) in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    raise DataError(
        f"The pictures have different sizes: most are {height}x{width} (height x width), but not {shown}{more}. "
        f"--size {height}x{width} resizes them all."
    )

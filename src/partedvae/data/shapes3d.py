"""3D Shapes, in the HDF5 file that it is published in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partedvae.data.cache import stored_rows
from partedvae.data.dataset import Dataset
from partedvae.data.download import published_file
from partedvae.data.extras import require
from partedvae.data.factor_files import factor_dataset, observed_grid, with_value_names
from partedvae.data.faults import naming
from partedvae.data.reading import Reading

_FACTORS = ("floor hue", "wall hue", "object hue", "scale", "shape", "orientation")
_SHAPES = {0.0: "cube", 1.0: "cylinder", 2.0: "sphere", 3.0: "capsule"}
_BYTES_AT_ONCE = 2**26


def read_shapes3d(reading: Reading) -> Dataset:
    """Pictures (N, 64, 64, 3), one for each combination of six factors; the attribute is the shape.

    Args:
        reading: ``data_dir`` has ``3dshapes.h5``; ``labels`` names other factors as attributes.

    Raises:
        DataError: the file is missing, damaged or not 3D Shapes, or h5py is not installed.
    """
    path = published_file("shapes3d", reading)
    h5py = require("h5py", "hdf5", f"{path} is an HDF5 file")
    with naming(path), h5py.File(path, "r") as file:
        images, labels = file["images"], file["labels"]
        if not isinstance(images, h5py.Dataset) or not isinstance(labels, h5py.Dataset):
            raise ValueError("images and labels should be data sets, not groups")
        if images.ndim != 4 or images.dtype != np.uint8 or not images.size:
            raise ValueError(f"images has shape {images.shape} of {images.dtype}; it should be (N, 64, 64, 3) of uint8")
        if labels.shape != (len(images), len(_FACTORS)):
            raise ValueError(f"labels has shape {labels.shape}; it should be ({len(images)}, {len(_FACTORS)})")
        grid, points = observed_grid(_FACTORS, labels[:])
        grid = with_value_names(grid, "shape", _SHAPES)

        def parts() -> Iterator[NDArray[Any]]:
            # A compressed chunk is decompressed as a whole, so each is read once: whole chunks at a time.
            rows = images.chunks[0] if images.chunks else 1
            step = rows * max(1, _BYTES_AT_ONCE // (images.nbytes // len(images) * rows))
            for start in range(0, len(images), step):
                with naming(path):
                    part: NDArray[Any] = images[start : start + step]
                yield part

        x = stored_rows("shapes3d", path, images.shape, np.uint8, parts, reading.cache)
    return factor_dataset(x, grid, points, reading)

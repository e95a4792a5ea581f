"""3D Shapes, read from its published file, written here in small."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from partedvae.data.dataset import DataError
from partedvae.data.lazy import in_memory
from partedvae.data.shapes3d import read_shapes3d
from published import reading, save_shapes3d, shapes3d_arrays, with_one

Array = NDArray[Any]
pytestmark = pytest.mark.usefixtures("cache")


@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize("layout", [{}, {"chunks": (7, 4, 4, 1), "compression": "gzip"}])
@pytest.mark.parametrize("cached", [True, False])
def test_shapes3d_is_read_as_published(tmp_path: Path, cache: Path, layout: dict[str, Any], cached: bool) -> None:
    arrays = shapes3d_arrays()
    how = reading(save_shapes3d(tmp_path / "in", arrays, **layout), cache=cached)
    for _ in range(2):
        data = read_shapes3d(how)
        np.testing.assert_array_equal(data.x, arrays["images"])
        assert in_memory(data.x) != cached
        assert cache.exists() == cached
    (shape,) = data.attributes
    assert (shape.name, shape.classes.tolist()) == ("shape", ["cube", "cylinder", "sphere", "capsule"])
    np.testing.assert_array_equal(data.codes[:, 0], arrays["labels"][:, 4].astype(int))
    assert data.grid is not None
    assert data.grid.names == ("floor hue", "wall hue", "object hue", "scale", "shape", "orientation")
    assert data.grid.sizes == (2, 2, 3, 2, 4, 2)
    np.testing.assert_array_equal(data.points, np.arange(len(data)))
    two = read_shapes3d(reading(tmp_path / "in", labels=("object hue", "scale"), max_rows=10))
    rows = np.array(two.ids).astype(np.int64)
    np.testing.assert_array_equal(two.y, arrays["labels"][rows][:, [2, 3]])
    np.testing.assert_array_equal(two.x[np.arange(10)], arrays["images"][rows])


@pytest.mark.usefixtures("in_small_parts")
def test_a_changed_shapes3d_is_copied_again(tmp_path: Path) -> None:
    arrays = shapes3d_arrays()
    how = reading(save_shapes3d(tmp_path / "in", arrays))
    read_shapes3d(how)
    arrays["images"] = arrays["images"][::-1]
    save_shapes3d(tmp_path / "in", arrays)
    np.testing.assert_array_equal(read_shapes3d(how).x, arrays["images"])


@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {"labels": a["labels"]}, "images"),
        (with_one("labels", lambda x: x[1:]), r"labels has shape \(191, 6\); it should be \(192, 6\)"),
        (with_one("labels", lambda x: x + 1), "shape has the value 4"),
        (with_one("images", lambda x: x[..., 0]), r"images has shape \(192, 8, 8\)"),
        (with_one("images", lambda x: x.astype(float)), "of float64"),
        (with_one("images", lambda x: x[:0]), r"images has shape \(0, 8, 8, 3\)"),
    ],
)
def test_bad_shapes3d_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(DataError, match=rf"3dshapes\.h5 cannot be read: .*{message}"):
        read_shapes3d(reading(save_shapes3d(tmp_path / "in", change(shapes3d_arrays()))))


@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize("cached", [True, False])
def test_damaged_shapes3d_are_refused(
    tmp_path: Path, cache: Path, cached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_shapes3d(tmp_path / "in", shapes3d_arrays(), chunks=(8, 8, 8, 3), compression="gzip") / "3dshapes.h5"
    whole = path.read_bytes()
    with h5py.File(path) as file:
        chunk = file["images"].id.get_chunk_info(20)
    damaged = bytearray(whole)
    damaged[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    for content in (b"", b"nothing", whole[: len(whole) // 2], bytes(damaged)):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"3dshapes\.h5 cannot be read"):
            read_shapes3d(reading(tmp_path / "in", cache=cached))
    assert not list(cache.rglob("*.npy"))
    with pytest.raises(DataError, match="no factor 'colour'"):
        read_shapes3d(reading(save_shapes3d(tmp_path / "in", shapes3d_arrays()), labels=("colour",), cache=cached))
    with h5py.File(path, "w") as file:
        file.create_group("images")
        file.create_group("labels")
    with pytest.raises(DataError, match="not groups"):
        read_shapes3d(reading(tmp_path / "in", cache=cached))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match=r"pip install 'partedvae\[hdf5\]'"):
        read_shapes3d(reading(tmp_path / "in", cache=cached))

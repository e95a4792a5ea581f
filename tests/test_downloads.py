"""Published files that are not there are downloaded if that is asked for, from a server of the test's own."""

from __future__ import annotations

import hashlib
import re
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from partedvae.data.celeba import read_celeba
from partedvae.data.dataset import DataError
from partedvae.data.download import REGISTRY, Published, fetch
from partedvae.data.dsprites import read_dsprites
from partedvae.data.idx_sets import read_idx_set
from partedvae.data.reading import Reading
from partedvae.data.shapes3d import read_shapes3d
from published import SPRITES, dsprites_arrays, reading, save_dsprites, save_shapes3d, shapes3d_arrays, write_idx_set

Array = NDArray[Any]
pytestmark = pytest.mark.usefixtures("cache")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder, and the address that a server on this machine serves it at."""
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = tmp_path / "served"
    served.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(served))) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield served, f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def _register(monkeypatch: pytest.MonkeyPatch, name: str, served: Path, url: str) -> None:
    files = [
        Published(path.name, f"{url}/{path.name}", f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}")  # noqa: S324  # what is published
        for path in sorted(served.iterdir())
    ]
    monkeypatch.setitem(REGISTRY, name, tuple(files))


def test_missing_files_are_downloaded_if_asked_for(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, url = server
    parts = write_idx_set(served, "{}-{}-idx{}-ubyte.gz")
    _register(monkeypatch, "mnist", served, url)
    with pytest.raises(DataError, match="--download"):
        read_idx_set("mnist", reading(tmp_path / "new"))
    data = read_idx_set("mnist", reading(tmp_path / "new", download=True))
    np.testing.assert_array_equal(data.x, np.concatenate([parts["train"][0], parts["t10k"][0]]))
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted(p.name for p in served.iterdir())
    for file in served.iterdir():
        file.unlink()
    assert len(read_idx_set("mnist", reading(tmp_path / "new", download=True))) == 30  # nothing is fetched again


def test_a_data_set_of_one_file_is_downloaded(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, url = server
    save_dsprites(served, dsprites_arrays())
    _register(monkeypatch, "dsprites", served, url)
    assert len(read_dsprites(reading(tmp_path / "new", download=True))) == 72
    (served / SPRITES).unlink()
    save_shapes3d(served, shapes3d_arrays())
    _register(monkeypatch, "shapes3d", served, url)
    assert len(read_shapes3d(reading(tmp_path / "new", download=True))) == 192


def test_what_is_there_already_is_not_replaced(
    tmp_path: Path, server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, url = server
    (served / "a").write_bytes(b"published")
    (served / "b").write_bytes(b"published")
    _register(monkeypatch, "mnist", served, url)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"my own")
    fetch("mnist", tmp_path / "in")
    assert {p.name: p.read_bytes() for p in (tmp_path / "in").iterdir()} == {"a": b"my own", "b": b"published"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.write_bytes(b"something else"), "has not the checksum of the published file"),
        (lambda file: file.unlink(), "cannot be downloaded to .*404"),
    ],
)
def test_a_download_that_fails_leaves_nothing(
    tmp_path: Path,
    server: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], None],
    message: str,
) -> None:
    served, url = server
    (served / "3dshapes.h5").write_bytes(b"published")
    _register(monkeypatch, "shapes3d", served, url)
    spoil(served / "3dshapes.h5")
    new = tmp_path / "new"
    with pytest.raises(DataError, match=message) as error:
        read_shapes3d(reading(new, download=True))
    assert f"{url}/3dshapes.h5" in str(error.value)
    assert str(new / "3dshapes.h5") in str(error.value)
    assert not list(new.iterdir())


def test_no_network_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Quiet) as closed:
        url = f"http://127.0.0.1:{closed.server_address[1]}"
    monkeypatch.setitem(REGISTRY, "mnist", (Published("a", f"{url}/a", "md5:0"),))
    with pytest.raises(DataError, match=rf"{url}/a cannot be downloaded to .*new/a"):
        fetch("mnist", tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())


def test_what_cannot_be_downloaded_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"--download: .*mmlab\.ie\.cuhk\.edu\.hk.*list_attr_celeba\.txt"):
        read_celeba(reading(tmp_path, download=True))
    with pytest.raises(DataError, match="--data-dir"):
        read_idx_set("mnist", Reading(download=True))
    with pytest.raises(DataError, match="--data-dir"):
        read_dsprites(Reading(download=True))
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DataError, match=r"pip install 'partedvae\[download\]'"):
        read_idx_set("mnist", reading(tmp_path, download=True))


def test_the_registry_has_the_sum_of_every_file() -> None:
    files = [file for registered in REGISTRY.values() for file in registered]
    assert len({file.checksum for file in files}) == len(files) == 10
    for file in files:
        assert re.fullmatch(r"md5:[0-9a-f]{32}", file.checksum)
        assert file.url.endswith(f"/{file.name}")

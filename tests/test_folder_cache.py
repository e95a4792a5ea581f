"""Folders of pictures are decoded once: what the cache notices, and what it never leaves or uses."""

from __future__ import annotations

import errno
import itertools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from command_line import QUICK, call
from partedvae.data import DataError, decoding, images, load
from partedvae.data import cache as cache_module
from partedvae.data.lazy import in_memory
from picture_files import greys, save


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("PARTEDVAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the pictures that are decoded from now on."""
    names: list[str] = []
    read = images.read_picture

    def counted(file: Any, name: Any) -> Image.Image:
        names.append(Path(name).name)
        return read(file, name)

    monkeypatch.setattr(decoding, "read_picture", counted)
    return names


def test_a_second_load_maps_what_the_first_decoded(cache: Path, folder: Path, decoded: list[str]) -> None:
    first = load(str(folder))
    assert len(decoded) == 6
    assert not in_memory(first.x)
    second = load(str(folder))
    assert len(decoded) == 6
    np.testing.assert_array_equal(first.array, second.array)
    assert first.ids == second.ids
    assert len(list(cache.iterdir())) == 1


def _change(folder: Path) -> None:
    save(folder / "cat" / "a.png", Image.new("L", (8, 8), 255))


def _touch(folder: Path) -> None:
    os.utime(folder / "cat" / "a.png", (0, 0))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_change, {"cat/a.png": 255, "cat/b.png": 40}),
        (_touch, {"cat/a.png": 0, "cat/b.png": 40}),
        (lambda f: save(f / "cat" / "aa.png", Image.new("L", (8, 8), 3)), {"cat/a.png": 0, "cat/aa.png": 3}),
        (lambda f: (f / "cat" / "a.png").unlink(), {"cat/b.png": 40, "cat/c.png": 80}),
        (lambda f: (f / "cat").rename(f / "kitten"), {"dog/d.png": 120, "dog/e.png": 160}),
    ],
    ids=["changed", "touched", "added", "removed", "renamed"],
)
def test_a_folder_that_changed_is_decoded_anew(
    cache: Path, folder: Path, decoded: list[str], change: Callable[[Path], None], expected: dict[str, int]
) -> None:
    load(str(folder))
    change(folder)
    decoded.clear()
    data = load(str(folder))
    assert len(decoded) == len(data)
    assert dict(list(greys(data).items())[:2]) == expected
    assert len(list(cache.iterdir())) == 1


def test_options_that_change_what_is_decoded_make_the_cache_anew(cache: Path, folder: Path, decoded: list[str]) -> None:
    for options in ({}, {"size": (4, 4)}, {"size": (4, 4), "pad": True}, {"size": (4, 4), "max_rows": 2}):
        decoded.clear()
        data = load(str(folder), **options)
        assert len(decoded) == len(data)
        assert data.x.shape[1:] == options.get("size", (8, 8))
    assert len(list(cache.iterdir())) == 1


def _files(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-10]),
        lambda path: path.write_bytes(b"\0" * path.stat().st_size),
    ],
    ids=["lost", "emptied", "cut", "overwritten"],
)
def test_a_damaged_cache_is_never_used(
    cache: Path, folder: Path, decoded: list[str], damage: Callable[[Path], None]
) -> None:
    expected = load(str(folder)).array.copy()
    assert len(_files(cache)) == 3
    for number in range(3):
        damage(_files(cache)[number])
        decoded.clear()
        np.testing.assert_array_equal(load(str(folder)).array, expected)
        assert len(decoded) == 6
    decoded.clear()
    load(str(folder))
    assert not decoded


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError])
def test_decoding_that_was_interrupted_leaves_nothing(
    cache: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    def interrupted(*_: object) -> None:
        raise kind

    with monkeypatch.context() as patch:
        patch.setattr(decoding, "_joined", interrupted)
        with pytest.raises(kind):
            load(str(folder))
    assert list(cache.iterdir()) == []
    assert len(load(str(folder))) == 6


def _full(path: Path, *_: object) -> None:
    path.write_bytes(b"half of it")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_nothing_half_written(cache: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "write_rows", _full)
        with pytest.raises(
            DataError, match=r"cache .* cannot be written: .*No space left.*PARTEDVAE_CACHE.*--no-cache"
        ):
            load(str(folder))
        assert list(cache.iterdir()) == []
        patch.setattr(tempfile, "tempdir", str(cache))
        with pytest.raises(DataError, match=r"folder .* of temporary files cannot be written: .*No space left"):
            load(str(folder), cache=False)
        assert list(cache.iterdir()) == []
    before = load(str(folder)).array.copy()
    save(folder / "cat" / "new.png", Image.new("L", (8, 8), 1))
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "write_rows", _full)
        with pytest.raises(DataError, match="No space left"):
            load(str(folder))
    (folder / "cat" / "new.png").unlink()
    np.testing.assert_array_equal(load(str(folder)).array, before)


def test_a_cache_that_cannot_be_written_is_one_error_and_can_be_done_without(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PARTEDVAE_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(DataError, match=r"The cache .*file/below cannot be written: .*Not a directory.*--no-cache"):
        load(str(folder))
    done = call("train", folder, "--out", tmp_path / "run", *QUICK)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    data = load(str(folder), cache=False)
    assert in_memory(data.x)
    assert greys(data)["dog/e.png"] == 160


def test_a_cache_lies_where_it_is_told_to_or_in_the_users_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert str(cache_module.cache_folder()) == os.environ["PARTEDVAE_CACHE"]
    monkeypatch.delenv("PARTEDVAE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_module.cache_folder() == tmp_path / "partedvae"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_module.cache_folder() == tmp_path / ".cache" / "partedvae"


def test_a_cache_that_another_process_has_made_meanwhile_is_used(cache: Path) -> None:
    def by(name: str, meanwhile: Callable[[], object] = lambda: None) -> Path:
        def build(made: Path) -> None:
            meanwhile()
            (made / "x").write_text(name)

        return cache_module.stored("one source", "as it is", build, lambda folder: folder)

    place = by("a slow process", meanwhile=lambda: by("a quick one"))
    assert (place / "x").read_text() == "a quick one"
    assert list(cache.iterdir()) == [place]


def test_what_another_process_puts_in_the_cache_as_it_is_opened_is_not_taken_for_ours(cache: Path) -> None:
    def stored(fingerprint: str, meanwhile: Callable[[], object] = lambda: None) -> str:
        def read(folder: Path) -> str:
            meanwhile()
            return (folder / "x").read_text()

        def build(made: Path) -> None:
            (made / "x").write_text(fingerprint)

        return cache_module.stored("one source", fingerprint, build, read)

    others = iter(["of another size"])
    assert stored("ours", meanwhile=lambda: [stored(other) for other in others]) == "ours"
    endless = itertools.count()
    with pytest.raises(DataError, match="again and again; use --no-cache"):
        stored("ours", meanwhile=lambda: stored(f"another, {next(endless)}"))

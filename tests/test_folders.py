"""Folders of pictures: what is decoded, and what is refused."""

from __future__ import annotations

import io
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from command_line import QUICK, call
from partedvae.data import DataError, decoding, load
from partedvae.data.describe import describe
from partedvae.data.images import read_picture
from picture_files import greys, save

Array = NDArray[Any]


# ---------------------------------------------------------------------------------------------------------- pictures

RAMP = np.arange(8 * 12, dtype=np.uint8).reshape(8, 12) * 2
COLOURS = np.stack([RAMP, RAMP[::-1], 255 - RAMP], axis=2)
HALF_CLEAR = np.dstack([COLOURS, np.where(RAMP < 90, 0, 255).astype(np.uint8)])
OVER_WHITE = np.where((RAMP < 90)[..., None], 255, COLOURS)
BIG_ENDIAN = Image.frombytes("I;16B", (12, 8), (RAMP.astype(">u2") * 257).tobytes())
PALETTE = Image.fromarray(COLOURS).quantize(16)

PICTURES: dict[str, tuple[Image.Image, str, dict[str, Any], Array, int]] = {
    "grey PNG": (Image.fromarray(RAMP), "a.png", {}, RAMP, 0),
    "colour PNG": (Image.fromarray(COLOURS), "a.PNG", {}, COLOURS, 0),
    "transparent PNG": (Image.fromarray(HALF_CLEAR), "a.png", {}, OVER_WHITE, 0),
    "grey transparent PNG": (
        Image.fromarray(HALF_CLEAR[..., [0, 3]]), "a.png", {}, np.where(RAMP < 90, 255, RAMP), 0
    ),
    "palette PNG": (PALETTE, "a.png", {}, np.asarray(PALETTE.convert("RGB")), 0),
    "palette BMP": (PALETTE, "a.bmp", {}, np.asarray(PALETTE.convert("RGB")), 0),
    "black and white PNG": (Image.fromarray(RAMP > 90), "a.png", {}, np.where(RAMP > 90, 255, 0), 0),
    "16-bit PNG": (Image.fromarray(RAMP.astype(np.uint16) * 257), "a.png", {}, RAMP, 0),
    "16-bit TIFF": (Image.fromarray(RAMP.astype(np.uint16) * 257), "a.tif", {}, RAMP, 0),
    "16-bit TIFF of a big-endian machine": (BIG_ENDIAN, "a.tiff", {}, RAMP, 0),
    "compressed TIFF": (Image.fromarray(COLOURS), "a.tiff", {"compression": "tiff_lzw"}, COLOURS, 0),
    "CMYK TIFF": (Image.fromarray(COLOURS).convert("CMYK"), "a.tiff", {}, COLOURS, 1),
    "grey JPEG": (Image.fromarray(RAMP), "a.jpeg", {"quality": 100}, RAMP, 4),
    "colour JPEG": (Image.fromarray(COLOURS), "a.jpg", {"quality": 100, "subsampling": 0}, COLOURS, 8),
    "CMYK JPEG": (Image.fromarray(COLOURS).convert("CMYK"), "a.JPG", {"quality": 100, "subsampling": 0}, COLOURS, 8),
    "WebP": (Image.fromarray(COLOURS), "a.webp", {"lossless": True}, COLOURS, 0),
    "transparent WebP": (Image.fromarray(HALF_CLEAR), "a.webp", {"lossless": True}, OVER_WHITE, 0),
}  # fmt: skip


@pytest.mark.parametrize(("image", "name", "options", "expected", "slack"), PICTURES.values(), ids=PICTURES)
def test_pictures_of_every_kind_become_bytes_of_grey_or_colour(
    tmp_path: Path, image: Image.Image, name: str, options: dict[str, Any], expected: Array, slack: int
) -> None:
    save(tmp_path / "some" / name, image, **options)
    data = load(str(tmp_path), cache=False)
    assert data.x.dtype == np.uint8
    assert data.x.shape == (1, *expected.shape)
    assert np.abs(data.array[0].astype(int) - expected.astype(int)).max() <= slack


@pytest.mark.parametrize(
    "values", [RAMP.astype(np.float32) / 255, RAMP.astype(np.int32) * 70_000, -RAMP.astype(np.int32)]
)
def test_grey_that_eight_bits_cannot_stand_for_is_refused(tmp_path: Path, values: Array) -> None:
    save(tmp_path / "some" / "a.tiff", Image.fromarray(values))
    with pytest.raises(DataError, match=r"a\.tiff cannot be read: its grey is of 32 bits"):
        load(str(tmp_path))


def test_what_is_hidden_or_no_picture_by_its_name_is_left_alone(folder: Path) -> None:
    (folder / "cat" / "._a.png").write_bytes(b"what macOS leaves beside a.png")
    save(folder / "cat" / ".ipynb_checkpoints" / "a-checkpoint.png", Image.new("L", (3, 3)))
    save(folder / ".thumbnails" / "a.png", Image.new("L", (3, 3)))
    (folder / "cat" / "notes.txt").write_text("")
    (folder / "cat" / "folder.png").mkdir()
    assert len(load(str(folder))) == 6


def test_names_that_are_no_unicode_are_names_all_the_same(folder: Path) -> None:
    strange = os.fsdecode(b"caf\xe9")  # as an old machine wrote it
    save(folder / strange / f"{strange}.png", Image.new("L", (8, 8), 7))
    data = load(str(folder))
    assert greys(data)[f"{strange}/{strange}.png"] == 7
    assert strange in data.y.tolist()
    assert r"caf\udce9 1" in "\n".join(describe("pets", data)).encode().decode()


def test_pictures_are_stretched_or_keep_their_proportions_on_black(tmp_path: Path) -> None:
    save(tmp_path / "a" / "wide.png", Image.new("L", (20, 10), 200))
    save(tmp_path / "b" / "tall.png", Image.new("RGB", (10, 40), (200, 100, 50)))
    stretched = load(str(tmp_path), size=(16, 24)).array
    assert stretched.shape == (2, 16, 24, 3)
    assert np.unique(stretched[0]).tolist() == [200]
    wide, tall = load(str(tmp_path), size=(16, 24), pad=True).array
    assert (wide[2:14] == 200).all()
    assert (wide[:2] == 0).all()
    assert (wide[14:] == 0).all()
    assert (tall[:, 10:14] == (200, 100, 50)).all()
    assert (tall[:, :10] == 0).all()
    assert (tall[:, 14:] == 0).all()
    # Even what would be less than a pixel high.
    save(tmp_path / "a" / "line.png", Image.new("L", (500, 1), 9))
    assert load(str(tmp_path), size=(16, 24), pad=True).array[0].max() == 9


# -------------------------------------------------------------------------------------------------------- bad pictures


@pytest.mark.parametrize("cache", [True, False])
def test_bad_pictures_are_refused_or_skipped_and_each_is_listed(folder: Path, cache: bool) -> None:
    whole = (folder / "cat" / "a.png").read_bytes()
    bad = {"cat/a.png": whole[:30], "cat/b.png": b"", "dog/d.png": b"no picture", "dog/e.png": whole[:45]}
    for name, content in bad.items():
        (folder / name).write_bytes(content)
    (folder / "dog" / "z.png").symlink_to("nowhere.png")
    with pytest.raises(DataError, match=r"a\.png .* 4 more; --skip-bad goes on without them"):
        load(str(folder), cache=cache)
    for _ in range(2):  # the second time from the cache
        data = load(str(folder), cache=cache, skip_bad=True)
        assert greys(data) == {"cat/c.png": 80, "unlabelled/f.png": 200}
        assert data.y.tolist() == ["cat", None]
        assert [name for name, _ in data.skipped] == [*bad, "dog/z.png"]
        for name, reason in data.skipped:
            assert str(folder / name) in reason
    (folder / "cat" / "c.png").write_bytes(b"")
    (folder / "unlabelled" / "f.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"None of the 7 pictures can be read: .*a\.png"):
        load(str(folder), cache=cache, skip_bad=True)


@pytest.mark.parametrize("cache", [True, False])
def test_pages_that_are_not_read_are_said_to_be_there(folder: Path, cache: bool) -> None:
    pages = [Image.new("L", (4, 4), grey) for grey in (10, 20, 30)]
    save(folder / "cat" / "stack.tif", pages[0], save_all=True, append_images=pages[1:])
    save(folder / "cat" / "one.tif", pages[1])
    for _ in range(2):
        data = load(str(folder), size=(2, 2), cache=cache)
        assert greys(data)["cat/stack.tif"] == 10
        (note,) = data.notes
        assert "of 1 files only the first page" in note
        assert "stack.tif" in note
        assert data.skipped == ()


def test_damage_behind_the_first_frame_is_not_the_first_frames(folder: Path) -> None:
    frames = [Image.new("L", (4, 4), grey) for grey in (10, 20)]
    place = folder / "cat" / "moving.gif"
    save(place, frames[0], save_all=True, append_images=frames[1:])
    whole = place.read_bytes()
    for kept in range(len(whole) - 40, len(whole)):
        place.write_bytes(whole[:kept])
        assert read_picture(place).convert("L").getpixel((0, 0)) == 10, kept


def test_a_picture_in_a_format_that_takes_another_program_is_not_opened(folder: Path) -> None:
    save(folder / "cat" / "a.eps", Image.new("L", (8, 8)))
    (folder / "cat" / "a.eps").replace(folder / "cat" / "a.png")
    with pytest.raises(DataError, match=r"a\.png is not a picture"):
        load(str(folder))


def test_sizes_that_differ_are_counted_even_among_many(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_PART", 2)
    for number in range(5):
        save(folder / "dog" / f"x{number}.png", Image.new("L", (9, 7)))
    with pytest.raises(
        DataError, match=r"most are 8x8 .*x0\.png \(7x9\), .*x1\.png \(7x9\).* and 2 more.*--size 8x8.*--pad"
    ):
        load(str(folder))


def test_a_folder_without_pictures_is_named(folder: Path) -> None:
    (folder / "bird").mkdir()
    (folder / "bird" / "notes.txt").write_text("")
    with pytest.raises(DataError, match=r"bird has no pictures \(\.bmp, .*, \.webp\): add some, or remove the folder"):
        load(str(folder))
    (folder / "bird").rename(folder.parent / "bird")
    with pytest.raises(DataError, match="bird has no pictures"):
        load(str(folder.parent / "bird"))


def test_more_pictures_are_decoded_than_files_can_be_open(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_PART", 1)
    for number in range(60):
        save(folder / "dog" / f"{number}.png", Image.new("L", (8, 8), number))
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 40, most))
    try:
        assert len(load(str(folder), cache=False)) == 66
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))


def test_worker_processes_decode_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(folder / "dog" / "g.png", Image.new("RGB", (8, 8), (1, 2, 3)))
    (folder / "dog" / "bad.png").write_bytes(b"")
    alone = load(str(folder), cache=False, skip_bad=True)
    monkeypatch.setattr(decoding, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(decoding, "_PART", 2)
    monkeypatch.setattr(decoding, "cpu_count", lambda: 2)
    together = load(str(folder), cache=False, skip_bad=True)
    np.testing.assert_array_equal(alone.array, together.array)
    assert alone.ids == together.ids
    assert alone.skipped == together.skipped


# --------------------------------------------------------------------------------------------------- whatever is there


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any")


def _encoded() -> Iterator[bytes]:
    rough = np.random.default_rng(0).integers(256, size=(12, 10, 4), dtype=np.uint8)
    for kind, mode in (("PNG", "RGBA"), ("PNG", "P"), ("JPEG", "RGB"), ("JPEG", "L"), ("TIFF", "RGB"), ("WEBP", "RGB")):
        file = io.BytesIO()
        Image.fromarray(rough).convert(mode).save(file, kind)
        yield file.getvalue()


@settings(max_examples=150, derandomize=True)
@given(
    whole=st.sampled_from(list(_encoded())),
    splices=st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=4)), max_size=3),
    cut=st.none() | st.integers(0, 400),
)
def test_a_damaged_picture_is_read_or_refused(
    place: Path, whole: bytes, splices: list[tuple[int, bytes]], cut: int | None
) -> None:
    damaged = bytearray(whole)
    for at, new in splices:
        at %= len(damaged)
        damaged[at : at + len(new)] = new
    (place / "x.png").write_bytes(damaged[:cut])
    try:
        data = load(str(place), cache=False)
    except DataError as error:
        assert "x.png" in str(error)  # noqa: PT017  # may be raised, or not
    else:
        assert data.x.dtype == np.uint8
        assert len(data) == 1


def test_one_picture_is_said_to_need_a_folder(folder: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png is one picture. Put it into a folder, and give that."):
        load(str(folder / "cat" / "a.png"))


def test_what_archives_and_systems_leave_is_not_read(folder: Path) -> None:
    before = load(str(folder))
    for name in ("__MACOSX/cat/._a.png", "cat/Thumbs.db", "desktop.ini", "cat/__MACOSX/b.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"no picture")
    after = load(str(folder))
    assert (after.ids, after.skipped) == (before.ids, before.skipped)
    assert [attribute.classes.tolist() for attribute in after.attributes] == [["cat", "dog"]]


# ---------------------------------------------------------------------------------------------------- the command line


def test_the_command_line_describes_a_folder_with_what_is_wrong_in_it(folder: Path) -> None:
    save(folder / "dog" / "twin.png", Image.new("L", (8, 8), 0))
    (folder / "dog" / "bad.png").write_bytes(b"")
    done = call("data", "describe", folder)
    assert done.returncode == 0, done.stderr
    for part in (
        "7 observations, pictures of 8×8, uint8, mapped from a file",
        "6 labelled, 1 unlabelled; 2 classes: cat 3, dog 3",
        "1 observations repeat another",
        "problem: equal observations with different labels: cat/a.png, dog/twin.png",
        f"problem: {folder}/dog/bad.png is not a picture",
    ):
        assert part in done.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "cat" / "a.png").write_bytes(b""), "a.png is not a picture"),
        (lambda f: (f / "bird").mkdir(), "bird has no pictures"),
        (lambda f: save(f / "cat" / "a.png", Image.new("L", (9, 9))), "different sizes"),
    ],
)
def test_training_on_a_bad_folder_is_one_line_and_leaves_nothing(
    folder: Path, change: Callable[[Path], None], message: str
) -> None:
    change(folder)
    done = call("train", folder, "--out", folder.parent / "run", *QUICK)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (folder.parent / "run").exists()


def test_a_picture_stands_as_the_camera_was_held(tmp_path: Path) -> None:
    upright = np.zeros((10, 20), dtype=np.uint8)
    upright[:5] = 255  # bright above
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter to the right makes it upright
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.rot90(upright)).save(tmp_path / name / "1.png", exif=turned)
    seen = load(str(tmp_path), cache=False).array
    assert seen.shape == (2, 10, 20)
    assert seen[0, :5].min() == 255
    assert seen[0, 5:].max() == 0


def test_a_grey_picture_that_is_partly_transparent_stays_grey(tmp_path: Path) -> None:
    clear = np.stack([np.full((8, 8), 100, dtype=np.uint8), np.where(np.eye(8), 255, 0).astype(np.uint8)], axis=2)
    (tmp_path / "a").mkdir()
    Image.fromarray(clear, "LA").save(tmp_path / "a" / "1.png")
    data = load(str(tmp_path), cache=False)
    assert data.array.shape == (1, 8, 8)
    np.testing.assert_array_equal(data.array[0], np.where(np.eye(8), 100, 255))


def test_links_to_folders_are_followed_and_what_is_no_picture_is_told(tmp_path: Path) -> None:
    for i in range(6):
        save(tmp_path / "photos" / "ab"[i % 2] / f"{i}.png", Image.fromarray(RAMP))
        save(tmp_path / "more" / f"{i}.gif", Image.fromarray(RAMP))
    (tmp_path / "photos" / "a" / "linked").symlink_to(tmp_path / "more")
    (tmp_path / "photos" / "a" / "round").symlink_to(tmp_path / "photos" / "a")  # which has no end
    (tmp_path / "photos" / "b" / "notes.txt").write_text("x")
    data = load(tmp_path / "photos")
    assert [sum(data.codes[:, 0] == k) for k in (0, 1)] == [9, 3]
    assert data.skipped == ()
    said = list(describe("photos", data))
    assert any(line.startswith("problem: 1 file *.txt not read: pictures end in") for line in said)
    assert not any("--skip-bad" in line for line in said)


def test_parts_of_data_are_no_classes(tmp_path: Path) -> None:
    for part in ("train", "Test"):
        for i in range(4):
            save(tmp_path / part / "ab"[i % 2] / f"{i}.png", Image.fromarray(RAMP))
    with pytest.raises(DataError, match=r"has the folders Test and train.*Name one of them, as in .*/train"):
        load(tmp_path)
    assert len(load(tmp_path / "train").attributes[0].classes) == 2


def test_grey_of_32_bits_and_pipes_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "deep" / "a.tif", Image.fromarray(RAMP.astype(np.int32)))
    with pytest.raises(DataError, match="its grey is of 32 bits"):
        load(tmp_path / "deep")
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "a.png")
    with pytest.raises(DataError, match="cannot be read: it is no regular file"):
        load(tmp_path / "pipe")


def test_a_picture_called_by_what_is_no_unicode_is_reported_on(tmp_path: Path) -> None:
    for i in range(30):
        save(tmp_path / "photos" / "ab"[i % 2] / f"{i}.png", Image.fromarray(np.roll(RAMP, i)))
    (tmp_path / "photos" / "a" / "0.png").rename(os.fsdecode(os.fsencode(tmp_path / "photos" / "a") + b"/\xff\xfe.png"))
    done = call("train", tmp_path / "photos", "--size", "8", "--out", tmp_path / "run", *QUICK)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").exists()

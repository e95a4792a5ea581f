"""CelebA, read from its published files, written here in small, and the attributes that are made of its forty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from partedvae.data.celeba import GROUPS, grouped, mapping_table, read_celeba
from partedvae.data.dataset import DataError
from partedvae.data.reading import Reading
from published import reading

Array = NDArray[Any]
pytestmark = pytest.mark.usefixtures("cache")

NAMES = [
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose",
    "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses",
    "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache", "Narrow_Eyes",
    "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks", "Sideburns", "Smiling",
    "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick", "Wearing_Necklace",
    "Wearing_Necktie", "Young",
]  # fmt: skip
FACES = [f"{number:06d}.jpg" for number in range(1, 31)]
PARTS = [0] * 18 + [1] * 5 + [2] * 7


def _faces(folder: Path, csv: bool = False, nested: bool = False, places: tuple[str, str, str] = ("", "", "")) -> Array:
    """The three parts of CelebA as published, or as on Kaggle; returns which attributes are there."""
    rng = np.random.default_rng(0)
    there = rng.random((len(FACES), len(NAMES))) < 0.4
    anno, evaluation, img = (folder / place for place in places)
    pictures = img / "img_align_celeba" / ("img_align_celeba" if nested else "")
    for made in (anno, evaluation, pictures):
        made.mkdir(parents=True, exist_ok=True)
    for face in FACES:
        Image.fromarray(rng.integers(256, size=(22, 18, 3), dtype=np.uint8)).save(pictures / face)
    rows = [(face, *("1" if sign else "-1" for sign in row)) for face, row in zip(FACES, there, strict=True)]
    if csv:
        lines = [",".join(["image_id", *NAMES]), *map(",".join, rows)]
        (anno / "list_attr_celeba.csv").write_text("\n".join(lines) + "\n")
        parts = [f"{face},{part}" for face, part in zip(FACES, PARTS, strict=True)]
        (evaluation / "list_eval_partition.csv").write_text("\n".join(["image_id,partition", *parts]) + "\n")
    else:
        aligned = [" ".join([face, *(f"{sign:>2}" for sign in signs)]) for face, *signs in rows]
        lines = [str(len(FACES)), " ".join(NAMES) + " ", *aligned]
        (anno / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
        parts = [f"{face} {part}" for face, part in zip(FACES, PARTS, strict=True)]
        (evaluation / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    return there


def _by_hand(there: set[str]) -> list[str | None]:
    """The eight labels of one face, worked out apart from the program's own table."""
    hair = [name for colour, name in HAIR.items() if colour in there]
    hairline = "receding" if "Receding_Hairline" in there else "full"
    if "Bald" in there:
        hairline = "bald"
    beard = "none" if "No_Beard" in there and not there & {"Mustache", "Goatee"} else "beard"
    if "5_o_Clock_Shadow" in there:
        beard = "stubble"
    return [
        hair[0] if len(hair) == 1 else None,
        hairline,
        "yes" if "Bangs" in there else "no",
        beard,
        "yes" if "Eyeglasses" in there else "no",
        "yes" if "Smiling" in there else "no",
        "yes" if "Wearing_Hat" in there else "no",
        "male" if "Male" in there else "female",
    ]


HAIR = {"Black_Hair": "black", "Brown_Hair": "brown", "Blond_Hair": "blond", "Gray_Hair": "grey"}
CLASSES = {
    "hair colour": ["black", "brown", "blond", "grey"],
    "hairline": ["full", "receding", "bald"],
    "fringe": ["no", "yes"],
    "facial hair": ["none", "beard", "stubble"],
    "glasses": ["no", "yes"],
    "smile": ["yes", "no"],
    "hat": ["no", "yes"],
    "gender": ["female", "male"],
}


def _set_of(row: Array) -> set[str]:
    return {name for name, sign in zip(NAMES, row, strict=True) if sign}


@pytest.mark.parametrize("csv", [False, True])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("places", [("", "", ""), ("Anno", "Eval", "Img"), ("celeba", "celeba", "celeba")])
def test_celeba_is_read_as_published(tmp_path: Path, csv: bool, nested: bool, places: tuple[str, str, str]) -> None:
    there = _faces(tmp_path, csv, nested, places)
    data = read_celeba(reading(tmp_path))
    assert list(data.ids) == FACES
    assert {a.name: a.classes.tolist() for a in data.attributes} == CLASSES
    assert data.y.tolist() == [_by_hand(_set_of(row)) for row in there]
    (first,) = tmp_path.rglob(FACES[0])
    np.testing.assert_array_equal(data.x[np.array([0])][0], np.asarray(Image.open(first).convert("RGB")))
    assert data.x.shape == (30, 22, 18, 3)
    for number, split in enumerate(("train", "valid", "test")):
        part = read_celeba(reading(tmp_path, split=split))
        rows = np.flatnonzero(np.array(PARTS) == number)
        assert list(part.ids) == [FACES[row] for row in rows]
        np.testing.assert_array_equal(part.codes, data.codes[rows])
        np.testing.assert_array_equal(part.x, data.x[rows])


def test_some_rows_of_celeba_are_chosen_before_pictures_are_read(tmp_path: Path) -> None:
    _faces(tmp_path)
    whole = read_celeba(reading(tmp_path))
    data = read_celeba(reading(tmp_path, max_rows=6, size=(11, 9)))
    assert list(data.ids) == sorted(data.ids)
    rows = [FACES.index(name) for name in data.ids]
    np.testing.assert_array_equal(data.codes, whole.codes[rows])
    assert data.x.shape == (6, 11, 9, 3)
    (tmp_path / "img_align_celeba" / FACES[(set(range(30)) - set(rows)).pop()]).write_bytes(b"no picture")
    assert len(read_celeba(reading(tmp_path, max_rows=6))) == 6


def test_missing_and_bad_pictures_are_named_or_skipped(tmp_path: Path) -> None:
    _faces(tmp_path)
    for name in (FACES[3], FACES[20]):
        (tmp_path / "img_align_celeba" / name).unlink()
    (tmp_path / "img_align_celeba" / FACES[7]).write_bytes(b"no picture")
    with pytest.raises(DataError, match=rf"lacks 2 of the 30 pictures .* the first of them {FACES[3]}\. --skip-bad"):
        read_celeba(reading(tmp_path))
    data = read_celeba(reading(tmp_path, skip_bad=True))
    assert list(data.ids) == [name for row, name in enumerate(FACES) if row not in (3, 7, 20)]
    assert [Path(skipped.id).name for skipped in data.skipped] == [FACES[3], FACES[20], FACES[7]]
    assert len(data) == len(data.x) == len(data.codes) == 27
    assert len(read_celeba(reading(tmp_path, split="test"))) == 7  # what is missing is of other parts
    for name in FACES:
        (tmp_path / "img_align_celeba" / name).unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"lacks 30 of the 30 pictures .*000001\.jpg\.$"):
        read_celeba(reading(tmp_path, skip_bad=True))


@given(st.lists(st.sets(st.sampled_from(NAMES)), min_size=1, max_size=20))
def test_the_eight_attributes_are_what_a_person_makes_of_the_forty(faces: list[set[str]]) -> None:
    there = np.array([[name in face for name in NAMES] for face in faces])
    codes, attributes = grouped(NAMES, there, GROUPS)
    for face, row in zip(faces, codes, strict=True):
        found = [None if code < 0 else a.classes.tolist()[code] for a, code in zip(attributes, row, strict=True)]
        assert found == _by_hand(face)


_TERMS = st.tuples(st.booleans(), st.sampled_from(NAMES[:5]))
_CONDITIONS = st.lists(st.lists(_TERMS, min_size=1, max_size=3), min_size=1, max_size=3)


@given(classes=st.lists(_CONDITIONS, min_size=2, max_size=4), face=st.sets(st.sampled_from(NAMES[:5])))
def test_a_class_is_the_only_one_of_which_a_condition_holds(
    classes: list[list[list[tuple[bool, str]]]], face: set[str]
) -> None:
    written = {
        str(number): [" ".join(("" if wanted else "-") + name for wanted, name in terms) for terms in conditions]
        for number, conditions in enumerate(classes)
    }
    hold = [
        number
        for number, conditions in enumerate(classes)
        if any(all((name in face) == wanted for wanted, name in terms) for terms in conditions)
    ]
    codes, _ = grouped(NAMES[:5], np.array([[name in face for name in NAMES[:5]]]), {"a": written})
    assert codes.tolist() == [[hold[0] if len(hold) == 1 else -1]]


def test_the_table_of_the_mapping_has_a_row_for_each_class() -> None:
    lines = mapping_table().splitlines()
    assert len(lines) == 2 + sum(map(len, CLASSES.values()))
    assert "| facial hair | none | `No_Beard` and not `Mustache` and not `Goatee` and not `5_o_Clock_Shadow` |" in lines


def test_other_groups_come_from_a_file(tmp_path: Path) -> None:
    there = _faces(tmp_path)
    (tmp_path / "groups.yaml").write_text(
        "age:\n  young: Young\n  old: -Young\nneck:\n  no: [-Wearing_Necktie -Wearing_Necklace]\n"
        "  yes:\n    - Wearing_Necktie\n    - Wearing_Necklace\n"
    )
    data = read_celeba(reading(tmp_path, groups=str(tmp_path / "groups.yaml")))
    assert [a.classes.tolist() for a in data.attributes] == [["young", "old"], ["no", "yes"]]
    young, necktie, necklace = (there[:, NAMES.index(n)] for n in ("Young", "Wearing_Necktie", "Wearing_Necklace"))
    np.testing.assert_array_equal(data.codes[:, 0], ~young)
    np.testing.assert_array_equal(data.codes[:, 1], necktie | necklace)

    one = read_celeba(reading(tmp_path, labels=("hat",)))
    np.testing.assert_array_equal(one.codes[:, 0], there[:, NAMES.index("Wearing_Hat")])
    with pytest.raises(DataError, match=r"--label-columns beard: .*facial hair"):
        read_celeba(reading(tmp_path, labels=("beard",)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age: [Young", r"groups\.yaml cannot be read"),
        ("", "should have attributes"),
        ("- Young", "should have attributes"),
        ("age: Young", "age: should have two classes or more"),
        ("age: {young: Young, young: -Young, old: Young}", "'young' stands there twice .* line 1"),
        ("age: {young: Young}", "age: should have two classes or more"),
        ("age: {young: Young, old: []}", "age, old: should have a condition"),
        ("age: {young: Young, old: ['']}", "age, old: should have a condition"),
        ("age: {young: Young, old: {not: Young}}", "age, old: should have a condition"),
        (
            "age: {young: Young, old: Young -Grey_Hair}",
            "age, old: .*list_attr_celeba.txt has no attribute 'Grey_Hair'; it has .*Gray_Hair",
        ),
        ("age: {young: Young, old: '- Young'}", "age, old: .*no attribute ''"),
        (
            "age: {young: !!python/name:os.system x, old: Young}",
            "age, young: .*no attribute 'x'",
        ),  # text, whatever its tag
    ],
)
def test_bad_groups_are_refused(tmp_path: Path, text: str, message: str) -> None:
    _faces(tmp_path)
    (tmp_path / "groups.yaml").write_text(text)
    with pytest.raises(DataError, match=rf"--groups .*{message}"):
        read_celeba(reading(tmp_path, groups=str(tmp_path / "groups.yaml")))


def _edit(name: str, change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        lines = (folder / name).read_text().splitlines()
        (folder / name).write_text("\n".join(change(lines)) + "\n")

    return apply


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: (f / "list_attr_celeba.txt").unlink(), "neither list_attr_celeba.txt nor list_attr_celeba.csv"),
        (lambda f: (f / "list_eval_partition.txt").unlink(), "neither list_eval_partition.txt"),
        (lambda f: (f / "img_align_celeba").rename(f / "faces"), "no folder img_align_celeba"),
        (_edit("list_attr_celeba.txt", lambda lines: lines[:-3]), "has 27 rows, and says .* it has 30"),
        (_edit("list_attr_celeba.txt", lambda lines: lines[:1]), "it has no rows"),
        (_edit("list_attr_celeba.txt", lambda lines: []), "it has no rows"),
        (_edit("list_attr_celeba.txt", lambda lines: [*lines[:5], lines[5][:-3], *lines[6:]]), "line 6: should be"),
        (_edit("list_attr_celeba.txt", lambda lines: [*lines[:5], "", *lines[5:]]), "line 6: should be"),
        (
            _edit("list_attr_celeba.txt", lambda lines: [*lines[:-1], lines[-1].replace("-1", " 0")]),
            "line 32: should be a picture and 40 values",
        ),
        (
            _edit("list_attr_celeba.txt", lambda lines: [lines[0], lines[1].replace("Bald", "Hairy"), *lines[2:]]),
            "the built-in groups, hairline, full: .* has no attribute 'Bald'",
        ),
        (_edit("list_eval_partition.txt", lambda lines: lines[:-1]), "does not say which part 000030.jpg is in"),
        (_edit("list_eval_partition.txt", lambda lines: [*lines[:-1], "000030.jpg 3"]), "line 30: should be"),
        (
            _edit("list_eval_partition.txt", lambda lines: [line[:-1] + "0" for line in lines]),
            "--split test: .* no picture in that part",
        ),
        (lambda f: (f / "list_attr_celeba.txt").write_bytes(b"\xff\xfe"), r"list_attr_celeba\.txt cannot be read"),
    ],
)
def test_bad_celeba_is_refused(tmp_path: Path, break_it: Callable[[Path], None], message: str) -> None:
    folder = tmp_path / "in"
    _faces(folder)
    break_it(folder)
    with pytest.raises(DataError, match=message):
        read_celeba(reading(folder, split="test"))


def test_what_celeba_needs_is_said(tmp_path: Path) -> None:
    _faces(tmp_path)
    with pytest.raises(DataError, match=r"^--split validation: should be train, valid or test"):
        read_celeba(reading(tmp_path, split="validation"))
    with pytest.raises(DataError, match="--data-dir"):
        read_celeba(Reading())
    with pytest.raises(DataError, match=r"--groups .*nowhere\.yaml cannot be read"):
        read_celeba(reading(tmp_path, groups="nowhere.yaml"))

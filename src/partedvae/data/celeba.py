"""CelebA, in the text files and the folder of pictures that it is published in, with its attributes grouped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from partedvae.data.dataset import DataError, Dataset, Skipped
from partedvae.data.decoding import decode
from partedvae.data.download import CELEBA, data_folder, fetch
from partedvae.data.reading import Reading
from partedvae.data.subsets import random_rows
from partedvae.labels import MISSING, Attribute
from partedvae.yaml_text import from_yaml

Groups = Mapping[str, Mapping[str, Sequence[str]]]
"""Attribute → class → conditions; a row has the class if any of the conditions holds.

A condition is one or more of CelebA's attributes with spaces between them, all of which have to be there, or not to be
there if they have a minus before them.
"""

GROUPS: Groups = {
    "hair colour": {"black": ["Black_Hair"], "brown": ["Brown_Hair"], "blond": ["Blond_Hair"], "grey": ["Gray_Hair"]},
    "hairline": {"full": ["-Receding_Hairline -Bald"], "receding": ["Receding_Hairline -Bald"], "bald": ["Bald"]},
    "fringe": {"no": ["-Bangs"], "yes": ["Bangs"]},
    "facial hair": {
        "none": ["No_Beard -Mustache -Goatee -5_o_Clock_Shadow"],
        "beard": ["-No_Beard -5_o_Clock_Shadow", "Mustache -5_o_Clock_Shadow", "Goatee -5_o_Clock_Shadow"],
        "stubble": ["5_o_Clock_Shadow"],
    },
    "glasses": {"no": ["-Eyeglasses"], "yes": ["Eyeglasses"]},
    "smile": {"yes": ["Smiling"], "no": ["-Smiling"]},
    "hat": {"no": ["-Wearing_Hat"], "yes": ["Wearing_Hat"]},
    "gender": {"female": ["-Male"], "male": ["Male"]},
}
"""How the 40 published attributes, each of which is there or not, become eight with classes that exclude each other.

The eight, and the order of their classes, are those of the paper. Its own labels, of 800 pictures, are not published;
these are made of what is. A row of which no class holds, or more than one, has no label of
that attribute: so it is with hair that is both brown and blond, or of no colour.
"""

_PARTS = ("train", "valid", "test")  # their numbers in the partition file are 0, 1 and 2
_PICTURES = "img_align_celeba"
_PLACES = (".", "celeba", "Anno", "Eval", "Img")  # torchvision's folder, and those of the authors
_SIGNS = frozenset({"1", "-1"})


@dataclass(frozen=True)
class _Listed:
    """What the attribute file says: for each picture (N), which of its attributes (K) are there."""

    path: Path
    pictures: tuple[str, ...]
    names: tuple[str, ...]
    there: NDArray[np.bool_]


def read_celeba(reading: Reading) -> Dataset:
    """Pictures of faces with eight attributes.

    Args:
        reading: ``data_dir`` has the files; ``split`` is train, valid or test; ``groups`` names a file of other
            attributes, and ``labels`` those of them that are used.

    Raises:
        DataError: a file or picture is missing or damaged, or the groups cannot be made of what is published.
    """
    if reading.split not in (None, *_PARTS):
        raise DataError(f"--split {reading.split}: should be train, valid or test.")
    folder = data_folder("celeba", reading)
    listed = _read_attributes(_found(folder, "list_attr_celeba", reading))
    groups, source = _groups(reading)
    _require_known(groups, source, listed)
    codes, attributes = grouped(listed.names, listed.there, groups)
    rows, absent = _present(listed, _rows_of_part(listed, folder, reading), folder, reading)
    rows = rows[random_rows(len(rows), reading.max_rows)]
    decoded = decode(
        [_picture_folder(folder) / listed.pictures[row] for row in rows],
        reading,
        f"celeba {folder.resolve()} {reading.split or ''}",
    )
    kept = rows[decoded.kept]
    return Dataset(
        x=decoded.x,
        codes=codes[kept],
        attributes=attributes,
        ids=tuple(listed.pictures[row] for row in kept),
        skipped=(*absent, *decoded.skipped),
        notes=decoded.notes,
    )


def grouped(
    names: Sequence[str], there: NDArray[np.bool_], groups: Groups
) -> tuple[NDArray[np.int64], tuple[Attribute, ...]]:
    """Labels of rows (N) by groups of attributes (K) that are there or not (N, K).

    >>> hair = {"hair": {"dark": ["Black_Hair", "Brown_Hair"], "none": ["Bald -Black_Hair"]}}
    >>> there = np.array([[True, True, False], [False, False, True], [True, False, True], [False, False, False]])
    >>> grouped(["Black_Hair", "Brown_Hair", "Bald"], there, hair)[0].tolist()
    [[0], [1], [0], [-1]]
    """
    columns = dict(zip(names, there.T, strict=True))
    codes = np.full((len(there), len(groups)), MISSING, dtype=np.int64)
    for a, classes in enumerate(groups.values()):
        holds = np.stack([_any_holds(conditions, columns) for conditions in classes.values()], axis=1)
        codes[:, a] = np.where(holds.sum(axis=1) == 1, holds.argmax(axis=1), MISSING)
    return codes, tuple(Attribute(name, np.array(list(classes))) for name, classes in groups.items())


def mapping_table(groups: Groups = GROUPS) -> str:
    """The groups as a table in Markdown.

    >>> print(mapping_table({"hat": {"no": ["-Wearing_Hat"], "yes": ["Wearing_Hat"]}}))
    | attribute | class | if |
    | --- | --- | --- |
    | hat | no | not `Wearing_Hat` |
    | hat | yes | `Wearing_Hat` |
    """
    lines = ["| attribute | class | if |", "| --- | --- | --- |"]
    for attribute, classes in groups.items():
        for name, conditions in classes.items():
            said = "; or ".join(_in_words(condition) for condition in conditions)
            lines.append(f"| {attribute} | {name} | {said} |")
    return "\n".join(lines)


def read_groups(path: Path) -> Groups:
    """Groups from a YAML file: attribute → class → a condition, or a list of them.

    Raises:
        DataError: the file cannot be read, or is not of that shape; it names the attribute.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = from_yaml(text, as_text=True, called=path.name)  # a class may be called no
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"--groups {path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not content:
        raise DataError(f"--groups {path}: should have attributes, and below each its classes with their conditions.")
    return {attribute: _classes(path, attribute, classes) for attribute, classes in content.items()}


def _classes(path: Path, attribute: str, classes: object) -> dict[str, list[str]]:
    if not isinstance(classes, dict) or len(classes) < 2:
        raise DataError(f"--groups {path}, {attribute}: should have two classes or more, each with its conditions.")
    checked = {}
    for name, given in classes.items():
        conditions = given if isinstance(given, list) else [given]
        if not conditions or not all(isinstance(c, str) and c.strip() for c in conditions):
            raise DataError(f"--groups {path}, {attribute}, {name}: should have a condition, or a list of them.")
        checked[name] = conditions
    return checked


def _groups(reading: Reading) -> tuple[Groups, str]:
    """The groups in use, and where they come from."""
    if reading.groups is None:
        groups, source = GROUPS, "the built-in groups"
    else:
        groups, source = read_groups(Path(reading.groups)), f"--groups {reading.groups}"
    if reading.labels is None:
        return groups, source
    unknown = [name for name in reading.labels if name not in groups]
    if unknown:
        raise DataError(f"--label-columns {unknown[0]}: should be of {source}: {', '.join(groups)}.")
    return {name: groups[name] for name in reading.labels}, source


def _require_known(groups: Groups, source: str, listed: _Listed) -> None:
    for attribute, classes in groups.items():
        for name, conditions in classes.items():
            for term in " ".join(conditions).split():
                if term.removeprefix("-") not in listed.names:
                    raise DataError(
                        f"{source}, {attribute}, {name}: {listed.path} has no attribute {term.removeprefix('-')!r}; "
                        f"it has {', '.join(listed.names)}."
                    )


def _any_holds(conditions: Sequence[str], columns: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
    holds: NDArray[np.bool_] = np.logical_or.reduce([_holds(condition, columns) for condition in conditions])
    return holds


def _holds(condition: str, columns: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
    terms = [~columns[term[1:]] if term.startswith("-") else columns[term] for term in condition.split()]
    holds: NDArray[np.bool_] = np.logical_and.reduce(terms)
    return holds


def _in_words(condition: str) -> str:
    terms = condition.split()
    return " and ".join(f"not `{term[1:]}`" if term.startswith("-") else f"`{term}`" for term in terms)


def _found(folder: Path, stem: str, reading: Reading) -> Path:
    """A text file as published, or the table of the same name that Kaggle has."""
    names = (f"{stem}.txt", f"{stem}.csv")
    for path in (folder / place / name for place in _PLACES for name in names):
        if path.is_file():
            return path
    if reading.download:
        fetch("celeba", folder)
    raise DataError(f"celeba: there is neither {names[0]} nor {names[1]} in {folder}. {CELEBA}")


def _picture_folder(folder: Path) -> Path:
    for place in _PLACES:
        for path in (folder / place / _PICTURES / _PICTURES, folder / place / _PICTURES):
            if path.is_dir():
                return path
    raise DataError(f"celeba: there is no folder {_PICTURES} in {folder}. {CELEBA}")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _read_attributes(path: Path) -> _Listed:
    lines = _lines(path)
    csv = path.suffix == ".csv"
    separator = "," if csv else None
    n_above = 1 if csv else 2
    names = lines[n_above - 1].split(separator)[csv:] if len(lines) > n_above else []
    if not names:
        raise DataError(f"{path} is not a list of CelebA's attributes: it has no rows below their names.")
    pictures: list[str] = []
    there = bytearray()
    for number, line in enumerate(lines[n_above:], start=n_above + 1):
        picture, *signs = line.split(separator) or [""]
        if len(signs) != len(names) or not _SIGNS.issuperset(signs):
            raise DataError(f"{path}, line {number}: should be a picture and {len(names)} values that are 1 or -1.")
        pictures.append(picture)
        there.extend(sign == "1" for sign in signs)
    if not csv and lines[0].strip() != str(len(pictures)):
        raise DataError(f"{path} has {len(pictures)} rows, and says in its first line that it has {lines[0].strip()}.")
    table = np.frombuffer(there, dtype=np.bool_).reshape(len(pictures), len(names))
    return _Listed(path, tuple(pictures), tuple(names), table)


def _rows_of_part(listed: _Listed, folder: Path, reading: Reading) -> NDArray[np.int64]:
    if reading.split is None:
        return np.arange(len(listed.pictures))
    path = _found(folder, "list_eval_partition", reading)
    parts = _read_partition(path)
    strangers = [picture for picture in listed.pictures if picture not in parts]
    if strangers:
        raise DataError(f"{path} does not say which part {strangers[0]} is in, which {listed.path} names.")
    wanted = str(_PARTS.index(reading.split))
    rows = np.flatnonzero([parts[picture] == wanted for picture in listed.pictures])
    if not len(rows):
        raise DataError(f"--split {reading.split}: {path} has no picture in that part.")
    return rows


def _read_partition(path: Path) -> dict[str, str]:
    csv = path.suffix == ".csv"
    parts = {}
    for number, line in enumerate(_lines(path)[csv:], start=1 + csv):
        cells = line.split("," if csv else None)
        if len(cells) != 2 or cells[1] not in ("0", "1", "2"):
            raise DataError(f"{path}, line {number}: should be a picture and the number of its part, 0, 1 or 2.")
        parts[cells[0]] = cells[1]
    return parts


def _present(
    listed: _Listed, rows: NDArray[np.int64], folder: Path, reading: Reading
) -> tuple[NDArray[np.int64], list[Skipped]]:
    """The rows whose pictures are there, and those that are not, if these may be skipped."""
    pictures = _picture_folder(folder)
    names = {path.name for path in pictures.iterdir()}
    here = np.array([listed.pictures[row] in names for row in rows], dtype=bool)
    absent = [listed.pictures[row] for row in rows[~here]]
    if absent and (len(absent) == len(rows) or not reading.skip_bad):
        way_out = "" if len(absent) == len(rows) else " --skip-bad goes on without them."
        raise DataError(
            f"{pictures} lacks {len(absent)} of the {len(rows)} pictures that {listed.path} names, the first of them "
            f"{absent[0]}.{way_out}"
        )
    return rows[here], [Skipped(name, f"there is no such picture in {pictures}") for name in absent]

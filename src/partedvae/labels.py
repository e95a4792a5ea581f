"""Labels as numbers, −1 where one is missing, and the attributes that they are of."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Integers = NDArray[np.int64]

MISSING = -1

NO_LABEL = "y has no label at all: every value is missing (-1, None or NaN). A few per class are needed."


@dataclass(frozen=True)
class Attribute:
    """One categorical variable: its name, and its classes in order."""

    name: str
    classes: Array


def learnable(codes: Integers, attributes: Sequence[Attribute]) -> tuple[Integers, list[Attribute]]:
    """The same labels without classes that nothing is labelled as.

    Raises:
        ValueError: no label at all, or an attribute with labels of one class only.

    >>> codes = np.array([[2], [0], [-1]])
    >>> codes, (animal,) = learnable(codes, [Attribute("animal", np.array(["cat", "cow", "dog"]))])
    >>> codes[:, 0], animal.classes
    (array([ 1,  0, -1]), array(['cat', 'dog'], dtype='<U3'))
    """
    if not (codes != MISSING).any():
        raise ValueError(NO_LABEL)
    kept, columns = [], []
    for attribute, column in zip(attributes, codes.T, strict=True):
        present = np.unique(column[column != MISSING])
        classes = attribute.classes[present]
        require_two(classes, called_in_y(attribute.name, len(attributes)))
        numbers = np.full(len(attribute.classes) + 1, MISSING, dtype=np.int64)  # −1 finds the last
        numbers[present] = np.arange(len(present))
        kept.append(Attribute(attribute.name, classes))
        columns.append(numbers[column])
    return np.stack(columns, axis=1), kept


def recoded(codes: Integers, attributes: Sequence[Attribute], wanted: Sequence[Attribute]) -> Integers:
    """Labels of some attributes in the numbers of others of the same names; −1 where they have no such label.

    A single attribute stands for a single one, whatever their names.

    >>> ours, theirs = Attribute("a", np.array(["x", "y"])), Attribute("a", np.array(["y", "z"]))
    >>> recoded(np.array([[0], [1], [-1]]), [ours], [theirs])[:, 0]
    array([-1,  0, -1])
    """
    single = len(attributes) == len(wanted) == 1
    columns = []
    for target in wanted:
        source = next((a for a, attribute in enumerate(attributes) if single or attribute.name == target.name), None)
        if source is None:
            columns.append(np.full(len(codes), MISSING, dtype=np.int64))
            continue
        number = {label: place for place, label in enumerate(target.classes.tolist())}
        numbers = [number.get(label, MISSING) for label in attributes[source].classes.tolist()]
        columns.append(np.array([*numbers, MISSING])[codes[:, source]])  # −1 finds the last
    return np.stack(columns, axis=1)


def only(attributes: Sequence[Attribute], a: int, label: Any) -> Any:
    """A label of attribute a as ``PartedVAE.sample`` takes it: of several attributes, the others are left open.

    >>> only([Attribute("animal", np.array(["cat"])), Attribute("age", np.array([1]))], 0, "cat")
    ['cat', None]
    """
    return label if len(attributes) == 1 else [label if b == a else None for b in range(len(attributes))]


def number_of(label: Any, attribute: Attribute) -> int:
    """The number of a label among its attribute's classes, or a ValueError that lists them.

    >>> number_of("cat", Attribute("animal", np.array(["cat", "dog"])))
    0
    """
    if np.ndim(label):
        raise ValueError(f"{label!r} is no label; give one.")
    found = np.flatnonzero(attribute.classes == label)
    if not len(found):
        raise ValueError(f"{label!r} is not a class; the classes are {listed(attribute.classes)}.")
    return int(found[0])


def numbers_of(label: Any, attributes: Sequence[Attribute]) -> list[int | None]:
    """A label as a person gives it, in numbers: one an attribute, ``None`` where it is left open.

    Args:
        label: a class of the one attribute; of several attributes a sequence, or a mapping by name; or ``None``.
        attributes: those that the model knows.

    Raises:
        ValueError: not a class, not an attribute, or another number of values.

    >>> animal, age = Attribute("animal", np.array(["cat", "dog"])), Attribute("age", np.array([1, 2]))
    >>> numbers_of("dog", [animal]), numbers_of([None, 2], [animal, age]), numbers_of({"age": 1}, [animal, age])
    ([1], [None, 1], [None, 0])
    """
    names = [attribute.name for attribute in attributes]
    if isinstance(label, Mapping):
        strange = [name for name in label if name not in names]
        if strange:
            raise ValueError(f"label names {strange[0]!r}; the attributes are {', '.join(names)}.")
        chosen = [label.get(name) for name in names]
    elif len(attributes) == 1:
        chosen = [label]
    elif label is None:
        chosen = [None] * len(attributes)
    elif isinstance(label, str) or not isinstance(label, Iterable):
        raise ValueError(f"label is {label!r}; of which attribute? Give one class for each of {', '.join(names)}.")
    else:
        chosen = list(label)
    if len(chosen) != len(attributes):
        raise ValueError(f"label has {len(chosen)} values; one for each of the {len(attributes)} attributes is needed.")
    return [
        None if value is None else number_of(value, attribute)
        for value, attribute in zip(chosen, attributes, strict=True)
    ]


def first_repeated(names: Sequence[str]) -> str | None:
    """The first name that is there more than once."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def nearly_equal(classes: Array) -> list[list[str]]:
    """Classes that but for spaces, capitals or the form of an accent are one; A and a are letters.

    >>> nearly_equal(np.array(["Cat ", "cat", "dog", "A", "a"]))
    [['Cat ', 'cat']]
    """
    alike: dict[str, list[str]] = {}
    for name in map(str, classes.tolist()):
        written = " ".join(unicodedata.normalize("NFC", name).split())
        alike.setdefault(written.casefold() if len(written) > 1 else written, []).append(name)
    return [names for names in alike.values() if len(names) > 1]


def require_two(classes: Array, called: str) -> None:
    """Refuse an attribute from whose labels nothing can be learnt."""
    if len(classes) < 2:
        seen = f"one class, {classes.tolist()[0]!r}" if len(classes) else "no label at all"
        raise ValueError(f"{called} has {seen}; at least two classes are needed. (-1, None and NaN mean unlabelled.)")


def called_in_y(name: str, n_attributes: int) -> str:
    """What a message calls an attribute."""
    return "y" if n_attributes == 1 else f"Attribute {name!r} of y"


def listed(classes: Array) -> str:
    """Classes in a message; of very many, the first."""
    shown = [repr(label) for label in classes.tolist()]
    return ", ".join(shown if len(shown) <= 12 else [*shown[:11], f"… ({len(shown)} in all)"])

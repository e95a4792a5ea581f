"""Equal observations with different labels, and what is said of a data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from numpy.typing import NDArray

from partedvae.data import Dataset
from partedvae.data import conflicts as conflicts_module
from partedvae.data import describe as describe_module
from partedvae.data.conflicts import find_duplicates, labelled_conflicts
from partedvae.data.dataset import Skipped
from partedvae.data.describe import describe
from partedvae.labels import Attribute

Array = NDArray[Any]


@dataclass(frozen=True)
class Lazy:
    """Rows that are read only when asked for."""

    held: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.held.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.held.dtype

    def __len__(self) -> int:
        return len(self.held)

    def __getitem__(self, rows: Array) -> Array:
        found: Array = self.held[rows]
        return found


def dataset(x: Array, *columns: list[int], **more: Any) -> Dataset:
    """Rows named a, b and so on, with labels of attributes named by their numbers, of classes p, q and so on."""
    codes = np.array(columns, dtype=np.int64).T.reshape(len(x), len(columns))
    attributes = tuple(
        Attribute(f"kind {place}", np.array(list("pqrs")[: max(column) + 1])) for place, column in enumerate(columns)
    )
    return Dataset(x, codes, attributes, tuple("abcdefghijklmnopqrstuvwxyz"[: len(x)]), **more)


def test_equal_observations_with_different_labels_are_a_conflict() -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])
    found = find_duplicates(x, np.array([[0], [1], [0], [0], [-1]]))
    assert found.groups == ((0, 2, 4), (1, 3))
    assert found.conflicts == ((1, 3),)
    assert found.repeated == 3


@pytest.mark.parametrize(
    ("labels", "conflict"),
    [
        ([[0, 1], [0, 1]], False),
        ([[0, 1], [0, 0]], True),
        ([[0, -1], [-1, 1]], False),  # they say different things, not contrary ones
        ([[0, -1], [-1, 1], [1, -1]], True),
        ([[-1, -1], [0, 1]], False),
        ([[-1, -1], [-1, -1]], False),
    ],
)
def test_labels_of_several_attributes_contradict_each_other_one_by_one(labels: list[list[int]], conflict: bool) -> None:
    codes = np.array(labels)
    pictures = np.full((len(codes), 4, 4, 3), 7, dtype=np.uint8)
    assert len(find_duplicates(pictures, codes).conflicts) == conflict
    data = Dataset(pictures, codes, (Attribute("a", np.arange(2)), Attribute("b", np.arange(2))), list("xyz"))
    assert labelled_conflicts(data) == ([list("xyz")[: len(codes)]] if conflict else [])


@settings(max_examples=60, derandomize=True)
@given(data=st.data(), n=st.integers(1, 8), n_attributes=st.integers(0, 2), at_once=st.integers(1, 4))
def test_conflicts_are_those_that_comparing_every_pair_finds(
    data: st.DataObject, n: int, n_attributes: int, at_once: int
) -> None:
    x = data.draw(st_numpy.arrays(np.float32, (n, 2), elements=st.sampled_from([0.0, 1.0, np.nan])))
    codes = data.draw(st_numpy.arrays(np.int64, (n, n_attributes), elements=st.integers(-1, 1)))
    equal = {(i, j) for i, j in combinations(range(n), 2) if x[i].tobytes() == x[j].tobytes()}
    contrary = {(i, j) for i, j in equal if ((codes[i] != codes[j]) & (codes[i] >= 0) & (codes[j] >= 0)).any()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conflicts_module, "_AT_ONCE", at_once)
        for rows in (x, np.asfortranarray(x), Lazy(x)):
            found = find_duplicates(rows, codes)
            assert {pair for group in found.groups for pair in combinations(group, 2)} == equal
            assert {i for pair in contrary for i in pair} <= {row for group in found.conflicts for row in group}
            assert all(any(pair in contrary for pair in combinations(group, 2)) for group in found.conflicts)


def test_only_labelled_rows_are_looked_at_for_conflicts_and_named_by_the_source() -> None:
    x = np.array([[0.0], [1.0], [0.0], [1.0], [0.0]])
    for rows in (x, Lazy(x)):
        data = dataset(x, [0, -1, 1, -1, -1])
        assert labelled_conflicts(replace(data, x=rows)) == [["a", "c"]]
        assert labelled_conflicts(replace(data.with_labels_of([]), x=rows)) == []


# ------------------------------------------------------------------------------------------------------------ describe


def lines(data: Dataset) -> str:
    return "\n".join(describe("mine", data))


def test_a_data_set_is_described_with_its_classes_duplicates_and_problems() -> None:
    x = np.array([[0.0, 1.0], [5.0, -2.0], [0.0, 1.0], [0.0, 1.0], [9.0, 9.0]])
    said = lines(dataset(x, [0, 1, 1, -1, -1], [-1, 0, -1, 2, -1], feature_names=("width", "height")))
    assert said == (
        "mine: 5 observations, 2 features, float64, in memory\n"
        "values: from -2 to 9\n"
        "features: width, height\n"
        "kind 0: 3 labelled, 2 unlabelled; 2 classes: p 1, q 2\n"
        "kind 1: 2 labelled, 3 unlabelled; 3 classes: p 1, q 0, r 1\n"
        "exact duplicates: 2 observations repeat another\n"
        "problem: equal observations with different labels: a, c, d"
    )


def test_what_is_wrong_is_a_problem_and_stops_nothing() -> None:
    bad = dataset(np.array([[np.nan, 1.0], [np.inf, 2.0]]), [0, 0], skipped=(Skipped("z.png", "z.png is no picture."),))
    problem = "problem: 2 values are NaN or infinite, the first in a; training refuses them"
    assert f"values: from 1 to 2\n{problem}" in lines(bad)
    assert "problem: kind 0 has labels of one class only; training needs two" in lines(bad)
    without = "--skip-bad goes on without what cannot be read: 1 of 3"
    assert lines(bad).endswith(f"problem: z.png is no picture.\n{without}")
    nothing = lines(dataset(np.full((2, 3), np.nan)))
    assert "values" not in nothing.split("problem")[0]
    assert "problem: 6 values are NaN" in nothing
    assert "labels: none; to train, a few per class are needed" in nothing


def test_a_name_cannot_break_a_line_and_one_that_two_rows_have_is_a_problem() -> None:
    data = dataset(np.arange(4.0).reshape(2, 2), [0, 1])
    odd = Attribute("kind", np.array(["a\nproblem: b", "\x1b[31mc"]))
    said = lines(replace(data, attributes=(odd,), codes=data.codes[:, :1], ids=("x", "x")))
    assert r"2 classes: a\nproblem: b 1, \x1b[31mc 1" in said
    assert "problem: more than one row is called 'x'" in said


def test_names_that_are_almost_alike_are_told() -> None:
    data = dataset(np.arange(6.0).reshape(3, 2), [0, 1, 2])
    names = np.array(["Cafe\u0301", "caf\u00e9 ", "tea"])
    said = lines(replace(data, attributes=(Attribute("drink", names),), codes=data.codes[:, :1]))
    assert "problem: drink has classes" in said
    assert "'tea'" not in said.split("drink has classes")[1]
    assert "has classes" not in lines(data)


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float16, np.float64])
@pytest.mark.parametrize("shape", [(3, 2), (3, 8, 8), (3, 8, 8, 3)])
@pytest.mark.parametrize("lazy", [False, True])
def test_observations_of_any_kind_are_described(dtype: Any, shape: tuple[int, ...], lazy: bool) -> None:
    x = np.ones(shape, dtype=dtype)
    said = lines(replace(dataset(x, [0, -1, 1]), x=Lazy(x) if lazy else x))
    assert ("read on demand" if lazy else "in memory") in said
    assert "×".join(map(str, shape[1:])) in said
    assert "values: from 1 to 1" in said
    assert "2 observations repeat another" in said


def test_of_many_observations_classes_and_conflicts_a_choice_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 40
    x, classes = (
        np.repeat(np.arange(n), 2)[:, None].astype(float),
        Attribute("word", np.array([f"w{k}" for k in range(n)])),
    )
    codes = np.arange(2 * n)[:, None] % n
    data = Dataset(x, codes, (classes,), tuple(map(str, range(2 * n))), tuple("f"))
    said = lines(data)
    assert "w10 2, … (40 in all)" in said
    assert "w11" not in said
    assert said.count("problem: equal observations") == 12
    assert "problem: and 28 more groups like these" in said
    monkeypatch.setattr(describe_module, "_LOOKED_AT", 10)
    assert "(of 10 looked at)" in lines(data)
    assert "80 labelled, 0 unlabelled" in lines(data)

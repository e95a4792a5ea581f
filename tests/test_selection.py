"""Which observations are suggested for labelling: by brute force where there are few, and on digits."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from partedvae import PartedVAE
from partedvae.data import Dataset, load
from partedvae.data.dataset import Numbered
from partedvae.labels import Attribute
from partedvae.selection import covering, most_worth_labelling

Array = NDArray[Any]


def left_over(h: Array, labelled: list[int]) -> float:
    """Sum of squared distances to the nearest of some rows; of none, to the farthest row."""
    distance = ((h[:, None] - h[None]) ** 2).sum(axis=2)
    return float((distance[:, labelled].min(axis=1) if labelled else distance.max(axis=1)).sum())


@given(seed=st.integers(0, 10**6), n_rows=st.integers(4, 8), n_labelled=st.integers(0, 2))
def test_two_choices_are_nearly_as_good_as_the_best_two(seed: int, n_rows: int, n_labelled: int) -> None:
    """Facility location is submodular: greedy choices gain at least 1 − 1/e of what the best ones do."""
    random = np.random.default_rng(seed)
    h = random.normal(size=(n_rows, 3))
    known = random.permutation(n_rows)[:n_labelled].tolist()
    labelled = np.isin(np.arange(n_rows), known)
    chosen = covering(h, labelled, n=2).tolist()
    assert len(set(chosen)) == 2
    assert not set(chosen) & set(known)
    others = np.flatnonzero(~labelled).tolist()
    gains = {pair: left_over(h, known) - left_over(h, [*known, *pair]) for pair in combinations(others, 2)}
    assert gains[min(chosen), max(chosen)] >= (1 - 1 / np.e) * max(gains.values()) - 1e-9
    for i, row in enumerate(chosen):
        after = {other: left_over(h, [*known, *chosen[:i], other]) for other in others}
        assert after[row] == pytest.approx(min(after.values()), abs=1e-9)


def test_observations_that_are_all_the_same_are_suggested_once_each() -> None:
    chosen = covering(np.zeros((30, 4)), np.zeros(30, dtype=bool), n=25)
    assert len(set(chosen.tolist())) == 25


@pytest.mark.parametrize("n", [20, 30_000])
def test_of_many_rows_a_bounded_number_is_compared(n: int) -> None:
    labelled = np.arange(100_000) % 2 == 0
    asked = []

    def features(rows: Array) -> Array:
        asked.append(rows)
        return (rows[:, None] // 10_000).astype(np.float32)  # few places, so that all is soon covered

    chosen = most_worth_labelling(labelled, n, 0, features)
    (rows,) = asked
    assert (np.diff(rows) > 0).all()
    assert np.bincount(labelled[rows].astype(int)).tolist() == [4096, 4096]
    assert len(set(chosen.tolist())) == n
    assert not labelled[chosen].any()
    assert chosen.tolist() == most_worth_labelling(labelled, n, 0, features).tolist()
    assert chosen.tolist() != most_worth_labelling(labelled, n, 1, features).tolist()


@pytest.mark.parametrize("n", [0, 4])
def test_no_more_are_suggested_than_there_are(n: int) -> None:
    with pytest.raises(ValueError, match=f"n={n}: should be a whole number from 1 to 3"):
        most_worth_labelling(np.array([True, False, False, False]), n, 0, lambda rows: rows[:, None])


@pytest.fixture(scope="module")
def digits() -> tuple[PartedVAE, Array, Array]:
    """A model that knows twenty labels, the pictures, and all digits."""
    data = load("digits")
    x, digit = data.array[:800], data.codes[:800, 0]
    model = PartedVAE(max_epochs=10, random_state=0)
    return model.fit(x, np.where(np.arange(800) < 20, digit, -1)), x, digit


def test_rows_with_a_label_are_not_suggested_and_nor_is_what_is_like_them(
    digits: tuple[PartedVAE, Array, Array],
) -> None:
    model, x, digit = digits
    low = np.where(digit < 5, digit, -1)
    chosen = model.suggest(x, 40, random_state=0, y=low)
    assert (digit[chosen] >= 5).all()
    some = np.where((digit < 5) & (np.arange(800) % 2 == 0), digit, -1)  # of the low ones half have no label
    chosen = model.suggest(x, 40, random_state=0, y=some)
    assert (some[chosen] == -1).all()
    unlabelled = digit[some == -1]
    assert (digit[chosen] >= 5).mean() > (unlabelled >= 5).mean() + 0.1
    assert chosen.tolist() == model.suggest(x, 40, random_state=0, y=some).tolist()


def test_labels_that_the_model_has_never_heard_of_are_labels(digits: tuple[PartedVAE, Array, Array]) -> None:
    model, x, _ = digits
    y = np.full(800, None, dtype=object)
    y[:790] = "new"
    assert sorted(model.suggest(x, 10, y=y).tolist()) == list(range(790, 800))


def test_where_nothing_is_left_to_ask_it_is_said(digits: tuple[PartedVAE, Array, Array]) -> None:
    model, x, digit = digits
    with pytest.raises(ValueError, match="Every observation has its label"):
        model.suggest(x, 3, y=digit)


def test_a_data_set_has_its_labels_with_it(digits: tuple[PartedVAE, Array, Array]) -> None:
    model, _, _ = digits
    data = load("digits")
    few = data.with_labels_of(range(1000, len(data)))
    assert max(model.suggest(few, 30, random_state=0)) < 1000
    assert len(model.suggest(data, 30, random_state=0)) == 30  # all have one: none counts
    with pytest.raises(ValueError, match="y is given twice"):
        model.suggest(few, 30, y=few.y)
    with pytest.raises(ValueError, match="n=30: should be a whole number from 1 to 20"):
        model.suggest(data.with_labels_of(range(20, len(data))), 30)


def test_only_labels_of_the_models_own_attributes_say_what_is_left_to_label(fitted_two: PartedVAE) -> None:
    x = np.random.default_rng(0).normal(size=(30, fitted_two.n_features_in_))
    first, second = fitted_two.attributes_

    def data(**columns: list[Any]) -> Dataset:
        """Codes of attributes by their names; the model's have its classes, another two of its own."""
        known = {attribute.name: attribute for attribute in fitted_two.attributes_}
        attributes = tuple(known.get(name, Attribute(name, np.array(["p", "q"]))) for name in columns)
        codes = np.array(list(columns.values())).reshape(len(columns), 30).T
        return Dataset(x, codes, attributes, Numbered(range(30)))

    half = [0, -1] * 15
    for one in (data(), data(**{first.name: half}), data(**{first.name: half, second.name: [-1] * 30})):
        assert len(fitted_two.suggest(one, 30, random_state=0)) == 30  # the other is missing everywhere
    both = data(**{second.name: [0] * 30, "region": half, first.name: half})
    assert sorted(fitted_two.suggest(both, 15, random_state=0)) == list(range(1, 30, 2))
    with pytest.raises(ValueError, match="15"):
        fitted_two.suggest(both, 16)


def test_a_column_of_another_kind_is_no_label_of_the_only_attribute(digits: tuple[PartedVAE, Array, Array]) -> None:
    fitted, x = digits[0], digits[1][:20]
    half = np.array([[0], [-1]] * 10)
    region, digit = Attribute("region", np.array(["p", "q"])), Attribute("number", np.arange(3))
    assert len(fitted.suggest(Dataset(x, half, (region,), Numbered(range(20))), 20, random_state=0)) == 20
    found = fitted.suggest(Dataset(x, half, (digit,), Numbered(range(20))), 10, random_state=0)
    assert sorted(found) == list(range(1, 20, 2))


def test_what_is_far_from_all_is_as_far_as_it_is_or_named(fitted_two: PartedVAE) -> None:
    x = np.random.default_rng(0).normal(size=(30, fitted_two.n_features_in_))
    x[7] *= 1e25
    assert 7 in fitted_two.suggest(x, 3, random_state=0)  # squares of such distances are not of 32 bits
    x[7] = np.float32(3e38)
    with pytest.raises(ValueError, match="X at row 7 is so far from what fit saw"):
        fitted_two.suggest(x, 3, random_state=0)


def test_columns_of_a_frame_are_the_models_attributes_by_name(fitted_two: PartedVAE) -> None:
    x = np.random.default_rng(0).normal(size=(30, fitted_two.n_features_in_))
    first, second = fitted_two.attributes_
    known = {attribute.name: [attribute.classes[0]] * 20 + [None] * 10 for attribute in (second, first)}
    for frame in (pd.DataFrame(known), pd.DataFrame({"note": [None] * 30, **known})):
        assert sorted(fitted_two.suggest(x, 10, random_state=0, y=frame)) == list(range(20, 30))
    with pytest.raises(ValueError, match=f"y has no column {second.name!r}"):
        fitted_two.suggest(x, 10, y=pd.DataFrame(known).drop(columns=[second.name]).assign(note=1))

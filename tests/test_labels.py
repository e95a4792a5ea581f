"""Labels of every kind: soft ones, rare classes, classes that nothing shows, proportions."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch import Callback
from numpy.typing import NDArray
from sklearn.metrics import get_scorer
from torch import Tensor

from partedvae import PartedVAE, labels
from partedvae.batches import Deck, Draws, balancing_repeats
from partedvae.conflicting_labels import ConflictingLabelsWarning
from partedvae.data import Dataset
from partedvae.data.dataset import Numbered
from partedvae.given_labels import encode, soft
from partedvae.labels import Attribute
from partedvae.objective import cross_entropy, targets_of
from partedvae.partition import Partition

Array = NDArray[Any]


def quick(**settings: Any) -> PartedVAE:
    return PartedVAE(**{"u_dim": 2, "z_dim": 2, "hidden_dim": 16, "max_epochs": 3, "random_state": 0, **settings})


@pytest.fixture
def blobs() -> tuple[Array, Array]:
    """Two classes of 40 rows, far apart."""
    y = np.repeat([0, 1], 40)
    return np.random.default_rng(0).normal(size=(80, 6)) + 4 * y[:, None], y


# ------------------------------------------------------------------------------------------------------- soft labels


def test_certain_soft_labels_cost_what_labels_cost() -> None:
    rng = torch.Generator().manual_seed(0)
    log_c = torch.randn(7, 3, generator=rng, dtype=torch.float64).log_softmax(dim=1)
    y = torch.tensor([0, 2, 1, 1, 0, 2, 2])
    certain = torch.nn.functional.one_hot(y, 3).double()
    layout = Partition((3,), 1, 0)
    hard = cross_entropy(log_c, targets_of(y[:, None], layout), layout)
    torch.testing.assert_close(cross_entropy(log_c, certain, layout), hard)
    p = torch.rand(7, 3, generator=rng, dtype=torch.float64).softmax(dim=1)
    by_hand = -np.mean([sum(p[i, k] * log_c[i, k] for k in range(3)) for i in range(7)])
    assert float(cross_entropy(log_c, p, layout)) == pytest.approx(by_hand)


def test_fit_takes_class_probabilities(blobs: tuple[Array, Array]) -> None:
    x, y = blobs
    soft = np.where(np.eye(2, dtype=bool)[y], 0.9, 0.1)
    soft[5:35] = np.nan  # unlabelled
    model = quick(max_epochs=40).fit(x, soft)
    assert model.classes_.tolist() == [0, 1]
    assert model.score(x, y) > 0.9
    assert model.predict_proba(x)[y == 0, 0].mean() < 0.99  # it was told to doubt


def test_soft_labels_of_a_data_frame_name_the_classes(blobs: tuple[Array, Array]) -> None:
    x, y = blobs
    soft = {"cat": 0.9 - 0.8 * y, "dog": 0.1 + 0.8 * y}
    assert quick().fit(x, pd.DataFrame(soft)).classes_.tolist() == ["cat", "dog"]
    assert quick().fit(x, pl.DataFrame(soft)).classes_.tolist() == ["cat", "dog"]


def test_soft_labels_of_columns_in_any_order_are_scored_by_scikit_learn(blobs: tuple[Array, Array]) -> None:
    """Which takes the columns of probabilities to be in the order of the classes."""
    x, y = blobs
    animal = np.array(["cat", "dog"])[y]
    frame = pd.DataFrame({"dog": 0.1 + 0.8 * y, "cat": 0.9 - 0.8 * y})
    model = quick(max_epochs=40).fit(x, frame)
    assert model.classes_.tolist() == ["cat", "dog"]
    by_hand = -np.log(model.predict_proba(x)[np.arange(len(y)), y]).mean()
    assert get_scorer("neg_log_loss")(model, x, animal) == pytest.approx(-by_hand)
    assert model.score(x, frame) == model.score(x, animal) > 0.9


def test_lists_of_probabilities_are_learned_from_like_arrays_of_them() -> None:
    given = [[0.2, 0.8], [math.nan, math.nan], [1.0, 0.0]]
    as_list, as_array = soft(given), soft(np.array(given))
    assert as_list is not None
    assert as_array is not None
    np.testing.assert_array_equal(as_list[0], as_array[0])


def test_probabilities_may_be_whole_or_missing_in_any_form() -> None:
    wanted = [[1, 0], [0.25, 0.75], [0, 0], [0.5, 0.5]]
    table = pd.DataFrame({"cat": [1.0, 0.25, None, 0.5], "dog": [0.0, 0.75, None, 0.5]}).astype("Float64")
    masked = np.ma.masked_invalid([[1, 0], [0.25, 0.75], [np.nan, np.nan], [0.5, 0.5]])
    for form in ([[1, 0], [0.25, 0.75], [None, None], [0.5, 0.5]], table, masked):
        found = soft(form)
        assert found is not None
        assert found[0].tolist() == wanted
    assert soft([[1, None], [0, 1]]) is None


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ([0.2, 0.2], r"sum to 0\.4, not 1, at row 4"),
        ([1.2, -0.2], r"are negative, -0\.2, at row 4"),
        ([0.5, np.nan], "are missing for some classes only, at row 4"),
    ],
)
def test_probabilities_of_one_row_that_are_not_all_are_named(row: list[float], wrong: str) -> None:
    y = np.full((6, 2), 0.5)
    y[0], y[4] = np.nan, row
    with pytest.raises(ValueError, match=f"y has probabilities of classes that {wrong}"):
        quick().fit(np.eye(6), y)


def test_columns_whose_names_are_written_alike_are_refused() -> None:
    with pytest.raises(ValueError, match="y has two columns that are called '0'"):
        encode(pd.DataFrame({0: [1, 2], "0": [3, 4]}), 2)


@pytest.mark.parametrize("kind", [int, str, object])
def test_masked_labels_are_missing(kind: type) -> None:
    y: Any = np.ma.array(np.arange(6) % 3, mask=np.arange(6) > 3).astype(kind)
    codes, (attribute,) = encode(y, 6)
    assert codes[:, 0].tolist() == [0, 1, 2, 0, -1, -1]
    assert [str(label) for label in attribute.classes] == ["0", "1", "2"]


def test_warnings_point_at_the_line_that_called() -> None:
    x, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    x[1] = x[0]
    exclusive = pd.DataFrame({"a": y * 1.0, "b": 1.0 - y})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for labels in (y[:, None], exclusive):
            PartedVAE(max_epochs=1, hidden_dim=8, random_state=0).fit(x, labels)
    assert {warning.filename for warning in said} == {__file__}
    for message in ("column-vector", "taken for probabilities", "equal observations"):
        assert any(message in str(warning.message) for warning in said)


def test_what_only_looks_like_probabilities_is_labels_of_several_attributes() -> None:
    assert soft(np.array([[0.0, 1.0], [1.0, 1.0]])) is None
    assert soft(np.array([[0, 1], [1, 0]])) is None
    assert soft(np.array([[1.5, -0.5]])) is None
    assert soft(np.array([0.5, 0.5])) is None
    with pytest.raises(ValueError, match="X has 3 rows and y has 2"):
        quick().fit(np.eye(3), np.array([[0.5, 0.5], [0.2, 0.8]]))


# --------------------------------------------------------------------------------------------------- rare classes


@given(counts=st.lists(st.integers(1, 400), min_size=2, max_size=5))
def test_every_class_is_dealt_about_equally_often(counts: list[int]) -> None:
    codes = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))[:, None]
    repeats = balancing_repeats(codes)
    dealt = torch.zeros(len(counts)).index_add(0, codes[:, 0], repeats.float())
    assert (repeats >= 1).all()
    assert dealt.max() / dealt.min() < 1.27  # rounding to quarters changes each by an eighth at most
    if len(set(counts)) == 1:
        assert (repeats == 1).all()


def test_one_in_a_thousand_is_in_every_round() -> None:
    codes = torch.zeros(1001, 1, dtype=torch.long)
    codes[7] = 1
    draws = Draws(n_rows=64 * 64, deck=Deck(codes, balance=True), batch_size=64, seed=0)
    labelled = torch.cat([hand for _, hand in draws])
    assert 0.45 < (labelled == 7).float().mean() < 0.55
    plain = Draws(n_rows=64 * 64, deck=Deck(codes), batch_size=64, seed=0)
    assert (torch.cat([hand for _, hand in plain]) == 7).float().mean() < 0.01


def test_a_deck_of_very_many_rows_is_a_choice_of_them_and_as_even(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = torch.cat([torch.zeros(9_000, dtype=torch.int64), torch.arange(1, 10).repeat_interleave(10)])[:, None]
    whole = Deck(codes, balance=True)
    assert len(whole.of(0, torch.Generator())) == 90_000
    monkeypatch.setattr("partedvae.batches._LONGEST_DECK", 30_000)
    chosen = codes[whole.of(0, torch.Generator().manual_seed(0)), 0].bincount()
    assert chosen.sum() == pytest.approx(30_000, rel=0.02)
    assert chosen.tolist() == pytest.approx([3_000] * 10, rel=0.05)


def test_several_attributes_are_balanced_by_the_mean_over_those_a_row_has() -> None:
    codes = torch.tensor([[0, -1], [0, -1], [1, -1], [-1, 0], [-1, 1]])
    weights = torch.tensor([1 / 2, 1 / 2, 1, 1, 1])
    repeats = balancing_repeats(codes)
    torch.testing.assert_close(repeats / repeats.sum(), weights / weights.sum())


# -------------------------------------------------------------------------------------------------- classes, priors


def test_the_class_prior_is_given_or_follows_the_labels_as_far_as_asked_for(blobs: tuple[Array, Array]) -> None:
    x, y = blobs
    few = np.where(np.arange(80) % 40 < 8, y, -1)
    few[1:8] = -1  # one label of class 0, eight of class 1
    assert quick().fit(x, few).class_prior_ == [pytest.approx([2**0.5 / (3 + 2**0.5), 3 / (3 + 2**0.5)])]
    assert quick(class_prior="uniform").fit(x, few).class_prior_ == [[0.5, 0.5]]
    assert quick(class_prior=[0.3, 0.7]).fit(x, few).class_prior_ == [[0.3, 0.7]]
    assert quick(class_prior="estimated").fit(x, few).class_prior_ == [[2 / 11, 9 / 11]]
    soft = np.full((80, 2), np.nan)
    soft[:2] = [[0.75, 0.25], [0.25, 0.75]]
    assert quick(class_prior="estimated").fit(x, soft).class_prior_ == [[0.5, 0.5]]


def test_a_data_set_keeps_the_order_of_its_classes_and_loses_those_without_labels(blobs: tuple[Array, Array]) -> None:
    x, y = blobs
    attribute = Attribute("size", np.array(["small", "middling", "large"]))
    data = Dataset(x, 2 * y[:, None], (attribute,), Numbered(range(80)))
    model = quick(max_epochs=30).fit(data)
    assert model.classes_.tolist() == ["small", "large"]
    assert model.score(data, data.y) > 0.9
    with pytest.raises(ValueError, match="given twice"):
        quick().fit(data, y)
    with pytest.raises(ValueError, match="one class, 'small'"):
        quick().fit(data.take(np.arange(10)))
    with pytest.raises(ValueError, match="no label at all"):
        quick().fit(data.with_labels_of([]))
    with pytest.raises(ValueError, match=r"'middling'.*not among the classes"):
        model.score(data, np.full(80, "middling", dtype=object))


def test_labels_are_recoded_by_the_names_of_attributes_and_classes() -> None:
    colour, size = Attribute("colour", np.array(["red", "blue"])), Attribute("size", np.array([1, 2]))
    wanted = [Attribute("size", np.array([2, 3])), Attribute("colour", np.array(["blue", "red"]))]
    codes = np.array([[0, 1], [1, 0], [-1, -1]])
    assert labels.recoded(codes, [colour, size], wanted).tolist() == [[0, 1], [-1, 0], [-1, -1]]


def test_names_of_features_are_kept_and_checked(blobs: tuple[Array, Array], tmp_path: Any) -> None:
    x, y = blobs
    names = tuple("abcdef")
    data = Dataset(x, y[:, None], (Attribute("y", np.arange(2)),), Numbered(range(80)), names)
    model = quick().fit(data)
    model.save(tmp_path)
    assert PartedVAE.load(tmp_path).feature_names_in_.tolist() == list(names)
    turned = Dataset(x, y[:, None], data.attributes, data.ids, tuple("abcdfe"))
    with pytest.raises(ValueError, match="feature 'f' where fit saw 'e'"):
        model.predict(turned)


def test_equal_observations_with_different_labels_are_reported(blobs: tuple[Array, Array]) -> None:
    x, y = blobs
    x[[3, 50, 60]] = x[2]
    few = y.copy()
    few[60] = -1
    with pytest.warns(ConflictingLabelsWarning, match="rows 2, 3, 50"):
        quick().fit(x, few)
    few[50] = 0
    quick().fit(x, few)  # no warning, which would be an error here
    x[:] = x[0]
    with pytest.warns(ConflictingLabelsWarning, match="such as rows 0, 1, 2, 3, 4 and 75 more"):
        quick().fit(x, y)


@pytest.mark.parametrize(
    "given",
    [
        lambda y: list(y),
        lambda y: [label if row % 2 else None for row, label in enumerate(y)],
        lambda y: list(np.array(["a", "b"])[y]),
        lambda y: [np.float32("nan"), *map(np.float32, y[1:])],
        lambda y: pd.Series(list(y), dtype=object),
        lambda y: np.array(list(y), dtype=object),
    ],
)
def test_numbers_and_texts_of_numpy_in_a_list_are_labels(blobs: tuple[Array, Array], given: Any) -> None:
    x, y = blobs
    model = quick().fit(x, given(y))
    assert model.score(x, given(y)) > 0.9
    assert type(model.classes_.tolist()[0]) in (int, float, str)


def test_attributes_with_names_are_found_by_name(blobs: tuple[Array, Array]) -> None:
    x, y = blobs
    table = pd.DataFrame({"left": y, "odd": np.arange(80) % 2})
    turned = table[["odd", "left"]].assign(note="")
    model = quick().fit(x, table)
    assert model.score(x, turned) == model.score(x, table)
    before = model.predict_proba(x)
    first, second = (quick().fit(x, table).calibrate(x, given).predict_proba(x)[0] for given in (table, turned))
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(before[0], first)
    attributes = tuple(Attribute(name, np.array([0, 1])) for name in ("odd", "left"))
    data = Dataset(x, table[["odd", "left"]].to_numpy(), attributes, Numbered(range(80)))
    assert model.score(data) == model.score(x, table)
    only_one = Dataset(x, table[["left"]].to_numpy(), attributes[1:], Numbered(range(80)))
    assert model.score(only_one) == pytest.approx(np.mean(model.predict(x)[:, 0] == y))
    with pytest.raises(ValueError, match="no column 'left'"):
        model.score(x, table[["odd"]].assign(right=1))
    twice = table.set_axis(["a", "a"], axis=1)
    with pytest.raises(ValueError, match="two columns that are called 'a'"):
        quick().fit(x, twice)
    with pytest.raises(ValueError, match="given twice"):
        model.calibrate(data, y)


@pytest.mark.filterwarnings("ignore:y is taken for probabilities")
def test_soft_labels_are_known_wherever_labels_are(blobs: tuple[Array, Array]) -> None:
    x, y = blobs
    soft = np.where(np.arange(80)[:, None] % 2, np.eye(2)[y], np.nan)
    model = quick().fit(x, soft, validation_data=(x, soft))
    assert model.score(x, soft) == pytest.approx(np.mean(model.predict(x)[1::2] == y[1::2]))
    assert quick().fit(x, soft, validation_data=(x, None)).history_ == model.history_  # which looks at no label
    hard = np.where(np.arange(80) % 2, y, -1)
    expected = quick().fit(x, soft).calibrate(x, hard).predict_proba(x)
    np.testing.assert_array_equal(model.calibrate(x, soft).predict_proba(x), expected)


def test_soft_labels_with_names_are_found_by_name(blobs: tuple[Array, Array]) -> None:
    x, y = blobs
    soft = pd.DataFrame(np.where(np.eye(2)[y] == 1, 0.9, 0.1), columns=["cat", "dog"])
    model = quick(max_epochs=20).fit(x, soft)
    right = model.score(x, soft)
    assert right > 0.9
    assert model.score(x, soft[["dog", "cat"]]) == model.score(x, soft.to_numpy()) == right
    assert model.score(x, soft.set_axis(["a", "b"], axis=1)) == right  # no name is known: in order
    with pytest.raises(ValueError, match="y has no column 'dog', which is a class"):
        model.score(x, soft.set_axis(["cat", "cow"], axis=1))


def test_probabilities_of_one_class_only_are_refused(blobs: tuple[Array, Array]) -> None:
    x, _ = blobs
    with pytest.raises(ValueError, match="y has one class, 0"):
        quick().fit(x, np.tile([1.0, 0.0], (len(x), 1)))


def test_a_label_that_fit_never_saw_is_not_predicted(blobs: tuple[Array, Array]) -> None:
    x, y = blobs
    model = quick(max_epochs=20).fit(x, y)
    strange = np.where(np.arange(len(y)) < 20, 7, y)
    expected = np.mean(model.predict(x) == strange)
    assert model.score(x, strange) == pytest.approx(expected)
    codes, attribute = np.where(strange == 7, 2, y)[:, None], Attribute("class", np.array([0, 1, 7]))
    data = Dataset(x, codes, (attribute,), Numbered(range(len(x))))
    assert model.score(data) == pytest.approx(expected)
    with pytest.raises(ValueError, match="7"):
        model.calibrate(x, strange)


def test_what_is_held_out_leaves_each_class_a_label() -> None:
    x = np.random.default_rng(0).normal(size=(60, 4))
    y = np.full((60, 2), -1)
    y[:12, 0] = [0, *[1] * 3, *[2] * 8]
    y[:12, 1] = [*[1] * 11, 0]
    seen: list[Array] = []

    def noted(x: Tensor, generator: torch.Generator) -> Tensor:
        return x

    class Note(Callback):
        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            seen.append(batch.labels.numpy())

    quick(validation_fraction=0.9, augment=noted, trainer_options={"callbacks": [Note()]}).fit(x, y)
    learned = np.concatenate(seen)
    assert [set(column[column >= 0]) for column in learned.T] == [{0, 1, 2}, {0, 1}]


def test_labels_that_validate_say_nothing_of_the_class_prior(blobs: tuple[Array, Array]) -> None:
    x, y = blobs
    y = np.where(np.arange(len(y)) % 7 == 0, 1, 0)  # of which no half is as frequent as the whole
    whole = quick(class_prior="estimated").fit(x, y)
    part = quick(class_prior="estimated", validation_fraction=0.5).fit(x, y)
    n = len(y) // 2
    counts = np.array(part.class_prior_[0]) * (n + 2) - 1
    np.testing.assert_allclose(counts, counts.round(), atol=1e-9)
    assert counts.sum() == pytest.approx(n)
    assert np.array(whole.class_prior_[0]) * (len(y) + 2) - 1 == pytest.approx(np.bincount(y))

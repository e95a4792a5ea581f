"""What PartedVAE refuses: observations, labels and settings that cannot be, each named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError

from partedvae import PartedVAE
from partedvae.conflicting_labels import ConflictingLabelsWarning
from partedvae.recorder import TrainingDivergedError

Array = NDArray[Any]
Digits = tuple[Array, Array, Array]
Two = tuple[Array, Array]


def quick(**settings: Any) -> PartedVAE:
    return PartedVAE(**{"u_dim": 2, "z_dim": 2, "max_epochs": 1, "hidden_dim": 16, "random_state": 0, **settings})


X = np.random.default_rng(0).normal(size=(20, 5))
Y = np.arange(20) % 2


def _with(array: Array, place: tuple[int, ...], value: float) -> Array:
    changed = array.copy()
    changed[place] = value
    return changed


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, np.full(20, -1), "y has no label at all"),
        (X, [None] * 20, "y has no label at all"),
        (X, np.zeros(20, dtype=int), "one class, .*0"),
        (X, np.where(np.arange(20) < 5, 3, -1), "one class, .*3"),
        (X, np.stack([Y, np.zeros(20, dtype=int)], axis=1), "Attribute '1' of y has one class"),
        (_with(X, (7, 2), np.nan), Y, "contains NaN at row 7, column 2"),
        (_with(X, (3, 0), -np.inf), Y, "contains infinity at row 3, column 0"),
        (_with(X, (3, 0), np.inf).astype(np.float16), Y, "contains infinity at row 3, column 0"),
        (_with(np.ones((20, 8, 8)), (4, 1, 2), np.nan), Y, r"contains NaN at row 4, pixel \(1, 2\)"),
        (X, Y[:19], "X has 20 rows and y has 19"),
        (X, None, "requires y to be passed, but the target y is None"),
        (X, Y[:, None, None], "shape"),
        (X, Y + 0.5, "continuous"),
        (X, ["a", 1] * 10, "mixes labels of different types"),
        (X, np.array(["a", "b", -1, -1] * 5), "array of texts, one of which is '-1'"),
        (X, np.array(["a", "b", np.nan, "b"] * 5), "array of texts, one of which is 'nan'"),
        (pd.DataFrame({"a": X[:, 0], "kind": "x"}), Y, "Column 'kind' of X does not hold numbers"),
        (pd.DataFrame({"a": X[:, 0], "day": pd.Timestamp("2020")}), Y, "Column 'day' of X does not hold numbers"),
        (np.ma.array(X, mask=X > 1), Y, "X is a masked array"),
        ("pictures", Y, r"X is a path. Give what partedvae.data.load\('pictures'\)"),
        (Path("pictures"), Y, "X is a path"),
        (np.ones((20, 7, 8)), Y, "8×8 is the smallest"),
        (np.ones((20, 8, 8, 5)), Y, "1 to 4 channels"),
        (np.ones((20, 2, 2, 2, 2)), Y, "should be"),
    ],
)
@pytest.mark.filterwarnings("ignore:A column-vector")
def test_bad_input_is_refused_with_what_and_where(x: Array, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quick().fit(x, y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"u_dim": 0}, "u_dim=0"),
        ({"u_dim": True}, "u_dim=True: should be a number, not true or false"),
        ({"gamma_x": np.False_}, "gamma_x=.*: should be a number, not true or false"),
        ({"likelihood": True}, "likelihood=True: should be 'auto'"),
        ({"z_dim": -1}, "z_dim=-1"),
        ({"scale": 0.0}, "scale=0.0"),
        ({"likelihood": "poisson"}, "likelihood='poisson'"),
        ({"max_epochs": 0}, "max_epochs=0"),
        ({"lr": "fast"}, "lr='fast'"),
        ({"class_prior": [0.5, 0.3, 0.2]}, "class_prior has 3 proportions, the labels have 2"),
        ({"class_prior": []}, "class_prior has no proportions"),
        ({"class_prior": [0.9, 0.3]}, "sum to 1"),
        ({"class_prior": [np.nan, 1.0]}, "sum to 1"),
        ({"z_capacity": np.inf}, "z_capacity=inf"),
        ({"gamma_x": -1.0}, "gamma_x=-1.0"),
        ({"gamma_z": np.nan}, "gamma_z=nan"),
        ({"lr": np.inf}, "lr=inf"),
        ({"trainer_options": {"precision": "bf16-true"}}, "bf16-mixed"),
        ({"trainer_options": {"overfit_batches": 1}}, "overfit_batches is not possible"),
        ({"trainer_options": {"max_epochs": None}}, "max_epochs in trainer_options"),
        ({"trainer_options": {"max_steps": 10}}, "max_steps in trainer_options: name max_epochs"),
        ({"trainer_options": {"val_check_interval": 0.5}}, "validation is at the end of an epoch"),
        ({"trainer_options": {"check_val_every_n_epoch": None}}, "validation is at the end of an epoch"),
        (
            {"trainer_options": {"limit_train_batches": "3"}},
            "limit_train_batches in trainer_options should be a number",
        ),
        ({"trainer_options": {"limit_train_batches": True}}, "limit_train_batches in trainer_options should be a num"),
        (
            {"early_stopping": True, "validation_fraction": 0.5, "trainer_options": {"limit_val_batches": 0}},
            "limit_val_batches in trainer_options is 0",
        ),
        ({"trainer_options": {"compile": "max-autotune"}}, "compile in trainer_options should be True or False"),
        ({"random_state": 2**64}, "random_state="),
        ({"random_state": -1}, "random_state=-1: should be from 0"),
        ({"early_stopping": True}, "validation_fraction"),
        ({"likelihood": "bernoulli"}, r"features in \[0, 1\]"),
    ],
)
def test_bad_settings_are_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quick(**settings).fit(X, Y)


def test_labels_beside_texts_are_missing_in_lists_and_objects() -> None:
    for missing in (-1, np.nan, None):
        kinds: list[Any] = ["cat", missing, "dog", "cat"] * 5
        given: list[Any] = [kinds, np.array(kinds, dtype=object)]
        for y in given:
            assert quick().fit(X, y).classes_.tolist() == ["cat", "dog"]


def test_one_label_is_asked_for_and_not_several(fitted: PartedVAE, digits: Digits) -> None:
    x, _, _ = digits
    with pytest.raises(ValueError, match=r"\[3, 4\] is no label; give one"):
        fitted.counterfactual(x[:2], [3, 4])
    with pytest.raises(ValueError, match="is no label; give one"):
        fitted.sample(2, label=[3, 4])


def test_whole_numbers_are_asked_for_where_things_are_counted(fitted: PartedVAE, digits: Digits) -> None:
    x, _, few = digits
    half: Any = 2.5
    text: Any = "0"
    with pytest.raises(ValueError, match=r"n=2\.5: should be a whole number"):
        fitted.sample(half)
    with pytest.raises(ValueError, match=r"n=2\.5: should be a whole number"):
        fitted.suggest(x, half, y=few)
    for dim in (half, text):
        with pytest.raises(ValueError, match=f"dim={dim!r}: should be a whole number"):
            fitted.traverse(x[:2], "z", dim)
    with pytest.raises(ValueError, match="dim=3: z has 3 dimensions, counted from 0"):
        fitted.traverse(x[:2], "z", 3)
    of_numpy: Any = np.int64(2)
    assert len(fitted.sample(of_numpy)) == 2


def test_of_several_attributes_a_class_alone_says_too_little() -> None:
    model = quick().fit(X, np.stack([Y, np.arange(20) // 2 % 2], axis=1))
    for ask in (lambda: model.sample(2, label=1), lambda: model.counterfactual(X[:2], 1)):
        with pytest.raises(ValueError, match="label is 1; of which attribute"):
            ask()


def test_what_is_too_far_from_the_training_has_no_answer() -> None:
    model = quick().fit(X, Y)
    far = X.copy()
    far[7] = 3e38
    for ask in (model.predict, model.predict_proba, model.encode, model.score_samples):
        with pytest.raises(ValueError, match="X at row 7 is so far"):
            ask(far)


def test_a_training_that_diverged_in_its_last_step_leaves_no_model() -> None:
    with pytest.raises(TrainingDivergedError):
        quick(lr=1e20, max_epochs=1).fit(X, Y)


def test_two_columns_that_exclude_each_other_are_classes_and_that_is_said() -> None:
    y = np.full((20, 2), np.nan)
    y[:6] = np.eye(2)[[0, 1, 0, 1, 0, 1]]
    with pytest.warns(UserWarning, match="probabilities of the classes 0 and 1"):
        quick().fit(X, y)
    with pytest.warns(UserWarning, match="probabilities of the classes 'glasses' and 'hat'"):
        model = quick().fit(X, pd.DataFrame(y, columns=["hat", "glasses"]))
    assert model.classes_.tolist() == ["glasses", "hat"]


@pytest.mark.parametrize("written", ["-1", "nan", "<NA>", ""])
def test_a_class_called_by_what_is_written_for_a_missing_label_is_doubted(written: str) -> None:
    y = np.where(np.arange(20) < 8, np.where(Y == 1, "a", "b"), written)
    for given in (y.tolist(), pd.Series(y), y.astype(object)):
        with pytest.warns(UserWarning, match=f"y has a class '{written}', a text. If that means unlabelled"):
            quick().fit(X, given)


def test_classes_that_a_person_would_write_alike_are_doubted() -> None:
    for one, other in (("a", "a "), ("Cat", "cat")):
        with pytest.warns(UserWarning, match=f"y has classes '{one}' and '{other}'. If they are one, write them alike"):
            quick().fit(X, np.where(Y == 1, one, other).astype(object))
    quick().fit(X, np.where(Y == 1, "a", "A").astype(object))


@pytest.mark.parametrize("most", [1, 16])
def test_bytes_that_are_nearly_black_are_doubted(most: int) -> None:
    x = np.random.default_rng(0).integers(most + 1, size=(20, 8, 8)).astype(np.uint8)
    with pytest.warns(UserWarning, match=f"20 of its pictures go up to {most} only.*give X / {most}"):
        quick().fit(x, Y)
    quick().fit(x / most, Y)
    quick().fit(x * (255 // most), Y)
    with pytest.warns(ConflictingLabelsWarning):
        quick().fit(x * 0, Y)


def test_pictures_in_another_unit_are_doubted(digits: Digits) -> None:
    x, y, _ = digits
    model = quick().fit(x * 255, y)
    with pytest.warns(UserWarning, match=r"X goes up to 1 only; fit saw pictures in \[0, 255\]"):
        model.predict(x)
    model.predict(x * 0)
    with pytest.warns(UserWarning, match=r"X goes up to 15\.\d* only; fit saw pictures in \[0, 255\]"):
        model.predict(x * 255 / 16)


def test_a_category_that_is_no_number_is_named() -> None:
    frame = pd.DataFrame({"a": X[:, 0], "kind": pd.Categorical(["x", "y"] * 10)})
    with pytest.raises(ValueError, match="Column 'kind' of X does not hold numbers"):
        quick().fit(frame, Y)


def test_one_label_written_as_ones_and_zeros_is_doubted() -> None:
    classes = np.arange(20) % 3
    with pytest.warns(UserWarning, match=r"3 columns of 0 and 1 with one 1 in each row.*give y\.argmax\(axis=1\)"):
        quick().fit(X, np.eye(3, dtype=int)[classes])
    quick().fit(X, np.stack([classes == 0, classes > 0], axis=1)[:, [0, 0]].astype(int))


def test_a_batch_has_no_more_rows_than_there_are() -> None:
    quick(batch_size=10**12).fit(X, Y)


def test_categories_that_are_numbers_are_taken_for_them() -> None:
    texts = [str(number) for number in range(20)]
    frames = [pd.DataFrame({"a": X[:, 0], "b": values}) for values in (pd.Categorical(texts), range(20))]
    models = [quick().fit(frame, Y) for frame in frames]
    np.testing.assert_array_equal(models[0].predict_proba(frames[0]), models[1].predict_proba(frames[1]))


def test_a_training_without_an_epoch_leaves_no_model() -> None:
    with pytest.raises(RuntimeError, match="before its first epoch ended"):
        quick(trainer_options={"max_time": "00:00:00:00"}).fit(X, Y)


def test_weights_of_a_score_are_checked(fitted: PartedVAE, digits: Digits) -> None:
    x, y, _ = digits
    half = np.arange(20) % 2
    right = fitted.predict(x[:20]) == y[:20]
    assert fitted.score(x[:20], y[:20], sample_weight=half) == pytest.approx(right[1::2].mean())
    for weight in (np.ones(3), -np.ones(20), np.full(20, np.nan)):
        with pytest.raises(ValueError, match="sample_weight should be 20 numbers"):
            fitted.score(x[:20], y[:20], sample_weight=weight)
    with pytest.raises(ValueError, match="no label at all that counts"):
        fitted.score(x[:20], y[:20], sample_weight=np.zeros(20))


def test_time_between_checkpoints_does_not_run_backwards(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="checkpoint_minutes=-1: should be 0 or more"):
        quick().fit(X, Y, checkpoints=tmp_path, checkpoint_minutes=-1)


def test_what_cannot_validate_is_refused() -> None:
    with pytest.raises(ValueError, match="a pair of observations and labels"):
        quick().fit(X, Y, validation_data=X[:5])  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ValueError, match="too few observations to divide"):
        quick(validation_fraction=0.5).fit(X[:4], np.arange(4))


def test_rows_held_out_to_validate_are_in_the_range_of_those_that_train(digits: Digits) -> None:
    x, y, _ = digits
    bright, held = x.copy(), np.random.default_rng(0).permutation(len(x))[0]
    bright[held] *= 255
    with pytest.raises(ValueError, match=r"X for validation goes from 0 up to \d+; fit saw pictures in \[0, 1\]"):
        quick(validation_fraction=0.2).fit(bright, y)
    yes = (np.random.default_rng(0).random((60, 20)) < 0.5).astype(float)
    yes[np.random.default_rng(0).permutation(60)[0], 2] = 50
    with pytest.raises(ValueError, match="X for validation goes from 0 to 50"):
        quick(validation_fraction=0.2).fit(yes, np.arange(60) % 2)


def test_nothing_is_said_of_no_observations(fitted_two: PartedVAE) -> None:
    with pytest.raises(ValueError, match=r"X has no observations: its shape is \(0, \d+\)"):
        fitted_two.predict(csr_array((0, fitted_two.n_features_in_)))
    with pytest.raises(ValueError, match="X is of complex numbers"):
        quick().fit(csr_array(np.eye(4) * 1j), [0, 1, 0, 1])


def test_what_fit_has_not_seen_is_refused(fitted: PartedVAE, digits: Digits) -> None:
    x, _, _ = digits
    for wrong in (np.ones((3, 9, 8)), np.ones((3, 8, 8, 3)), np.ones((3, 64))):
        with pytest.raises(ValueError, match="fit saw"):
            fitted.predict(wrong)
    with pytest.raises(ValueError, match="label 11 at row 0"):
        fitted.score(x[:1], [11])
    with pytest.raises(ValueError, match="'cat' is not a class; the classes are 0, 1"):
        fitted.sample(1, label="cat")
    with pytest.raises(ValueError, match="pairs are needed"):
        fitted.swap(x[:2], x[:3])
    with pytest.raises(ValueError, match="code='w'"):
        fitted.traverse(x, "w")
    with pytest.raises(ValueError, match=r"values should be finite numbers; they are .*nan"):
        fitted.traverse(x, values=[0.0, np.nan])
    with pytest.raises(ValueError, match="random_state=-1: should be from 0"):
        fitted.suggest(x, 3, random_state=-1)
    with pytest.raises(ValueError, match="dim=3: z has 3"):
        fitted.traverse(x, "z", 3)
    with pytest.raises(ValueError, match="n=301"):
        fitted.suggest(x, 301)
    with pytest.raises(ValueError, match="The codes have 3 columns"):
        fitted.inverse_transform(np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"z has shape \(1, 4\)"):
        fitted.decode(np.zeros((1, 8)), np.zeros((1, 4)))
    with pytest.raises(NotFittedError):
        PartedVAE().predict(x)
    with pytest.raises(NotFittedError):
        PartedVAE().sample(1)


def test_a_fit_that_fails_leaves_what_was_fitted(digits: Digits) -> None:
    x, y, _ = digits
    model = quick().fit(x, y)
    before = model.predict(x)
    for bad in ((x.reshape(len(x), -1), np.zeros(len(x))), (x[:, None], None)):
        with pytest.raises(ValueError, match=r"class|requires y"):
            model.fit(*bad)
        np.testing.assert_array_equal(model.predict(x), before)
        assert model.sample(1).shape == (1, 8, 8)
    never = quick()
    with pytest.raises(ValueError, match="requires y"):
        never.fit(x, None)
    with pytest.raises(NotFittedError):
        never.predict(x)


def test_pictures_for_validation_have_the_range_of_those_for_training(digits: Digits) -> None:
    x, y, _ = digits
    with pytest.raises(ValueError, match="X for validation goes from 0 up to 240"):
        quick().fit((255 * x).astype(np.uint8), y, validation_data=(240 * x, y))


def test_features_beyond_what_a_bernoulli_likelihood_knows_are_refused_when_asked_about_too(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 2, (40, 6)).astype(float)
    model = quick().fit(x, x[:, 0].astype(int))
    assert model.likelihood_ == "bernoulli"
    message = r"needs features in \[0, 1\]; X goes from 0 to 3\. Bring it to what fit saw"
    for ask in (model.predict, model.score_samples, model.encode, model.reconstruct):
        with pytest.raises(ValueError, match=message):
            ask(3 * x)
    with pytest.raises(ValueError, match="X for validation goes from 0 to 3"):
        quick().fit(x, x[:, 0].astype(int), validation_data=(3 * x, None))
    assert np.isfinite(model.score_samples(x / 2)).all()

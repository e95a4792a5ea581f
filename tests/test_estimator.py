"""PartedVAE as a user meets it: what it returns, what it refuses, and that scikit-learn knows it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from partedvae import Codes, PartedVAE
from partedvae.config import PRESETS, Config, preset

Array = NDArray[Any]
Digits = tuple[Array, Array, Array]
Two = tuple[Array, Array]


def quick(**settings: Any) -> PartedVAE:
    return PartedVAE(**{"u_dim": 2, "z_dim": 2, "max_epochs": 1, "hidden_dim": 16, "random_state": 0, **settings})


# ------------------------------------------------------------------------------------------------------- results


def test_few_labels_teach_most_digits(fitted: PartedVAE, digits: Digits) -> None:
    x, y, few = digits
    hidden = few == -1
    assert fitted.score(x[hidden], y[hidden]) > 0.75
    assert fitted.score(x, y) == pytest.approx(np.mean(fitted.predict(x) == y))


def test_codes_are_deterministic_and_have_the_shapes_of_the_interface(fitted: PartedVAE, digits: Digits) -> None:
    x, _, _ = digits
    codes = fitted.encode(x[:7])
    assert isinstance(codes, Codes)
    assert [part.shape for part in codes] == [(7, 10), (7, 8), (7, 3)]
    np.testing.assert_allclose(codes.c.sum(axis=1), 1)
    np.testing.assert_array_equal(codes.c, fitted.predict_proba(x[:7]))
    np.testing.assert_array_equal(np.hstack([codes.u, codes.z]), fitted.transform(x[:7]))
    np.testing.assert_array_equal(fitted.transform(x[:7]), fitted.transform(x[:7]))


def test_decoding_the_codes_reconstructs(fitted: PartedVAE, digits: Digits) -> None:
    x, _, _ = digits
    codes = fitted.encode(x)
    again = fitted.reconstruct(x)
    assert again.shape == x.shape
    assert again.min() >= 0
    assert again.max() <= 1
    np.testing.assert_allclose(fitted.decode(codes.u, codes.z), again, atol=1e-6)
    np.testing.assert_allclose(fitted.inverse_transform(fitted.transform(x)), again, atol=1e-6)
    assert np.mean((again - x) ** 2) < 0.6 * x.var(axis=0).mean()


def test_a_swap_takes_class_from_content_and_style_from_style(fitted: PartedVAE, digits: Digits) -> None:
    x, _, _ = digits
    content, style = x[:50], x[50:100]
    swapped = fitted.swap(content, style)
    np.testing.assert_allclose(swapped, fitted.decode(fitted.encode(content).u, fitted.encode(style).z), atol=1e-6)
    np.testing.assert_allclose(fitted.swap(content, content), fitted.reconstruct(content), atol=1e-6)


def test_samples_of_a_class_look_like_it(fitted: PartedVAE) -> None:
    samples = fitted.sample(40, label=0, random_state=0)
    assert samples.shape == (40, 8, 8)
    recognised = [np.mean(fitted.predict(fitted.sample(40, label=k, random_state=0)) == k) for k in range(10)]
    assert np.mean(recognised) > 0.5, recognised  # chance is 0.1
    np.testing.assert_array_equal(samples, fitted.sample(40, label=0, random_state=0))
    assert not np.array_equal(samples, fitted.sample(40, label=0, random_state=1))
    assert len(np.unique(fitted.predict(fitted.sample(200, random_state=0)))) > 5


def test_a_counterfactual_has_the_u_of_the_class_and_its_own_style(fitted: PartedVAE, digits: Digits) -> None:
    x, _, _ = digits
    other = fitted.counterfactual(x[:60], 6)
    codes, own = fitted.encode(x[:60]), fitted.predict(x[:60])
    typical = fitted.net_.prior.mean[6].detach().numpy()
    expected = fitted.decode(np.where((own == 6)[:, None], codes.u, typical), codes.z)
    np.testing.assert_allclose(other, expected, atol=1e-6)
    assert np.mean(fitted.predict(other) == 6) > 0.5


@pytest.mark.parametrize("code", ["u", "z"])
def test_a_traversal_moves_one_dimension(fitted: PartedVAE, digits: Digits, code: str) -> None:
    x, _, _ = digits
    values = [-1.5, 0.0, 1.0, 2.0]
    moved = fitted.traverse(x[:3], code=code, dim=1, values=values)
    assert moved.shape == (3, 4, 8, 8)
    codes = fitted.encode(x[:3])
    for v, value in enumerate(values):
        parts = {"u": codes.u.copy(), "z": codes.z.copy()}
        parts[code][:, 1] = value
        np.testing.assert_allclose(moved[:, v], fitted.decode(parts["u"], parts["z"]), atol=1e-5)
    assert fitted.traverse(x[:3], code=code).shape == (3, 9, 8, 8)


def test_novel_observations_score_low(fitted: PartedVAE, digits: Digits) -> None:
    x, _, _ = digits
    scores = fitted.score_samples(x)
    assert scores.shape == (300,)
    assert np.mean(scores) > np.max(fitted.score_samples(1 - x[:50]))
    # Each score depends on its observation alone.
    np.testing.assert_allclose(fitted.score_samples(x[5:6]), scores[5:6], rtol=1e-5)


def test_the_bound_is_the_monte_carlo_mean_of_the_log_ratio(fitted: PartedVAE, digits: Digits) -> None:
    from torch.distributions import Normal

    model = fitted.net_
    x = torch.tensor(digits[0][:4, None], dtype=torch.float32)
    generator, n = torch.Generator().manual_seed(1), 4000
    with torch.inference_mode():
        h = model.encoder(x).repeat_interleave(n, dim=0)
        log_c = model.log_classes(h)
        drawn = torch.multinomial(log_c.exp(), 1, generator=generator)[:, 0]
        one_hot = torch.eye(10)[drawn]
        u_mean, u_logvar = model.class_related(h, one_hot)
        z_mean, z_logvar = model.class_independent(h)
        u = u_mean + (0.5 * u_logvar).exp() * torch.empty_like(u_mean).normal_(generator=generator)
        z = z_mean + (0.5 * z_logvar).exp() * torch.empty_like(z_mean).normal_(generator=generator)
        output = model.decoder(torch.cat([u, z], dim=1))
        prior_mean, prior_logvar = model.prior.component(drawn[:, None])
        ratio = (
            model.likelihood.log_prob(output, x.repeat_interleave(n, dim=0))
            + Normal(prior_mean, (0.5 * prior_logvar).exp()).log_prob(u).sum(1)
            - Normal(u_mean, (0.5 * u_logvar).exp()).log_prob(u).sum(1)
            + Normal(0.0, 1.0).log_prob(z).sum(1)
            - Normal(z_mean, (0.5 * z_logvar).exp()).log_prob(z).sum(1)
            + np.log(0.1)
            - log_c.gather(1, drawn[:, None])[:, 0]
        ).view(4, n)
    np.testing.assert_allclose(fitted.score_samples(digits[0][:4]), ratio.mean(dim=1), atol=3.0)


# ------------------------------------------------------------------------------------------------ kinds of input


@pytest.mark.parametrize("shape", [(40, 6), (40, 9, 11), (40, 9, 11, 3), (40, 3, 9, 11), (40, 8, 8, 1), (40, 4, 8, 9)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int64])
def test_every_layout_comes_back_as_it_went_in(shape: tuple[int, ...], dtype: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, size=shape).astype(dtype)
    model = quick().fit(x, rng.integers(2, size=40))
    assert model.reconstruct(x[:5]).shape == (5, *shape[1:])
    assert model.sample(3, random_state=0).shape == (3, *shape[1:])
    assert model.traverse(x[:2]).shape == (2, 9, *shape[1:])
    assert model.n_features_in_ == np.prod(shape[1:])
    top = model.reconstruct(x).max()
    if len(shape) > 2:
        assert top <= 1 if dtype == np.uint8 else top > 1  # uint8 pictures come back in [0, 1], others in their range


def test_lists_and_tensors_are_read(digits: Digits) -> None:
    x, _, few = digits
    expected = quick().fit(x, few).predict_proba(x)
    np.testing.assert_array_equal(quick().fit(x.tolist(), few.tolist()).predict_proba(x.tolist()), expected)
    np.testing.assert_array_equal(
        quick().fit(torch.tensor(x), torch.tensor(few)).predict_proba(torch.tensor(x)), expected
    )


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a", None, "b"], ["a", "b"]),
        (["b", "a", float("nan"), "b"], ["a", "b"]),
        ([5, 3, -1, 5], [3, 5]),
        (np.array([1.0, 0.0, np.nan, 1.0]), [0.0, 1.0]),
        (pd.Series([7, 9, None, 7], dtype="Int64"), [7, 9]),
        (pd.Series(["x", "y", pd.NA, "x"], dtype="string"), ["x", "y"]),
        (pd.Categorical(["x", "y", None, "x"]), ["x", "y"]),
        (np.array([True, False, False, True]), [False, True]),
        (np.array(["yes", "no", "no", "yes"]), ["no", "yes"]),
    ],
)
def test_unlabelled_markers_and_label_types(labels: Any, classes: list[Any]) -> None:
    x = np.random.default_rng(0).normal(size=(4, 3))
    model = quick().fit(x, labels)
    assert model.classes_.tolist() == classes
    assert [type(label) for label in model.classes_.tolist()] == [type(label) for label in classes]
    predicted = model.predict(x)
    assert set(predicted.tolist()) <= set(classes)
    assert predicted.dtype == model.classes_.dtype


def test_attributes_have_labels_missing_independently(fitted_two: PartedVAE, two_attributes: Two) -> None:
    x, y = two_attributes
    assert [classes.tolist() for classes in fitted_two.classes_] == [["blue", "green", "red"], [0, 1]]
    probabilities = fitted_two.predict_proba(x)
    assert [part.shape for part in probabilities] == [(200, 3), (200, 2)]
    predicted = fitted_two.predict(x)
    assert predicted.shape == (200, 2)
    assert {type(label) for label in predicted[:, 1]} == {int}
    assert fitted_two.score(x, y) > 0.9
    assert fitted_two.encode(x).u.shape == (200, 4)
    assert len(fitted_two.encode(x).c) == 2


def test_attributes_are_changed_one_at_a_time(fitted_two: PartedVAE, two_attributes: Two) -> None:
    x, _ = two_attributes
    codes, own = fitted_two.encode(x), fitted_two.predict(x)
    red = fitted_two.net_.prior.mean[2].detach().numpy()  # of the classes blue, green, red
    u = np.concatenate([np.where((own[:, 0] == "red")[:, None], codes.u[:, :2], red), codes.u[:, 2:]], axis=1)
    np.testing.assert_allclose(fitted_two.counterfactual(x, ["red", None]), fitted_two.decode(u, codes.z), atol=1e-5)
    np.testing.assert_allclose(fitted_two.counterfactual(x, [None, None]), fitted_two.reconstruct(x), atol=1e-5)
    assert np.mean(fitted_two.predict(fitted_two.sample(50, ["blue", 1], random_state=0))[:, 0] == "blue") > 0.6
    with pytest.raises(ValueError, match="one for each of the 2 attributes"):
        fitted_two.sample(1, ["blue"])


def test_a_model_may_have_no_style(digits: Digits, tmp_path: Path) -> None:
    x, _, few = digits
    model = quick(z_dim=0).fit(x, few)
    assert model.encode(x).z.shape == (300, 0)
    assert model.transform(x).shape == (300, 2)
    assert model.sample(2).shape == (2, 8, 8)
    assert model.swap(x[:2], x[2:4]).shape == (2, 8, 8)
    assert np.isfinite(model.score_samples(x)).all()
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(PartedVAE.load(tmp_path / "m").predict(x), model.predict(x))
    with pytest.raises(ValueError, match="z has 0 dimensions"):
        model.traverse(x, "z")


def test_pictures_of_bytes_and_of_floats_in_0_to_1_are_the_same_pictures(digits: Digits) -> None:
    x, _, few = digits
    as_bytes = (x * 255).round().astype(np.uint8)
    for seen, other in ((as_bytes, as_bytes / 255), (as_bytes / 255, as_bytes)):
        model = quick().fit(seen, few)
        np.testing.assert_allclose(model.transform(seen), model.transform(other), atol=1e-5)
        assert model.predict(model.sample(5, random_state=0)).shape == (5,)
        with pytest.raises(ValueError, match=r"X goes from .* up to 255; fit saw pictures in \[0, 1\]"):
            model.predict(as_bytes.astype(float))


def test_class_proportions_can_be_given(digits: Digits) -> None:
    x, y, _ = digits
    two = np.where(y == 0, "zero", "other")
    model = quick(class_prior=np.array([0.9, 0.1])).fit(x, two)
    assert np.mean(model.net_.prior.draw_classes(2000, torch.Generator().manual_seed(0)).numpy()) == pytest.approx(
        0.1, abs=0.03
    )


# ------------------------------------------------------------------------------------------------------- refusals

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
        ({"z_dim": -1}, "z_dim=-1"),
        ({"scale": 0.0}, "scale=0.0"),
        ({"likelihood": "poisson"}, "likelihood='poisson'"),
        ({"max_epochs": 0}, "max_epochs=0"),
        ({"lr": "fast"}, "lr='fast'"),
        ({"class_prior": [0.5, 0.3, 0.2]}, "class_prior has 3 proportions, the labels have 2"),
        ({"class_prior": [0.9, 0.3]}, "sum to 1"),
        ({"class_prior": [np.nan, 1.0]}, "sum to 1"),
        ({"z_capacity": np.inf}, "z_capacity=inf"),
        ({"random_state": 2**64}, "random_state="),
        ({"early_stopping": True}, "validation_fraction"),
        ({"validation_fraction": 0.99}, "too few"),
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


def test_what_cannot_validate_is_refused() -> None:
    with pytest.raises(ValueError, match="a pair of observations and labels"):
        quick().fit(X, Y, validation_data=X[:5])  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ValueError, match="too few observations to divide"):
        quick(validation_fraction=0.5).fit(X[:4], np.arange(4))


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


# --------------------------------------------------------------------------------------------------------- keeping


@pytest.mark.parametrize("names", [None, ["t-shirt", "boot"], [10**12, -5], [True, False]])
def test_a_saved_model_loads_to_the_same(tmp_path: Path, names: list[Any] | None) -> None:
    x = np.random.default_rng(0).integers(0, 256, size=(30, 8, 9, 3), dtype=np.uint8)
    y = Y.repeat(2)[:30] if names is None else np.array(names)[Y.repeat(2)[:30]]
    model = quick(scale=0.3, class_prior=[0.25, 0.75]).fit(x, y)
    model.save(tmp_path / "model")
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"config.json", "model.safetensors", "history.csv"}
    loaded = PartedVAE.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(x), model.predict_proba(x))
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
    np.testing.assert_array_equal(loaded.score_samples(x), model.score_samples(x))
    np.testing.assert_array_equal(loaded.sample(3, random_state=0), model.sample(3, random_state=0))
    assert loaded.classes_.dtype == model.classes_.dtype
    assert loaded.history_ == model.history_
    assert loaded.get_params() == model.get_params()
    loaded.fit(x, y)  # and can be fit again


def test_two_attributes_and_feature_names_survive_saving(tmp_path: Path, two_attributes: Two) -> None:
    x, y = two_attributes
    frame = pd.DataFrame(x, columns=[f"gene {i}" for i in range(12)])
    model = quick().fit(frame, pd.DataFrame(y, columns=["colour", "size"]))
    model.save(tmp_path)
    loaded = PartedVAE.load(tmp_path)
    assert [attribute.name for attribute in loaded.attributes_] == ["colour", "size"]
    assert loaded.feature_names_in_.tolist() == frame.columns.tolist()
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))


def _damage(folder: Path, name: str, content: bytes | None) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", None, "config.json is missing"),
        ("config.json", b"{", "config.json cannot be read"),
        ("config.json", b"[]", "config.json"),
        ("config.json", b'{"format_version": 99}', "has format 99.*Install a newer"),
        ("model.safetensors", None, "model.safetensors is missing"),
        ("model.safetensors", b"not tensors", "model.safetensors does not fit"),
        ("history.csv", b"epoch\nmany\n", "history.csv"),
    ],
)
def test_a_damaged_model_is_refused_by_the_file_at_fault(
    fitted: PartedVAE, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    fitted.save(tmp_path)
    _damage(tmp_path, name, content)
    with pytest.raises(ValueError, match=message):
        PartedVAE.load(tmp_path)


def test_weights_of_another_model_are_refused(fitted: PartedVAE, digits: Digits, tmp_path: Path) -> None:
    x, _, few = digits
    fitted.save(tmp_path / "a")
    quick().fit(x, few).save(tmp_path / "b")
    (tmp_path / "a" / "model.safetensors").write_bytes((tmp_path / "b" / "model.safetensors").read_bytes())
    with pytest.raises(ValueError, match=r"model\.safetensors does not fit config\.json"):
        PartedVAE.load(tmp_path / "a")


# ----------------------------------------------------------------------------------------------- scikit-learn, config


def test_the_signature_is_the_configuration() -> None:
    parameters = inspect.signature(PartedVAE).parameters
    fields = Config.model_fields
    assert list(parameters) == [*fields, "verbose", "trainer_options", "extra_terms", "augment"]
    assert {name: parameters[name].default for name in fields} == {
        name: field.default for name, field in fields.items()
    }
    assert all(field.description for field in fields.values())


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_and_can_be_overridden(name: str) -> None:
    model = PartedVAE.from_preset(name, capacity_steps=123)
    assert model.capacity_steps == 123
    Config.checked({**preset(name), "capacity_steps": 123})


def test_published_presets_hold_the_published_settings() -> None:
    names = ["z_dim", "u_dim", "z_capacity", "u_capacity", "capacity_steps", "gamma_z", "gamma_u", "gamma_c", "gamma_h"]
    names += ["gamma_bc", "bc_threshold", "likelihood", "lr", "lr_labelled", "batch_size", "max_epochs"]
    names += ["gamma_x", "sharpness_steps"]
    shared = (5e-4, 5e-4, 64, 80, 1.0, 35_000)
    table = {
        "paper-mnist": (6, 10, 7, 7, 100_000, 15, 15, 15, 30, 30, 0.15, "bernoulli", *shared),
        "paper-dsprites": (5, 1, 30, 5, 300_000, 50, 50, 100, 10, 10, 0.1, "bernoulli", *shared),
        "paper-celeba": (10, 1, 30, 15, 125_000, 1000, 1000, 2000, 10, 500, 0.2, "laplace", *shared),
    }
    for name, values in table.items():
        config = Config(**preset(name))
        assert {key: getattr(config, key) for key in names} == dict(zip(names, values, strict=True))
    faces = Config(**preset("paper-celeba")).class_prior
    assert [len(part) for part in faces if isinstance(part, list)] == [4, 3, 2, 3, 2, 2, 2, 2]


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no preset 'paper-svhn'.*paper-mnist"):
        PartedVAE.from_preset("paper-svhn")


def test_colour_digits_and_features_train_with_every_likelihood() -> None:
    images = load_digits().images[:60] / 16
    y = load_digits().target[:60] % 2
    for likelihood in ("bernoulli", "gaussian", "laplace"):
        for x in (images, np.repeat(images[..., None], 3, axis=3), images.reshape(60, 64)):
            model = quick(likelihood=likelihood).fit(x, y)
            assert np.isfinite(model.score_samples(x)).all()


def test_classes_of_several_attributes_can_be_given_by_name(
    fitted_two: PartedVAE, two_attributes: tuple[Array, Array]
) -> None:
    x, _ = two_attributes
    names = [attribute.name for attribute in fitted_two.attributes_]
    by_name, in_order = {names[0]: "red"}, ["red", None]
    np.testing.assert_array_equal(fitted_two.counterfactual(x, by_name), fitted_two.counterfactual(x, in_order))
    drawn = fitted_two.sample(3, by_name, random_state=0)
    np.testing.assert_array_equal(drawn, fitted_two.sample(3, in_order, random_state=0))
    for wrong, message in (({"hue": "red"}, "names 'hue'"), ("red", "of which attribute"), (["red"], "has 1 values")):
        with pytest.raises(ValueError, match=message):
            fitted_two.sample(3, wrong)


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

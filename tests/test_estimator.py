"""PartedVAE as a user meets it: what it takes and what it returns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from partedvae import Codes, PartedVAE

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
    own = [fitted.score_samples(x, random_state=seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(own[0], own[1])
    assert own[0].mean() != own[2].mean() == pytest.approx(scores.mean(), abs=1.0)
    assert np.corrcoef(own[0], scores)[0, 1] > 0.9
    assert scores.shape == (300,)
    assert np.mean(scores) > np.max(fitted.score_samples(1 - x[:50]))
    # What is brighter than white is not likelier than white.
    by_factor = [fitted.score_samples(x * factor).mean() for factor in (1, 1.5, 2)]
    assert by_factor == sorted(by_factor, reverse=True)
    assert fitted.score_samples(np.full((1, 8, 8), -0.9)) < scores.min()
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


def test_nats_of_u_are_found_a_part_of_the_rows_at_a_time(fitted: PartedVAE, digits: Digits) -> None:
    x = np.concatenate([digits[0]] * (2_100 // len(digits[0]) + 1))[:2_100]
    np.testing.assert_allclose(fitted.u_kl(x)[1_000:1_100], fitted.u_kl(x[1_000:1_100]), rtol=1e-5)

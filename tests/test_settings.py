"""Settings: the signature is the configuration, presets, settings by name."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from partedvae import PartedVAE
from partedvae.config import PRESETS, Config, preset

Array = NDArray[Any]
Digits = tuple[Array, Array, Array]
Two = tuple[Array, Array]


def quick(**settings: Any) -> PartedVAE:
    return PartedVAE(**{"u_dim": 2, "z_dim": 2, "max_epochs": 1, "hidden_dim": 16, "random_state": 0, **settings})


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

"""All measures in one table: there, plausible, and honest about what could not be computed."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.metrics import balanced_accuracy_score

from partedvae import PartedVAE
from partedvae.data import Dataset, choose_labelled, load
from partedvae.data.dataset import Numbered
from partedvae.labels import Attribute
from partedvae.metrics import leakage
from partedvae.metrics.evaluation import Evaluation, evaluate
from partedvae.runs import add_metrics
from partedvae.tables import evaluation_table

Array = NDArray[Any]

NAMED_IN_THE_INTERFACE = {
    "accuracy", "balanced_accuracy", "nll", "ece", "z_leakage", "u_informativeness", "mse", "swap_accuracy",
    "generation_accuracy",
}  # fmt: skip


def test_bytes_mean_to_the_measures_what_they_mean_to_the_model(digits: tuple[Array, Array, Array]) -> None:
    """A model of floats beyond [0, 1] takes bytes for the numbers that they are."""
    x, y, _ = digits
    whole = np.rint(x * 240)
    model = PartedVAE(u_dim=4, z_dim=2, hidden_dim=32, max_epochs=2, random_state=0).fit(whole[:200], y[:200])
    floats, bytes_ = (
        evaluate(model, given[100:], y[100:], oracle_data=(given[:100], y[:100]), n_pairs=100)
        for given in (whole, whole.astype(np.uint8))
    )
    assert floats["mse"] > 1
    assert bytes_ == pytest.approx(floats, rel=1e-5, nan_ok=True)


def test_measures_of_digits_agree_with_the_model(fitted: PartedVAE, digits: tuple[Array, Array, Array]) -> None:
    x, y, _ = digits
    found = evaluate(fitted, x[100:], y[100:], oracle_data=(x[:100], y[:100]), n_pairs=300)
    assert set(found) >= NAMED_IN_THE_INTERFACE
    assert not found.notes
    assert all(isinstance(value, float) and np.isfinite(value) for value in found.values())
    assert found["accuracy"] == pytest.approx(fitted.score(x[100:], y[100:]))
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(y[100:], fitted.predict(x[100:])))
    assert found["mse"] == pytest.approx(np.mean((fitted.reconstruct(x[100:]) - x[100:]) ** 2))
    p = fitted.predict_proba(x[100:])
    assert isinstance(p, np.ndarray)
    assert found["nll"] == pytest.approx(-np.mean(np.log(p[np.arange(200), y[100:]])))
    assert found["u_informativeness"] > found["z_leakage"] - 0.1
    assert found["z_leakage_low"] <= found["z_leakage"] <= found["z_leakage_high"]
    assert 0 <= found["z_active"] <= 3
    assert found == evaluate(fitted, x[100:], y[100:], oracle_data=(x[:100], y[:100]), n_pairs=300)


@pytest.mark.parametrize("shape", [(2, 300), (150, 4), (600,), (300, 2, 1)])
def test_factors_of_another_shape_are_refused(
    fitted: PartedVAE, digits: tuple[Array, Array, Array], shape: tuple[int, ...]
) -> None:
    x, y, _ = digits
    factors = np.arange(600).reshape(shape) % 3
    with pytest.raises(ValueError, match=r"factors have shape .* they should be \(300, F\)"):
        evaluate(fitted, x, y, factors)


@pytest.mark.parametrize("missing", [-1, np.nan])
def test_factors_that_are_missing_are_refused(
    fitted: PartedVAE, digits: tuple[Array, Array, Array], missing: float
) -> None:
    x, y, _ = digits
    factors = np.stack([np.arange(300) % 3, np.where(np.arange(300) == 7, missing, np.arange(300) % 2)], axis=1)
    for given in (factors, factors[:, 1]):
        with pytest.raises(ValueError, match="factors have none at row 7"):
            evaluate(fitted, x, y, given)


def test_any_random_state_is_a_seed(fitted: PartedVAE, digits: tuple[Array, Array, Array]) -> None:
    x, y = (given[:150] for given in digits[:2])
    found = [
        evaluate(fitted, x, y, n_pairs=50, random_state=state)
        for state in (np.int64(3), 3, np.random.default_rng(1), np.random.default_rng(1), None)
    ]
    assert found[0] == found[1]
    assert found[2] == found[3]
    assert found[4]["z_leakage"] == pytest.approx(found[0]["z_leakage"], abs=0.3)
    assert leakage(fitted.transform(x), y, random_state=np.int64(3)) == leakage(fitted.transform(x), y, random_state=3)


def test_nats_are_of_the_fitted_model(fitted: PartedVAE, digits: tuple[Array, Array, Array]) -> None:
    x, y, _ = digits
    found = evaluate(fitted, x, y, n_pairs=50)
    assert found["z_kl"] == pytest.approx(fitted.z_kl(x).sum(axis=1).mean())
    assert found["u_kl"] == pytest.approx(fitted.u_kl(x).sum(axis=1).mean())


def test_what_cannot_be_computed_is_missing_with_its_reason(
    fitted: PartedVAE, digits: tuple[Array, Array, Array]
) -> None:
    x, y, _ = digits
    found = evaluate(fitted, x[:60], y[:60], n_pairs=50)
    assert np.isnan(found["z_leakage"])
    assert "at least 10" in found.notes["z_leakage"]
    assert np.isfinite(found["accuracy"])
    nothing = evaluate(fitted, x[:60])
    assert np.isnan(nothing["accuracy"])
    assert {nothing.notes[name] for name in ("accuracy", "z_leakage", "u_informativeness")} == {"no row has a label"}
    assert "too few" in nothing.notes["swap_accuracy"]
    assert np.isfinite(nothing["mse"])


def test_several_attributes_have_means_and_their_own_rows(
    fitted_two: PartedVAE, two_attributes: tuple[Array, Array]
) -> None:
    found = evaluate(fitted_two, *two_attributes, n_pairs=100)
    for name in ("accuracy", "z_leakage", "swap_accuracy", "generation_accuracy"):
        assert found[name] == pytest.approx(np.mean([found[f"{name}_{a}"] for a in ("0", "1")]))
    assert found["accuracy"] == pytest.approx(fitted_two.score(*two_attributes))


def test_known_factors_add_the_measures_of_disentanglement() -> None:
    data = load("sprites", max_rows=600, size=(16, 16))
    few = data.with_labels_of(choose_labelled(data, per_class=40))
    model = PartedVAE(u_dim=2, z_dim=3, hidden_dim=32, max_epochs=2, random_state=0).fit(few)
    found = evaluate(model, data, n_pairs=200)
    names = {"mig", "sap", "dci_disentanglement", "dci_completeness", "dci_informativeness", "modularity"}
    names |= {"explicitness", "irs", "factor_vae", "beta_vae", "style_preservation", "u_style_within_class"}
    assert set(found) >= names
    for name in names:
        assert -0.2 <= found[name] <= 2, name


def test_a_label_that_training_never_saw_is_refused_by_name(
    fitted: PartedVAE, digits: tuple[Array, Array, Array]
) -> None:
    x, y, _ = digits
    with pytest.raises(ValueError, match="label 77"):
        evaluate(fitted, x, np.where(y == 7, 77, y))
    names = Attribute("digit", np.array([*range(9), 77]))
    data = Dataset(x, y[:, None], (names,), Numbered(range(300)))
    with pytest.raises(ValueError, match=r"has the label 77 of digit, which training never saw.* --missing 77"):
        evaluate(fitted, data)


def test_the_command_measures_rows_held_out_and_other_data(tmp_path: Any) -> None:
    from command_line import QUICK, call

    run = tmp_path / "run"
    assert call("train", "digits", "--labels-per-class", 5, "--holdout", 0.3, "--out", run, *QUICK).returncode == 0
    done = call("evaluate", run)
    assert done.returncode == 0, done.stderr
    assert "swap_accuracy" in done.stdout
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["accuracy"] == pytest.approx(metrics["test_accuracy"])
    assert metrics["n_test"] + metrics["n_training"] == 1797
    x = np.random.default_rng(0).integers(256, size=(30, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "few.npz", X=x)
    assert call("evaluate", run, tmp_path / "few.npz").returncode == 0
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["accuracy"] is None
    assert metrics["notes"]["accuracy"] == "no row has a label"
    np.savez(tmp_path / "strange.npz", X=x, y=np.array(["cat", "dog"] * 15))
    refused = call("evaluate", run, tmp_path / "strange.npz")
    assert refused.returncode == 2
    assert "'cat'" in refused.stderr


def test_tables_are_measured_by_their_names_and_sparse_ones_too(digits: tuple[Array, Array, Array]) -> None:
    x, y = digits[0][:150].reshape(150, -1), digits[1][:150]
    table = pd.DataFrame(x).rename(columns=str)
    model = PartedVAE(u_dim=2, z_dim=2, hidden_dim=16, max_epochs=1, random_state=0).fit(table, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = evaluate(model, table, y, factors=y, n_pairs=20)
        assert found["accuracy"] == model.score(table, y)
        with pytest.raises(ValueError, match="feature names"):
            evaluate(model, table[table.columns[::-1]], y, n_pairs=20)
    assert evaluate(model.fit(x, y), csr_matrix(x), y, n_pairs=20) == evaluate(model, x, y, n_pairs=20)


def test_samples_are_judged_of_classes_that_the_oracle_knows(
    fitted: PartedVAE, digits: tuple[Array, Array, Array]
) -> None:
    x, y, _ = digits
    found = evaluate(fitted, x[y < 2], y[y < 2], n_pairs=20)
    assert found["oracle_accuracy"] > 0.9
    assert found["generation_accuracy"] > 0.4  # of ten classes, two of which can be recognised, at most 0.2


def test_intervals_of_attributes_are_theirs_and_a_mean_has_none() -> None:
    rng = np.random.default_rng(0)
    y = pd.DataFrame({"is_high": rng.integers(2, size=120), "colour": rng.integers(2, size=120)})
    x = rng.normal(size=(120, 5)) + y.to_numpy() @ rng.normal(size=(2, 5))
    model = PartedVAE(u_dim=2, z_dim=2, hidden_dim=8, max_epochs=1, random_state=0).fit(x, y)
    found = evaluate(model, x, y, n_pairs=20)
    assert found["z_leakage_colour_low"] <= found["z_leakage_colour"] <= found["z_leakage_colour_high"]
    assert "z_leakage_low" not in found
    shown = [str(cell) for cell in evaluation_table(found).columns[0].cells]
    assert {"accuracy", "accuracy_is_high", "z_leakage_colour"} <= set(shown)
    assert not [name for name in shown if name.endswith(("_low", "_null"))]


def test_figures_of_other_observations_do_not_stay_in_a_run(tmp_path: Path) -> None:
    first, second = Evaluation(), Evaluation()
    first.update({"mig": 0.9, "z_leakage": 0.1, "z_leakage_low": 0.05})
    second.update({"z_leakage": float("nan")})
    (tmp_path / "metrics.json").write_text('{"n_training": 5, "test_accuracy": 0.5}')
    for found, place in ((first, "sprites"), (second, "other.npz")):
        add_metrics(tmp_path, found, place)
    expected: dict[str, Any] = {
        "n_training": 5,
        "test_accuracy": 0.5,
        "z_leakage": None,
        "measured_on": "other.npz",
        "notes": {},
    }
    assert json.loads((tmp_path / "metrics.json").read_text()) == expected


def test_rows_with_labels_are_measured_first(fitted: PartedVAE, digits: tuple[Array, Array, Array]) -> None:
    x, y, _ = digits
    few = np.full(len(y), -1)
    few[::20] = y[::20]
    found = evaluate(fitted, x, few, n_pairs=10, max_rows=60)
    known = few != -1
    assert found["accuracy"] == pytest.approx(fitted.score(x[known], y[known]))
    for n_pairs, max_rows in ((0, 10), (-3, 10), (10, 0)):
        with pytest.raises(ValueError, match="should be 1 or more"):
            evaluate(fitted, x, few, n_pairs=n_pairs, max_rows=max_rows)


def test_an_attribute_has_its_intervals_where_another_has_too_few_labels(
    fitted_two: PartedVAE, two_attributes: tuple[Array, Array]
) -> None:
    x, y = two_attributes
    for one, other in ((0, 1), (1, 0)):
        told = y.copy()
        told[15:, one] = -1
        found = evaluate(fitted_two, x, told, n_pairs=10)
        names = [attribute.name for attribute in fitted_two.attributes_]
        assert np.isnan(found[f"z_leakage_{names[one]}"])
        assert found[f"z_leakage_{names[other]}_low"] <= found[f"z_leakage_{names[other]}"]


def test_seeds_beyond_32_bits_and_tensors_are_taken(fitted: PartedVAE, digits: tuple[Array, Array, Array]) -> None:
    x, y, _ = digits
    tensor = torch.tensor(x, requires_grad=True)
    ask: dict[str, Any] = {"n_pairs": 100, "random_state": 5_000_000_000}
    found = evaluate(fitted, tensor[100:], y[100:], oracle_data=(tensor[:100], y[:100]), **ask)
    assert not [name for name, why in found.notes.items() if "eed" in why]
    assert found == pytest.approx(
        evaluate(fitted, x[100:], y[100:], oracle_data=(x[:100], y[:100]), **ask), nan_ok=True
    )

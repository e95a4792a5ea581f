"""A model on disk: what comes back, and what is refused."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from partedvae import PartedVAE, estimator
from partedvae.persistence import ModelFileError

Array = NDArray[Any]
Digits = tuple[Array, Array, Array]
Two = tuple[Array, Array]


def quick(**settings: Any) -> PartedVAE:
    return PartedVAE(**{"u_dim": 2, "z_dim": 2, "max_epochs": 1, "hidden_dim": 16, "random_state": 0, **settings})


@pytest.mark.parametrize("names", [None, ["t-shirt", "boot"], [10**12, -5], [True, False]])
def test_a_saved_model_loads_to_the_same(tmp_path: Path, names: list[Any] | None) -> None:
    x = np.random.default_rng(0).integers(0, 256, size=(30, 8, 9, 3), dtype=np.uint8)
    classes = (np.arange(20) % 2).repeat(2)[:30]
    y = classes if names is None else np.array(names)[classes]
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
        ("history.csv", b"epoch,loss\n0,1.5\n1\n", "history.csv: a row has fewer cells than there are names"),
        ("history.csv", b"epoch,loss\n0,1.5\n1,1.", "history.csv: its end is missing"),
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


def test_weights_of_another_model_of_the_same_shape_are_refused(two_attributes: Two, tmp_path: Path) -> None:
    """A save that is killed between two files leaves new weights beside the old names of classes."""
    x, high = two_attributes[0], (two_attributes[0][:, 0] > 0).astype(int)
    for name, labels in (("first", high), ("second", 1 - high)):
        quick().fit(x, labels).save(tmp_path / name)
    (tmp_path / "second" / "model.safetensors").replace(tmp_path / "first" / "model.safetensors")
    with pytest.raises(ModelFileError, match=r"model\.safetensors does not fit config\.json: it is of another model"):
        PartedVAE.load(tmp_path / "first")


def test_classes_may_be_renamed_in_a_saved_model(two_attributes: Two, tmp_path: Path) -> None:
    x, _ = two_attributes
    model = quick().fit(x, np.array(["no", "yes"])[(x[:, 0] > 0).astype(int)])
    model.save(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"no"', '"non"').replace('"yes"', '"oui"'))
    assert PartedVAE.load(tmp_path).classes_.tolist() == ["non", "oui"]


def test_a_model_is_not_loaded_while_first_weights_are_drawn(fitted: PartedVAE, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    loading = threading.Thread(target=PartedVAE.load, args=(tmp_path,))
    with estimator._FIRST_WEIGHTS:
        loading.start()
        loading.join(0.5)
        assert loading.is_alive()
    loading.join(30)
    assert not loading.is_alive()


def test_a_model_is_not_saved_into_a_run_whose_figures_are_of_another(fitted: PartedVAE, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ValueError, match=r"is a run, and its figures are of the model there\. Save to another folder"):
        fitted.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_what_another_program_calls_its_configuration_stays(fitted: PartedVAE, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["Other"]}')
    with pytest.raises(ValueError, match=r"has a config\.json that is of no model of ours\. Save to another folder"):
        fitted.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_model_is_of_32_bits_whatever_torch_makes_of_new_tensors(
    fitted: PartedVAE, digits: Digits, tmp_path: Path
) -> None:
    x = digits[0][:3]
    fitted.save(tmp_path)
    torch.set_default_dtype(torch.float64)
    try:
        for model in (fitted, PartedVAE.load(tmp_path)):
            np.testing.assert_array_equal(model.sample(2, random_state=0), fitted.sample(2, random_state=0))
            codes = model.encode(x)
            np.testing.assert_array_equal(model.decode(codes.u, codes.z), fitted.reconstruct(x))
    finally:
        torch.set_default_dtype(torch.float32)

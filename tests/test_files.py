"""Folders of models: those of earlier formats load, and what is damaged or made up is refused in one line."""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_digits
from torch import Tensor

from command_line import call
from partedvae import PartedVAE
from partedvae.persistence import ModelFileError

RELEASED = sorted((Path(__file__).parent / "fixtures" / "models").iterdir())


@pytest.mark.parametrize("folder", RELEASED, ids=lambda folder: folder.name)
def test_models_of_every_released_format_load_and_say_what_they_said(folder: Path) -> None:
    model = PartedVAE.load(folder)
    images = load_digits().images[:20] / 16
    with np.load(folder / "said.npz") as said:
        np.testing.assert_allclose(model.predict_proba(images), said["probabilities"], atol=1e-5)
        np.testing.assert_allclose(model.transform(images), said["codes"], atol=1e-4)
        np.testing.assert_allclose(model.reconstruct(images), said["reconstructions"], atol=1e-5)
    np.testing.assert_array_equal(model.classes_, np.arange(10))
    assert model.history_[-1]["epoch"] == 1


@pytest.mark.parametrize("shape", [(16, 16, 3), (20, 17)])
def test_a_model_of_large_pictures_is_kept_bit_for_bit(shape: tuple[int, ...], tmp_path: Path) -> None:
    """Their weights are laid out in another way than a file holds them."""
    x = np.random.default_rng(0).integers(0, 256, (30, *shape), dtype=np.uint8)
    model = PartedVAE(hidden_dim=8, max_epochs=1, random_state=0).fit(x, np.arange(30) % 2)
    model.save(tmp_path / "model")
    loaded = PartedVAE.load(tmp_path / "model")
    for name, weight in loaded.net_.state_dict().items():
        assert torch.equal(weight, model.net_.state_dict()[name])
    np.testing.assert_array_equal(loaded.transform(x), model.transform(x))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(x), model.transform(x))  # noqa: S301  # our own


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model that may be damaged."""
    shutil.copytree(RELEASED[-1], tmp_path / "model")
    return tmp_path / "model"


def set_(*path: str | int, to: Any) -> Callable[[Path], None]:
    """Change what config.json says at a place."""

    def change(folder: Path) -> None:
        content = json.loads((folder / "config.json").read_text())
        place = content
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to
        (folder / "config.json").write_text(json.dumps(content))

    return change


def tensors(change: Callable[[dict[str, Tensor]], Any]) -> Callable[[Path], None]:
    """Change what model.safetensors holds."""

    def changed(folder: Path) -> None:
        content = load_file(folder / "model.safetensors")
        change(content)
        save_file(content, folder / "model.safetensors")

    return changed


def write(name: str, content: bytes) -> Callable[[Path], None]:
    """Replace a file."""

    def replace(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return replace


def cut(folder: Path) -> None:
    """Leave out the end of the weights."""
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def link_outside(folder: Path) -> None:
    """Put the weights elsewhere, and a link in their place."""
    shutil.move(folder / "model.safetensors", folder.parent / "elsewhere")
    (folder / "model.safetensors").symlink_to(folder.parent / "elsewhere")


TERABYTES = 10**10
DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "NaN": (tensors(lambda t: t["encoder.0.weight"].fill_(torch.nan)), r"encoder\.0\.weight has numbers that are not"),
    "infinity": (tensors(lambda t: t["prior.mean"].fill_(torch.inf)), r"prior\.mean has numbers that are not finite"),
    "shape": (tensors(lambda t: t.update({"prior.mean": torch.zeros(3, 3)})), r"prior\.mean is \(3, 3\)"),
    "type": (tensors(lambda t: t.update({"prior.mean": t["prior.mean"].long()})), r"prior\.mean is .*int64"),
    "one is missing": (tensors(lambda t: t.pop("prior.mean")), r"there is no prior\.mean"),
    "one too many": (tensors(lambda t: t.update(more=torch.zeros(1))), r"should not have more"),
    "cut": (cut, r"model\.safetensors does not fit"),
    "empty": (write("model.safetensors", b""), r"model\.safetensors does not fit"),
    "gone": (lambda folder: (folder / "model.safetensors").unlink(), r"model\.safetensors is missing"),
    "link": (link_outside, r"model\.safetensors is a link to outside"),
    "terabytes of h": (set_("settings", "hidden_dim", to=TERABYTES), r"less than or equal to 65536"),
    "gigabytes of h": (set_("settings", "hidden_dim", to=2**16), r"should be \(65536, "),
    "terabytes of u": (set_("settings", "u_dim", to=TERABYTES), r"less than or equal to 65536"),
    "much of u": (set_("settings", "u_dim", to=2**16), r"does not fit config\.json"),
    "terabytes of pixels": (set_("shape", to=[10**6, 10**6]), r"does not fit config\.json"),
    "terabytes of letters": (set_("attributes", 0, "dtype", to="<U999999999"), r"dtype '<U999999999' is none"),
    "negative shape": (set_("shape", to=[-8, 8]), r"shape \[-8, 8\] is none that grey have"),
    "shape of another kind": (set_("shape", to=[8]), r"shape \[8\] is none that grey have"),
    "too small": (set_("shape", to=[2, 2]), r"8×8 is the smallest"),
    "dtype of dates": (set_("attributes", 0, "dtype", to="<M8[s]"), r"dtype '<M8\[s\]' is none"),
    "name of code": (set_("attributes", 0, "dtype", to="os.system"), r"dtype 'os\.system' is none"),
    "dtype that there is not": (set_("attributes", 0, "dtype", to="<i3"), r"dtype '<i3' is none"),
    "dtype that overflows": (
        set_("attributes", 0, to={"name": "a", "dtype": "|u1", "classes": [*range(9), 300]}),
        "300",
    ),
    "shape beyond integers": (set_("shape", to=[10**30, 8]), r"config\.json"),
    "dtype that cuts": (set_("attributes", 0, "dtype", to="<U1"), r"does not hold the classes"),
    "classes twice": (set_("attributes", 0, "classes", to=[0] * 10), r"all different"),
    "fewer classes": (set_("attributes", 0, "classes", to=[0, 1]), r"as many classes"),
    "no attribute": (set_("attributes", to=[]), r"attributes: List should have at least 1"),
    "no proportions": (set_("class_prior", to=[[-0.1] * 10]), r"should hold proportions"),
    "names": (set_("feature_names", to=["a"]), r"feature_names should be 8"),
    "newer": (set_("format_version", to=99), r"has format 99; .* Install a newer partedvae"),
    "format 0": (set_("format_version", to=0), r"format_version"),
    "setting": (set_("settings", "colour", to=1), r"settings\.colour"),
    "not JSON": (write("config.json", b"{"), r"config\.json cannot be read"),
    "not text": (write("config.json", b"\xff\xfe\x00"), r"config\.json cannot be read"),
    "a list": (write("config.json", b"[]"), r"config\.json"),
    "too deep": (write("config.json", b"[" * 100_000), r"config\.json cannot be read"),
    "history": (write("history.csv", b"a,b\nx,y\n"), r"history\.csv"),
    "history without a line": (write("history.csv", b""), r"history\.csv: it is empty"),
    "history with more cells": (write("history.csv", b"a,b\n1,2,3\n"), r"history\.csv: a row has more cells"),
    "digits without end": (write("config.json", b"1" * 5_000), r"config\.json cannot be read"),
    "type of few bits": (
        tensors(lambda t: t.update({"prior.mean": (t["prior.mean"] * torch.nan).to(torch.float8_e4m3fn)})),
        r"prior\.mean has numbers that are not finite",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_damaged_or_made_up_is_refused_in_one_line(name: str, folder: Path) -> None:
    damage, message = DAMAGE[name]
    damage(folder)
    with pytest.raises(ModelFileError, match=message) as refused:
        PartedVAE.load(folder)
    assert "\n" not in str(refused.value)
    assert str(folder) in str(refused.value)


def test_a_model_that_cannot_be_written_leaves_the_one_that_is_there(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    x = np.random.default_rng(0).random((20, 4))
    nameless = PartedVAE(max_epochs=1).fit(x, np.array(["a\ud800", "b"], dtype=object)[np.arange(20) % 2])
    with pytest.raises(ValueError, match="no text of UTF-8"):
        nameless.save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_file_is_no_folder_for_a_model(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(FileExistsError, match="file is a file; a model is a folder"):
        PartedVAE.load(folder).save(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "kept"


def test_weights_say_what_wrote_them(folder: Path) -> None:
    PartedVAE.load(folder).save(folder)
    with safe_open(folder / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_a_file_that_there_is_no_room_for_is_named_and_leaves_the_one_that_is_there(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    model = PartedVAE.load(folder)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before["model.safetensors"]) // 2, limits[1]))
    try:
        with pytest.raises(OSError, match=r"'.*/model\.safetensors'"):
            model.save(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


class Planted:
    """Runs a command if it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


def test_a_planted_pickle_is_never_opened(folder: Path, tmp_path: Path) -> None:
    planted = pickle.dumps(Planted(tmp_path / "ran"))
    for name in ("model.pkl", "model.pt", "data.pkl", "pytorch_model.bin", "__init__.py"):
        (folder / name).write_bytes(planted)
    PartedVAE.load(folder)
    (folder / "model.safetensors").write_bytes(planted)
    with pytest.raises(ModelFileError):
        PartedVAE.load(folder)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_that_is_a_pickle_is_never_run(tmp_path: Path) -> None:
    x, y = load_digits().images[:64], load_digits().target[:64]
    settings: dict[str, Any] = {"max_epochs": 1, "hidden_dim": 8, "random_state": 0}
    planted = tmp_path / "last.ckpt"
    torch.save({"state_dict": Planted(tmp_path / "ran")}, planted)
    with pytest.raises(ValueError, match=r"last\.ckpt holds more than numbers and text"):
        PartedVAE(**settings).fit(x, y, resume_from=planted)
    planted.write_bytes(pickle.dumps(Planted(tmp_path / "ran")))
    with pytest.raises(ValueError, match="damaged"):
        PartedVAE(**settings).fit(x, y, resume_from=planted)
    assert not (tmp_path / "ran").exists()


def test_the_command_line_names_a_damaged_file(folder: Path) -> None:
    cut(folder)
    done = call("generate", folder, "--label", "3", "-o", folder / "made.png")
    assert done.returncode == 1
    assert done.stderr.startswith(f"partedvae: {folder}/model.safetensors does not fit config.json")
    assert len(done.stderr.splitlines()) == 1
    assert not (folder / "made.png").exists()

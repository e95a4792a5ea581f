"""The search for settings: what it may be asked, what it leaves, and that it goes on where it was."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from numpy.typing import NDArray

from command_line import call
from partedvae import PartedVAE
from partedvae.config import Config
from partedvae.data import Dataset, load
from partedvae.plans import RunError
from partedvae.settings import SettingError, gather
from partedvae.tuning import SPACE as DEFAULT_SPACE
from partedvae.tuning import Judged, Look, forgets, judged, read_space, search

Array = NDArray[Any]

SMALL = Config(max_epochs=2, hidden_dim=8, u_dim=2, z_dim=2, random_state=0)
SPACE = read_space(["lr=1e-4:1e-2", "gamma_zc=0.0,40.0"])


@pytest.fixture(scope="module")
def parts() -> tuple[Dataset, Dataset]:
    """Digits to learn from, of which 100 are labelled, and digits to be judged on."""
    data = load("digits")
    return data.take(range(200)).with_labels_of(np.arange(100)), data.take(range(200, 400))


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_study_leaves_its_best_settings_and_goes_on(parts: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    first = search(tmp_path, *parts, SMALL, SPACE, 3)
    assert len(rows(tmp_path)) == 3
    again = search(tmp_path, *parts, SMALL, SPACE, 2)
    assert len(again.trials) == 5
    assert [row["trial"] for row in rows(tmp_path)] == ["0", "1", "2", "3", "4"]
    assert len({row["lr"] for row in rows(tmp_path)}) == 5  # what was tried before is not tried again
    assert again.best_value <= first.best_value
    finished = [row for row in rows(tmp_path) if row["state"] == "complete"]
    best = min(finished, key=lambda row: float(row["score"]))
    settings = gather("default", tmp_path / "best.yaml", [], {})
    assert settings.lr == pytest.approx(float(best["lr"]))
    assert settings.u_dim == 2
    for row in finished:
        assert float(row["score"]) == pytest.approx(float(row["nll"]) + float(row["leakage"]))
    # The figures are those of a model with these settings.
    model = PartedVAE(**settings.model_dump()).fit(parts[0])
    found = judged(model, parts[1])
    assert found.nll == pytest.approx(float(best["nll"]), rel=1e-6)
    assert found.leakage == pytest.approx(float(best["leakage"]), abs=1e-6)
    errors = model.reconstruct(parts[1].array) - parts[1].array / 255
    assert float(best["mse"]) == pytest.approx(np.square(errors).mean(), rel=1e-4)


def test_machines_share_a_study_by_its_storage(parts: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'shared.db'}"
    for machine in ("a", "b"):
        search(tmp_path / machine, *parts, SMALL, SPACE, 1, storage)
    assert len(rows(tmp_path / "b")) == 2


class Hopeless:
    """A trial that is worse than all others."""

    def __init__(self) -> None:
        self.reported: list[tuple[float, int]] = []

    def report(self, value: float, step: int) -> None:
        """Remember."""
        self.reported.append((value, step))

    def should_prune(self) -> bool:
        """Yes, after the third look."""
        return len(self.reported) == 3


def test_a_hopeless_trial_is_stopped(parts: tuple[Dataset, Dataset]) -> None:
    trial: Any = Hopeless()
    settings = {**SMALL.model_dump(), "max_epochs": 20}
    model = PartedVAE(**settings, trainer_options={"callbacks": [Look(trial, parts[1])]})
    with pytest.raises(optuna.TrialPruned):
        model.fit(parts[0])
    assert [step for _, step in trial.reported] == [1, 2, 3]
    assert all(0 < value < 20 for value, _ in trial.reported)


def test_what_is_searched_by_default_leaves_z_what_it_may_carry() -> None:
    assert forgets(read_space(DEFAULT_SPACE)) is None
    assert forgets(read_space(["lr=1:2", "z_capacity=1:2"])) == "z_capacity"


def test_a_score_counts_surprise_and_leakage_alike() -> None:
    assert Judged(0.5, 0.25, mse=1.0).score == 0.75


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("lr", "key=low:high or key=one,two"),
        ("lr=1:2:3", "two numbers, the smaller first"),
        ("lr=2:1", "two numbers, the smaller first"),
        ("lr=a:b", "two numbers, the smaller first"),
        ("learning=1:2", "There is no setting 'learning'"),
        ("u_dim=0:3", "u_dim=0"),
        ("prior=mixture,banana", "prior='banana'"),
        ("class_prior=uniform,[0.5,0.5]", "lists are not searched"),
    ],
)
def test_what_cannot_be_searched_is_refused_by_name(option: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        read_space([option])


def test_what_is_searched_is_named_once() -> None:
    with pytest.raises(SettingError, match="--search lr=2:3: lr is searched already"):
        read_space(["lr=1:2", "lr=2:3"])


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("foo", "--storage: the database cannot be used: Could not parse"),
        ("postgresql+nodriver://ann:secret@nowhere/db", "--storage: the database cannot be used: "),
        (None, r"study\.db cannot be used: .*not a database"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(
    parts: tuple[Dataset, Dataset], tmp_path: Path, storage: str | None, message: str
) -> None:
    (tmp_path / "study.db").write_text("no database at all, but a text that is long enough to look at\n" * 20)
    with pytest.raises(ValueError, match=message) as refused:
        search(tmp_path, *parts, SMALL, SPACE, 1, storage)
    assert "secret" not in str(refused.value)


def test_too_few_rows_to_judge_by_are_refused(parts: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"--holdout: \d rows of class .* are held out"):
        search(tmp_path / "s", parts[0], parts[1].take(range(30)), SMALL, SPACE, 1)
    assert not (tmp_path / "s").exists()


def test_the_command_line(tmp_path: Path) -> None:
    small = [word for name in ("u_dim=2", "z_dim=2", "hidden_dim=8") for word in ("--set", name)]
    words = ["digits", "--labels-per-class", "5", "--epochs", "2", "--out", tmp_path / "study", *small]
    done = call("tune", *words, "--trials", "2", "--search", "lr=1e-3:1e-2")
    assert done.returncode == 0, done.stderr
    assert "best of 2 trials: NLL" in done.stdout
    used = call("train", "digits", "--config", tmp_path / "study" / "best.yaml", "--out", tmp_path / "run", "--quiet")
    assert used.returncode == 0, used.stderr
    assert "--search" not in done.stderr
    of_z = [*words[: -len(small)], "--trials", "1", "--out", tmp_path / "other", *small, "--search", "z_dim=1,2"]
    assert "--search z_dim: a z that carries less tells less. Compare the mse" in call("tune", *of_z).stderr
    wrong = call("tune", *words, "--search", "lr=5:1")
    assert wrong.returncode == 2
    assert "--search lr=5:1" in wrong.stderr


@pytest.mark.parametrize("name", ["why?", "50%20off", "{SCHEMA_VERSION}"])
def test_a_study_may_lie_in_a_folder_of_any_name(parts: tuple[Dataset, Dataset], tmp_path: Path, name: str) -> None:
    search(tmp_path / name, *parts, SMALL, SPACE, 1)
    assert {path.name for path in (tmp_path / name).iterdir()} == {"study.db", "best.yaml", "trials.csv"}
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_best_settings_are_those_beside_any_preset(parts: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    usual = Config().gamma_zc
    search(tmp_path, *parts, SMALL, read_space([f"gamma_zc={usual}"]), 1)
    assert gather("paper", None, [], {}).gamma_zc != usual
    assert gather("paper", tmp_path / "best.yaml", [], {}).gamma_zc == usual


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_search_that_is_stopped_leaves_what_it_has_found(number: int, status: int, tmp_path: Path) -> None:
    words = ["digits", "--labels-per-class", "5", "--epochs", "1", "--set", "hidden_dim=8", "--search", "lr=1e-3:1e-2"]
    program = f"""
import os, signal
from partedvae import cli, tuning

signal.signal(signal.SIGINT, signal.default_int_handler)
judged, asked = tuning.judged, []

def judged_once(*given):
    asked.append(True)
    if len(asked) == 2:
        os.kill(os.getpid(), {number:d})
    return judged(*given)

tuning.judged = judged_once
cli.main(["tune", "--out", "study", *{words}])
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == status, ended.stderr
    first, *last = [line for line in ended.stderr.splitlines() if "trial" in line or "study" in line or "stop" in line]
    assert first.startswith("trial 0: score")
    assert last == [
        "study/best.yaml has the best settings so far. The same command goes on with the study.",
        "partedvae: stopped.",
    ]
    assert "Traceback" not in ended.stderr
    assert gather("default", tmp_path / "study" / "best.yaml", [], {}).hidden_dim == 8
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{tmp_path / 'study' / 'study.db'}")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL"]


def test_a_file_is_no_folder_for_a_study(parts: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(RunError, match=r"--out .*file: is a file, not a folder\."):
        search(tmp_path / "file", *parts, SMALL, SPACE, 1)


def test_a_study_is_not_gone_on_with_with_other_choices(parts: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    for values, refused in (("0.0,40.0", False), ("0.0,20.0", True)):
        with pytest.raises(SettingError, match="--search gamma_zc: the study was begun") if refused else nullcontext():
            search(tmp_path, *parts, SMALL, read_space([f"gamma_zc={values}"]), 1)


def test_a_study_is_not_gone_on_with_on_other_things(parts: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    search(tmp_path, *parts, SMALL, SPACE, 1)
    before = (tmp_path / "best.yaml").read_bytes()
    with pytest.raises(RunError, match=r"begun with hidden_dim=8, not 9"):
        search(tmp_path, *parts, SMALL.model_copy(update={"hidden_dim": 9}), SPACE, 1)
    with pytest.raises(RunError, match="other observations, labels or rows"):
        search(tmp_path, parts[0], parts[1].take(range(1, 200)), SMALL, SPACE, 1)
    for searched in (["lr=1e-4:1e-2"], ["lr=1e-3,1e-2", "gamma_zc=0.0,40.0"]):
        with pytest.raises(SettingError, match="the study was begun with other choices"):
            search(tmp_path, *parts, SMALL, read_space(searched), 1)
    assert (tmp_path / "best.yaml").read_bytes() == before


def test_a_trial_that_cannot_be_is_given_up_and_others_go_on(parts: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    x = [part.array.reshape(len(part), -1).astype(float) for part in parts]  # not in [0, 1], as bernoulli needs
    learn, judge = (Dataset(rows, part.codes, part.attributes, part.ids) for rows, part in zip(x, parts, strict=True))
    settings = SMALL.model_copy(update={"likelihood": "bernoulli"})
    with pytest.raises(RuntimeError, match=r"No trial was finished.*features in \[0, 1\]"):
        search(tmp_path / "none", learn, judge, settings, read_space(["lr=1e-4:1e-2"]), 1)
    study = search(tmp_path / "some", learn, judge, SMALL, read_space(["likelihood=bernoulli,gaussian"]), 6)
    assert study.best_params == {"likelihood": "gaussian"}
    assert {row["state"] for row in rows(tmp_path / "some")} == {"complete", "pruned"}


def test_a_setting_says_itself_whether_it_is_a_whole_number() -> None:
    space = read_space(["bc_threshold=0:1", "hidden_dim=1e1:5e1"])
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    threshold, size = (part.suggested(trial, name) for name, part in space.items())
    assert 0 < threshold < 1
    assert isinstance(size, int)
    assert 10 <= size <= 50


def test_a_study_that_cannot_begin_leaves_no_folder_and_takes_none_of_a_run(
    parts: tuple[Dataset, Dataset], tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=r"--storage: the database cannot be used"):
        search(tmp_path / "new", *parts, SMALL, SPACE, 1, "foo")
    assert not (tmp_path / "new").exists()
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(RunError, match=r"holds a run\. A study needs a folder of its own"):
        search(tmp_path, *parts, SMALL, SPACE, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]

"""The command line as a stranger uses it: what it writes and what it prints."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import QUICK, Result, call, suggested
from partedvae import PartedVAE
from partedvae.data import load
from partedvae.labels import Attribute
from partedvae.tables import label_named

pytestmark = pytest.mark.usefixtures("short_report")


def test_a_run_holds_everything_it_should(run: Path) -> None:
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert names >= {
        "config.json", "model.safetensors", "history.csv", "metrics.json", "run.json", "report.html",
        "checkpoints/last.ckpt", "figures/swap.png", "figures/losses.png", "figures/traversal_u.png",
    }  # fmt: skip
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["n_training"], metrics["n_labelled"], metrics["n_test"]) == (1438, 50, 359)
    plan = json.loads((run / "run.json").read_text())
    assert len(plan["labelled"]) == 50
    assert not set(plan["labelled"]) & set(plan["held_out"])


def test_the_model_of_a_run_gives_its_metrics(run: Path) -> None:
    from partedvae.data import load

    plan = json.loads((run / "run.json").read_text())
    held_out = load("digits").take(plan["held_out"])
    accuracy = PartedVAE.load(run).score(held_out.x, held_out.y)
    figures = json.loads((run / "metrics.json").read_text())
    assert accuracy == figures["test_accuracy"]
    assert figures["test_accuracy_low"] < accuracy < figures["test_accuracy_high"]
    ends = f"{figures['test_accuracy_low']:.1%} to {figures['test_accuracy_high']:.1%}"
    assert ends in (run / "report.html").read_text()


def test_a_run_of_an_earlier_version_is_used_all_the_same(run: Path, tmp_path: Path) -> None:
    """With settings that training no longer has."""
    old = tmp_path / "old"
    shutil.copytree(run, old)
    for name in ("run.json", "config.json"):
        content = json.loads((old / name).read_text())
        content["settings"]["consistency_threshold"] = 0.95
        (old / name).write_text(json.dumps(content))
    done = call("encode", old, "digits", "-o", tmp_path / "codes.npz", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")


def test_predictions_are_a_table(run: Path, tmp_path: Path) -> None:
    assert call("predict", run, "digits", "-o", tmp_path / "p.csv").returncode == 0
    with (tmp_path / "p.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1797
    assert list(rows[0]) == ["id", "label", "confidence", *(f"p_{k}" for k in range(10)), "novelty"]
    probabilities = np.array([[float(row[f"p_{k}"]) for k in range(10)] for row in rows])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert [int(row["label"]) for row in rows] == probabilities.argmax(axis=1).tolist()


def test_codes_are_arrays(run: Path, tmp_path: Path) -> None:
    assert call("encode", run, "digits", "-o", tmp_path / "codes.npz").returncode == 0
    with np.load(tmp_path / "codes.npz") as codes:
        assert {name: codes[name].shape for name in codes} == {
            "c": (1797, 10), "u": (1797, 2), "z": (1797, 2), "ids": (1797,),
        }  # fmt: skip


def test_rows_that_trained_a_run_are_warned_of_and_what_keeps_some_is_said(table_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(table_run, tmp_path / "run")
    done = call("evaluate", run, table_run.parent / "data.npz")
    assert done.returncode == 0
    assert "Warning: 80 rows" in done.stderr
    assert "Train with --holdout to keep some." in done.stderr


def test_a_class_may_have_a_comma_or_an_equals_sign_in_its_name() -> None:
    attributes = [Attribute("kind", np.array(["a,b", "c"])), Attribute("size=", np.array(["kind=", "2"]))]
    assert label_named(attributes, "kind=a,b") == ["a,b", None]
    assert label_named(attributes, "size==2,kind=c") == ["c", "2"]
    assert label_named(attributes, "kind=a,b,size==kind=") == ["a,b", "kind="]
    for text, message in (("kind=c,kind=c", "names kind twice"), ("c", "should be ATTRIBUTE=CLASS"), ("kind=b", "b")):
        with pytest.raises(ValueError, match=message):
            label_named(attributes, text)


def test_several_attributes_have_columns_of_their_own(table_run: Path, tmp_path: Path) -> None:
    data = table_run.parent / "data.npz"
    assert call("predict", table_run, data, "-o", tmp_path / "p.csv").returncode == 0
    header = (tmp_path / "p.csv").read_text().splitlines()[0].split(",")
    first = ["label_0", "confidence_0", "p_0_0", "p_0_1", "p_0_2"]
    assert header == ["id", *first, "label_1", "confidence_1", "p_1_0", "p_1_1", "novelty"]
    assert call("encode", table_run, data, "-o", tmp_path / "c.npz").returncode == 0
    assert np.load(tmp_path / "c.npz")["c"].shape == (80, 5)
    page = (table_run / "report.html").read_text()
    assert "for pictures only" in page


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "RUN", "--label", "3", "-n", "5"),
        ("generate", "RUN"),
        ("swap", "RUN", "digits", "--styles", "3"),
        ("traverse", "RUN", "digits", "--code", "u", "--row", "7"),
        ("traverse", "RUN", "digits"),
    ],
)
def test_pictures_are_drawn(run: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = call(*(run if a == "RUN" else a for a in arguments), "-o", tmp_path / "out.png")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out.png") as image:
        assert min(image.size) > 50
        assert len(np.unique(np.asarray(image.convert("L")))) > 10


def test_a_run_is_repeated_resumed_or_overwritten_only_on_request(run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    options = ("--labels-per-class", 5, "--holdout", 0.2, "--out", again, *QUICK)
    assert call("train", "digits", *options).returncode == 0
    assert (again / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
    refused = call("train", "digits", *options)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    assert "--overwrite" in refused.stderr
    (again / "model.safetensors").unlink()
    other = call("train", "digits", "--out", again, "--resume", "--size", 16)
    assert other.returncode == 2
    assert "was begun with size=None" in other.stderr
    for option, value, said in (("--labels-per-class", 4, "labels_per_class=5, not 4"), ("--set", "u_dim=9", "not 9.")):
        done = call("train", "digits", "--out", again, "--resume", option, value)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    resumed = call("train", "digits", *options, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert (again / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
    assert call("train", "digits", *options, "--overwrite").returncode == 0


@pytest.mark.parametrize("written", ["NA", "-1"])
def test_training_asks_whether_a_class_means_unlabelled(tmp_path: Path, written: str) -> None:
    x, kinds = np.random.default_rng(0).normal(size=(60, 2)), ["cat", "dog", written]
    rows = [f"{a:.3f},{b:.3f},{kinds[row % 3]}" for row, (a, b) in enumerate(x)]
    path = tmp_path / "animals.csv"
    path.write_text("\n".join(["width,height,label", *rows]))
    asked = f"label has a class '{written}'; if that means unlabelled: --missing {written}"
    for more, expected in ((), True), (("--missing", written), False):
        done = call("train", path, *more, "--out", tmp_path / str(expected), *QUICK)
        assert done.returncode == 0, done.stderr
        assert (asked in done.stderr) == expected


def test_suggestions_are_a_table_of_rows_that_training_did_not_see_labelled(run: Path) -> None:
    rows, said = suggested(run, "digits", "-n", 7)
    assert said == "choosing …\n"
    assert [row["rank"] for row in rows] == [str(place) for place in range(1, 8)]
    assert all(row["label"] in set("0123456789") and 0 < float(row["confidence"]) <= 1 for row in rows)
    plan = json.loads((run / "run.json").read_text())
    assert plan["labelled"]
    assert plan["held_out"]
    everything, _ = suggested(run, "digits", "-n", 1797 - len(plan["labelled"]) - len(plan["held_out"]))
    known = {str(row) for row in [*plan["labelled"], *plan["held_out"]]}
    assert {row["id"] for row in everything} == {str(row) for row in range(1797)} - known
    by_id = {row["id"]: row for row in everything}
    for row in rows:  # the last digit depends on what a row is asked with
        same = by_id[row["id"]]
        assert same["label"] == row["label"]
        assert float(same["confidence"]) == pytest.approx(float(row["confidence"]), abs=2e-6)


def test_of_other_data_those_without_a_label_are_suggested(run: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", load("digits").array[:60])
    digit = load("digits").codes[:60, 0]
    np.save(tmp_path / "some.npy", np.where(np.arange(60) < 50, digit, -1))
    np.save(tmp_path / "all.npy", digit)
    for labels, expected, warning in (("some", set(range(50, 60)), ""), ("all", set(range(60)), "is labelled")):
        rows, said = suggested(run, tmp_path / "x.npy", "--label-file", tmp_path / f"{labels}.npy", "-n", len(expected))
        assert warning in said
        assert {int(row["id"]) for row in rows} == expected


def test_the_data_of_a_run_are_read_as_it_read_them_and_labels_added_since_count(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", load("digits").array[:80])
    digit = load("digits").codes[:80, 0].astype(str)
    labels = tmp_path / "labels.csv"

    def write(rows: list[int]) -> None:
        labels.write_text("id,digit\n" + "".join(f"{row},{digit[row]}\n" for row in rows))

    write(list(range(40)))
    run = tmp_path / "run"
    done = call("train", tmp_path / "x.npy", "--label-file", labels, "--out", run, *QUICK)
    assert done.returncode == 0, done.stderr
    rows, said = suggested(run, tmp_path / "x.npy", "-n", 40)
    assert said == "choosing …\n"
    assert {int(row["id"]) for row in rows} == set(range(40, 80))
    write(list(range(60)))
    assert {int(row["id"]) for row in suggested(run, tmp_path / "x.npy", "-n", 20)[0]} == set(range(60, 80))
    done = call("suggest", run, tmp_path / "x.npy", "-n", 21, "-o", tmp_path / "s.csv")
    assert done.returncode != 0
    assert "n=21: should be a whole number from 1 to 20" in done.stderr


def test_settings_come_from_preset_file_and_options_in_that_order(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("u_dim: 3\nz_dim: 4\nhidden_dim: 16\nlr: 1e-4\n")
    done = call(
        "train", "digits", "--labels", 30, "--preset", "paper-mnist", "--config", tmp_path / "c.yaml",
        "--set", "z_dim=1", "--epochs", 1, "--seed", 5, "--out", tmp_path / "run", "--quiet", "--logger", "csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    settings = json.loads((tmp_path / "run" / "config.json").read_text())["settings"]
    found = [settings[k] for k in ("u_dim", "z_dim", "lr", "gamma_h", "max_epochs", "random_state")]
    assert found == [3, 1, 1e-4, 30.0, 1, 5]
    assert list((tmp_path / "run" / "logs").rglob("metrics.csv"))


def test_tensorboard_is_told_what_epochs_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("train", "digits", "--labels", 30, "--out", tmp_path / "run", *QUICK, "--logger", "tensorboard")
    with monkeypatch.context() as missing:
        for library in ("tensorboard", "tensorboardX"):
            missing.setitem(sys.modules, library, None)
        refused = call(*asked)
    assert (refused.returncode, "pip install 'partedvae[tensorboard]'" in refused.stderr) == (2, True)
    done = call(*asked)
    assert done.returncode == 0, done.stderr
    (events,) = (tmp_path / "run" / "logs").rglob("events.out.tfevents.*")
    assert b"swap_kl" in events.read_bytes()


def test_a_suffix_may_be_in_capitals_and_a_link_is_followed(run: Path, tmp_path: Path) -> None:
    assert call("encode", run, "digits", "-o", tmp_path / "CODES.NPZ").returncode == 0
    assert np.load(tmp_path / "CODES.NPZ")["z"].shape == (1797, 2)
    (tmp_path / "link.csv").symlink_to(tmp_path / "place.csv")
    assert call("predict", run, "digits", "-o", tmp_path / "link.csv").returncode == 0
    assert (tmp_path / "link.csv").is_symlink()
    os.mkfifo(tmp_path / "pipe.csv")
    refused = call("predict", run, "digits", "-o", tmp_path / "pipe.csv")
    assert (refused.returncode, "is no file" in refused.stderr) == (2, True)
    assert {path.name for path in tmp_path.iterdir()} == {"CODES.NPZ", "link.csv", "place.csv", "pipe.csv"}


def test_an_overwrite_that_was_killed_leaves_nothing_behind_when_it_is_gone_on_with(tmp_path: Path) -> None:
    start = ("train", "digits", "--labels-per-class", 5, "--out", tmp_path / "run", *QUICK)
    assert call(*start).returncode == 0
    (tmp_path / "run" / ".replaced-0123").mkdir()  # as kill -9 leaves it
    assert call("train", "digits", "--out", tmp_path / "run", "--resume").returncode == 0
    assert not list((tmp_path / "run").glob(".*"))


def test_a_run_that_was_to_be_replaced_comes_back_if_that_was_killed_before_it_began(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    start = ("train", "digits", "--labels-per-class", 5, "--out", folder, *QUICK)
    assert call(*start).returncode == 0
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    shutil.copytree(folder, tmp_path / "kept")

    def kill() -> None:
        """What kill -9 leaves: all is put aside, and a plan is there."""
        aside = folder / ".replaced-0123"
        found = list(folder.iterdir())
        aside.mkdir()
        for path in found:
            path.rename(aside / path.name)
        (folder / "run.json").write_text("{}")
        (folder / "checkpoints").mkdir()

    kill()
    refused = call(*start)
    assert (refused.returncode, "holds a run already" in refused.stderr) == (2, True)
    assert (folder / ".replaced-0123" / "config.json").exists()  # it may be of a process that has just begun
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "kept", folder)
    for again in (("--resume",), ("--overwrite", "--precision", "bf16-true")):
        kill()
        call(*start, *again)
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert call("predict", folder, "digits", "-o", tmp_path / "p.csv").returncode == 0


def test_quiet_shows_nothing_whatever_is_done(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    outputs = {"predict": "p.csv", "encode": "c.npz", "suggest": "s.csv", "swap": "w.png", "traverse": "t.png"}
    calls: list[tuple[object, ...]] = [
        (name, tmp_path / "run", "digits", "-o", tmp_path / file) for name, file in outputs.items()
    ]
    calls += [("generate", tmp_path / "run", "-o", tmp_path / "g.png"), ("report", tmp_path / "run")]
    for words in calls:
        assert call(*words, "--quiet") == Result(0, "", "")


def test_without_a_word_the_commands_are_listed() -> None:
    assert call() == call("--help")


def test_the_command_line_says_which_version_it_is() -> None:
    assert call("--version") == Result(0, f"partedvae {version('partedvae')}\n", "")


def test_help_lists_every_command_with_an_example() -> None:
    listing = call("--help")
    assert listing.returncode == 0
    for command in ("train", "predict", "encode", "generate", "swap", "traverse", "report"):
        assert command in listing.stdout
        page = call(command, "--help")
        assert page.returncode == 0
        assert f"partedvae {command}" in page.stdout


def test_importing_the_package_does_not_import_torch() -> None:
    for code in (
        "import sys, partedvae, partedvae.cli; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)",
        "import sys, partedvae.metrics, partedvae.data; sys.exit('torch' in sys.modules)",
    ):
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_who_asks_a_model_does_not_wait_for_what_trains_or_draws(run: Path, tmp_path: Path) -> None:
    program = f"""
import sys
from partedvae.cli import main

try:
    main(["predict", {str(run)!r}, "digits", "-o", {str(tmp_path / "p.csv")!r}, "--quiet"])
finally:
    print([name for name in ("lightning", "torch._dynamo", "matplotlib") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_seed_is_what_was_typed_wherever_it_was(tmp_path: Path) -> None:
    (tmp_path / "seed.yaml").write_text("random_state: 9")
    plans = {}
    for name, options in {
        "none": (), "set": ("--set", "random_state=7"), "file": ("--config", tmp_path / "seed.yaml"),
        "both": ("--set", "random_state=7", "--seed", 3),
    }.items():  # fmt: skip
        out = tmp_path / name
        done = call(
            "train", "digits", "--max-rows", 60, "--holdout", 0.5, "--epochs", 1, "--quiet", "--out", out, *options
        )
        assert done.returncode == 0, done.stderr
        plans[name] = json.loads((out / "run.json").read_text())
    assert [plan["settings"]["random_state"] for plan in plans.values()] == [0, 7, 9, 3]
    assert len({tuple(plan["held_out"]) for plan in plans.values()}) == 4
    refused = call("train", "digits", "--out", tmp_path / "large", "--seed", 2**70)
    assert refused.returncode == 2
    assert "--seed" in refused.stderr


def test_names_that_are_no_unicode(run: Path, tmp_path: Path) -> None:
    strange = tmp_path / os.fsdecode(b"r\xff")
    shutil.copytree(run, strange)
    assert call("predict", strange, "digits", "-o", strange / "all.csv").returncode == 0
    assert (strange / "all.csv").read_bytes()
    data = tmp_path / os.fsdecode(b"d\xff.npy")
    np.save(data, np.zeros((4, 8, 8)))
    refused = call("train", data, "--out", tmp_path / "out")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "d\\udcff.npy': this name is not of UTF-8" in refused.stderr
    assert not (tmp_path / "out").exists()


def test_a_class_that_cannot_be_divided_is_warned_of_unless_quiet(tmp_path: Path) -> None:
    labels = np.array(["many"] * 30 + ["other"] * 29 + ["rare"])
    np.savez(tmp_path / "data.npz", X=np.random.default_rng(0).normal(size=(60, 4)), y=labels)
    for quiet in ((), ("--quiet",)):
        done = call(
            "train", tmp_path / "data.npz", "--holdout", 0.2, "--out", tmp_path / f"run{len(quiet)}", *QUICK, *quiet
        )
        assert done.returncode == 0
        assert ("Warning: --holdout 0.2: too few labelled rows to hold any out of 'rare'" in done.stderr) == (not quiet)


def test_a_run_is_found_and_reported_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    np.savez("data.npz", X=rng.normal(size=(80, 4)), y=np.arange(80) % 2)
    assert call("train", "data.npz", "--labels", 20, "--holdout", 0.25, "--out", "run", *QUICK).returncode == 0
    monkeypatch.chdir(tmp_path / "out")
    assert call("report", "../in/run").returncode == 0
    flattered = call("evaluate", "../in/run", "../in/data.npz")
    assert flattered.returncode == 0
    assert "Warning: 60 rows of ../in/data.npz trained this run" in flattered.stderr
    assert json.loads((tmp_path / "in" / "run" / "metrics.json").read_text())["measured_on"] == "../in/data.npz"
    assert "Warning" not in call("evaluate", "../in/run").stderr
    for name in ("data.npz", "../in/data.npz"):
        monkeypatch.chdir(tmp_path / "in")
        assert call("train", name, "--out", "run", "--resume").returncode == 0


def test_data_that_trained_a_run_are_known_by_another_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 4)), np.arange(80) % 2
    np.savez(tmp_path / "data.npz", X=x, y=y)
    run = tmp_path / "run"
    assert call("train", tmp_path / "data.npz", "--labels", 20, "--holdout", 0.25, "--out", run, *QUICK).returncode == 0
    (tmp_path / "data.npz").rename(tmp_path / "moved.npz")
    np.savez(tmp_path / "others.npz", X=x + 1, y=y)
    for command in ("report", "evaluate"):
        refused = call(command, run)
        assert (refused.returncode, "is not there. Bring it back, or" in refused.stderr) == (1, True)
    assert "60 rows" in call("evaluate", run, tmp_path / "moved.npz").stderr
    assert "Warning" not in call("evaluate", run, tmp_path / "others.npz").stderr
    np.savez(tmp_path / "unlabelled.npz", X=x)
    done = call("evaluate", run, tmp_path / "unlabelled.npz")
    assert (done.returncode, "trained this run" in done.stderr) == (0, False)
    assert len(suggested(run, tmp_path / "unlabelled.npz", "-n", 80)[0]) == 80
    plan = json.loads((run / "run.json").read_text())
    asked = {int(row["id"]) for row in suggested(run, tmp_path / "moved.npz", "-n", 40)[0]}
    assert asked == set(range(80)) - set(plan["labelled"]) - set(plan["held_out"])

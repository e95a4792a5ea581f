"""Data that commands meet after training: pictures of other colours, tables that were edited, copied or are gone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from command_line import QUICK, call, suggested
from picture_files import save

pytestmark = pytest.mark.usefixtures("short_report")


def test_a_folder_of_pictures_trains_and_predicts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(24):
        name = ("round", "square", "unlabeled")[i % 3]
        path = tmp_path / "shapes" / name / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(256, size=(12, 10, 3), dtype=np.uint8)).save(path)
    done = call("train", tmp_path / "shapes", "--size", "16x8", "--out", tmp_path / "run", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "test accuracy" not in done.stdout  # nothing was held out
    # New pictures, without class folders, of another size: they are read at the model's.
    new = tmp_path / "new"
    new.mkdir()
    Image.fromarray(rng.integers(256, size=(20, 20, 3), dtype=np.uint8)).save(new / "one.png")
    assert call("predict", tmp_path / "run", new, "-o", tmp_path / "p.csv").returncode == 0
    assert (tmp_path / "p.csv").read_text().splitlines()[1].split(",")[1] in ("round", "square")


def test_pictures_are_brought_to_the_colours_of_the_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for mode, channels in (("L", ()), ("RGB", (3,))):
        for i in range(20):
            path = tmp_path / mode / "ab"[i % 2] / f"{i}.png"
            values = rng.integers(256, size=(8, 8, *channels), dtype=np.uint8)
            save(path, Image.fromarray(values))
        done = call("train", tmp_path / mode, "--out", tmp_path / f"run {mode}", "--quiet", *QUICK)
        assert done.returncode == 0, done.stderr
    for mode, other, said in (("L", "RGB", "they are turned grey"), ("RGB", "L", "are each the grey")):
        converted = tmp_path / f"{other} as {mode}"
        for path in (tmp_path / other).rglob("*.png"):
            save(converted / path.relative_to(tmp_path / other), Image.open(path).convert(mode))
        tables = []
        for source in (tmp_path / other, converted):
            table = tmp_path / "out.csv"
            done = call("predict", tmp_path / f"run {mode}", source, "-o", table)
            assert done.returncode == 0, done.stderr
            assert (said in done.stderr) == (source != converted)
            tables.append(table.read_text())
        assert tables[0] == tables[1]
        quiet = call("evaluate", tmp_path / f"run {mode}", tmp_path / other, "--quiet")
        assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_a_run_is_not_measured_on_data_that_changed_but_labels_may_be_added(tmp_path: Path) -> None:
    rows = [f"{i % 7},{i % 5},{'ab'[i % 2] if i < 50 else ''}" for i in range(100)]
    table, run = tmp_path / "t.csv", tmp_path / "run"

    def write() -> None:
        table.write_text("p,q,kind\n" + "\n".join(rows) + "\n")

    write()
    assert call("train", table, "--holdout", 0.2, "--out", run, "--quiet", *QUICK).returncode == 0
    rows[50:99] = [f"{row}{'ab'[i % 2]}" for i, row in enumerate(rows[50:99])]
    rows[99] += "A"  # which comes before the others
    write()
    assert call("evaluate", run, "--quiet").returncode == 0
    rows.reverse()
    write()
    for command in (("evaluate", run), ("report", run), ("train", table, "--out", run, "--resume")):
        done = call(*command)
        assert done.returncode == 1
        assert "t.csv is no longer what the run began with: the observations, or the labels" in done.stderr


def test_labels_that_are_numbers_are_known_again_in_other_tables(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{rng.normal():.3f},{rng.normal():.3f},{i % 3}" for i in range(90)]
    for name, given in (("t", rows), ("u", [row if i % 2 else f"{row[:-1]}" for i, row in enumerate(rows)])):
        (tmp_path / f"{name}.csv").write_text("p,q,grade\n" + "\n".join(given) + "\n")
    run = tmp_path / "run"
    done = call("train", tmp_path / "t.csv", "--label-columns", "grade", "--out", run, "--quiet", *QUICK)
    assert done.returncode == 0, done.stderr
    shutil.copy(tmp_path / "t.csv", tmp_path / "copy.csv")
    assert call("evaluate", run, tmp_path / "copy.csv", "--quiet").returncode == 0
    assert json.loads((run / "metrics.json").read_text())["accuracy"] is not None
    found, _ = suggested(run, tmp_path / "u.csv", "-n", 45)
    assert {int(row["id"]) % 2 for row in found} == {0}
    (tmp_path / "none.csv").write_text("p,q\n" + "\n".join(row[:-2] for row in rows) + "\n")
    done = call("evaluate", run, tmp_path / "none.csv")
    assert done.returncode == 0
    assert "none.csv has a label: only what needs none is measured" in done.stderr


def test_a_run_whose_data_are_gone_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("p,q,kind\n" + "".join(f"{i},{i % 7},{'ab'[i % 2]}\n" for i in range(40)))
    assert call("train", "t.csv", "--out", "run", "--quiet", *QUICK).returncode == 0
    Path("t.csv").unlink()
    done = call("train", "t.csv", "--out", "run", "--resume")
    assert done.returncode == 1
    assert f"{tmp_path / 't.csv'}, which the run was trained on, is not there" in done.stderr


def test_a_run_goes_on_and_is_reported_where_its_data_are_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("id,p,q\n" + "".join(f"r{i},{i},{i % 7}\n" for i in range(40)))
    Path("labels.csv").write_text("id,kind\n" + "".join(f"r{i},{'ab'[i % 2]}\n" for i in range(40)))
    options = ("--label-file", "labels.csv", "--holdout", 0.2, "--out", "run", "--quiet", *QUICK)
    assert call("train", "t.csv", *options).returncode == 0
    Path("kept").mkdir()
    shutil.move("t.csv", "kept/rows.csv")
    assert call("report", "run").returncode == 1
    shutil.move("labels.csv", "kept/kinds.csv")
    there = ("kept/rows.csv", "--label-file", "kept/kinds.csv")
    for name, *arguments in (("report", "run", *there), ("train", *there, "--out", "run", "--resume")):
        done = call(name, *arguments)
        assert done.returncode == 0, done.stderr
        plan = json.loads(Path("run/run.json").read_text())
        assert plan["source"] == str(tmp_path / "kept/rows.csv")
        assert plan["reading"]["label_file"] == str(tmp_path / "kept/kinds.csv")
    assert call("evaluate", "run", "--quiet").returncode == 0
    for n_rows, otherwise in ((40, "the observations, or the labels"), (41, "it has 41 observations, not 40")):
        Path("others.csv").write_text("id,p,q\n" + "".join(f"r{i},{i},{i % 5}\n" for i in range(n_rows)))
        done = call("report", "run", "others.csv")
        told = f"others.csv is not {tmp_path / 'kept/rows.csv'}, which the run began with: {otherwise}"
        assert (done.returncode, told in done.stderr) == (1, True), done.stderr
    done = call("report", "run", tmp_path / "none.csv")
    assert done.returncode == 1
    assert f"none.csv is not there; the run was trained on {tmp_path / 'kept/rows.csv'}" in done.stderr
    done = call("report", "run", "kept/rows.csv", "--max-rows", 30)
    assert (done.returncode, "was begun with max_rows=None, not 30" in done.stderr) == (2, True)
    done = call("report", "run", "--max-rows", 30)
    assert (done.returncode, "--max-rows: is about DATA" in done.stderr) == (2, True)
    assert json.loads(Path("run/run.json").read_text()) == plan


def test_columns_that_are_taken_for_labels_are_told(tmp_path: Path) -> None:
    rows = "".join(f"{i},day {i},{i % 2},{'ab'[i % 2]}\n" for i in range(30))
    (tmp_path / "t.csv").write_text("p,when,y,kind\n" + rows + rows)
    done = call("train", tmp_path / "t.csv", "--out", tmp_path / "run", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "labels: when (30 classes), y (2 classes), kind (2 classes); --label-columns names others" in done.stderr


def test_pictures_with_channels_first_are_known_again(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(256, size=(40, 3, 12, 10), dtype=np.uint8)
    np.savez(tmp_path / "p.npz", X=x, y=np.arange(40) % 2)
    run = tmp_path / "run"
    assert call("train", tmp_path / "p.npz", "--out", run, "--holdout", 0.3, "--quiet", *QUICK).returncode == 0
    for command in (("predict", "-o", "p.csv"), ("encode", "-o", "c.npz"), ("suggest", "-n", 3, "-o", "s.csv")):
        name, *options, written = command
        done = call(name, run, tmp_path / "p.npz", *options, tmp_path / str(written))
        assert done.returncode == 0, done.stderr
    assert call("swap", run, tmp_path / "p.npz", "-o", tmp_path / "s.png").returncode == 0


def test_a_column_of_labels_is_no_feature_beside_one_of_vectors(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 5))
    pd.DataFrame({"vec": list(x), "age": np.arange(40) % 2}).to_parquet(tmp_path / "v.parquet")
    run = tmp_path / "run"
    done = call("train", tmp_path / "v.parquet", "--label-columns", "age", "--out", run, "--quiet", *QUICK)
    assert done.returncode == 0, done.stderr
    pd.DataFrame({"vec": list(x)}).to_parquet(tmp_path / "new.parquet")
    for name in ("v", "new"):
        done = call("predict", run, tmp_path / f"{name}.parquet", "-o", tmp_path / "p.csv")
        assert done.returncode == 0, done.stderr


def test_what_is_wrong_with_observations_is_said_with_their_file(tmp_path: Path) -> None:
    header, rows = "p,q,kind\n", [f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(40)]
    (tmp_path / "t.csv").write_text(header + "\n".join(rows) + "\n")
    run = tmp_path / "run"
    assert call("train", tmp_path / "t.csv", "--out", run, "--quiet", *QUICK).returncode == 0
    rows[3] = "1e300,1,a"
    (tmp_path / "far.csv").write_text(header + "\n".join(rows) + "\n")
    for command in (("predict", "-o", tmp_path / "p.csv"), ("suggest", "-o", tmp_path / "s.csv"), ("evaluate",)):
        name, *options = command
        done = call(name, run, tmp_path / "far.csv", *options)
        assert done.returncode == 1
        wrong = (
            "column p holds '1e300', which is no finite number of 32 bits. Mend it; --skip-bad leaves such rows out."
        )
        assert done.stderr == f"partedvae: {tmp_path / 'far.csv'}, line 5: {wrong}\n"


def test_columns_that_are_named_one_by_one_are_all_labels(tmp_path: Path) -> None:
    rows = "".join(f"{i % 7},{i % 5},{i % 2},{i % 3}\n" for i in range(40))
    (tmp_path / "t.csv").write_text("p,q,a,b\n" + rows)
    one_by_one = ("--label-columns", "a", "--label-columns", "b")
    done = call("train", tmp_path / "t.csv", *one_by_one, "--out", tmp_path / "run", "--quiet", *QUICK)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["reading"]["labels"] == ["a", "b"]


def test_a_variable_that_is_not_set_names_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (
        ("train", "digits", "--out", ""),
        ("train", "", "--out", "run"),
        ("tune", "digits", "--out", " "),
    ):
        done = call(*arguments)
        assert (done.returncode, "empty" in done.stderr) == (2, True), done.stderr
    assert not list(tmp_path.iterdir())

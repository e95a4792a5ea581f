"""How the command line fails: a line on stderr, a status, and nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import QUICK, call, call_process
from partedvae import PartedVAE
from partedvae.cli.errors import UsageError
from partedvae.cli.outputs import writable

pytestmark = pytest.mark.usefixtures("short_report")


def test_no_picture_is_drawn_into_a_folder_that_is_learned_from(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert call("train", folder, "--out", run, "--quiet", *QUICK).returncode == 0
    for command in (("swap", run, folder), ("traverse", run, folder), ("generate", run), ("data", "show", folder)):
        drawn = folder / "cat" / "drawn.png"
        done = call(*command, "-o", drawn)
        assert (done.returncode, drawn.exists()) == (2, False)
        assert f"-o {drawn}: lies in {folder}, and would be read as part of it." in done.stderr
    assert call("generate", run, "-n", 2, "-o", tmp_path / "drawn.png").returncode == 0


def test_what_a_command_reads_is_not_written_over(run: Path, tmp_path: Path) -> None:
    table, labels, model = tmp_path / "t.csv", tmp_path / "labels.csv", tmp_path / "run"
    table.write_text("a,b,class\n" + "".join(f"{i},{i % 3},{'xy'[i % 2]}\n" for i in range(20)))
    labels.write_text("id,class\n0,x\n")
    assert call("train", table, "--out", model, "--quiet", *QUICK).returncode == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for arguments, target, named in (
        (("predict", model, table), table, f"{table} is read"),
        (("predict", model, table, "--label-file", labels), labels, f"{labels} is read"),
        (("suggest", model, table), table, f"{table} is read"),
        (("predict", model, table), model / "config.json", "is a file of the run"),
        (("predict", model, table), model / "history.csv", "is a file of the run"),
    ):
        done = call(*arguments, "-o", target)
        assert done.returncode == 2
        assert named in done.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    for _ in range(2):  # what was answered before may be answered again
        assert call("predict", model, table, "-o", model / "answers.csv").returncode == 0


def test_predictions_need_the_columns_of_the_model_and_no_others(tmp_path: Path) -> None:
    rows = [f"{i},{i % 3},{'xy'[i % 2]}" for i in range(80)]
    (tmp_path / "t.csv").write_text("a,b,class\n" + "\n".join(rows))
    assert call("train", tmp_path / "t.csv", "--out", tmp_path / "run", "--quiet", *QUICK).returncode == 0
    noted = [f"note {i},{'7' if i else 'seven'},{row}" for i, row in enumerate(rows)]
    (tmp_path / "noted.csv").write_text("note,n,a,b,class\n" + "\n".join(noted))
    for name in ("t", "noted"):
        done = call("predict", tmp_path / "run", tmp_path / f"{name}.csv", "-o", tmp_path / f"{name}_out.csv")
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "t_out.csv").read_bytes() == (tmp_path / "noted_out.csv").read_bytes()


def test_a_run_that_fails_before_its_first_checkpoint_leaves_the_folder_as_it_was(run: Path, tmp_path: Path) -> None:
    x = np.ones((40, 3))
    x[7, 1] = np.nan
    np.savez(tmp_path / "bad.npz", X=x, y=np.arange(40) % 2)
    failed = call("train", tmp_path / "bad.npz", "--out", tmp_path / "new", *QUICK)
    assert failed.returncode != 0
    assert "NaN at row 7, column 1" in failed.stderr
    assert not (tmp_path / "new").exists()
    shutil.copytree(run, tmp_path / "old")
    (tmp_path / "old" / "notes.txt").write_text("mine")
    before = {path: path.read_bytes() for path in (tmp_path / "old").rglob("*") if path.is_file()}
    assert call("train", tmp_path / "bad.npz", "--out", tmp_path / "old", "--overwrite", *QUICK).returncode != 0
    assert {path: path.read_bytes() for path in (tmp_path / "old").rglob("*") if path.is_file()} == before


def test_data_that_cannot_be_learned_from_are_named_and_the_call_was_right(tmp_path: Path) -> None:
    y = np.arange(40) % 2
    cases = {
        "nan": (np.where(np.arange(120).reshape(40, 3) == 4, np.nan, np.arange(120).reshape(40, 3)), y, "NaN at row 1"),
        "one": (np.arange(120).reshape(40, 3), np.zeros(40, dtype=int), "one class"),
        "small": (np.arange(1000).reshape(40, 5, 5), y, "smallest size"),
    }
    for name, (values, labels, message) in cases.items():
        path = tmp_path / f"{name}.npz"
        np.savez(path, X=values, y=labels)
        done = call("train", path, "--out", tmp_path / "out", *QUICK)
        assert (done.returncode, done.stderr.startswith(f"partedvae: {path}: ")) == (1, True), done.stderr
        assert message in done.stderr


def test_files_that_are_of_no_run_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "mine.txt").write_text("mine")
    for more in ((), ("--overwrite",)):
        done = call("train", "digits", "--labels-per-class", 2, "--out", tmp_path, *QUICK, *more)
        assert (done.returncode, "holds logs, which is of no run" in done.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_what_is_not_finite_in_rows_held_out_is_found_before_training(tmp_path: Path) -> None:
    x = np.arange(120.0).reshape(40, 3)
    for row in (2, 31):
        x[row, 1] = np.nan
        np.savez(tmp_path / "x.npz", X=x, y=np.arange(40) % 2)
        done = call("train", tmp_path / "x.npz", "--holdout", 0.9, "--out", tmp_path / "run", *QUICK)
        assert (done.returncode, "x.npz: NaN at row 2, column 1" in done.stderr) == (1, True), done.stderr
        assert not (tmp_path / "run").exists()


def test_a_setting_that_a_file_has_twice_is_named(tmp_path: Path) -> None:
    config, out = tmp_path / "c.yaml", tmp_path / "out"
    config.write_text("u_dim: 3\nz_dim: 4\nu_dim: 5\n")
    done = call("train", "digits", "--config", config, "--out", out)
    said = " ".join(done.stderr.split())
    assert done.returncode == 2
    assert f"--config {config}: cannot be read as YAML: 'u_dim' stands there twice" in said
    assert 'in "c.yaml", line 3' in said
    config.write_text("1: 3\n")
    said = " ".join(call("train", "digits", "--config", config, "--out", out).stderr.split())
    assert f"--config {config}: 1 is no setting" in said
    assert not out.exists()


def test_a_stream_is_no_file_to_write_anew(run: Path) -> None:
    done = call("predict", run, "digits", "-o", "/dev/stdout")
    assert (done.returncode, "/dev/stdout: is no file" in done.stderr) == (2, True)
    in_memory = Path("/dev") / "shm"
    if in_memory.is_dir():  # a folder like others
        assert writable(in_memory / "p.csv", ".csv") == in_memory / "p.csv"


def test_a_run_goes_on_with_its_own_seed_and_not_with_nought(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    plan = json.loads((run / "run.json").read_text())
    plan["settings"]["random_state"] = 3
    (tmp_path / "run" / "run.json").write_text(json.dumps(plan))
    done = call("train", "digits", "--resume", "--out", tmp_path / "run", "--seed", 0)
    assert (done.returncode, "was begun with random_state=3, not 0" in done.stderr) == (2, True), done.stderr


def test_a_training_that_has_not_ended_is_no_model_and_how_it_ends_is_said(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "config.json").unlink()
    done = call("predict", tmp_path / "run", "digits", "-o", tmp_path / "p.csv")
    assert (done.returncode, "--resume goes on" in done.stderr) == (1, True), done.stderr


def test_what_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = call("train", "digits", "--labels-per-class", 2, "--out", tmp_path / "file" / "run", *QUICK)
    assert done.returncode == 1
    assert "Not a directory" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("train", "nowhere", "--out", "OUT"), 1, "nowhere"),
        (("train", "digits"), 2, "--out"),
        (("train", "digits", "--labels", "5", "--out", "OUT"), 2, "--labels 5"),
        (("train", "digits", "--labels", "50", "--labels-per-class", "5", "--out", "OUT"), 2, "exclude each other"),
        (("train", "digits", "--set", "u_dims=5", "--out", "OUT"), 2, "--set u_dims=5: There is no setting"),
        (("train", "digits", "--set", "u_dim", "--out", "OUT"), 2, "key=value"),
        (("train", "digits", "--set", "u_dim=0", "--out", "OUT"), 2, "u_dim=0"),
        (("train", "digits", "--preset", "papers", "--out", "OUT"), 2, "--preset papers: There is no preset"),
        (("train", "digits", "--precision", "many", "--out", "OUT"), 2, "--precision many"),
        (("train", "digits", "--accelerator", "abacus", "--out", "OUT"), 2, "--accelerator abacus"),
        (("train", "digits", "--strategy", "none", "--out", "OUT"), 2, "--strategy none"),
        (("train", "digits", "--num-nodes", "2", "--out", "OUT"), 2, "--num-nodes 2: nothing tells the machines"),
        (("train", "digits", "--config", "missing.yaml", "--out", "OUT"), 2, "missing.yaml"),
        (("train", "digits", "--holdout", "2", "--out", "OUT"), 2, "--holdout 2"),
        (("train", "digits", "--size", "big", "--out", "OUT"), 2, "--size big"),
        (("train", "digits", "--size", "9x99999", "--out", "OUT"), 2, "--size 9x99999: at most 4,096 pixels a side"),
        (("train", "digits", "--set", "hidden_dim=10000000000", "--out", "OUT"), 2, "less than or equal to 65536"),
        (("train", "digits", "--logger", "paper", "--out", "OUT"), 2, "--logger paper"),
        (("train", "digits", "--resume", "--out", "OUT"), 2, "nothing to go on from"),
        (("train", "digits", "--epochs", "many", "-o", "OUT"), 2, "'--epochs': Input should be a valid integer"),
        (("predict", "OUT", "digits", "-o", "x.csv"), 1, "config.json is missing"),
        (("predict", "CHECKPOINTS", "digits", "-o", "x.csv"), 1, "Checkpoints are what training goes on from"),
        (("predict", "RUN", "ROWS", "-o", "x.csv"), 1, "rows of 6 numbers: only pictures can be brought to 8×8"),
        (("predict", "RUN", "digits", "-o", "no/such/folder.csv"), 2, "no folder"),
        (("predict", "RUN", "digits", "-o", "-"), 2, "-o -: results are written to a file"),
        (("predict", "RUN", "digits", "--size", "16", "-o", "x.csv"), 2, "--size: the model knows pictures of 8×8"),
        (("predict", "RUN", "fashion-mnist", "--data-dir", "nowhere", "-o", "x.csv"), 1, "nowhere"),
        (("generate", "RUN", "--label", "cat", "-o", "x.png"), 2, "--label cat"),
        (("traverse", "RUN", "digits", "--code", "w", "-o", "x.png"), 2, "--code w"),
        (("traverse", "RUN", "digits", "--row", "5000", "-o", "x.png"), 2, "--row 5000"),
        (("generate", "TABLE", "-o", "x.png"), 2, "features"),
        (("generate", "RUN", "-n", "1000000", "-o", "x.png"), 2, "less than or equal to 2500"),
        (("swap", "RUN", "digits", "--styles", "5000", "-o", "x.png"), 2, "less than or equal to 100"),
        (("report", "OUT"), 1, "is not a run"),
        (("evaluate", "RUN", "--max-rows", "7"), 2, "--max-rows: is about DATA, and none is named"),
        (("train", "digits", "--devices", "²", "--out", "OUT"), 2, "--devices ²"),
        (("dance",), 2, "No such command 'dance'. partedvae --help says what there is."),
        (("predict",), 2, "Missing argument 'RUN'. partedvae predict --help says what there is."),
        (("data",), 2, "Missing command. partedvae data --help says what there is."),
    ],
)
def test_errors_are_a_line_with_a_status_and_leave_nothing(
    run: Path, table_run: Path, tmp_path: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    places = {
        "OUT": tmp_path / "out",
        "RUN": run,
        "TABLE": table_run,
        "CHECKPOINTS": run / "checkpoints",
        "ROWS": table_run.parent / "data.npz",
        "x.csv": tmp_path / "x.csv",
        "x.png": tmp_path / "x.png",
    }
    done = call(*(places.get(argument, argument) for argument in arguments))
    assert done.returncode == status, done.stderr
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_process_of_its_own_prints_one_line_and_with_debug_the_traceback() -> None:
    done = call_process("train", "nowhere", "--out", "x")
    assert done.returncode == 1
    assert done.stderr.startswith("partedvae: There is no file or folder 'nowhere'")
    assert len(done.stderr.splitlines()) == 1
    debugged = call_process("--debug", "train", "nowhere", "--out", "x")
    assert debugged.returncode == 1
    assert "Traceback" in debugged.stderr
    wrong = call_process("train", "nowhere", "--no-such-option", "--debug")
    assert (wrong.returncode, "Traceback" in wrong.stderr) == (2, True)


def test_a_run_is_not_written_among_the_pictures_that_it_learns_from(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / "pics" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 20 * number).save(tmp_path / "pics" / "ab"[number % 2] / f"{number}.png")
    before = sorted(tmp_path.rglob("*"))
    for out in (tmp_path / "pics", tmp_path / "pics" / "run"):
        for command in ("train", "tune"):
            done = call(command, tmp_path / "pics", "--out", out)
            assert (done.returncode, done.stderr.count("\n")) == (2, 1)
            assert "would be read as part of it" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before
    assert call("train", tmp_path / "pics", "--out", tmp_path / "run", "--quiet", *QUICK).returncode == 0


def test_files_of_a_run_that_are_damaged_are_named(run: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "run"
    shutil.copytree(run, damaged)
    plan = json.loads((run / "run.json").read_text())
    for wrong in ({"labelled": [10**7]}, {"labelled": [-1]}, {"held_out": [5, 5]}, {"labelled": plan["held_out"][:1]}):
        (damaged / "run.json").write_text(json.dumps(plan | wrong))
        done = call("report", damaged)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "run.json: the file: labelled and held_out should be rows from 0 to 1796" in done.stderr
    (damaged / "run.json").write_text("{broken")
    assert call("report", damaged).returncode == 1
    shutil.copy(run / "run.json", damaged)
    (damaged / "metrics.json").write_text("{broken")
    done = call("evaluate", damaged)
    assert done.returncode == 1
    assert "accuracy" in done.stdout  # what was measured is told all the same
    assert "metrics.json cannot be read" in done.stderr


def test_tables_are_not_written_under_names_of_other_files(run: Path, tmp_path: Path) -> None:
    for name in ("x.parquet", "x.xlsx", "x.png"):
        done = call("predict", run, "digits", "-o", tmp_path / name)
        assert done.returncode == 2
        assert "should end in .csv" in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_is_refused_at_a_resume_an_output_or_an_accelerator(run: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (("train", "digits", "--out", run, "--resume", "--epochs", 9), ", not 9. Leave it out"),
        (("encode", run, "digits", "-o", tmp_path / "c.csv"), "should end in .npz"),
        (("generate", run, "-o", tmp_path / "g.npz"), "should end in .png"),
    ):
        done = call(*arguments)
        assert done.returncode == 2
        assert message in done.stderr
    out = tmp_path / "run"
    done = call("train", "digits", "--accelerator", "cpu", "--devices", 9999, "--out", out, *QUICK)
    assert done.returncode == 2
    assert "--devices 9999: should be between 1 and" in done.stderr
    assert not out.exists()
    done = call("train", "digits", "--labels-per-class", 5, "--accelerator", "gpu", "--out", out, *QUICK)
    if done.returncode:  # a machine without one
        assert len(done.stderr.strip().splitlines()) == 1
        assert not out.exists()
    assert list(tmp_path.glob("*.csv*")) == []


def test_pictures_of_another_range_are_refused(tmp_path: Path) -> None:
    x = np.random.default_rng(0).uniform(0, 16, size=(60, 8, 8))
    PartedVAE(u_dim=2, z_dim=2, hidden_dim=16, max_epochs=1, random_state=0).fit(x, np.arange(60) % 2).save(tmp_path)
    refused = call("predict", tmp_path, "digits", "-o", tmp_path / "p.csv")
    assert refused.returncode == 1
    assert "digits: X goes from 0 up to 255; fit saw pictures in [" in refused.stderr


def test_what_a_prediction_leaves_out_is_said_and_an_output_is_looked_at_first(run: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        Image.fromarray(np.full((8, 8), 99, dtype=np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "b.png").write_bytes(b"GIF8")
    done = call("predict", run, tmp_path, "--skip-bad", "-o", tmp_path / "p.csv")
    assert done.returncode == 0
    assert "left out: b.png" in done.stderr
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 2
    for command, suffix in (
        ("predict", "csv"),
        ("encode", "npz"),
        ("swap", "png"),
        ("traverse", "png"),
        ("suggest", "csv"),
    ):
        refused = call(command, run, "nowhere", "-o", tmp_path / "no" / f"x.{suffix}")
        assert "there is no folder" in refused.stderr  # before it looks for the data


def test_a_folder_that_may_not_be_written_to_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not (Path(path) == tmp_path and mode == os.W_OK))
    with pytest.raises(UsageError, match="may not be written to"):
        writable(tmp_path / "a.csv", ".csv")
    assert writable(Path("a.csv"), ".csv") == Path("a.csv")

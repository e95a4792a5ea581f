"""The comparison with rivals: every method runs, cells are kept, and the page is what the cells say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import grid
import oracle as oracle_module
from beyond import sections
from by_labels import CURVE, accuracies_by_labels, figure
from comparisons import Difference, Measure, by_task, read
from grid import METHODS, Cell, cells, compute
from measured import measured
from oracle import Oracle
from partedvae.data import load
from record import CELLS
from results import DOCS, PAGE, page
from rivals.learned import most_telling_first
from rivals.ours import ABLATIONS, ADDITIONS
from tasks import TASKS, Task
from titles import title


@pytest.fixture(scope="module")
def tiny() -> Task:
    """Digits, with settings that train for a moment."""
    task = TASKS["digits"](0)
    return replace(task, settings={**task.settings, "max_epochs": 4, "hidden_dim": 32, "u_dim": 4, "z_dim": 3})


@pytest.fixture(scope="module", autouse=True)
def brief_oracles() -> Iterator[None]:
    """Oracles good enough for a test."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(oracle_module, "_STEPS", 200)
        yield


@pytest.fixture(scope="module")
def oracle(tiny: Task, tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    return Oracle.kept(tiny.x, tiny.truth, tmp_path_factory.mktemp("oracle"))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_what_it_can(method: str, tiny: Task, oracle: Oracle) -> None:
    found = measured(METHODS[method](tiny, 0), tiny, oracle, seed=0)
    assert all(np.isfinite(value) for value in found.values())
    if method != "M2":  # its α leaves little to the labels: in four epochs it does not get beyond chance
        assert found["accuracy"] > 0.3  # chance is 0.1
    if method in ("labels only", "label spreading", "self-training"):
        assert set(found) == {"accuracy", "nll", "ece"}
        return
    assert found["class_gap"] == pytest.approx(found["class_from_u"] - found["class_from_z"])
    assert 0 < found["mse"] < 0.2
    assert found["z_kl"] >= 0
    assert ("swap_accuracy" in found) == (method not in ("VAE", "β-VAE", "FactorVAE"))
    samples = {"PartedVAE", "M2", *ABLATIONS, *ADDITIONS} - {"no labels"}
    assert ("generation_accuracy" in found) == (method in samples)


@pytest.mark.parametrize("name", [name for name in TASKS if name.startswith("digits")])
def test_a_task_depends_on_its_seed_alone_and_hides_its_test_rows(name: str) -> None:
    first, again, other = TASKS[name](1), TASKS[name](1), TASKS[name](2)
    np.testing.assert_array_equal(first.y, again.y)
    np.testing.assert_array_equal(first.x_test, again.x_test)
    assert first.x.shape != other.x.shape or (first.y != other.y).any()
    assert len(first.labelled) == 5 * len(first.names)
    np.testing.assert_array_equal(first.y[first.labelled], first.truth[first.labelled])
    digits = load("digits").codes
    assert len(first.x) + len(first.x_test) == len(digits) - (digits == 1).sum() * (first.x_novel is not None)


def test_novelty_is_a_class_that_training_lacks() -> None:
    task = TASKS["digits-novelty"](3)
    assert task.names == tuple("012456789")
    assert task.x_novel is not None
    whole = TASKS["digits"](3)
    np.testing.assert_array_equal(task.x_novel, whole.x_test[whole.y_test == 3])
    np.testing.assert_array_equal(task.x, whole.x[whole.truth != 3])
    assert set(task.truth) == set(range(9))


def test_the_oracle_is_kept_and_the_same_from_its_file(tiny: Task, tmp_path: Path) -> None:
    fit, kept = (Oracle.kept(tiny.x, tiny.truth, tmp_path) for _ in range(2))
    assert len(list(tmp_path.iterdir())) == 1
    np.testing.assert_array_equal(fit.judge(tiny.x_test), kept.judge(tiny.x_test))
    assert np.mean(fit.judge(tiny.x_test) == tiny.y_test) > 0.8


def test_columns_are_ordered_by_what_they_tell() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=600)
    noise = rng.normal(size=(3, 600))
    codes = np.stack([noise[0], labels + 0.1 * noise[1], labels + noise[2]], axis=1)
    assert most_telling_first(codes, labels).tolist() == [1, 2, 0]


def test_finished_cells_are_not_computed_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(grid, "KEPT", tmp_path / "kept")
    cell = Cell("digits", "self-training", 0)
    compute(cell, tmp_path)
    kept = tmp_path / "digits" / "self-training_seed0.json"
    record = json.loads(kept.read_text(encoding="utf-8"))
    assert (record["task"], record["method"], record["seed"], record["n_labelled"]) == (
        "digits",
        "self-training",
        0,
        50,
    )
    assert record["command"] == 'python benchmarks/grid.py --tasks digits --methods "self-training" --seeds 1'
    assert {"commit", "machine", "seconds", "measures", "finished"} <= set(record)
    monkeypatch.setattr(
        "sys.argv",
        ["grid.py", "--tasks", "digits", "--methods", "self-training", "--seeds", "1", "--out", str(tmp_path)],
    )
    written = kept.stat().st_mtime_ns
    grid.main()
    assert "1 cells, 1 of them finished before" in capsys.readouterr().out
    assert kept.stat().st_mtime_ns == written


def test_cells_of_the_first_seed_come_first() -> None:
    asked = list(cells(["digits", "fashion-mnist-50"], list(METHODS), 2))
    assert [cell.seed for cell in asked if cell.task == "digits"] == [0] * len(METHODS) + [1] * len(METHODS)
    assert {cell.method for cell in asked if cell.task == "fashion-mnist-50"} < set(METHODS)


def made_up(task: str, method: str, seed: int, **measures: float) -> dict[str, Any]:
    machine = {"processor": "abacus", "threads": 1, "torch": "2"}
    return {
        "task": task, "method": method, "seed": seed, "measures": measures, "machine": machine, "commit": "a" * 40,
        "seconds": 36.0,
    }  # fmt: skip


def test_the_page_says_where_another_method_is_better_and_what_an_idea_buys() -> None:
    methods = {
        "PartedVAE": (0.8, 0.4), "our recipe": (0.85, 0.4), "no attention": (0.7, 0.4), "M2": (0.9, 0.1),
        "VAE": (0.6, 0.0),
    }  # fmt: skip
    given = []
    for method, (accuracy, gap) in methods.items():
        told = {"class_gap": gap, "class_from_u": 0.5, "class_from_z": 0.5 - gap}
        given += [made_up("fashion-mnist", method, seed, accuracy=accuracy + seed / 1000, **told) for seed in range(3)]
    text = page(given)
    assert page(list(reversed(given))) == text
    not_best = text.split("## Where ours is not the best")[1].split("##")[0]
    assert "256 labels, accuracy: PartedVAE 0.801 ± 0.001, but M2 has 0.901 ± 0.001 (difference −0.100" in not_best
    assert "worse); rivals ahead: M2." in not_best
    assert "u less z" not in not_best
    ideas = text.split("## What each idea of the paper buys")[1].split("##")[0]
    assert "| no attention | +0.100 [+0.100, +0.100] better | 0.000 [0.000, 0.000] same |" in ideas
    assert "our recipe" not in ideas
    added = text.split("## What our additions buy")[1].split("##")[0]
    assert "| our recipe | +0.050 [+0.050, +0.050] better | 0.000 [0.000, 0.000] same |" in added
    assert "no attention" not in added
    assert "z tells it too" in text
    assert "- fashion-mnist: no Bhattacharyya term" in text.replace("with fitted prior, our recipe, calibrated, ", "")
    assert "sprites: PartedVAE" in text.split("Not computed yet:")[1]


@pytest.mark.parametrize(
    ("gaps", "better", "verdict"),
    [
        ([0.1, 0.11, 0.12], 1, "better"), ([0.1, 0.11, 0.12], -1, "worse"), ([-0.1, -0.11, -0.12], -1, "better"),
        ([0.1, -0.1, 0.0], 1, "not shown"), ([0.0, 0.0, 0.0], 1, "same"),
        ([1e-5, 1.1e-5, 1.2e-5], 1, "same"),
    ],
)  # fmt: skip
def test_a_difference_is_called_one_only_if_its_interval_says_so(gaps: list[float], better: int, verdict: str) -> None:
    ours = {seed: {"accuracy": 0.5 + gap} for seed, gap in enumerate(gaps)}
    difference = Difference.of(ours, {seed: {"accuracy": 0.5} for seed in range(4)}, "accuracy")
    assert difference is not None
    assert difference.verdict(Measure("accuracy", better)) == verdict
    assert difference.n == 3


def test_the_curve_has_a_line_for_each_method_that_was_given_few_labels() -> None:
    tasks = ("fashion-mnist-50", "fashion-mnist-100", "fashion-mnist", "fashion-mnist-1000")
    given = [
        made_up(task, method, seed, accuracy=0.5 + number / 10 + seed / 100)
        for number, task in enumerate(tasks)
        for method in ("PartedVAE", "M2")
        for seed in range(2)
    ]
    runs = by_task([*given, made_up("fashion-mnist", "VAE", 0, accuracy=0.4)])
    curve = accuracies_by_labels(runs)
    assert list(curve) == ["PartedVAE", "M2"]
    assert curve["M2"] == {n: [0.5 + i / 10, 0.51 + i / 10] for i, n in enumerate((50, 100, 256, 1000))}
    (axes,) = figure(runs).axes
    assert axes.get_legend_handles_labels()[1] == ["PartedVAE", "M2"]
    assert "| M2 | 0.505 ± 0.007 | 0.605 ± 0.007 | 0.705 ± 0.007 | 0.805 ± 0.007 |" in page(given)


def test_cells_of_another_default_than_the_one_of_today_are_told() -> None:
    ours = [cell for cell in read(CELLS) if (cell["task"], cell["method"]) == ("digits", "our recipe")]
    today = [{**cell, "changed": ADDITIONS["our recipe"]} for cell in ours]
    assert "default of today" not in page(today)
    before = {name: value for name, value in ADDITIONS["our recipe"].items() if name != "capacity_width"}
    earlier = [{**cell, "changed": {**before, "gamma_zc": 1.0}} for cell in ours[:2]]
    told = f"{title('digits')}: *our recipe* with `capacity_width=0.0`, `gamma_zc=1.0` (seeds 0, 1)"
    assert f"- {told}\n" in page([*reversed(earlier), *today[2:]])


def test_intervals_are_students() -> None:
    ours = {seed: {"mse": value} for seed, value in enumerate([1.0, 2.0, 4.0])}
    difference = Difference.of(ours, {seed: {"mse": 0.0} for seed in range(3)}, "mse")
    assert difference is not None
    # mean 7/3, sd √(7/3), t(0.975, 2) = 4.30265
    assert difference.high - difference.value == pytest.approx(4.30265 * (7 / 3) ** 0.5 / 3**0.5, rel=1e-5)
    assert Difference.of(ours, {0: {"mse": 0.0}}, "mse") is None


def test_the_page_of_results_is_what_the_cells_say() -> None:
    kept = read(CELLS)
    assert (DOCS / PAGE).read_text(encoding="utf-8") == page(kept, sections()), (
        "make results brings the page up to date"
    )
    runs = by_task(kept)
    assert (DOCS / "images" / CURVE).exists() == bool(accuracies_by_labels(runs))

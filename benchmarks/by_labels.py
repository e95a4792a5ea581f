"""Accuracy by how many labels there are: a table and a figure of docs/results.md."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev

from matplotlib.figure import Figure

from claims import OURS
from comparisons import Runs, mean_and_sd, values_of
from grid import METHODS

CURVE = "results_labels.svg"


def accuracies_by_labels(runs: Runs) -> dict[str, dict[int, Sequence[float]]]:
    """Accuracy on Fashion-MNIST by method and number of labels."""
    tasks = {50: "fashion-mnist-50", 100: "fashion-mnist-100", 256: "fashion-mnist", 1000: "fashion-mnist-1000"}
    few = set(runs.get("fashion-mnist-50", {}))
    return {
        method: {
            n: values
            for n, task in tasks.items()
            if (values := values_of(runs.get(task, {}).get(method, {}), "accuracy"))
        }
        for method in METHODS
        if method in few
    }


def labels(runs: Runs) -> list[str]:
    """The section, if any method was tried."""
    curve = accuracies_by_labels(runs)
    if not curve:
        return []
    numbers = sorted({n for points in curve.values() for n in points})
    return [
        "## How many labels",
        "",
        "Accuracy on Fashion-MNIST.",
        "",
        f"![Accuracy by number of labels](images/{CURVE})",
        "",
        "| method | " + " | ".join(f"{n:,} labels" for n in numbers) + " |",
        "|---" * (len(numbers) + 1) + "|",
        *(
            f"| {method} | " + " | ".join(mean_and_sd(points[n], 3) if n in points else "" for n in numbers) + " |"
            for method, points in curve.items()
        ),
        "",
    ]


def figure(runs: Runs) -> Figure:
    """Accuracy by number of labels, a line a method."""
    made = Figure(figsize=(7, 4), layout="constrained")
    axes = made.subplots()
    for (method, points), marker in zip(accuracies_by_labels(runs).items(), "osv^D", strict=False):
        numbers = sorted(points)
        means = [mean(points[n]) for n in numbers]
        deviations = [stdev(points[n]) if len(points[n]) > 1 else 0.0 for n in numbers]
        ours = method == OURS
        axes.errorbar(
            numbers, means, deviations, label=method, marker=marker, capsize=3, linewidth=2.5 if ours else 1.2,
            zorder=3 if ours else 2,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks([50, 100, 256, 1000], ["50", "100", "256", "1,000"])
    axes.minorticks_off()
    axes.set_xlabel("labels, of 60,000 pictures")
    axes.set_ylabel("accuracy on the test pictures")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return made

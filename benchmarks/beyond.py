"""What the default does where the paper says nothing: many seeds, uneven classes, other data, suggested labels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from comparisons import Difference, interval, mean_and_sd, spread
from record import RESULTS
from suggest import differences

_SELDOM = "These are made again more seldom than the recipe changes: each is of the default as its commit has it."


def sections(results: Path = RESULTS) -> list[str]:
    """Lines of the page of results, from the JSON files that are there."""
    found = [*_robustness(results), *_other_data(results), *_true_swaps(results), *_suggestions(results)]
    return ["## Beyond the paper: the default recipe", "", _SELDOM, "", *found, ""] if found else []


def _read(results: Path, name: str) -> dict[str, Any] | None:
    path = results / f"{name}.json"
    if not path.exists():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _made(found: dict[str, Any]) -> str:
    """By what and of which code."""
    commit = f", commit {found['commit'][:7]}{found['commit'][40:]}" if found["commit"] else ""
    return f"(`{found['command']}`{commit})"


def _robustness(results: Path) -> Iterator[str]:
    found = _read(results, "robustness")
    if found is None:
        return
    seeds, uneven = found["digits"], found["imbalance"]
    yield (
        f"- **Seeds** {_made(found)}: digits, 5 labels a class, {len(seeds['by_seed'])} splits and starts: "
        f"{seeds['mean']:.3f} ± {seeds['sd']:.3f}, the least {seeds['least']:.3f}; {seeds['collapsed']} collapsed."
    )
    weighed = {
        "Balanced accuracy": uneven,
        "Accuracy where classes are as frequent as in training": found["imbalance_as_trained"],
    }
    told = " ".join(f"{name}: {_unlike_even(runs)}." for name, runs in weighed.items())
    n_seeds = len(next(iter(uneven.values())))
    yield f"- **Uneven classes** (the same): MNIST at 16×16, 100 labels, {n_seeds} seeds. {told}"


def _unlike_even(values: Mapping[str, Sequence[float]]) -> str:
    """Accuracies with classes of one size, which come first, and of others, with their difference to the first."""
    runs = {name: {seed: {"accuracy": value} for seed, value in enumerate(found)} for name, found in values.items()}
    (_, even), *others = runs.items()
    told = []
    for name, run in others:
        gap = Difference.of(run, even, "accuracy")
        told.append(f"{mean_and_sd(values[name], 3)} with {name}" + (f" (less that {interval(gap, 3)})" if gap else ""))
    return f"{spread(even, 'accuracy')} with classes of one size; {'; '.join(told)}"


def _other_data(results: Path) -> Iterator[str]:
    for name in ("table", "attributes"):
        found = _read(results, f"other_data_{name}")
        if found is None:
            continue
        compared = []
        for method, figure in found["summary"].items():
            difference = found["default_less_other"][method]
            gap = f" (default less it {difference['value']:+.3f} [{difference['low']:+.3f}, {difference['high']:+.3f}])"
            own = f"{method} {figure['mean']:.3f} ± {figure['sd']:.3f}"
            compared.append(own + ("" if method == "default" else gap))
        yield f"- **{found['data']}** {_made(found)}, accuracy, {len(found['by_seed'])} seeds: {'; '.join(compared)}."


def _true_swaps(results: Path) -> Iterator[str]:
    found = _read(results, "true_swaps")
    if found is None:
        return
    runs = found["by_recipe"]

    def told(recipe: str, key: str) -> str:
        values = [run[key] for run in runs[recipe]]
        spread = f" ({min(values):.3g} – {max(values):.3g})" if len(values) > 1 else ""
        return f"{mean(values):.3g}{spread}"

    one_of = next(iter(runs.values()))[0]
    by_recipe = "; ".join(
        f"{recipe}: MSE of swaps {told(recipe, 'mse_of_swaps')} (of reconstructions "
        f"{told(recipe, 'mse_of_reconstructions')}), style read within a class from z "
        f"{told(recipe, 'style_from_z_within_class')}, from u {told(recipe, 'style_from_u_within_class')}, "
        f"accuracy {told(recipe, 'accuracy')}"
        for recipe in runs
    )
    yield (
        f"- **Swaps beside the truth** {_made(found)}: the shape of one sprite in the style of another, "
        f"seeds: {len(runs['published'])}. {by_recipe}. The mean picture of the class has an MSE of "
        f"{one_of['mse_of_class_means']:.3g}, the style's own picture, shape and all, one of "
        f"{one_of['mse_of_styles_themselves']:.3g}. No picture can be expected to be nearer than "
        f"{one_of['mse_of_the_best_with_orientation_as_seen']:.3g}, since a square does not show by which "
        f"quarter it is turned, nor than {one_of['mse_of_the_best_without_orientation']:.3g} unless orientations of "
        "different shapes are matched, of which nothing in the data speaks."
    )


def _suggestions(results: Path) -> Iterator[str]:
    for path in sorted(results.glob("suggest_*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        curve = ", ".join(f"{name}: {figure['mean']:.3f}" for name, figure in found["summary"].items())
        yield (
            f"- **Suggested labels**, {path.stem.removeprefix('suggest_')} {_made(found)}, accuracy, "
            f"{len(found['by_seed'])} seeds: {curve}. Of the same seeds, {differences(found['by_seed'])}."
        )

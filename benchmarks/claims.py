"""What the paper claims beside what came out, and where another method is better: lines of docs/results.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from statistics import mean

from comparisons import MEASURES, Difference, Run, Runs, interval, spread, values_of
from grid import METHODS
from rivals.ours import ABLATIONS, ADDITIONS
from titles import title

OURS = "PartedVAE"
HEADLINES = ("accuracy", "class_gap", "swap_accuracy", "generation_accuracy", "mse", "factor_vae", "novelty_auroc")

_UNLABELLED = ("JointVAE", "FactorVAE", "β-VAE", "VAE")
_CLAIMANTS = (OURS, "our recipe")
_CLAIMED_ON = ("fashion-mnist", "mnist", "digits", "sprites")


def claims(runs: Runs) -> list[str]:
    """What the paper claims, and what came out here."""
    return [
        "## The paper's claims",
        "",
        *(
            line
            for task in _CLAIMED_ON
            for method in _CLAIMANTS
            for line in _apart(task, method, runs.get(task, {}).get(method, {}))
        ),
        *(line for method in _CLAIMANTS for line in _beats_unlabelled(method, runs.get("sprites", {}))),
        *(_helps(name, runs) for name in ABLATIONS if any(name in methods for methods in runs.values())),
        "",
    ]


def _apart(task: str, method: str, ours: Run) -> Iterator[str]:
    """Whether class and style come apart on a task."""
    gap, leak = (Difference.of(ours, {seed: {key: 0.0} for seed in ours}, key) for key in ("class_gap", "class_from_z"))
    if gap is None or leak is None:
        return
    outcome = "not shown" if gap.low <= 0 else "shown" if leak.low <= 0 else "shown in part"
    yield (
        f"- **Class and style come apart**, {title(task)}{_by(method)}: {outcome}. The class is "
        f"{'read better' if gap.low > 0 else 'not shown to be read better'} from u than from z "
        f"({spread(ours, 'class_from_u')} against {spread(ours, 'class_from_z')}; 0 is chance, 1 is perfect); z "
        f"{'tells it too' if leak.low > 0 else 'is not shown to tell it'}. A swap with a picture of another class "
        f"shows the class that u came from in {spread(ours, 'swap_accuracy')} of cases, that of z in "
        f"{spread(ours, 'swap_style_class')}."
    )


def _by(method: str) -> str:
    """Whose claim it is, if not that of the method as published."""
    return "" if method == OURS else f", {method}"


def _beats_unlabelled(ours: str, sprites: Mapping[str, Run]) -> Iterator[str]:
    """Whether sprites are disentangled better than by models without labels."""
    for key, what in (("factor_vae", "FactorVAE score"), ("class_gap", "shape read from u less from z")):
        differences = {
            method: difference
            for method in _UNLABELLED
            if (difference := Difference.of(sprites.get(ours, {}), sprites.get(method, {}), key)) is not None
        }
        if not differences:
            continue
        verdicts = [difference.verdict(MEASURES[key]) for difference in differences.values()]
        compared = [
            f"{method} {interval(difference, MEASURES[key].digits)} ({difference.verdict(MEASURES[key])})"
            for method, difference in differences.items()
        ]
        yield (
            f"- **Better disentangled than models without labels**, sprites, {what}{_by(ours)}: "
            f"{'shown' if set(verdicts) == {'better'} else 'shown in part' if 'better' in verdicts else 'not shown'}. "
            f"{spread(sprites[ours], key)}; the difference to {'; to '.join(compared)}."
        )


def _helps(name: str, runs: Runs) -> str:
    """How often an idea of the paper is shown to help."""
    verdicts = [
        difference.verdict(MEASURES[key])
        for methods in runs.values()
        for key in HEADLINES
        if (difference := Difference.of(methods.get(OURS, {}), methods.get(name, {}), key)) is not None
    ]
    better, worse, same = (verdicts.count(word) for word in ("better", "worse", "same"))
    found = "not shown" if better <= worse else "shown in part" if better < len(verdicts) else "shown"
    return (
        f"- **Every part is needed**, {name}: {found}. Of {len(verdicts)} comparisons below, PartedVAE is shown to be "
        f"better than without it in {better}, worse in {worse}; in {same} the two are the same."
    )


def not_best(runs: Runs) -> list[str]:
    """Every headline in which another method's mean is better than ours."""
    lines = ["## Where ours is not the best", ""]
    for task, claimant in product(runs, _CLAIMANTS):
        methods = runs[task]
        ours = methods.get(claimant)
        if ours is None:
            continue
        others = {OURS, *METHODS} - {*ADDITIONS, *(ABLATIONS if claimant != OURS else ())}
        for key in HEADLINES:
            own = values_of(ours, key)
            if not own:
                continue
            sign = MEASURES[key].better
            means = {
                name: mean(values)
                for name, run in methods.items()
                if name in {claimant, *others} and (values := values_of(run, key))  # the paper's method and rivals
            }
            best = max(means, key=lambda name: sign * means[name])
            if sign * means[best] <= sign * mean(own):
                continue
            difference = Difference.of(ours, methods[best], key)
            compared = (
                "fewer than two seeds in common"
                if difference is None
                else f"difference {interval(difference, MEASURES[key].digits)}, {difference.verdict(MEASURES[key])}"
            )
            ahead = [n for n in means if n not in ABLATIONS and sign * means[n] > sign * mean(own)]
            lines.append(
                f"- {title(task)}, {MEASURES[key].title}: {claimant} {spread(ours, key)}, but {best} has "
                f"{spread(methods[best], key)} ({compared})"
                + (f"; rivals ahead: {', '.join(ahead)}." if ahead else "; no rival is ahead.")
            )
    return [*lines, ""]

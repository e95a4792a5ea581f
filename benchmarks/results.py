"""Write docs/results.md, and its figure, from the cells that grid.py keeps.

    python benchmarks/results.py [--cells benchmarks/results/cells] [--out docs]

Nothing in it is typed: the same cells give the same page. A cell that is missing is said to be missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from beyond import sections
from by_labels import CURVE, accuracies_by_labels, figure, labels
from claims import HEADLINES, OURS, claims, not_best
from comparisons import MEASURES, Difference, Run, Runs, by_task, interval, read, spread, values_of
from grid import METHODS, ON_TWO_CORES, SEEDS, Cell
from grid import cells as grid_cells
from partedvae.config import preset
from partedvae.persistence import write_whole
from record import CELLS
from rivals.ours import ABLATIONS, ADDITIONS
from titles import DESCRIBED, title

DOCS = Path(__file__).parent.parent / "docs"
PAGE = "results.md"


def page(cells: Sequence[Mapping[str, Any]], beyond: Sequence[str] = ()) -> str:
    """The whole page; ``beyond`` are lines about what is not in cells."""
    runs = by_task(cells)
    parts = [
        _INTRODUCTION,
        *_of_earlier_defaults(cells),
        *claims(runs),
        *not_best(runs),
        *_ideas(runs),
        *labels(runs),
        *beyond,
        *(line for task in DESCRIBED if task in runs for line in _of_task(task, runs[task], _precisions(cells, task))),
        _METHODS,
        *_provenance(cells),
    ]
    return "\n".join(parts).rstrip() + "\n"


_INTRODUCTION = """\
# What the evidence says

<!-- made by benchmarks/results.py from benchmarks/results/cells: change those, not this -->

*PartedVAE* below is the published method, preset `paper` or the like; what `PartedVAE()` does by default is *our
recipe*.

`make benchmark` trains the methods on the tasks below, but for those at the published size and what stands under
*Beyond the paper*, which name their commands (hours on two cores; it may be stopped and goes on where it was), and
`make results` writes this page from what it left. `make benchmark-quick` does both for the digits, the published method
and its rivals, in runs/benchmark-quick. A seed chooses the rows that are labelled, the first weights and the order of
batches: all methods of a seed have the same rows and batches, but that *our recipe* deals labelled rows so that all
classes come equally often, and *calibrated* keeps a fifth of the labels from fit. Figures are of rows that no method
was fit on; probes and judges of those rows are fit on some of them and asked about others. ± is the standard deviation
over seeds. Intervals are 95 %, by Student's t over the differences of the seeds that both have; with so few they are
wide, *not shown* means just that, and of forty comparisons of equal methods one would be called better and one worse.

No figure here is of dSprites, 3D Shapes or CelebA, whose files were not at hand: *sprites* are drawn by this program on
the factors of dSprites, and `paper-celeba` has no run behind it.
"""


def _of_earlier_defaults(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which cells of ours have not the default of today, and what they have instead: of what they do not name, none."""
    earlier: dict[str, list[str]] = {}
    for cell in sorted(cells, key=lambda cell: (cell["task"], cell["method"], cell["seed"])):
        now = ADDITIONS.get(cell["method"], {})
        had = {**preset("paper"), **(cell.get("changed") or {})}
        other = [f"`{name}={had.get(name)}`" for name, value in now.items() if had.get(name) != value]
        if other:
            what = f"{title(cell['task'])}: *{cell['method']}* with {', '.join(other)}"
            earlier.setdefault(what, []).append(str(cell["seed"]))
    told = [f"- {what} (seeds {', '.join(seeds)})" for what, seeds in earlier.items()]
    return ["Not all cells of our recipe are of the default of today:", "", *told, ""] if told else []


def _ideas(runs: Runs) -> list[str]:
    """The ablations, and what we add."""
    return [
        "## What each idea of the paper buys",
        "",
        "PartedVAE less PartedVAE without the idea, with the interval. *better*: PartedVAE is better with it, whatever "
        "the sign; *worse*: without it; *same*: all runs of the two agree.",
        "",
        *_compared(runs, ABLATIONS, "published less …", lambda published, other: (published, other)),
        "## What our additions buy",
        "",
        "The other way round: PartedVAE with the addition less without. Runs of one seed on two machines do not agree "
        "to the last digit: *with fitted prior* differs in no step of training, and yet a little where its cells are "
        "of another machine than those of PartedVAE.",
        "",
        *_compared(runs, ADDITIONS, "… less published", lambda published, other: (other, published)),
    ]


def _compared(
    runs: Runs, others: Iterable[str], said: str, in_order: Callable[[Run, Run], tuple[Run, Run]]
) -> Iterator[str]:
    """A table a task of the published method beside others; ``in_order`` has the one that the other is taken from."""
    for task, methods in runs.items():
        published = methods.get(OURS, {})
        gaps = {
            name: {key: Difference.of(*in_order(published, methods[name]), key) for key in HEADLINES}
            for name in others
            if name in methods
        }
        shown = [key for key in HEADLINES if any(by_key[key] is not None for by_key in gaps.values())]
        if not shown:
            continue
        yield from (f"**{title(task)}**", "")
        yield f"| {said} | " + " | ".join(MEASURES[key].title for key in shown) + " |"
        yield "|---" * (len(shown) + 1) + "|"
        for name, by_key in gaps.items():
            entries = [
                f"{interval(gap, MEASURES[key].digits)} {gap.verdict(MEASURES[key])}"
                if (gap := by_key[key]) is not None
                else ""
                for key in shown
            ]
            yield f"| {name} | " + " | ".join(entries) + " |"
        yield ""


def _precisions(cells: Sequence[Mapping[str, Any]], task: str) -> dict[str, str]:
    """Of methods with cells of a task in another precision than 32 bits."""
    given = {cell["method"]: cell.get("precision") or "32-true" for cell in cells if cell["task"] == task}
    return {method: precision for method, precision in given.items() if precision != "32-true"}


def _shorter(precisions: Mapping[str, str]) -> str:
    """Which methods were not trained in 32 bits."""
    named = [f"*{method}* with `--precision {precision}`" for method, precision in precisions.items()]
    return f" {', '.join(named)}." if named else ""


def _of_task(task: str, methods: Mapping[str, Run], precisions: Mapping[str, str]) -> Iterator[str]:
    title, description, tables = DESCRIBED[task]
    yield from [f"## {title}", "", description + _shorter(precisions), ""]
    for keys in tables:
        shown = [key for key in keys if any(values_of(run, key) for run in methods.values())]
        yield "| method | " + " | ".join(MEASURES[key].title for key in shown) + " |"
        yield "|---" * (len(shown) + 1) + "|"
        for method, run in methods.items():
            if any(values_of(run, key) for key in shown):
                yield f"| {method} | " + " | ".join(spread(run, key) for key in shown) + " |"
        yield ""


_METHODS = """\
## How the methods were run

*PartedVAE* is the published method with the settings that stand with each task. *our recipe* learns as the default
does on every task: what we add ([recipe.md](recipe.md)), its learning rates, no term of the entropy; what the codes may
carry, and what a pixel weighs, stays the task's. *calibrated*: a fifth of the labels is kept from fit, and
`calibrate` is given them; *with fitted prior* has only the last step. All networks have PartedVAE's encoder and
decoder, its batches and steps, but for *our recipe* its learning rate (which only PartedVAE halves on a plateau, where
the published settings say so), and its weight of the reconstruction: pictures of 8×8 and 16×16 weigh as 1,024 pixels,
sprites as 4,096, so that β = 4 stands for less in nats of the pixels themselves. The default's rate of
10⁻³ and γ_h were chosen on training rows of three splits of digits, the sprites' settings as said there; no rival was
tuned. What our recipe adds was chosen on training rows of seed 0. Digits and MNIST are divided again for each seed, so
test rows of one are among those that settings were chosen on with another; those of Fashion-MNIST never were.

VAE, β-VAE (β = 4) and FactorVAE (γ = 35, a discriminator of 256 units in place of 1,000) are pythae's, whose FactorVAE
reconstructs half of each batch and permutes the other. Their codes have as many columns as u and z together; those that
tell the most of the class, by all labels, count as u, which is a favour, and the reason why they have no swaps here.
JointVAE has its published capacities over half of the run; M2 draws the class of unlabelled rows (Gumbel-softmax) where
the paper sums over classes, with α = 0.1 N. Their z has as many columns as u and z together, and their u is the K class
probabilities, which MIG, SAP and completeness count as redundant. LabelSpreading (7 neighbours) and SelfTraining
(logistic regression) are scikit-learn's, on pixels, and see at most 60,000 unlabelled rows. Methods without a
classifier get one: logistic regression on their codes, fit on the same labels.

With a normal prior, samples know no class, and without labels, classes have no names: that samples and swaps are then
worse is so by construction. Swaps and samples are judged by a CNN trained on all training labels; *of reconstructions
recognised* takes its own errors out. [Measures](measures.md) says what each measure is, by the name that
`evaluate` gives it: *class kept in swaps* is `swap_accuracy`, *samples recognised* `generation_accuracy`, *class read
from z* `z_leakage`, *from u* `u_informativeness`, *u less z* their difference, *diversity* `generation_diversity`.
"""


def _provenance(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    machines = {
        f"{c['machine']['processor']}, {c['machine']['threads']} thread, torch {c['machine']['torch']}" for c in cells
    }
    commits = {cell["commit"][:7] + cell["commit"][40:] for cell in cells if cell["commit"]}
    hours = sum(cell["seconds"] for cell in cells) / 3600
    return [
        "## Where the figures come from",
        "",
        f"{len(cells)} cells under benchmarks/results/cells, each with its command; training took {hours:.1f} hours of "
        f"one core. Machine: {'; '.join(sorted(machines))}. Commits: {', '.join(sorted(commits))}.",
        "",
        *_missing(cells),
    ]


def _missing(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """The cells that make benchmark would compute next."""
    there = {Cell(cell["task"], cell["method"], cell["seed"]) for cell in cells}
    seeds: dict[tuple[str, str], list[str]] = {}
    for cell in grid_cells(ON_TWO_CORES, list(METHODS), SEEDS):
        if cell not in there:
            seeds.setdefault((cell.task, cell.method), []).append(str(cell.seed))
    by_task: dict[str, list[str]] = {}
    for (task, method), missing in seeds.items():
        which = "" if len(missing) == SEEDS else f" (seed {', '.join(missing)})"
        by_task.setdefault(task, []).append(method + which)
    if not by_task:
        return []
    return ["Not computed yet:", "", *(f"- {task}: {', '.join(methods)}" for task, methods in by_task.items())]


def main() -> None:
    """Write the page, and the figure if there is something to draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=Path, default=CELLS)
    parser.add_argument("--out", type=Path, default=DOCS)
    arguments = parser.parse_args()
    cells = read(arguments.cells)
    if not cells:
        parser.error(f"--cells {arguments.cells}: there are none; make benchmark computes them.")
    text = page(cells, sections() if arguments.cells == CELLS else ())
    write_whole(arguments.out / PAGE, lambda path: path.write_text(text, encoding="utf-8"))
    if accuracies_by_labels(by_task(cells)):
        picture = arguments.out / "images" / CURVE
        picture.parent.mkdir(exist_ok=True)
        with mpl.rc_context({"svg.hashsalt": "partedvae", "svg.fonttype": "none"}):
            figure(by_task(cells)).savefig(picture, metadata={"Date": None})
    print(f"written to {arguments.out / PAGE}")


if __name__ == "__main__":
    main()

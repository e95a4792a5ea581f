"""Write the tables of evidence into README.md, docs/method.md and docs/data.md from the files under benchmarks/results.

python benchmarks/readme.py
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from comparisons import MEASURES, Difference, Runs, by_task, interval, read, spread
from partedvae.config import Config
from record import RESULTS

README = Path(__file__).parent.parent / "README.md"
DATA, METHOD, SETTINGS = (README.parent / "docs" / name for name in ("data.md", "method.md", "settings.md"))

_TASKS = {
    "digits": "digits, 5 labels a class",
    "mnist": "MNIST, 5,000 at 16×16, 100 labels, 30 epochs",
    "fashion-mnist": "Fashion-MNIST at 16×16, 256 labels, 5 epochs",
}
_RECIPES = {"PartedVAE": "published", "our recipe": "default"}
_SHOWN = ("accuracy", "ece", "class_from_z", "swap_accuracy", "generation_accuracy", "mse")

_SUGGESTED_ON = {"digits": "digits", "fashion-mnist": "Fashion-MNIST, 10,000 pictures at 16×16, 10 epochs"}
_ASKED_FOR = ("suggested 20", "suggested 40", "suggested 60", "random 60", "random 100")

_FASHION_ROWS = {
    "accuracy": "accuracy",
    "mse": "mean squared error of reconstruction",
    "swap_accuracy": "class kept in swaps of random pairs",
    "generation_accuracy": "samples of a class recognised",
}


def evidence(results: Path = RESULTS) -> str:
    """Of README.md: the default beside other classifiers, and beside the published recipe, as Markdown."""
    digits = json.loads((results / "digits.json").read_text(encoding="utf-8"))
    suggested = {
        name: json.loads((results / f"suggest_{name}.json").read_text(encoding="utf-8")) for name in _SUGGESTED_ON
    }
    return "\n".join([*_digits(digits), "", *_recipes(by_task(read(results / "cells"))), "", *_suggested(suggested)])


def published_evidence(results: Path = RESULTS) -> str:
    """Of docs/method.md: preset ``paper-mnist`` beside the published code, as Markdown."""
    ours, theirs = (_read_all(results, f"{name}_first_*.json") for name in ("fashion_mnist", "published_code"))
    step = json.loads((results / "same_step.json").read_text(encoding="utf-8"))
    return "\n".join(_fashion(ours, theirs, step))


def _read_all(results: Path, pattern: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob(pattern))]


def _digits(result: dict[str, Any]) -> list[str]:
    summary, n = result["summary"], len(result["by_seed"])
    runs = {
        name: {seed: {"accuracy": run[key]} for seed, run in enumerate(result["by_seed"])}
        for name, key in (("ours", "accuracy"), ("spreading", "label_spreading"))
    }
    gap = Difference.of(runs["ours"], runs["spreading"], "accuracy")
    rows = {
        "partedvae, default": "accuracy",
        "logistic regression on the 50 labels": "logistic_regression",
        "LabelSpreading, the other training rows unlabelled": "label_spreading",
    }
    return [
        f"Digits, 5 labels a class, accuracy on unseen rows, mean ± sd of {n} splits (`make benchmark-digits`); one "
        f"run took {summary['seconds']['mean']:.0f} s:",
        "",
        "| method | accuracy |",
        "|---|---|",
        *(f"| {name} | {summary[key]['mean']:.3f} ± {summary[key]['sd']:.3f} |" for name, key in rows.items()),
        "",
        f"Default less LabelSpreading: {interval(gap, 3) if gap else '—'} (95 % by Student's t over the splits). In "
        f"training z ended with {summary['z_kl']['mean']:.2f} nats and u with {summary['u_kl']['mean']:.2f}, of 7 "
        "allowed each; "
        f"two classes overlap by {summary['bc']['mean']:.3f} in the prior of u, where 0.15 costs nothing.",
    ]


def _recipes(runs: Runs) -> list[str]:
    """What the default adds to the published recipe, with the same labels, codes and epochs."""
    seeds = {len(runs[task][method]) for task in _TASKS for method in _RECIPES}
    return [
        "The default beside the published recipe, with the same labels and epochs and as many nats allowed in the "
        f"codes, mean ± sd of {' to '.join(map(str, sorted(seeds)))} seeds, on unseen rows (`make benchmark`; of the "
        "digits the first of the splits above); *ECE* is how far stated confidence is from how often it is right, "
        "*class read from z* is 0 for chance and 1 for perfect, and swaps are of pictures of two classes:",
        "",
        "| | recipe | " + " | ".join(MEASURES[key].title for key in _SHOWN) + " |",
        "|---" * (len(_SHOWN) + 2) + "|",
        *(
            f"| {title} | {recipe} | " + " | ".join(spread(runs[task][method], key) for key in _SHOWN) + " |"
            for task, title in _TASKS.items()
            for method, recipe in _RECIPES.items()
        ),
    ]


def _suggested(found: dict[str, dict[str, Any]]) -> list[str]:
    """Accuracy with labels that ``suggest`` asked for, and with random ones."""
    seeds = {len(run["by_seed"]) for run in found.values()}
    return [
        "Labels that `suggest` asks for, in rounds of ten after ten random ones, beside random ones; accuracy on "
        f"unseen rows, mean ± sd of {' to '.join(map(str, sorted(seeds)))} seeds (`python benchmarks/suggest.py`):",
        "",
        "| | " + " | ".join(_ASKED_FOR) + " |",
        "|---" * (len(_ASKED_FOR) + 1) + "|",
        *(
            f"| {_SUGGESTED_ON[name]} | "
            + " | ".join(f"{run['summary'][n]['mean']:.3f} ± {run['summary'][n]['sd']:.3f}" for n in _ASKED_FOR)
            + " |"
            for name, run in found.items()
        ),
    ]


def _fashion(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], step: dict[str, Any]) -> list[str]:
    rows = [f"| {name} | {_spread(theirs, key)} | {_spread(ours, key)} |" for key, name in _FASHION_ROWS.items()]
    last = {key: mean(run["last_epoch"][key] for run in ours) for key in ("z_kl", "u_kl", "bc")}
    oracle = mean(run["measured"]["oracle_accuracy"] for run in ours)
    return [
        "Fashion-MNIST, the first 256 of 60,000 labelled, preset `paper-mnist` with `capacity_steps=25_000`, 30 "
        f"epochs, mean ± sd; swaps and samples judged by a CNN of accuracy {oracle:.2f} (`python "
        "benchmarks/fashion_mnist.py --labelled first`, with a `--seed` for each run; the published code, in a clone "
        "of its repository, by `python benchmarks/published_code.py --repository CLONE --labelled first`):",
        "",
        f"| figure | published code, {len(theirs)} runs | partedvae, {len(ours)} runs |",
        "|---|---|---|",
        *rows,
        "",
        "The two are one method: from equal weights, pictures and noise, one step of both has the same loss "
        f"({step['our_loss']:.4f}), and no gradient differs by more than {step['largest']:.0e} of the layer's largest "
        "(`python benchmarks/same_step.py --repository CLONE`). What differs between the columns is order, noise and "
        "first weights.",
        "",
        f"KL(z) ended at {last['z_kl']:.2f} and KL(u) at {last['u_kl']:.2f} of 7 nats allowed, the mean overlap of "
        f"classes at {last['bc']:.3f} of 0.15.",
    ]


def _spread(runs: list[dict[str, Any]], key: str) -> str:
    values = [run["measured"][key] for run in runs]
    spread = f" ± {stdev(values):.2g}" if len(values) > 1 else ""
    return f"{mean(values):.3g}{spread}"


def data_evidence(results: Path = RESULTS) -> str:
    """What reading data costs, as Markdown."""
    batches, folder, disk, sprites = (
        json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("data_batches", "data_folder", "data_disk", "sprites")
    )
    drawn = sprites["pictures_per_second"]["sprites"]["median"]
    return "\n".join(
        [
            "`make benchmark-data`, on two cores:",
            "",
            "| what | measured | goal |",
            "|---|---|---|",
            f"| cutting a batch of 64 from uint8 in memory, share of a training step of the 32×32 model | "
            f"{batches['share_of_a_step']:.2%} (most {batches['share_of_a_step_max']:.2%}) | under 5 % |",
            f"| {folder['files']:,} PNG files of 32×32, first start | {folder['seconds_first']:.1f} s | |",
            f"| the same, second start | {folder['seconds_second']:.2f} s | under 2 s |",
            *(
                f"| training on {disk['rows']:,} rows of 32×32 ({disk['gigabytes_of_rows']:.1f} GB) from {kind}, most "
                f"memory held | {disk[f'{key}_gibibytes_held_at_most']:.2f} GiB | under 2 GiB |"
                for key, kind in (("npy", "an .npy"), ("parquet", "Parquet"))
            ),
            f"| `sprites` of 64×64 drawn a second on one core | {drawn:,.0f} | at least 20,000 |",
        ]
    )


def settings_table() -> str:
    """Every setting with its default and what it is."""
    lines = ["| setting | default | what it is |", "|---|---|---|"]
    for name, field in Config.model_fields.items():
        described = (field.description or "").replace("|", r"\|")
        lines.append(f"| `{name}` | {field.default} | {described} |")
    return "\n".join(lines)


def replaced(text: str, name: str, content: str) -> str:
    """Text with ``content`` between the marks of ``name``."""
    start = text.index("\n", text.index(f"<!-- {name}: ")) + 1
    end = text.index(f"<!-- end of {name} -->")
    return f"{text[:start]}{content}\n{text[end:]}"


PARTS = (
    (README, "evidence", evidence),
    (METHOD, "published", published_evidence),
    (DATA, "data", data_evidence),
    (SETTINGS, "settings", settings_table),
)
"""A document, the name of the part of it that is made here, and what makes it."""

if __name__ == "__main__":
    for document, name, made in PARTS:
        document.write_text(replaced(document.read_text(encoding="utf-8"), name, made()), encoding="utf-8")

"""What so many images cost, by arithmetic from measured points; writes docs/scaling.md.

    python benchmarks/scaling.py

The points are those of throughput.json, decoding.json and gpu.json in benchmarks/results: run the scripts of these
names first, the last where there is a GPU.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from partedvae.config import Config
from partedvae.factory import make_model
from partedvae.persistence import write_whole
from partedvae.scaling import Scaling
from record import RESULTS

PAGE = Path(__file__).parent.parent / "docs" / "scaling.md"
SIDE, BATCH, CLASSES = 64, 64, 10
GBIT, DAY = 10, 24
_KEPT = {
    10**4: "an array in memory; one process",
    10**6: "an array in memory, or mapped from a file (`.npy`); one process, a GPU if there is one",
    10**8: "mapped (`.npy`) or streamed (Parquet, Hugging Face) from disks; `--devices`, `--num-nodes`",
    10**9: "streamed from disks that the machines share out; `--num-nodes`, started by torchrun or SLURM",
}


def main() -> None:
    """Count, and write the page."""
    measured, on_gpu, decoded = (
        json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")) for name in ("throughput", "gpu", "decoding")
    )
    text = page(measured, on_gpu, decoded)
    write_whole(PAGE, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    print(text)


def counted() -> dict[str, float]:
    """Of the default model of grey 64×64 pictures: operations an image, weights, and bytes that a step exchanges."""
    model = make_model(Config(), Scaling((1, SIDE, SIDE)), "bernoulli", (CLASSES,), [[1 / CLASSES] * CLASSES])
    x = torch.rand(BATCH, 1, SIDE, SIDE)
    with FlopCounterMode(display=False) as encoder:
        model.encoder(x)
    with FlopCounterMode(display=False) as decoder:
        model.decoder(torch.zeros(BATCH, model.partition.size))
    # Forward and backward are three times a forward. Encoder: the batch, its labels' rows and the changed of both; a
    # quarter of a batch of swaps through both.
    passes = encoder.get_total_flops() * (3 + 3 + 3 + 0.75) + decoder.get_total_flops() * (3 + 0.75)
    supervised = [*model.encoder.parameters(), *model.class_head.parameters()]
    everything, part = (sum(p.numel() for p in ps) for ps in (model.parameters(), supervised))
    return {"flops": passes / BATCH, "weights": everything, "exchanged": 4.0 * (everything + part)}


def page(measured: dict[str, Any], on_gpu: dict[str, Any], decoded: dict[str, Any]) -> str:
    """docs/scaling.md."""
    point = counted()
    step = measured["growth"]["side"]["milliseconds"][str(SIDE)] / 1000
    rate = BATCH / step
    talk = 2 * point["exchanged"] * 8 / (GBIT * 1e9)  # a ring sends and receives nearly all of it once each
    efficiency = step / (step + talk)
    lines = [
        "# How far it goes",
        "",
        "<!-- made by benchmarks/scaling.py from throughput.json, decoding.json and gpu.json: change those -->",
        "",
        f"Arithmetic for grey pictures of {SIDE}×{SIDE} and the default, batches of {BATCH} a process. Measured is one "
        f"thing: a step takes {1000 * step:.0f} ms with {measured['machine']['threads']} threads of the machine of "
        "[performance.md](performance.md). All else is counted, and was not tried at this size.",
        "",
        f"- An image costs {point['flops'] / 1e6:,.0f} million floating-point operations in training, all passes "
        f"included: {point['flops'] * rate / 1e9:,.0f} thousand million a second here, {rate:,.0f} images.",
        f"- An image is {SIDE * SIDE:,} bytes: {SIDE * SIDE * rate / 1e6:.1f} MB a second are read here.",
        f"- The model has {point['weights']:,} weights. A step of several processes exchanges the gradients of both "
        f"optimisers, {point['exchanged'] / 1e6:.1f} MB: {1000 * talk:.0f} ms at {GBIT} Gbit/s, if nothing of it is "
        f"hidden behind the backward pass. Against a step of {1000 * step:.0f} ms that is an efficiency of "
        f"{efficiency:.2f} at worst, whatever the number of machines; on a GPU, whose steps are shorter, larger "
        "batches a process keep it there.",
        "",
        f"| images | on disk | hours an epoch, one machine | such machines for an epoch in {DAY} h | what to use |",
        "|---|---|---|---|---|",
    ]
    for n, how in _KEPT.items():
        hours = n / rate / 3600
        machines = max(1, math.ceil(hours / DAY / (efficiency if hours > DAY else 1)))
        size = n * SIDE * SIDE
        disk = f"{size / 1e12:,.1f} TB" if size >= 1e12 else f"{size / 1e9:,.2f} GB"
        lines.append(f"| 10{str(int(math.log10(n))).translate(_RAISED)} | {disk} | {hours:,.1f} | {machines} | {how} |")
    return "\n".join([*lines, "", *_ON_A_GPU, *measured_on(on_gpu), "", of_a_stream(on_gpu, decoded), "", *_HOW, ""])


def measured_on(found: dict[str, Any]) -> list[str]:
    """What a GPU was seen to do."""
    lines = [
        "",
        f"One {found['device']}, torch {found['machine']['torch']}, the published recipe for dSprites on grey pictures "
        f"of {SIDE}×{SIDE}, steps a second (`{found['command']}`; *tf32* is 32-true after "
        f"`torch.set_float32_matmul_precision('high')`; code of {found['commit']}):",
        "",
        "| batch | precision | bare networks | plain loop | fit | compiled | compiled / plain | kernels a step |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in found["cases"]:
        rates = case["steps_per_second"]
        shown = " | ".join(f"{rates[name]:,.0f}" for name in ("floor", "plain loop", "fit", "fit, compiled"))
        kernels = " → ".join(f"{seen['kernels_per_step']:.0f}" for seen in case.get("profiles", {}).values()) or "–"
        times = rates["fit, compiled"] / rates["plain loop"]
        lines.append(f"| {case['batch']} | {case['precision']} | {shown} | {times:.3g} | {kernels} |")
    if "note" in found:
        lines += ["", found["note"]]
    if "whole" in found:
        lines += ["", of_the_whole(found)]
    return lines


def rate_of(found: dict[str, Any]) -> float:
    """Steps a second of the long run, by the median of its epochs."""
    run = found["whole"]
    return float(run["steps"] / len(run["epochs"]) / median(run["epochs"]))


def of_the_whole(found: dict[str, Any]) -> str:
    """What the long run took, and its rate beside the plain loop's where that was timed in the same call."""
    run, rate = found["whole"], rate_of(found)
    told = (
        f"The recipe's {run['steps']:,} steps of {BATCH}, compiled, {run['precision']}, took {run['seconds']:.0f} "
        f"seconds in one fit; the first of its {len(run['epochs'])} epochs, in which torch compiles and convolutions "
        f"try their algorithms, {run['epochs'][0]:.0f}. The median of its epochs is {rate:,.0f} steps a second"
    )
    plain = [case["steps_per_second"]["plain loop"] for case in found["cases"] if case["batch"] == BATCH]
    return f"{told}, {rate / max(plain):.3g} times the fastest plain loop of the table." if plain else f"{told}."


def of_a_stream(on_gpu: dict[str, Any], decoded: dict[str, Any]) -> str:
    """What a GPU asks of a stream, and what one gives."""
    kinds = " and ".join(f"{kind['here']['median']:,.0f} {name}" for name, kind in decoded["kinds"].items())
    return (
        f"So a GPU asks for {rate_of(on_gpu) * BATCH:,.0f} pictures a second. A process decodes {kinds} a second of a "
        "stream ([performance.md](performance.md)), and up to sixteen do so beside the one that trains; with small "
        "pictures keep them in memory or in a mapped file."
    )


_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

_ON_A_GPU = [
    "## On a GPU",
    "",
    "`partedvae train DATA --out RUN --precision auto --compile`, or `PartedVAE(trainer_options={'precision': 'auto', "
    "'compile': True})`: products of 16 bits, torch compiles what a step computes, in up to a minute, and the whole "
    "step, optimisers and noise with it, is recorded as a CUDA graph and launched at once (`recorded.py`). That it "
    "learns what it learns without is tested on a GPU where there is one (`tests/test_recorded.py`). A GPU that is "
    "there is used, one unless `devices` names more. Observations in memory are kept on it where twice their size is "
    "free. A step is compiled but not recorded with more than a hundred classes, with 16-mixed, and with `extra_terms` "
    "or an `augment` of your own, which may do anything. [deploy.md](deploy.md) has prediction on a GPU.",
]

_HOW = [
    "## Several processes",
    "",
    "`partedvae train DATA --out RUN --devices 4` starts four on one machine; torchrun and SLURM start them on many "
    "(`torchrun --nnodes 8 --nproc-per-node 4 -m partedvae train …`; `srun partedvae train … --num-nodes 8 "
    "--devices 4`). `batch_size` is of each process. Rows and "
    "labelled rows are dealt to processes from the same draws; capacities, the mean of q(c given x) and the dependence "
    "of z on c are computed over the batches of all, so that these terms and their gradients are those of one process "
    "with the whole batch (`tests/test_processes.py`). Noise, blends and swaps are of each process. One "
    "process writes files. If one is killed, the others end with a line that says so, and `--resume` goes on from the "
    "last checkpoint.",
    "",
    "A search of settings is shared by machines through a database: `partedvae tune DATA --out STUDY --storage "
    "postgresql://…` on each of them.",
]


if __name__ == "__main__":
    main()

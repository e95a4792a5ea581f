"""How near training is to the least that its networks cost, and how its cost grows; writes docs/performance.md.

    python benchmarks/throughput.py [--rounds 5] [--threads 2]

Everything that is compared is run in turns in one process, so that a noisy machine hurts all alike, and is told as
ratios. *Floor* is forward, backward and a fused Adam of the bare networks on tensors in memory, in the layout that
torch gives them, and once more as ours compute them; *plain loop* our restatement of the published one
(plain_loop.py); *fit* what a user calls, whole epochs, history on, labelled batches included; *fast* is
fast_setting.py's.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

import record
from partedvae.persistence import write_whole
from speed.growth import growth
from speed.inference import inference
from speed.machines import NAME, keep
from speed.page import page
from speed.start import peak_memory, start
from speed.streaming import streamed
from speed.training import compiled, many_classes, parts, training

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def main() -> None:
    """Measure, keep, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found = {
        "rounds": arguments.rounds,
        "training": training(arguments.rounds),
        "parts": parts(arguments.rounds),
        "many_classes": many_classes(arguments.rounds),
        "compiled": compiled(arguments.rounds),
        "streamed": streamed(arguments.rounds),
        "inference": inference(arguments.rounds),
        "start": start(arguments.rounds),
        "growth": growth(),
        "peak_memory_mib": peak_memory(),
    }
    keep(record.RESULTS, record.processor())
    path = record.write(NAME, found)
    text = page(json.loads(path.read_text(encoding="utf-8")))
    write_whole(PAGE, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    print(text)


if __name__ == "__main__":
    main()

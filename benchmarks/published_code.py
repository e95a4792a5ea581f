"""The authors' published code on Fashion-MNIST, judged by the same CNN on the same rows as ``fashion_mnist.py``.

    git clone https://github.com/sinahmr/parted-vae
    python benchmarks/published_code.py --repository parted-vae [--seed 0] [--labelled stratified|first]

Their model, loss and training loop run as they are, from their files; only what feeds them is ours: pictures and labels
already in memory, shuffled each epoch, and 64 labelled rows drawn anew each step, as their loaders do. It takes about
as long as ``fashion_mnist.py``.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import record
from fashion_mnist import CAPACITY_STEPS, labelled_rows, measure, training_and_test
from oracle import Oracle

Array = NDArray[Any]

_LR, _BATCH, _CLASSES = 5e-4, 64, 10  # their main.py


def main() -> None:
    """Train theirs, measure, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--labelled", choices=["stratified", "first"], default="stratified")
    arguments = parser.parse_args()

    train, test = training_and_test(arguments.data_dir)
    rows = labelled_rows(train, arguments.labelled, arguments.seed)
    theirs = PublishedModel(arguments.repository, train.attributes[0].classes, arguments.seed)
    theirs.fit(train.array, train.codes[:, 0], rows, arguments.epochs)
    oracle = Oracle(train.array, train.codes[:, 0])
    figures = measure(theirs, oracle, train.attributes[0].classes, test, arguments.seed)
    path = record.write(f"published_code_{arguments.labelled}_seed{arguments.seed}", {"measured": figures})
    print(figures, f"written to {path}", sep="\n")


class PublishedModel:
    """Their VAE behind the methods that ``fashion_mnist.measure`` asks for."""

    def __init__(self, repository: Path, names: Array, seed: int) -> None:
        random.seed(seed)
        torch.manual_seed(seed)
        self.names = names
        self.training: Any = _module(repository / "partedvae" / "training.py")
        models = _module(repository / "partedvae" / "models.py")
        self.net = models.VAE(
            img_size=(1, 32, 32),
            latent_spec={"z": 6, "c": [_CLASSES], "single_u": 10},
            c_priors=[[1 / _CLASSES] * _CLASSES],
            device=torch.device("cpu"),
        )

    def fit(self, x: Array, labels: Array, labelled: Array, epochs: int) -> None:
        """Their recipe for MNIST, with the capacities' schedules ending where ours do."""
        net = self.net
        supervised = itertools.chain(
            net.img_to_features.parameters(), net.features_to_hidden.parameters(), net.h_to_c_logit_fc.parameters()
        )
        trainer = self.trainer([torch.optim.Adam(supervised, lr=_LR), torch.optim.Adam(net.parameters(), lr=_LR)])
        pictures = _tensor(x)
        one_hot = torch.nn.functional.one_hot(torch.from_numpy(labels), _CLASSES).float()
        few = torch.from_numpy(labelled)
        trainer.train(Shuffled(pictures, one_hot), Shuffled(pictures[few], one_hot[few]), epochs=epochs)
        net.eval()

    def trainer(self, optimizers: list[torch.optim.Adam]) -> Any:
        """Their trainer with their settings for MNIST."""
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau
        # torch has dropped this scheduler's switch for printing.
        self.training.ReduceLROnPlateau = lambda *a, verbose=False, **options: plateau(*a, **options)
        return self.training.Trainer(
            self.net, optimizers, dataset="mnist", device=torch.device("cpu"), recon_type="bce",
            z_capacity=[0.0, 7.0, CAPACITY_STEPS, 15], u_capacity=[0.0, 7.0, CAPACITY_STEPS, 15],
            c_gamma=15.0, entropy_gamma=30.0, bc_gamma=30.0, bc_threshold=0.15,
        )  # fmt: skip

    def score(self, x: Array, y: Array) -> float:
        """Accuracy."""
        log_c = torch.cat([self._infer(part)["log_c"] for part in _tensor(x).split(1024)])
        return float(np.mean(self.names[log_c.argmax(dim=1).numpy()] == y))

    def reconstruct(self, x: Array) -> Array:
        """Pictures decoded from their posterior means."""
        return self.swap(x, x)

    def swap(self, content: Array, style: Array) -> Array:
        """U of one, z of the other."""
        pairs = zip(_tensor(content).split(1024), _tensor(style).split(1024), strict=True)
        return self._decode(
            torch.cat([torch.cat([self._infer(b)["z"][0], self._infer(a)["u"][0]], dim=1) for a, b in pairs])
        )

    def sample(self, n: int, label: Any, random_state: int) -> Array:
        """Pictures of one class from the prior."""
        generator = torch.Generator().manual_seed(random_state)
        number = int(np.flatnonzero(self.names == label)[0])
        with torch.no_grad():
            mean, deviation = self.net.u_prior_means[number], (0.5 * self.net.u_prior_logvars[number]).exp()
            u = mean + deviation * torch.randn(n, len(mean), generator=generator)
        z = torch.randn(n, self.net.z_dim, generator=generator)
        return self._decode(torch.cat([z, u], dim=1))

    def _infer(self, x: Tensor) -> dict[str, Any]:
        with torch.no_grad():
            posterior: dict[str, Any] = self.net.encode(x)
        return posterior

    def _decode(self, codes: Tensor) -> Array:
        with torch.no_grad():
            pictures: Array = torch.cat([self.net.decode(part) for part in codes.split(1024)])[:, 0].numpy()
        return pictures


class Shuffled:
    """What their trainer asks of a loader, over tensors in memory."""

    def __init__(self, x: Tensor, labels: Tensor) -> None:
        self.x, self.labels = x, labels
        self.dataset, self.batch_size = x, _BATCH

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in torch.randperm(len(self.x)).split(_BATCH):
            yield self.x[rows], self.labels[rows]


def _tensor(x: Array) -> Tensor:
    return torch.from_numpy(x).float()[:, None] / 255


def _module(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"published_{path.stem}", path)
    if specification is None or specification.loader is None:
        raise SystemExit(f"--repository: there is no {path}.")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()

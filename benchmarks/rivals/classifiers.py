"""Methods that only classify: the same encoder trained on the labels alone, and two of scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
from torch import nn
from torch.nn import functional as F
from torch.optim import Adam

from partedvae.data.subsets import random_rows
from partedvae.labels import MISSING
from partedvae.networks import make_encoder
from rivals.learned import Learned, on_tensors
from rivals.training import Step, train
from tasks import Task

Array = NDArray[Any]

_MOST_UNLABELLED = 60_000  # scikit-learn's neighbours of more would need hours


def labels_only(task: Task, seed: int) -> Learned:
    """The encoder and the class head of PartedVAE, with as many steps on the labelled rows and nothing else."""
    config = task.config
    net = nn.Sequential(make_encoder(task.shape, config.hidden_dim), nn.Linear(config.hidden_dim, len(task.names)))
    optimizer = Adam(net.parameters(), lr=config.lr_labelled)

    def step(given: Step) -> None:
        optimizer.zero_grad()
        F.cross_entropy(net(given.x_labelled), given.labels).backward()
        optimizer.step()

    train(task, seed, step)
    net.eval()
    return Learned(proba=lambda x: on_tensors(lambda part: torch.softmax(net(part), dim=1), x))


def label_spreading(task: Task, seed: int) -> Learned:
    """Labels spread over a graph of nearest neighbours (7, scikit-learn's default)."""
    return _of_sklearn(LabelSpreading(kernel="knn"), task)


def self_training(task: Task, seed: int) -> Learned:
    """Logistic regression that takes its own confident predictions (0.75, scikit-learn's default) for labels."""
    return _of_sklearn(SelfTrainingClassifier(LogisticRegression(max_iter=1_000)), task)


def _of_sklearn(classifier: Any, task: Task) -> Learned:
    unlabelled = np.flatnonzero(task.y == MISSING)
    # Drawn, not the first: rows may be in the order of their classes.
    rows = np.sort(np.concatenate([task.labelled, unlabelled[random_rows(len(unlabelled), _MOST_UNLABELLED)]]))
    classifier.fit(_rows(task.x[rows]), task.y[rows])

    def proba(x: Array) -> Array:
        parts = [classifier.predict_proba(_rows(part)) for part in np.array_split(x, max(1, len(x) // 2_000))]
        found = np.concatenate(parts)
        # Label spreading divides 0 by 0 for a row that no label reaches: nothing is known of it.
        return np.where(np.isnan(found), 1 / found.shape[1], found)

    return Learned(proba=proba)


def _rows(x: Array) -> Array:
    return (x / np.float32(255)).reshape(len(x), -1)

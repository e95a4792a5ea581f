"""Terms that a user adds to the loss."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from torch import Tensor

from partedvae import PartedVAE
from partedvae.extra_terms import Seen
from partedvae.recorder import TrainingDivergedError

Array = NDArray[Any]
Digits = tuple[Array, Array, Array]
SETTINGS: dict[str, Any] = {"u_dim": 2, "z_dim": 2, "hidden_dim": 16, "max_epochs": 2, "random_state": 0}


def nothing(seen: Seen) -> Tensor:
    return 0 * seen.codes.sum()


def size_of_z(seen: Seen) -> Tensor:
    return 1e4 * seen.posterior.z_mean.square().mean()


def test_a_term_of_no_weight_changes_nothing(digits: Digits) -> None:
    x, _, few = digits
    with_it, without = (PartedVAE(**SETTINGS, extra_terms=extra).fit(x, few) for extra in ({"mine": nothing}, None))
    np.testing.assert_array_equal(with_it.transform(x), without.transform(x))
    assert [record["mine"] for record in with_it.history_] == [0, 0]


def test_a_term_is_descended_recorded_and_part_of_the_loss(digits: Digits) -> None:
    x, _, few = digits
    settings = SETTINGS | {"fit_prior": False, "validation_fraction": 0.2}
    plain, small = (PartedVAE(**settings, extra_terms=extra).fit(x, few) for extra in (None, {"size_of_z": size_of_z}))
    assert np.square(small.encode(x).z).mean() < np.square(plain.encode(x).z).mean() / 2
    last = small.history_[-1]
    terms = (
        "reconstruction",
        "z_term",
        "u_term",
        "c_term",
        "entropy_term",
        "bc_term",
        "zc_term",
        "swap_term",
        "size_of_z",
    )
    for prefix in ("", "val_"):
        assert last[f"{prefix}loss"] == pytest.approx(sum(last[prefix + name] for name in terms), rel=1e-5)


def test_a_term_sees_the_step(digits: Digits) -> None:
    x, _, few = digits
    steps = []

    def look(seen: Seen) -> Tensor:
        assert seen.x.shape == seen.output.shape
        assert seen.codes.shape == (len(seen.x), seen.model.partition.size)
        steps.append(seen.step)
        return seen.codes.new_zeros(1)

    PartedVAE(**SETTINGS, extra_terms={"look": look}).fit(x, few)
    assert steps == list(range(1, 11))


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"z_kl": nothing}, "'z_kl' is a name that the history has already"),
        ({"lr": nothing}, "'lr' is a name that the history has already"),
        ({"val_mine": nothing}, "'val_mine' is a name that the history has already"),
        (
            {"mine": lambda seen: seen.codes},
            r"'mine' should give a tensor of one number; it gives a tensor of shape \(64",
        ),
        ({"mine": lambda seen: 3.0}, "it gives float"),
        ([nothing], "extra_terms should be a dict, from names to functions; it is a list"),
        ({1: nothing}, "extra_terms: 1: .* should be a name and a function"),
        ({"mine": "nothing"}, "extra_terms: 'mine': 'nothing' should be a name and a function"),
    ],
)
def test_a_term_that_cannot_be_added_is_refused(extra: Any, message: str, digits: Digits) -> None:
    x, _, few = digits
    with pytest.raises(ValueError, match=message):
        PartedVAE(**SETTINGS, extra_terms=extra).fit(x, few)


def test_a_term_that_becomes_nan_is_named(digits: Digits) -> None:
    x, _, few = digits
    with pytest.raises(TrainingDivergedError, match="mine is nan at step 1"):
        PartedVAE(**SETTINGS, extra_terms={"mine": lambda seen: torch.tensor(float("nan")) * seen.codes.sum()}).fit(
            x, few
        )


def test_a_term_whose_gradient_alone_is_nan_is_named_before_it_spoils_a_checkpoint(
    digits: Digits, tmp_path: Path
) -> None:
    def steep(seen: Seen) -> Tensor:
        """Hardly anything; from the third step on nothing, with a gradient of 0 · ∞."""
        return (seen.codes.sum() * (0.0 if seen.step > 2 else 1e-9)).square().sqrt()

    x, _, few = digits
    with pytest.raises(TrainingDivergedError, match="the gradient of steep is not finite at step 3"):
        PartedVAE(**SETTINGS, extra_terms={"steep": steep}).fit(x, few, checkpoints=tmp_path, checkpoint_minutes=0)
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert kept["partedvae"]["steps_taken"] == 2
    assert all(weight.isfinite().all() for weight in kept["state_dict"].values())


def test_terms_go_with_a_clone_and_a_pickle_but_not_with_a_saved_model(digits: Digits, tmp_path: Any) -> None:
    x, _, few = digits
    model = PartedVAE(**SETTINGS, extra_terms={"mine": nothing})
    assert clone(model).extra_terms == {"mine": nothing}
    model.fit(x, few).save(tmp_path)
    assert pickle.loads(pickle.dumps(model)).extra_terms == {"mine": nothing}  # noqa: S301  # our own
    assert PartedVAE.load(tmp_path).extra_terms is None

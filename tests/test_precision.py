"""The precision that ``auto`` means: where bfloat16 is chosen, and that a fit takes it up."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from partedvae import PartedVAE, exchange
from partedvae.augmentation import Augmentation, change_pictures, changed, shift_pictures
from partedvae.divergences import kl_categorical
from partedvae.extra_terms import Seen
from partedvae.objective import Capacities, Objective, Weights
from partedvae.precision import fastest


@pytest.mark.parametrize(
    ("able", "shape", "accelerator", "expected"),
    [
        ({"amx_bf16": True}, (1, 16, 16), "auto", "bf16-mixed"),
        ({"avx512_bf16": True}, (3, 32, 32), "cpu", "bf16-mixed"),
        ({"avx512_f": True}, (1, 32, 32), "cpu", "32-true"),  # it would be emulated
        ({"amx_bf16": True}, (1, 8, 8), "cpu", "32-true"),
        ({"amx_bf16": True}, (4096,), "cpu", "32-true"),
        ({"amx_bf16": True}, (1, 32, 32), "tpu", "32-true"),
    ],
)
def test_bfloat16_is_for_pictures_on_processors_that_multiply_it(
    able: dict[str, bool], shape: tuple[int, ...], accelerator: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert fastest(shape, accelerator) == expected


@pytest.mark.parametrize("emulated", [False, True])
def test_a_gpu_is_asked_what_it_multiplies(emulated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation or not emulated
    )
    assert fastest((1, 32, 32), "auto") == ("32-true" if emulated else "bf16-mixed")


def test_posteriors_and_terms_keep_32_bits() -> None:
    """Capacities are of KLs: in bfloat16, 7 nats come in steps of 0.03."""
    seen = []

    def look(found: Seen) -> torch.Tensor:
        terms = Objective(Weights(1, 1, 1, 1, 1, 1, 0.1), Capacities(7, 7, 1))(
            found.posterior, found.model.prior, found.model.likelihood.log_prob(found.output, found.x), 1
        )
        seen.extend([*vars(found.posterior).values(), found.output, *terms.weighted.values(), *terms.measured.values()])
        return found.codes.sum() * 0

    options = {"precision": "bf16-mixed", "accelerator": "cpu"}
    model = PartedVAE(hidden_dim=16, max_epochs=1, extra_terms={"look": look}, trainer_options=options)
    model.fit(np.random.default_rng(0).random((40, 16, 16)), np.arange(40) % 2)
    assert len(seen) > 10
    assert {found.dtype for found in seen} == {torch.float32}


@pytest.mark.parametrize(("able", "expected"), [({"amx_bf16": True}, "bf16-mixed"), ({}, "32-true")])
def test_a_fit_takes_it_up(able: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Look(Callback):
        seen = ""

        def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
            self.seen = trainer.precision

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    look = Look()
    options: dict[str, Any] = {"precision": "auto", "accelerator": "cpu", "callbacks": [look]}
    x = np.random.default_rng(0).random((40, 16, 16))
    model = PartedVAE(hidden_dim=16, max_epochs=1, random_state=0, trainer_options=options).fit(x, np.arange(40) % 2)
    assert look.seen == expected
    assert all(weight.dtype == torch.float32 for weight in model.net_.parameters())
    assert np.isfinite(model.score_samples(x)).all()


def test_what_a_swap_shows_is_judged_in_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(8, 1, 16, 16)
    model = PartedVAE(hidden_dim=16, max_epochs=1, random_state=0).fit(x.numpy(), np.arange(8) % 2).net_
    seen: list[torch.Tensor] = []

    def noted(log_c: torch.Tensor, log_seen: torch.Tensor) -> torch.Tensor:
        seen.append(log_seen)
        return kl_categorical(log_c, log_seen)

    monkeypatch.setattr(exchange, "kl_categorical", noted)
    log_c = model.log_classes(model.encoder(x))
    with torch.autocast("cpu", torch.bfloat16):
        exchange.unrecognised(model, log_c, model.decoder(torch.randn(8, model.partition.size)))
    assert seen[0].dtype == torch.float32
    assert torch.allclose(seen[0].exp().sum(dim=1), torch.ones(8), atol=1e-6)


@pytest.mark.parametrize("change", [change_pictures, shift_pictures])
def test_pictures_are_moved_in_32_bits(change: Augmentation) -> None:
    x = torch.rand(8, 1, 64, 48)
    exactly = changed(x, change, torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(changed(x, change, torch.Generator().manual_seed(0)), exactly)

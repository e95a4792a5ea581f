"""Training: the two optimisers, what stops it, what resumes it, what it records."""

from __future__ import annotations

import logging
import math
import random
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray

from partedvae import PartedVAE
from partedvae.batches import Deck, Draws, Observations, training_loader
from partedvae.fitting import quiet_lightning
from partedvae.recorder import Recorder, TrainingDivergedError, all_finite
from partedvae.report.figures.curves import TERM_TITLES

Array = NDArray[Any]
Digits = tuple[Array, Array, Array]

TERMS = {"reconstruction", "z_term", "u_term", "c_term", "entropy_term", "bc_term", "zc_term", "swap_term"}
MEASURED = {"log_likelihood", "z_kl", "u_kl", "c_kl", "c_entropy", "bc", "cross_entropy"}


def quick(**settings: Any) -> PartedVAE:
    return PartedVAE(**{"u_dim": 2, "z_dim": 2, "max_epochs": 2, "random_state": 0, **settings})


def weights(model: PartedVAE) -> dict[str, torch.Tensor]:
    return model.net_.state_dict()


def same(first: PartedVAE, second: PartedVAE) -> bool:
    return all(torch.equal(value, weights(second)[name]) for name, value in weights(first).items())


def test_one_record_an_epoch_with_every_term_by_name(digits: Digits) -> None:
    x, _, few = digits
    history = quick().fit(x, few).history_
    assert [record["epoch"] for record in history] == [0, 1]
    assert [record["step"] for record in history] == [5, 10]  # 300 rows are 4 batches of 64 and a tail of 44
    for record in history:
        assert set(record) >= TERMS | MEASURED | {"loss", "lr", "lr_labelled"}
        weighted = {name for name in record if name.endswith("_term")} | {
            "reconstruction",
            "cross_entropy",
            "consistency",
        }
        assert set(TERM_TITLES) == weighted  # a report shows them all
        assert record["loss"] == pytest.approx(sum(record[name] for name in TERMS), rel=1e-4)
        assert all(np.isfinite(value) for value in record.values())


def test_the_labelled_rate_falls_to_its_end_and_a_plateau_halves_what_is_left(digits: Digits) -> None:
    x, _, few = digits
    rates = [record["lr_labelled"] for record in quick(max_epochs=8, lr_labelled=1e-3).fit(x, few).history_]
    assert rates == sorted(rates, reverse=True)
    assert rates[3] == pytest.approx(0.6e-3)
    assert rates[-1] == pytest.approx(0.2e-3)
    halved = quick(max_epochs=8, lr_labelled=1e-3, lr_patience=0, gamma_x=0.0).fit(x, few).history_[-1]["lr_labelled"]
    assert min(abs(halved * 2**n / 0.2e-3 - 1) for n in range(1, 4)) < 1e-6


def test_training_lowers_the_loss_and_the_codes_follow_their_capacity(fitted: PartedVAE) -> None:
    first, last = fitted.history_[0], fitted.history_[-1]
    assert last["reconstruction"] < 0.8 * first["reconstruction"]
    assert last["z_kl"] == pytest.approx(last["z_capacity"], rel=0.25)
    assert last["u_kl"] == pytest.approx(last["u_capacity"], rel=0.25)
    assert last["bc"] < fitted.bc_threshold


def test_the_same_seed_gives_the_same_model_whatever_the_global_state(digits: Digits) -> None:
    x, _, few = digits
    models = []
    for state in (1, 2):
        random.seed(state)
        np.random.seed(state)  # noqa: NPY002  # the global state is what this is about
        torch.manual_seed(state)
        models.append(quick().fit(x, few))
    assert same(*models)
    assert models[0].history_ == models[1].history_
    assert not same(models[0], quick(random_state=1).fit(x, few))


def test_global_random_state_is_left_alone(digits: Digits) -> None:
    x, _, few = digits
    for seed in (0, None):
        before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())  # type: ignore[index]  # noqa: NPY002
        model = quick(random_state=seed, validation_fraction=0.2).fit(x, few)
        model.sample(3)
        model.suggest(x, 3)
        after = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())  # type: ignore[index]  # noqa: NPY002
        assert before[:2] == after[:2]
        assert torch.equal(before[2], after[2])


def test_without_a_seed_models_differ(digits: Digits) -> None:
    x, _, few = digits
    assert not same(
        quick(random_state=None, max_epochs=1).fit(x, few), quick(random_state=None, max_epochs=1).fit(x, few)
    )


def test_a_tail_batch_of_one_row_trains(digits: Digits) -> None:
    x, y, _ = digits
    model = quick(max_epochs=1, batch_size=32).fit(x[:65], y[:65])
    assert model.history_[0]["step"] == 3


def test_the_labelled_optimiser_moves_only_the_encoder_and_the_class_head(digits: Digits) -> None:
    class Watch(Callback):
        moved: set[str]

        def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
            labelled: Any = trainer.optimizers[1]
            model: Any = pl_module.model
            names = {id(parameter): name for name, parameter in model.named_parameters()}
            self.moved = {names[id(p)].split(".")[0] for group in labelled.param_groups for p in group["params"]}

    x, _, few = digits
    watch = Watch()
    quick(trainer_options={"callbacks": [watch]}).fit(x, few)
    assert watch.moved == {"encoder", "class_head"}


def test_nan_stops_the_run_and_names_the_term_and_the_step(digits: Digits) -> None:
    class Poison(Callback):
        def on_train_batch_start(
            self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
        ) -> None:
            if trainer.current_epoch == 1 and batch_idx == 2:
                with torch.no_grad():
                    pl_module.get_parameter("model.prior.mean").fill_(float("nan"))

    x, _, few = digits
    with pytest.raises(TrainingDivergedError, match=r"u_term is nan, .*u_kl is nan.* at step 8\b") as raised:
        quick(trainer_options={"callbacks": [Poison()]}).fit(x, few)
    assert "reconstruction" not in str(raised.value)


def test_infinity_stops_the_run(digits: Digits) -> None:
    x, _, few = digits
    with pytest.raises(TrainingDivergedError, match="step"):
        quick(lr=1e30, max_epochs=5).fit(x, few)


def test_one_number_among_many_that_is_not_finite_is_seen() -> None:
    most = torch.finfo(torch.float32).max
    assert all_finite([])
    assert all_finite([None, torch.full((3, 1_000), most), torch.full((5,), -most)])  # whose sums are infinite
    for bad in (math.nan, math.inf, -math.inf):
        tensors = [torch.ones(4), torch.ones(7, 1_000)]
        tensors[1][3, 500] = bad
        assert not all_finite(tensors)
    assert not all_finite([torch.tensor([math.inf]), torch.tensor([-math.inf])])


@pytest.mark.parametrize("precision", ["32-true", "64-true"])
def test_a_resumed_run_is_the_run_that_was_never_stopped(digits: Digits, tmp_path: Path, precision: str) -> None:
    class Stop(Callback):
        def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
            if trainer.current_epoch == 2:
                raise RuntimeError("stopped here")

    x, _, few = digits
    settings = {"max_epochs": 4, "capacity_steps": 12, "lr_patience": 0}
    options: dict[str, Any] = {"precision": precision}
    whole = quick(**settings, trainer_options=options).fit(x, few)
    with pytest.raises(RuntimeError, match="stopped here"):
        quick(**settings, trainer_options={**options, "callbacks": [Stop()]}).fit(x, few, checkpoints=tmp_path)
    again = quick(**settings, trainer_options=options)
    resumed = again.fit(x, few, checkpoints=tmp_path, resume_from=tmp_path / "last.ckpt")
    assert same(whole, resumed)
    assert whole.history_ == resumed.history_


def test_learning_rates_halve_on_a_plateau(digits: Digits) -> None:
    x, _, few = digits
    history = quick(max_epochs=12, lr_patience=0, gamma_x=0.0, gamma_z=0.0, gamma_u=0.0).fit(x, few).history_
    assert history[-1]["lr"] in {history[0]["lr"] / 2**k for k in range(1, 6)}
    still = quick(max_epochs=12, lr_patience=None, gamma_x=0.0, gamma_z=0.0, gamma_u=0.0).fit(x, few).history_
    assert still[-1]["lr"] == still[0]["lr"]


def test_an_epoch_without_validation_has_no_figures_of_an_earlier_one(digits: Digits) -> None:
    x, y, few = digits
    every_second = {"check_val_every_n_epoch": 2}
    history = quick(max_epochs=3, trainer_options=every_second).fit(x, few, validation_data=(x, y)).history_
    assert ["val_loss" in record for record in history] == [False, True, False]


def test_epochs_of_fewer_batches_are_gone_on_with_and_scheduled_as_they_are(digits: Digits, tmp_path: Path) -> None:
    x, _, few = digits
    settings: dict[str, Any] = {"max_epochs": 4, "trainer_options": {"limit_train_batches": 2}}
    whole = quick(**settings).fit(x, few)
    assert [record["step"] for record in whole.history_] == [2, 4, 6, 8]
    assert whole.history_[1]["z_capacity"] == pytest.approx(whole.history_[-1]["z_capacity"])  # from half of the run on
    assert whole.history_[0]["z_capacity"] < whole.history_[1]["z_capacity"]

    class Stop(Callback):
        def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
            if trainer.current_epoch == 2:
                raise RuntimeError("stopped here")

    stopping = quick(max_epochs=4, trainer_options={"limit_train_batches": 2, "callbacks": [Stop()]})
    with pytest.raises(RuntimeError, match="stopped here"):
        stopping.fit(x, few, checkpoints=tmp_path)
    resumed = quick(**settings).fit(x, few, checkpoints=tmp_path, resume_from=tmp_path / "last.ckpt")
    assert same(whole, resumed)


def test_what_an_epoch_had_is_gone_on_with_where_the_training_is() -> None:
    recorder, resumed = Recorder(), Recorder()
    recorder.add({"loss": torch.tensor(1.0)}, 10, 1)
    resumed.take_up(recorder.state(), torch.device("meta"))  # checkpoints are read onto the processor
    assert {row.device.type for row in resumed.state()["pending"][0]} == {"meta"}


def test_training_in_64_bits_leaves_a_model_as_others_are(digits: Digits) -> None:
    x, _, few = digits
    model = quick(trainer_options={"precision": "64-true"}).fit(x, few)
    assert {value.dtype for value in weights(model).values() if value.is_floating_point()} == {torch.float32}


def test_while_a_model_trains_the_global_generator_is_the_users(digits: Digits) -> None:
    class Look(Callback):
        def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
            seen.append(torch.get_rng_state())

    x, _, few = digits
    seen = [torch.get_rng_state()]
    quick(trainer_options={"callbacks": [Look()]}).fit(x, few)
    assert all(torch.equal(state, torch.get_rng_state()) for state in seen)


def test_of_several_fits_at_once_the_last_puts_lightnings_loggers_back() -> None:
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    first, second = quiet_lightning(), quiet_lightning()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert logger.level == logging.WARNING
    second.__exit__(None, None, None)
    assert logger.level == level


def test_a_fit_leaves_the_generators_of_gpus_alone(digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    x, _, few = digits
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    torch.manual_seed(3)
    assert seeded == [3]
    quick().fit(x, few)
    assert seeded == [3]


def test_validation_is_recorded_and_early_stopping_keeps_the_best(digits: Digits) -> None:
    x, y, few = digits
    model = quick(max_epochs=60, early_stopping=True, early_stopping_patience=2, lr=5e-2).fit(
        x, few, validation_data=(x[100:], y[100:])
    )
    validation = [record["val_loss"] for record in model.history_]
    assert len(validation) < 60
    assert min(validation) == validation[-3]  # two epochs of patience after the best
    assert all(np.isfinite(validation))


def test_a_validation_fraction_is_not_trained_on(digits: Digits) -> None:
    x, y, few = digits
    history = quick(validation_fraction=0.5).fit(x, few).history_
    assert history[0]["step"] == 3  # 150 rows
    assert TERMS <= {name.removeprefix("val_") for name in history[0] if name.startswith("val_")}
    two = np.where(np.isin(np.arange(300), [np.argmax(y == 0), np.argmax(y == 1)]), y, -1)  # each class keeps its one
    history = quick(validation_fraction=0.9).fit(x, two).history_
    assert history[0]["cross_entropy"] > 0


def test_trainer_options_pass_through(digits: Digits, tmp_path: Path) -> None:
    from lightning.pytorch.loggers import CSVLogger

    class Seen(Callback):
        precision = ""

        def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
            self.precision = trainer.precision

    x, _, few = digits
    seen = Seen()
    quick(
        trainer_options={
            "precision": "bf16-mixed",
            "callbacks": seen,
            "logger": CSVLogger(tmp_path),
            "accelerator": "cpu",
        }
    ).fit(x, few)
    assert seen.precision == "bf16-mixed"
    (logged,) = tmp_path.rglob("metrics.csv")
    assert "u_kl" in logged.read_text().splitlines()[0]


def test_progress_is_lines_when_the_output_is_no_terminal(digits: Digits, capfd: pytest.CaptureFixture[str]) -> None:
    x, _, few = digits
    quick(verbose=True).fit(x, few)
    lines = capfd.readouterr().err.splitlines()
    assert [line.split(" · ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert "loss" in lines[0]
    quick().fit(x, few)
    captured = capfd.readouterr()
    assert captured.err == captured.out == ""


def test_batches_are_slices_of_tensors_each_row_once_an_epoch() -> None:
    x = torch.arange(10, dtype=torch.float32)[:, None]
    labels = torch.tensor([[0], [-1], [1], [-1], [-1], [2], [-1], [-1], [-1], [-1]])
    batches = list(training_loader(Observations(x, labels), batch_size=4, seed=0))
    assert torch.cat([batch.x for batch in batches]).flatten().sort().values.tolist() == list(range(10))
    for batch in batches:
        assert len(batch.labels) == 3
        assert torch.equal(labels[batch.x_labelled.flatten().long()], batch.labels)


def test_batches_depend_on_seed_and_epoch_and_on_nothing_else() -> None:
    def rows(seed: int, epoch: int) -> list[int]:
        draws = Draws(n_rows=50, deck=Deck(torch.zeros(9, 1)), batch_size=8, seed=seed)
        draws.set_epoch(epoch)
        return torch.cat([torch.cat([d.rows, d.labelled]) for d in draws]).tolist()

    assert rows(0, 3) == rows(0, 3)
    assert len({tuple(rows(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_labelled_rows_are_dealt_in_rounds() -> None:
    draws = Draws(n_rows=64, deck=Deck(torch.zeros(6, 1)), batch_size=4, seed=0)
    dealt = torch.cat([draw.labelled for draw in draws])
    assert len(dealt) == 64
    assert sorted(dealt.bincount().tolist()) == [10, 10, 11, 11, 11, 11]

"""What we add to the published recipe: independence of z and c, consistency, and the presets that are without them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesClassifier
from torch import Tensor, nn

from partedvae import PartedVAE
from partedvae.augmentation import Augmentation, augmentation_for, change_features, change_pictures, shift_pictures
from partedvae.config import PRESETS, Config
from partedvae.consistency import Guesses, blended
from partedvae.exchange import decoded_with_swaps, unrecognised
from partedvae.independence import ClassIndependence, dependence
from partedvae.lessons import Lessons, Shown
from partedvae.likelihoods import Gaussian
from partedvae.metrics import leakage
from partedvae.model import PartedModel
from partedvae.objective import cross_entropy, targets_of
from partedvae.partition import Partition
from partedvae.scaling import Scaling
from partedvae.step import Step

# So short a run is to teach as a long one does.
SMALL: dict[str, Any] = {
    "max_epochs": 2, "hidden_dim": 16, "u_dim": 2, "z_dim": 2, "memorised_after": 0, "random_state": 0,
}  # fmt: skip


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def slow_dependence(z: np.ndarray, w: np.ndarray, others: np.ndarray, v: np.ndarray) -> float:
    """The definition, pair by pair, in float64."""
    there = v.sum(axis=1) > 0
    width = 0.1 * z.shape[1]
    spread = np.maximum(others[there].std(axis=0), 1e-3)
    expected = (1 + 2 / width) ** (-z.shape[1] / 2)
    total = 0.0
    for i in range(len(z)):
        pairs = [j for j in range(len(others)) if there[j] and j != i]
        excess = []
        for j in pairs:
            share = 0.0
            for k in range(w.shape[1]):
                share += w[i, k] * v[j, k] / max(v[:, k].sum() - w[i, k], 1.0) / w[i].sum()
            excess.append(share)
        kernel = [np.exp(-(((z[i] - others[j]) / spread) ** 2).sum() / (2 * width)) / expected for j in pairs]
        total += sum((e - sum(excess) / len(pairs)) * k for e, k in zip(excess, kernel, strict=True))
    return total / len(z)


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 3), st.integers(0, 9))
def test_dependence_is_its_definition(seed: int, z_dim: int, n_attributes: int, remembered: int) -> None:
    rng = np.random.default_rng(seed)
    z, others = rng.normal(size=(7, z_dim)), rng.normal(size=(remembered, z_dim))
    w, v = (
        np.concatenate([rng.dirichlet(np.ones(3), size=n) for _ in range(n_attributes)], axis=1)
        for n in (7, remembered)
    )
    v[::3] = 0  # not there
    every, known = np.concatenate([z, others]), np.concatenate([w, v])
    found = dependence(*(torch.tensor(part) for part in (z, w, every, known)))
    assert float(found) == pytest.approx(slow_dependence(z, w, every, known), abs=1e-9)


def test_dependence_tells_means_spreads_and_curves_from_nothing() -> None:
    z = torch.randn(600, 2, generator=noise())
    classes = torch.eye(2).repeat_interleave(300, dim=0)
    first = classes[:, :1].bool()
    ring = z / z.norm(dim=1, keepdim=True)
    codes = {
        "nothing": z,
        "mean": z + first,
        "spread": torch.where(first, 0.5 * z, z),
        "ring": torch.where(first, ring, z),
    }
    found = {name: float(dependence(code, classes, code, classes)) for name, code in codes.items()}
    assert abs(found.pop("nothing")) < 0.05
    assert min(found.values()) > 0.1


@given(st.floats(1e-2, 1e3))
def test_dependence_has_no_unit(scale: float) -> None:
    z, classes = torch.randn(50, 3, generator=noise()), torch.eye(5).repeat(10, 1)
    own, scaled = (dependence(code, classes, code, classes) for code in (z, scale * z))
    torch.testing.assert_close(own, scaled, rtol=1e-3, atol=1e-4)


def test_descending_the_dependence_takes_the_class_out_of_z() -> None:
    classes = torch.eye(3).repeat_interleave(60, dim=0)
    z = (torch.randn(180, 2, generator=noise()) + 2 * classes[:, :2]).requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.05)
    before = float(dependence(z, classes, z.detach(), classes).detach())
    for _ in range(150):
        optimizer.zero_grad()
        dependence(z, classes, z.detach(), classes).backward()
        optimizer.step()
    assert float(dependence(z, classes, z.detach(), classes).detach()) < 0.1 * before
    means = torch.stack([z[classes[:, k] > 0].mean(dim=0) for k in range(3)]) / z.std(dim=0)
    assert float(means.var(dim=0).sum().detach()) < 0.1


def test_classes_that_are_alone_are_compared_with_nothing() -> None:
    z, classes = torch.randn(6, 2, generator=noise()).requires_grad_(), torch.eye(6)
    value = dependence(z, classes, z.detach(), classes)
    value.backward()
    assert float(value.detach()) == 0
    assert z.grad is not None
    assert z.grad.abs().max() == 0


@pytest.mark.parametrize("own", [True, False], ids=["augment", "features"])
def test_consistency_fades_and_then_only_the_labelled_are_changed(own: bool) -> None:
    """Three steps an epoch: all of it for three, none from the sixth on."""
    x, y = np.random.default_rng(0).normal(size=(60, 4)), np.where(np.arange(60) < 12, np.arange(60) % 2, -1)
    changed: list[int] = []

    def noisy(x: Tensor, generator: torch.Generator) -> Tensor:
        changed.append(len(x))
        return x + 0.1 * torch.randn(x.shape, generator=generator)

    settings = SMALL | {"max_epochs": 4, "batch_size": 20, "calibration_fraction": 0.0, "consistency": 2.0}
    more: dict[str, Any] = {"augment": noisy} if own else {}
    model = PartedVAE(**settings, **more, consistency_steps=3).fit(x, y)
    consistency = [record["consistency"] for record in model.history_]
    assert consistency[2:] == [0, 0]
    assert min(consistency[:2]) > 0
    assert changed == ([12 + 20] * 5 + [12] * 7 if own else [])
    longer = PartedVAE(**settings, **more, consistency_steps=100).fit(x, y).history_
    assert longer[0] == model.history_[0]
    assert longer[1] != model.history_[1]


def test_memory_holds_the_latest_codes_and_only_in_training() -> None:
    measure = ClassIndependence(Partition((2,), 1, 1), n_remembered=4)
    batches = [torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[3.0], [4.0], [5.0]])]
    for batch in batches:
        measure(batch, torch.full((3, 2), 0.5))
    assert measure.codes[:, 0].tolist() == [3, 4, 5, 0]
    measure.eval()
    measure(torch.zeros(3, 1), torch.full((3, 2), 0.5))
    assert measure.codes[:, 0].tolist() == [3, 4, 5, 0]


def test_guesses_are_what_the_predictor_says_aligned_to_the_prior_squared_and_counted_by_how_sure_it_is() -> None:
    layout, random = Partition((2, 3), u_dim=1, z_dim=0), np.random.default_rng(0)
    prior = np.concatenate([[0.3, 0.7], [0.2, 0.3, 0.5]])
    guess, seen = Guesses(torch.tensor(prior).log(), layout), prior
    for _ in range(5):
        q = np.concatenate([random.dirichlet([1, 1], 7), random.dirichlet([1, 1, 1], 7)], axis=1)
        seen = 0.99 * seen + 0.01 * q.mean(axis=0)
        found = guess(torch.tensor(q).log()).numpy()
        expected = q**2 * prior / seen
        for columns, size in ((slice(0, 2), 2), (slice(2, 5), 3)):
            own = q[:, columns]
            sure = (1 + (own * np.log(own)).sum(axis=1, keepdims=True) / np.log(size)) ** 2
            expected[:, columns] *= sure / expected[:, columns].sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_guesses_no_longer_favour_the_class_that_the_predictor_favours() -> None:
    layout = Partition((2,), u_dim=1, z_dim=0)
    guess = Guesses(torch.tensor([0.5, 0.5]).log(), layout)
    says = torch.tensor([[0.9, 0.1], [0.6, 0.4]]).log()
    for _ in range(1000):
        found = guess(says)
    assert found[0, 0] > found[0, 1]
    assert found[1, 0] < found[1, 1]


def test_blends_have_the_larger_share_of_their_own_and_targets_in_the_same_shares() -> None:
    x, targets = torch.rand(500, 1, 4, 4, generator=noise()), torch.eye(500)
    blend, blended_targets = blended(x, targets, noise(1))
    own = blended_targets.diagonal()
    assert float(own.min()) >= 0.5
    assert 0.72 < float(own.mean()) < 0.78
    torch.testing.assert_close(blended_targets.sum(dim=1), torch.ones(500))
    torch.testing.assert_close(blend.flatten(1), blended_targets @ x.flatten(1))


@given(st.integers(0, 10_000))
def test_cross_entropy_of_targets_is_that_of_the_labels_that_are_known(seed: int) -> None:
    random, sizes = np.random.default_rng(seed), (2, 4)
    labels = np.stack([random.integers(-1, size, 6) for size in sizes], axis=1)
    log_c = np.concatenate([np.log(random.dirichlet(np.ones(size), 6)) for size in sizes], axis=1)
    expected = 0.0
    for a, first in enumerate((0, 2)):
        rows = np.flatnonzero(labels[:, a] >= 0)
        expected -= float(np.mean([log_c[i, first + labels[i, a]] for i in rows])) if len(rows) else 0.0
    layout = Partition(sizes, u_dim=1, z_dim=0)
    found = cross_entropy(torch.tensor(log_c), targets_of(torch.tensor(labels), layout).double(), layout)
    assert float(found) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 13, 9), (5,), (1,)])
@pytest.mark.parametrize("n_attributes", [1, 3])
def test_augmentation_keeps_shape_and_range_and_follows_its_noise(shape: tuple[int, ...], n_attributes: int) -> None:
    x = torch.rand(20, *shape, generator=noise(1))
    augment = augmentation_for(shape, n_attributes)
    once, again, other = augment(x, noise(2)), augment(x, noise(2)), augment(x, noise(3))
    assert once.shape == x.shape
    assert once.dtype == x.dtype
    assert 0 <= float(once.min()) <= float(once.max()) <= 1
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_pictures_are_moved_not_mirrored() -> None:
    """A mark left of the middle stays left of it whatever is drawn: nothing is flipped."""
    x = torch.zeros(500, 1, 16, 16)
    x[:, :, 6:10, 1:4] = 1
    changed = change_pictures(x, noise())
    columns = torch.arange(16.0)
    seen = changed.sum(dim=(1, 2, 3)) > 1
    centre = (changed.sum(dim=(1, 2)) @ columns)[seen] / changed.sum(dim=(1, 2, 3))[seen]
    assert float(seen.float().mean()) > 0.9
    assert float((centre < 7.5).float().mean()) > 0.99
    assert float(centre.std()) > 0.5


def test_with_several_attributes_what_a_picture_shows_keeps_its_size_and_its_direction() -> None:
    x = torch.zeros(500, 1, 32, 32)
    x[:, :, 14:16, 12:20] = 1
    changed = shift_pictures(x, noise())
    whole = changed[changed.sum(dim=(1, 2, 3)) > 15.9, 0]  # those that no hole has taken from
    width, height = ((whole > 0.05).any(dim=dim).sum(dim=1) for dim in (1, 2))  # more than a hole shows
    assert len(whole) > 100
    assert set(width.tolist()) <= {8, 9}  # nine where the shift is not of whole pixels
    assert set(height.tolist()) <= {2, 3}
    assert float((whole.sum(dim=1) @ torch.arange(32.0)).std()) > 10  # they were shifted


def test_features_keep_the_values_of_their_column() -> None:
    x = torch.stack([torch.arange(100.0), torch.randint(2, (100,), generator=noise()).float()], dim=1)
    changed = change_features(x, noise())
    assert set(changed[:, 1].tolist()) <= {0.0, 1.0}
    assert set(changed[:, 0].tolist()) <= set(x[:, 0].tolist())
    assert 0.1 < float((changed[:, 0] != x[:, 0]).float().mean()) < 0.4


def test_published_presets_are_without_what_we_add() -> None:
    for name, settings in PRESETS.items():
        config = Config.checked(settings)
        supervision = (config.consistency, config.label_smoothing, config.labelled_dropout)
        parts = (config.gamma_zc, config.gamma_swap, *supervision, config.fit_prior, config.averaged_steps)
        assert [bool(part) for part in parts] == [name == "default"] * 7, name


def test_each_part_has_its_column_in_the_history() -> None:
    x, y = load_digits().images, load_digits().target
    parts = {
        "gamma_zc": {"zc_term", "zc_dependence"},
        "gamma_swap": {"swap_term", "swap_kl"},
        "consistency": {"consistency"},
    }
    for part, columns in parts.items():
        on, off = (PartedVAE(**SMALL, **changed).fit(x[:200], y[:200]) for changed in (dict[str, Any](), {part: 0.0}))
        assert columns == set(on.history_[0]) - set(off.history_[0])


def test_a_users_own_augmentation_is_used_and_scikit_learn_knows_it() -> None:
    x, y = load_digits(return_X_y=True)
    seen = []

    def unchanged(batch: Tensor, generator: torch.Generator) -> Tensor:
        seen.append(tuple(batch.shape))
        return batch

    model = PartedVAE(**SMALL, augment=unchanged).fit(x[:200], y[:200])
    assert set(seen) == {(64 + 64, 64), (8 + 64, 64)}  # with the labelled rows
    assert model.get_params()["augment"] is unchanged


@pytest.mark.parametrize(
    ("shape", "augment", "kept"), [((64,), None, True), ((64,), change_features, False), ((8, 8), None, False)]
)
def test_features_with_a_label_are_learned_as_they_are_unless_someone_says_how_they_change(
    shape: tuple[int, ...], augment: Augmentation | None, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = load_digits(return_X_y=True)
    x, few = x[:64].reshape(64, *shape), np.where(np.arange(64) < 10, y[:64], -1)
    seen: list[Tensor] = []
    ask = Step.classes

    def noted(self: Step, rows: Tensor, *others: Any) -> dict[str, Tensor]:
        seen.append(rows)
        return ask(self, rows, *others)

    monkeypatch.setattr(Step, "classes", noted)
    model = PartedVAE(**SMALL, augment=augment, consistency=2.0).fit(x, few)
    known = model.net_.scaling(torch.as_tensor(x[:10], dtype=torch.float32).reshape(10, *model.net_.scaling.shape))
    labelled, others = seen[0].flatten(1)[:10], seen[0].flatten(1)[10:]
    alike = [torch.isclose(rows[:, None], known.flatten(1)).all(dim=2).any(dim=1).all() for rows in (labelled, others)]
    assert [bool(all_are) for all_are in alike] == [kept, False]


@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_labelled_pictures_are_changed_and_only_others_blended(weight: float) -> None:
    x, y = load_digits(return_X_y=True)
    model = PartedVAE(**SMALL).fit(x[:64].reshape(64, 8, 8), y[:64]).net_
    lessons = Lessons(model, Config(), lambda batch, _: 1 - batch)
    rows, labels = torch.rand(24, 1, 8, 8), torch.arange(8)[:, None]
    guesses = torch.eye(10)[torch.arange(16) % 10]
    shown = Shown(rows[8:], rows[:8], targets_of(labels, model.partition))
    lesson = lessons.of(shown, guesses, weight, noise(0))
    assert torch.equal(lesson.x[:8], 1 - rows[:8])
    assert torch.equal(lesson.targets, shown.targets)
    if not weight:
        assert len(lesson.x) == 8
        assert lesson.guesses is None
        return
    assert lesson.guesses is not None
    torch.testing.assert_close(lesson.guesses.sum(dim=1), torch.ones(16))
    assert (lesson.guesses.amax(dim=1) < 1).sum() > 8
    assert not torch.isclose(lesson.x[8:], 1 - rows[8:]).flatten(1).all(dim=1).all()


@pytest.mark.parametrize(
    ("n_labelled", "batch_size", "epochs", "changes"),
    [(10, 64, 9, False), (10, 64, 10, True), (64, 32, 9, False), (64, 32, 10, True), (64, 16, 10, True)],
)
def test_labelled_pictures_are_changed_if_a_run_shows_them_often(
    n_labelled: int, batch_size: int, epochs: int, changes: bool
) -> None:
    """Here from ten times on; of 64 rows each epoch shows 64 labelled ones, or all there are in each step."""
    x, y = load_digits(return_X_y=True)
    few = np.where(np.arange(64) < n_labelled, y[:64], -1)
    sizes: set[int] = set()

    def noted(batch: Tensor, generator: torch.Generator) -> Tensor:
        sizes.add(len(batch))
        return batch

    settings = SMALL | {"max_epochs": epochs, "batch_size": batch_size, "memorised_after": 10}
    PartedVAE(**settings, calibration_fraction=0.0, augment=noted).fit(x[:64].reshape(64, 8, 8), few)
    assert sizes == {batch_size + (min(n_labelled, batch_size) if changes else 0)}


@pytest.mark.parametrize(("answer", "named"), [(lambda x, _: x[:, :3], "(128, 3)"), (lambda x, _: None, "NoneType")])
def test_an_augmentation_that_gives_something_else_is_named(answer: Augmentation, named: str) -> None:
    x, y = load_digits(return_X_y=True)
    with pytest.raises(ValueError, match=r"augment should give .* \(128, 64\); it gives") as refused:
        PartedVAE(**SMALL, augment=answer).fit(x[:200], y[:200])
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ("flip", "augment='flip': should be a function of observations and a torch.Generator"),
        (lambda x, _: x.double(), r"augment should give torch\.float32, as it got; it gives torch\.float64"),
    ],
)
def test_an_augmentation_that_cannot_be_is_refused(augment: Any, message: str) -> None:
    x, y = load_digits(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        PartedVAE(**SMALL, augment=augment).fit(x[:200], y[:200])


@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
@pytest.mark.parametrize("flat", [False, True])
def test_the_default_trains_in_other_precisions(precision: str, flat: bool) -> None:
    x, y = load_digits().images, load_digits().target
    given = x.reshape(len(x), -1) if flat else x
    model = PartedVAE(**SMALL, trainer_options={"precision": precision}).fit(given[:200], y[:200])
    assert np.isfinite(model.history_[-1]["zc_dependence"])
    assert np.isfinite(model.predict_proba(given)).all()


class Half(nn.Module):
    """A network that gives half of its numbers, or draws half of its codes."""

    def __init__(self, part: slice) -> None:
        super().__init__()
        self.part, self.weight = part, nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """The part of each row."""
        return self.weight * x[:, self.part]


@pytest.mark.parametrize(("drawn", "shown"), [(slice(0, 2), "u"), (slice(2, 4), "z")])
def test_swaps_are_recognised_if_the_decoder_draws_u_and_missed_if_it_draws_z(drawn: slice, shown: str) -> None:
    layout = Partition((2,), u_dim=2, z_dim=2)
    model = PartedModel(Scaling((2,)), layout, torch.ones(2), Gaussian(bounded=False), hidden_dim=2)
    model.encoder, model.decoder = nn.Identity(), Half(drawn)
    with torch.no_grad():
        model.class_head.weight.copy_(3 * torch.eye(2))
        model.class_head.bias.zero_()
    classes = torch.arange(8) % 2
    one_hot = torch.eye(2)[classes]
    log_c = (3 * one_hot).log_softmax(dim=1)
    codes = torch.cat([one_hot, one_hot], dim=1).requires_grad_()
    output, swapped = decoded_with_swaps(model, codes)
    assert output.equal(model.decoder(codes))
    missed = unrecognised(model, log_c, swapped)
    # Each neighbour is of the other class, whose log-probabilities are those of this one turned round.
    expected = 0.0 if shown == "u" else float((log_c.exp() * (log_c - log_c.flip(1))).sum(dim=1).mean())
    assert float(missed.detach()) == pytest.approx(expected, abs=1e-6)
    missed.backward()
    assert model.class_head.weight.grad is None  # the judge stays as it is
    assert model.decoder.weight.grad is not None
    if shown == "z":
        assert float(model.decoder.weight.grad) != 0
        assert codes.grad is not None
        moved = (codes.grad[:, :2].abs().sum(dim=1) > 0, codes.grad[:, 2:].abs().sum(dim=1) > 0)
        assert moved[0].sum() == 0
        assert moved[1].nonzero()[:, 0].tolist() == [1, 2]  # a quarter of the rows: z of those after the first two


def test_swaps_of_a_fit_show_their_class_more_often() -> None:
    x, y = load_digits().images, load_digits().target
    settings: dict[str, Any] = {"max_epochs": 25, "random_state": 0, "consistency": 0.0, "gamma_zc": 0.0}
    judge = ExtraTreesClassifier(random_state=0).fit(x[:1200].reshape(1200, -1), y[:1200])
    a, b = np.meshgrid(np.arange(1200, 1500), np.arange(1500, 1797), indexing="ij")
    pairs = np.stack([a.ravel(), b.ravel()])[:, ::20]
    kept = []
    for weight in (15.0, 0.0):
        swaps = PartedVAE(**settings, gamma_swap=weight).fit(x[:1200], y[:1200]).swap(x[pairs[0]], x[pairs[1]])
        kept.append(np.mean(judge.predict(swaps.reshape(len(swaps), -1)) == y[pairs[0]]))
    assert 1 - kept[0] < 0.7 * (1 - kept[1])


def test_z_of_a_fit_knows_less_of_the_class() -> None:
    x, y = load_digits().images, load_digits().target
    settings: dict[str, Any] = {
        "max_epochs": 25,
        "random_state": 0,
        "consistency": 0.0,
        "gamma_swap": 0.0,
        "fit_prior": False,
    }
    with_term, without = (
        float(leakage(PartedVAE(**settings, gamma_zc=weight).fit(x[:1200], y[:1200]).encode(x[1200:]).z, y[1200:]))
        for weight in (40.0, 0.0)
    )
    assert with_term < 0.6 * without

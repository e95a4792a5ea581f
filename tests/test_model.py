"""The networks: shapes of every kind, what may see what, and where gradients go."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Laplace, Normal

from partedvae import likelihoods
from partedvae.attention import ClassAttention
from partedvae.doubling import Doubling
from partedvae.likelihoods import Bernoulli, Gaussian, Likelihood
from partedvae.model import PartedModel, Posterior, gumbel
from partedvae.networks import lay_out
from partedvae.objective import Capacities, Objective, Weights
from partedvae.partition import Partition
from partedvae.prior import MixturePrior
from partedvae.scaling import Scaling

TWO = Partition((3, 2), u_dim=2, z_dim=4)


def make(shape: tuple[int, ...] = (12,), layout: Partition = TWO, likelihood: Likelihood | None = None) -> PartedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return PartedModel(Scaling(shape), layout, torch.ones(layout.n_classes), likelihood or Bernoulli())


def observations(shape: tuple[int, ...], n: int = 6) -> Tensor:
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(1))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=25)
@given(
    channels=st.integers(1, 4),
    height=st.integers(8, 70),
    width=st.integers(8, 70),
    u_dim=st.integers(1, 3),
    z_dim=st.integers(0, 3),
)
def test_images_of_any_size_come_back_in_their_size(
    channels: int, height: int, width: int, u_dim: int, z_dim: int
) -> None:
    shape = (channels, height, width)
    model = make(shape, Partition((3, 2), u_dim, z_dim))
    posterior = model.infer(observations(shape, n=2))
    assert posterior.mean.shape == (2, 2 * u_dim + z_dim)
    assert model.decoder(posterior.mean).shape == (2, *shape)


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (218, 178)])
def test_the_published_sizes_have_the_published_networks(size: tuple[int, int]) -> None:
    model = make((3, *size), TWO)
    convolutions = [layer for layer in model.encoder.modules() if isinstance(layer, torch.nn.Conv2d)]
    expected = {(32, 32): [32, 64, 64], (64, 64): [32, 32, 64, 64], (218, 178): [32, 32, 64, 64, 64]}
    assert [layer.out_channels for layer in convolutions] == expected[size]
    assert {layer.kernel_size for layer in convolutions} == {(4, 4)}
    assert {layer.stride for layer in convolutions} == {(2, 2)}


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(bounded=True), likelihoods.Laplace(bounded=True)])
@pytest.mark.parametrize("shape", [(12,), (1, 9, 14)])
def test_gradients_reach_every_parameter(shape: tuple[int, ...], likelihood: Likelihood) -> None:
    model = make(shape, likelihood=likelihood)
    x = observations(shape)
    posterior = model.infer(x, sharpness=2.0, generator=seeded())
    log_likelihood = model.likelihood.log_prob(model.decoder(posterior.sample(seeded())), x)
    objective = Objective(Weights(1, 15, 15, 15, 30, 30, threshold=0.0), Capacities(7, 7, 10))
    objective(posterior, model.prior, log_likelihood, step=5).total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 33, 20)])
def test_the_layout_of_large_pictures_changes_no_number(shape: tuple[int, ...]) -> None:
    """In float64: forward, and the gradient of every weight; smaller pictures are left as torch lays them out."""

    def run(layout: torch.memory_format) -> list[Tensor]:
        model = make(shape).double()
        lay_out(model, layout)
        posterior = model.infer(observations(shape).double(), generator=seeded())
        output = model.decoder(posterior.sample(seeded()))
        output.square().sum().backward()
        return [output, *vars(posterior).values(), *(w.grad for w in model.parameters() if w.grad is not None)]

    for here, there in zip(run(torch.channels_last), run(torch.contiguous_format), strict=True):
        torch.testing.assert_close(here, there, rtol=1e-10, atol=1e-12)
    kernels = [weight for weight in make(shape).parameters() if weight.ndim == 4 and min(weight.shape) > 1]
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    assert all(weight.is_contiguous() for weight in make((1, 8, 8)).parameters())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("outside", [1, 5])
@pytest.mark.parametrize("more", [(0, 0), (1, 0), (1, 1)])
def test_doubling_is_a_transposed_convolution(more: tuple[int, int], outside: int, layout: torch.memory_format) -> None:
    own = Doubling(3, outside, more).double()
    torchs = torch.nn.ConvTranspose2d(3, outside, 4, stride=2, padding=1, output_padding=more).double()
    torchs.load_state_dict(own.state_dict())
    x = torch.randn(2, 3, 7, 9, generator=seeded(), dtype=torch.float64).to(memory_format=layout)
    found = []
    for layer in (own, torchs):
        seen = x.clone().requires_grad_()
        image = layer(seen)
        (slope,) = torch.autograd.grad(image.pow(3).sum(), seen, create_graph=True)
        slope.square().sum().backward()  # what a penalty on slopes would ask for
        found.append([image, slope, seen.grad, *(weight.grad for weight in layer.parameters())])
    for here, there in zip(*found, strict=True):
        torch.testing.assert_close(here, there)


def test_doubling_to_one_channel_in_half_precision_is_near_that_in_full() -> None:
    layer, x = Doubling(3, 1, (0, 0)), torch.rand(2, 3, 4, 4, generator=seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        short = layer(torch.nn.functional.conv2d(x, torch.eye(3)[:, :, None, None]))
        raw = layer(x)
    assert short.dtype == torch.bfloat16
    for image in (short, raw):
        image.sum().backward()
        torch.testing.assert_close(image.float(), layer(x), atol=0.02, rtol=0.02)


def test_no_attribute_sees_the_class_of_another() -> None:
    model = make()
    h = torch.randn(5, 256, generator=seeded())
    classes = torch.rand(5, 5, generator=seeded()).requires_grad_()
    u_mean, u_logvar = model.class_related(h, classes, sharpness=1.0)
    for attribute, others in ((0, slice(3, 5)), (1, slice(0, 3))):
        block = slice(2 * attribute, 2 * attribute + 2)
        (gradient,) = torch.autograd.grad((u_mean[:, block] + u_logvar[:, block]).sum(), classes, retain_graph=True)
        assert gradient[:, others].abs().max() == 0
        assert gradient.abs().max() > 0


def test_style_sees_no_class_and_training_noise_changes_only_what_is_drawn() -> None:
    model, x = make(), observations((12,))
    first, second = (model.infer(x, generator=seeded(seed)) for seed in (1, 2))
    torch.testing.assert_close(first.z_mean, second.z_mean)
    torch.testing.assert_close(first.log_c, second.log_c)
    assert not torch.allclose(first.u_mean, second.u_mean)
    assert not torch.allclose(first.sample(seeded(1)), first.sample(seeded(2)))
    torch.testing.assert_close(model.infer(x).mean, model.infer(x).mean)


def test_attention_masks_lie_between_0_and_1_and_sharpen() -> None:
    attention = make().attention
    assert isinstance(attention, ClassAttention)
    classes = torch.eye(5)[[0, 1, 2]] + torch.eye(5)[[3, 4, 3]]
    soft, sharp = attention(classes, 1.0), attention(classes, 8.0)
    assert soft.shape == (3, 2, 256)
    assert ((soft > 0) & (soft < 1)).all()
    assert (sharp - 0.5).abs().mean() > (soft - 0.5).abs().mean()
    expected = torch.sigmoid(8.0 * (attention.weight[1] + attention.bias[0]))
    torch.testing.assert_close(sharp[1, 0], expected)


def test_relaxed_classes_are_draws_from_the_posterior() -> None:
    model = make()
    log_c = torch.tensor([[0.7, 0.2, 0.1, 0.9, 0.1]]).log().expand(20_000, 5)
    relaxed = model.relaxed_classes(log_c, gumbel(log_c, seeded()))
    for part in TWO.by_attribute(relaxed):
        torch.testing.assert_close(part.sum(dim=1), torch.ones(20_000))
    shares = model.modal_classes(relaxed).mean(dim=0)  # the arg max of a Gumbel-softmax is an exact draw
    torch.testing.assert_close(shares, log_c[0].exp(), atol=0.015, rtol=0)


def test_samples_of_the_posterior_have_its_mean_and_spread() -> None:
    shape = (50_000, 1)
    posterior = Posterior(
        torch.zeros(shape),
        torch.full(shape, 2.0),
        torch.full(shape, 0.5),
        torch.full(shape, -1.0),
        torch.full(shape, -2.0),
    )
    draws = posterior.sample(seeded())
    torch.testing.assert_close(draws.mean(dim=0), torch.tensor([2.0, -1.0]), atol=0.03, rtol=0)
    torch.testing.assert_close(draws.std(dim=0).log() * 2, torch.tensor([0.5, -2.0]), atol=0.03, rtol=0)


def test_a_model_without_style_has_no_columns_of_it() -> None:
    model = make(layout=Partition((3,), u_dim=2, z_dim=0))
    posterior = model.infer(observations((12,)), generator=seeded())
    assert posterior.z_mean.shape == (6, 0)
    terms = Objective(Weights(1, 1, 1, 1, 1, 1, 0.1), Capacities(7, 7, 1))(
        posterior, model.prior, torch.zeros(6), step=1
    )
    assert "z_term" not in terms.weighted


# ---------------------------------------------------------------------------------------------------------- prior


def test_log_variances_of_the_prior_stay_within_their_bounds() -> None:
    prior = MixturePrior(TWO, torch.ones(5))
    with torch.no_grad():
        prior.raw_logvar.copy_(torch.linspace(-100, 100, 10).view(5, 2))
    assert prior.logvar.min() == -3
    assert prior.logvar.max() == 1


def test_classes_are_drawn_in_their_proportions() -> None:
    prior = MixturePrior(TWO, torch.tensor([2.0, 3.0, 5.0, 6.0, 4.0]))  # proportions need not be normalised
    drawn = prior.draw_classes(20_000, seeded())
    torch.testing.assert_close(drawn[:, 0].bincount() / 20_000, torch.tensor([0.2, 0.3, 0.5]), atol=0.015, rtol=0)
    torch.testing.assert_close(drawn[:, 1].bincount() / 20_000, torch.tensor([0.6, 0.4]), atol=0.015, rtol=0)


def test_components_are_those_of_the_classes() -> None:
    prior = MixturePrior(TWO, torch.ones(5))
    mean, logvar = prior.component(torch.tensor([[2, 0], [1, 1]]))
    torch.testing.assert_close(mean, torch.cat([prior.mean[[2, 1]], prior.mean[[3, 4]]], dim=1))
    torch.testing.assert_close(logvar, torch.cat([prior.logvar[[2, 1]], prior.logvar[[3, 4]]], dim=1))


# ----------------------------------------------------------------------------------------------------- likelihoods


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("bounded", [True, False])
def test_densities_are_those_of_torch(scale: float, bounded: bool) -> None:
    output = torch.randn(4, 2, 3, generator=seeded(), dtype=torch.float64)
    x = torch.rand(4, 2, 3, generator=seeded(1), dtype=torch.float64)
    location = output.sigmoid() if bounded else output
    for ours, theirs in (
        (Gaussian(bounded, scale), Normal(location, scale)),
        (likelihoods.Laplace(bounded, scale), Laplace(location, scale)),
    ):
        torch.testing.assert_close(
            ours.double().log_prob(output, x), theirs.log_prob(x).sum(dim=(1, 2)), rtol=1e-6, atol=1e-6
        )
        torch.testing.assert_close(ours.mean(output), location)


def test_a_fitted_scale_finds_the_spread_of_the_data() -> None:
    likelihood = Gaussian(bounded=False)
    x = 0.05 * torch.randn(5000, 4, generator=seeded())
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        (-likelihood.log_prob(torch.zeros_like(x), x).mean()).backward()
        optimizer.step()
    assert likelihood.log_scale.exp().item() == pytest.approx(0.05, rel=0.05)


def test_the_density_of_constant_data_is_finite() -> None:
    likelihood = Gaussian(bounded=False)
    with torch.no_grad():
        likelihood.log_scale.fill_(-1000.0)
    assert likelihood.log_prob(torch.zeros(2, 3), torch.zeros(2, 3)).isfinite().all()
    assert Bernoulli().log_prob(torch.full((1, 2), 200.0), torch.tensor([[0.0, 1.0]])).isfinite().all()


# --------------------------------------------------------------------------------------------------------- scaling


@pytest.mark.parametrize(
    "raw",
    [
        torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8),
        torch.rand(3, 1, 8, 8),
        16 * torch.rand(3, 1, 8, 8) - 3,
        1e6 + torch.randn(50, 4),
        torch.full((5, 3), 1e6),
        torch.full((5, 1, 8, 8), 7.0),
    ],
)
def test_scaling_comes_back_to_where_it_started(raw: Tensor) -> None:
    scaling, before = Scaling.fit(raw), raw.clone()
    x = scaling(raw)
    assert raw.equal(before)  # whoever owns it keeps it
    assert x.isfinite().all()
    if raw.ndim == 4:
        assert x.min() >= 0
        assert x.max() <= 1
    back = scaling.inverse(x)
    torch.testing.assert_close(back, raw / 255 if raw.dtype == torch.uint8 else raw)

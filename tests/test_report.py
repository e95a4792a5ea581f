"""The report: what its figures show is what the model says, and the page stands alone."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image

from partedvae import PartedVAE
from partedvae.data.dataset import Dataset, Numbered
from partedvae.given_labels import encode_as
from partedvae.labels import MISSING, Attribute
from partedvae.metrics.leakage import Leakage
from partedvae.report import figures, write_report
from partedvae.report.figures.codes import ellipse
from partedvae.report.glance import glance
from partedvae.report.mixture import Plane, around, components, ways
from partedvae.report.page import save_png
from partedvae.report.sections import Subject, attention, classifier, codes, generator, reconstruction
from partedvae.report.sections.attention import in_order, masks, openness

Array = NDArray[Any]
Digits = tuple[Array, Array, Array]


@pytest.fixture(scope="module")
def subject(fitted: PartedVAE, digits: Digits) -> Subject:
    """Digits of which training saw some labels; for the tests they count as unseen."""
    x, y, _ = digits
    return Subject(fitted, x, encode_as(y, len(x), fitted.attributes_), unseen=True)


@pytest.fixture(scope="module")
def subject_two(fitted_two: PartedVAE, two_attributes: tuple[Array, Array]) -> Subject:
    x, y = two_attributes
    return Subject(fitted_two, x, encode_as(y, len(x), fitted_two.attributes_), unseen=False)


class Page(HTMLParser):
    """What a page shows and what it asks for."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = path.read_text(encoding="utf-8")
        self.captions = re.findall("<figcaption>(.*?)</figcaption>", self.text)
        self.paragraphs = re.findall("<p>(.*?)</p>", self.text)
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if tag == "img":
            self.images.append(given)
        if given.get("id"):
            self.anchors.add(str(given["id"]))
        if given.get("href"):
            self.links.append(str(given["href"]))


def report(folder: Path, subject: Subject) -> Page:
    path = folder / "report.html"
    write_report(path, subject, title="T & Co", subtitle="s", facts={"rows": "3"})
    return Page(path)


def check_page(folder: Path, page: Page) -> None:
    """Every figure is on the page and in both kinds of files; nothing is asked of the network."""
    assert all((image["alt"] or "").strip() for image in page.images)
    assert all((image["src"] or "").startswith("data:image/png;base64,") for image in page.images)
    assert len(page.captions) == len(page.images)
    assert all(sentence.endswith(".") for sentence in page.captions + page.paragraphs)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "url(" not in page.text
    assert "@import" not in page.text
    assert page.links
    assert {link.removeprefix("#") for link in page.links} <= page.anchors
    names = {kind: {path.stem for path in (folder / "figures").glob(f"*.{kind}")} for kind in ("png", "svg")}
    assert names["png"] == names["svg"]
    assert len(names["png"]) == len(page.images)
    for name in names["png"]:
        ElementTree.parse(folder / "figures" / f"{name}.svg")  # noqa: S314  # our own file
        with Image.open(folder / "figures" / f"{name}.png") as image:
            assert min(image.size) > 50


def test_the_page_of_pictures_stands_alone(subject: Subject, tmp_path: Path) -> None:
    page = report(tmp_path, subject)
    check_page(tmp_path, page)
    assert "T &amp; Co" in page.text
    expected = {
        "attention_class", "between_class", "capacities", "confusion_class", "interpolation", "leakage", "losses",
        "reconstructions", "reconstructions_worst", "reliability_class", "samples_class", "swap", "traversal_u",
        "traversal_z", "u_space_class",
    }  # fmt: skip
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == expected
    assert len(page.text) < 4_000_000


def test_the_page_of_features_says_what_is_for_pictures_only(subject_two: Subject, tmp_path: Path) -> None:
    model = copy.copy(subject_two.model)
    model.attributes_ = [
        Attribute(name, old.classes) for name, old in zip(("a b", "a/b"), model.attributes_, strict=True)
    ]
    page = report(tmp_path, replace(subject_two, model=model))
    check_page(tmp_path, page)
    for name in ("confusion_a_b", "confusion_a_b_", "u_space_a_b_", "attention_a_b", "between_a_b_"):
        assert (tmp_path / "figures" / f"{name}.svg").exists()  # each attribute has files of its own
    assert page.text.count("for pictures only") == 2  # swaps and ways between observations
    assert page.text.count("labels that training did not see") == 2  # calibration and leakage


def test_a_report_can_be_repeated_to_the_last_bit(
    subject_two: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("partedvae.report.page.all_sections", lambda subject: [attention.attention(subject)])
    report(tmp_path, subject_two)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(files) == 5
    report(tmp_path, subject_two)
    assert {path: path.read_bytes() for path in files} == files


def test_without_z_with_one_dimension_of_u_and_with_odd_names_there_is_a_report(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(256, size=(27, 12, 9, 3), dtype=np.uint8)
    y = np.array(["$5 to $10", "$a_{b$ of", "plain & <b>"], dtype=object)[np.arange(27) % 3]
    model = PartedVAE(u_dim=1, z_dim=0, hidden_dim=8, max_epochs=1, random_state=0).fit(x, y)
    known = encode_as(y, len(x), model.attributes_)
    page = report(tmp_path, Subject(model, x, known, unseen=True, ids=[f"{i}.png" for i in range(27)]))
    check_page(tmp_path, page)
    assert "This model has no z: there is no style" in page.text  # no swaps
    assert "This model has no z." in page.text  # no traversal
    assert set(generator.interpolations(model, np.zeros((2, 1)), np.zeros((2, 0)))) == {"u moves"}
    assert "u has one dimension." in page.text
    assert "only 9 labelled observations here that training did not see; 10 are needed" in page.text
    assert re.search(r"They are the observations \d+\.png, ", page.text)


def test_without_known_labels_the_report_says_so(fitted: PartedVAE, digits: Digits) -> None:
    x = digits[0][:60]
    nothing = Subject(fitted, x, np.full((60, 1), MISSING), unseen=True)
    for section in (classifier.confusion(nothing), classifier.reliability(nothing), codes.what_codes_tell(nothing)):
        assert not section.figures
        assert section.text
    assert "Grey" in codes.u_space(nothing).figures[0].caption


# ------------------------------------------------------------------------------------------------------- the mixture


def test_ellipses_hold_what_components_draw() -> None:
    rng = np.random.default_rng(0)
    means, variances = rng.normal(size=(3, 5)), rng.uniform(0.05, 2.7, size=(3, 5))
    plane = Plane.of(rng.normal(size=(200, 5)) * [3, 1, 2, 0.5, 1], means)
    np.testing.assert_allclose(plane.directions @ plane.directions.T, np.eye(2), atol=1e-12)
    centres, covariances = plane.points(means), plane.covariances(variances)
    for k in range(3):
        drawn = plane.points(means[k] + rng.normal(size=(200_000, 5)) * np.sqrt(variances[k]))
        np.testing.assert_allclose(drawn.mean(axis=0), centres[k], atol=0.02)
        np.testing.assert_allclose(np.cov(drawn.T), covariances[k], atol=0.02)
        shape = ellipse(centres[k], covariances[k], "black")
        inside = shape.get_patch_transform().transform_path(shape.get_path()).contains_points(drawn)
        assert inside.mean() == pytest.approx(1 - np.exp(-2), abs=0.005)  # within 2 sigma, in two dimensions


def test_the_plane_is_the_widest_of_codes_and_means() -> None:
    rng = np.random.default_rng(1)
    u, means = rng.normal(size=(100, 4)) * [1, 4, 0.1, 2], rng.normal(size=(3, 4))
    plane = Plane.of(u, means)
    variances = np.linalg.eigvalsh(np.cov(np.concatenate([u, means]).T))
    assert plane.share == pytest.approx(variances[-2:].sum() / variances.sum())
    np.testing.assert_allclose(plane.points(plane.origin[None]), 0, atol=1e-12)


def test_components_are_those_of_the_prior(fitted_two: PartedVAE) -> None:
    prior = fitted_two.net_.prior
    for a, size in enumerate((3, 2)):
        mean, variance = components(fitted_two, a)
        assert mean.shape == variance.shape == (size, 2)
        for k in range(size):
            row = [0, 0]
            row[a] = k
            expected_mean, expected_logvar = prior.component(torch.tensor([row]))
            np.testing.assert_allclose(mean[k], expected_mean.detach()[0, 2 * a : 2 * a + 2], rtol=1e-6)
            np.testing.assert_allclose(np.log(variance[k]), expected_logvar.detach()[0, 2 * a : 2 * a + 2], rtol=1e-5)


def test_ways_lead_from_mean_to_mean_and_change_nothing_else(fitted_two: PartedVAE) -> None:
    start = np.arange(7.0)
    mean, variance = components(fitted_two, 1)
    (led,) = ways(fitted_two, start, attribute=1, start=0, ends=[1])
    np.testing.assert_allclose(led[[0, 4, -1], 2:4], [mean[0], mean.mean(axis=0), mean[1]], rtol=1e-6)
    np.testing.assert_array_equal(np.delete(led, [2, 3], axis=1), np.tile([0, 1, 4, 5, 6], (9, 1)))
    values = around(fitted_two, dim=3, classes=np.array([2, 1]))
    reach = 2 * np.sqrt(variance[1, 1])
    np.testing.assert_allclose(values[[0, 4, -1]], mean[1, 1] + reach * np.array([-1, 0, 1]), rtol=1e-6)


# ------------------------------------------------------------------------------------- pictures and reconstructions


def test_interpolations_end_at_reconstructions_and_swaps(subject: Subject) -> None:
    pair = np.array([3, 40])
    first, second = subject.x[pair[:1]], subject.x[pair[1:]]
    again = subject.model.reconstruct(subject.x[pair])
    steps = generator.interpolations(subject.model, subject.encoded.u[pair], subject.encoded.z[pair])
    assert {name: len(row) for name, row in steps.items()} == {"u and z move": 9, "u moves": 9, "z moves": 9}
    for row in steps.values():
        np.testing.assert_allclose(row[0], again[0], atol=1e-5)
    np.testing.assert_allclose(steps["u and z move"][-1], again[1], atol=1e-5)
    np.testing.assert_allclose(steps["u moves"][-1], subject.model.swap(second, first)[0], atol=1e-5)
    np.testing.assert_allclose(steps["z moves"][-1], subject.model.swap(first, second)[0], atol=1e-5)


def test_the_worst_reconstructions_come_first(subject: Subject) -> None:
    error = np.sqrt(np.square(subject.model.reconstruct(subject.x) - subject.x).mean(axis=(1, 2)))
    np.testing.assert_allclose(reconstruction.errors(subject, np.arange(300)), error, rtol=1e-4)
    section = reconstruction.reconstructions(subject)
    assert f"below {np.median(error):.2f}; the largest is {error.max():.2f}" in section.text
    worst, _ = section.figures
    named = [int(row) for row in re.findall(r"\d+", worst.caption)]
    assert named == np.argsort(-error)[:12].tolist()
    written = [text.get_text() for text in worst.figure.axes[0].texts]
    assert [f"{error[row]:.2f}" for row in named] == written[2:]  # after the names of the two rows


def test_pictures_keep_their_proportions_and_originals_are_framed() -> None:
    figure = figures.picture_grid([[np.zeros((20, 10))] * 3, [np.ones((20, 10))]], frame={(1, 0)})
    (axis,) = figure.axes
    assert len(axis.images) == 4
    left, right, bottom, top = axis.images[0].get_extent()
    assert (bottom - top) / (right - left) == pytest.approx(2)
    (frame,) = axis.patches
    assert frame.get_extents().transformed(axis.transData.inverted()).y0 == pytest.approx(2 - top)


def test_what_is_above_a_grid_stands_over_all_of_its_pictures() -> None:
    words = "originals on the left, what the model makes of them beside each, and much more to read"
    narrow, wide = (figures.picture_grid([[np.zeros((8, 8))] * n], above=words) for n in (3, 12))
    for figure in (narrow, wide):
        (said,) = figure.texts
        assert said.get_text().replace("\n", " ") == words
        box = said.get_window_extent()
        assert box.x1 < figure.bbox.x1
        assert box.y0 > figure.axes[0].get_window_extent().y1
    assert "\n" in narrow.texts[0].get_text()


def test_of_many_features_those_are_named_that_differ_most() -> None:
    values = np.zeros((2, 100))
    values[0, 7], values[1, 93], values[1, 50:88] = 5.0, -4.0, 1.0
    (axis, _) = figures.heat_map(values, ["a", "b"], [f"gene {i}" for i in range(100)], "change").axes
    named = [label.get_text() for label in axis.get_xticklabels()]
    assert named == ["gene 7", *(f"gene {i}" for i in range(50, 88)), "gene 93"]
    assert axis.get_xlabel() == "40 of 100 features"
    assert np.array_equal(np.asarray(axis.images[0].get_array())[0, [0, -1]], [5, 0])


def test_a_glance_says_that_there_are_more_classes() -> None:
    x, labels = np.random.default_rng(0).uniform(size=(60, 8, 8)), np.arange(60) % 15
    attribute = Attribute("kind", np.arange(15).astype(str))
    for pictures in (x, x.reshape(60, -1)):
        many = Dataset(x=pictures, codes=labels[:, None], attributes=(attribute,), ids=Numbered(range(60)))
        few = replace(many, codes=np.minimum(labels, 3)[:, None])
        said = [
            [text.get_text() for text in figure.findobj(Text) if "classes" in text.get_text()]
            for figure in (glance(many), glance(few))
        ]
        assert said == [["The first 12 of 15 classes of kind."], []]


# ------------------------------------------------------------------------------------------------------ the classes


def test_reliability_states_what_the_predictions_are_worth(subject: Subject) -> None:
    p = subject.model.predict_proba(subject.x)
    assert not isinstance(p, list)
    truth = subject.codes[:, 0]
    sure, right = p.max(axis=1), p.argmax(axis=1) == truth
    bins = np.ceil(sure * 15)
    gaps = [abs(right[bins == b].mean() - sure[bins == b].mean()) * np.mean(bins == b) for b in np.unique(bins)]
    text = classifier.reliability(subject).text
    assert f"ECE {100 * sum(gaps):.1f} percentage points" in text
    assert f"NLL {-np.log(p[np.arange(300), truth]).mean():.2f} nats" in text
    assert f"mean confidence of {sure.mean():.1%}, and {right.mean():.1%} of them are right" in text
    assert "gives 2.30" in text  # ln 10


def test_confusion_counts_what_was_taken_for_what(subject: Subject) -> None:
    section = classifier.confusion(subject)
    right = (subject.model.predict(subject.x) == subject.codes[:, 0]).mean()
    assert f"Of 300 labelled observations {right:.1%} are recognised" in section.text
    numbers = [int(text.get_text()) for text in section.figures[0].figure.axes[0].texts]
    assert sum(numbers) == 300


def test_masks_are_those_of_the_attention(subject_two: Subject) -> None:
    model = subject_two.model
    for a, size in enumerate((3, 2)):
        mask = masks(model, a)
        assert mask.shape == (size, 256)
        with torch.inference_mode():
            for k in range(size):
                chosen = [k if b == a else 0 for b in range(2)]
                one_hot = torch.zeros(1, 5)
                one_hot[0, [0 + chosen[0], 3 + chosen[1]]] = 1
                np.testing.assert_allclose(mask[k], model.net_.attention(one_hot, 8.0)[0, a], rtol=1e-5)
        n_open = [sum(row[i] > 0.5 for row in mask.tolist()) for i in range(256)]
        sentence = openness(mask)
        assert sentence in attention.attention(subject_two).text
        numbers = [int(number) for number in re.findall(r"\d+", sentence.replace("0.5", ""))]
        assert numbers == [256, n_open.count(size), n_open.count(1), n_open.count(0)]
        sorted_open = (mask[:, in_order(mask)] > 0.5).sum(axis=0)
        assert (np.diff(sorted_open) <= 0).all()


def test_what_codes_tell_is_drawn_with_its_interval(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []

    def leakage(code: Array, truth: Array, **options: Any) -> Leakage:
        asked.append(code.shape)
        assert options["max_rows"] == 1_500
        return Leakage(0.25, (0.2, 0.3), 0.05, 0.325, {}, len(truth))

    monkeypatch.setattr(codes, "leakage", leakage)
    section = codes.what_codes_tell(subject)
    assert asked == [(300, 10), (300, 8), (300, 3)]
    assert "c 0.25, u 0.25, z 0.25. From z alone the class is read rightly for 32%" in section.text
    (axis,) = section.figures[0].figure.axes
    lines = [np.asarray(line.get_xdata()).tolist() for line in axis.lines]
    assert lines == [[0.2, 0.3], [0.05, 0.05]] * 3 + [[0, 0]]


@pytest.mark.parametrize("draw", [figures.plane, figures.line])
def test_unknown_classes_are_behind_the_others_in_grey(draw: Callable[..., Figure]) -> None:
    points = np.arange(10.0).reshape(5, 2)
    spread = np.stack([np.eye(2)] * 3)
    if draw is figures.line:
        points, spread = points[:, 0], np.ones(3)
    centres = np.zeros((3, 2)) if points.ndim == 2 else np.zeros(3)
    (axis,) = draw(points, np.array([-1, 0, 2, -1, -1]), centres, spread, ["a", "b", "c"]).axes
    unknown, known = axis.lines[0], axis.collections[0]
    assert len(np.asarray(unknown.get_xdata())) == 3
    assert len(np.asarray(known.get_offsets())) == 2
    assert unknown.get_zorder() < known.get_zorder()
    said = axis.get_legend() if draw is figures.plane else axis.get_yticklabels()[-1]
    assert said is not None
    assert any("label" in text.get_text() or text.get_text() == "unknown" for text in said.findobj(Text))


def test_letters_that_no_font_has_are_told_once_and_others_are_drawn(tmp_path: Path) -> None:
    figure = Figure()
    for place, name in enumerate(("a \U000f0000", "b \U000f0000\U000f0001", "é")):
        figure.text(0.5, 0.2 * place, name)
    with pytest.warns(UserWarning, match="No font that matplotlib finds has \U000f0000\U000f0001: ") as said:
        save_png(tmp_path / "a.png", figure)
    assert len(said) == 1
    figure.texts[0].set_text("plain")
    figure.texts[1].set_text("ünï")
    save_png(tmp_path / "b.png", figure)


def test_bytes_are_shown_as_the_numbers_that_a_model_of_such_has(digits: Digits) -> None:
    x, y, _ = digits
    whole = np.rint(x * 240)
    model = PartedVAE(u_dim=2, z_dim=2, hidden_dim=16, max_epochs=1, random_state=0).fit(whole[:100], y[:100])
    bytes_, codes_ = whole[:100].astype(np.uint8), encode_as(y[:100], 100, model.attributes_)
    shown = Subject(model, bytes_, codes_, unseen=False).as_pictures(np.arange(100))
    assert shown.max() == whole[:100].max()

"""What the report shows of a model, section by section: a title, a few sentences for a reader, figures."""

from __future__ import annotations

from collections.abc import Iterator

from partedvae.report.sections import attention, classifier, codes, generator, reconstruction, training, traversals
from partedvae.report.sections.generator import swap_figure
from partedvae.report.sections.traversals import traversal_figure
from partedvae.report.subject import Section, Shown, Subject

__all__ = ["Section", "Shown", "Subject", "all_sections", "swap_figure", "traversal_figure"]


def all_sections(subject: Subject) -> Iterator[Section]:
    """The report from top to bottom."""
    yield classifier.confusion(subject)
    yield classifier.reliability(subject)
    yield generator.swap_grid(subject)
    yield generator.samples(subject)
    yield generator.interpolation(subject)
    yield reconstruction.reconstructions(subject)
    yield traversals.of_z(subject)
    yield traversals.of_u(subject)
    yield codes.u_space(subject)
    if subject.model.config_.attention:
        yield attention.attention(subject)
    yield codes.what_codes_tell(subject)
    yield training.training(subject)

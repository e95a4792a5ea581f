"""Figures, and the page that shows them."""

from partedvae.report.page import write_report

__all__ = ["write_report"]

"""``python -m partedvae``."""

from partedvae.cli import main

main()

"""Programs become text: NumPy modules, C sources, and how they are laid out."""

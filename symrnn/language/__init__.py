"""The equation language: cell files and texts to `Cell`, with the trees, names and functions that every package reads."""

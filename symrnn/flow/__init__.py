"""Gradient flow: what becomes of a gradient on its way back through the steps of a run, path by path."""

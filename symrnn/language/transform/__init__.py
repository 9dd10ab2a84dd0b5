"""Transformations: from a `Cell` to a `Cell` by rewriting its equations, made anew through the language."""

"""Targets: each turns a `Program` into files that run, in a folder of its own beside its templates."""

"""Targets: each turns a `Program` into files that run, and has a folder of its own."""

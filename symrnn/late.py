"""Imports an object by its place, when it is first needed: the one module that loads parts of symrnn late.

SymPy and NumPy take a while to load. The package, the command line and the registry of targets answer without them, and
name what they need later as text. Reads a place; returns the object. Imports nothing of symrnn.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


def load_late(place: str) -> Any:
    """The object at ``place``.

    >>> load_late("math:tau") > 6
    True

    Args:
        place: ``package.module:name``.

    Raises:
        ImportError: there is no such module, or it needs one that is not installed.
        AttributeError: the module has no such name.
    """
    module, _, name = place.partition(":")
    return getattr(load_module(module), name)


def load_module(name: str) -> ModuleType:
    """The module of a dotted name.

    Raises:
        ImportError: there is no such module, or it needs one that is not installed.
    """
    return importlib.import_module(name)

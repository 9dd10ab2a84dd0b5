"""Recurrent cells as equations: gradients derived and proven, kernels generated in NumPy and C.

Reads nothing by itself; offers the public names below. SymPy and NumPy take a while to load, so each name is looked up
where it lives when it is first used (`symrnn.late`). Leaves out: what the packages do;
`symrnn.pipeline` is their map.

    cell = symrnn.load("lstm")                  # a bundled name, or the path of a cell file
    derivation = symrnn.derive(cell)            # every gradient, with its LaTeX
    files = symrnn.generate(cell, out="generated")
    kernels = symrnn.build(cell, backend="c")   # or "numpy"
    report = symrnn.check([cell])               # the oracles
    print(symrnn.diagnose(my_backward, cell))   # a backward pass of your own, and what is wrong with it
    cell = symrnn.zoneout(cell, h=0.1)          # transformations: cells from cells
    flow = symrnn.flow(cell, params, x)         # how a gradient fares on its way back through time
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from symrnn import errors
from symrnn.late import load_late, load_module
from symrnn.version import __version__

if TYPE_CHECKING:
    from symrnn.check.check import check
    from symrnn.derive.derivation import Derivation, derive
    from symrnn.diagnose.diagnose import diagnose
    from symrnn.flow.clip import clip_by_global_norm, clip_by_value
    from symrnn.flow.flow import Flow, flow
    from symrnn.language.bundled import cells
    from symrnn.language.cell import Cell
    from symrnn.language.cellfile import load
    from symrnn.language.transform.masks import masks
    from symrnn.language.transform.public import layer_norm, recurrent_dropout, residual, stack, zoneout
    from symrnn.pipeline import build, generate, program, render
    from symrnn.report.picture import Picture, picture

__all__ = [
    "Cell",
    "Derivation",
    "Flow",
    "Picture",
    "__version__",
    "build",
    "cells",
    "check",
    "clip_by_global_norm",
    "clip_by_value",
    "derive",
    "diagnose",
    "errors",
    "flow",
    "generate",
    "layer_norm",
    "load",
    "masks",
    "picture",
    "program",
    "recurrent_dropout",
    "render",
    "residual",
    "stack",
    "zoneout",
]

_HOMES = {
    "Cell": "symrnn.language.cell",
    "Derivation": "symrnn.derive.derivation",
    "Flow": "symrnn.flow.flow",
    "Picture": "symrnn.report.picture",
    "build": "symrnn.pipeline",
    "cells": "symrnn.language.bundled",
    "check": "symrnn.check.check",
    "clip_by_global_norm": "symrnn.flow.clip",
    "clip_by_value": "symrnn.flow.clip",
    "derive": "symrnn.derive.derivation",
    "diagnose": "symrnn.diagnose.diagnose",
    "flow": "symrnn.flow.flow",
    "generate": "symrnn.pipeline",
    "layer_norm": "symrnn.language.transform.public",
    "load": "symrnn.language.cellfile",
    "masks": "symrnn.language.transform.masks",
    "picture": "symrnn.report.picture",
    "program": "symrnn.pipeline",
    "recurrent_dropout": "symrnn.language.transform.public",
    "render": "symrnn.pipeline",
    "residual": "symrnn.language.transform.public",
    "stack": "symrnn.language.transform.public",
    "zoneout": "symrnn.language.transform.public",
}

_CALLABLE = ("build", "check", "derive", "diagnose", "flow")
"""Public functions that share their name with a package."""


def _resolve(name: str) -> Any:
    return load_late(f"{_HOMES[name]}:{name}")


_FRAMEWORKS = ("torch",)
"""Subpackages that need what not everyone has: imported when they are first named."""


def __getattr__(name: str) -> Any:
    if name in _FRAMEWORKS:
        return load_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = _resolve(name)
    if name in _CALLABLE:
        # Load the package first: the name then means one object, whoever asks first (see `_CallablePackage`).
        load_module(f"{__name__}.{name}")
    return globals().setdefault(name, value)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _CallablePackage(ModuleType):
    """A subpackage that is the public function of its name as well.

    A package and its function share one name: ``symrnn.derive.adjoint`` is a module, ``symrnn.derive(cell)`` a call, and
    importing the first must not break the second.
    """

    @property
    def __doc__(self) -> str:  # type: ignore[override]  # a plain attribute of modules; here it is looked up late
        """The function's docstring under its signature, for `help`."""
        function = self.__wrapped__
        return f"{function.__name__}{inspect.signature(function)}\n\n{inspect.getdoc(function)}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """The function. `inspect` reads its signature from this attribute."""
        function: Callable[..., Any] = _resolve(self.__name__.rpartition(".")[2])
        return function


class _Package(ModuleType):
    """This package. The import system sets each subpackage as an attribute; here the subpackage becomes callable."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in _HOMES and isinstance(value, ModuleType):
            value.__class__ = _CallablePackage
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

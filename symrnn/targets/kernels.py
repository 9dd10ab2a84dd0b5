"""The files of one cell become its kernels: a module with the public surface.

Reads the texts that `generate` would write; returns the imported module. Leaves out: the texts (`symrnn.emit`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

import numpy as np

from symrnn.build.loading import import_text
from symrnn.errors import BuildError
from symrnn.language.system import HIDDEN, INPUT
from symrnn.targets.c.files import RUNTIME
from symrnn.targets.c.library import compile_library
from symrnn.targets.c.toolchain import Options

BACKENDS = ("numpy", "c")
"""What kernels are generated for."""

FEW_UNITS = 2
"""A number for every size that is free, where a module is only to be run."""


def module_name(cell: str, backend: str) -> str:
    """The generated module of a cell, without ``.py``.

    >>> module_name("elman", "numpy")
    'elman_numpy'
    """
    return f"{cell}_{backend}"


def c_sources(files: Mapping[str, str], cell: str) -> dict[str, str]:
    """What the C compiler is given of a cell's files: the source, its header, and the runtime where it is beside them."""
    names = (f"{cell}.c", f"{cell}.h", *RUNTIME)
    return {name: files[name] for name in names if name in files}


def load_kernels(files: Mapping[str, str], cell: str, backend: str, *, options: Options | None = None) -> ModuleType:
    """Import the generated module of a cell; for C, compile its library first, or take it from the cache.

    Args:
        files: file name to text; those of ``backend`` among them.
        cell: its name.
        backend: one of `BACKENDS`.
        options: how to compile C; the defaults unless given.

    Raises:
        BuildError: there is no such backend; C cannot be compiled; or the library does not fit this machine.
    """
    if backend not in BACKENDS:
        raise BuildError(f"backend {backend!r} is not known; choose from {', '.join(BACKENDS)}")
    name = module_name(cell, backend)
    text = files[f"{name}.py"]
    if backend == "numpy":
        return import_text(text, name)
    library = compile_library(c_sources(files, cell), cell, options=options)
    try:
        return import_text(text, name, library.parent)
    except ImportError as error:
        raise BuildError(str(error)) from error


def try_out(kernels: ModuleType, sizes: Mapping[str, int], dtype: str, *, backward: bool = True) -> None:
    """Run two steps of a few units, so that a module is not called done before its functions ran on this machine.

    Args:
        kernels: a generated module.
        sizes: a number for each of `Cell.sizes`.
        dtype: of parameters and input.
        backward: whether the module has a backward pass.

    Raises:
        BuildError: the output has another type.
    """
    given = dict(sizes)
    width = given.pop(INPUT)
    params = kernels.init_params(width, given.pop(HIDDEN), dtype=dtype, **given)
    x = np.full((FEW_UNITS, FEW_UNITS, width), 0.5, dtype)
    y, _ = kernels.infer(params, x)
    if y.dtype != x.dtype:
        raise BuildError(f"{kernels.__name__}: {dtype} input gives {y.dtype} output (a fault of symrnn)")
    if backward:
        y, _, tape = kernels.forward(params, x)
        kernels.backward(params, tape, y)

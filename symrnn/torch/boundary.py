"""The operators of one cell in C: a small file, compiled in a third of a second, that PyTorch calls without Python.

Reads `CellKernels` that are compiled; registers the operators for the CPU. Where PyTorch is too old for it, or no compiler is
there, the operators run through ctypes (`symrnn.torch.operators`). Leaves out: their schemas and fakes.
"""

from __future__ import annotations

import _thread
import ctypes
import threading
from pathlib import Path
from typing import Any

import torch

from symrnn.emit.render import render
from symrnn.emit.templates import template_directory
from symrnn.errors import BuildError
from symrnn.language.axes import Spelt, has_axes
from symrnn.language.system import ONE
from symrnn.targets.c.library import compile_library
from symrnn.targets.c.toolchain import Options
from symrnn.torch.cell_kernels import CellKernels

FOLDER = "torch_operators"
HEADER = "symrnn_torch.h"
NEEDED = (2, 13)
"""The first PyTorch whose functions in C are enough."""
ENTRIES = (
    "packed_size",
    "tape_size",
    "forward_workspace_size",
    "infer_workspace_size",
    "backward_workspace_size",
    "useful_parts",
    "pack",
    "forward",
    "infer",
    "backward",
)
"""The entry points in the order of the table in ``symrnn_torch.h``."""
LED = ("forward", "infer", "backward", "pack")
"""The entries that run in parts, in the order of the enumeration in ``symrnn_torch.h``."""
PRECISIONS = ("float32", "float64")
_INTERRUPTED = -1
_SOON = 0.01
_STATUSES = 64
_NO_COLUMN, _ONE_PLACE = -2, -1
_LEAD = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_size_t, ctypes.c_void_p)
_MEANING = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int)
_HELD: list[Any] = []
"""Libraries and functions that C calls for as long as the process lives."""


def source_of(kernels: CellKernels, stem: str) -> str:
    """The text of the cell's own file.

    Args:
        kernels: of the cell.
        stem: the beginning of the operators' names.
    """
    shapes = list(kernels.parameters.values())
    named = [
        *kernels.states.values(),
        *kernels.inputs.values(),
        *kernels.outputs.values(),
        *(s for each in shapes for s in each),
    ]
    products = [size for size in dict.fromkeys(named) if has_axes(size)]
    texts = Spelt({ONE: "1", **{size: f"size[{place}]" for place, size in enumerate(kernels.cell.sizes)}})
    units = [*kernels.cell.sizes, *products]
    places = {ONE: _ONE_PLACE, **{size: place for place, size in enumerate(units)}}
    return render(
        f"{FOLDER}/operators.c.jinja",
        {
            "title": kernels.cell.title or kernels.cell.name,
            "digest": kernels.digest,
            "stem": stem,
            "sizes": len(kernels.cell.sizes),
            "units": [texts[size] for size in units],
            "state_sizes": [places[size] for size in kernels.states.values()],
            "inputs": [places[size] for size in kernels.inputs.values()],
            "outputs": [places[size] for size in kernels.outputs.values()],
            "rows": [places[shape[0]] for shape in shapes],
            "columns": [places[shape[1]] if len(shape) > 1 else _NO_COLUMN for shape in shapes],
            "without_gradient": [int(place in kernels.fixed) for place in range(len(shapes))],
        },
    )


def register_in_c(kernels: CellKernels, stem: str) -> str:
    """Register the operators ``<stem>_forward``, ``_infer`` and ``_backward`` for the CPU; returns why not, or nothing.

    Args:
        kernels: of the cell, compiled.
        stem: the beginning of the operators' names, whose schemas are defined.
    """
    found = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if found < NEEDED:
        return f"PyTorch {torch.__version__} is older than {'.'.join(map(str, NEEDED))}"
    sources = {
        f"{stem}.c": source_of(kernels, stem),
        HEADER: template_directory().joinpath(FOLDER, HEADER).read_text(encoding="utf-8"),
    }
    folder = Path(torch.__file__).parent / "lib"
    # The order matters where a linker drops libraries that no file before them needs.
    extra = ("-fexceptions", "-Wl,--no-as-needed", f"-L{folder}", "-ltorch_cpu")
    try:
        path = compile_library(sources, stem, options=Options(optimise="-O1", march="baseline", extra=extra))
        library = ctypes.CDLL(str(path))
    except (BuildError, OSError) as error:
        return str(error)
    module = kernels.compiled
    assert module is not None
    entries = [module.entry_points(dtype)[name] for dtype in PRECISIONS for name in ENTRIES]
    row = (ctypes.c_void_p * len(entries))(*entries)
    # One text for a status: C reads it after the callback has returned, maybe in several threads.
    texts = {status: ctypes.create_string_buffer(module.meaning(status).encode()) for status in range(1, _STATUSES)}
    texts[_INTERRUPTED] = ctypes.create_string_buffer(f"{kernels.cell.name}: interrupted by an exception".encode())

    def lead(precision: int, entry: int, parts: int, arguments: int) -> int:
        try:
            return int(module.lead(PRECISIONS[precision], LED[entry], parts, arguments))
        except BaseException as error:  # a signal's handler may raise anything here, and C raises an error in its place
            if isinstance(error, KeyboardInterrupt):  # so Ctrl-C comes once more, when C is done
                threading.Timer(_SOON, _thread.interrupt_main).start()
            return _INTERRUPTED

    def meaning(status: int) -> int:
        return ctypes.addressof(texts[status]) if status in texts else 0

    callbacks = _LEAD(lead), _MEANING(meaning)
    _HELD.extend((library, callbacks, texts))
    register = library.register_operators
    register.argtypes, register.restype = (ctypes.c_void_p, _LEAD, _MEANING), ctypes.c_int
    return "" if register(ctypes.addressof(row), *callbacks) else "PyTorch did not accept the operators"

"""The files of a cell become a module; a module that does not run is not called done."""

from __future__ import annotations

import linecache
import sys
import threading
from types import ModuleType

import numpy as np
import pytest

from symrnn.build.loading import import_text
from symrnn.errors import BuildError
from symrnn.targets.c.toolchain import Options
from symrnn.targets.kernels import c_sources, load_kernels, try_out

LIBRARY = """
import ctypes, pathlib, sys
suffix = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
twice = ctypes.CDLL(str(pathlib.Path(__file__).with_name("cell" + suffix))).twice
twice.argtypes, twice.restype = [ctypes.c_double], ctypes.c_double
"""
FILES = {
    "cell_numpy.py": "def twice(a):\n    return 2.0 * a\n",
    "cell_c.py": LIBRARY,
    "cell.c": '#include "cell.h"\ndouble twice(double a) { return 2.0 * a; }\n',
    "cell.h": "double twice(double a);\n",
    "cell.tex": "",
}
QUICK = Options(optimise="-O0", march="")


@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_files_become_a_module(backend: str, real_compiler: str) -> None:
    kernels = load_kernels(FILES, "cell", backend, options=QUICK)
    assert kernels.twice(21.0) == 42.0
    assert load_kernels(FILES, "cell", backend, options=QUICK) is kernels
    assert list(c_sources(FILES, "cell")) == ["cell.c", "cell.h"]


def test_another_backend_is_named() -> None:
    with pytest.raises(BuildError, match="backend 'fortran' is not known; choose from numpy, c"):
        load_kernels(FILES, "cell", "fortran")


def test_a_library_that_is_refused_is_an_error_of_the_build(real_compiler: str) -> None:
    refusing = FILES | {"cell_c.py": "raise ImportError('compiled for another processor')"}
    with pytest.raises(BuildError, match="compiled for another processor"):
        load_kernels(refusing, "cell", "c", options=QUICK)


def test_a_module_can_be_stepped_through_and_a_failed_one_is_forgotten() -> None:
    module = import_text("def f():\n    return 1\n", "m")
    assert module.f() == 1
    assert linecache.getline(module.f.__code__.co_filename, 2) == "    return 1\n"
    before = set(sys.modules)
    with pytest.raises(ZeroDivisionError):
        import_text("1 / 0", "m")
    assert set(sys.modules) == before


def test_several_threads_get_a_whole_module() -> None:
    text, found = "import time\ntime.sleep(0.05)\nlast = 1\n", []
    threads = [threading.Thread(target=lambda: found.append(import_text(text, "slow").last)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 4


def kernels_in(dtype: str, calls: list[str]) -> ModuleType:
    """Kernels whose output has ``dtype`` whatever the input."""
    module = ModuleType("kernels")

    def init_params(rows: int, columns: int, *, dtype: str, projection: int) -> dict[str, np.ndarray]:
        return {"W": np.ones((rows, columns, projection), dtype)}

    def infer(params: object, x: np.ndarray) -> tuple[np.ndarray, None]:
        calls.append("infer")
        return x.astype(dtype), None

    def forward(params: object, x: np.ndarray) -> tuple[np.ndarray, None, np.ndarray]:
        return x, None, x

    def backward(params: object, tape: np.ndarray, dy: np.ndarray) -> None:
        assert dy.shape == tape.shape
        calls.append("backward")

    for function in (init_params, infer, forward, backward):
        setattr(module, function.__name__, function)
    return module


SIZES = {"input": 2, "hidden": 3, "projection": 4}


def test_kernels_are_tried_with_every_size_in_the_precision_asked_for() -> None:
    calls: list[str] = []
    try_out(kernels_in("float64", calls), SIZES, "float64")
    try_out(kernels_in("float64", calls), SIZES, "float64", backward=False)
    assert calls == ["infer", "backward", "infer"]
    with pytest.raises(BuildError, match="float32 input gives float64 output"):
        try_out(kernels_in("float64", calls), SIZES, "float32")

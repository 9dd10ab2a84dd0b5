"""The files of a cell become a module over its library."""

from __future__ import annotations

import pytest

from symrnn.errors import BuildError
from symrnn.targets.c.load_kernels import c_sources, load_kernels
from symrnn.targets.c.toolchain import Options

LIBRARY = """
import ctypes, pathlib, sys
suffix = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
twice = ctypes.CDLL(str(pathlib.Path(__file__).with_name("cell" + suffix))).twice
twice.argtypes, twice.restype = [ctypes.c_double], ctypes.c_double
"""
FILES = {
    "cell_c.py": LIBRARY,
    "cell.c": '#include "cell.h"\ndouble twice(double a) { return 2.0 * a; }\n',
    "cell.h": "double twice(double a);\n",
    "cell.tex": "",
}
QUICK = Options(optimise="-O0", march="")


def test_files_become_a_module(real_compiler: str) -> None:
    kernels = load_kernels(FILES, "cell", QUICK)
    assert kernels.twice(21.0) == 42.0
    assert load_kernels(FILES, "cell", QUICK) is kernels
    assert list(c_sources(FILES, "cell")) == ["cell.c", "cell.h"]


def test_a_library_that_is_refused_is_an_error_of_the_build(real_compiler: str) -> None:
    refusing = FILES | {"cell_c.py": "raise ImportError('compiled for another processor')"}
    with pytest.raises(BuildError, match="compiled for another processor"):
        load_kernels(refusing, "cell", QUICK)

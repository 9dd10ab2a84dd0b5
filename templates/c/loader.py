"""Loader: finds the compiled library beside this module, checks it, and loads it."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from templates.c.cell import (
    _ABI,
    _COMPILE,
    _COMPILERS,
    _MARCH_VARIABLE,
    _MARCHES,
    _OTHER_SUFFIX,
    _SUFFIXES,
)
from templates.python.cell import CELL

_SUFFIX = _SUFFIXES.get(sys.platform, _OTHER_SUFFIX)
_LIBRARY = Path(__file__).with_name(CELL + _SUFFIX)
_REMEDY = (
    f'run `python -m symrnn generate CELL --out "{_LIBRARY.parent}"` with the options that the first lines of this module '
    f"name; CELL is the file of the cell {CELL}, or this name if it is a bundled cell. The command finds a compiler. "
    f'Or compile it yourself: {_COMPILE[0]} "{_LIBRARY.with_suffix(".c")}" -o "{_LIBRARY}" {_COMPILE[1]} '
    f"(you get a C compiler with {_COMPILERS})"
)


def _candidates() -> list[Path]:
    """The libraries beside this file, best first, or the one that the environment variable names.

    Raises:
        ImportError: there is none.
    """
    named = os.environ.get(_MARCH_VARIABLE, "")
    if named and named not in _MARCHES:
        raise ImportError(f"{_MARCH_VARIABLE}: expected one of {', '.join(_MARCHES)}, found {named!r}")
    endings = [_MARCHES[named]] if named else _MARCHES.values()
    paths = [_LIBRARY.with_name(CELL + ending + _SUFFIX) for ending in endings]
    found = [path for path in paths if path.is_file()]
    if not found and named:
        raise ImportError(
            f"{paths[0]} is missing, but {_MARCH_VARIABLE}={named} requests it: build it, or unset the variable"
        )
    if not found:
        raise ImportError(f"{_LIBRARY} is missing, so there are no C kernels yet: {_REMEDY}")
    return found


def _load() -> ctypes.CDLL:
    """The first of the compiled libraries that fits this processor, its digest checked.

    These checks run no vector instruction.

    Raises:
        ImportError: no library exists, one cannot be loaded or is of another source, or none fits.
    """
    paths = _candidates()
    for path in paths:
        try:
            library = ctypes.CDLL(str(path))
            abi, cpu_supported = library[f"{CELL}_abi"], library[f"{CELL}_cpu_supported"]
        except (OSError, AttributeError) as error:
            raise ImportError(f"{path} cannot be loaded ({error}), so compile it again: {_REMEDY}") from error
        abi.argtypes, abi.restype = (), ctypes.c_char_p
        cpu_supported.argtypes, cpu_supported.restype = (), ctypes.c_int
        if abi() != _ABI:
            raise ImportError(f"{path} is not from this version of {CELL}.c, so compile it again: {_REMEDY}")
        if cpu_supported():
            return library
    raise ImportError(f"{paths[-1]} was compiled for a processor with more features, so compile it here: {_REMEDY}")

"""The files of one cell become its C kernels: compiled into a library, and the module over it imported.

Reads the texts that `generate` would write; returns the imported module. Leaves out: the texts (`symrnn.targets.c.files`),
and the compiler (`symrnn.targets.c.library`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from symrnn.build.loading import import_text, module_name
from symrnn.errors import BuildError
from symrnn.targets.c import DESCRIPTION
from symrnn.targets.c.flags import PREPARING, RUNTIME
from symrnn.targets.c.library import compile_library
from symrnn.targets.c.toolchain import Options


def c_sources(files: Mapping[str, str], cell: str) -> dict[str, str]:
    """The files of a cell that the C compiler reads: the source, its header, and the runtime if it is beside them."""
    return {name: files[name] for name in (f"{cell}.c", f"{cell}.h", *RUNTIME, PREPARING) if name in files}


def load_kernels(files: Mapping[str, str], cell: str, options: Options | None = None) -> ModuleType:
    """Import the module of a cell over its library, which is compiled first, or taken from the cache.

    Args:
        files: file name to text; those of C among them.
        cell: its name.
        options: how to compile.

    Raises:
        BuildError: the sources cannot be compiled, or the library does not fit this machine.
    """
    name = module_name(cell, DESCRIPTION.name)
    library = compile_library(c_sources(files, cell), cell, options=options)
    try:
        return import_text(files[f"{name}.py"], name, library.parent)
    except ImportError as error:
        raise BuildError(str(error)) from error

"""The target ``c``: files from a program, libraries from files, kernels from both.

Leaves out: the texts (`symrnn.targets.c.files`, `symrnn.targets.c.module`), the compiler (`symrnn.targets.c.toolchain`), and
what becomes of a library (`symrnn.targets.c.library`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from symrnn.emit.request import Request
from symrnn.emit.source import Source
from symrnn.plan.policy import Policy
from symrnn.plan.program import Program
from symrnn.targets.c import DESCRIPTION
from symrnn.targets.c.files import c_files
from symrnn.targets.c.flags import MARCH_NATIVE
from symrnn.targets.c.functions import REDUCTIONS, SPELLINGS, VECTORS
from symrnn.targets.c.library import install_library, is_from, library_name, other_libraries, runs_here
from symrnn.targets.c.load_kernels import c_sources, load_kernels
from symrnn.targets.c.march import chosen_march
from symrnn.targets.c.module import c_module
from symrnn.targets.c.policy import POLICY
from symrnn.targets.c.tiles import chosen_tile, options_for
from symrnn.targets.c.toolchain import Options, compiler_or_reason, find_compiler, flags
from symrnn.targets.description import Description
from symrnn.targets.target import Builder, Target


class _Libraries:
    """Libraries that the C compiler makes."""

    def marches(self, asked: Sequence[str] | None) -> tuple[str, ...]:
        """The requested processors, checked against the environment; the compiler must have a flag for each."""
        found = tuple(map(chosen_march, asked or (None,)))
        for march in found:
            flags(find_compiler(), Options(march=march))  # raises for a processor that the compiler does not know
        return found

    def tool(self) -> str:
        """The compiler's command."""
        return " ".join(find_compiler().command)

    def facts(self) -> dict[str, str]:
        """The compiler, its flags for this machine, and what libraries take from the processor."""
        compiler, tile = find_compiler(), chosen_tile()
        width = f"{tile.vector_bytes} bytes" if tile.vector_bytes else "no vector registers"
        return {
            "compiler": str(compiler),
            "flags": " ".join(flags(compiler, options_for(MARCH_NATIVE))),
            "vectors": width,
            "register tile": f"{tile.shape} (rows x vectors): {tile.why}",
        }

    def library(self, cell: str, march: str) -> str:
        """The cell's name, the processor and the system's ending."""
        return library_name(cell, march)

    def install(self, files: Mapping[str, str], cell: str, directory: Path, march: str) -> Path:
        """Compile, or take from the cache, and put into ``directory``."""
        return install_library(c_sources(files, cell), cell, directory, options=options_for(march))

    def others(self, cell: str, directory: Path, marches: Sequence[str]) -> tuple[Path, ...]:
        """Libraries of other processors."""
        return other_libraries(cell, directory, marches)

    def is_from(self, library: Path, files: Mapping[str, Source], cell: str) -> bool:
        """Whether the library holds the digest of these sources."""
        return is_from(library, files[f"{cell}_{DESCRIPTION.name}.py"].digest)

    def runs_here(self, library: Path, cell: str, march: str) -> bool:
        """The library's own test, without a vector instruction; native is this processor."""
        return march == MARCH_NATIVE or runs_here(library, cell)


class _C:
    """Standalone C, and a Python module over the compiled library."""

    description: Description = DESCRIPTION
    functions: Collection[str] = SPELLINGS
    policy: Policy = POLICY
    reductions: Collection[str] = REDUCTIONS
    vectors: Collection[str] = VECTORS
    builder: Builder | None = _Libraries()

    def files(self, program: Program, request: Request) -> dict[str, Source]:
        """Header, source, the runtime unless the source holds it, and the module over the library."""
        written = c_files(program, request)
        module = Source(c_module(program, written.digest, request), digest=written.digest)
        return {**written.sources, f"{program.cell.name}_{DESCRIPTION.name}.py": module}

    def load(self, files: Mapping[str, str], cell: str, march: str | None = None) -> ModuleType:
        """The module over a library from the cache."""
        return load_kernels(files, cell, options_for(march))

    def unavailable(self) -> str:
        """Why there is no compiler; empty if there is one."""
        compiler = compiler_or_reason()
        return compiler if isinstance(compiler, str) else ""


TARGET: Target = _C()

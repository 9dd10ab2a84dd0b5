"""What a target is: one record of what it can do, and the few functions by which everything else uses it.

A target is a folder below `symrnn/targets/` with its templates in ``templates/<name>/``; `symrnn.targets.registry` finds it.
Leaves out: everything that a target does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Protocol

from symrnn.emit.source import Source
from symrnn.plan.program import Program


@dataclass(frozen=True)
class Request:
    """What somebody asked of the files of one cell.

    Attributes:
        dtype: what ``init_params`` makes unless told otherwise.
        dtypes: the precisions to emit; all of the target's where there is none.
        sizes: numbers for size names that the kernels are for alone.
        single_file: whether what is equal in all cells is joined into the cell's own file.
    """

    dtype: str = "float32"
    dtypes: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    single_file: bool = False


class Target(Protocol):
    """A target.

    Attributes:
        name: an identifier; of its folders, of its generated modules, and in every command.
        title: for people.
        dtypes: what its kernels run in.
    """

    name: str
    title: str
    dtypes: tuple[str, ...]

    def files(self, program: Program, request: Request) -> Mapping[str, Source]:
        """The files of a program: name to text with its source map."""

    def load(self, files: Mapping[str, str], cell: str) -> ModuleType:
        """The generated module of ``cell``, built if need be, and imported."""

    def unavailable(self) -> str:
        """One sentence that says why its kernels cannot run here; empty where they can."""

    @property
    def functions(self) -> Collection[str]:
        """The rows of the function table that it can spell."""

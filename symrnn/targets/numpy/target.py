"""The target ``numpy``: one Python module for each cell, which runs as it is.

Leaves out: the text (`symrnn.targets.numpy.module`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import ModuleType

from symrnn.build.loading import import_text, module_name
from symrnn.emit.request import Request
from symrnn.emit.source import Source
from symrnn.plan.policy import Policy
from symrnn.plan.program import Program
from symrnn.targets.description import Description
from symrnn.targets.numpy import DESCRIPTION
from symrnn.targets.numpy.functions import REDUCTIONS, SPELLINGS, VECTORS
from symrnn.targets.numpy.module import numpy_module
from symrnn.targets.numpy.policy import POLICY
from symrnn.targets.target import Builder, Target


class _NumPy:
    """A Python module that needs NumPy alone."""

    description: Description = DESCRIPTION
    functions: Collection[str] = SPELLINGS
    policy: Policy = POLICY
    reductions: Collection[str] = REDUCTIONS
    vectors: Collection[str] = VECTORS
    builder: Builder | None = None

    def files(self, program: Program, request: Request) -> dict[str, Source]:
        """The module."""
        name = module_name(program.cell.name, DESCRIPTION.name)
        return {f"{name}.py": numpy_module(program, request)}

    def load(self, files: Mapping[str, str], cell: str, march: str | None = None) -> ModuleType:
        """The module; nothing is compiled."""
        name = module_name(cell, DESCRIPTION.name)
        return import_text(files[f"{name}.py"], name)

    def unavailable(self) -> str:
        """An empty text: symrnn itself needs NumPy."""
        return ""


TARGET: Target = _NumPy()

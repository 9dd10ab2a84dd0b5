"""The target ``torch``: one Python module for each cell, in operations of PyTorch.

Leaves out: the text (`symrnn.targets.torch.module`).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Mapping
from types import ModuleType

from symrnn.build.loading import import_text, module_name
from symrnn.emit.request import Request
from symrnn.emit.source import Source
from symrnn.errors import BuildError
from symrnn.plan.policy import Policy
from symrnn.plan.program import Program
from symrnn.targets.description import Description
from symrnn.targets.target import Builder, Target
from symrnn.targets.torch import DESCRIPTION
from symrnn.targets.torch.functions import REDUCTIONS, SPELLINGS, VECTORS
from symrnn.targets.torch.module import torch_module
from symrnn.targets.torch.policy import POLICY


class _Torch:
    """A Python module that needs PyTorch."""

    description: Description = DESCRIPTION
    functions: Collection[str] = SPELLINGS
    policy: Policy = POLICY
    reductions: Collection[str] = REDUCTIONS
    vectors: Collection[str] = VECTORS
    builder: Builder | None = None

    def files(self, program: Program, request: Request) -> dict[str, Source]:
        """The module."""
        name = module_name(program.cell.name, DESCRIPTION.name)
        return {f"{name}.py": torch_module(program, request)}

    def load(self, files: Mapping[str, str], cell: str, march: str | None = None) -> ModuleType:
        """The module; nothing is compiled.

        Raises:
            BuildError: PyTorch is not installed.
        """
        if reason := self.unavailable():
            raise BuildError(f"backend {DESCRIPTION.name!r}: {reason}")
        name = module_name(cell, DESCRIPTION.name)
        return import_text(files[f"{name}.py"], name)

    def unavailable(self) -> str:
        """Whether PyTorch is missing."""
        if importlib.util.find_spec("torch") is None:
            return "PyTorch is not installed; run `pip install torch`"
        return ""


TARGET: Target = _Torch()

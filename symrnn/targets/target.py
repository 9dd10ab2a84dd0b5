"""What a target is: the few functions through which everything else uses it.

A target is a folder below `symrnn/targets/` with its templates in ``templates/<name>/``, or a package of somebody else.
`symrnn.targets.registry` finds it by its `Description`. Leaves out: everything that a target does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol

from symrnn.emit.request import Request
from symrnn.emit.source import Source
from symrnn.plan.policy import Policy
from symrnn.plan.program import Program
from symrnn.targets.description import Description

__all__ = ["Builder", "Request", "Target"]


class Target(Protocol):
    """A target."""

    @property
    def description(self) -> Description:
        """Its description."""

    @property
    def functions(self) -> Collection[str]:
        """The rows of the function table that it can spell."""

    @property
    def reductions(self) -> Collection[str]:
        """The reductions that it can spell."""

    @property
    def vectors(self) -> Collection[str]:
        """The vector functions that it can spell."""

    @property
    def builder(self) -> Builder | None:
        """The builder of its libraries; None if the files run as they are."""

    @property
    def policy(self) -> Policy:
        """Its policy for the planner."""

    def files(self, program: Program, request: Request) -> Mapping[str, Source]:
        """The files of a program: name to text with its source map.

        Two cells or two targets may have files of one name if the texts are equal.
        """

    def load(self, files: Mapping[str, str], cell: str, march: str | None = None) -> ModuleType:
        """The generated module of ``cell``, built if need be, and imported.

        Args:
            files: its texts by name.
            cell: its name.
            march: one of the description's marches; the default fits this machine best.

        Raises:
            BuildError: it cannot be built, or does not fit this machine.
        """

    def unavailable(self) -> str:
        """One sentence that says why its kernels cannot run here; empty where they can.

        Raises:
            BuildError: the environment names a tool that cannot be used. An explicit request is never skipped without an error.
        """


class Builder(Protocol):
    """Builds a target's libraries beside its files: one for each cell and processor."""

    def marches(self, asked: Sequence[str] | None) -> tuple[str, ...]:
        """The processors to build for: those requested, or the one that fits this machine best.

        Raises:
            BuildError: a processor is unknown, or the tool cannot build for it.
        """

    def tool(self) -> str:
        """The command that builds, for people; the target must not be unavailable."""

    def facts(self) -> Mapping[str, str]:
        """What its libraries depend on here, such as the compiler, for people; the target must not be unavailable.

        Raises:
            BuildError: the environment names what cannot be used.
        """

    def library(self, cell: str, march: str) -> str:
        """The name of a library's file."""

    def install(self, files: Mapping[str, str], cell: str, directory: Path, march: str) -> Path:
        """Build a library into ``directory``, unless it is up to date.

        Raises:
            BuildError: the tool refuses the texts, or the file cannot be written.
        """

    def others(self, cell: str, directory: Path, marches: Sequence[str]) -> tuple[Path, ...]:
        """The libraries of ``cell`` in ``directory`` for other processors than ``marches``: left from another run."""

    def is_from(self, library: Path, files: Mapping[str, Source], cell: str) -> bool:
        """Whether a library was built from these files.

        Raises:
            BuildError: it cannot be read.
        """

    def runs_here(self, library: Path, cell: str, march: str) -> bool:
        """Whether this processor has what a library for ``march`` needs.

        Raises:
            BuildError: it cannot be loaded.
        """

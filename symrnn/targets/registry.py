"""All targets: symrnn's own, and those of other packages.

A package registers a target by an entry point of the group ``symrnn.targets`` whose name is the target's and whose value is
the place of its `Description`:

    [project.entry-points."symrnn.targets"]
    toy = "toy_target:DESCRIPTION"

Everything outside a target asks here and names no target. Reads the installed packages; returns descriptions and targets.
Leaves out: what they are (`symrnn.targets.description`, `symrnn.targets.target`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from symrnn.errors import TargetError
from symrnn.late import load_late
from symrnn.targets import c, numpy, torch
from symrnn.targets.description import Description

if TYPE_CHECKING:
    from symrnn.targets.target import Target

DEFAULT = "numpy"
"""The default backend. The kernels of others are compared with its kernels."""

GROUP = "symrnn.targets"
"""The group of entry points."""

RESERVED = {
    "all": "--backend all means every target that needs no framework",
    "plan": "the report of check uses it for the plan",
    "sympy": "the report of check uses it for the proof",
}
"""Names that no target can have, and why."""

_PROTOCOL = "symrnn.targets.target"

_OWN = (numpy.DESCRIPTION, c.DESCRIPTION, torch.DESCRIPTION)


def names() -> tuple[str, ...]:
    """The name of every target: symrnn's own first, then those of other packages in the order of their names."""
    return tuple(_scan().found)


def descriptions() -> tuple[Description, ...]:
    """The description of every target, in the order of `names`."""
    return tuple(_scan().found.values())


def describe(name: str, also: tuple[str, ...] = ()) -> Description:
    """The description of the target ``name``.

    Args:
        name: the target.
        also: what the caller takes besides targets; the error offers it too.

    Raises:
        TargetError: the target is unknown.
    """
    scan = _scan()
    if name not in scan.found:
        raise TargetError(scan.refused.get(name) or f"Unknown backend {name!r}; choose {listed((*names(), *also))}")
    return scan.found[name]


def title(name: str) -> str:
    """A target's name for people; ``name`` itself if it is not a target."""
    found = _scan().found.get(name)
    return found.title if found else name


def target(name: str) -> Target:
    """The target ``name``, loaded.

    Raises:
        TargetError: the target is unknown, cannot be loaded, or lacks a part that every target has.
    """
    home = describe(name).home
    try:
        found: Target = load_late(home)
        lacks = _lacking(found)
    except Exception as error:  # a foreign module may raise anything
        cause = f"{type(error).__name__}: {error}"
        raise TargetError(
            f"backend {name!r} cannot be loaded from {home}: {cause}; install or repair the package that provides it"
        ) from error
    if lacks:
        raise TargetError(f"backend {name!r}: {home} lacks {', '.join(lacks)}; repair the package that provides it")
    return found


def _lacking(found: Target) -> list[str]:
    """The parts of `Target` and `Builder` that ``found`` lacks."""
    lacks = [name for name in _members("Target") if not hasattr(found, name)]
    if not lacks and found.builder is not None:
        lacks = [f"builder.{name}" for name in _members("Builder") if not hasattr(found.builder, name)]
    return lacks


def _members(protocol: str) -> list[str]:
    return [name for name in vars(load_late(f"{_PROTOCOL}:{protocol}")) if not name.startswith("_")]


def usual() -> tuple[str, ...]:
    """The targets that commands take where none is named: those that need no framework."""
    return tuple(each.name for each in descriptions() if not each.needs)


@cache
def broken() -> Mapping[str, str]:
    """The targets that describe themselves and cannot be loaded, each with the reason."""
    found = {}
    for name in names():
        try:
            target(name)
        except TargetError as error:
            found[name] = str(error)
    return found


def working() -> tuple[str, ...]:
    """The targets that "all" stands for: a warning names each target that cannot be loaded."""
    return tuple(name for name in loadable() if name in usual())


def loadable() -> tuple[str, ...]:
    """Every target that can be loaded: a warning names each of the others."""
    for reason in broken().values():
        warnings.warn(f"{reason}. It is left out", RuntimeWarning, stacklevel=2)
    return tuple(name for name in names() if name not in broken())


def listed(words: tuple[str, ...], last: str = "or") -> str:
    """Words in a sentence.

    >>> listed(("numpy", "c", "toy"))
    'numpy, c or toy'
    """
    *before, end = words
    return f"{', '.join(before)} {last} {end}" if before else end


def refresh() -> None:
    """Look for installed packages again, if some were installed or removed while this process runs."""
    _scan.cache_clear()
    broken.cache_clear()


@dataclass(frozen=True)
class _Scan:
    """The targets found by name, and why the others cannot be loaded, by the name they wanted."""

    found: Mapping[str, Description]
    refused: Mapping[str, str]


@cache
def _scan() -> _Scan:
    """The targets. A warning names each package whose target cannot be loaded; the others stay."""
    found = {each.name: each for each in _OWN}
    refused: dict[str, str] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        try:
            found[entry.name] = _described(entry, found)
        except TargetError as error:
            refused.setdefault(entry.name, str(error))
            warnings.warn(str(error), RuntimeWarning, stacklevel=2)
    return _Scan(found, refused)


def _described(entry: EntryPoint, found: Mapping[str, Description]) -> Description:
    """The description of the target of an entry point.

    Raises:
        TargetError: it cannot be loaded.
    """
    package = entry.dist.name if entry.dist else entry.module
    left_out = f"backend {entry.name!r} of the package {package!r} is left out"
    if entry.name in found:
        raise TargetError(f"{left_out}: another target has that name; rename one of them")
    if entry.name in RESERVED:
        raise TargetError(f"{left_out}: no target can have that name, because {RESERVED[entry.name]}; rename it")
    try:
        described = entry.load()
    except Exception as error:  # an error in a foreign module must not affect other targets
        cause = f"{type(error).__name__}: {error}"
        raise TargetError(f"{left_out}: {entry.value} cannot be loaded ({cause}); repair or remove it") from error
    if not isinstance(described, Description):
        fault = f"is of type {type(described).__qualname__}, not a Description"
    elif described.name != entry.name:
        fault = f"describes a target named {described.name!r}"
    elif not entry.name.isidentifier():
        fault = "has a name that is not an identifier"
    else:
        return described
    raise TargetError(f"{left_out}: {entry.value} {fault}; repair or remove it")

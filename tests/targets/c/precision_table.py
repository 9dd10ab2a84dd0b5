"""The tables of docs/precision.md: which error each function may have, and which was measured on which registers.

Reads and writes rows ``| `exp` | 2 | 0.970 | … |`` under a heading that names the precision. A figure is rounded up in
its last digit. Leaves out: the measuring.
"""

from __future__ import annotations

import math
import platform
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from tests.targets.c.vector_library import COMPILER, HERE, TARGETS

DOCUMENT = HERE.parents[2] / "docs" / "precision.md"
PATHS = ("avx512", "avx2", "sse2", "plain")
"""The targets that have a column, in the order of the columns."""
HEADINGS = {"f32": "## float", "f64": "## double"}


@dataclass(frozen=True)
class Row:
    """One row: the bound that a function is held to, and the largest errors measured, by target."""

    bound: float
    measured: dict[str, float]


def round_up(ulp: float) -> float:
    """``ulp`` as the table has it.

    >>> round_up(0.96681), round_up(0.5)
    (0.967, 0.5)
    """
    return math.ceil(ulp * 1000) / 1000


def environment() -> str:
    """What figures depend on beside the registers, as the document says it."""
    assert COMPILER is not None
    told = subprocess.run([COMPILER, "--version"], capture_output=True, text=True, check=True).stdout
    version = subprocess.run([COMPILER, "-dumpversion"], capture_output=True, text=True, check=True).stdout
    kind = "clang" if "clang" in told else "gcc"
    return f"{kind} {version.split('.')[0].strip()}, {platform.machine()}"


def measured_here() -> bool:
    """Whether the document's figures are of this machine's kind and compiler, so that they must come out again."""
    return f"({environment()})" in DOCUMENT.read_text(encoding="utf-8")


def read(precision: str) -> dict[str, Row]:
    """The rows of ``f32`` or ``f64``, by function."""
    rows = {}
    for line in _section(DOCUMENT.read_text(encoding="utf-8"), precision).splitlines():
        if line.startswith("| `"):
            name, bound, *figures = [cell.strip() for cell in line.strip("|").split("|")]
            rows[name.strip("`")] = Row(float(bound), dict(zip(PATHS, map(float, figures), strict=True)))
    return rows


def write(precision: str, name: str, measured: Sequence[float]) -> None:
    """Put figures of `PATHS` into the row of ``name``, which must be there."""
    with FileLock(Path(tempfile.gettempdir()) / "symrnn-precision.lock"):
        text = DOCUMENT.read_text(encoding="utf-8")
        section = _section(text, precision)
        old = next(line for line in section.splitlines() if line.startswith(f"| `{name}` |"))
        DOCUMENT.write_text(
            text.replace(section, section.replace(old, line(name, read(precision)[name].bound, measured))),
            encoding="utf-8",
        )


def line(name: str, bound: float, measured: Sequence[float]) -> str:
    """The text of a row."""
    figures = (f"{round_up(ulp):.3f}" for ulp in measured)
    return f"| {' | '.join((f'`{name}`', f'{bound:g}', *figures))} |"


def titles() -> str:
    """The head of a table."""
    return f"| function | at most | {' | '.join(TARGETS[path].title for path in PATHS)} |"


def _section(text: str, precision: str) -> str:
    start = text.index(HEADINGS[precision])
    end = text.find("\n## ", start + 1)
    return text[start : end if end >= 0 else len(text)]

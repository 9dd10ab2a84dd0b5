"""Two mistakes of which one hides the other: in an equation and in one that reads it, with no returned gradient between.

Reads single mistakes of a model; returns pairs of them. Neither puts anything right alone, so that a search for one after
the other does not find them. Leaves out: three in a row, and slips too unlikely to be part of a pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from symrnn.diagnose.attempt import Attempt
from symrnn.diagnose.mistakes import Mistake
from symrnn.diagnose.rules import SlipKind
from symrnn.language.tree import names

_UNLIKELY = (SlipKind.EXTRA, SlipKind.TWICE, SlipKind.INVERSE, SlipKind.NUMBER)


@dataclass(frozen=True)
class Pair:
    """Two mistakes in a row.

    Attributes:
        first: in the equation that is read.
        second: in the one that reads it.
        both: the two as one.
    """

    first: Mistake
    second: Mistake
    both: Mistake


def in_series(attempt: Attempt, mistakes: Iterable[Mistake]) -> Iterator[Pair]:
    """Every pair of ``mistakes`` of which the second hides the first."""
    by_label: dict[str, list[Mistake]] = {}
    for mistake in mistakes:
        if len(mistake.edits) == mistake.places == 1 and mistake.kind not in _UNLIKELY:
            by_label.setdefault(mistake.edits[0].label, []).append(mistake)
    equations = attempt.model.adjoint.equations
    for read in equations:
        for reads in equations:
            hidden = attempt.reach((read.label,)) == attempt.reach((reads.label,))
            if hidden and read.target in names(reads.expression):
                for first in by_label.get(read.label, ()):
                    for second in by_label.get(reads.label, ()):
                        edits = (*first.edits, *second.edits)
                        yield Pair(first, second, Mistake(second.kind, second.detail, edits, places=2))

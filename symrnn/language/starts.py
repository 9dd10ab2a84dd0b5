"""How parameters start, and in what domain they stay: the tables of initialisers and of domains.

An initialiser is a row here, and a function of the same name in ``templates/python/initial.py``, which draws the numbers and
goes into every generated module. A start is written as a text, the initialiser and its numbers (``log_uniform 0.001 0.1``),
or a number. Reads such texts; returns what they may give. Leaves out: where they stand (`symrnn.language.parameters`).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

Reach = tuple[tuple[float, float], ...]
"""Closed intervals that hold every number of a parameter."""

_ANY = float("inf")


@dataclass(frozen=True)
class Initialiser:
    """One row of the table.

    Attributes:
        reach: where its numbers lie, if it is named without options.
        options: the names of its numbers, in the order of its text.
        defaults: their texts, if none of them is given; empty where the sizes of the parameter decide.
        of_matrices: whether a vector cannot have it.
        whole: whether its options are whole numbers of at least 1.
        bounded: whether its options are the least and the largest number.
        above_zero: whether its options are above zero.
    """

    reach: Reach
    options: tuple[str, ...] = ()
    defaults: tuple[str, ...] = ()
    of_matrices: bool = False
    whole: bool = False
    bounded: bool = False
    above_zero: bool = False


INITIALISERS: Mapping[str, Initialiser] = {
    "uniform": Initialiser(((-1.0, 1.0),), ("low", "high"), bounded=True),
    "zeros": Initialiser(((0.0, 0.0),)),
    "ones": Initialiser(((1.0, 1.0),)),
    "identity": Initialiser(((0.0, 0.0), (1.0, 1.0)), of_matrices=True),
    "orthogonal": Initialiser(((-1.0, 1.0),), ("blocks",), of_matrices=True, whole=True),
    "normal": Initialiser(((-_ANY, _ANY),), ("std",), above_zero=True),
    "log_uniform": Initialiser(((1e-3, 1e-1),), ("low", "high"), ("0.001", "0.1"), bounded=True, above_zero=True),
    "positive": Initialiser(((2.0**-126, 1.5),)),
    "unit": Initialiser(((0.1, 0.9),)),
    "nonzero": Initialiser(((-1.5, -(2.0**-126)), (2.0**-126, 1.5))),
}
"""The words of ``[init]``; a number is the other possibility. A row adds one, with a function of ``templates/python``."""


@dataclass(frozen=True)
class Domain:
    """What numbers a parameter may have.

    Attributes:
        text: in words.
        above: a number below all of them; None for none.
        below: a number above all of them; None for none.
        zero: whether zero is one of them.
    """

    text: str
    above: float | None = None
    below: float | None = None
    zero: bool = False

    def holds(self, low: float, high: float) -> bool:
        """Whether every number of a closed interval is one of them, rounded to float32 too."""
        return all(self._holds(*ends) for ends in ((low, high), (_single(low), _single(high))))

    def _holds(self, low: float, high: float) -> bool:
        return (
            (self.above is None or low > self.above)
            and (self.below is None or high < self.below)
            and (self.zero or not low <= 0 <= high)
        )


DOMAINS: Mapping[str, Domain] = {
    "positive": Domain("above 0", above=0.0),
    "unit": Domain("above 0 and below 1", above=0.0, below=1.0),
    "nonzero": Domain("other than 0"),
}
"""The words of ``[domain]``. Each is an initialiser too: that of a parameter for which ``[init]`` has no entry."""

DEFAULT = "uniform"
"""The start of a parameter that no table mentions."""


def kind_of(start: str) -> str:
    """The initialiser of a start; empty where it is a number.

    >>> kind_of("log_uniform 0.001 0.1"), kind_of("0.5")
    ('log_uniform', '')
    """
    word = start.split()[0]
    return word if word in INITIALISERS else ""


def options_of(start: str) -> tuple[float, ...]:
    """The numbers of a start: its options, or the number that it is."""
    return tuple(float(text) for text in start.split() if text not in INITIALISERS)


def number_of(start: str) -> float | None:
    """The number that every entry starts with, or None.

    >>> number_of("ones"), number_of("0.5"), number_of("uniform")
    (1.0, 0.5, None)
    """
    reach = reach_of(start)
    return reach[0][0] if len(reach) == 1 and reach[0][0] == reach[0][1] else None


def reach_of(start: str) -> Reach:
    """Where the numbers of a start lie."""
    kind, numbers = kind_of(start), options_of(start)
    if not kind:
        return ((numbers[0], numbers[0]),)
    row = INITIALISERS[kind]
    return ((numbers[0], numbers[1]),) if row.bounded and numbers else row.reach


def described_start(start: str) -> str:
    """A start as people read it.

    >>> described_start("log_uniform 0.001 0.1"), described_start("0.5")
    ('log_uniform, low 0.001, high 0.1', '0.5')
    """
    word, *numbers = start.split()
    names = INITIALISERS[word].options if word in INITIALISERS else ()
    return ", ".join([word, *(f"{name} {number}" for name, number in zip(names, numbers, strict=False))])


def _single(number: float) -> float:
    """A number rounded to float32."""
    if abs(number) == _ANY:
        return number
    (rounded,) = struct.unpack("f", struct.pack("f", number))
    return float(rounded)

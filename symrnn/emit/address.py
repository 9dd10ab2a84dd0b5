"""`Address`: where a value lies, for targets that run loops over arrays.

Holds the record alone: a target names its arrays and prints the address in its own language.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from symrnn.plan.size import Count


@dataclass(frozen=True)
class Address:
    """Where a value of a row begins.

    Attributes:
        array: the target's name of the array.
        before: how many numbers of its row stand before it.
        block: the part of the array from which they are counted; empty for an array that has no parts.
    """

    array: str
    before: Count = field(default_factory=Count)
    block: str = ""

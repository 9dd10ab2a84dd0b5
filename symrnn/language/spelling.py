"""Whether two names may be one, misspelt: case and underscores aside, or a letter apart.

Reads names; leaves out what they are names of.
"""

from __future__ import annotations

_SHORTEST = 3
"""Shorter names, and shorter parts of names, are all one edit apart."""


def bare(name: str) -> str:
    """The name in small letters without underscores."""
    return name.replace("_", "").lower()


def _apart(one: str, other: str) -> tuple[str, str]:
    """Both names without what they share of their parts between underscores: ``a_i`` and ``s_i`` are ``a`` and ``s``."""
    ours, others = one.split("_"), other.split("_")
    if len(ours) != len(others):
        return one, other
    differing = [pair for pair in zip(ours, others, strict=True) if pair[0] != pair[1]]
    return ("_".join(a for a, _ in differing), "_".join(b for _, b in differing))


def one_edit_apart(one: str, other: str) -> bool:
    """Whether a letter left out, put in, replaced or swapped with its neighbour makes one name of the other.

    >>> one_edit_apart("cand", "cnd"), one_edit_apart("W_cand", "W_cadn"), one_edit_apart("b_i", "b_f")
    (True, True, False)
    """
    if bare(one) == bare(other) and len(one) > 1:
        return True
    short, long = sorted(_apart(one.lower(), other.lower()), key=len)
    if len(short) < _SHORTEST or len(long) - len(short) > 1:
        return False
    if len(short) < len(long):
        return any(long[:at] + long[at + 1 :] == short for at in range(len(long)))
    apart = [at for at in range(len(short)) if short[at] != long[at]]
    swapped = (
        len(apart) == 2
        and apart[1] == apart[0] + 1
        and short[apart[0]] + short[apart[1]] == long[apart[1]] + long[apart[0]]
    )
    return len(apart) == 1 or swapped

"""Names: words that no variable may have, and an allocator of names that avoids the author's.

Reads strings; knows nothing of cells. Every name that symrnn invents, in derived systems and in emitted files alike,
comes from an `Allocator`.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable

C_WORDS = frozenset(
    """
    auto break case char const continue default do double else enum extern float for goto if inline int long register
    restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    alignas alignof atomic bool complex imaginary noreturn static_assert thread_local constexpr nullptr true false
    typeof typeof_unqual asm NULL INFINITY NAN EOF
    and and_eq bitand bitor catch class compl const_cast delete dynamic_cast explicit export friend mutable namespace
    new not not_eq operator or or_eq private protected public reinterpret_cast static_cast template this throw try
    typeid typename using virtual wchar_t xor xor_eq
    """.split()  # noqa: SIM905 - ninety words read better without quotation marks
)
"""Keywords and reserved identifiers of C11 and C23, and of C++ (headers are read by C++ too)."""

PYTHON_WORDS = frozenset(keyword.kwlist) | frozenset(keyword.softkwlist)
"""Keywords of Python, soft ones included."""

_LOWER = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi"
_UPPER = "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"

GREEK = frozenset(f"{_LOWER} omega {_UPPER}".split())
"""Names of Greek letters, which are LaTeX commands too."""


class Allocator:
    """Hands out names, each once.

    >>> names = Allocator(["tanh_c"])
    >>> names.fresh("tanh_c"), names.fresh("tanh_c"), names.fresh("r_h")
    ('tanh_c_2', 'tanh_c_3', 'r_h')

    Args:
        taken: names that must not be handed out; words of C and Python never are.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken) | C_WORDS | PYTHON_WORDS
        self.stems: dict[str, str] = {}
        """The requested name, by the name handed out."""

    def fresh(self, hint: str) -> str:
        """``hint`` if it is free, else ``hint`` with the first free number. The result counts as taken."""
        name, number = hint, 2
        while name in self._taken:
            name, number = f"{hint}_{number}", number + 1
        self._taken.add(name)
        self.stems[name] = hint
        return name

    def is_taken(self, name: str) -> bool:
        """Whether `fresh` would not hand out ``name`` as it is."""
        return name in self._taken

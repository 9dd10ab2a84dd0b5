r"""Exact equality of expressions: polynomials with rational coefficients over atoms, some exponents negative.

Reads SymPy expressions and the polynomials behind their symbols; returns polynomials, and says whether one is zero.
Everything else becomes an *atom*, identified by its function and argument: ``exp(u)``, ``tanh(u)``, a root, the
inverse of a sum, the indicator ``[u > 0]`` of a `Piecewise`. Atoms count as independent of each other but for

* ``P (α + β E) = 1`` where ``P`` is the inverse of ``α + β E``: what is left of ``e^-a / (1 + e^-a)²`` is ``P - P²``;
* ``[u > 0]² = [u > 0]`` and ``[-u > 0] = 1 - [u > 0]``: off kinks, where derivatives are, and where no two values are equal.

What is found to be zero is zero; anything else is undecided. Products of terms are counted, and beyond a bound a result
is unknown. So the outcome does not depend on time. Leaves out: where expressions come from.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import gcd

import sympy

from symrnn.language.choices import SURROGATES
from symrnn.language.function import Algebra

MOST_TERMS = 2_000
"""Products of terms in one multiplication beyond which its result is unknown."""

MOST_WORK = 4_000_000
"""The most atoms that a ring may write, counted term by term. Beyond that every further result is unknown."""

MOST_FACTORED = 200
"""The most terms of a sum whose inverse is factored; the inverse of a longer sum is one atom."""

Monomial = tuple[tuple[int, int], ...]
"""Atoms and their exponents, the oldest atom first, no exponent zero."""

Terms = Mapping[Monomial, Fraction]

_ZERO, _ONE = Fraction(0), Fraction(1)


@dataclass(frozen=True, slots=True, eq=False)
class Polynomial:
    """A sum of coefficients times products of powers of atoms; unknown where ``terms`` is None.

    Attributes:
        ring: whose atoms it is made of.
        terms: coefficients by monomial, none zero.
    """

    ring: Ring
    terms: Terms | None

    @property
    def is_zero(self) -> bool:
        """Whether it has no terms; ask `Ring.normal` for what is left of it."""
        return self.terms is not None and not self.terms

    @property
    def key(self) -> Hashable:
        """What equal polynomials have in common; None where it is unknown."""
        return None if self.terms is None else frozenset(self.terms.items())

    def __add__(self, other: Polynomial) -> Polynomial:
        if self.terms is None or other.terms is None:
            return self.ring.unknown
        if not self.ring.spend(len(self.terms) + len(other.terms)):
            return self.ring.unknown
        total = dict(self.terms)
        for monomial, coefficient in other.terms.items():
            _add(total, monomial, coefficient)
        return Polynomial(self.ring, total)

    def __neg__(self) -> Polynomial:
        return self.scaled(-_ONE)

    def __sub__(self, other: Polynomial) -> Polynomial:
        return self + -other

    def __mul__(self, other: Polynomial) -> Polynomial:
        if self.is_zero or other.is_zero:
            return self.ring.number(_ZERO)
        if self.terms is None or other.terms is None:
            return self.ring.unknown
        products = len(self.terms) * len(other.terms)
        if products > MOST_TERMS or not self.ring.spend(products * (_width(self.terms) + _width(other.terms))):
            return self.ring.unknown
        total: dict[Monomial, Fraction] = {}
        for left, a in self.terms.items():
            for right, b in other.terms.items():
                _add(total, _product(left, right), a * b)
        return Polynomial(self.ring, total)

    def __truediv__(self, other: Polynomial) -> Polynomial:
        return self * self.ring.power(other, -_ONE)

    def __pow__(self, exponent: int | Polynomial) -> Polynomial:
        if isinstance(exponent, Polynomial):
            assert exponent.terms is not None
            return self.ring.power(self, exponent.terms.get((), _ZERO))
        return self.ring.power(self, Fraction(exponent))

    def scaled(self, factor: Fraction) -> Polynomial:
        """``factor``, which is not zero, times it."""
        return self if self.terms is None else Polynomial(self.ring, {m: c * factor for m, c in self.terms.items()})


@dataclass(frozen=True)
class _Rule:
    """``lead · inverse`` may be replaced by ``terms``."""

    lead: Monomial
    terms: Terms


class Ring:
    """Atoms by what they are, and the work that has been done with them."""

    def __init__(self) -> None:
        self._atoms: dict[Hashable, int] = {}
        self._sums: dict[int, Polynomial] = {}
        self._rules: dict[int, _Rule] = {}
        self._indicators: dict[int, None] = {}
        self._work = 0
        self.unknown = Polynomial(self, None)

    @property
    def exhausted(self) -> bool:
        """Whether its budget of work is spent."""
        return self._work > MOST_WORK

    def spend(self, atoms: int) -> bool:
        """Count atoms that are about to be written; whether the budget allows them."""
        self._work += atoms
        return not self.exhausted

    def number(self, value: Fraction) -> Polynomial:
        """A constant."""
        return Polynomial(self, {(): value} if value else {})

    def atom(self, *key: Hashable, exponent: int = 1) -> Polynomial:
        """A power of the atom that ``key`` names; unknown where part of the key is."""
        return self.unknown if None in key else Polynomial(self, {((self._place(key), exponent),): _ONE})

    def named(self, value: Polynomial) -> Polynomial:
        """An atom in place of a sum, the same for the same sum; anything shorter stays as it is."""
        if value.terms is None or len(value.terms) < 2:
            return value
        key = ("sum", value.key)
        self._sums[self._place(key)] = value
        return self.atom(*key)

    def power(self, base: Polynomial, exponent: Fraction) -> Polynomial:
        """``base ** exponent``; roots, and inverses of sums, are atoms."""
        if exponent.denominator != 1:
            root = ("root", exponent.denominator)
            return self._by_cases(base, lambda value: self.atom(*root, value.key, exponent=exponent.numerator))
        if exponent < 0:
            base = self._by_cases(base, self._inverse)
        return reduce(Polynomial.__mul__, [base] * abs(int(exponent)), self.number(_ONE))

    def read(self, node: Algebra, known: dict[Algebra, Polynomial]) -> Polynomial:
        """The polynomial of a SymPy expression; ``known`` holds those of its symbols, and is added to."""
        if node not in known:
            known[node] = self._read(node, known)
        return known[node]

    def normal(self, value: Polynomial) -> Polynomial:
        """``value`` without products of inverses and what they are inverses of, or powers of indicators."""
        if value.terms is None:
            return value
        waiting, found, work = dict(value.terms), dict[Monomial, Fraction](), 0
        while waiting:
            monomial, coefficient = waiting.popitem()
            monomial = tuple((atom, 1 if power > 0 and atom in self._indicators else power) for atom, power in monomial)
            changed = self._rewritten(monomial)
            if changed is None:
                _add(found, monomial, coefficient)
                continue
            work += len(changed)
            if work > MOST_TERMS or not self.spend(len(changed) * len(monomial)):
                return self.unknown
            for other, factor in changed.items():
                _add(waiting, other, coefficient * factor)
        return Polynomial(self, found)

    def vanishes(self, value: Polynomial) -> bool:
        """Whether ``value`` is known to be zero, named sums written out where it is not as it stands."""
        value = self.normal(value)
        while value.terms and any(atom in self._sums for monomial in value.terms for atom, _ in monomial):
            value = self.normal(self._written_out(value))
        return value.is_zero

    def _written_out(self, value: Polynomial) -> Polynomial:
        """``value`` with every named sum in place of its name."""
        total = self.number(_ZERO)
        for monomial, coefficient in (value.terms or {}).items():
            term = Polynomial(self, {tuple(each for each in monomial if each[0] not in self._sums): coefficient})
            for atom, power in monomial:
                if atom in self._sums:
                    term *= self.power(self._sums[atom], Fraction(power))
            total += term
        return total

    def _place(self, key: Hashable) -> int:
        return self._atoms.setdefault(key, len(self._atoms))

    def _read(self, node: Algebra, known: dict[Algebra, Polynomial]) -> Polynomial:
        if node.is_Rational:
            return self.number(Fraction(int(node.p), int(node.q)))
        if node.is_Add or node.is_Mul:
            join = Polynomial.__add__ if node.is_Add else Polynomial.__mul__
            return reduce(join, (self.read(part, known) for part in node.args))
        if node.is_Pow and node.exp.is_Rational:
            return self.power(self.read(node.base, known), Fraction(int(node.exp.p), int(node.exp.q)))
        if isinstance(node, sympy.Piecewise):
            return self._pieces(node, known)
        if not node.args:
            # Infinities: a quotient whose denominator is zero at this size.
            return self.unknown
        if type(node).__name__ in SURROGATES.values():
            return self.read(node.args[0], known)
        (argument,) = (self.read(part, known) for part in node.args)
        if isinstance(node, sympy.exp):
            return self._by_cases(argument, self._exponential)
        return self._by_cases(argument, lambda value: self.atom(type(node).__name__, value.key))

    def _by_cases(self, value: Polynomial, function: Callable[[Polynomial], Polynomial]) -> Polynomial:
        """A function of a value that depends on conditions: its value where each holds, and where it does not."""
        for atom in self._indicators:
            if any(other == atom for monomial in value.terms or () for other, _ in monomial):
                holds = Polynomial(self, {((atom, 1),): _ONE})
                inside, outside = (self._by_cases(_where(value, atom, case), function) for case in (True, False))
                return holds * inside + (self.number(_ONE) - holds) * outside
        return function(value)

    def _pieces(self, node: Algebra, known: dict[Algebra, Polynomial]) -> Polynomial:
        """Every expression times the indicator that its condition is the first to hold."""
        total, rest, one = self.number(_ZERO), self.number(_ONE), self.number(_ONE)
        for expression, condition in node.args:
            holds = one if condition == sympy.true else self._condition(condition, known)
            total += rest * holds * self.read(expression, known)
            rest *= one - holds
        return total

    def _condition(self, condition: Algebra, known: dict[Algebra, Polynomial]) -> Polynomial:
        if isinstance(condition, sympy.Eq | sympy.Ne):
            apart = self._opened(self.read(condition.lhs, known) - self.read(condition.rhs, known))
            equal, other = (self.number(Fraction(isinstance(condition, kind))) for kind in (sympy.Eq, sympy.Ne))
            return self._by_cases(apart, lambda value: equal if value.is_zero else other)
        if not isinstance(condition, sympy.Gt | sympy.Ge | sympy.Lt | sympy.Le):
            return self.unknown
        difference = self._opened(self.read(condition.gts, known) - self.read(condition.lts, known))
        at_zero = self.number(Fraction(isinstance(condition, sympy.Ge | sympy.Le)))
        return self._by_cases(difference, lambda value: at_zero if value.is_zero else self._indicator(value))

    def _indicator(self, value: Polynomial) -> Polynomial:
        """``[value > 0]``: for all multiples of a value one atom, or one less it."""
        if value.terms is None:
            return value
        lead = value.terms[max(value.terms, key=_rank)]
        value = value.scaled(1 / lead)
        if value.terms is not None and not any(value.terms):
            return self.number(Fraction(lead > 0))
        indicator = self.atom("positive", value.key)
        self._indicators[self._place(("positive", value.key))] = None
        return indicator if lead > 0 else self.number(_ONE) - indicator

    def _opened(self, value: Polynomial) -> Polynomial:
        """The sum that ``value`` is a name of, or a multiple of such a name; else ``value``."""
        if value.terms is None or len(value.terms) != 1:
            return value
        ((monomial, coefficient),) = value.terms.items()
        if len(monomial) != 1 or monomial[0][1] != 1 or monomial[0][0] not in self._sums:
            return value
        return self._opened(self._sums[monomial[0][0]].scaled(coefficient))

    def _exponential(self, value: Polynomial) -> Polynomial:
        """``exp(value)``: whole multiples, and negatives, of one exponent are powers of one atom."""
        if not value.terms:
            return self.number(_ONE) if value.is_zero else value
        times = gcd(*(coefficient.numerator for coefficient in value.terms.values()))
        value = value.scaled(Fraction(1, times))
        if ("exp", (-value).key) in self._atoms:
            return self.atom("exp", (-value).key, exponent=-times)
        return self.atom("exp", value.key, exponent=times)

    def _inverse(self, value: Polynomial) -> Polynomial:
        """One over ``value``: what its terms share is inverted as it is, every repeated factor that is left an atom."""
        if not value.terms:
            return self.unknown
        shared, largest = _shared(value.terms), max(value.terms, key=_rank)
        outside = Polynomial(self, {_raised(shared, -1): 1 / value.terms[largest]})
        inside = value * outside
        if inside.terms is None:
            return inside
        return reduce(Polynomial.__mul__, [self._inverse_atom(f, k) for f, k in _factors(inside.terms)], outside)

    def _inverse_atom(self, factor: Terms, times: int) -> Polynomial:
        """The power of the inverse of a sum whose largest term has the coefficient 1."""
        place = self._place(key := ("inverse", frozenset(factor.items())))
        lead = max(factor, key=_rank)
        rest = {_product(monomial, ((place, 1),)): -c for monomial, c in factor.items() if monomial != lead}
        self._rules[place] = _Rule(lead, {(): _ONE, **rest})
        return self.atom(*key, exponent=times)

    def _rewritten(self, monomial: Monomial) -> Terms | None:
        """What replaces ``monomial`` by the first rule that applies; None where none does."""
        powers = dict(monomial)
        for atom, power in monomial:
            rule = self._rules.get(atom)
            if rule and power > 0 and all(powers.get(other, 0) >= least for other, least in rule.lead):
                left = _product(monomial, _raised((*rule.lead, (atom, 1)), -1))
                return {_product(left, m): c for m, c in rule.terms.items()}
        return None


def _add(terms: dict[Monomial, Fraction], monomial: Monomial, coefficient: Fraction) -> None:
    """Add a term, and drop it where nothing is left."""
    total = terms.get(monomial, _ZERO) + coefficient
    if total:
        terms[monomial] = total
    else:
        terms.pop(monomial, None)


def _width(terms: Terms) -> int:
    """Atoms of the longest term, and one for its coefficient."""
    return 1 + max(map(len, terms), default=0)


def _product(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted((atom, power) for atom, power in powers.items() if power))


def _raised(monomial: Monomial, exponent: int) -> Monomial:
    return tuple((atom, power * exponent) for atom, power in monomial)


def _rank(monomial: Monomial) -> tuple[tuple[int, int], ...]:
    """The order of monomials: by the exponent of the oldest atom, then of the next."""
    return tuple((-atom, power) for atom, power in monomial)


def _shared(terms: Terms) -> Monomial:
    """The monomial that divides all terms and leaves no exponent below zero."""
    powers = [dict(monomial) for monomial in terms]
    atoms = sorted({atom for each in powers for atom in each})
    least = ((atom, min(each.get(atom, 0) for each in powers)) for atom in atoms)
    return tuple((atom, power) for atom, power in least if power)


def _factors(terms: Terms) -> list[tuple[Terms, int]]:
    """The factors, with how often each occurs, of a polynomial whose largest term has the coefficient 1, by SymPy."""
    if len(terms) == 1:
        return []
    if len(terms) > MOST_FACTORED:
        return [(terms, 1)]
    atoms = sorted({atom for monomial in terms for atom, _ in monomial})
    dense = {
        tuple(dict(m).get(atom, 0) for atom in atoms): sympy.Rational(c.numerator, c.denominator)
        for m, c in terms.items()
    }
    whole = sympy.Poly(dense, *(sympy.Symbol(f"a{atom}") for atom in atoms), domain=sympy.QQ)
    found: list[tuple[Terms, int]] = []
    for factor, times in whole.sqf_list()[1]:
        # Atoms stand in the order of their age: SymPy's leading term is the largest by `_rank`.
        monic = factor.monic().terms()
        named = {_monomial(atoms, powers): Fraction(int(c.p), int(c.q)) for powers, c in monic}
        found.append((named, times))
    return found


def _monomial(atoms: Sequence[int], powers: Sequence[int]) -> Monomial:
    return tuple((atom, power) for atom, power in zip(atoms, powers, strict=True) if power)


def _where(value: Polynomial, atom: int, holds: bool) -> Polynomial:
    """``value`` where the condition of an indicator holds, or where it does not."""
    found: dict[Monomial, Fraction] = {}
    for monomial, coefficient in (value.terms or {}).items():
        rest = tuple(each for each in monomial if each[0] != atom)
        if holds or rest == monomial:
            _add(found, rest, coefficient)
    return Polynomial(value.ring, found)

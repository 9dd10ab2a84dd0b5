"""What a cell file says of its parameters: how they start, their domains, and which of them are fixed.

Reads the tables ``[init]`` and ``[domain]`` and the list ``fixed`` as plain values; returns them checked against the names of
the cell and against one another. Leaves out: the words that the tables may hold (`symrnn.language.starts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symrnn.errors import CellError
from symrnn.language.decimals import Number, decimal
from symrnn.language.given import described
from symrnn.language.origin import Origin, nearest, shown
from symrnn.language.starts import DOMAINS, INITIALISERS, Initialiser, described_start, reach_of

KIND = "kind"
"""The key that names the initialiser in the table of an entry under ``[init]``."""

StartEntry = Number | Mapping[str, Number]
"""An initialiser by its name or with its options, or a number."""


@dataclass(frozen=True)
class ParameterTables:
    """Checks tables about parameters.

    Attributes:
        parameters: of the cell, in order.
        matrices: those that are matrices.
        constants: the names under ``[constants]``.
        others: all other names of the equations.
        origin: for errors.
    """

    parameters: Sequence[str]
    matrices: Sequence[str]
    constants: Sequence[str]
    others: Sequence[str]
    origin: Origin

    def fixed(self, names: Sequence[str]) -> tuple[str, ...]:
        """The parameters without gradient, in the order of the cell.

        Raises:
            CellError: a name is no parameter, or stands twice.
        """
        for at, name in enumerate(names):
            if name not in self.parameters:
                said = f"`{shown(name)}` is no parameter of the cell"
                if name in (*self.constants, *self.others):
                    said = f"`{name}` is no parameter; what is fixed is never assigned, and no constant"
                raise self._error(f"fixed: {said}{self._known(name)}", "fixed")
            if name in names[:at]:
                raise self._error(f"fixed: `{name}` stands in it twice; remove one of the two", "fixed")
        return tuple(name for name in self.parameters if name in names)

    def domains(self, entries: Mapping[str, str]) -> dict[str, str]:
        """The domains by parameter.

        Raises:
            CellError: a name is no parameter, or there is no such domain.
        """
        for name, word in entries.items():
            self._hold("domain", name, "domain")
            if word not in DOMAINS:
                hint = nearest(word, tuple(DOMAINS))
                message = f"[domain] {name}: expected {', '.join(DOMAINS)}, found {described(word, 30)}{hint}"
                raise self._error(message, "domain", name)
        return {name: entries[name] for name in self.parameters if name in entries}

    def starts(self, entries: Mapping[str, StartEntry], domains: Mapping[str, str]) -> dict[str, str]:
        """The starts by parameter, as texts; a parameter with a domain and no entry starts as its domain says.

        Raises:
            CellError: a name is no parameter, an entry is no start, or it leaves the parameter's domain.
        """
        found: dict[str, str] = {}
        for name, entry in entries.items():
            self._hold("init", name, "initial value")
            start = self._of_table(name, entry) if isinstance(entry, Mapping) else self._of_word(name, entry)
            self._hold_domain(name, start, domains.get(name, ""))
            found[name] = start
        return found | {name: word for name, word in domains.items() if name not in found}

    def _hold(self, table: str, name: str, what: str) -> None:
        """Refuse a name that is no parameter."""
        if name in self.constants:
            raise self._error(f"[{table}] {name}: a constant has no {what}; remove one of the two", table, name)
        if name not in self.parameters:
            raise self._error(f"[{table}] {shown(name)}: unknown parameter{self._known(name)}", table, name)

    def _known(self, name: str) -> str:
        """The name that may be meant, or all."""
        return nearest(name, self.parameters) or f"; the parameters are {', '.join(self.parameters)}"

    def _of_word(self, name: str, entry: Number) -> str:
        """A start without options."""
        if not (isinstance(entry, str) and entry in INITIALISERS):
            text, fault = decimal(entry)
            if fault:
                hint = nearest(entry, tuple(INITIALISERS)) if isinstance(entry, str) else ""
                raise self._wrong(name, f"{fault}; expected {', '.join(INITIALISERS)} or a number{hint}")
            return text
        self._hold_shape(name, entry)
        return " ".join((entry, *INITIALISERS[entry].defaults))

    def _of_table(self, name: str, entry: Mapping[str, Number]) -> str:
        """A start with options."""
        kind = entry.get(KIND)
        if not isinstance(kind, str) or kind not in INITIALISERS:
            hint = nearest(kind, tuple(INITIALISERS)) if isinstance(kind, str) else ""
            found = described(kind, 30) if KIND in entry else "none"
            raise self._wrong(name, f"expected as `{KIND}` one of {', '.join(INITIALISERS)}, found {found}{hint}")
        self._hold_shape(name, kind)
        row = INITIALISERS[kind]
        given = {key: value for key, value in entry.items() if key != KIND}
        for key in given:
            if key not in row.options:
                known = f"it has {' and '.join(row.options)}" if row.options else "it has none"
                raise self._wrong(name, f"{kind} has no option `{shown(str(key), 30)}`; {known}", key)
        if not given:
            return " ".join((kind, *row.defaults))
        missing = next((option for option in row.options if option not in given), None)
        if missing is not None:
            raise self._wrong(name, f"{kind} has {' and '.join(row.options)} together; `{missing}` is missing")
        numbers = [self._number(name, kind, row, option, given[option]) for option in row.options]
        if row.bounded and not float(numbers[0]) < float(numbers[1]):
            raise self._wrong(name, f"{kind}: low must be below high, found {numbers[0]} and {numbers[1]}")
        return " ".join((kind, *numbers))

    def _number(self, name: str, kind: str, row: Initialiser, option: str, value: Number) -> str:
        text, fault = decimal(value)
        if fault:
            raise self._wrong(name, f"{kind}: {option}: {fault}", option)
        if row.whole and not (text.isdigit() and int(text) > 0):
            raise self._wrong(name, f"{kind}: {option}: expected a whole number of at least 1, found {text}", option)
        if row.above_zero and not float(text) > 0:
            raise self._wrong(name, f"{kind}: {option}: expected a number above 0, found {text}", option)
        return text

    def _hold_shape(self, name: str, kind: str) -> None:
        if INITIALISERS[kind].of_matrices and name not in self.matrices:
            raise self._wrong(name, f"only a matrix can be {kind}")

    def _hold_domain(self, name: str, start: str, word: str) -> None:
        """Refuse a start that may give numbers outside the domain."""
        if not word or all(DOMAINS[word].holds(*interval) for interval in reach_of(start)):
            return
        ends = [end for interval in reach_of(start) for end in interval]
        gives = (
            f"gives {min(ends):g}" if min(ends) == max(ends) else f"gives numbers from {min(ends):g} to {max(ends):g}"
        )
        raise self._wrong(
            name,
            f"{described_start(start)} {gives}, but [domain] says {word}, {DOMAINS[word].text}; change one of them, or leave "
            f"this entry out: `{word}` is a start too",
        )

    def _wrong(self, name: str, message: str, *path: str) -> CellError:
        return self._error(f"[init] {name}: {message}", "init", name, *path)

    def _error(self, message: str, *path: str) -> CellError:
        return self.origin.entry_error(message, *path)

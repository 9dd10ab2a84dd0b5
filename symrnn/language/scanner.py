"""From the text of all equations to one of each: checks that need no syntax tree. Python's parser then sees only harmless text.

Reads the text of the equations; returns one `EquationText` per equation, with comments blanked out and primes replaced by
U+02B9 (one character for one, so columns stay right). Refuses what is too long or nested too deeply, characters and
words that are no part of the language, and operands or operators in the wrong place. Leaves out: all meaning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from symrnn.errors import CellError
from symrnn.language.identifiers import C_WORDS, PYTHON_WORDS
from symrnn.language.origin import Origin, Place, shown
from symrnn.language.repeats import MAX_NESTED, Guard, Head, read_head, split_guard, starts_head
from symrnn.language.unknown import two_words

MAX_TEXT = 64 * 1024
"""Most characters of a cell's equations."""

MAX_DEPTH = 100
"""Deepest nesting of parentheses, and of an expression's tree."""

MAX_DIGITS = 40
"""Longest literal number, in characters."""

MAX_NAME = 63
"""Longest name, prime not counted."""

COMMENT_MARKS = ("*/", "/*", '"""')
"""What would end a comment of a generated file, or seem to begin one."""

PRIME_LETTER = "ʹ"
"""U+02B9, a letter to Python: what ``'`` becomes before `ast.parse`."""

_TOKEN = re.compile(
    r"(?P<space>[ \t]+)"
    r"|(?P<comment>#.*)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*'?)"
    r"|(?P<operator>\*\*|//|[=!<>]=|[-+*/@=(),.<>\[\]])",
    re.ASCII,
)

_REMEDIES = {
    "'": "a prime stands directly after the name of a state, as in `c'`; quotation marks have no other use",
    '"': "equations hold no strings",
    "\\": "to go on in the next line, use parentheses",
    ";": "each equation has a line of its own",
    "^": "a power is written `**`",
    "[": (
        "there is no indexing: an equation holds for every unit; names have an index in a repeat and in a definition; a matrix "
        "times vectors one after the other is `W @ x + U @ h`, a matrix for each part"
    ),
    "]": "there is no indexing: an equation holds for every unit",
    "{": "an index is a part of a name, as in `W_xh`; of a state, `h` is the value before the step and `h'` that after it",
    "×": "write `*`, or `@` where a matrix stands in front of it",
    "·": "write `*`, or `@` where a matrix stands in front of it",
    "⋅": "write `*`, or `@` where a matrix stands in front of it",
    "∙": "write `*`, or `@` where a matrix stands in front of it",
    "⊙": "write `*`",
    "⊗": "write `*`",
    "∘": "write `*`",
    "∗": "write `*`",
    "÷": "write `/`",
    "⊘": "write `/`",
    "⊕": "write `+`",
    "½": "write `0.5`",
    "¼": "write `0.25`",
    "√": "write `sqrt(…)`",
    "∑": "write `sum(…)`",
    "|": "write `abs(…)`",
    "?": "a choice is written `where(a < b, c, d)`",
    "∞": "a number is finite",
    "π": "write `pi`, with `pi = 3.141592653589793` under [constants]",
    "≤": "write `<=`",
    "≥": "write `>=`",
    "≠": "write `!=`",
    "!": "the comparison is written `!=`",
    "&": "write one `where` inside the other",
    "←": "an equation is `name = expression`",
    "≔": "an equation is `name = expression`",
    "−": "write `-`",
    "–": "write `-`",
    "’": "write `'`",
    "′": "write `'`",
    "ʹ": "write `'`",
    "σ": "write `sigmoid`",
    "ᵀ": "write `.T`",
    "⊤": "write `.T`",
}
_GREEK = {"lamda": "lambda_", "Lamda": "Lambda"}
"""What to write for a Greek letter whose Unicode name differs from its usual name, or is a word of Python."""
_BINARY = frozenset({"+", "-", "*", "/", "//", "@", "**", "=", "==", "!=", "<", "<=", ">", ">=", ",", "."})
_OPEN, _CLOSE = frozenset({"(", "["}), frozenset({")", "]"})


class Token(NamedTuple):
    """A name, a number or an operator, with its place in the equations."""

    kind: str
    text: str
    place: Place


@dataclass(frozen=True)
class EquationText:
    """The text of one equation, ready for `ast.parse`.

    Attributes:
        text: without indentation, comments and primes.
        line: its first line in the equations, from 1.
        indent: characters cut off in front of the first line.
        heads: the repeats that it stands in, the outermost first.
        guard: which of their passes it is for; None where it is for all.
    """

    text: str
    line: int
    indent: int
    heads: tuple[Head, ...] = ()
    guard: Guard | None = None

    def place(self, line: int, offset: int) -> Place:
        """The place in the equations of ``line`` and byte ``offset`` as a syntax tree gives them."""
        before = self.text.split("\n")[line - 1].encode()[:offset].decode(errors="ignore")
        return self.line + line - 1, len(before) + 1 + (self.indent if line == 1 else 0)


def scan(text: str, origin: Origin) -> tuple[EquationText, ...]:
    """The equations of ``text``, each with a text of its own.

    Raises:
        CellError: the text is too long, or holds something that is no part of the language.
    """
    if len(text) > MAX_TEXT:
        raise origin.error(f"the equations have {len(text)} characters; the most is {MAX_TEXT}", (1, 1))
    return _Scanner(origin).scan(text.replace("\r\n", "\n").split("\n"))


def scan_expression(text: str, first: Place, origin: Origin) -> EquationText:
    """The text of one expression, in parentheses of its own: it may have several lines. Its first character is at ``first``.

    Raises:
        CellError: as `scan`.
    """
    tokens: list[Token] = []
    clean: list[str] = []
    depth = 0
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), first[0]):
        found = _tokens(line, number, origin, indexed=True)
        depth = _depth(found, depth, origin)
        tokens += found
        clean.append(_clean(line, found))
    if not tokens:
        raise origin.error("expected an expression, found nothing", first)
    for token in tokens:
        if token.text in ("=", "=="):
            raise origin.error(f"expected an expression alone, found `{token.text}`", token.place)
    if depth:
        raise _never_closed(tokens, origin)
    _check_order(tokens, origin)
    return EquationText("(" + "\n".join(clean) + ")", first[0], -1)


class _Scanner:
    """Goes through the lines once, and knows the repeats around the line at hand."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._equations: list[EquationText] = []
        self._pending: list[Token] = []
        self._clean: list[str] = []
        self._heads: list[Head] = []
        self._filled: set[Head] = set()
        self._inline = 0  # how many of the heads stand in the line of their only equation
        self._depth = 0

    def scan(self, lines: Sequence[str]) -> tuple[EquationText, ...]:
        for number, line in enumerate(lines, 1):
            begins = not self._pending and line.partition("#")[0].strip(" \t")
            self._take(line, number, self._begin(line, number) if begins else 0)
        if self._pending:
            raise _never_closed(self._pending, self._origin)
        self._leave(0)
        return tuple(self._equations)

    def _begin(self, line: str, number: int) -> int:
        """Leave and enter repeats at the beginning of a statement; where in the line it goes on."""
        indent = len(line[: len(line) - len(line.lstrip(" \t"))].expandtabs())
        self._leave(indent)
        start = 0
        entered = 0
        while starts_head(line, start):
            head, start = read_head(line, number, start, self._origin)
            self._heads.append(replace(head, indent=indent))
            entered += 1
            if len(self._heads) > MAX_NESTED:
                raise self._origin.error(f"repeats are nested more than {MAX_NESTED} deep", head.place)
        self._inline = entered if line[start:].partition("#")[0].strip(" \t") else 0
        return start

    def _leave(self, indent: int) -> None:
        """Leave the repeats that a statement with that many columns in front of it does not belong to."""
        while self._heads and (self._inline or self._heads[-1].indent >= indent):
            head = self._heads.pop()
            self._inline = max(self._inline - 1, 0)
            if head not in self._filled:
                message = f"`{head}` repeats nothing; its equations stand below it, further to the right"
                raise self._origin.error(message, head.place)

    def _take(self, line: str, number: int, start: int) -> None:
        """A line, or what stands in it behind the heads of repeats."""
        guard = None
        if self._heads:
            line, guard = split_guard(line, number, self._origin)
        tokens = _tokens(line, number, self._origin, start=start, indexed=bool(self._heads))
        if guard is not None and not (tokens or self._pending):
            raise self._origin.error("expected an equation in front of `for`", guard.place)
        if not tokens and not self._pending:
            return
        self._depth = _depth(tokens, self._depth, self._origin)
        self._pending += tokens
        self._clean.append(_clean(line, tokens))
        if self._depth == 0:
            self._equations.append(_equation(self._pending, self._clean, tuple(self._heads), guard, self._origin))
            self._filled.update(self._heads)
            self._pending, self._clean = [], []
        elif guard is not None:
            raise self._origin.error("close the parentheses in front of `for`", guard.place)


def _equation(
    tokens: list[Token], lines: list[str], heads: tuple[Head, ...], guard: Guard | None, origin: Origin
) -> EquationText:
    _check_start(tokens, origin)
    _check_order(tokens, origin)
    line, column = tokens[0].place
    return EquationText("\n".join([lines[0][column - 1 :], *lines[1:]]), line, column - 1, heads, guard)


def _clean(line: str, tokens: list[Token]) -> str:
    """``line`` up to the end of its last token: all that follows is blank or comment."""
    end = tokens[-1].place[1] - 1 + len(tokens[-1].text) if tokens else 0
    return line[:end].replace("'", PRIME_LETTER)


def _tokens(line: str, number: int, origin: Origin, *, start: int = 0, indexed: bool = False) -> list[Token]:
    """The tokens of one line from ``start`` but for comments; brackets are tokens where names may have an index."""
    return [token for token in _read(line, number, start, indexed, origin) if token.kind != "comment"]


def _read(line: str, number: int, start: int, indexed: bool, origin: Origin) -> Iterator[Token]:
    """The tokens of one line, each checked by itself and against the character behind it."""
    while start < len(line):
        place = (number, start + 1)
        found = _TOKEN.match(line, start)
        if found is None or (found.group() in ("[", "]") and not indexed):
            raise origin.error(_strange(line[start]), place)
        kind, text = found.lastgroup or "", found.group()
        start = found.end()
        if kind == "comment":
            _check_comment(text, place, origin)
        if kind == "name":
            _check_name(text, place, origin)
            if text.endswith("'") and line[start : start + 1].isalnum():
                message = f"expected an operator after `{text}`; a name ends with its prime"
                raise origin.error(message, (number, start + 1))
        if kind == "number":
            _check_number(text, line[start : start + 1], place, origin)
        if kind != "space":
            yield Token(kind, text, place)


def _strange(character: str) -> str:
    """Why ``character`` cannot stand in an equation, and what to write."""
    if character in _REMEDIES:
        return f"unexpected `{character}`: {_REMEDIES[character]}"
    alike = unicodedata.normalize("NFKC", character)
    name = unicodedata.name(character, f"U+{ord(character):04X}")
    place = unicodedata.decomposition(character).partition(" ")[0]
    if not character.isprintable():
        return f"unexpected character {name}: equations are plain text"
    if character.isascii():
        return f"unexpected `{character}`: expected names, numbers, parentheses, functions and + - * / ** @"
    return f"unexpected `{character}` ({name}): {_spelt(alike, place, name)}"


def _spelt(alike: str, place: str, name: str) -> str:
    """What to write for a character of another alphabet; ``alike`` is the plain character that it resembles."""
    plain = alike.isascii() and alike.isprintable()
    if place == "<super>":
        return f"a power is written `**{alike if plain else '2'}`"
    if place == "<sub>" and plain:
        return f"an index is part of a name: write `_{alike}`"
    greek = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)", name)
    if greek:
        word = greek[2].capitalize() if greek[1] == "CAPITAL" else greek[2].lower()
        return f"names are of a-z, A-Z, 0-9 and _; write `{_GREEK.get(word, word)}`"
    return f"write `{alike}`" if plain else "names are of a-z, A-Z, 0-9 and _"


def _check_comment(text: str, place: Place, origin: Origin) -> None:
    for offset, character in enumerate(text):
        if not character.isprintable() and character != "\t":
            raise origin.error(_strange(character), (place[0], place[1] + offset))
    for mark in COMMENT_MARKS:
        if (offset := text.find(mark)) >= 0:
            raise origin.error(
                f"unexpected `{mark}` in a comment: generated files quote the equations in comments of their own",
                (place[0], place[1] + offset),
            )


def _check_name(text: str, place: Place, origin: Origin) -> None:
    if fault := name_fault(text.removesuffix("'")):
        raise origin.error(fault, place)


def name_fault(name: str) -> str:
    """Why ``name`` cannot be a name (functions are checked elsewhere), or an empty string."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is None:
        return f"`{shown(name)}` is not a name; a name is a letter, followed by letters, digits and _"
    if len(name) > MAX_NAME:
        return f"the name `{shown(name)}` has {len(name)} characters; the most is {MAX_NAME}: shorten it"
    for language, words in (("Python", PYTHON_WORDS), ("C", C_WORDS)):
        if name in words:
            return f"`{name}` is a word of {language} and cannot be a name; write `{name}_` or another name"
    return ""


def _check_number(text: str, behind: str, place: Place, origin: Origin) -> None:
    if len(text) > MAX_DIGITS:
        raise origin.error(f"the number {shown(text, 20)} has {len(text)} characters; the most is {MAX_DIGITS}", place)
    if behind.isalnum() or behind in {"_", "."} or re.match(r"0\d", text):
        raise origin.error(
            f"`{text}{behind}` does not begin a number; numbers are decimal, such as 2, 0.5 or 1e-5", place
        )
    if behind == "'":
        raise origin.error(f"unexpected `'`: {_REMEDIES[behind]}", (place[0], place[1] + len(text)))


def _depth(tokens: list[Token], depth: int, origin: Origin) -> int:
    """The number of open parentheses after ``tokens``, with ``depth`` open before them."""
    for token in tokens:
        if token.text in _OPEN:
            depth += 1
            if depth > MAX_DEPTH:
                raise origin.error(f"parentheses are nested more than {MAX_DEPTH} deep", token.place)
        elif token.text in _CLOSE:
            depth -= 1
            if depth < 0:
                raise origin.error("this parenthesis closes nothing; remove it, or open one before it", token.place)
    return depth


def _never_closed(tokens: list[Token], origin: Origin) -> CellError:
    stack: list[Token] = []
    for token in tokens:
        if token.text in _OPEN:
            stack.append(token)
        elif token.text in _CLOSE:
            if (token.text, stack[-1].text) == (")", "["):
                break
            stack.pop()
    kind, close = ("bracket", "]") if stack[-1].text == "[" else ("parenthesis", ")")
    return origin.error(f"this {kind} is never closed; close it with `{close}`", stack[-1].place)


def _check_start(tokens: list[Token], origin: Origin) -> None:
    """An equation begins with the name that it assigns and ``=``."""
    first, second = tokens[0], tokens[1] if len(tokens) > 1 else None
    if first.kind != "name":
        raise origin.error(f"expected a name in front of `=`, found `{shown(first.text)}`", first.place)
    if second is None or second.text != "=":
        line, column = first.place
        place = second.place if second else (line, column + len(first.text))
        found = f"found `{shown(second.text)}`" if second else "the line ends"
        message = f"expected `=` after `{shown(first.text)}`, {found}: an equation is `name = expression`"
        raise origin.error(message, place)


def _check_order(tokens: list[Token], origin: Origin) -> None:
    """Operands and operators alternate: what Python would only call invalid syntax is named here."""
    before: Token | None = None
    complete = False  # whether an operand has just ended
    chooses = False  # whether a `where` has begun
    for token in tokens:
        if token.text == "=" and chooses:
            raise origin.error("the comparison is written `==`", token.place)
        chooses = chooses or token.text == "where"
        opens = token.text in _OPEN and before is not None and before.kind == "name"
        if complete and (token.kind in ("name", "number") or token.text in _OPEN) and not opens:
            assert before is not None
            hint = two_words(before.text, token.text) if before.kind == token.kind == "name" else ""
            raise origin.error(f"expected an operator between `{before.text}` and `{token.text}`{hint}", token.place)
        empty = token.text == ")" and before is not None and before.text in ("(", ",")
        if not complete and not empty and token.text in _BINARY - {"+", "-"} | _CLOSE | {"["}:
            after = f" after `{before.text}`" if before else ""
            raise origin.error(f"expected an operand{after}, found `{token.text}`", token.place)
        complete = token.kind in ("name", "number") or token.text in _CLOSE
        before = token
    if not complete and before is not None:
        line, column = before.place
        message = f"expected an operand after `{before.text}`; to go on in the next line, use parentheses"
        raise origin.error(message, (line, column + len(before.text)))

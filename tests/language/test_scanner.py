"""Text to statements: what is blanked out, where statements end, and that places survive."""

from __future__ import annotations

import pytest

from symrnn.errors import CellError
from symrnn.language.identifiers import C_WORDS, PYTHON_WORDS
from symrnn.language.origin import Origin
from symrnn.language.scanner import PRIME_LETTER, name_fault, scan


def test_statements_have_no_comments_no_primes_and_no_indentation() -> None:
    text = "\n# of the gate\n  c' = f*c   # 'the' \"cell\"\n\n\th' = (c'\n   # middle\n   + x)\n"
    first, second = scan(text, Origin())
    assert first.text == f"c{PRIME_LETTER} = f*c"
    assert (first.line, first.indent) == (3, 2)
    assert second.text == f"h{PRIME_LETTER} = (c{PRIME_LETTER}\n\n   + x)"
    assert (second.line, second.indent) == (5, 1)


def test_places_count_characters_though_syntax_trees_count_bytes() -> None:
    (statement,) = scan("  c' = c + x", Origin())
    # U+02B9 has two bytes, so `x` is the eleventh byte of the statement and its tenth character.
    assert statement.place(1, 10) == (1, 12)


def test_lines_may_end_as_on_windows() -> None:
    assert [statement.line for statement in scan("a = x\r\n\r\nb = (a\r\n + x)\r\n", Origin())] == [1, 3]


@pytest.mark.parametrize("name", ["a", "W_xi", "h_tilde", "T", "A1", "x_", "a" * 63])
def test_names(name: str) -> None:
    assert name_fault(name) == ""


@pytest.mark.parametrize("name", ["", "_a", "1a", "a-b", "a.b", "ä", "a\n", "a" * 64, "Aʹ", "a'"])
def test_what_is_no_name(name: str) -> None:
    assert name_fault(name) != ""


@pytest.mark.parametrize("name", sorted(C_WORDS | PYTHON_WORDS - {"_"}))
def test_words_of_c_and_python_are_no_names(name: str) -> None:
    assert name_fault(name).startswith(f"`{name}` is ")


@pytest.mark.parametrize("mark", ["*/", "/*", '"""'])
def test_a_comment_cannot_end_that_of_a_generated_file(mark: str) -> None:
    with pytest.raises(CellError, match="in a comment") as raised:
        scan(f"h' = x  # {mark} int y;", Origin())
    assert (raised.value.line, raised.value.column) == (1, 11)


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\u2028", "\u202e", "\ufeff", "\x0c", "\x7f"])
def test_invisible_characters_are_refused_in_comments_too(character: str) -> None:
    with pytest.raises(CellError, match="plain text") as raised:
        scan(f"h' = x  # a{character}b", Origin())
    assert (raised.value.line, raised.value.column) == (1, 12)

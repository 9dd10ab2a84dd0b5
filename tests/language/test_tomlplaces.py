"""Places in TOML texts, however keys and strings are written; every character of the equations is found again."""

from __future__ import annotations

import tomllib

import pytest

from symrnn.language.tomlplaces import places

FILE = """\
# a cell
name = "a"   # 'quotes' = [ "in" comments
title="["
 "reference" = 'x = [ " y'
equations = '''
h' = (x
  + h)'''
output =   "h"
[ sizes ]   # one
"h" = "hidden"
  W = [ "hidden", # ]
    'input', ]
[constants]
k = -1.5e-3
t = 07:32:00
[init]
b.c = 1
"""


def test_keys_stand_where_they_are_written() -> None:
    entries = places(FILE, "f.toml").entries
    assert tomllib.loads(FILE)["init"] == {"b": {"c": 1}}
    assert dict(entries) == {
        ("name",): (2, 1),
        ("title",): (3, 1),
        ("reference",): (4, 2),
        ("equations",): (5, 1),
        ("output",): (8, 1),
        ("sizes",): (9, 1),
        ("sizes", "h"): (10, 1),
        ("sizes", "W"): (11, 3),
        ("constants",): (13, 1),
        ("constants", "k"): (14, 1),
        ("constants", "t"): (15, 1),
        ("init",): (16, 1),
        ("init", "b"): (17, 1),
        ("init", "b", "c"): (17, 3),
    }


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('sizes = { x = "input", h = "p" }', (1, 24)),
        ('sizes . h = "p"', (1, 9)),
        ('sizes . "h" = "p"', (1, 9)),
        ('a = [[1, "]"], {b = "}"}]\n[sizes]\nh = "p"', (3, 1)),
        ("a = '''\n[x]\nh = 1\n'''\n[sizes]\n\n\th = 1", (7, 2)),
        ('a = """\\"""\nh = 1"""\n[sizes]\nh = 1', (4, 1)),
        ('a = """b""""\nsizes = {h = 1}', (2, 10)),
        ("[[a]]\n[[a]]\nh = 1\n[sizes]\nh = 2", (5, 1)),
    ],
)
def test_tables_have_many_forms(text: str, place: tuple[int, int]) -> None:
    assert "h" in tomllib.loads(text)["sizes"]
    assert places(text, "").entries["sizes", "h"] == place


@pytest.mark.parametrize(
    "value",
    [
        '"h\' = x"',
        "'h = x'",
        "'''h' = x\n  c' = h'''",
        "'''\nh' = x\n\n  c' = h\n'''",
        "'''h' = x  # \\n \\u0041 \\\n c' = h'''",
        '"""\nh\' = x\nc\' = h\n"""',
        '"""h\' = x"""',
        '"a = x\\nh\' = a"',
        '"a = x\\u000Ah\' = \\u0061"',
        '"a = x\\U0000000ah\' = \\U00000061 + x"',
        '"""\\\n   a = x + \\\n      h\nh\' = a"""',
        '"""\na = x # \\"quoted\\" \\\\ tail\n"""',
        '""',
        '""""""',
        "''''''",
        '"""\n"""',
        '"""a = \\""""',
    ],
)
def test_every_character_of_the_equations_is_found(value: str) -> None:
    text = f"# begin\nname = 'a'\n  equations = {value} # end\noutput = 'h'\n"
    equations: str = tomllib.loads(text)["equations"]
    lines = text.split("\n")
    rows = places(text, "").characters
    assert [len(row) - 1 for row in rows] == [len(line) for line in equations.split("\n")]
    for row, line in zip(rows, equations.split("\n"), strict=True):
        for (number, column), character in zip(row, line, strict=False):
            there = lines[number - 1][column - 1 :]
            assert there.startswith((character, "\\u00", "\\U00", "\\" + character))
        assert 3 <= row[-1][0] <= len(lines)
    assert places(text, "").entries["output",] == (len(lines) - 1, 1)

"""Files joined into one: every include of a file at hand is gone, and marks stay with their lines."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest

from symrnn import load
from symrnn.emit.source import Mark, Source
from symrnn.errors import GenerateError
from symrnn.pipeline import program, requested
from symrnn.targets.c.amalgamate import amalgamated
from symrnn.targets.c.files import c_files, runtime_files

HALVES = (
    '#ifndef X\nonce;\n#if Y\n#else\n#endif\n#include "a.c"\n#include "a.c"\n#else\neach;\n#include "b.h"\n#endif\n'
)


def test_a_file_that_includes_itself_gives_its_second_half_each_time() -> None:
    files = {"a.c": Source(HALVES), "b.h": Source("b;\n")}
    assert amalgamated("a.c", files).text == "once;\n#if Y\n#else\n#endif\neach;\nb;\neach;\nb;\n"


def test_marks_stay_with_their_lines() -> None:
    each, b = Mark(("1",)), Mark(("2",), function="b")
    joined = amalgamated("a.c", {"a.c": Source(HALVES, {9: each}), "b.h": Source("b;\n", {1: b})})
    assert joined.marks == {5: each, 6: b, 7: each, 8: b}


def test_marks_get_the_precision_of_their_include() -> None:
    files = {"a.c": Source(HALVES, {2: Mark(("0",)), 9: Mark(("1",))}), "b.h": Source("b;\n", {1: Mark(("2",))})}
    marks = amalgamated("a.c", files, ("f32", "f64")).marks
    assert {number: mark.precision for number, mark in marks.items()} == {1: "", 5: "f32", 6: "f32", 7: "f64", 8: "f64"}


def test_other_includes_stay() -> None:
    text = '#include <math.h>\n#include "cell.h"\n'
    assert amalgamated("a.c", {"a.c": Source(text)}).text == text


def test_a_file_that_includes_itself_for_ever_is_refused() -> None:
    with pytest.raises(GenerateError, match=r"a\.c: it includes itself, so it needs an #else"):
        amalgamated("a.c", {"a.c": Source('#ifndef X\n#include "a.c"\n#endif\n')})


def test_a_single_file_has_the_runtime_and_both_precisions() -> None:
    cell = load("gru")
    several, single = (
        c_files(program(cell, backend="c"), requested(cell, ("c",), single_file=single)).sources
        for single in (False, True)
    )
    assert set(several) - set(single) == set(runtime_files())
    source = single["gru.c"]
    assert re.findall(r'#include "(.*)"', source.text) == ["gru.h"]
    lines, before = (each.text.splitlines() for each in (source, several["gru.c"]))
    once = Counter((before[number - 1], mark) for number, mark in several["gru.c"].marks.items())
    assert once
    for precision in ("f32", "f64"):
        marks = {number: mark for number, mark in source.marks.items() if mark.precision == precision}
        assert Counter((lines[number - 1], replace(mark, precision="")) for number, mark in marks.items()) == once

"""Any text with repeats, calls and indices is a cell or a `CellError`: nothing else is raised, and nothing hangs."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.text import to_text

WORDS = (
    "repeat", "repeat 2:", "repeat k = 1..2:", "repeat k", ":", "..", "for odd k", "for k > 1", "for", "k", "n", "s", "h", "h'",
    "x", "m", "R", "R[k]", "[", "]", "(", ")", "=", "@", "+", "-", "*", ",", "2", "0.5", "tanh", "F", "F(", "G(s,", "previous(",
    "previous", "# c", "'", "'''", ".T",
)  # fmt: skip
NOISE = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
RIGHT = st.recursive(
    st.sampled_from(["s", "h", "x", "m", "k", "2", "R[k] @ s", "b[k]", "n", "previous(x)"]),
    lambda parts: st.one_of(
        st.builds("{} + {}".format, parts, parts),
        st.builds("F({})".format, parts),
        st.builds("G({}, {})".format, parts, parts),
        st.builds("tanh({})".format, parts),
        st.builds("A @ ({})".format, parts),
    ),
    max_leaves=4,
)
EQUATION = st.builds(
    "{} = {}{}".format, st.sampled_from("smt"), RIGHT, st.sampled_from(["", "", " for odd k", " for k = 2"])
)
LINE = st.one_of(EQUATION, st.sampled_from(["repeat 2:", "repeat k = 1..n:", "repeat k = 0..2: s = s * k"]), NOISE)
TEXT = st.lists(st.builds("{}{}".format, st.sampled_from(["", "", "  ", "    "]), LINE), max_size=6).map("\n".join)


@settings(max_examples=300)
@given(TEXT, RIGHT, st.one_of(RIGHT, NOISE))
def test_any_text(text: str, first: str, second: str) -> None:
    define = {"F(s)": f"{first} + s", "G(m, k)": f"{second} + m * k"}
    whole = f"s = h\nm = W @ x\nt = 2 * x\n{text}\nh' = s + m + F(h) + G(h, 2) + tanh(t)"
    with suppress(CellError):
        cell = Cell.from_equations(whole, define=define, constants={"n": 2})
        assert cell.latex()
        assert all(letter not in to_text(each.expression) for each in cell.equations for letter in "#%[]")

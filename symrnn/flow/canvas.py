"""Drawing with matplotlib: loaded only when something is drawn. The same figure gives the same text.

Reads figures; returns SVG text, or writes files. Text and axes are drawn in *ink*. An SVG takes that colour from
its page (``currentColor``), so one text serves light and dark. Leaves out: what is drawn
(`symrnn.flow.figure`).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from symrnn.errors import FlowError
from symrnn.optional import load_optional

INK = "#010203"
"""The ink: the page's own colour in an SVG, almost black elsewhere."""

_STYLE = {
    "svg.hashsalt": "symrnn",  # names of clipping paths are hashes; a fixed salt makes them the same every time
    "svg.fonttype": "none",  # keep text as text, not as paths
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],  # the second as wide as the first
    "font.size": 9.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.solid_capstyle": "round",
}
_METADATA = {"Date": None, "Creator": "symrnn"}
_LEADING = re.compile(r"\A.*?(?=<svg)", re.DOTALL)
_GLOBAL = re.compile(r'<style type="text/css">\*\{(?P<rules>[^}]*)\}</style>')
_NAMED = re.compile(r'(?P<before>\bid="|url\(#|href="#)')
_PAPER = """
 <style>
  :root { color: #1f2328; background: #ffffff }
  @media (prefers-color-scheme: dark) { :root { color: #e6edf3; background: #0d1117 } }
 </style>"""
FORMATS = (".svg", ".png", ".pdf")
"""Files that a figure can be written to."""


@contextmanager
def drawing() -> Iterator[Any]:
    """The module ``matplotlib.figure``, with default settings whatever the user or the machine has set.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    matplotlib = load_optional("matplotlib", extra="plot", purpose="Drawing")
    figure = load_optional("matplotlib.figure", extra="plot", purpose="Drawing")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield figure


def to_svg(figure: Any, *, standalone: bool = False, prefix: str = "") -> str:
    """The SVG of a matplotlib figure: the same text every time.

    Args:
        figure: a ``matplotlib.figure.Figure``.
        standalone: False for an element in a page of HTML, which takes its colours from there; True for a file, which is
            light or dark as its reader prefers.
        prefix: put before every id, so that several figures can stand on one page.
    """
    buffer = io.StringIO()
    with drawing():
        figure.savefig(buffer, format="svg", metadata=_METADATA)
    text = buffer.getvalue().replace(INK, "currentColor")
    text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    if prefix:
        text = _NAMED.sub(rf"\g<before>{prefix}-", text)
    if standalone:
        begin = text.index(">", text.index("<svg")) + 1
        return text[:begin] + _PAPER + text[begin:]
    # Rules for `*` would apply to the whole page, so they become attributes of this element.
    found = _GLOBAL.search(text)
    assert found is not None
    rules = dict(rule.split(": ") for rule in found["rules"].split("; "))
    attributes = "".join(f' {name.strip()}="{value}"' for name, value in rules.items())
    text = _GLOBAL.sub("", _LEADING.sub("", text))
    return text.replace("<svg", f"<svg{attributes}", 1)


def write_figure(figure: Any, path: Path) -> None:
    """Write a figure to a file, in the format of its suffix.

    Raises:
        FlowError: the suffix is none of `FORMATS`, or the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise FlowError(f"{path}: expected a file that ends in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    try:
        if path.suffix.lower() == ".svg":
            path.write_text(to_svg(figure, standalone=True), encoding="utf-8", newline="\n")
            return
        with drawing():
            creation = {"Software": None} if path.suffix.lower() == ".png" else {"CreationDate": None}
            figure.savefig(path, dpi=200, facecolor="white", metadata=creation)
    except OSError as error:
        raise FlowError(
            f"{path} cannot be written: {error.strerror}; name a file in a directory that exists"
        ) from error

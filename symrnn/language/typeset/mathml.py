r"""Formulas for pages: LaTeX as MathML, which browsers set themselves.

Reads LaTeX that `symrnn.language.typeset.expressions` and later packages wrote; returns elements for HTML. The conversion is
latex2mathml's; what browsers leave out of MathML (slanted and typewriter letters, bars that stretch) is mended here.
Leaves out: where a formula may be broken, and pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape
from xml.etree import ElementTree

from latex2mathml.converter import convert

Element = ElementTree.Element

_NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"
_STYLES = {"italic": "font-style: italic", "monospace": "font-family: var(--mono); font-size: 0.92em", "normal": ""}
_ACCENTS = {"~": "\u02dc"}
_BAR, _PARTIAL = "\u2015", "\u2202"
_OVER = "\u0305"
_MARKS = {"\u02dc": "\u0303", "^": "\u0302", "\u2190": "\u20d6"}
_UPRIGHT = re.compile(r"\\mathrm\{([A-Za-z])\}")  # a single letter, which the conversion would slant
_ROW_SPACE = re.compile(r"\\\\\[[0-9.]+ex\]")


@cache
def mathml(latex: str, *, display: bool = False, goes_on: bool = False) -> str:
    """The ``math`` element of a formula.

    Args:
        latex: for mathematics mode.
        display: whether fractions and sums stand at full size.
        goes_on: whether it is a later piece of a formula: an operator at its beginning has an operand before it.
    """
    known = _UPRIGHT.sub(r"\\text{\1}", _ROW_SPACE.sub(r"\\\\", latex))
    root = ElementTree.fromstring(convert(known, display="block" if display else "inline"))
    _plain(root)
    _mend(root)
    if goes_on:
        _go_on(root)
    if display:
        root.set("display", "inline")
        root.set("displaystyle", "true")
    else:
        root.attrib.pop("display", None)
    return ElementTree.tostring(root, encoding="unicode")


def prose(latex: str) -> str:
    """A paragraph of LaTeX text as HTML: formulas between dollar signs, quotation marks, nothing else."""
    parts = latex.split("$")
    return "".join(mathml(part) if index % 2 else _text(part) for index, part in enumerate(parts))


def rows_html(rows: Iterable[tuple[str, str, str, str]]) -> str:
    """Formulas below each other, for a notebook: left side, right side, number and the sign between, of each."""
    lines = [
        f'<tr><td style="text-align: right">{mathml(left)}</td><td style="text-align: left">{mathml(relation)} '
        f'{mathml(right)}</td><td style="text-align: right">{f"({escape(tag)})" if tag else ""}</td></tr>'
        for left, right, tag, relation in rows
    ]
    return f"<table>{''.join(lines)}</table>"


def runs(latex: str) -> tuple[tuple[str, int, bool], ...]:
    """A short formula in runs of text for a drawing: (text, -1 below, 0 or +1 above the line, whether slanted)."""
    root = ElementTree.fromstring(mathml(latex))
    return tuple(_joined(_runs(root, 0)))


def _text(latex: str) -> str:
    plain = latex.replace("``", "\u201c").replace("''", "\u201d").replace("~", "\u00a0").replace(r"\_", "_")
    return re.sub(r"\\texttt\{(\w+)\}", r"<code>\1</code>", escape(plain, quote=False))


def _plain(element: Element) -> None:
    """Elements without their namespace, which HTML implies."""
    for each in element.iter():
        each.tag = each.tag.removeprefix(_NAMESPACE)


def _mend(element: Element) -> None:
    for child in element:
        _mend(child)
    _join_letters(element)
    for index, child in enumerate(element):
        if child.tag == "mrow" and len(child) == 1 and not child.attrib:
            element[index] = child[0]
    if element.tag == "mtext" and len(element.text or "") == 1:
        element.tag = "mi"  # text counts as space, and would stick to the operator before it
        element.set("mathvariant", "normal")
    if element.tag == "mo":
        _mend_operator(element)
    if element.tag == "mover" and len(element) == 2 and element[1].tag == "mo":
        _mend_accent(element)


def _mend_operator(element: Element) -> None:
    text = element.text or ""
    if text.isalpha() or text == _PARTIAL:
        element.tag = "mi"  # a name has no space before its parenthesis
        if text == _PARTIAL:
            element.set("mathvariant", "normal")
    elif text == "/":
        element.attrib |= {"lspace": "0.1em", "rspace": "0.1em"}


def _mend_accent(element: Element) -> None:
    """A tilde is an accent; a bar is a border, since few fonts have one that stretches."""
    mark = element[1]
    if mark.text == _BAR:
        element.tag = "mrow"
        element.remove(mark)
        element.attrib |= {"class": "bar", "style": "border-top: 0.055em solid; padding-top: 0.1em"}
    else:
        mark.text = _ACCENTS.get(mark.text or "", mark.text)
        mark.set("stretchy", "false")
        element.set("accent", "true")


def _join_letters(element: Element) -> None:
    """Letters and digits that spell a word in one font are one identifier."""
    letters = list(element)
    if not letters or any(each.tag not in ("mi", "mn") or "mathvariant" not in each.attrib for each in letters):
        return
    variant = letters[0].attrib["mathvariant"]
    if variant not in _STYLES or any(each.attrib["mathvariant"] != variant for each in letters):
        return
    word = letters[0]
    word.text = "".join(each.text or "" for each in letters)
    word.attrib.clear()
    if len(word.text) == 1 and variant == "normal":
        word.set("mathvariant", "normal")
    if _STYLES[variant]:
        word.set("style", _STYLES[variant])
    for each in letters[1:]:
        element.remove(each)


def _go_on(root: Element) -> None:
    first = next((each for each in root.iter() if each.tag not in ("math", "mrow", "mstyle")), None)
    if first is not None and first.tag == "mo":
        first.attrib |= {"form": "infix", "lspace": "0", "rspace": "0.25em"}


def _runs(element: Element, level: int) -> Iterator[tuple[str, int, bool]]:
    children = list(element)
    match element.tag:
        case "msub" | "msup" | "msubsup":
            yield from _runs(children[0], level)
            below = element.tag != "msup"
            for index, child in enumerate(children[1:]):
                yield from _runs(child, -1 if below and index == 0 else 1)
        case "mover":
            marks = [text for text, _, _ in _runs(children[1], level)]
            yield from _marked(_runs(children[0], level), _MARKS.get("".join(marks), _OVER))
        case "mrow" if element.get("class") == "bar":
            yield from _marked((run for child in children for run in _runs(child, level)), _OVER)
        case "mfrac":
            yield from _runs(children[0], level)
            yield "/", level, False
            yield from _runs(children[1], level)
        case "msqrt":
            yield "\u221a", level, False
            yield from (run for child in children for run in _runs(child, level))
        case "mspace":
            yield "\u2009", level, False
        case "mi" | "mn" | "mo" | "mtext":
            text = element.text or ""
            upright = element.get("mathvariant") == "normal"
            slanted = element.tag == "mi" and not upright and (len(text) == 1 or "italic" in element.get("style", ""))
            if text == "," and level == 0:
                text = "\u200a,\u2009"  # a slanted letter leans over
            if element.tag == "mo" and text in ("=", "+", "\u2212", "\u2299", "\u22c5", "/") and level == 0:
                text = f"\u2009{text}\u2009"
            yield text, level, slanted
        case _:
            yield from (run for child in children for run in _runs(child, level))


def _marked(found: Iterable[tuple[str, int, bool]], mark: str) -> Iterator[tuple[str, int, bool]]:
    """Text with a mark over every letter."""
    yield from (("".join(letter + mark for letter in text), level, slanted) for text, level, slanted in found)


def _joined(found: Iterator[tuple[str, int, bool]]) -> Iterator[tuple[str, int, bool]]:
    """Neighbouring runs of one kind, in one."""
    held: tuple[str, int, bool] | None = None
    for text, level, slanted in found:
        if held and held[1:] == (level, slanted):
            held = (held[0] + text, level, slanted)
            continue
        if held:
            yield held
        held = (text, level, slanted)
    if held:
        yield held

"""The atlas: every cell once below its parent, with its facts and a link; made where the overview leaves cells out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import symrnn
from symrnn.cli import main
from symrnn.derive.derivation import derive
from symrnn.errors import GenerateError
from symrnn.language import bundled
from symrnn.language.bundled import first_cells
from symrnn.language.cell import Cell
from symrnn.plan.planner import plan
from symrnn.report.atlas import FACTS, atlas, descent
from symrnn.report.site import ATLAS, INDEX, site
from symrnn.targets import registry
from tests.report.test_site import Reader


def made(name: str, parent: str = "", **more: Any) -> Cell:
    return Cell.from_equations("h' = tanh(W @ x + U @ h + b)", name=name, parent=parent, **more)


def lines(*cells: Cell) -> list[tuple[str, int]]:
    return [(cell.name, depth) for cell, depth in descent(cells)]


def test_children_stand_below_their_parents_in_the_given_order() -> None:
    cells = [made("b", "a"), made("a"), made("c", "b"), made("d", "a"), made("e", "elsewhere"), made("f", "b")]
    assert lines(*cells) == [("a", 0), ("b", 1), ("c", 2), ("f", 2), ("d", 1), ("e", 0)]


def test_cells_that_descend_from_each_other_are_all_there_once() -> None:
    assert lines(made("a", "b"), made("b", "a"), made("c", "b"), made("d")) == [("d", 0), ("a", 0), ("b", 1), ("c", 2)]


def test_every_bundled_cell_is_in_the_tree_once() -> None:
    cells = [symrnn.load(name) for name in symrnn.cells()]
    found = lines(*cells)
    assert sorted(name for name, _ in found) == sorted(symrnn.cells())
    parents = {cell.name: cell.parent for cell in cells}
    depths = dict(found)
    assert all(depths[name] == (depths[parent] + 1 if parent else 0) for name, parent in parents.items())


def test_a_branch_has_its_facts() -> None:
    cells = [made("a", family="simple", reference="Nobody 1999"), made("b", "a", title="B < A", difference="& more")]
    derivations = [derive(cell) for cell in cells]
    programs = [plan(derivation, registry.target(registry.DEFAULT).policy) for derivation in derivations]
    tree = atlas(derivations, programs)
    first, second = tree.branches
    assert (first.name, first.year, first.family, first.depth) == ("a", "1999", "simple", 0)
    assert (second.title, second.difference, second.depth) == ("B &lt; A", "&amp; more", 1)
    assert "nobody 1999" in first.words
    assert [(kin.word, kin.count) for kin in tree.families] == [("simple", 1)]
    assert tree.facts == FACTS
    plain = [re.sub(r"<[^>]+>|&#x2062;|\s", "", fact) for fact in first.facts]
    assert len(plain) == len(FACTS)
    assert plain[1] == "H"
    assert plain[2] == "IH+H2"
    assert plain[4] == "H"


def test_the_site_has_an_atlas_where_the_overview_leaves_cells_out() -> None:
    cells = [made("a"), made("b", "a", difference="more"), made("c", "gone")]
    assert list(site(cells)) == [INDEX, "a.html", "b.html", "c.html"]
    files = site(cells, compared=("a",))
    assert list(files) == [INDEX, ATLAS, "a.html", "b.html", "c.html"]
    for name, text in files.items():
        reader = Reader()
        reader.feed(text)
        assert reader.open == []
        assert all(use in files or use == "data:," or use.removeprefix("#") in reader.ids for use in reader.uses), name
        assert ATLAS in reader.uses
    assert all(f'<a href="{name}.html">{name}</a>' in files[ATLAS] for name in "abc")
    assert "b.html" not in files[INDEX]
    assert 'From <a href="a.html">a</a>: more.' in files["b.html"]
    assert "From gone." in files["c.html"]
    assert list(site(cells[:1], compared=())) == [ATLAS, "a.html"]


def test_a_page_names_departures() -> None:
    cell = Cell.from_equations("h' = tanh(W @ x)", name="a", departures=["no <bias>", "no state"])
    text = site([cell])["a.html"]
    assert "<li>no &lt;bias&gt;</li><li>no state</li>" in text
    assert "Departures" not in site([made("a")])["a.html"]


def test_the_command_makes_an_atlas_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "bundled"
    folder.joinpath("more").mkdir(parents=True)
    text = 'name = "{}"\nequations = "h\' = tanh(W @ x + u * h)"\n'
    folder.joinpath("one.toml").write_text(text.format("one"))
    folder.joinpath("more", "two.toml").write_text(text.format("two") + 'parent = "one"\n')
    monkeypatch.setattr(bundled, "_BUNDLED", folder)
    assert first_cells() == ("one",)
    assert main(["report", "--all", "--out", str(tmp_path / "pages")]) == 0
    assert "atlas.html in a browser" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "pages").glob("*.html")) == [ATLAS, INDEX, "one.html", "two.html"]


def test_a_cell_may_not_be_called_like_the_atlas() -> None:
    with pytest.raises(GenerateError, match="would replace the atlas; rename it"):
        site([made("atlas")])


def test_an_overview_of_some_cells_says_which_and_where_the_others_are() -> None:
    cells = [made("a"), made("b"), made("c")]
    said = site(cells, compared=("a", "b"))[INDEX]
    assert "This page sets 2 of the 3 cells side by side" in said
    assert f'<a href="{ATLAS}">The atlas</a> has all of them' in said
    assert "python -m symrnn report a NAME … --out pages" in said
    assert "This page sets" not in site(cells)[INDEX]

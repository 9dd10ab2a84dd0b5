"""Figures: the same text every time, in the page's own colours, with what they show as text in them; and without."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import symrnn
from symrnn.errors import FlowError, MissingPackageError
from symrnn.flow.canvas import INK, to_svg, write_figure
from symrnn.flow.flow import Flow
from symrnn.flow.panorama import draw_sweep
from symrnn.flow.sweep import Setup, Sweep, sweep
from symrnn.optional import load_optional
from tests.flow.conftest import FILES, problem_of

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "flow.svg"
SHAPE = Setup(steps=12, batch=2, input=3, hidden=4)


@pytest.fixture(scope="module")
def some() -> Sweep:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: nothing to draw with")
    cells = [symrnn.load("rnn"), symrnn.load("lstm"), *(symrnn.load(path) for path in FILES if path.stem == "coupled")]
    return sweep(cells, scales=(0.5, 1.0, 1.5), biases=(0.0, 3.0), shape=SHAPE)


@pytest.fixture
def without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def words(svg: str) -> list[str]:
    """The texts of an SVG that is well-formed."""
    root = ET.fromstring(svg)
    return ["".join(node.itertext()).strip() for node in root.iter() if node.tag.endswith("}text")]


def test_the_picture_names_cells_scales_and_biases(some: Sweep) -> None:
    found = words(to_svg(draw_sweep(some), standalone=True))
    assert {"rnn", "lstm", "coupled", "scale 0.5", "scale 1", "scale 1.5", "bias 3"} <= set(found)
    assert "band: scale 0.5 to 1.5" in found
    assert "c ← c: diag(f)" in found


def test_an_svg_takes_its_ink_from_the_page(some: Sweep) -> None:
    svg = some.of("lstm")[0].flow.svg(prefix="one")
    assert svg.startswith("<svg")
    assert "currentColor" in svg
    assert INK not in svg
    assert "<style" not in svg
    assert "<!DOCTYPE" not in svg
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert ids
    assert all(name.startswith("one-") for name in ids)
    pointed = re.findall(r"url\(#([^)]+)\)", svg) + re.findall(r'href="#([^"]+)"', svg)
    assert set(pointed) <= set(ids)


def test_a_file_is_light_or_dark_as_its_reader_prefers(some: Sweep, tmp_path: Path) -> None:
    write_figure(draw_sweep(some), tmp_path / "flow.svg")
    text = (tmp_path / "flow.svg").read_text(encoding="utf-8")
    ET.fromstring(text)
    assert "prefers-color-scheme: dark" in text
    for suffix, begins in ((".png", b"\x89PNG"), (".pdf", b"%PDF")):
        write_figure(draw_sweep(some), tmp_path / f"flow{suffix}")
        assert (tmp_path / f"flow{suffix}").read_bytes().startswith(begins)


def test_files_that_cannot_be_written_are_errors(some: Sweep, tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"flow\.gif: expected a file that ends in \.svg, \.png or \.pdf"):
        write_figure(draw_sweep(some), tmp_path / "flow.gif")
    with pytest.raises(FlowError, match="cannot be written: No such file"):
        write_figure(draw_sweep(some), tmp_path / "nowhere" / "flow.svg")


CODE = """
import pathlib, sys
import matplotlib
matplotlib.rcParams.update({"font.size": 30, "svg.fonttype": "path", "axes.grid": True})
from symrnn.cli import main
sys.exit(main(["flow", "rnn", "lstm", "--steps", "8", "--hidden", "4", "--recurrent-scale", "0.5,1", "--plot", sys.argv[1]]))
"""


def test_the_same_bytes_in_every_process_whatever_the_user_set(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: nothing to draw with")
    made = []
    for seed in ("1", "2"):
        path = tmp_path / f"{seed}.svg"
        environment = {"PYTHONHASHSEED": seed, "PATH": "", "HOME": str(tmp_path), "MPLCONFIGDIR": str(tmp_path / seed)}
        done = subprocess.run(
            [sys.executable, "-c", CODE, str(path)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        made.append(path.read_bytes())
    assert made[0] == made[1]
    assert b"<dc:date>" not in made[0]


def test_a_gradient_that_is_zero_is_drawn_too() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: nothing to draw with")
    cell = symrnn.Cell.from_equations("h' = tanh(W @ x) + 0 * h")
    found = symrnn.flow(cell, {"W": np.ones((3, 2))}, np.ones((4, 1, 2)))
    assert "steps back from the end" in words(found.svg())


def test_in_a_notebook_a_flow_is_its_figure() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: nothing to draw with")
    assert problem_of("lstm").flow()._repr_html_().startswith("<svg")


def test_without_matplotlib_a_flow_is_its_text(without_matplotlib: None) -> None:
    found: Flow = problem_of("lstm").flow()
    shown = found._repr_html_()
    assert shown.startswith("<pre>lstm: gradient flow over 9 steps")
    assert "c &lt;- c: diag(f)" in shown
    with pytest.raises(MissingPackageError, match=r"Drawing needs matplotlib.*symrnn\[plot\]"):
        found.figure()


def test_a_package_that_is_broken_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("broken_package.py").write_text("import no_such_module\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        load_optional("broken_package", extra="plot", purpose="Drawing")
    with pytest.raises(MissingPackageError, match="Drawing needs no_such_package"):
        load_optional("no_such_package.part", extra="plot", purpose="Drawing")


def test_the_committed_picture_is_of_the_command_beside_it() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "docs/flow.svg" in readme
    found = words(PICTURE.read_text(encoding="utf-8"))
    assert {"rnn", "lstm", "gru", "scale 0.5", "scale 1", "scale 1.5", "bias 1", "bias 3"} <= set(found)
    assert {"c ← c: diag(f)", "h ← h: diag(z)"} <= set(found)

"""The site: pages that need nothing else, the same from every run, for any cell, written whole or not at all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import symrnn
from symrnn.cli import main
from symrnn.errors import GenerateError
from symrnn.language.cell import Cell
from symrnn.report.site import INDEX, site

ROOT = Path(__file__).parents[2]
OWN = "h' = tanh(W @ x + U @ h + b)  # <script>"


class Reader(HTMLParser):
    """What a page refers to, and whether its elements are closed in turn."""

    VOID = ("meta", "link", "br", "hr", "input")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.uses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "action", "poster", "data"):
                self.uses.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    mine = Cell.from_equations(OWN, name="mine", title="A < B & C", reference='"quoted"')
    return site([symrnn.load("lstm"), symrnn.load("gru"), mine])


def test_there_is_a_page_for_each_cell_and_one_for_all(pages: dict[str, str]) -> None:
    assert list(pages) == [INDEX, "lstm.html", "gru.html", "mine.html"]
    assert "A &lt; B &amp; C" in pages["mine.html"]
    assert "<script>" not in pages["mine.html"].replace("<script>\n", "", 1)


def test_pages_are_well_formed_and_refer_to_each_other_alone(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        reader = Reader()
        reader.feed(text)
        assert reader.open == []
        assert len(reader.ids) == len(set(reader.ids)), name
        for use in reader.uses:
            target = use.removeprefix("#")
            assert use in pages or use == "data:," or (use.startswith("#") and target in reader.ids), (name, use)
        assert not re.search(r"https?://|@import|url\((?!#)|import\(|fetch\(", text)


def test_every_reference_by_id_is_there(pages: dict[str, str]) -> None:
    for text in pages.values():
        for used in re.findall(r"url\(#([^)]+)\)|aria-(?:controls|labelledby|describedby)=\"([^\"]+)\"", text):
            assert f'id="{used[0] or used[1]}"' in text


def test_every_run_writes_the_same_bytes(tmp_path: Path) -> None:
    cell = tmp_path / "own.toml"
    cell.write_text(
        "name = \"own\"\nequations = \"c' = f * c + W @ x\\nf = sigmoid(U @ x)\\nh' = mean(c') * c'\"\n".replace(
            "c' = f * c + W @ x\\nf = sigmoid(U @ x)", "f = sigmoid(U @ x)\\nc' = f * c + W @ x"
        )
    )
    made = []
    for seed in ("1", "4242"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "symrnn", "report", "rnn", str(cell), "--out", str(tmp_path / seed)]
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
        made.append(
            {path.name: path.read_bytes() for path in sorted((tmp_path / seed).glob("*.*")) if path.suffix == ".html"}
        )
    assert made[0] == made[1]
    assert sorted(made[0]) == ["index.html", "own.html", "rnn.html"]
    assert str(tmp_path).encode() not in b"".join(made[0].values())


def test_the_command_writes_what_the_function_makes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "rnn", "--out", str(tmp_path / "pages")]) == 0
    assert "index.html in a browser" in capsys.readouterr().out
    for name, text in site([symrnn.load("rnn")]).items():
        assert (tmp_path / "pages" / name).read_text(encoding="utf-8") == text


def test_a_directory_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    assert main(["report", "rnn", "--out", str(tmp_path / "file")]) == 2
    assert "is a file; give --out a directory" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_a_cell_may_not_be_called_like_the_overview() -> None:
    cell = Cell.from_equations("h' = tanh(W @ x)", name="index")
    with pytest.raises(GenerateError, match="would replace the overview; rename it"):
        site([cell])

"""Points, threads and cells of the command line; the grid is that of the protocol."""

from __future__ import annotations

import pytest

from benchmarks import grid
from benchmarks.cli import main
from benchmarks.grid import FULL, GRID, RAGGED, Point, load_cell, parse_point, parse_threads
from symrnn.errors import CellError


def test_the_grid_is_eight_points_and_a_ragged_one() -> None:
    assert [point.text for point in GRID] == [
        "100x1x32",
        "100x1x128",
        "100x1x512",
        "100x16x128",
        "100x32x256",
        "50x64x512",
        "25x64x1024",
        "1000x1x64",
        "100x32x256 ragged",
    ]
    assert (FULL.runs, FULL.seconds) == (5, 0.5)


def test_points_are_read() -> None:
    assert parse_point("7x3x5") == Point(7, 3, 5)
    assert parse_point("ragged") == RAGGED
    assert parse_point("7x3x5xragged") == Point(7, 3, 5, ragged=True)
    assert Point(7, 3, 5).input_size == 5
    assert Point(7, 3, 5, input=2).input_size == 2


@pytest.mark.parametrize("text", ["", "7x3", "7x3x0", "7x3xb", "7x3x5x1", "-1x2x3"])
def test_a_wrong_point_says_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected TxBxH"):
        parse_point(text)


def test_threads_are_numbers_or_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "available_cores", lambda: (0, 1, 5))
    assert [parse_threads(text) for text in ("all", "1", "3")] == [3, 1, 3]
    for text in ("4", "0", "many"):
        with pytest.raises(ValueError, match="from 1 to 3"):
            parse_threads(text)


def test_cells_are_found_by_name_and_by_path() -> None:
    assert load_cell("rnn").name == "rnn"
    assert load_cell("peephole_lstm").name == "peephole_lstm"
    with pytest.raises(CellError):
        load_cell("no_such_cell")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--points", "1x2"], "expected TxBxH"),
        (
            ["--cells", "no_such_cell"],
            "the benchmarks' own cells: layernorm_lstm, minimal_gated_unit, multiplicative_lstm, peephole_lstm",
        ),
        (["--threads", "0"], "expected all, or a whole number"),
        (["--modes", "both"], "choose inference or training"),
        (["--peers", "numpy"], "unknown peer"),
        (["--plot", "figure.doc"], "must end in one of"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_measured(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["peers", *arguments])
    assert words in capsys.readouterr().err


def test_loops_and_scans_refuse_ragged_rows_and_keep_refuses_short_times(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (
        (["--points", "ragged"], "expected TxBxH"),
        (["--peers", "onnxruntime"], "unknown peer 'onnxruntime'"),
        (["--quick", "--keep"], "not allowed with"),
    ):
        with pytest.raises(SystemExit, match="2"):
            main(["custom", *arguments])
        assert words in capsys.readouterr().err

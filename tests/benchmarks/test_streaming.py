"""Steps one at a time: the program that times them runs, and the table says what is measured and what is stated."""

from __future__ import annotations

import pytest

from benchmarks import streaming
from benchmarks.cli import main
from benchmarks.grid import load_cell
from benchmarks.streaming import Streamed, harness, measure, table
from symrnn.errors import CheckError
from symrnn.language.cell import Cell
from tests.processors import compiler_or_skip

pytestmark = pytest.mark.usefixtures("quick_compiler")


@pytest.fixture
def _compiler() -> None:
    compiler_or_skip()


def test_overheads_are_beyond_the_kernel_and_the_reference_is_called_stated() -> None:
    one = Streamed(8, 80e-9, 57e-9, 1.58e-6, 7.08e-6, 57e-9)
    assert one.stream_overhead == pytest.approx(1.5e-6)
    assert one.step_overhead == pytest.approx(7e-6)
    text = table([one, Streamed(9, 80e-9, 50e-9, 1e-6, 7e-6, None)])
    assert text.splitlines()[2].split() == ["8", "80", "57", "57", "1.00", "1.58", "1.50", "7.08", "7.00"]
    assert text.splitlines()[3].split() == ["9", "80", "50", "1.00", "0.92", "7.00", "6.92"]
    assert "not measured here" in text
    assert "RTNeural:" not in table([Streamed(9, 80e-9, 50e-9, 1e-6, 7e-6, None)])


@pytest.mark.usefixtures("_compiler")
@pytest.mark.parametrize("cell", [load_cell("rnn"), Cell.from_equations("h' = tanh(x + U @ h)", name="tied")])
def test_a_cell_is_timed(cell: Cell) -> None:
    found = measure(cell, 5, runs=1)
    assert found.reference is None
    assert min(found.fixed, found.general, found.stream, found.step) > 0


@pytest.mark.usefixtures("_compiler")
def test_a_refusal_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels are for four units, and the program asks for five."""
    monkeypatch.setattr(streaming, "harness", lambda cell, sizes, fixed: harness(cell, sizes, {"hidden": 4}))
    with pytest.raises(CheckError, match="rnn: the kernels refuse"):
        measure(load_cell("rnn"), 5, runs=1)


@pytest.mark.usefixtures("_compiler")
def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "measure", lambda cell, units: Streamed(units, 8e-8, 5e-8, 1e-6, 7e-6, None))
    monkeypatch.setattr("benchmarks.cli.pin", lambda cores: None)
    assert main(["stream", "--cell", "rnn", "--units", "8,24"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]] == ["8", "24"]

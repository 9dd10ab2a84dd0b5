"""Every wrong cell file is refused with its line, its column, what was expected and the nearest right name."""

from __future__ import annotations

from pathlib import Path

import pytest

from symrnn.errors import CellError
from symrnn.language.cellfile import load
from tests.language import wrong_axes, wrong_equations, wrong_expansions, wrong_syntax, wrong_tables
from tests.language.wrong import Wrong

EVERY = (*wrong_syntax.ALL, *wrong_equations.ALL, *wrong_tables.ALL, *wrong_expansions.ALL, *wrong_axes.ALL)


@pytest.mark.parametrize("wrong", EVERY, ids=lambda wrong: wrong.label)
def test_a_wrong_file_is_refused_with_its_place(wrong: Wrong, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(wrong.file, encoding="utf-8")
    with pytest.raises(CellError) as raised:
        load(path)
    assert wrong.message in raised.value.message
    assert (raised.value.line, raised.value.column) == wrong.place
    assert str(raised.value).startswith(f"{path}:{wrong.place[0]}:")
    assert len(raised.value.message) < 400, "people read it to its end"

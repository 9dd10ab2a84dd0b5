"""A target of another package, as small as one can be: whole arrays, a statement a line, nothing planned.

The folder is all that there is of it: what it says about itself (here), how it spells functions (`functions.py`), what it
writes (`target.py`, `module.py.jinja`). `tests/test_toy_target.py` registers it and finds it everywhere.
"""

from __future__ import annotations

from symrnn.targets.description import Capabilities, Description

DESCRIPTION = Description(
    name="toy",
    title="Toy",
    dtypes=("float32", "float64"),
    home="tests.toy.target:TARGET",
    can=Capabilities(stream=False),
)

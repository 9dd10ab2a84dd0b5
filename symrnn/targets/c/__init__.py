"""The target ``c``: standalone C, and a Python module over the compiled library."""

from __future__ import annotations

from symrnn.targets.c.flags import MARCHES
from symrnn.targets.description import Capabilities, Description

DESCRIPTION = Description(
    name="c",
    title="C",
    dtypes=("float32", "float64"),
    home="symrnn.targets.c.target:TARGET",
    can=Capabilities(fixed_sizes=True, threads=True, one_precision=True, single_file=True),
    marches=MARCHES,
)

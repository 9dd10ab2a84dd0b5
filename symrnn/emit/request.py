"""`Request`: the options that the files of one cell are generated with.

Reads and returns plain values. Leaves out: whether a target can do it (`symrnn.targets.description`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from symrnn.language.system import HIDDEN, INPUT

DTYPE = "float32"
"""The default precision of ``init_params``."""


@dataclass(frozen=True)
class Request:
    """The options that the files of one cell are generated with.

    Attributes:
        dtype: the default precision of ``init_params``.
        dtypes: the precisions to emit; empty for all that the target has.
        sizes: size names that are fixed, with their numbers.
        single_file: whether the code that all cells share goes into the cell's own file.
        backward: whether there are gradients.
    """

    dtype: str = DTYPE
    dtypes: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    single_file: bool = False
    backward: bool = True

    @property
    def options(self) -> str:
        """The same options for the command line, each behind a space.

        >>> Request(sizes={"input": 1, "hidden": 32, "projection": 8}, backward=False).options
        ' --input 1 --hidden 32 --size projection=8 --no-backward'
        """
        known = (INPUT, HIDDEN)
        words = [f"--{name} {n}" if name in known else f"--size {name}={n}" for name, n in self.sizes.items()]
        words += [f"--dtype {dtype}" for dtype in self.dtypes]
        words += ["--single-file"] if self.single_file else []
        words += [] if self.backward else ["--no-backward"]
        return "".join(f" {word}" for word in words)

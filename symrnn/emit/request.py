"""What somebody asked of the files of one cell.

Reads and returns plain values. Leaves out: whether a target can do it (`symrnn.targets.description`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from symrnn.language.system import HIDDEN, INPUT

DTYPE = "float32"
"""What ``init_params`` makes where nobody says otherwise."""


@dataclass(frozen=True)
class Request:
    """What somebody asked of the files of one cell.

    Attributes:
        dtype: what ``init_params`` makes unless told otherwise.
        dtypes: the precisions to emit; all of the target's where there is none.
        sizes: numbers for size names that the kernels are for alone.
        single_file: whether what is equal in all cells is joined into the cell's own file.
        backward: whether there are gradients.
    """

    dtype: str = DTYPE
    dtypes: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    single_file: bool = False
    backward: bool = True

    @property
    def options(self) -> str:
        """The arguments of the command line that ask for the same, each behind a blank.

        >>> Request(sizes={"input": 1, "hidden": 32, "projection": 8}, backward=False).options
        ' --input 1 --hidden 32 --size projection=8 --no-backward'
        """
        known = (INPUT, HIDDEN)
        words = [f"--{name} {n}" if name in known else f"--size {name}={n}" for name, n in self.sizes.items()]
        words += [f"--dtype {dtype}" for dtype in self.dtypes]
        words += ["--single-file"] if self.single_file else []
        words += [] if self.backward else ["--no-backward"]
        return "".join(f" {word}" for word in words)

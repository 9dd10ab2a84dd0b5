"""What a target says about itself before anything of it is loaded: names, what it can do, and where the rest lives.

A target's package states one `Description`; `symrnn.targets.registry` finds it. Imports nothing that takes a while: the
command line's help is made from descriptions. Leaves out: everything that a target does (`symrnn.targets.target`).
"""

from __future__ import annotations

from dataclasses import dataclass

PRECISIONS = ("float32", "float64")
"""What kernels are checked in, and what a target that emits one precision alone can be asked for."""


@dataclass(frozen=True)
class Capabilities:
    """What a target's kernels offer.

    Attributes:
        backward: gradients.
        tangent: Jacobian-vector products, the function ``jvp``.
        lengths: rows of different lengths in one batch.
        reverse: sequences from their last step to their first.
        stream: a layer step by step whose state is kept in place.
        fixed_sizes: kernels for one number of units, which the generated code then states.
        one_precision: files for one precision alone.
        single_file: what is equal in all cells, joined into the cell's own file.
        threads: several threads in one call.
    """

    backward: bool = True
    tangent: bool = False
    lengths: bool = True
    reverse: bool = True
    stream: bool = True
    fixed_sizes: bool = False
    one_precision: bool = False
    single_file: bool = False
    threads: bool = False


@dataclass(frozen=True)
class Description:
    """A target in a few words.

    Attributes:
        name: an identifier: of its folders, of its generated modules (``<cell>_<name>.py``), and in every command.
        title: for people.
        dtypes: what its kernels run in, as NumPy names them.
        home: where its `symrnn.targets.target.Target` is, as ``package.module:NAME``.
        can: what its kernels offer.
        marches: the processors that its libraries can be compiled for, best first; none where nothing is compiled.
    """

    name: str
    title: str
    dtypes: tuple[str, ...]
    home: str
    can: Capabilities = Capabilities()
    marches: tuple[str, ...] = ()

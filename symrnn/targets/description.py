"""A target's description, known before the target is loaded: names, capabilities, and where the rest is.

A target's package states one `Description`; `symrnn.targets.registry` finds it. Imports nothing that takes a while: the
command line's help is made from descriptions. Leaves out: everything that a target does (`symrnn.targets.target`).
"""

from __future__ import annotations

from dataclasses import dataclass

PRECISIONS = ("float32", "float64")
"""The precisions in which kernels are checked, and which a target can be asked to emit alone."""


@dataclass(frozen=True)
class Capabilities:
    """What a target's kernels offer.

    Attributes:
        backward: gradients.
        tangent: Jacobian-vector products, the function ``jvp``.
        lengths: rows of different lengths in one batch.
        reverse: sequences from their last step to their first.
        stream: a layer step by step whose state is kept in place.
        fixed_sizes: kernels whose generated code states its sizes.
        one_precision: files for one precision alone.
        single_file: the code that all cells share, joined into the cell's own file.
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
        dtypes: the precisions of its kernels, as NumPy names them.
        home: where its `symrnn.targets.target.Target` is, as ``package.module:NAME``.
        can: what its kernels offer.
        marches: the processors that its libraries can be compiled for, best first; empty if nothing is compiled.
        needs: the framework that its kernels need, as people install it; empty if NumPy is enough. Commands take a target
            of a framework only where it is named.
    """

    name: str
    title: str
    dtypes: tuple[str, ...]
    home: str
    can: Capabilities = Capabilities()
    marches: tuple[str, ...] = ()
    needs: str = ""

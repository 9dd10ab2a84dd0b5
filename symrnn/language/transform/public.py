"""The transformations as Python calls them: from a cell, a name or a path to a `Cell`.

Reads a cell; returns the transformed one, which is a cell like any other: `show`, every target, `check` and layers take
it. Its equations are made anew as text, so comments are gone. Leaves out: what each does (the modules beside this one).
"""

from __future__ import annotations

from collections.abc import Sequence

from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.cellfile import CellLike, load
from symrnn.language.decimals import Number
from symrnn.language.given import described
from symrnn.language.transform.layer_norm import EPSILON, with_layer_norm
from symrnn.language.transform.recurrent_dropout import with_recurrent_dropout
from symrnn.language.transform.residual import with_residual
from symrnn.language.transform.stacked import stacked
from symrnn.language.transform.zoneout import with_zoneout


def zoneout(cell: CellLike, rate: Number | None = None, /, **rates: Number) -> Cell:
    """Zoneout (Krueger et al. 2016): in each step, a unit of a state keeps its value with a given probability.

    State ``s`` gets ``s' = zoneout_s * s + (1 - zoneout_s) * s_new``, with the input ``zoneout_s``, of the state's
    size: a mask of 0 and 1 in training, the rate everywhere in inference. `symrnn.masks` makes both. Equations that
    lead to other states read ``s_new`` in place of ``s'``, as in the paper; outputs that lead to no state read ``s'``.

    >>> print(zoneout("rnn").text)
    h_new = tanh(W_xh @ x + W_hh @ h + b_h)
    h' = zoneout_h * h + (1 - zoneout_h) * h_new
    <BLANKLINE>

    Args:
        cell: a `Cell`, the name of a bundled one, a recipe, or the path of a cell file.
        rate: of all states, from 0 to 1; 0.1 if nothing is given.
        **rates: of states by name; without ``rate``, the others stay as they are.

    Raises:
        CellError: a name is no state, or a rate is none.
    """
    return with_zoneout(load(cell), rate, **rates)


def recurrent_dropout(cell: CellLike, rate: Number | None = None, /) -> Cell:
    """Recurrent dropout (Gal and Ghahramani 2016): recurrent matrices read states through a mask, the same at all steps.

    ``W @ h`` becomes ``W @ (dropout_h * h)``, with the input ``dropout_h``, of the size of ``h``: 0 with the probability
    ``rate``, else 1 / (1 - rate), drawn once and the same for all steps; 1 everywhere in inference. `symrnn.masks` makes
    both. A matrix is recurrent where it reads a state of the step before, or what is made of it with no matrix and no
    reduction between: ``W @ (r * h)`` too. Operands of the same states share a mask.

    >>> print(recurrent_dropout("rnn").text)
    h' = tanh(W_xh @ x + W_hh @ (dropout_h * h) + b_h)
    <BLANKLINE>

    Args:
        cell: a `Cell`, the name of a bundled one, a recipe, or the path of a cell file.
        rate: the probability that a unit is dropped, from 0 to below 1; 0.25 if none is given.

    Raises:
        CellError: no matrix of the cell reads a state, or the rate is none.
    """
    return with_recurrent_dropout(load(cell), rate)


def layer_norm(cell: CellLike, /, *states: str, epsilon: Number = EPSILON) -> Cell:
    """Layer normalisation (Ba et al. 2016): each matrix product in the argument of a function is normalised.

    A product ``a = W @ v`` becomes ``gain_W * (a - mean(a)) / sqrt(mean((a - mean(a))**2) + epsilon) + shift_W``.
    Products on the input and on states are normalised apart, and so is each matrix. Gains start at one and shifts at
    zero. A product counts if no matrix and no reduction stands between it and the function.

    >>> print(layer_norm("rnn").text)  # doctest: +ELLIPSIS
    product_W_xh = W_xh @ x
    centred_W_xh = product_W_xh - mean(product_W_xh)
    normed_W_xh = gain_W_xh * centred_W_xh / sqrt(mean(centred_W_xh**2) + epsilon) + shift_W_xh
    product_W_hh = W_hh @ h
    ...
    h' = tanh(normed_W_xh + normed_W_hh + b_h)
    <BLANKLINE>

    Args:
        cell: a `Cell`, the name of a bundled one, a recipe, or the path of a cell file.
        *states: those whose values after the step are normalised where equations of the step read them, as in the
            paper's LSTM. The next step reads them as they are.
        epsilon: added to the variance, above 0.

    Raises:
        CellError: no function has a matrix product in its argument; or a name is no state, or one whose value after the step no
            equation reads.
    """
    return with_layer_norm(load(cell), *states, epsilon=epsilon)


def residual(cell: CellLike, /, *, projection: bool = False) -> Cell:
    """A residual connection: the layer returns the input plus what the cell returned.

    The output is ``y = x + h'``, which makes ``input`` and ``hidden`` one number, or ``y = P @ x + h'``. The state stays
    what it was.

    >>> residual("rnn").output, residual("rnn").input_is_hidden, residual("rnn", projection=True).input_is_hidden
    ('y', True, False)

    Args:
        cell: a `Cell`, the name of a bundled one, a recipe, or the path of a cell file.
        projection: whether a matrix stands between the input and the output.

    Raises:
        CellError: the cell has several outputs, or one whose size is a size of its own and no projection.
    """
    return with_residual(load(cell), projection=projection)


def stack(cells: Sequence[CellLike], /, *, share_hidden: bool = False) -> Cell:
    """Several cells in one step: each reads as ``x`` what the one below returns; the last one's outputs are returned.

    Every name of the second cell but ``x`` begins with ``l2_``, every name of the third with ``l3_``. So do sizes:
    ``l2_hidden`` is a size of its own.

    >>> two = stack(["rnn", "gru"])
    >>> two.states, two.sizes, two.output
    (('h', 'l2_h'), ('input', 'hidden', 'l2_hidden'), 'l2_h')

    Args:
        cells: from the input upwards, at most 16: cells, names of bundled ones, recipes, or paths of cell files.
        share_hidden: whether ``hidden`` is one size, that of all cells.

    Raises:
        CellError: there is no cell, or a cell below another has several outputs.
    """
    if isinstance(cells, str) or not isinstance(cells, Sequence):
        raise CellError(f"stack: expected a list of cells, found {described(cells)}")
    return stacked([load(cell) for cell in cells], share_hidden=share_hidden)

"""`flow`: a cell and a point in, a `Flow` out: how a gradient fares on its way back through the steps of a run.

Reads a cell (or its `Derivation`), parameters and inputs; returns one frozen record of arrays, all of them logarithms,
all of them from the derived Jacobians. Leaves out: drawing (`symrnn.flow.figure`), and
several cells at several points (`symrnn.flow.sweep`).
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from symrnn.derive.evaluate import Array
from symrnn.derive.factors import is_direct
from symrnn.derive.factors import to_latex as terms_latex
from symrnn.derive.factors import to_line as terms_line
from symrnn.derive.record import Derivation, derive
from symrnn.errors import FlowError, MissingPackageError
from symrnn.flow.bounds import Bound, Direct, bound_of_step, bounds_of, direct_of
from symrnn.flow.drawing import to_svg
from symrnn.flow.figure import draw_flow
from symrnn.flow.gradient import backward, by_parameter, by_path, normalised
from symrnn.flow.paths import StepPaths, step_paths
from symrnn.flow.run import Given, run_steps
from symrnn.flow.singular import (
    largest_of_products,
    largest_of_steps,
    lyapunov,
    spectrum_of_products,
    spectrum_of_steps,
)
from symrnn.flow.table import flow_text
from symrnn.language.cell import Cell
from symrnn.language.cellfile import CellLike

DISTANCES = 16
"""Distances, about evenly spaced in their logarithm, at which products are looked at unless told otherwise."""


@dataclass(frozen=True)
class PathFlow:
    """What one term of the step Jacobian carries, ``termᵀ g``.

    Attributes:
        output: the state whose next value the path ends in.
        input: the state that it starts from.
        text: the term in plain text: ``diag(f)``.
        latex: the term.
        direct: whether no matrix and no reduction crosses it.
        log: ln of the length of ``termᵀ ∂L/∂output``, ``(T, B)``: entry t is the step from t to t + 1.
        share: that length among those of all terms of the step, which add up to 1; nan where all are zero.
    """

    output: str
    input: str
    text: str
    latex: str
    direct: bool
    log: Array
    share: Array


@dataclass(frozen=True)
class Flow:
    """Gradient flow of one run of T steps and B rows. Logarithms are natural; that of zero is -inf.

    Attributes:
        cell: whose.
        sizes: the number behind each size name.
        steps: T.
        batch: B.
        log_gradient: ln ‖∂L/∂s_t‖ of all states together, ``(T + 1, B)``; entry t belongs to the states after step t, so
            entry T - d to the distance d.
        log_gradients: the same for each state by itself.
        paths: what every term of every block of the step Jacobian carries.
        gradients: the gradient by each parameter.
        log_sigma: ln of the largest singular value of the step Jacobian of each step, ``(T, B)``.
        distances: at which products are looked at, ``(D,)``, in steps before the end.
        log_sigma_product: ln of the largest singular value of the product of the last ``d`` step Jacobians, ``(D, B)``.
        lyapunov: the largest Lyapunov exponents of the run, per step, ``(B, k)``, the largest first.
        bounds: what the norms of the blocks of the step Jacobian cannot exceed.
        log_bound: ln of what the norm of the whole step Jacobian cannot exceed, ``(T, B)``.
        direct: the paths straight through time.
        spectrum: ln of all singular values of each step Jacobian, ``(T, B, n)``; None where not asked for.
        spectrum_product: ln of all singular values of the products, ``(D, B, n)``; None where not asked for.
    """

    cell: Cell
    sizes: Mapping[str, int]
    steps: int
    batch: int
    log_gradient: Array = field(repr=False)
    log_gradients: Mapping[str, Array] = field(repr=False)
    paths: tuple[PathFlow, ...] = field(repr=False)
    gradients: Mapping[str, Array] = field(repr=False)
    log_sigma: Array = field(repr=False)
    distances: Array = field(repr=False)
    log_sigma_product: Array = field(repr=False)
    lyapunov: Array = field(repr=False)
    bounds: tuple[Bound, ...] = field(repr=False)
    log_bound: Array = field(repr=False)
    direct: tuple[Direct, ...] = field(repr=False)
    spectrum: Array | None = field(default=None, repr=False)
    spectrum_product: Array | None = field(default=None, repr=False)

    def text(self) -> str:
        """What a person wants to know first, in plain text: lengths, exponents, bounds, and what carries the gradient."""
        return flow_text(self)

    def figure(self) -> Any:
        """The gradient and the shares of its paths by distance, as a ``matplotlib.figure.Figure``.

        Raises:
            MissingPackageError: matplotlib is not installed.
        """
        return draw_flow(self)

    def svg(self, prefix: str = "") -> str:
        """The figure as an SVG element for a page of HTML, in the page's own colour; ``prefix`` begins every id.

        Raises:
            MissingPackageError: matplotlib is not installed.
        """
        return to_svg(self.figure(), prefix=prefix)

    def _repr_html_(self) -> str:
        try:
            return self.svg(prefix=f"flow-{self.cell.name}")
        except MissingPackageError:
            return f"<pre>{html.escape(self.text())}</pre>"


def flow(
    cell: CellLike | Derivation,
    params: Given,
    x: ArrayLike,
    state: Given | None = None,
    dy: ArrayLike | None = None,
    *,
    dstate: Given | None = None,
    distances: Sequence[int] | None = None,
    exponents: int = 4,
    spectra: bool = False,
    seed: int = 0,
) -> Flow:
    """How a gradient fares on its way back through a run, in double precision.

    Args:
        cell: a `Cell`, the name of a bundled one, the path of a cell file, or a `Derivation`.
        params: every parameter by name.
        x: inputs, ``(T, B, input)``.
        state: initial states by name, ``(B, size)``; zeros where they are left out.
        dy: the gradient of the loss by the outputs: ``(T, B, size)``, or ``(B, size)`` for a loss that reads the last
            output alone. Unless given, that: a random direction of length 1 in each row.
        dstate: the gradient of the loss by the final states, ``(B, size)`` each; nothing unless given.
        distances: from 0 to T, where products of step Jacobians are looked at; about evenly spaced in their logarithm
            unless given.
        exponents: how many Lyapunov exponents; at most as many as there are units.
        spectra: whether to compute every singular value, of steps and of products: the time grows with the cube of the
            units.
        seed: of what is random: the direction of ``dy``, and where iterations start.

    Raises:
        FlowError: an array is missing or misshapen, or the run is not finite.
    """
    derivation = cell if isinstance(cell, Derivation) else derive(cell)
    run = run_steps(derivation.cell, params, x, state)
    paths = step_paths(derivation, run)
    gradient = backward(paths, _given(paths, dy, dstate, seed))
    blocks = paths.blocks
    looked = _distances(distances, run.steps)
    bounds = bounds_of(paths)
    return Flow(
        cell=derivation.cell,
        sizes=run.sizes,
        steps=run.steps,
        batch=run.batch,
        log_gradient=gradient.log,
        log_gradients={name: gradient.log + normalised(gradient.unit[..., at])[1] for name, at in blocks.items()},
        paths=_shares(paths, by_path(paths, gradient)),
        gradients=by_parameter(derivation, paths, gradient),
        log_sigma=largest_of_steps(paths, seed),
        distances=looked,
        log_sigma_product=largest_of_products(paths, looked, seed),
        lyapunov=lyapunov(paths, min(exponents, paths.size), seed),
        bounds=bounds,
        log_bound=bound_of_step(paths, bounds),
        direct=direct_of(paths),
        spectrum=spectrum_of_steps(paths) if spectra else None,
        spectrum_product=spectrum_of_products(paths, looked) if spectra else None,
    )


def _shares(paths: StepPaths, logs: Mapping[tuple[str, str, int], Array]) -> tuple[PathFlow, ...]:
    """The paths with their shares of each step's whole."""
    if not logs:
        return ()
    together = np.logaddexp.reduce(list(logs.values()), axis=0)
    some = np.isfinite(together)
    found = []
    for (after, before, place), length in logs.items():
        jacobian = paths.jacobians[after, before]
        term = jacobian.terms[place]
        share = np.where(some, np.exp(length - np.where(some, together, 0.0)), np.nan)
        text = terms_line((term,), before, jacobian.notation.shapes)
        latex = terms_latex((term,), jacobian.notation.name(before), jacobian.notation)
        found.append(PathFlow(after, before, text, latex, is_direct(term), length, share))
    return tuple(found)


def _given(paths: StepPaths, dy: ArrayLike | None, dstate: Given | None, seed: int) -> Array:
    """What the loss adds to the gradient by the states after each step, ``(T, B, n)``."""
    run, output = paths.run, paths.run.cell.output
    width = run.width(output)
    given = np.zeros((run.steps, run.batch, paths.size))
    if dy is None:
        last = np.random.default_rng(seed).standard_normal((run.batch, width))
        dy = normalised(last)[0]
    array = np.asarray(dy, np.float64)
    if array.shape == (run.batch, width):
        given[-1, :, paths.blocks[output]] = array
    elif array.shape == (run.steps, run.batch, width):
        given[..., paths.blocks[output]] = array
    else:
        expected = f"{(run.steps, run.batch, width)} or, for the last step alone, {(run.batch, width)}"
        raise FlowError(f"dy: expected shape {expected}, found {array.shape}")
    for name, value in (dstate or {}).items():
        if name not in paths.blocks:
            raise FlowError(f"dstate: there is no {name!r}; expected {', '.join(paths.blocks)}")
        array = np.asarray(value, np.float64)
        if array.shape != (run.batch, run.width(name)):
            raise FlowError(f"dstate[{name!r}]: expected shape {(run.batch, run.width(name))}, found {array.shape}")
        given[-1, :, paths.blocks[name]] += array
    if not np.isfinite(given).all():
        raise FlowError("dy, dstate: expected finite numbers; found infinities or NaN")
    return given


def _distances(distances: Sequence[int] | None, steps: int) -> Array:
    if distances is None:
        return np.unique(np.round(np.geomspace(1, steps, DISTANCES)).astype(int))
    looked = np.asarray(distances)
    if looked.ndim != 1 or looked.dtype.kind not in "iu" or (looked < 0).any() or (looked > steps).any():
        raise FlowError(f"distances: expected whole numbers from 0 to {steps}, found {distances!r}")
    return looked

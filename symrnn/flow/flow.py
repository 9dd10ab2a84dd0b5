"""`flow`: how a gradient changes on its way back through the steps of a run.

Reads a cell (or its `Derivation`), parameters and inputs; returns a `Flow`, a frozen record of arrays. The arrays are
logarithms, computed from the derived Jacobians. Leaves out: drawing (`symrnn.flow.figure`), and several cells at several
points (`symrnn.flow.sweep`).
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from symrnn.derive.derivation import Derivation, derive
from symrnn.derive.evaluate import Array
from symrnn.derive.factors import is_direct
from symrnn.derive.factors import to_latex as terms_latex
from symrnn.derive.factors import to_line as terms_line
from symrnn.errors import FlowError, MissingPackageError
from symrnn.flow.bounds import bound_of_step, bounds_of, direct_of
from symrnn.flow.canvas import to_svg
from symrnn.flow.figure import draw_flow
from symrnn.flow.gradient import backward, by_parameter, by_path, normalised, through_outputs
from symrnn.flow.measured import Measured, PathFlow
from symrnn.flow.paths import StepPaths, step_paths
from symrnn.flow.singular import (
    largest_of_products,
    largest_of_steps,
    lyapunov,
    spectrum_of_products,
    spectrum_of_steps,
)
from symrnn.flow.table import flow_text
from symrnn.flow.trajectory import Given, run_steps
from symrnn.language.cellfile import CellLike

DISTANCES = 16
"""The number of distances, about evenly spaced in their logarithm, at which products are evaluated by default."""


@dataclass(frozen=True)
class Flow(Measured):
    """Gradient flow of one run of T steps and B rows, with its text and its figure; the arrays are those of `Measured`."""

    def text(self) -> str:
        """A summary in plain text: lengths, exponents, bounds, and the paths that carry the gradient."""
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
    dy: ArrayLike | Given | None = None,
    *,
    inputs: Given | None = None,
    dstate: Given | None = None,
    distances: Sequence[int] | None = None,
    exponents: int = 4,
    spectra: bool = False,
    seed: int = 0,
) -> Flow:
    """How a gradient changes on its way back through a run, in double precision.

    Args:
        cell: a `Cell`, the name of a bundled one, the path of a cell file, or a `Derivation`.
        params: every parameter by name.
        x: inputs, ``(T, B, input)``.
        state: initial states by name, ``(B, size)``; a missing one is zero.
        dy: the gradient of the loss by the output: ``(T, B, size)``, or ``(B, size)`` for a loss that reads the last
            output alone. The default is such a loss, with a random direction of length 1 in each row. Of several outputs,
            a mapping by name; by default the loss reads the first of them.
        inputs: the inputs beside ``x`` by name, ``(T, B, size)``.
        dstate: the gradient of the loss by the final states, ``(B, size)`` each; zeros by default.
        distances: from 0 to T, of products of step Jacobians; by default about evenly spaced in their logarithm.
        exponents: how many Lyapunov exponents; at most as many as there are units.
        spectra: whether to compute every singular value, of steps and products: the time grows with the cube of the units.
        seed: for the direction of ``dy`` and the start of iterations.

    Raises:
        FlowError: an array is missing or misshapen, or the run is not finite.
    """
    derivation = cell if isinstance(cell, Derivation) else derive(cell)
    trajectory = run_steps(derivation.cell, params, x, state, inputs)
    paths = step_paths(derivation, trajectory)
    given, dys = _given(derivation, paths, dy, dstate, seed)
    gradient = backward(paths, given)
    looked = _distances(distances, trajectory.steps)
    bounds = bounds_of(paths)
    return Flow(
        cell=derivation.cell,
        sizes=trajectory.sizes,
        steps=trajectory.steps,
        batch=trajectory.batch,
        log_gradient=gradient.log,
        log_gradients={name: gradient.log + normalised(gradient.unit[..., at])[1] for name, at in paths.blocks.items()},
        paths=_shares(paths, by_path(paths, gradient)),
        gradients=by_parameter(derivation, paths, gradient, dys),
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


def _given(
    derivation: Derivation, paths: StepPaths, dy: ArrayLike | Given | None, dstate: Given | None, seed: int
) -> tuple[Array, dict[str, Array]]:
    """The loss's contribution to the gradient by the states before the first step and after each, ``(T + 1, B, n)``.

    Also returns its gradient by the outputs that are no states, ``(T, B, size)`` by name.
    """
    trajectory = paths.trajectory
    given = np.zeros((trajectory.steps + 1, trajectory.batch, paths.size))
    others: dict[str, Array] = {}
    for name, array in _by_output(derivation, paths, dy, seed).items():
        if name in paths.blocks:
            given[1:, :, paths.blocks[name]] += array
        else:
            others[name] = array
    given[:-1] += through_outputs(derivation, paths, others)
    for name, value in (dstate or {}).items():
        if name not in paths.blocks:
            raise FlowError(f"dstate: unknown name {name!r}; choose {', '.join(paths.blocks)}")
        array = np.asarray(value, np.float64)
        shape = (trajectory.batch, *trajectory.axes(name))
        if array.shape != shape:
            raise FlowError(f"dstate[{name!r}]: expected shape {shape}, found {array.shape}")
        given[-1, :, paths.blocks[name]] += array.reshape(trajectory.batch, trajectory.width(name))
    if not np.isfinite(given).all():
        raise FlowError("dy, dstate: expected finite numbers; found infinities or NaN")
    return given, others


def _by_output(derivation: Derivation, paths: StepPaths, dy: ArrayLike | Given | None, seed: int) -> dict[str, Array]:
    """The gradient of the loss by each output at every step."""
    cell, trajectory = derivation.cell, paths.trajectory
    steps, batch = trajectory.steps, trajectory.batch
    each: dict[str, Any] = {cell.output: dy}
    if dy is None:
        last = np.random.default_rng(seed).standard_normal((batch, trajectory.sizes[cell.size(cell.output_values[0])]))
        each = {cell.output: normalised(last)[0].reshape(batch, *trajectory.axes(cell.output_values[0]))}
    elif len(cell.returned) > 1:
        if not isinstance(dy, Mapping):
            raise FlowError(f"dy: expected a mapping of {', '.join(cell.returned)}, found {type(dy).__name__}")
        for name in dy:
            if name not in cell.returned:
                raise FlowError(f"dy: unknown name {name!r}; choose {', '.join(cell.returned)}")
        each = dict(dy)
    found = {}
    for name, value in zip(cell.returned, cell.output_values, strict=True):
        what, width = "dy" if len(cell.returned) == 1 else f"dy[{name!r}]", trajectory.sizes[cell.size(value)]
        found[name] = np.zeros((steps, batch, width))
        one = (batch, *trajectory.axes(value))
        array = np.asarray(each.get(name, np.zeros((steps, *one))), np.float64)
        if array.shape == one:
            found[name][-1] = array.reshape(batch, width)
        elif array.shape == (steps, *one):
            found[name] = array.reshape(steps, batch, width)
        else:
            expected = f"{(steps, *one)} or, for the last step alone, {one}"
            raise FlowError(f"{what}: expected shape {expected}, found {array.shape}")
    return found


def _distances(distances: Sequence[int] | None, steps: int) -> Array:
    if distances is None:
        return np.unique(np.round(np.geomspace(1, steps, DISTANCES)).astype(int))
    looked = np.asarray(distances)
    if looked.ndim != 1 or looked.dtype.kind not in "iu" or (looked < 0).any() or (looked > steps).any():
        raise FlowError(f"distances: expected whole numbers from 0 to {steps}, found {distances!r}")
    return looked

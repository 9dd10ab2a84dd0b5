"""What the lecture says of gradients through time, as tests: below one they vanish, above one they explode, and the cell
state of an LSTM is a road without a matrix."""

from __future__ import annotations

import numpy as np
import pytest

import symrnn
from symrnn.derive.factors import Diag
from symrnn.errors import FlowError
from symrnn.flow.flow import Flow, flow
from symrnn.flow.sweep import Setup, sweep

SETUP = Setup(steps=60, hidden=16, input=4)


def flow_of(cell: symrnn.Cell | str, scale: float, bias: float | None = None) -> Flow:
    biases = () if bias is None else (bias,)
    (point,) = sweep([symrnn.load(cell)], scales=[scale], biases=biases, setup=SETUP).points
    return point.flow


def lost(found: Flow) -> float:
    """Powers of ten that the gradient loses on its way through the whole run."""
    return float((found.log_gradient[-1] - found.log_gradient[0]).mean() / np.log(10))


@pytest.mark.parametrize("scale", [0.3, 0.5, 0.9])
def test_below_one_it_vanishes_as_fast_as_the_bound_says(scale: float) -> None:
    found = flow_of("rnn", scale)
    (bound,) = found.bounds
    assert bound.text == "max|1 - h'**2| * sigma_max(W_hh)"
    assert r"\sigma_{\max}(W_{hh})" in bound.latex
    assert (bound.log <= np.log(scale) + 1e-12).all()
    assert (found.log_sigma <= bound.log + 1e-5).all()
    falls = found.log_gradient - found.log_gradient[-1]
    allowed = np.concatenate([np.cumsum(bound.log[::-1], axis=0)[::-1], np.zeros((1, found.batch))])
    assert (falls <= allowed + 1e-9).all()
    assert lost(found) >= -SETUP.steps * np.log10(scale) - 1e-9


@pytest.mark.parametrize("scale", [1.1, 1.5])
def test_above_one_a_linear_cell_explodes_at_that_rate(scale: float) -> None:
    linear = symrnn.Cell.from_equations("h' = W_xh @ x + W_hh @ h", name="linear")
    found = flow_of(linear, scale)
    assert lost(found) == pytest.approx(-SETUP.steps * np.log10(scale), rel=1e-9)
    np.testing.assert_allclose(found.lyapunov, np.log(scale), rtol=1e-9)


def test_the_direct_path_of_an_lstm_holds_no_matrix_and_is_the_product_of_f() -> None:
    found = flow_of("lstm", 1.0, 3.0)
    (direct,) = found.direct
    assert (direct.state, direct.text) == ("c", "f")
    (term,) = symrnn.derive("lstm").jacobian("c", "c").terms
    assert all(isinstance(factor, Diag) for factor in term)
    (path,) = [path for path in found.paths if path.output == path.input == "c"]
    assert path.direct
    assert "W" not in path.text
    np.testing.assert_allclose(direct.log[0], np.log(direct.diagonal).sum(axis=0).max(axis=-1), rtol=1e-12)
    assert direct.diagonal.mean() > 0.9


def test_what_holds_is_the_bias() -> None:
    for cell in ("lstm", "gru"):
        by_bias = [lost(flow_of(cell, 0.5, bias)) for bias in (0.0, 1.0, 3.0)]
        assert by_bias[0] > by_bias[1] > by_bias[2]
        assert by_bias[0] > 10
        assert by_bias[2] < 2


def test_an_explosion_without_saturation_is_seen_in_the_weights_too() -> None:
    linear = symrnn.Cell.from_equations("h' = W_xh @ x + W_hh @ h", name="linear")
    (point,) = sweep([linear], scales=[1.5], setup=SETUP).points
    clipped, norm = symrnn.clip_by_global_norm(point.flow.gradients, 1.0)
    assert norm > 1e8
    assert np.sqrt(sum((array**2).sum() for array in clipped.values())) == pytest.approx(1.0)


def test_a_vanished_gradient_starts_where_the_loss_reads() -> None:
    cell = symrnn.load("rnn")
    params = symrnn.build(cell).init_params(2, 3, seed=0, dtype="float64")
    dy = np.zeros((6, 1, 3))
    dy[2] = 1.0
    found = flow(cell, params, np.ones((6, 1, 2)), dy=dy)
    assert np.isneginf(found.log_gradient[4:]).all()
    assert np.exp(found.log_gradient[3, 0]) == pytest.approx(np.sqrt(3))
    assert all(np.isnan(path.share[3:]).all() and np.isfinite(path.share[:3]).all() for path in found.paths)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((5, 2, 4), r"x: input is 3 by params\['W_xi'\], but 4 by shape \(5, 2, 4\)"),
        ((5, 3), r"x: expected \(T, B, input\) .* found shape \(5, 3\)"),
    ],
)
def test_an_input_of_another_shape_is_named_with_the_shape_that_was_given(shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(FlowError, match=words):
        symrnn.flow("lstm", symrnn.build("lstm").init_params(3, 8), np.ones(shape))

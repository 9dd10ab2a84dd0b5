"""Steps of cells with named axes, written by hand from their publications: memories that are matrices, and states of channels.

See `tests.atlas.written` for what a step takes and returns. Sums over axes are `np.einsum`, outer products `np.outer`.
"""

from __future__ import annotations

import numpy as np

from tests.atlas.written import Array, Values, sigmoid


def _elu_1(a: Array) -> Array:
    return np.where(a > 0, a + 1, np.exp(a))


def _softplus(a: Array) -> Array:
    found: Array = np.logaddexp(0, a)
    return found


def _silu(a: Array) -> Array:
    return a * sigmoid(a)


def mamba(p: Values, x: Array, s: Values) -> dict[str, Array]:
    """A held input solves h' = A h + B x over a step of Delta; each place has an equation of its own."""
    delta = _softplus(p.W_Delta @ (p.S_Delta @ x) + p.b_Delta)[:, None]
    a = -np.exp(p.A_log)
    bar_a = np.exp(delta * a)
    bar_b = (bar_a - 1) / (delta * a) * (delta * (p.S_B @ x))
    h = bar_a * s.h + bar_b * x[:, None]
    return {"h": h, "y": h @ (p.S_C @ x) + p.D * x}


def s4d(p: Values, x: Array, s: Values) -> dict[str, Array]:
    a = -np.exp(p.log_A_re) + 1j * p.A_im
    bar_a = np.exp(np.exp(p.log_Delta)[:, None] * a)
    state = bar_a * (s.s_re + 1j * s.s_im) + (bar_a - 1) / a * x[:, None]
    y = 2 * ((p.C_re + 1j * p.C_im) * state).real.sum(axis=1) + p.D * x
    return {"s_re": state.real, "s_im": state.imag, "y": y}


def mlstm(p: Values, x: Array, s: Values) -> dict[str, Array]:
    q, v = p.W_q @ x + p.b_q, p.W_v @ x + p.b_v
    k = p.W_k @ x / np.sqrt(q.shape[1]) + p.b_k
    i, f, o = p.w_i @ x + p.b_i, p.w_f @ x + p.b_f, sigmoid(p.W_o @ x + p.b_o)
    # What is held over exp(m) is undone, so that this is the step without a stabiliser.
    whole = np.exp(s.m)
    cell = s.C * whole[:, None, None] * sigmoid(f)[:, None, None]
    cell = cell + np.exp(i)[:, None, None] * np.einsum("hv,hk->hvk", v, k)
    n = s.n * (whole * sigmoid(f))[:, None] + np.exp(i)[:, None] * k
    h = o * np.einsum("hvk,hk->hv", cell, q) / np.maximum(abs((n * q).sum(axis=1)), 1)[:, None]
    m = np.maximum(np.log(sigmoid(f)) + s.m, i)
    return {"m": m, "C": cell / np.exp(m)[:, None, None], "n": n / np.exp(m)[:, None], "h": h}


def linear_transformer(p: Values, x: Array, s: Values) -> dict[str, Array]:
    phi_q, phi_k = _elu_1(p.W_q @ x), _elu_1(p.W_k @ x)
    memory, z = s.s + np.outer(phi_k, p.W_v @ x), s.z + phi_k
    return {"s": memory, "z": z, "y": phi_q @ memory / (phi_q @ z)}


def deltanet(p: Values, x: Array, s: Values) -> dict[str, Array]:
    key, query = _elu_1(p.W_k @ x), _elu_1(p.W_q @ x)
    key, query = key / key.sum(), query / query.sum()
    old = s.W @ key
    fast = s.W + sigmoid(p.w_beta @ x) * np.outer(p.W_v @ x - old, key)
    return {"W": fast, "y": fast @ query}


def gated_deltanet(p: Values, x: Array, s: Values) -> dict[str, Array]:
    key, query, value = (_silu(matrix @ x) for matrix in (p.W_k, p.W_q, p.W_v))
    key, query = (a / np.linalg.norm(a) for a in (key, query))
    beta = sigmoid(p.w_beta @ x)
    alpha = np.exp(-np.exp(p.A_log) * _softplus(p.w_alpha @ x + p.b_alpha))
    memory = s.S @ (alpha * (np.eye(len(key)) - beta * np.outer(key, key))) + beta * np.outer(value, key)
    return {"S": memory, "o": memory @ query}


def retnet(p: Values, x: Array, s: Values) -> dict[str, Array]:
    """One step of A = gamma exp(i theta)."""
    query, key = p.W_Q_re @ x + 1j * p.W_Q_im @ x, p.W_K_re @ x + 1j * p.W_K_im @ x
    kept = np.multiply.outer(p.gamma, np.exp(1j * p.theta))[:, :, None]
    memory = kept * (s.S_re + 1j * s.S_im) + np.einsum("hk,hv->hkv", key.conj(), p.W_V @ x)
    return {"S_re": memory.real, "S_im": memory.imag, "o": np.einsum("hk,hkv->hv", query, memory).real}

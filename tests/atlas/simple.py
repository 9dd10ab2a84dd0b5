"""Steps of simple networks, reservoirs, spikes, continuous time, Lipschitz networks and memories, written by hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tests.atlas.written import Array, Values, relu, sigmoid


def jordan(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    state = 0.5 * s.s + s.y
    hidden = sigmoid(p.W_x @ x + p.W_s @ state + p.b_h)
    return {"s": state, "y": sigmoid(p.W_y @ hidden + p.b_y)}


def irnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    return {"h": relu(np.hstack([p.W, p.U]) @ np.hstack([x, s.h]) + p.b)}


def indrnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    return {"h": relu(p.W @ x + np.diag(p.u) @ s.h + p.b)}


def mi_rnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    wx, uz = p.W @ x, p.U @ s.h
    return {"h": np.tanh(p.alpha * wx * uz + p.beta_1 * uz + p.beta_2 * wx + p.b)}


def multiplicative_rnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    recurrent = p.W_hf @ np.diag(p.W_fx @ x) @ p.W_fh
    return {"h": np.tanh(recurrent @ s.h + p.W_hx @ x)}


def dt_rnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    inner = np.tanh(s.h @ p.W_1 + x @ p.U)
    return {"h": np.tanh(inner @ p.W_2)}


def leaky_rnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    new = np.tanh(np.hstack([p.W, p.U]) @ np.concatenate([x, s.h]) + p.b)
    return {"h": p.alpha * s.h + (1 - p.alpha) * new}


def rate_rnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    current = s.v + 0.2 * (p.W_rec @ s.r + p.W_in @ x - s.v)
    return {"v": current, "r": relu(current)}


def cornn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    force = np.tanh(p.W @ s.y + p.W_z @ s.z + p.V @ x + p.b) - 2.7 * s.y - 4.7 * s.z
    z = s.z + 0.042 * force
    return {"z": z, "y": s.y + 0.042 * z}


def unicornn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    step = 0.1 * (0.5 + 0.5 * np.tanh(p.c / 2))
    z = s.z - step * (np.tanh(p.w * s.y + p.V @ x + p.b) + s.y)
    return {"z": z, "y": s.y + step * z}


def lem(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    fast = 0.5 + 0.5 * np.tanh((p.W_1 @ s.y + p.V_1 @ x + p.b_1) / 2)
    slow = 0.5 + 0.5 * np.tanh((p.W_2 @ s.y + p.V_2 @ x + p.b_2) / 2)
    z = s.z + fast * (np.tanh(p.W_z @ s.y + p.V_z @ x + p.b_z) - s.z)
    return {"z": z, "y": s.y + slow * (np.tanh(p.W_y @ z + p.V_y @ x + p.b_y) - s.y)}


def antisymmetric_rnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    matrix = p.W_h - p.W_h.T - 0.01 * np.eye(len(s.h))
    return {"h": s.h + 0.1 * np.tanh(matrix @ s.h + p.V_h @ x + p.b_h)}


def antisymmetric_rnn_gated(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    matrix = p.W_h - p.W_h.T - 0.01 * np.eye(len(s.h))
    z = sigmoid(matrix @ s.h + p.V_z @ x + p.b_z)
    return {"h": s.h + 0.1 * z * np.tanh(matrix @ s.h + p.V_h @ x + p.b_h)}


def lipschitz_rnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    def between(m: Array) -> Array:
        found: Array = 0.25 * (m + m.T) + 0.75 * (m - m.T) - 0.001 * np.eye(len(m))
        return found

    slope = between(p.M_A) @ s.h + np.tanh(between(p.M_W) @ s.h + p.U @ x + p.b)
    return {"h": s.h + 0.03 * slope}


def exponential_trace(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    return {"x_bar": x + p.mu * (s.x_bar - x)}


def rwa(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    both = np.hstack([x, s.h])
    weight = np.exp(np.hstack([p.W_ax, p.W_ah]) @ both)
    content = (p.W_u @ x + p.b_u) * np.tanh(np.hstack([p.W_gx, p.W_gh]) @ both + p.b_g)
    numerator, denominator = s.n + content * weight, s.d + weight
    return {"n": numerator, "d": denominator, "h": np.tanh(numerator / denominator)}


def scrn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    context = 0.05 * (p.B @ x) + 0.95 * s.s
    hidden = sigmoid(np.hstack([p.P, p.A, p.R]) @ np.concatenate([context, x, s.h]))
    return {"s": context, "h": hidden, "y": p.U @ hidden + p.V @ context}


def esn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    state = np.tanh(np.hstack([p.W_in, p.W]) @ np.concatenate([x, s.r]))
    return {"r": state, "y": np.hstack([p.W_out_x, p.W_out_r]) @ np.concatenate([x, state])}


def esn_leaky(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    state = s.r + 0.3 * (np.tanh(p.W_in @ x + p.W @ s.r) - s.r)
    return {"r": state, "y": np.hstack([p.W_out_x, p.W_out_r]) @ np.concatenate([x, state])}


def ctrnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    slope = (p.W @ sigmoid(s.y + p.theta) + x - s.y) / p.tau
    return {"y": s.y + 0.1 * slope}


def lif(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    potential = np.round(np.exp(-1 / 10), 9) * s.u + s.i - s.s
    current = np.round(np.exp(-1 / 5), 9) * s.i + p.W @ x + p.V @ s.s
    return {"u": potential, "i": current, "s": (potential >= 1).astype(float)}

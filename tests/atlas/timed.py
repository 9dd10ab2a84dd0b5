"""Steps of cells that are told the time or what is missing, and of solvers of differential equations, written by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tests.atlas.written import Array, Values, relu, sigmoid


def ltc(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    """A fused step solves the equation that is implicit in the state but for f."""
    state = s.h
    for _ in range(6):
        f = sigmoid(p.gamma_r @ state + p.gamma @ x + p.mu)
        state = np.linalg.solve(np.diag(1 + 0.1 * (1 / p.tau + f)), state + 0.1 * f * p.A)
    return {"h": state}


def cfc(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    f, g, q = (getattr(p, f"W_{k}") @ x + getattr(p, f"U_{k}") @ s.h + getattr(p, f"b_{k}") for k in "fgq")
    late = 1 / (1 + np.exp(-f * p.t))
    return {"h": late * np.tanh(q) + (1 - late) * np.tanh(g)}


def runge_kutta(slope: Callable[[Array], Array], start: Array, width: Array) -> Array:
    """One step of the classic method of order 4, from its tableau."""
    slopes: list[Array] = []
    for share in (0, 0.5, 0.5, 1):
        slopes.append(slope(start + width * share * slopes[-1] if slopes else start))
    return start + width * np.average(slopes, axis=0, weights=[1, 2, 2, 1])


def ode_rnn(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    def slope(state: Array) -> Array:
        found: Array = p.F_2 @ np.tanh(p.F_1 @ state + p.d_1) + p.d_2
        return found

    state = runge_kutta(slope, runge_kutta(slope, s.h, p.delta_t / 2), p.delta_t / 2)
    return {"h": np.tanh(p.W @ x + p.U @ state + p.b)}


def gru_ode(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    z, r = (sigmoid(getattr(p, f"W_{k}") @ x + getattr(p, f"U_{k}") @ s.h + getattr(p, f"b_{k}")) for k in "zr")
    content = np.tanh(p.W_h @ x + p.U_h @ (r * s.h) + p.b_h)
    whole = z * s.h + (1 - z) * content
    return {"h": s.h + p.delta_t * (whole - s.h)}


def gru_d(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    fade_x = np.exp(-relu(np.diag(p.w_gamma_x) @ p.delta + p.b_gamma_x))
    fade_h = np.exp(-relu(p.W_gamma_h @ p.delta + p.b_gamma_h))
    filled = p.x_mean + fade_x * (s.x_last - p.x_mean)
    seen = filled + p.m * (x - filled)
    h = fade_h * s.h

    def linear(kind: str, state: Array) -> Array:
        w, u, v, b = (getattr(p, f"{letter}{kind}") for letter in "WUVb")
        found: Array = np.hstack([w, u, v]) @ np.concatenate([seen, state, p.m]) + b
        return found

    z = sigmoid(linear("_z", h))
    new = np.tanh(linear("", sigmoid(linear("_r", h)) * h))
    return {"x_last": s.x_last + p.m * (x - s.x_last), "h": h + z * (new - h)}


def rits_i(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    guess = p.W_x @ s.h + p.b_x
    filled = guess + p.m * (x - guess)
    fade = np.exp(-relu(p.W_gamma @ p.delta + p.b_gamma))
    both = np.hstack([p.U_x, p.U_m]) @ np.concatenate([filled, p.m])
    return {"x_hat": guess, "h": sigmoid(p.W_h @ (s.h * fade) + both + p.b_h)}


def rits(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    """No feature is predicted from itself: the diagonal of that matrix is zero."""
    fade = np.exp(-relu(p.W_gamma @ p.delta + p.b_gamma))
    guess = p.W_x @ s.h + p.b_x
    filled = guess + p.m * (x - guess)
    others = p.W_z.copy()
    np.fill_diagonal(others, 0)
    mix = sigmoid(np.hstack([p.W_beta, p.V_beta]) @ np.concatenate([fade, p.m]) + p.b_beta)
    better = guess + mix * (others @ filled + p.b_z - guess)
    both = np.hstack([p.U_c, p.U_m]) @ np.concatenate([better + p.m * (x - better), p.m])
    return {"c_hat": better, "h": sigmoid(p.W_h @ (s.h * fade) + both + p.b_h)}


def lstm_phased(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    phase = np.mod(p.t - p.s, p.tau) / p.tau
    rising, falling = phase < p.r_on / 2, (p.r_on / 2 <= phase) & (phase < p.r_on)
    k = np.select([rising, falling], [2 * phase / p.r_on, 2 - 2 * phase / p.r_on], 0.001 * phase)
    a = {g: getattr(p, f"W_x{g}") @ x + getattr(p, f"W_h{g}") @ s.h + getattr(p, f"b_{g}") for g in "ifoc"}
    i, f = (sigmoid(a[g] + np.diag(getattr(p, f"w_c{g}")) @ s.c) for g in "if")
    proposed = f * s.c + i * np.tanh(a["c"])
    c = s.c + k * (proposed - s.c)
    h = sigmoid(a["o"] + np.diag(p.w_co) @ c) * np.tanh(proposed)
    return {"c": c, "h": s.h + k * (h - s.h)}

"""Steps of reservoirs and memories whose matrices are given, and of spiking neurons, written by hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tests.atlas.written import Array, Values, relu, sigmoid


def esn_deep(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    below, states = x, {}
    for layer, matrix in enumerate((p.W_in, p.W_2, p.W_3), start=1):
        old = getattr(s, f"h_{layer}")
        drive = matrix @ below + getattr(p, f"W_hat_{layer}") @ old + getattr(p, f"theta_{layer}")
        below = states[f"h_{layer}"] = old + 0.3 * (np.tanh(drive) - old)
    read = np.hstack([p.W_out_1, p.W_out_2, p.W_out_3])
    return {**states, "y": read @ np.concatenate(list(states.values()))}


def esn_euler(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    matrix = p.W_h - p.W_h.T - 0.01 * np.eye(len(s.h))
    state = s.h + 0.01 * np.tanh(matrix @ s.h + p.W_x @ x + p.b)
    return {"h": state, "y": p.W_o @ state + p.b_o}


def es2n(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    state = 0.1 * np.tanh(np.hstack([0.9 * p.W_r, p.W_in]) @ np.concatenate([s.h, x])) + 0.9 * p.O @ s.h
    return {"h": state, "y": p.W_o @ state}


def lmu(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    signal = p.e_x @ x + p.e_h @ s.h + p.e_m @ s.m
    memory = p.A_bar @ s.m + p.B_bar * signal
    return {"m": memory, "h": np.tanh(np.hstack([p.W_x, p.W_h, p.W_m]) @ np.concatenate([x, s.h, memory]))}


def rwkv(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    """Without the running maximum: the paper's sums are those of the cell times exp(p)."""
    before = s.x_previous
    r, k, v = (getattr(p, f"W_{g}") @ (before + getattr(p, f"mu_{g}") * (x - before)) for g in "rkv")
    a, b = s.a * np.exp(s.p), s.b * np.exp(s.p)
    average = (a + np.exp(p.u + k) * v) / (b + np.exp(p.u + k))
    a, b = np.exp(-p.w) * a + np.exp(k) * v, np.exp(-p.w) * b + np.exp(k)
    top = np.where(s.p - p.w > k, s.p - p.w, k)
    states = {"p": top, "a": a / np.exp(top), "b": b / np.exp(top), "x_previous": x}
    return {**states, "o": p.W_o @ (sigmoid(r) * average)}


def alif(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    potential = 0.95 * s.v + np.hstack([p.W_rec, p.W_in]) @ np.concatenate([s.z, x]) - 0.6 * s.z
    adapted = 0.995 * s.a + s.z
    return {"v": potential, "a": adapted, "z": (potential >= 0.6 + 0.17 * adapted).astype(float)}


def snu(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    state = relu(np.hstack([p.W, p.H]) @ np.concatenate([x, s.y]) + 0.8 * s.s * (1 - s.y))
    return {"s": state, "y": (state + p.b > 0).astype(float)}


def egru(p: Values, x: Array, s: Values) -> Mapping[str, Array]:
    u, r = (sigmoid(getattr(p, f"W_{k}") @ x + getattr(p, f"U_{k}") @ s.y + getattr(p, f"b_{k}")) for k in "ur")
    content = np.tanh(np.hstack([p.W_z, p.U_z]) @ np.concatenate([x, r * s.y]) + p.b_z)
    c = s.c + u * (content - s.c) - s.y
    return {"c": c, "y": np.where(c >= p.theta, c, 0)}

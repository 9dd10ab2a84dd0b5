"""The backward pass of an LSTM with layer normalisation, by hand."""

import numpy as np

EPS = 1e-5


def normalised(a):
    m = a - a.mean(axis=1, keepdims=True)
    std = np.sqrt((m**2).mean(axis=1, keepdims=True) + EPS)
    return m / std, std


def through_norm(dn, n, std):
    """Back through n = (a - mean(a)) / std."""
    return (dn - dn.mean(axis=1, keepdims=True) - n * (dn * n).mean(axis=1, keepdims=True)) / std


def backward_step(params, cache, dstate):
    p, x, h = params, cache["x"], cache["h"]
    i, f, o, g = cache["i"], cache["f"], cache["o"], cache["g"]
    n_c, std_c = normalised(cache["c'"])
    squashed = np.tanh(p["s_c"] * n_c + p["b_c"])
    dh = dstate["h"]
    dpre = dh * o * (1 - squashed**2)
    grads = {"s_c": (dpre * n_c).sum(0), "b_c": dpre.sum(0)}
    dc = dstate["c"] + through_norm(dpre * p["s_c"], n_c, std_c)
    outer = {
        "i": dc * g * i * (1 - i),
        "f": dc * cache["c"] * f * (1 - f),
        "o": dh * squashed * o * (1 - o),
        "g": dc * i * (1 - g**2),
    }
    dx, dh_prev = 0, 0
    for k, d in outer.items():
        n, std = normalised(x @ p["W_x" + k].T + h @ p["W_h" + k].T)
        grads["s_" + k] = (d * n).sum(0)
        grads["b_" + k] = d.sum(0)
        da = through_norm(d * p["s_" + k], n, std)
        grads["W_x" + k], grads["W_h" + k] = da.T @ x, da.T @ h
        dx = dx + da @ p["W_x" + k]
        dh_prev = dh_prev + da @ p["W_h" + k]
    return grads, {"h": dh_prev, "c": dc * f}, dx

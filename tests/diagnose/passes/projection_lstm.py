"""The backward pass of an LSTM whose hidden state is projected, over a whole sequence, by hand."""

import numpy as np


def backward(params, caches, dy, dstate):
    grads = {name: np.zeros_like(value) for name, value in params.items()}
    dh, dc = dstate["h"], dstate["c"]
    dx = [None] * len(caches)
    for t in range(len(caches))[::-1]:
        s = caches[t]
        tanh_c = np.tanh(s["c'"])
        dh = dh + dy[t]
        grads["W_rh"] += dh.T @ (s["o"] * tanh_c)
        dm = dh @ params["W_rh"]
        dc = dc + dm * s["o"] * (1 - tanh_c**2)
        a = {
            "i": dc * s["g"] * s["i"] * (1 - s["i"]),
            "f": dc * s["c"] * s["f"] * (1 - s["f"]),
            "o": dm * tanh_c * s["o"] * (1 - s["o"]),
            "g": dc * s["i"] * (1 - s["g"] ** 2),
        }
        for k in "ifog":
            grads["W_x" + k] += a[k].T @ s["x"]
            grads["W_h" + k] += a[k].T @ s["h"]
            grads["b_" + k] += a[k].sum(axis=0)
        dx[t] = sum(a[k] @ params["W_x" + k] for k in "ifog")
        dh = sum(a[k] @ params["W_h" + k] for k in "ifog")
        dc = dc * s["f"]
    return grads, {"h": dh, "c": dc}, dx

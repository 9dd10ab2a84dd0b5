"""An LSTM's backward pass, by hand."""

import numpy as np


def backward_step(params, cache, dstate):
    p = params
    x, h_prev, c_prev, c = cache["x"], cache["h"], cache["c"], cache["c'"]
    i, f, o, g = cache["i"], cache["f"], cache["o"], cache["g"]
    dh, dc_next = dstate["h"], dstate["c"]
    tanh_c = np.tanh(c)
    # h = o * tanh(c)
    do = dh * tanh_c
    dc = dc_next + dh * o * (1 - tanh_c**2)
    # c = f * c_prev + i * g
    df = dc * c_prev
    di = dc * g
    dg = dc * i
    dc_prev = dc * f
    # before the gates' functions
    dai = di * i * (1 - i)
    daf = df * f * (1 - f)
    dao = do * o * (1 - o)
    dag = dg * (1 - g**2)
    grads = {}
    for name, da in (("i", dai), ("f", daf), ("o", dao), ("g", dag)):
        grads["W_x" + name] = da.T @ x
        grads["W_h" + name] = da.T @ h_prev
        grads["b_" + name] = np.sum(da, axis=0)
    dx = dai @ p["W_xi"] + daf @ p["W_xf"] + dao @ p["W_xo"] + dag @ p["W_xg"]
    dh_prev = dai @ p["W_hi"] + daf @ p["W_hf"] + dao @ p["W_ho"] + dag @ p["W_hg"]
    return grads, {"h": dh_prev, "c": dc_prev}, dx


def backward(params, caches, dy, dstate):
    steps = len(caches)
    grads = {name: np.zeros_like(value) for name, value in params.items()}
    dx = np.zeros((steps, *caches[0]["x"].shape))
    dh_next, dc_next = dstate["h"], dstate["c"]
    for t in range(steps - 1, -1, -1):
        cache = caches[t]
        dh = dy[t] + dh_next
        dc = dc_next
        i, f, o, g = cache["i"], cache["f"], cache["o"], cache["g"]
        tanh_c = np.tanh(cache["c'"])
        dc = dc + dh * o * (1 - tanh_c**2)
        da = {
            "i": dc * g * i * (1 - i),
            "f": dc * cache["c"] * f * (1 - f),
            "o": dh * tanh_c * o * (1 - o),
            "g": dc * i * (1 - g**2),
        }
        dh_next = np.zeros_like(dh)
        for k in da:
            grads["W_x" + k] += da[k].T @ cache["x"]
            grads["W_h" + k] += da[k].T @ cache["h"]
            grads["b_" + k] += da[k].sum(0)
            dx[t] += da[k] @ params["W_x" + k]
            dh_next += da[k] @ params["W_h" + k]
        dc_next = dc * f
    return grads, {"h": dh_next, "c": dc_next}, dx

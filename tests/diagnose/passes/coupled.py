"""The backward pass of two coupled states, by hand."""

import numpy as np


def backward_step(params, cache, dstate):
    x, u, v, u_new = cache["x"], cache["u"], cache["v"], cache["u'"]
    A, B, C, D, d = (params[name] for name in "ABCDd")
    s = u_new @ C.T + v @ D.T + d * v * u_new
    dv_new = dstate["v"]
    ds = 0.1 * dv_new / (1 + np.abs(s)) ** 2
    du_new = dstate["u"] + ds @ C + ds * d * v
    da = du_new * (1 - u_new**2)
    du = da @ A
    dv = 0.9 * dv_new + ds @ D + ds * d * u_new - da @ B
    grads = {
        "W_u": da.T @ x,
        "A": da.T @ u,
        "B": -da.T @ v,
        "b_u": da.sum(0),
        "C": ds.T @ u_new,
        "D": ds.T @ v,
        "d": (ds * v * u_new).sum(0),
    }
    return grads, {"u": du, "v": dv}, da @ params["W_u"]

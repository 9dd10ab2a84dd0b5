"""A GRU's backward pass, the reset gate before the matrix, by hand."""

import numpy as np


def backward_step(params, cache, dstate):
    x, h, z, r, n = (cache[name] for name in ("x", "h", "z", "r", "h_tilde"))
    dnew = dstate["h"]
    dz = dnew * (h - n)
    dn = dnew * (1 - z)
    dan = dn * (1 - n * n)
    drh = dan @ params["W_hh"]
    dr = drh * h
    daz = dz * z * (1 - z)
    dar = dr * r * (1 - r)
    dh = dnew * z
    dh += drh * r
    dh += daz @ params["W_hz"]
    dh += dar @ params["W_hr"]
    dx = daz @ params["W_xz"]
    dx += dar @ params["W_xr"]
    dx += dan @ params["W_xh"]
    grads = {
        "W_xz": daz.T @ x,
        "W_hz": daz.T @ h,
        "b_z": daz.sum(axis=0),
        "W_xr": dar.T @ x,
        "W_hr": dar.T @ h,
        "b_r": dar.sum(axis=0),
        "W_xh": dan.T @ x,
        "W_hh": dan.T @ (r * h),
        "b_h": dan.sum(axis=0),
    }
    return grads, {"h": dh}, dx


def backward(params, caches, dy, dstate):
    total = {name: np.zeros_like(value) for name, value in params.items()}
    dxs = []
    dh = dstate["h"]
    for cache, dy_t in zip(caches[::-1], dy[::-1], strict=True):
        grads, before, dx = backward_step(params, cache, {"h": dh + dy_t})
        for name in total:
            total[name] += grads[name]
        dh = before["h"]
        dxs.append(dx)
    return total, {"h": dh}, np.array(dxs[::-1])

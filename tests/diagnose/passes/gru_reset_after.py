"""A GRU's backward pass, the reset gate after the matrix, by hand."""


def backward_step(params, cache, dstate):
    x, h, z, r, n = (cache[name] for name in ("x", "h", "z", "r", "h_tilde"))
    inner = h @ params["W_hh"].T + params["b_hh"]
    dnew = dstate["h"]
    dn = dnew * (1 - z)
    dan = dn * (1 - n**2)
    dinner = dan * r
    dar = dan * inner * r * (1 - r)
    daz = dnew * (h - n) * z * (1 - z)
    dh = dnew * z + daz @ params["W_hz"] + dar @ params["W_hr"] + dinner @ params["W_hh"]
    dx = daz @ params["W_xz"] + dar @ params["W_xr"] + dan @ params["W_xh"]
    grads = {
        "W_xz": daz.T @ x,
        "W_hz": daz.T @ h,
        "b_z": daz.sum(0),
        "W_xr": dar.T @ x,
        "W_hr": dar.T @ h,
        "b_r": dar.sum(0),
        "W_xh": dan.T @ x,
        "b_h": dan.sum(0),
        "W_hh": dinner.T @ h,
        "b_hh": dinner.sum(0),
    }
    return grads, {"h": dh}, dx

"""Bundled cells beside those of the package torchrecurrent, with the same weights, where both mean the same equations.

Not here: cells in which it departs from the publication. Its LEM reads the old slow state; its NAS cell adds where the authors'
code multiplies; its first two mutants put a matrix on an input that has none; its update gate RNN has no constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

import symrnn
from tests.atlas.written import Array
from tests.families import families

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
peers = pytest.importorskip(
    "torchrecurrent", reason='torchrecurrent is not installed (python -m pip install -e ".[atlas]")'
)

STEPS, ROWS, INPUT, HIDDEN = 6, 3, 5, 7


@dataclass(frozen=True)
class Twin:
    """A cell of the package, and how ours is laid out in its tensors.

    Attributes:
        cell: ours.
        peer: the class.
        blocks: for each of its tensors, our parameters in its order, with spaces between; ``0`` stands for zeros. Other
            tensors are zero.
        states: ours in its order.
        options: arguments of the class.
    """

    cell: str
    peer: str
    blocks: Mapping[str, str]
    states: tuple[str, ...] = ("h",)
    options: Mapping[str, object] = field(default_factory=dict)


def plain(ih: str, hh: str, b: str = "") -> dict[str, str]:
    """The blocks of the tensors that most classes have."""
    return {"weight_ih": ih, "weight_hh": hh, **({"bias_ih": b} if b else {})}


TWINS = (
    Twin(
        "antisymmetric_rnn",
        "AntisymmetricRNNCell",
        plain("V_h", "W_h", "b_h"),
        options={"epsilon": 0.1, "gamma": 0.01},
    ),
    Twin(
        "antisymmetric_rnn_gated",
        "GatedAntisymmetricRNNCell",
        plain("V_z V_h", "W_h", "b_z b_h"),
        options={"epsilon": 0.1, "gamma": 0.01},
    ),
    Twin("atr", "ATRCell", plain("W_p", "W_q")),
    Twin("brc", "BRCell", plain("U_a U_c U", "w_a w_c")),
    Twin("nbrc", "NBRCell", plain("U_a U_c U", "W_a W_c")),
    Twin("cfn", "CFNCell", plain("V_theta V_eta W", "U_theta U_eta", "b_theta b_eta 0")),
    Twin(
        "cornn",
        "coRNNCell",
        {**plain("V", "W", "b"), "weight_ch": "W_z"},
        ("y", "z"),
        {"dt": 0.042, "gamma": 2.7, "epsilon": 4.7},
    ),
    Twin("fastrnn", "FastRNNCell", {**plain("W", "U", "b"), "alpha": "alpha", "beta": "beta"}),
    Twin(
        "fastgrnn",
        "FastGRNNCell",
        {**plain("W", "U", "b_z b_h"), "zeta": "zeta", "nu": "nu"},
        ("h",),
        {"nonlinearity": "sigmoid"},
    ),
    Twin(
        "indrnn",
        "IndRNNCell",
        {"weight_ih": "W", "vector_u": "u", "bias_ih": "b"},
        options={"nonlinearity": "relu"},
    ),
    Twin("light_ru", "LightRUCell", plain("W_h W_f", "U_f", "0 b_f")),
    Twin("ligru", "LiGRUCell", plain("W_z W_h", "U_z U_h", "b_z b_h")),
    Twin(
        "lstm_vanilla",
        "PeepholeLSTMCell",
        {**plain("W_i W_f W_z W_o", "R_i R_f R_z R_o", "b_i b_f b_z b_o"), "weight_ph": "p_i p_f p_o"},
        ("y", "c"),
    ),
    Twin("mgu", "MGUCell", plain("W_fx W_hx", "W_fh W_hh", "b_f b_h")),
    Twin("minimal_rnn", "MinimalRNNCell", {**plain("W_x", "U_h", "b_z"), "weight_mm": "U_z", "bias_hh": "b_u"}),
    Twin("mut3", "MUT3Cell", plain("W_xz W_xr W_xh", "W_hz W_hr W_hh", "b_z b_r b_h")),
    Twin("ran", "RANCell", plain("W_cx W_ix W_fx", "W_ih W_fh", "b_i b_f"), ("h", "c")),
    Twin("sgrn", "SGRNCell", {"weight_ih": "W", "weight_hh": "U", "bias_hh": "b"}),
    Twin("star", "STARCell", plain("W_z W_x", "W_h", "b_z b_k")),
    Twin("trnn", "TRNNCell", {"weight_ih": "W V", "bias_ih": "0 b"}),
    Twin(
        "unicornn",
        "UnICORNNCell",
        {**plain("V", "w", "b"), "weight_ch": "c"},
        ("y", "z"),
        {"dt": 0.1, "alpha": 1.0},
    ),
    Twin(
        "wmc_lstm",
        "WMCLSTMCell",
        {**plain("W_ix W_fx W_gx W_ox", "W_ih W_fh W_gh W_oh", "b_i b_f b_g b_o"), "weight_mh": "W_ic W_fc W_oc"},
        ("h", "c"),
    ),
)


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.cell)
def test_outputs_are_those_of_the_package(twin: Twin) -> None:
    cell = symrnn.load(twin.cell)
    kernels = symrnn.build(cell, backend="numpy", dtype="float64")
    rng = np.random.default_rng(1)
    params = {name: rng.uniform(-1, 1, shape) for name, shape in kernels.param_shapes(INPUT, HIDDEN).items()}
    assert set(" ".join(twin.blocks.values()).split()) - {"0"} == set(params)
    assert set(twin.states) == set(cell.states)
    before = {state: rng.uniform(-1, 1, (ROWS, HIDDEN)) for state in twin.states}
    x = rng.standard_normal((STEPS, ROWS, INPUT))
    y, after = kernels.infer(params, x, before)
    theirs, final = by_package(twin, params, x, before)
    np.testing.assert_allclose(y, theirs, rtol=0, atol=1e-12)
    for state, value in final.items():
        np.testing.assert_allclose(after[state], value, rtol=0, atol=1e-12, err_msg=state)


def by_package(
    twin: Twin, params: Mapping[str, Array], x: Array, before: Mapping[str, Array]
) -> tuple[Array, Mapping[str, Array]]:
    """The output of every step and the states after the last one."""
    peer = getattr(peers, twin.peer)(INPUT, HIDDEN, dtype=torch.float64, **twin.options)
    tensors = {**dict(peer.named_parameters()), **dict(peer.named_buffers())}
    assert set(twin.blocks) <= set(tensors)
    with torch.no_grad():
        for name, tensor in tensors.items():
            blocks = [
                params[block] if block != "0" else np.zeros(HIDDEN) for block in twin.blocks.get(name, "").split()
            ]
            stacked = np.concatenate([np.atleast_1d(block) for block in blocks]) if blocks else np.zeros(tensor.shape)
            tensor.copy_(torch.from_numpy(stacked).reshape(tensor.shape))
        states = [torch.from_numpy(before[state]) for state in twin.states]
        outputs = []
        for row in torch.from_numpy(x):
            after = peer(row, states[0] if len(states) == 1 else tuple(states))
            states = [after] if len(states) == 1 else list(after)
            outputs.append(states[0].numpy())
    return np.stack(outputs), {name: state.numpy() for name, state in zip(twin.states, states, strict=True)}


def test_the_twins_are_of_most_families() -> None:
    assert {symrnn.load(twin.cell).family for twin in TWINS} >= families() - {
        "normalised",
        "memory",
        "spiking",
        "reservoir",
    }

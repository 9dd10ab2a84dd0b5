"""The bundled cells of a test: the first ones, and one of each family."""

from __future__ import annotations

from symrnn.language.bundled import about_cells, first_cells

OF_A_FAMILY = {
    "simple": "jordan",
    "gated": "brc",
    "minimal": "fastgrnn",
    "orthogonal": "lipschitz_rnn",
    "continuous": "cornn",
    "normalised": "rnn_layernorm",
    "memory": "exponential_trace",
    "linear": "qrnn_f",
    "spiking": "lif",
    "reservoir": "esn",
}
"""One cell of each family, quick and odd: a size of its own, scalars, a transpose, no matrix, a state of the input's size."""

PREPARING = ("rits",)
"""Bundled cells that prepare matrices from parameters: their step reads these in place of parameters, and tests of prepared
parameters know of it."""

SIGNS = {"coupled", "alif", "egru", "mlstm", "rate_rnn"}
"""Cells whose gradients hold the sign of a sum or of a quotient of its own argument."""
DEEP = {
    *("lstm_layernorm", "lstm_mogrifier", "lstm_ordered", "ltc", "ode_rnn", "rhn", "rits"),
    *("deltanet", "gated_deltanet", "linear_transformer"),
}
"""Cells of inner steps, of long sums in quotients or of sums of sums: their expressions outgrow the algebra."""
BEYOND_ALGEBRA = SIGNS | DEEP
"""Cells some of whose gradients are compared in many digits; algebra proves all others."""

FIRST_CELLS = first_cells()
"""The cells that commands use by default."""

SOME_CELLS = (*FIRST_CELLS, *OF_A_FAMILY.values())
"""What a test that takes a fraction of a second for a cell runs on."""


def families() -> set[str]:
    """The families that bundled cells belong to."""
    return {cell.family for cell in about_cells()}

"""The families of cells, by the words that `family` of a cell file takes.

Reads nothing and imports nothing, so that the command line knows them before SymPy is loaded. Leaves out: which cell belongs
to which (`symrnn/cells`).
"""

from __future__ import annotations

FAMILIES = {
    "simple": "simple networks",
    "gated": "gated",
    "minimal": "minimal gated",
    "orthogonal": "orthogonal and Lipschitz",
    "continuous": "continuous-time",
    "normalised": "normalised",
    "memory": "memory and attention-like",
    "linear": "state-space and linear",
    "spiking": "spiking",
    "reservoir": "reservoirs",
}
"""Family to its name for people, in the order in which lists show them."""

"""The listings of a derivation, by the names that people type after ``show --part``.

Reads nothing and imports nothing, so that the command line knows them before SymPy is loaded. Leaves out: what is in
them (`symrnn.derive.derivation`, `symrnn.plan`).
"""

from __future__ import annotations

DERIVED = ("equations", "jacobian", "adjoint", "bptt", "tape")
"""What `Derivation.text` and `Derivation.latex` take, in reading order."""
PLAN = "plan"
"""How the kernels run; plain text only."""
ALL = "all"
"""Everything, one after the other."""
PARTS = (*DERIVED, PLAN, ALL)
"""What ``show --part`` takes."""

"""What the NumPy target wants planned: a backward routine and a tangent, and no second form of the loop.

Arrays are large or calls are expensive, so hoisting always pays: one product over all steps in place of one per step.
"""

from __future__ import annotations

from symrnn.plan.policy import Policy

CHEAP = frozenset(
    {
        "abs",
        "hard_sigmoid",
        "hard_tanh",
        "leaky_relu",
        "maximum",
        "minimum",
        "positive",
        "prefer",
        "relu",
        "sign",
        "softsign",
    }
)
"""Functions of arithmetic and comparisons alone: computing one again takes no longer than storing and loading it."""

POLICY = Policy(fused=False, cheap=CHEAP)

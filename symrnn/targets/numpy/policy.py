"""What the NumPy target wants planned: a backward routine and a tangent, and no second form of the loop.

Arrays are large or calls are expensive, so hoisting always pays: one product over all steps in place of one per step.
"""

from __future__ import annotations

from symrnn.language.functions import ARITHMETIC
from symrnn.plan.policy import Policy

# Arithmetic takes no longer than to store a value and load it.
POLICY = Policy(fused=False, cheap=ARITHMETIC)

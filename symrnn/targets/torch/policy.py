"""What the PyTorch target wants planned: a backward routine, and no second form of the loop.

Every operation is a call of its own, so one product over all steps is always better than one per step. There is no
tangent: the forward function is differentiable as it is, by `torch.func.jvp` too.
"""

from __future__ import annotations

from symrnn.language.functions import ARITHMETIC
from symrnn.plan.policy import Policy

# Arithmetic takes no longer than to store a value and load it.
POLICY = Policy(tangent=False, fused=False, cheap=ARITHMETIC)

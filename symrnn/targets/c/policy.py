"""The C target's policy for the planner, and when it runs the fused loop.

Plans a backward routine and both forms of the loop; no tangent. The notes of the policy tell readers of a plan how the
kernels run it.
"""

from __future__ import annotations

from symrnn.language.functions import ARITHMETIC
from symrnn.plan.policy import Policy

TILE_FILL = (3, 4)
"""The share of the register tiles that a step's rows must fill, on average, for the linear forms of ``x`` to stay in the loop.

A tile reads its panels once for all its rows: with few rows it waits for them. If hoisted, the rows of all steps fill every
tile, but a row of sums is written and read again for each row of a step. Measured at 1 to 32 rows, for one, three and four
forms of 64 to 512 units, the two ways take the same time at 4.5 of 6 rows; one row is 1.3 to 1.5 times as fast hoisted, full
tiles are 2 to 6 % faster fused.
"""

POLICY = Policy(
    tangent=False,
    cheap=ARITHMETIC,  # a few instructions take less time than a load
    notes=(
        (
            "fused",
            "runs if a step's rows fill the register tiles, and a cache holds its weights or there are 32 rows or more; "
            "and if there is only one step",
        ),
        (
            "register tile",
            "rows and units whose sums stay in registers; filled if a step's rows take up "
            f"{TILE_FILL[0]}/{TILE_FILL[1]} of the rows of its tiles",
        ),
        (
            "threads",
            "share a step's rows if these fill tiles for each, or the loop has no product; "
            "else share the units, and meet after each stage of the loop",
        ),
    ),
)

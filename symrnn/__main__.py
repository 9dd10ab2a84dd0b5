"""``python -m symrnn``: the command line.

Reads ``sys.argv``; exits with the code of `symrnn.cli.main`. Leaves out: everything else (`symrnn.cli`).
"""

from __future__ import annotations

import sys

from symrnn.cli import main

if __name__ == "__main__":
    sys.exit(main())

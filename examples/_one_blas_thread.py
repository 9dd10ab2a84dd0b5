"""NumPy's matrix products on one thread: import this before NumPy.

Reads nothing; sets the environment variables that the usual BLAS libraries read when they load, unless they are set
already. The products of the examples take well below a millisecond. On a busy machine, a second thread waits longer for
its turn than it saves. Leaves out: the generated C kernels, which use no BLAS.
"""

from __future__ import annotations

import os

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(_variable, "1")

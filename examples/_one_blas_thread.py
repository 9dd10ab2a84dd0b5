"""NumPy's matrix products on one thread: import this before NumPy.

Reads nothing; sets the environment variables that the usual BLAS libraries look at when they load, where they are not
set already. The products of the examples take well below a millisecond; on a busy machine, a second thread costs more
in waiting for its turn than it gains. Leaves out: the generated C kernels, which know nothing of BLAS.
"""

from __future__ import annotations

import os

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(_variable, "1")

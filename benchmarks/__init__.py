"""Measurements of the generated C kernels: against other libraries, against the machine's limits, and phase by phase.

    python -m benchmarks peers                        # the whole grid; about ten minutes
    python -m benchmarks peers --cells lstm,my_cell.toml --points 100x1x32,ragged --threads 1 --quick
    python -m benchmarks peers --json results.json --plot results.png
    python -m benchmarks profile lstm 100 32 256 256  # where the time of one point goes
    python -m benchmarks stream                       # one step at a time, in C and from Python

Run from the root of the repository, after ``python -m pip install -e ".[bench]"``; a library that is not installed is left
out and named. Environment variables that steer a BLAS or OpenMP change what libraries do; they are named in the output, and
``env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python -m benchmarks peers`` runs without two of them.

Everybody is held to the same cores. "All cores" means that everybody may use all of them: our kernels are called without a
number of threads there, as a user calls them. Parameters of ``inference`` are packed once; those of ``training`` are plain
arrays, in the layout that each library has of its own, which is in its favour.

    grid          command line        → points, settings     what is measured
    problem       task                → arrays               the same numbers for everybody, from a seed
    structure     cell                → forms                its matrix products: FLOPs, bytes, what is hoisted
    hoisting      cell                → `Hoisting`           what can be computed for all steps at once
    scan          `Hoisting`          → Python text          any cell as a scan of JAX or a loop of PyTorch
    participants  task                → a call               what is timed: ours, each library's, each limit's
    worker        messages            → times                a process that holds participants, pinned to its cores
    race          calls               → times                workers in turn, one running at a time
    peers         grid                → `Record`             correctness first, then the race; ratios and limits
    report, plot  `Record`            → tables, a figure
    profile       one point           → a table              phases of the generated C file, timed in place
    stream        units               → `Streamed`           a step of one row, sizes open and fixed

Nothing here knows a cell; what other libraries call its parameters is data (``participants/layouts.toml``).
"""

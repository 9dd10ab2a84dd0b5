"""Measurements of the generated C kernels: against other libraries, against the machine's limits, and region by region.

    python -m benchmarks peers                        # the whole grid; about ten minutes
    python -m benchmarks peers --cells lstm,my_cell.toml --points 100x1x32,ragged --threads 1 --quick
    python -m benchmarks peers --json results.json --plot results.png
    python -m benchmarks custom                       # cells without a kernel elsewhere: loops and scans; most of an hour
    python -m benchmarks peers --keep                 # and replace the figures of this kind of processor in RESULTS.md
    python -m benchmarks profile lstm 100 32 256 256  # where the time of one point goes
    python -m benchmarks stream                       # one step at a time, in C and from Python

Run from the root of the repository, after ``python -m pip install -e ".[bench]"``. A library that is not installed is left
out, and the output names it. Environment variables for a BLAS or OpenMP change what libraries do. The output names
them, and ``env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python -m benchmarks peers`` runs without two of them.
``SYMRNN_MARCH=v3`` measures our kernels and the limits in the code for another processor; the peers choose for themselves.
``python -m benchmarks hold avx2 COMMAND`` runs any command as on a processor without AVX-512, ours and all peers alike: also
``hold avx2 python -m benchmarks peers --keep``, whose figures are kept as AVX2's, and ``hold avx2 python -m pytest``.

All participants run on the same cores. "All cores" means that each of them may use all: our kernels are then called without a
number of threads, as a user calls them. ``inference`` packs parameters once. ``training`` takes plain arrays, and each library
takes them in its own layout, an advantage for it.

    grid             command line        → points, settings     what is measured
    workload         task                → arrays               the same numbers for everybody, from a seed
    matrix_products  cell                → `MatrixProduct`      its FLOPs, bytes, what is hoisted
    hoisting         cell                → `Hoisting`           what can be computed for all steps at once
    scan             `Hoisting`          → Python text          any cell as a scan of JAX or a loop of PyTorch
    participants     task                → a call               a timed call: ours, a library's, a limit's
    worker           messages            → times                a process that holds participants, pinned to its cores
    race             calls               → times                workers in turn, one running at a time
    competition      task                → `Competition`        processes, and their calls compared with ours
    peers            grid                → `Record`             the race against libraries; ratios and limits
    custom           grid                → `Record`             the race against loops and scans; first calls
    markdown, plot   `Record`            → tables, a figure
    custom_tables    `Record`            → tables
    results          records             → `RESULTS.md`         the figures that are kept, by kind of processor
    profile          one point           → a table              regions of the generated C file, timed in place
    held             vectors             → an environment      narrower vectors, for all that a program loads
    streaming        units               → `Streamed`           a step of one row, sizes open and fixed

Nothing here knows a cell. The names that other libraries give to its parameters are data (``participants/fused_layers.toml``).
"""

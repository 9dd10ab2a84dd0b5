"""The vector text where registers hold more digits than memory does: functions keep their precision, branches their side.

C calls it the evaluation method: 2 is x87's, 1 that of processors with double alone, -1 one that a compiler decides from
case to case. GCC has 2 and -1 on x86-64 too, Clang 1 and 2 from 18 on.
"""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.targets.c import precision_table as table
from tests.targets.c.precision_scan import build_reference, scan
from tests.targets.c.test_vector_precision import NAMES, SHARE, STRIDE, TWO, double_finding, full_name
from tests.targets.c.vector_library import COMPILER, HERE, SPEED, write_text

pytestmark = pytest.mark.skipif(
    COMPILER is None or platform.machine().lower() not in ("x86_64", "amd64"), reason="no C compiler, or not x86-64"
)
TWICE = 2.0**-9
"""Units in the last place that rounding twice, to a register's digits and to memory's, adds at most."""


@dataclass(frozen=True)
class Method:
    """How a compiler is told an evaluation method.

    Attributes:
        compiler: its program.
        flags: for it.
        lanes: floats in a vector.
    """

    compiler: str
    flags: tuple[str, ...]
    lanes: int = 1


METHODS = {
    "x87": Method("gcc", ("-O2", "-std=gnu11", "-mfpmath=387", "-DSYMRNN_PLAIN")),
    "x87, C11": Method("gcc", ("-O2", "-std=c11", "-mfpmath=387", "-DSYMRNN_PLAIN")),
    "x87, not optimised": Method("gcc", ("-O0", "-std=gnu11", "-mfpmath=387", "-DSYMRNN_PLAIN")),
    "x87, unfused": Method("gcc", ("-O3", "-std=gnu11", "-mfpmath=387", "-DSYMRNN_PLAIN", "-ffp-contract=off")),
    "x87 or SSE2": Method("gcc", ("-O2", "-std=gnu11", "-mfpmath=both", "-DSYMRNN_PLAIN")),
    "x87 beside vectors": Method("gcc", ("-O2", "-std=c11", "-mfpmath=387", "-DSYMRNN_VECTOR_BYTES=16"), 4),
    "double": Method("clang", ("-O2", "-ffp-eval-method=double", "-DSYMRNN_PLAIN")),
    "extended": Method("clang", ("-O2", "-ffp-eval-method=extended", "-DSYMRNN_PLAIN")),
}
_PARAMETERS = [pytest.param(name, marks=[] if name == "x87" else pytest.mark.long) for name in METHODS]


def compiled(name: str, folder: Path, *arguments: str) -> None:
    """Compile in ``folder``; what this compiler does not know is skipped."""
    method = METHODS[name]
    if shutil.which(method.compiler) is None:
        pytest.skip(f"{method.compiler} is not installed")
    command = [method.compiler, *SPEED, *method.flags, f"-I{folder}", *arguments, "-lm"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if "unknown argument" in done.stderr:
        pytest.skip(f"{method.compiler} has no {method.flags[1]}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", _PARAMETERS)
def test_functions_keep_their_precision(name: str, tmp_path: Path) -> None:
    write_text(tmp_path)
    compiled(name, tmp_path, "-shared", "-fPIC", str(HERE / "vector_harness.c"), "-o", "library.so")
    reference, library = build_reference(), ctypes.CDLL(str(tmp_path / "library.so"))
    assert library.lanes_f32() == METHODS[name].lanes
    for function in (*TWO, "erfc", "round") if name == "x87" else NAMES:
        full, bound = full_name(function), table.read("f32")[function].bound
        findings = scan(reference, [library], full, STRIDE * 1021)
        for start in (0, 2**31):
            first = -(-((123 << 23) + start) // STRIDE) * STRIDE
            findings += scan(reference, [library], full, 97 * STRIDE, first, (134 << 23) + start)
        for found in findings:
            assert not found.wrong, f"{function}: NaN or sign wrong {found.wrong} times, so at {found.wrong_at!r}"
            assert found.ulp <= bound + TWICE, f"{function}: off by {found.ulp:.4f} ULP at {found.at!r}"
        found = double_finding(library, function, SHARE)
        assert found.ulp <= table.read("f64")[function].bound + TWICE, f"{function}: {found.ulp:.4f} ULP, {found.at!r}"


_BRANCHES = """
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "vector_text.h"

/* Functions of a product that registers hold in more digits than memory, against those of what memory holds: the same
   bits, beside the ends of exp's range too, where a digit decides between a number, infinity and NaN. Of two such numbers
   that memory takes for one, none is larger. */
#define SAME(name, p, real)                                                \\
    do {                                                                   \\
        real one = name(a * b), other = name(c);                           \\
        if (memcmp(&one, &other, sizeof one)) {                            \\
            printf("%s: %a * %a\\n", #name, (double)a, (double)b);         \\
            return 1;                                                      \\
        }                                                                  \\
    } while (0)
#define RUN(p, real, width, end)                                                                         \\
    static int run_##p(void)                                                                             \\
    {                                                                                                    \\
        const real middles[] = {0, 1, -1, (real)0.35, (real)1e-5, 9, -20, 3, -3, end, -end};             \\
        uint64_t state = 1;                                                                              \\
        for (int i = 0; i < 20000; ++i) {                                                                \\
            state = state * 6364136223846793005u + 1442695040888963407u;                                 \\
            volatile real a = 1 + (real)(state >> 40) / ((real)(1 << 24) * (i % 3 ? 1 : 100000));        \\
            volatile real b = middles[i % 11] / a * (1 + (real)(i % 7) * width);                         \\
            volatile real c = a * b;                                                                     \\
            SAME(f_exp_##p, p, real);                                                                    \\
            SAME(f_tanh_##p, p, real);                                                                   \\
            SAME(f_sigmoid_##p, p, real);                                                                \\
            SAME(f_log_##p, p, real);                                                                    \\
            SAME(f_hard_sigmoid_##p, p, real);                                                           \\
            SAME(f_positive_##p, p, real);                                                               \\
            if (f_prefer_##p(a * b, c) != (real)0.5 || f_prefer_##p(c, a * b) != (real)0.5) {            \\
                printf("a tie: %a * %a\\n", (double)a, (double)b);                                       \\
                return 1;                                                                                \\
            }                                                                                            \\
        }                                                                                                \\
        return 0;                                                                                        \\
    }
RUN(f32, float, FLT_EPSILON, 88.72284f)
RUN(f64, double, DBL_EPSILON, 709.782712893384)

int main(void)
{
    return run_f32() || run_f64();
}
"""


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].lanes == 1])
def test_arguments_are_what_memory_holds(name: str, tmp_path: Path) -> None:
    write_text(tmp_path)
    tmp_path.joinpath("main.c").write_text(_BRANCHES)
    compiled(name, tmp_path, "main.c", "-o", "main")
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout

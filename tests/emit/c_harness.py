"""A C program that calls every entry point of a generated library with guarded buffers, for the sanitizers.

Reads a cell and its sizes; returns C text. Each buffer has exactly the size that the queries give, guard bytes on both
sides that are compared afterwards, and begins at an address that is aligned for one number only.
"""

from __future__ import annotations

from symrnn.emit.c_interface import REALS
from symrnn.language.cell import Cell

_HEAD = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "{name}.h"

#define GUARD 64
enum {{ MOST = 256 }};
static unsigned char *blocks[MOST], *whole[MOST];
static size_t sizes[MOST], used;

static void *guarded(size_t bytes, size_t alignment)
{{
    if (used == MOST)
        exit(2);
    unsigned char *block = malloc(bytes + 2 * GUARD + alignment);
    if (!block)
        exit(2);
    memset(block, 0xa5, bytes + 2 * GUARD + alignment);
    whole[used] = block;
    blocks[used] = block + alignment;
    sizes[used++] = bytes;
    return block + alignment + GUARD;
}}

static int check_guards(void)
{{
    for (size_t i = 0; i < used; ++i)
        for (size_t j = 0; j < GUARD; ++j)
            if (blocks[i][j] != 0xa5 || blocks[i][GUARD + sizes[i] + j] != 0xa5) {{
                printf("guard bytes of buffer %zu were overwritten\\n", i);
                return 1;
            }}
    for (size_t i = 0; i < used; ++i)
        free(whole[i]);
    used = 0;
    return 0;
}}

static double next_number(void)
{{
    static unsigned long state = 12345;
    state = (state * 1103515245ul + 12345ul) & 0x7ffffffful;
    return (double)state / 2147483648.0 - 0.5;
}}

#define CALL(call)                                    \\
    do {{                                              \\
        const int status = (call);                    \\
        if (status) {{                                 \\
            printf("%s: status %d\\n", #call, status); \\
            return 1;                                 \\
        }}                                             \\
    }} while (0)
"""

_PRECISION = """
static {real} *numbers_{p}(size_t count, int random)
{{
    {real} *p = guarded(count * sizeof *p, sizeof *p);
    if (random)
        for (size_t i = 0; i < count; ++i)
            p[i] = ({real})next_number();
    return p;
}}

static int run_{p}(size_t steps, size_t rows, const size_t *lengths, int reverse)
{{
    {name}_dims dims = {{0}};
    dims.steps = steps;
    dims.rows = rows;
    dims.lengths = lengths;
    dims.reverse = reverse;
{sizes}
    size_t n;
    CALL({name}_{p}_packed_size(&dims, &n));
    {real} *packed = numbers_{p}(n, 0);
    {name}_{p}_params params;
    {name}_{p}_grads grads;
{parameters}
    CALL({name}_{p}_pack(&dims, &params, packed));
    {real} *x = numbers_{p}(steps * rows * {input}, 1), *y = numbers_{p}(steps * rows * {output}, 0);
    {real} *state = numbers_{p}(rows * ({states}), 1), *last = numbers_{p}(rows * ({states}), 0);
    CALL({name}_{p}_tape_size(&dims, &n));
    {real} *tape = numbers_{p}(n, 0);
    CALL({name}_{p}_forward_workspace_size(&dims, &n));
    CALL({name}_{p}_forward(&dims, packed, x, state, y, last, tape, numbers_{p}(n, 0)));
    CALL({name}_{p}_infer_workspace_size(&dims, &n));
    CALL({name}_{p}_infer(&dims, packed, x, NULL, y, NULL, numbers_{p}(n, 0)));
    {name}_dims one = dims;
    one.steps = 1;
    one.lengths = NULL;
    CALL({name}_{p}_infer_workspace_size(&one, &n));
    if (steps)
        CALL({name}_{p}_step(&one, packed, x, last, y, numbers_{p}(n, 0)));
    CALL({name}_{p}_backward_workspace_size(&dims, &n));
    {real} *dx = numbers_{p}(steps * rows * {input}, 0), *dstate = numbers_{p}(rows * ({states}), 0);
    CALL({name}_{p}_backward(&dims, packed, x, tape, y, state, &grads, dx, dstate, numbers_{p}(n, 0)));
    return check_guards();
}}
"""

_MAIN = """
int main(void)
{{
    const size_t ragged[] = {{0, 5, 2, 4, 1, 3, 5}};
{runs}
    return 0;
}}
"""


def harness(cell: Cell, sizes: dict[str, int]) -> str:
    """The program; it prints nothing and returns 0 where all is well.

    Args:
        cell: whose header it includes.
        sizes: the number behind every size name but 1.
    """
    numbers = {**sizes, "1": 1}
    parts = [_HEAD.format(name=cell.name)]
    for p, real in REALS.items():
        counts = {v.name: " * ".join(f"(size_t){numbers[size]}" for size in v.shape) for v in cell.parameters}
        parts.append(
            _PRECISION.format(
                name=cell.name,
                p=p,
                real=real,
                sizes="\n".join(f"    dims.{size} = {number};" for size, number in sizes.items()),
                parameters="\n".join(
                    f"    params.{n} = numbers_{p}({count}, 1);\n    grads.{n} = numbers_{p}({count}, 1);"
                    for n, count in counts.items()
                ),
                input=numbers[cell.size("x")],
                output=numbers[cell.size(cell.output)],
                states=" + ".join(str(numbers[cell.size(state)]) for state in cell.states),
            )
        )
    runs = [
        f"    if (run_{p}({steps}, {rows}, {lengths}, {reverse}))\n        return 1;"
        for p in REALS
        for steps, rows, lengths, reverse in (
            (5, 7, "ragged", 0),
            (5, 7, "ragged", 1),
            (3, 2, "NULL", 0),
            (0, 3, "NULL", 0),
            (2, 0, "NULL", 0),
        )
    ]
    parts.append(_MAIN.format(runs="\n".join(runs)))
    return "".join(parts)

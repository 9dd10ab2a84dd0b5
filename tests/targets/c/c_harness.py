"""A C program that calls every entry point of a generated library with guarded buffers, for the sanitizers.

Reads a cell and its sizes; returns C text. Each buffer has exactly the size that the queries give, guard bytes on both
sides that are compared afterwards, and begins at an address that is aligned for one number only. Every case runs in one
part and in several, each in a thread of its own; the results are compared bit by bit.
"""

from __future__ import annotations

from symrnn.language.axes import Numbers
from symrnn.language.cell import Cell
from symrnn.targets.c.interface import REALS

_HEAD = """
#include <pthread.h>
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

static unsigned long next_seed;

static double next_number(void)
{{
    next_seed = (next_seed * 1103515245ul + 12345ul) & 0x7ffffffful;
    return (double)next_seed / 2147483648.0 - 0.5;
}}

static unsigned long sum_bits(const void *from, size_t bytes)
{{
    unsigned long sum = 0;
    for (size_t i = 0; i < bytes; ++i)
        sum = sum * 31 + ((const unsigned char *)from)[i];
    return sum;
}}

#define ADD(bits, array, count) (*(bits) = *(bits) * 31 + sum_bits(array, (count) * sizeof *(array)))

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

struct call_{p} {{
    const {name}_dims *dims;
    const {real} *packed, *x, *state, *dy;
    {real} *to_pack, *copy, *y, *last, *tape, *dx, *dstate, *workspace;
    const {name}_{p}_params *params;
    const {name}_{p}_grads *grads;
    {name}_barrier *barrier;
    size_t accumulate, part, parts;
    int entry, status;
}};

static void *part_{p}(void *argument)
{{
    struct call_{p} *c = argument;
    if (c->entry == 0)
        c->status = {name}_{p}_forward(c->dims, c->packed, c->x, c->state, c->y, c->last, c->tape, c->workspace, c->part,
                                       c->parts, c->barrier);
    else if (c->entry == 1)
        c->status = {name}_{p}_infer(c->dims, c->packed, c->x, c->state, c->y, c->last, c->workspace, c->part, c->parts,
                                     c->barrier);
    else if (c->entry == 2)
        c->status = {name}_{p}_pack(c->dims, c->params, c->to_pack, c->copy, c->part, c->parts);
    else
        c->status = {name}_{p}_backward(c->dims, c->packed, c->x, c->tape, c->dy, c->last, c->grads, c->dx, c->dstate,
                                        c->workspace, c->accumulate, c->part, c->parts, c->barrier);
    return NULL;
}}

/* Every part of a call in a thread of its own. */
static int all_parts_{p}(struct call_{p} call, int entry)
{{
    struct call_{p} calls[8];
    pthread_t threads[8];
    call.entry = entry;
    for (size_t part = 0; part < call.parts; ++part) {{
        calls[part] = call;
        calls[part].part = part;
        if (part && pthread_create(&threads[part], NULL, part_{p}, &calls[part]))
            exit(2);
    }}
    part_{p}(&calls[0]);
    int status = calls[0].status;
    for (size_t part = 1; part < call.parts; ++part) {{
        pthread_join(threads[part], NULL);
        status |= calls[part].status;
    }}
    return status;
}}

/* The sum of the bits of all results, which must not depend on the number of parts. */
static int run_{p}(size_t steps, size_t rows, const size_t *lengths, int reverse, size_t parts, unsigned long *bits)
{{
    {name}_dims dims = {{0}};
    dims.steps = steps;
    dims.rows = rows;
    dims.lengths = lengths;
    dims.reverse = reverse;
{sizes}
    size_t n;
    next_seed = 12345;
    CALL({name}_{p}_packed_size(&dims, &n));
    {real} *packed = numbers_{p}(n, 0);
    {name}_{p}_params params;
    {name}_{p}_grads grads;
{parameters}
    const size_t outputs = steps * rows * {output}, inputs = steps * rows * {input}, states = rows * ({states});
    {name}_barrier barrier = {{0}};
    struct call_{p} c = {{0}};
    c.dims = &dims, c.params = &params, c.to_pack = packed, c.packed = packed, c.parts = parts;
    CALL(all_parts_{p}(c, 2));
    ADD(bits, packed, n);
    memset(packed, 0xa5, n * sizeof *packed);
    c.copy = numbers_{p}({count}, 0);
    CALL(all_parts_{p}(c, 2));
    ADD(bits, packed, n);
    const {real} *copied = c.copy;
{copies}
    c.grads = &grads, c.barrier = parts > 1 ? &barrier : NULL;
    c.accumulate = lengths != NULL;
    c.x = numbers_{p}(inputs, 1), c.state = numbers_{p}(states, 1), c.dy = numbers_{p}(outputs, 1);
    c.y = numbers_{p}(outputs, 0), c.last = numbers_{p}(states, 0);
    c.dx = numbers_{p}(inputs, 0), c.dstate = numbers_{p}(states, 0);
    CALL({name}_{p}_tape_size(&dims, &n));
    c.tape = numbers_{p}(n, 0);
    CALL({name}_{p}_forward_workspace_size(&dims, parts, &n));
    c.workspace = numbers_{p}(n, 0);
    CALL(all_parts_{p}(c, 0));
    ADD(bits, c.y, outputs);
    CALL({name}_{p}_infer_workspace_size(&dims, parts, &n));
    c.workspace = numbers_{p}(n, 0);
    CALL(all_parts_{p}(c, 1));
    ADD(bits, c.y, outputs);
    ADD(bits, c.last, states);
    CALL({name}_{p}_backward_workspace_size(&dims, parts, &n));
    c.workspace = numbers_{p}(n, 0);
    CALL(all_parts_{p}(c, 3));
    ADD(bits, c.dx, inputs);
    ADD(bits, c.dstate, states);
{sums}
    {name}_dims one = dims;
    one.steps = 1;
    one.lengths = NULL;
    CALL({name}_{p}_infer_workspace_size(&one, 1, &n));
    if (steps)
        CALL({name}_{p}_step(&one, packed, c.x, c.last, c.y, numbers_{p}(n, 0)));
    return check_guards();
}}
"""

_MAIN = """
int main(void)
{{
    const size_t ragged[] = {{0, 5, 2, 4, 1, 3, 5}};
    unsigned long one, more;
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
    numbers = Numbers({**sizes, "1": 1})
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
                sums="\n".join(f"    ADD(bits, grads.{n}, {count});" for n, count in counts.items()),
                count=" + ".join(counts.values()),
                copies="\n".join(
                    f"    if (memcmp(copied, params.{n}, {count} * sizeof *copied))\n        return 1;\n    copied += {count};"
                    for n, count in counts.items()
                ),
                states=" + ".join(str(numbers[cell.size(state)]) for state in cell.states),
            )
        )
    runs = [
        f"    one = more = 0;\n"
        f"    if (run_{p}({steps}, {rows}, {lengths}, {reverse}, 1, &one)"
        f" || run_{p}({steps}, {rows}, {lengths}, {reverse}, {several}, &more))\n        return 1;\n"
        f'    if (one != more) {{\n        printf("{p}: {several} parts differ from one\\n");\n        return 1;\n    }}'
        for p in REALS
        for steps, rows, lengths, reverse, several in (
            (5, 7, "ragged", 0, 3),
            (5, 7, "ragged", 1, 2),
            (3, 2, "NULL", 0, 2),
            (2, 19, "NULL", 0, 3),
            (3, 1, "NULL", 0, 2),
            (0, 3, "NULL", 0, 2),
            (2, 0, "NULL", 0, 2),
        )
    ]
    parts.append(_MAIN.format(runs="\n".join(runs)))
    return "".join(parts)

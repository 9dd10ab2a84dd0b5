/* The runtime of symrnn's C kernels in one precision, fourth part: a routine's arrays and stages over time, forward and
   backward, and the products that the backward pass defers to its end. Included after `symrnn_stage.h`. */

/* ---- deferred gradients: matrix products and sums over the rows of all steps, a chunk of rows at a time ---- */

/* The rows of the right side in an order, as a panel: [strip][row][vector][lane]. */
ONCE void pack_right(size_t rows, const size_t *order, const real *from, size_t stride, size_t width, real *panel)
{
    const strips all = strips_of((width + LANES - 1) / LANES);
    for (size_t strip = 0; strip < all.count; ++strip) {
        const size_t begin = strip_begins(&all, strip) * LANES, end = strip_begins(&all, strip + 1) * LANES;
        for (size_t row = 0; row < rows; ++row)
            for (size_t unit = begin; unit < end; unit += LANES) {
                storeu(panel, load(from + order[row] * stride + unit, width - unit));
                panel += LANES;
            }
    }
}

/* Columns of the left side, between begin[0], begin[1], …: [tile][row][TILE_ROWS]. A row is read once for all these tiles,
   so that each of its cache lines is fetched once. */
ONCE void pack_left(size_t rows, const size_t *order, const real *from, size_t stride, const size_t *begin,
                      size_t tiles, real *block)
{
    for (size_t row = 0; row < rows; ++row)
        for (size_t tile = 0; tile < tiles; ++tile) {
            const real *const source = from + order[row] * stride + begin[tile];
            real *const to = block + (tile * rows + row) * TILE_ROWS;
            const size_t count = begin[tile + 1] - begin[tile];
            PREFETCH(from + order[row + 8 < rows ? row + 8 : row] * stride + begin[tile]);
            if (count == TILE_ROWS)
                for (size_t i = 0; i < TILE_ROWS; i += LANES)
                    store(to + i, load(source + i, TILE_ROWS - i), TILE_ROWS - i);
            else
                for (size_t i = 0; i < count; ++i)
                    to[i] = source[i];
        }
}

/* The left side of deferred products, or a sum: an array's columns over the rows of all steps. */
typedef struct S(columns) {
    size_t array, column, width;
} S(columns);

/* The gradient of a matrix: `left` times the right side with that number. Or the gradient of a vector: the sum of `left`.
   `alone` says that nothing else adds to it. */
typedef struct S(gradient) {
    S(columns) left;
    size_t right;
    real *to;
    int alone;
} S(gradient);

/* A gradient that is a left side times a right side: the panel of the right side, its columns, and whether the gradient is
   still unwritten. */
typedef struct S(outer) {
    const real *panel;
    size_t width;
    real *gradient;
    int fresh;
} S(outer);

/* gradient[i][j] += sum over rows of left[row][i] * panel[row][j], for the rows begin[0] to begin[tiles] of the gradient. All
   tiles use a part of the panel before the next part is read: it comes from a far cache only once. */
ONCE void add_outer(size_t rows, const real *block, const size_t *begin, size_t tiles, const S(outer) *to)
{
    const strips all = strips_of((to->width + LANES - 1) / LANES);
    if (!rows) { /* all have ended, or there is no step */
        if (to->fresh)
            memset(to->gradient + begin[0] * to->width, 0, (begin[tiles] - begin[0]) * to->width * sizeof *to->gradient);
        return;
    }
    const size_t together = TILE_WIDTH(TILE_ROWS) / STRIP;
    for (size_t strip = 0; strip < all.count; strip += together) {
        const size_t stop = strip + together < all.count ? strip + together : all.count, first = strip_begins(&all, strip);
        const size_t vectors = strip_begins(&all, stop) - first, unit = first * LANES, wide = vectors * LANES;
        const size_t count = to->width - unit < wide ? to->width - unit : wide;
        const real *const panel = to->panel + unit * rows;
        for (size_t tile = 0; tile < tiles; ++tile) {
            const size_t high = begin[tile + 1] - begin[tile];
            const real *columns[TILE_ROWS];
            for (size_t i = 0; i < high; ++i)
                columns[i] = block + tile * rows * TILE_ROWS + i;
            real *const into = to->gradient + begin[tile] * to->width + unit;
            if (count == wide) {
                for (size_t i = 0; i < (tile + 1 < tiles ? TILE_ROWS : 0); ++i)
                    for (size_t j = 0; j < wide; j += LANES)
                        PREFETCH(into + (high + i) * to->width + j);
                accumulate(to->fresh, high, vectors, rows, columns, TILE_ROWS, panel, into, to->width, NULL);
                continue;
            }
            /* The last columns: the same sums in the same order, which then do not depend on how wide a panel is. */
            real sums[TILE_ROWS * TILE_COLUMNS * LANES];
            for (size_t i = 0; i < (to->fresh ? 0 : high); ++i) {
                storeu(sums + i * wide + wide - LANES, K(0));
                memcpy(sums + i * wide, into + i * to->width, count * sizeof *sums);
            }
            accumulate(to->fresh, high, vectors, rows, columns, TILE_ROWS, panel, sums, wide, NULL);
            for (size_t i = 0; i < high; ++i)
                memcpy(into + i * to->width, sums + i * wide, count * sizeof *sums);
        }
    }
}

/* The gradients of matrices with one left side; this part's rows of them. */
ONCE void add_outers(size_t rows, const size_t *order, const real *left, size_t left_stride, size_t height,
                       const S(outer) *outers, size_t count, real *block, const party *us)
{
    const size_t tiles = (height + TILE_ROWS - 1) / TILE_ROWS, stop = share(tiles, us->part + 1, us->parts);
    for (size_t tile = share(tiles, us->part, us->parts); tile < stop; tile += LEFT_TILES) {
        const size_t count_tiles = stop - tile < LEFT_TILES ? stop - tile : LEFT_TILES;
        size_t begin[LEFT_TILES + 1];
        for (size_t i = 0; i <= count_tiles; ++i)
            begin[i] = share(height, tile + i, tiles);
        pack_left(rows, order, left, left_stride, begin, count_tiles, block);
        for (size_t i = 0; i < count; ++i)
            add_outer(rows, block, begin, count_tiles, &outers[i]);
    }
}

/* gradient[j] += sum over rows of value[row][j]; if it is fresh, = instead of +=. This part's vectors of units. */
ONCE void add_rows(size_t rows, const size_t *order, const real *value, size_t stride, size_t width, real *gradient, int fresh,
                     const party *us)
{
    const size_t groups = (width + LANES - 1) / LANES, stop = share(groups, us->part + 1, us->parts);
    for (size_t group = share(groups, us->part, us->parts); group < stop; group += TILE_COLUMNS) {
        const size_t wide = stop - group < TILE_COLUMNS ? stop - group : TILE_COLUMNS;
        const real *const from = value + group * LANES;
        vec total[TILE_COLUMNS] = {0};
        for (size_t row = 0; row < rows; ++row)
            for (size_t i = 0; i < wide; ++i)
                total[i] += load(from + order[row] * stride + i * LANES, width - (group + i) * LANES);
        for (size_t i = 0; i < wide; ++i) {
            const size_t unit = (group + i) * LANES;
            const vec before = fresh ? K(0) : load(gradient + unit, width - unit);
            store(gradient + unit, before + total[i], width - unit);
        }
    }
}

/* Set this part's share of a gradient to zero: several products and sums add to it, or none does. */
ONCE void clear(real *gradient, size_t numbers, const party *us)
{
    const size_t begin = share(numbers, us->part, us->parts);
    memset(gradient + begin, 0, (share(numbers, us->part + 1, us->parts) - begin) * sizeof *gradient);
}

/* ---- a routine: its arrays, its stages, and how they run over time ---- */

/* An array that moves from step to step, and by how many numbers: from an even step, and from an odd one. */
typedef struct S(move) {
    size_t array;
    ptrdiff_t by[2];
} S(move);

typedef struct S(routine) {
    const void *dims;
    sequence seq;
    party us;
    const piece *pieces;
    const real *packed;
    size_t hoisted; /* numbers per row of what is hoisted */
    int can_fuse;   /* whether the linear forms of the input may stay in the loop */
    int far;        /* whether a step's weights come from memory: no cache holds them */
    size_t states, arrays, stages, moves;
    S(move) move[MOST_ARRAYS];
    S(array) array[MOST_ARRAYS];
    S(stage) stage[MOST_STAGES]; /* phase by phase, in order */
    size_t begin[PHASES + 1];    /* where the stages of a phase begin */
} S(routine);

ONCE void begin_routine(S(routine) *r, const void *dims, sequence seq, party us, const piece *pieces, size_t weights, size_t states,
                        int can_fuse)
{
    r->dims = dims;
    r->seq = seq;
    r->us = us;
    r->pieces = pieces;
    r->packed = NULL;
    r->states = states;
    r->hoisted = r->arrays = r->stages = 0;
    r->can_fuse = can_fuse;
    r->far = weights > FAR_BYTES / sizeof(real);
    for (size_t i = 0; i <= PHASES; ++i)
        r->begin[i] = 0;
}

ONCE void add_array(S(routine) *r, enum memory memory, enum motion motion, size_t width)
{
    r->array[r->arrays++] = (S(array)){NULL, width, 0, 0, memory, motion};
    if (motion == EACH_HOISTED)
        r->hoisted += width;
}

ONCE void add_stage(S(routine) *r, enum phase phase, S(stage) s)
{
    r->stage[r->stages++] = s;
    for (size_t i = phase + 1u; i <= PHASES; ++i)
        r->begin[i] = r->stages;
}

/* Whether each of so many parts takes rows of every step, whose stages begin in the phase `first`. */
INLINE int takes_rows(const S(routine) *r, size_t parts, enum phase first)
{
    int products = 0;
    for (size_t i = r->begin[first]; i < r->begin[LAST + 1]; ++i)
        products |= r->stage[i].operands > 0;
    return split_rows(r->seq.rows, parts, products);
}

INLINE int fuses(const S(routine) *r)
{
    return r->can_fuse && is_fused(&r->seq, r->far);
}

/* How many steps have their hoisted values computed together. */
ONCE size_t chunk_steps(const S(routine) *r)
{
    const size_t numbers = r->seq.rows * r->hoisted, steps = r->seq.steps ? r->seq.steps : 1;
    const size_t least = HOISTED_ROWS * r->hoisted < HOISTED_NUMBERS ? HOISTED_ROWS * r->hoisted : HOISTED_NUMBERS;
    const size_t together = r->far ? (size_t)FAR_STEPS * HOISTED_NUMBERS : least > NEAR_NUMBERS ? least : NEAR_NUMBERS;
    const size_t most = numbers ? together / numbers : steps;
    return fuses(r) || most < 1 ? 1 : most < steps ? most : steps;
}

/* Lay the arrays out on the tape, if there is one, and in the workspace of the forward routine (WORK) or of the backward one
   (BACK). Returns whether the counts fit. */
ONCE int lay_out(S(routine) *r, int taped, enum memory own, size_t *tape_end, size_t *work_end)
{
    const size_t chunk = own == BACK ? deferred_steps(&r->seq, r->far) : chunk_steps(r), steps = r->seq.steps;
    int fits = 1;
    *tape_end = *work_end = 0;
    for (S(array) *a = r->array; a < r->array + r->arrays; ++a) {
        const int on_tape = taped && a->memory == TAPE;
        const size_t states = on_tape ? steps + 1 : a->motion == OVER ? 1 : 2;
        const size_t kept[MOTIONS] = {1, steps, on_tape ? steps : chunk, on_tape ? steps : 1, states, 0, states};
        if (a->memory == GIVEN || (a->memory != TAPE && a->memory != own))
            continue;
        if (a->memory == BACK && a->motion == EACH_STEP)
            a->motion = EACH_HOISTED;
        if (a->motion == AFTER)
            a->offset = a[-1].offset;
        else
            fits &= take(on_tape ? tape_end : work_end, &a->offset, kept[a->motion], r->seq.rows, a->width);
        if (a->motion == OVER)
            a->motion = on_tape ? BEFORE : STAYS;
        else if (a->motion == AFTER && a[-1].motion == STAYS)
            a->motion = STAYS;
        else if (on_tape && (a->motion == EACH_HOISTED || a->motion == EACH_TAPED))
            a->motion = EACH_STEP;
        else if (a->motion == EACH_TAPED)
            a->motion = STAYS;
    }
    return fits;
}

/* Which row of rows an array shows at step t. */
INLINE size_t slot_of(const S(at) *at, const S(array) *a, size_t t)
{
    const size_t after = at->seq->reverse ? t : t + 1, before = at->seq->reverse ? t + 1 : t;
    switch (a->motion) {
    case EACH_STEP:
        return t;
    case EACH_HOISTED:
        return t - at->origin;
    case BEFORE:
        return at->taped ? before : before & 1;
    case AFTER:
        return at->taped ? after : after & 1;
    default:
        return 0;
    }
}

/* Point the arrays at the memory where they were laid out, and `at` at the routine. Its steps run in the order of time where
   `ahead` is set, else in the reverse. */
ONCE void bind(S(routine) *r, S(at) *at, int taped, enum memory own, int ahead, real *tape, real *workspace)
{
    r->array[AT_PACKED].base = (real *)r->packed;
    r->moves = 0;
    at->dims = r->dims;
    at->seq = &r->seq;
    at->pieces = r->pieces;
    at->packed = r->packed;
    at->taped = taped;
    at->fused = fuses(r);
    at->origin = at->first = 0;
    at->turned = 0;
    for (size_t i = 0; i < r->arrays; ++i) {
        S(array) *const a = &r->array[i];
        if (a->memory == TAPE || a->memory == own)
            a->base = (taped && a->memory == TAPE ? tape : workspace) + a->offset;
        a->step = r->seq.rows * a->width;
        at->to[i] = a->base;
        at->later[i] = NULL;
        at->stride[i] = a->width;
        if (a->base && a->motion != STAYS) {
            S(move) *const move = &r->move[r->moves++];
            move->array = i;
            for (size_t t = 2; t < 4; ++t)
                move->by[t & 1] = ((ptrdiff_t)slot_of(at, a, ahead ? t + 1 : t - 1) - (ptrdiff_t)slot_of(at, a, t))
                                  * (ptrdiff_t)a->step;
        }
    }
}

/* Numbers between the arrays of a tape are zero, so that the tapes of two equal calls are the same to the byte. */
INLINE void clear_tape_gaps(const S(routine) *r)
{
    for (const S(array) *a = r->array; a < r->array + r->arrays; ++a) {
        const size_t used = (r->seq.steps + (a->motion == BEFORE)) * a->step;
        if (a->memory == TAPE && a->motion != AFTER)
            memset(a->base + used, 0, (WHOLE(used) - used) * sizeof *a->base);
    }
}

/* Point every array at step t. */
INLINE void seek(S(at) *at, const S(routine) *r, size_t t)
{
    at->first = t * r->seq.rows;
    at->turned = t & 1;
    for (const S(move) *m = r->move; m < r->move + r->moves; ++m) {
        const S(array) *const a = &r->array[m->array];
        at->to[m->array] = a->base + slot_of(at, a, t) * a->step;
    }
}

/* The same, from the step before in the routine's order. */
INLINE void advance(S(at) *at, const S(routine) *r, size_t t)
{
    const int odd = at->turned;
    at->first = t * r->seq.rows;
    at->turned = t & 1;
    for (const S(move) *m = r->move; m < r->move + r->moves; ++m)
        at->to[m->array] += m->by[odd];
}

/* Copy `count` numbers from `first` on; write zeros if there is nothing to copy from. */
ONCE void copy_rows(real *to, const real *from, size_t first, size_t count)
{
    if (from)
        memmove(to + first, from + first, count * sizeof *to);
    else
        memset(to + first, 0, count * sizeof *to);
}

/* What a part does: a range of rows in every step; or a share of the units of every stage, and all parts meet after each. In
   both cases, parts share the rows of states that are copied in and out. */
typedef struct S(split) {
    int by_rows, one_row, hoists_own; /* whether it hoists what its rows need, else its share of what all rows need */
    size_t row0, row1, own0, own;
} S(split);

ONCE S(split) split_work(S(routine) *r)
{
    const size_t rows = r->seq.rows, part = r->us.part, parts = r->us.parts;
    const int by_rows = takes_rows(r, parts, LOOP), one_row = is_one_row(&r->seq);
    const size_t own0 = share(rows, part, parts), own1 = share(rows, part + 1, parts);
    for (size_t i = 0; i < r->stages; ++i) {
        find_weights(&r->stage[i], r->pieces, r->packed);
        if (!by_rows && r->begin[LOOP] <= i && i < r->begin[LAST + 1])
            share_out(&r->stage[i], one_row, part, parts);
    }
    if (by_rows)
        return (S(split)){1, one_row, parts > 1 && split_rows(rows, parts, 1), own0, own1, own0, own1 - own0};
    return (S(split)){0, one_row, 0, 0, rows, own0, own1 - own0};
}

/* A stage at the current step: one row has sums of its own, which differ in rounding. */
INLINE void run_at_once(const S(at) *at, const S(stage) *s, const S(split) *split)
{
    if (split->one_row)
        PROFILED(s->name, s->row(at, s));
    else
        PROFILED(s->name, run_stage(at, s, split->row0, split->row1));
}

/* The stages of the loop at the current step. */
INLINE void run_step(const S(at) *at, const S(routine) *r, const S(split) *split)
{
    for (const S(stage) *s = r->stage + r->begin[LOOP]; s < r->stage + r->begin[LOOP + 1]; ++s) {
        run_at_once(at, s, split);
        if (!split->by_rows)
            meet(&r->us);
    }
}

/* Run what is hoisted, for `count` steps from the origin on, at which the arrays point. */
INLINE void run_hoisted(S(at) *at, const S(routine) *r, const S(split) *split, size_t count)
{
    const S(stage) *const stages = r->stage + r->begin[HOIST], *const end = r->stage + r->begin[HOIST + 1];
    if (stages == end)
        return;
    if (split->hoists_own) {
        for (size_t t = at->origin; t < at->origin + count; ++t) {
            seek(at, r, t);
            for (const S(stage) *s = stages; s < end; ++s)
                PROFILED(s->name, run_stage(at, s, split->row0, split->row1));
        }
        return;
    }
    const size_t rows = count * r->seq.rows, begin = share(rows, r->us.part, r->us.parts);
    if (split->by_rows) /* the others may still read what was hoisted before */
        meet(&r->us);
    seek(at, r, at->origin);
    for (const S(stage) *s = stages; s < end; ++s)
        PROFILED(s->name, run_stage(at, s, begin, share(rows, r->us.part + 1, r->us.parts)));
    meet(&r->us);
}

/* Run this part's share of all steps. `tape` may be null. A null `state` means zeros, and a null `state_out` is not written. */
ONCE int run_forward(S(routine) *r, const real *x, const real *state, real *y, real *state_out, real *tape, real *workspace)
{
    const int taped = tape != NULL;
    const size_t rows = r->seq.rows, steps = r->seq.steps, last = taped ? steps : steps & 1;
    const size_t initial = r->seq.reverse ? last : 0, final = r->seq.reverse ? 0 : last;
    size_t tape_end, work_end;
    S(at) at;
    r->array[AT_X].base = (real *)x;
    r->array[AT_Y].base = y;
    if (!lay_out(r, taped, WORK, &tape_end, &work_end))
        return SYMRNN_SIZE;
    bind(r, &at, taped, WORK, !r->seq.reverse, tape, workspace);
    if (taped && !r->us.part)
        clear_tape_gaps(r);
    const S(split) split = split_work(r);
    for (size_t i = 0, start = 0; i < r->states; start += rows * r->array[AT_STATES + 2 * i++].width) {
        const S(array) *const a = &r->array[AT_STATES + 2 * i];
        copy_rows(a->base + (a->motion == STAYS ? 0 : initial) * a->step, state ? state + start : NULL, split.own0 * a->width, split.own * a->width);
    }
    if (!split.by_rows)
        meet(&r->us);
    const size_t chunk = chunk_steps(r);
    for (size_t done = 0; done < steps; done += chunk) {
        const size_t count = steps - done < chunk ? steps - done : chunk;
        at.origin = r->seq.reverse ? steps - done - count : done;
        run_hoisted(&at, r, &split, count);
        seek(&at, r, r->seq.reverse ? at.origin + count - 1 : at.origin);
        for (size_t step = 0;;) {
            run_step(&at, r, &split);
            if (++step == count)
                break;
            advance(&at, r, r->seq.reverse ? at.origin + count - 1 - step : at.origin + step);
        }
    }
    for (size_t i = 0, start = 0; state_out && i < r->states; start += rows * r->array[AT_STATES + 2 * i++].width) {
        const S(array) *const a = &r->array[AT_STATES + 2 * i];
        copy_rows(state_out + start, a->base + (a->motion == STAYS ? 0 : final) * a->step, split.own0 * a->width, split.own * a->width);
    }
    return SYMRNN_OK;
}

/* The work of one row of a step, in multiply-adds, in the first part, which has most tiles of units, or most lines. Parts share
   what is hoisted by rows. */
QUERY double part_work(const S(routine) *r, size_t parts)
{
    double work = 0;
    for (size_t i = r->begin[HOIST]; i < r->begin[HOIST + 1]; ++i)
        work += stage_work(&r->stage[i]) / (double)parts;
    for (size_t i = r->begin[LOOP]; i < r->begin[LOOP + 1]; ++i) {
        const S(stage) *const s = &r->stage[i];
        const int one_row = is_one_row(&r->seq);
        work += stage_work(s) * (double)part_begins(s, one_row, 1, parts) / (double)part_begins(s, one_row, parts, parts);
    }
    return work;
}

/* In how many parts, from 1 to `most`, a call is worth running: the other threads wait for calls, or must be woken. The
   routine's stages are those that hoist; `fused` says whether they run in the loop. */
QUERY size_t useful_parts(const S(routine) *r, size_t most, int awake, int fused)
{
    const size_t rows = r->seq.rows;
    const double row = (double)rows * MULTIPLY_NS * sizeof(real) * (fill_tiles(rows) ? 1.0 : LOW_TILES);
    const double step = row * part_work(r, 1), steps = (double)r->seq.steps;
    double states = 0, least = WORTH * step * steps;
    size_t best = 1;
    for (size_t i = 0; i < r->states; ++i)
        states += (double)r->array[AT_STATES + 2 * i].width;
    if (least <= (awake ? START_NS : WAKE_NS))
        return 1;
    for (size_t parts = 2; HAS_PARTS && parts <= most && parts <= SYMRNN_MOST_PARTS; ++parts) {
        double one = step * (double)share(rows, 1, parts) / (double)rows;
        if (!takes_rows(r, parts, fused ? HOIST : LOOP))
            one = row * part_work(r, parts) + (double)(r->begin[LOOP + 1] - r->begin[LOOP]) * MEET_NS
                  + (double)rows * states * FETCH_NS * sizeof(real);
        const double time = (awake ? START_NS : WAKE_NS) + one * steps;
        if (time < least) {
            least = time;
            best = parts;
        }
    }
    return best;
}

/* The products and sums that a call defers: right sides; gradients of matrices, those with one left side next to one another;
   gradients of vectors. */
typedef struct S(products) {
    const S(columns) *right;
    const S(gradient) *outer, *sum;
    size_t rights, outers, sums;
    int accumulate;
} S(products);

/* Reserve room for the packed sides of the deferred products after the arrays: each right side's panel, then the left side's.
   Returns whether the counts fit. */
ONCE int place_products(const S(columns) *right, size_t rights, size_t parts, size_t *panels, size_t *end)
{
    int fits = 1;
    for (size_t i = 0; i < rights; ++i)
        fits &= take(end, &panels[i], parts, panel_numbers(right[i].width, LANES), 1);
    return fits & (!rights || take(end, &panels[rights], parts, CHUNK, LEFT_TILES * TILE_ROWS));
}

/* The deferred products and sums of so many rows from the current step on, this part's share of each gradient; `first` says that
   they begin a gradient at zero. What ran last comes first: so a sequence may be cut where a chunk begins, its last piece go backward
   first, and all pieces add to one gradient, which is then the same to the bit. */
INLINE void run_products(const S(at) *at, const S(routine) *r, const S(products) *p, size_t rows, int first, real *workspace,
                         const size_t *panels)
{
    const size_t chunks = rows ? (rows - 1) / CHUNK + 1 : 1, part = r->us.part;
    for (size_t chunk = 0; chunk < chunks; ++chunk) {
        const size_t row = (r->seq.reverse ? chunk : chunks - 1 - chunk) * CHUNK;
        const int fresh = first && chunk == 0;
        size_t order[CHUNK], next;
        const size_t count = order_rows(&r->seq, at->first + row, 0, rows - row < CHUNK ? rows - row : CHUNK, order);
        real *panel[MOST_RIGHTS] = {NULL}; /* compilers see no right side in g->right */
        for (size_t i = 0; i < p->rights; ++i) {
            const S(columns) *const c = &p->right[i];
            const size_t stride = at->stride[c->array];
            panel[i] = workspace + panels[i] + part * panel_numbers(c->width, LANES);
            pack_right(count, order, at->to[c->array] + row * stride + c->column, stride, c->width, panel[i]);
        }
        for (size_t i = 0; i < p->outers; i = next) {
            const S(columns) *const c = &p->outer[i].left;
            const size_t stride = at->stride[c->array];
            S(outer) outers[MOST_RIGHTS];
            for (next = i; next < p->outers && p->outer[next].left.array == c->array && p->outer[next].left.column == c->column
                           && next - i < MOST_RIGHTS; ++next) {
                const S(gradient) *const g = &p->outer[next];
                outers[next - i] = (S(outer)){panel[g->right], p->right[g->right].width, g->to, g->alone && fresh};
            }
            add_outers(count, order, at->to[c->array] + row * stride + c->column, stride, c->width, outers, next - i,
                       workspace + panels[p->rights] + part * (CHUNK * LEFT_TILES * TILE_ROWS), &r->us);
        }
        for (const S(gradient) *g = p->sum; g < p->sum + p->sums; ++g) {
            const size_t stride = at->stride[g->left.array];
            add_rows(count, order, at->to[g->left.array] + row * stride + g->left.column, stride, g->left.width, g->to,
                     g->alone && fresh, &r->us);
        }
    }
}

/* The gradients of the initial states, at the step that went backward last. */
INLINE void run_last(S(at) *at, const S(routine) *r, const S(split) *split, real *dstate_in)
{
    const size_t carries = AT_STATES + 2 * r->states, initial = carries + r->states;
    for (size_t i = 0, start = 0; i < r->states; start += r->seq.rows * r->array[carries + i++].width)
        at->to[initial + i] = dstate_in + start;
    for (const S(stage) *s = r->stage + r->begin[LAST]; s < r->stage + r->begin[LAST + 1]; ++s)
        run_at_once(at, s, split);
}

/* The deferred stages on so many rows from the current step on, and the gradient of the input where none computes it. */
INLINE void run_deferred(const S(at) *at, const S(routine) *r, size_t rows)
{
    const size_t begin = share(rows, r->us.part, r->us.parts), end = share(rows, r->us.part + 1, r->us.parts);
    if (!GIVES_DX)
        memset(at->to[AT_DX] + begin * at->stride[AT_DX], 0, (end - begin) * at->stride[AT_DX] * sizeof(real));
    for (const S(stage) *s = r->stage + r->begin[DEFERRED]; s < r->stage + r->begin[DEFERRED + 1]; ++s)
        PROFILED(s->name, run_stage(at, s, begin, end));
    if (r->begin[DEFERRED] != r->begin[DEFERRED + 1])
        meet(&r->us);
}

/* Run this part's share of the backward pass. A null `dstate` means zeros, and a null `dstate_in` is not written. */
ONCE int run_backward(S(routine) *r, const S(products) *p, const real *x, const real *tape, const real *dy, const real *dstate,
                      real *dx, real *dstate_in, real *workspace)
{
    const size_t rows = r->seq.rows, steps = r->seq.steps, carries = AT_STATES + 2 * r->states;
    size_t tape_end, work_end, panels[MOST_RIGHTS + 1];
    S(at) at;
    r->array[AT_X].base = (real *)x;
    r->array[AT_DY].base = (real *)dy;
    r->array[AT_DX].base = dx;
    if (!lay_out(r, 1, BACK, &tape_end, &work_end) || !place_products(p->right, p->rights, r->us.parts, panels, &work_end))
        return SYMRNN_SIZE;
    bind(r, &at, 1, BACK, r->seq.reverse, (real *)tape, workspace);
    const S(split) split = split_work(r);
    for (size_t i = 0, start = 0; i < r->states; start += rows * r->array[carries + i++].width) {
        const size_t width = r->array[carries + i].width;
        copy_rows(at.to[carries + i], dstate ? dstate + start : NULL, split.own0 * width, split.own * width);
    }
    if (!split.by_rows)
        meet(&r->us);
    const size_t together = deferred_steps(&r->seq, r->far);
    size_t done = 0;
    do {
        const size_t left = steps - done, before = left ? (left - 1) / together * together : 0;
        const size_t count = !r->seq.reverse ? left - before : left < together ? left : together;
        at.origin = r->seq.reverse ? done : before;
        if (count)
            seek(&at, r, r->seq.reverse ? at.origin : at.origin + count - 1);
        for (size_t step = 0; step < count;) {
            run_step(&at, r, &split);
            for (const S(move) *m = r->move; m < r->move + r->moves; ++m)
                at.later[m->array] = at.to[m->array];
            if (++step == count)
                break;
            advance(&at, r, r->seq.reverse ? at.origin + step : at.origin + count - 1 - step);
        }
        const int first = !p->accumulate && !done;
        done += count;
        if (done == steps && dstate_in)
            run_last(&at, r, &split, dstate_in);
        meet(&r->us);
        seek(&at, r, at.origin);
        run_deferred(&at, r, count * rows);
        PROFILED("products", run_products(&at, r, p, count * rows, first, workspace, panels));
        if (done < steps) /* the others may still read what the next steps write over */
            meet(&r->us);
    } while (done < steps);
    return SYMRNN_OK;
}

/* The runtime of symrnn's C kernels in one precision, third part: stages. A stage multiplies panels of packed weights with its
   operands, in register tiles, and runs its statements on the sums: on many rows, or on one. Included after
   `symrnn_functions.h`. */

/* ---- register tiles ---- */

/* What the tiles of one panel have in common: how far apart the numbers of a row of values, the rows of its first strip and of
   its second, and the rows of sums are; how far the second strip is from the first; which of the products it adds; whether these
   are the first, so that the sums begin at zero; and what is read after them, with how many numbers of it for each product. */
typedef struct S(pace) {
    size_t a_depth, panel_row, other_row, sums_row, other, k0, depth;
    int begins;
    const real *ahead;
    size_t ahead_row;
} S(pace);

/* sums[i][j] = sums[i][j] or 0 + a[i][k] * panel[k][j] for height rows, one product or more, and width vectors of units. Sums have
   names, since compilers keep an array of them in memory. What is read later is asked for line by line: a processor holds few
   requests at once, and waits where they come in a burst. */
ALWAYS void run_tile(size_t height, size_t width, const S(pace) *pace, const real *const *a, const real *restrict panel,
                     real *sums)
{
    const size_t a_depth = pace->a_depth, panel_row = pace->panel_row, other_row = pace->other_row, sums_row = pace->sums_row;
    const size_t end = pace->depth * a_depth;
    const real *restrict other = panel + (width > STRIP ? pace->other : 0);
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)
#define EACH_COLUMN(DO, i) DO(i, 0) DO(i, 1) DO(i, 2) DO(i, 3)
#define BEGIN(i, j) vec s##i##j = K(0);
#define READ_SUM(i, j) if (i < height && j < width) s##i##j = loadu(sums + i * sums_row + j * LANES);
#define ADD(i, j) if (j < width) s##i##j = v_fma(v##i, w##j, s##i##j);
#define WRITE_SUM(i, j) if (i < height && j < width) storeu(sums + i * sums_row + j * LANES, s##i##j);
#define BEGIN_ROW(i)                                                              \
    const real *restrict const a##i = a[i < height ? i : 0] + pace->k0 * a_depth; \
    EACH_COLUMN(BEGIN, i)
#define READ_ROW(i) EACH_COLUMN(READ_SUM, i)
#define ADD_ROW(i)                   \
    if (i < height) {                \
        const vec v##i = K(a##i[k]); \
        EACH_COLUMN(ADD, i)          \
    }
#define WRITE_ROW(i) EACH_COLUMN(WRITE_SUM, i)
#define WEIGHT(j) loadu(j < STRIP ? panel + (j < width ? j : 0) * LANES : other + (j < width ? j - STRIP : 0) * LANES)
    EACH_ROW(BEGIN_ROW)
    if (!pace->begins) {
        EACH_ROW(READ_ROW)
    }
#define ADD_PRODUCT                                                           \
    const vec w0 = WEIGHT(0), w1 = WEIGHT(1), w2 = WEIGHT(2), w3 = WEIGHT(3); \
    EACH_ROW(ADD_ROW)                                                         \
    panel += panel_row;                                                       \
    other += other_row;                                                       \
    k += a_depth;
    size_t k = 0;
    if (height > TILE_ROWS / 2 && pace->ahead) {
        const real *ahead = pace->ahead;
        const size_t ahead_row = pace->ahead_row;
        do {
            PREFETCH_FAR(ahead);
            ahead += ahead_row;
            ADD_PRODUCT
        } while (k < end);
    } else
        do {
            ADD_PRODUCT
        } while (k < end);
    EACH_ROW(WRITE_ROW)
#undef ADD_PRODUCT
#undef WEIGHT
#undef WRITE_ROW
#undef ADD_ROW
#undef READ_ROW
#undef BEGIN_ROW
#undef WRITE_SUM
#undef ADD
#undef READ_SUM
#undef BEGIN
#undef EACH_COLUMN
#undef EACH_ROW
}

/* A function for each shape, since one that held them all would keep what they share in memory. DO(height, width) for each
   shape; NO(height, width) for those too wide for the registers. */
#undef EACH_SHAPE
#undef SHAPES_4
#define SHAPES_4(height, DO, ALSO) DO(height, 1) DO(height, 2) ALSO(height, 3) ALSO(height, 4)
#if WIDE_ROWS == 6
#define EACH_SHAPE(DO, NO) \
    SHAPES_4(1, DO, DO) SHAPES_4(2, DO, DO) SHAPES_4(3, DO, DO) SHAPES_4(4, DO, DO) SHAPES_4(5, DO, DO) SHAPES_4(6, DO, DO)
#elif WIDE_ROWS == 5
#define EACH_SHAPE(DO, NO) \
    SHAPES_4(1, DO, DO) SHAPES_4(2, DO, DO) SHAPES_4(3, DO, DO) SHAPES_4(4, DO, DO) SHAPES_4(5, DO, DO)
#elif TILE_ROWS == 6
#define EACH_SHAPE(DO, NO) \
    SHAPES_4(1, DO, DO) SHAPES_4(2, DO, DO) SHAPES_4(3, DO, DO) SHAPES_4(4, DO, NO) SHAPES_4(5, DO, NO) SHAPES_4(6, DO, NO)
#else
#define EACH_SHAPE(DO, NO) SHAPES_4(1, DO, DO) SHAPES_4(2, DO, DO) SHAPES_4(3, DO, DO)
#endif
#define TILE(height, width)                                                                                               \
    ONCE void S(tile_##height##_##width)(const S(pace) *pace, const real *const *a, const real *panel, real *sums)        \
    {                                                                                                                     \
        run_tile(height, width, pace, a, panel, sums);                                                                    \
    }
#define NO_TILE(height, width)
EACH_SHAPE(TILE, NO_TILE)
#undef NO_TILE
#undef TILE

/* What accumulate does, in tiles of about one height. With SPARE_LOW, they are as high as they can be; but two of five rows take
   less time than one of six and one of four. */
ONCE void accumulate_tiles(int fresh, size_t rows, size_t columns, size_t depth, const real *const *a, size_t a_depth,
                           const real *panel, real *sums, size_t sums_row, const real *next)
{
#define TILE(height, width) S(tile_##height##_##width),
#define NO_TILE(height, width) NULL,
    static void (*const tiles[])(const S(pace) *, const real *const *, const real *, real *) = {EACH_SHAPE(TILE, NO_TILE)};
#undef NO_TILE
#undef TILE
    const size_t runs = (rows + TILE_ROWS - 1) / TILE_ROWS, least = runs > 1 ? rows / runs : rows, more = rows - least * runs;
    const size_t together = TILE_WIDTH(least + (more > 0)) / STRIP, deep = runs > 1 && depth > PANEL_DEPTH ? PANEL_DEPTH : depth;
    const strips all = strips_of(columns);
    S(pace) pace = {a_depth, 0, 0, sums_row, 0, 0, depth, fresh, NULL, 0};
    for (size_t strip = 0; strip < all.count; strip += together) {
        const size_t begin = strip_begins(&all, strip), middle = strip_begins(&all, strip + 1);
        const size_t end = together > 1 && strip + 1 < all.count ? strip_begins(&all, strip + 2) : middle;
        const real *from = panel + begin * depth * LANES, *const other = panel + middle * depth * LANES;
        pace.panel_row = (middle - begin) * LANES;
        pace.other_row = (end - middle) * LANES;
        pace.k0 = 0;
        pace.begins = fresh;
        do {
            pace.depth = depth - pace.k0 < deep ? depth - pace.k0 : deep;
            pace.other = (size_t)(other + pace.k0 * pace.other_row - from);
            const size_t part = pace.depth * pace.panel_row;
            if (next) { /* each tile asks for a share of the next part */
                pace.ahead = pace.k0 + pace.depth < depth || strip + together < all.count ? from + part : next;
                pace.ahead_row = (pace.panel_row + runs - 1) / runs;
            }
            for (size_t row = 0, run = 0, height; row < rows; row += height, ++run) {
                const size_t left = rows - row;
                height = !SPARE_LOW ? least + (run < more) : left == TILE_ROWS + 4 ? 5 : left < TILE_ROWS ? left : TILE_ROWS;
                tiles[(height - 1) * TILE_COLUMNS + end - begin - 1](&pace, a + row, from, sums + row * sums_row + begin * LANES);
                if (next)
                    pace.ahead += pace.depth * pace.ahead_row;
            }
            from += part;
            pace.k0 += pace.depth;
            pace.begins = 0;
        } while (pace.k0 < depth);
    }
}

/* sums[i][j] += a[i][k] * panel[k][j] for any numbers of rows and columns, and one product or more. If they are fresh, = instead
   of +=. All rows use a part of the panel before the next part is read: it comes from a far cache only once. If it does come from
   one, `next` is the panel that is read after this one, and the tiles of a part ask for the next part. Else it is null. With
   SPARE_LOW, up to three rows that full tiles leave are a tile of their own, which is wider. */
ALWAYS void accumulate(int fresh, size_t rows, size_t columns, size_t depth, const real *const *a, size_t a_depth,
                       const real *panel, real *sums, size_t sums_row, const real *next)
{
    const size_t low = rows % TILE_ROWS, main = SPARE_LOW && rows > TILE_ROWS && low <= WIDE_ROWS ? rows - low : rows;
    accumulate_tiles(fresh, main, columns, depth, a, a_depth, panel, sums, sums_row, next);
    if (main < rows)
        accumulate_tiles(fresh, low, columns, depth, a + main, a_depth, panel, sums + main * sums_row, sums_row, NULL);
}

/* ---- what the cell's tables say, in this precision ---- */

/* A sequence of rows: where it begins; numbers in a row, and from one step's rows to the next step's; where it lies; how it
   moves. */
typedef struct S(array) {
    real *base;
    size_t width, step, offset;
    enum memory memory;
    enum motion motion;
} S(array);

/* The arrays at the current step of a routine, and what else stages read. */
typedef struct S(at) {
    const void *dims; /* the cell's sizes */
    const sequence *seq;
    const piece *pieces;
    const real *packed;
    size_t first;  /* the row of all steps' rows at which the current step begins */
    size_t origin; /* the first step of the chunk that is hoisted at a time */
    int taped, fused;
    int turned; /* whether tiles run from last to first */
    size_t stride[MOST_ARRAYS]; /* numbers from one row to the next */
    real *to[MOST_ARRAYS];
    const real *later[MOST_ARRAYS]; /* the same at the step before in this loop; null in the first */
} S(at);

/* What the statements of a stage run on: the units from `unit` to `end` of a row, of `units` in all. The sums of a vector of
   units are `wide` numbers apart; those of one tile begin `apart` numbers after those of the tile before. */
typedef struct S(span) {
    size_t row, unit, end, units, wide, apart;
    size_t line, last_line, numbers; /* of a stage along axes: from this line to that one, with so many numbers each */
    const real *sums;
    int idle;
} S(span);

/* The row of an array that the span is in. */
ALWAYS real *row_at(const S(at) *at, const S(span) *span, size_t array)
{
    return at->to[array] + span->row * at->stride[array];
}

/* STAGE(name, SIDE) begins the function of a stage's statements, which run on vectors of units one by one or SIDE by SIDE: 1 or
   2. SIDE is 2 for statements that call functions: their results take long, and two vectors do not wait for each other. In it,
   v is the index of one of the `N` vectors, `unit` is the first unit, and `count` is the number of units from it on; two
   vectors are whole. A value is an array of vectors: LET(c) = a[v] * b[v]. SUM(i) is the i-th sum. */
#define STAGE(name, side)                                                                                               \
    ALWAYS void S(name##_on)(const S(at) *at, const S(span) *span, size_t begin, size_t end, size_t N);                 \
    ALWAYS void S(name)(const S(at) *at, const S(span) *span)                                                           \
    {                                                                                                                   \
        run_vectors(S(name##_on), at, span, side);                                                                      \
    }                                                                                                                   \
    ALWAYS void S(name##_on)(const S(at) *at, const S(span) *span, size_t begin, size_t end, size_t N)
/* ON_ROW makes the function that runs a stage on a single row. The stage has `all` sums, 0 where their number varies, in tiles
   of at most `most` vectors. */
#undef ON_ROW
#define ON_ROW(name, all, most)                                                                                         \
    ONCE void S(name##_row)(const S(at) *at, const S(stage) *s)                                                         \
    {                                                                                                                   \
        run_row_with(S(name), (all) ? (all) : s->sums, (most) == 1 ? 1 : s->vectors, at, s);                            \
    }
#define EACH_VECTOR for (size_t unit = begin, count = span->units - unit; unit < end; unit += N * LANES, count -= N * LANES)
#define EACH_SUM                                                                                                        \
    const size_t wide = span->wide, skip = span->apart - wide;                                                          \
    const size_t tiles = begin == span->unit ? 0 : (begin - span->unit) / wide;                                         \
    size_t inside = begin - span->unit - tiles * wide;                                                                  \
    const real *next = span->sums + tiles * span->apart + inside, *sum[2];                                              \
    for (size_t unit = begin, count = span->units - unit; unit < end; unit += N * LANES, count -= N * LANES)            \
        for (int once = (next = next_sums(N, next, &inside, wide, skip, sum), 1); once; once = 0)
#define LET(name)        \
    vec name[2];         \
    for (size_t v = 0; v < N; ++v) name[v]
#define SUM(i) loadu(sum[v] + (i) * wide)
#define ACROSS(function, row) function((row), unit + v * LANES, span->units)
#define READ(row) load((row) + unit + v * LANES, N > 1 ? LANES : count)
#define WRITE(row, value)               \
    for (size_t v = 0; v < N; ++v)      \
    store((row) + unit + v * LANES, value, N > 1 ? LANES : count)

/* Where N lines begin. */
ALWAYS void starts_of(size_t N, size_t line, size_t apart, size_t *starts)
{
    for (size_t v = 0; v < N; ++v)
        starts[v] = (line + v) * apart;
}

/* STAGE_ALONG begins the function of a stage along axes. It runs line by line: a line has the numbers of the last axis, `apart`
   many. N lines run at a time, `most` where there are as many; v is the index of one. LETS(c) is LET for each of them, IN_LINES
   the same for what holds in a whole line. */
#define STAGE_ALONG(name, most)                                                                                         \
    ALWAYS void S(name##_on)(const S(at) *at, const S(span) *span, size_t begin, size_t end, size_t N, size_t fixed);   \
    ALWAYS void S(name)(const S(at) *at, const S(span) *span)                                                           \
    {                                                                                                                   \
        run_lines(S(name##_on), at, span, most);                                                                        \
    }                                                                                                                   \
    ALWAYS void S(name##_on)(const S(at) *at, const S(span) *span, size_t begin, size_t end, size_t N, size_t fixed)
#undef ON_ROW_ALONG
#define ON_ROW_ALONG(name)                                                                                              \
    ONCE void S(name##_row)(const S(at) *at, const S(stage) *s)                                                         \
    {                                                                                                                   \
        const S(span) span = {.units = s->units, .line = s->line, .last_line = s->last_line, .numbers = s->numbers};    \
        if (s->line < s->last_line)                                                                                     \
            S(name)(at, &span);                                                                                         \
    }
#define EACH_LINE(numbers)                                                       \
    for (size_t line = begin, apart = fixed ? fixed : (numbers), starts[4]; line < end; line += N) \
        for (int once = ((void)span, starts_of(N, line, apart, starts), 1); once; once = 0)
/* The vectors of a line: whole ones, and what is left, in a copy of the loop where the count of lanes is known. */
#define EACH_OF_LINE                                                                                    \
    UNROLL_2 for (int tail = 0; tail < 2; ++tail)                                                       \
        for (size_t whole = apart / LANES * LANES, column = tail ? whole : 0, stop = tail ? apart : whole, \
                    count = tail ? apart - whole : LANES;                                               \
             column < stop; column += LANES)
#define LETS(name)    \
    vec name[4];      \
    for (size_t v = 0; v < N; ++v) name[v]
#define IN_LINES(type, name) \
    type name[4];            \
    for (size_t v = 0; v < N; ++v) name[v]
#define OF_LINE(row) load((row) + column, count)
#define READ_LINE(row) load((row) + (starts[v] + column), count)
#define WRITE_LINE(row, value)          \
    for (size_t v = 0; v < N; ++v)      \
    store((row) + (starts[v] + column), value, count)
/* Totals of lines with one more vector each; lanes beyond a line keep what they have. */
#define TAKE(join, total, value)   \
    for (size_t v = 0; v < N; ++v) \
    total[v] = count >= LANES ? join(total[v], value) : first_of(join(total[v], value), count, total[v])

/* Say where the sums of the next N vectors are. Returns where those after them are. */
ALWAYS const real *next_sums(size_t n, const real *next, size_t *inside, size_t wide, size_t skip, const real **sum)
{
    for (size_t v = 0; v < n; ++v) {
        sum[v] = next;
        next += LANES;
        *inside += LANES;
        if (*inside == wide) {
            *inside = 0;
            next += skip;
        }
    }
    return next;
}

/* The statements of a stage on a span, and on N vectors at a time of part of it. */
typedef void S(statements)(const S(at) *at, const S(span) *span);
typedef void S(vectors)(const S(at) *at, const S(span) *span, size_t begin, size_t end, size_t N);

ALWAYS void run_vectors(S(vectors) *run, const S(at) *at, const S(span) *span, size_t side)
{
    const size_t whole = span->end < span->units ? span->end : span->units / LANES * LANES;
    const size_t middle = side == 2 ? span->unit + (whole - span->unit) / (2 * LANES) * (2 * LANES) : span->unit;
    if (side == 2 && span->unit < middle)
        run(at, span, span->unit, middle, 2);
    if (middle < span->end)
        run(at, span, middle, span->end, 1);
}

/* The statements of a stage along axes, on N lines at a time; a line has `fixed` numbers, unless that is 0. */
typedef void S(lines)(const S(at) *at, const S(span) *span, size_t begin, size_t end, size_t N, size_t fixed);

ALWAYS void run_lines(S(lines) *run, const S(at) *at, const S(span) *span, size_t most)
{
    const size_t whole = span->line + (span->last_line - span->line) / most * most;
    if (span->line < whole) {
        switch (most == 4 ? span->numbers : 0) {
        case LANES: run(at, span, span->line, whole, most, LANES); break;
        case 2 * LANES: run(at, span, span->line, whole, most, 2 * LANES); break;
        case 4 * LANES: run(at, span, span->line, whole, most, 4 * LANES); break;
        default: run(at, span, span->line, whole, most, 0);
        }
    }
    if (whole < span->last_line)
        run(at, span, whole, span->last_line, 1, 0);
}

/* Values side by side that feed the sums from `first` on, `count` of them, with a panel of packed weights. */
typedef struct S(operand) {
    size_t array, block, column, depth, panel, first, count; /* `block`: of packed weights, where the operand is one of them */
    int later; /* of the step before in this loop */
    int adds;  /* whether an operand before it feeds one of its sums */
    /* Once weights are there: */
    const real *weights; /* the panel of the first tile */
    size_t tile;         /* numbers from one tile to the next */
    size_t from;         /* where the values begin in their row */
} S(operand);

typedef struct S(stage) S(stage);
/* A stage on a single row: this part's tiles. */
typedef void S(on_row)(const S(at) *at, const S(stage) *s);
struct S(stage) {
    const char *name;
    S(statements) *run;
    S(on_row) *row;
    size_t units, sums, vectors, tiles; /* vectors of units in a tile; tiles of all units */
    size_t begin, end;                  /* this part's tiles */
    int masked;                         /* whether rows that have ended are treated differently */
    int later;                          /* whether it reads the step before in this loop */
    int far;                            /* whether its weights come from a far cache */
    size_t lines, numbers, group;       /* of a stage along axes; numbers in a line; parts get lines in such groups */
    size_t line, last_line;             /* this part's lines */
    size_t work;                        /* of the statements on a unit, in multiply-adds */
    size_t depth, filled;               /* of all operands; the sums that some operand feeds */
    size_t operands;
    S(operand) operand[MOST_OPERANDS];
};

ONCE void run_row(const S(at) *at, const S(stage) *s);
ONCE void run_units(const S(at) *at, const S(stage) *s);

/* A stage of tiles of `most` vectors of units at most. Its tiles are counted here, once for all steps, since divisions take
   long. Its statements take as long on a unit as so much `work`, in multiply-adds. */
ALWAYS S(stage) new_stage(const char *name, S(statements) *run, size_t units, size_t sums, size_t most, int masked, size_t work)
{
    S(stage) s;
    s.name = name;
    s.run = run;
    s.row = sums ? S(run_row) : S(run_units);
    s.units = units;
    s.sums = sums;
    s.vectors = fit_vectors(units, LANES, most);
    s.tiles = most == 1 ? (units + LANES - 1) / LANES : (units + s.vectors * LANES - 1) / (s.vectors * LANES);
    s.begin = 0;
    s.end = s.tiles;
    s.masked = masked;
    s.work = work;
    s.later = s.far = 0;
    s.depth = s.filled = s.operands = s.lines = s.numbers = s.group = s.line = s.last_line = 0;
    return s;
}

/* Add an operand; where operands before it filled its sums already, it adds to them. */
ALWAYS void add_packed(S(stage) *s, size_t block, size_t column, size_t depth, size_t panel, size_t first, size_t count,
                       int later)
{
    S(operand) *const o = &s->operand[s->operands];
    o->array = AT_PACKED;
    o->block = block;
    o->column = column;
    o->depth = depth;
    o->panel = panel;
    o->first = first;
    o->count = count;
    o->later = later;
    o->adds = 0;
    for (size_t i = 0; i < s->operands; ++i)
        o->adds |= s->operand[i].first < first + count && first < s->operand[i].first + s->operand[i].count;
    s->later |= later;
    s->depth += depth;
    s->filled += o->adds ? 0 : count;
    ++s->operands;
}

ALWAYS void add_operand(S(stage) *s, size_t array, size_t column, size_t depth, size_t panel, size_t first, size_t count,
                        int later)
{
    add_packed(s, 0, column, depth, panel, first, count, later);
    s->operand[s->operands - 1].array = array;
}

/* Say where the operands of a stage lie, now that its weights are known. */
ALWAYS void find_weights(S(stage) *s, const piece *pieces, const real *packed)
{
    size_t numbers = 0;
    for (S(operand) *o = s->operand; o < s->operand + s->operands; ++o) {
        o->weights = packed + pieces[o->panel].at;
        o->tile = o->depth * o->count * s->vectors * LANES;
        o->from = o->column + (o->array == AT_PACKED ? pieces[o->block].at : 0);
        numbers += o->tile * s->tiles;
    }
    s->far = READS_AHEAD && numbers > AHEAD_BYTES / sizeof(real);
}

/* Make it a stage along axes. Parts share its lines, so many together; all of them, which is 0, where a reduction joins them. */
ALWAYS void set_lines(S(stage) *s, size_t lines, size_t group)
{
    s->lines = s->last_line = lines;
    s->numbers = lines ? s->units / lines : 0;
    s->group = group ? group : lines;
}

/* Where a part's tiles begin, or its groups of lines. Two tiles of a single row are for one part. */
ALWAYS size_t part_begins(const S(stage) *s, int one_row, size_t part, size_t parts)
{
    if (s->group)
        return share((s->lines + s->group - 1) / s->group, part, parts);
    if (one_row && s->tiles == 2)
        return part ? s->tiles : 0;
    return share_tiles(s->tiles, s->vectors, part, parts);
}

/* Give a part its tiles or lines. */
ALWAYS void share_out(S(stage) *s, int one_row, size_t part, size_t parts)
{
    const size_t begin = part_begins(s, one_row, part, parts), end = part_begins(s, one_row, part + 1, parts);
    if (!s->group) {
        s->begin = begin;
        s->end = end;
        return;
    }
    const size_t line = begin * s->group, last = end * s->group;
    s->line = line < s->lines ? line : s->lines; /* the last group may be cut short, and parts may be more than groups */
    s->last_line = last < s->lines ? last : s->lines;
}

/* The first row of an operand at the current step. Null if it is of the step before, and there is none. */
ALWAYS const real *operand_row(const S(at) *at, const S(operand) *o)
{
    const real *const rows = o->later ? at->later[o->array] : at->to[o->array];
    return rows ? rows + o->from : NULL;
}

/* The work of one row of a stage, in multiply-adds. */
QUERY double stage_work(const S(stage) *s)
{
    double work = (double)s->units * (double)s->work;
    for (size_t i = 0; i < s->operands; ++i)
        work += (double)s->operand[i].count * (double)s->units * (double)s->operand[i].depth;
    return work;
}

/* ---- packed weights ---- */

/* Reserve room for a vector of numbers, or for a panel: [tile][strip][depth][vector][lane], rounded up to whole tiles. That is the
   order in which a register tile reads it. The vectors of a tile are those of each accumulator in turn; on no processor has it
   more than `most` vectors of units. Returns whether the count fits. */
ALWAYS int place_vector(size_t *end, piece *to, size_t numbers)
{
    const int fits = take(end, &to->at, numbers, 1, 1);
    to->end = *end;
    to->units = numbers;
    to->vectors = 0;
    return fits;
}

ALWAYS int place_panel(size_t *end, piece *to, size_t units, size_t vectors, size_t most, size_t depth, size_t count)
{
    const int fits = take(end, &to->at, (units - 1) / LANES + most, depth, count * LANES);
    to->end = *end;
    to->units = units;
    to->vectors = vectors;
    to->depth = depth;
    to->count = count;
    return fits;
}

/* Numbers that the tag takes: of a digest, the layout, and so many sizes. */
#define TAG_NUMBERS(sizes) WHOLE((TAG_WORDS + (sizes)) * (64 / REAL))
#define TAG_LAYOUT ((uint64_t)sizeof(real) << 32 | STRIP << 16 | LANES)

/* Numbers between the pieces are zero, so that packed weights of the same parameters are the same to the byte. */
INLINE void clear_pack_gaps(real *packed, const piece *b, size_t pieces, size_t sizes)
{
    size_t used = (TAG_WORDS + sizes) * (64 / REAL);
    memset(packed + used, 0, (TAG_NUMBERS(sizes) - used) * sizeof *packed);
    for (const piece *each = b; each < b + pieces; ++each) {
        used = each->units;
        if (each->vectors) {
            const size_t vectors = fit_vectors(each->units, LANES, each->vectors), groups = (each->units - 1) / LANES;
            used = (groups / vectors + 1) * vectors * each->depth * each->count * LANES;
        }
        memset(packed + each->at + used, 0, (each->end - each->at - used) * sizeof *packed);
    }
}

/* Packed weights begin with a tag. By it, a build recognises weights that it can read. */
ONCE void put_tag(real *packed, const char *digest, const size_t *sizes, size_t count)
{
    put_word(packed, 0, word_at(digest, 0));
    put_word(packed, 1, word_at(digest, 1));
    put_word(packed, 2, TAG_LAYOUT); /* bytes of a number, vectors in a strip, numbers in a vector */
    for (size_t i = 0; i < count; ++i)
        put_word(packed, TAG_WORDS + i, sizes[i]);
}

ALWAYS int check_tag(const real *packed, const char *digest, const size_t *sizes, size_t count)
{
    int same = word_at(packed, 0) == word_at(digest, 0) && word_at(packed, 1) == word_at(digest, 1)
               && word_at(packed, 2) == TAG_LAYOUT;
    for (size_t i = 0; i < count; ++i)
        same = same && word_at(packed, TAG_WORDS + i) == sizes[i];
    return same ? SYMRNN_OK : SYMRNN_LAYOUT;
}

/* Where a matrix is laid out in a panel: as one accumulator, from a depth on. */
typedef struct S(form) {
    real *to[TILE_COLUMNS];    /* each vector of units of the first tile, at that depth */
    size_t row[TILE_COLUMNS];  /* numbers from one depth to the next in the strip of that vector */
    size_t vectors, tile;      /* vectors of units in a tile; numbers from one tile to the next */
    int transposed;            /* whether units are columns of the matrix, and depths its rows */
} S(form);

INLINE S(form) form_in(real *packed, const piece *b, size_t accumulator, size_t start, int transposed)
{
    S(form) f = {.vectors = fit_vectors(b->units, LANES, b->vectors), .transposed = transposed};
    const strips all = strips_of(b->count * f.vectors);
    size_t strip = 0;
    f.tile = b->depth * b->count * f.vectors * LANES;
    for (size_t i = 0; i < f.vectors; ++i) {
        const size_t column = accumulator * f.vectors + i;
        while (strip_begins(&all, strip + 1) <= column)
            ++strip;
        const size_t begin = strip_begins(&all, strip);
        f.row[i] = (strip_begins(&all, strip + 1) - begin) * LANES;
        f.to[i] = packed + b->at + begin * b->depth * LANES + start * f.row[i] + (column - begin) * LANES;
    }
    return f;
}

/* Lay out a vector of `count` units at some depths, or add it to what is there; lanes beyond the units are zero. */
ALWAYS void pack_units(real *to, size_t row, const real *from, size_t unit_stride, size_t depth_stride, size_t count,
                       size_t depths, int add)
{
    size_t k = 0;
#if BYTES >= 32
    if (count >= LANES && !add && depth_stride == 1)
        for (; k + LANES <= depths; k += LANES) {
            transpose(to, row, from, unit_stride);
            to += row * LANES;
            from += LANES;
        }
#endif
    for (; k < depths; ++k) {
        if (count >= LANES && !add && unit_stride == 1)
            storeu(to, loadu(from));
        else if (count >= LANES && !add)
            for (size_t i = 0; i < LANES; ++i)
                to[i] = from[i * unit_stride];
        else
            for (size_t i = 0; i < LANES; ++i)
                to[i] = (i < count ? from[i * unit_stride] : 0) + (add ? to[i] : 0);
        to += row;
        from += depth_stride;
    }
}

/* The columns of a block that is read while it is in the nearest cache: at most LANES rows, and so many columns. */
#define PACK_COLUMNS 64

/* Lay a block of a matrix out in a panel. Its first row and its first column are multiples of LANES. */
INLINE void pack_block(const S(form) *f, const real *from, size_t stride, size_t row, size_t height, size_t column, size_t width)
{
    const size_t group = (f->transposed ? column : row) / LANES;
    size_t tile = group / f->vectors * f->tile, vector = group % f->vectors;
    if (!f->transposed) {
        pack_units(f->to[vector] + tile + column * f->row[vector], f->row[vector], from, stride, 1, height, width, 0);
        return;
    }
    for (size_t i = 0; i < width; i += LANES) {
        pack_units(f->to[vector] + tile + row * f->row[vector], f->row[vector], from + i, 1, stride, width - i, height, 0);
        if (++vector == f->vectors) {
            vector = 0;
            tile += f->tile;
        }
    }
}

/* Lay a matrix out in all its panels, and copy it to *copy unless that is null, which then moves behind it. The matrix is read
   once: each block goes to all places in turn. A part takes rows of the matrix, so no two write the same numbers. */
ONCE void pack_matrix(const real *matrix, size_t rows, size_t columns, size_t count, const S(form) *forms, real **copy,
                      const party *us)
{
    real *const copied = *copy;
    const size_t groups = (rows + LANES - 1) / LANES, end = share(groups, us->part + 1, us->parts) * LANES;
    for (size_t row = share(groups, us->part, us->parts) * LANES; row < end; row += LANES) {
        const size_t height = rows - row < LANES ? rows - row : LANES;
        const real *const from = matrix + row * columns;
        if (copied)
            memcpy(copied + row * columns, from, height * columns * sizeof *from);
        for (size_t column = 0; column < columns; column += PACK_COLUMNS) {
            const size_t width = columns - column < PACK_COLUMNS ? columns - column : PACK_COLUMNS;
            for (size_t i = 0; i < count; ++i)
                pack_block(&forms[i], from + column, columns, row, height, column, width);
        }
    }
    /* The last tile may have vectors beyond the units: they are zero. */
    for (size_t i = 0; i < count && us->part == 0; ++i) {
        const S(form) *const f = &forms[i];
        const size_t units = f->transposed ? columns : rows, depths = f->transposed ? rows : columns;
        const size_t used = (units + LANES - 1) / LANES, tile = used / f->vectors * f->tile;
        for (size_t vector = used % f->vectors; vector && vector < f->vectors; ++vector)
            for (size_t k = 0; k < depths; ++k)
                storeu(f->to[vector] + tile + k * f->row[vector], (vec){0});
    }
    if (copied)
        *copy = copied + rows * columns;
}

/* Lay a matrix out, or add it, where several share a place in a panel: they meet there in their order, each part with its tiles
   alone. */
ONCE void pack_shared(const real *matrix, const piece *b, S(form) f, size_t depths, size_t columns, int add,
                      const party *us)
{
    const size_t unit_stride = f.transposed ? 1 : columns, depth_stride = f.transposed ? columns : 1;
    const size_t groups = (b->units + LANES - 1) / LANES, tiles = (groups + f.vectors - 1) / f.vectors;
    const size_t end = share(tiles, us->part + 1, us->parts) * f.vectors;
    for (size_t group = share(tiles, us->part, us->parts) * f.vectors; group < end; ++group) {
        const size_t unit = group * LANES, count = unit < b->units ? b->units - unit : 0;
        const real *const from = matrix + (count ? unit * unit_stride : 0);
        real *const to = f.to[group % f.vectors] + group / f.vectors * f.tile;
        pack_units(to, f.row[group % f.vectors], from, unit_stride, depth_stride, count, depths, add);
    }
}

/* Pack a vector of parameters; it is copied as a matrix is. */
INLINE void pack_vector(real *packed, const piece *b, const real *vector, size_t count, real **copy, const party *us)
{
    if (us->part == 0)
        memcpy(packed + b->at, vector, count * sizeof *packed);
    if (!*copy)
        return;
    if (us->part == 0)
        memcpy(*copy, vector, count * sizeof *packed);
    *copy += count;
}

/* ---- a stage on several rows ---- */

/* The panel that is read after that of an operand and a tile, where weights come from a far cache; else null. */
ALWAYS const real *panel_after(const S(at) *at, const S(stage) *s, const S(operand) *o, size_t tile)
{
    if (!s->far)
        return NULL;
    if (o + 1 < s->operand + s->operands)
        return o[1].weights + tile * o[1].tile;
    const size_t after = at->turned ? tile > s->begin ? tile - 1 : s->end - 1 : tile + 1 < s->end ? tile + 1 : s->begin;
    return s->operand->weights + after * s->operand->tile;
}

/* For a tile of rows and units, accumulate the linear forms, then run the statements on the sums; this part's share of the
   tiles. */
ONCE void run_stage(const S(at) *at, const S(stage) *s, size_t row_begin, size_t row_end)
{
    const sequence *const seq = at->seq;
    const size_t units = s->units, vectors = s->vectors, wide = vectors * LANES, columns = s->sums * vectors;
    /* A row that ends here still needs the sums over the step before in this loop, where it had not ended. */
    const size_t first = !s->masked ? NOT_MASKED : at->first - (s->later && seq->reverse && at->first ? seq->rows : 0);
    const size_t blocks = count_blocks(row_end - row_begin, s->depth);
    for (size_t block = 0; block < blocks; ++block) {
        const size_t from = row_begin + share(row_end - row_begin, block, blocks);
        const size_t rows = row_begin + share(row_end - row_begin, block + 1, blocks) - from;
        size_t order[BLOCK_ROWS];
        const size_t active = order_rows(seq, first, from, rows, order), groups = (rows + GROUP_ROWS - 1) / GROUP_ROWS;
        /* Run several tiles before their statements, so that statements of one unit do not wait for those of another. */
        const size_t together = SUM_ROWS / ((rows + groups - 1) / groups) / 2 * 2;
        const size_t passes = (s->end - s->begin + together - 1) / together;
        for (size_t pass = 0; pass < passes; ++pass) {
            /* Every other step runs the tiles from last to first: the panels that are still in a cache come first. */
            const size_t tile0 = s->begin + (at->turned ? passes - 1 - pass : pass) * together;
            const size_t tile1 = s->end - tile0 < together ? s->end : tile0 + together;
            for (size_t group = 0; group < groups; ++group) {
                const size_t row0 = share(rows, group, groups), height = share(rows, group + 1, groups) - row0;
                const size_t running = active <= row0 ? 0 : active - row0 < height ? active - row0 : height;
                const size_t apart = height * columns * LANES;
                _Alignas(64) real sums[SUM_ROWS * MOST_SUMS * LANES];
                /* Sums of rows that have ended, or to which each operand adds: zero. */
                if (s->filled < s->sums || s->later || running < height)
                    for (size_t i = 0; i < (tile1 - tile0) * height * columns; ++i)
                        storeu(sums + i * LANES, K(0));
                for (size_t i = running ? tile0 : tile1; i < tile1; ++i) {
                    const size_t tile = at->turned ? tile0 + tile1 - 1 - i : i;
                    for (const S(operand) *o = s->operand; o < s->operand + s->operands; ++o) {
                        const real *const source = operand_row(at, o), *lines[GROUP_ROWS];
                        const size_t stride = at->stride[o->array];
                        if (!source)
                            continue;
                        for (size_t line = 0; line < running; ++line)
                            lines[line] = source + order[row0 + line] * stride;
                        accumulate(!o->adds && !o->later, running, o->count * vectors, o->depth, lines, 1,
                                   o->weights + tile * o->tile, sums + (tile - tile0) * apart + o->first * wide,
                                   columns * LANES, panel_after(at, s, o, tile));
                    }
                }
                const size_t end = tile1 * wide < units ? tile1 * wide : units;
                S(span) span = {.units = units, .unit = tile0 * wide, .end = end, .wide = wide, .apart = apart};
                span.line = s->line;
                span.last_line = s->last_line;
                span.numbers = s->numbers;
                for (size_t line = 0; line < height; ++line) {
                    span.row = order[row0 + line];
                    span.idle = s->masked && seq->lengths && idle_row(seq, at->first + span.row);
                    span.sums = sums + line * columns * LANES;
                    s->run(at, &span);
                }
            }
        }
    }
}

/* Run a stage that depends on parameters alone. It has one row. */
INLINE void run_once(const S(at) *at, S(stage) s)
{
    find_weights(&s, at->pieces, at->packed);
    run_stage(at, &s, 0, 1);
}

/* ---- a stage on one row ---- */

/* Into how many sums the depth of each form is split, given how many sums there are. Enough multiply-adds must be under way:
   processors run up to two of them at a time, each for four cycles. */
#undef SPLITS
#define SPLITS(sums) ((sums) < 8 ? 8 / (sums) : 1)
/* How many tiles of sums a row keeps before its statements run on them, so that statements of one vector do not wait for
   another's. */
#define ROW_TILES 8

/* Where the sums of a row come from and go to: `count` times, one strip, or two that share what is broadcast. They are two of a
   tile, or the same one of two tiles. In numbers, `other` and `other_sums` is how far the second is from the first, `step` and
   `sums_step` how far each time is from the one before. */
typedef struct S(walk) {
    size_t count, other, step, other_sums, sums_step;
} S(walk);

/* Sums of a strip of `first` vectors, and of another of `second`, over `depth` values. Where there are few, each is kept several
   times, for a share of the depth: it would wait for itself. Sums have names in the loops, since compilers keep an array of them
   in memory. */
ALWAYS void run_strips(size_t first, size_t second, size_t splits, const S(walk) *w, int adds, const real *a, size_t depth,
                       const real *panel, real *sums)
{
    const size_t all = first + second;
    const real *other = panel + w->other; /* offsets from one pointer would each want a register */
    real *const other_sums = sums + w->other_sums;
    size_t k = 0;
#define EACH_OF_8(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define SUM_AT(i) ((i) < first ? sums + (i) * LANES : other_sums + ((i) - first) * LANES)
#define BEGIN(i) vec s##i = adds && i < all ? loadu(SUM_AT(i)) : K(0);
#define ADD(i, number)                                                                                              \
    if (i < (number)) {                                                                                             \
        s##i = v_fma(K(a[k + i / all]),                                                                             \
                     loadu(i % all < first ? panel + i % all * LANES : other + (i % all - first) * LANES), s##i);   \
        if (i % all == all - 1) {                                                                                   \
            panel += first * LANES;                                                                                 \
            other += second * LANES;                                                                                \
        }                                                                                                           \
    }
#define ADD_SPLITS(i) ADD(i, splits * all)
#define ADD_REST(i) ADD(i, all)
    EACH_OF_8(BEGIN)
    for (; k + splits <= depth; k += splits) {
        EACH_OF_8(ADD_SPLITS)
    }
    for (; splits > 1 && k < depth; ++k) {
        EACH_OF_8(ADD_REST)
    }
    vec s[8] = {s0, s1, s2, s3, s4, s5, s6, s7};
    for (size_t i = splits * all - 1; i >= all; --i)
        s[i - all] += s[i];
    for (size_t i = 0; i < all; ++i)
        storeu(SUM_AT(i), s[i]);
#undef ADD_REST
#undef ADD_SPLITS
#undef ADD
#undef BEGIN
#undef SUM_AT
#undef EACH_OF_8
}

/* The same for one operand of a row, all the times. Before the first step of the loop, an operand of the step before has no depth:
   its sums are zero. */
typedef void S(sum_strips)(const S(at) *at, const S(operand) *o, const S(walk) *w, const real *panel, real *sums);
#undef SUM_STRIPS
#define SUM_STRIPS(first, second)                                                                                   \
    ONCE void S(sum_strips_##first##_##second)(const S(at) *at, const S(operand) *o, const S(walk) *w,              \
                                               const real *panel, real *sums)                                       \
    {                                                                                                               \
        const real *const a = operand_row(at, o);                                                                   \
        const ptrdiff_t turn = at->turned ? -1 : 1;                                                                 \
        panel += at->turned ? (w->count - 1) * w->step : 0;                                                         \
        sums += at->turned ? (w->count - 1) * w->sums_step : 0;                                                     \
        for (size_t i = 0; i < w->count; ++i) {                                                                     \
            run_strips(first, second, SPLITS(first + second), w, o->adds, a, a ? o->depth : 0, panel, sums);        \
            panel += turn * (ptrdiff_t)w->step;                                                                     \
            sums += turn * (ptrdiff_t)w->sums_step;                                                                 \
        }                                                                                                           \
    }
#undef EACH_PAIR
#if STRIP == 2
#define EACH_PAIR(DO) DO(1, 0) DO(2, 0) DO(1, 1) DO(2, 1) DO(2, 2)
#else
#define EACH_PAIR(DO) DO(1, 0) DO(2, 0) DO(3, 0) DO(4, 0) DO(1, 1) DO(2, 2) DO(3, 3) DO(4, 4)
#endif
EACH_PAIR(SUM_STRIPS)

/* The sums of the tiles from `tile0` on, `tiles` of them: one operand after the other, strip by strip. If a stage has two
   tiles, the same strip of both runs at once; else two narrow strips of each tile do. */
ALWAYS void sum_row(size_t all, size_t vectors, const S(at) *at, const S(stage) *s, size_t tile0, size_t tiles, real *sums)
{
#define PAIR(first, second) [first - 1][second] = S(sum_strips_##first##_##second),
    static S(sum_strips) *const pairs[STRIP][STRIP + 1] = {EACH_PAIR(PAIR)};
#undef PAIR
    const size_t wide = vectors * LANES, apart = all * wide;
    if (s->filled < all)
        for (size_t i = 0; i < tiles * all * vectors; ++i)
            storeu(sums + i * LANES, K(0));
    for (const S(operand) *o = s->operand, *const end = o + s->operands; o < end; ++o) {
        const strips each = strips_of(o->count * vectors);
        const real *panel = o->weights + tile0 * o->tile;
        real *into = sums + o->first * wide;
        for (size_t strip = 0; strip < each.count; ++strip) {
            const size_t first = strip_width(&each, strip);
            S(walk) w = {tiles / 2, o->tile, 2 * o->tile, apart, 2 * apart};
            size_t second = first, width = first;
            if (s->tiles != 2) {
                w = (S(walk)){tiles, first * o->depth * LANES, o->tile, first * LANES, apart};
                second = STRIP == 2 && strip + 1 < each.count ? strip_width(&each, ++strip) : 0;
                width = first + second;
            }
            pairs[first - 1][second](at, o, &w, panel, into);
            panel += width * o->depth * LANES;
            into += width * LANES;
        }
    }
}

/* `run` is the stage's, `all` its sums and `vectors` those of a tile: constants where this is inlined. */
ALWAYS void run_row_with(S(statements) *run, size_t all, size_t vectors, const S(at) *at, const S(stage) *s)
{
    const size_t units = s->units, wide = vectors * LANES, tiles = s->end - s->begin;
    S(span) span = {.units = units, .wide = wide, .line = s->line, .last_line = s->last_line, .numbers = s->numbers};
    if (!all) {
        span.unit = s->begin * wide;
        span.end = s->end * wide < units ? s->end * wide : units;
        if (tiles)
            run(at, &span);
        return;
    }
    const size_t passes = (tiles + ROW_TILES - 1) / ROW_TILES;
    _Alignas(64) real sums[ROW_TILES * MOST_SUMS * LANES];
    span.wide = wide;
    span.apart = all * wide;
    span.sums = sums;
    for (size_t pass = 0; pass < passes; ++pass) {
        /* Every other step runs the tiles from last to first: the panels that are still in a cache come first. */
        const size_t tile0 = s->begin + (at->turned ? passes - 1 - pass : pass) * ROW_TILES;
        const size_t count = s->end - tile0 < ROW_TILES ? s->end - tile0 : ROW_TILES, last = (tile0 + count) * wide;
        sum_row(all, vectors, at, s, tile0, count, sums);
        span.unit = tile0 * wide;
        span.end = last < units ? last : units;
        run(at, &span);
    }
}

/* The same without sums. */
ONCE void run_units(const S(at) *at, const S(stage) *s)
{
    run_row_with(s->run, 0, s->vectors, at, s);
}

ONCE void run_row(const S(at) *at, const S(stage) *s)
{
    run_row_with(s->run, s->sums, s->vectors, at, s);
}

/* Begin a step of one row: set what its stages read besides the arrays of the cell. */
ALWAYS void row_begins(S(at) *at, const void *dims, const piece *pieces, const real *packed, const real *x, real *y)
{
    at->dims = dims;
    at->pieces = pieces;
    at->packed = packed;
    at->taped = at->turned = 0;
    at->fused = 1;
    at->to[AT_X] = (real *)x;
    at->to[AT_Y] = y;
    at->to[AT_PACKED] = (real *)packed;
    at->stride[AT_X] = at->stride[AT_Y] = 0; /* of one row, as every array here */
    at->later[AT_X] = NULL;
}

ALWAYS void row_array(S(at) *at, size_t array, real *to)
{
    at->to[array] = to;
    at->later[array] = NULL;
    at->stride[array] = 0;
}

ALWAYS void run_row_of(const S(at) *at, S(stage) s)
{
    find_weights(&s, at->pieces, at->packed);
    PROFILED(s.name, s.row(at, &s));
}

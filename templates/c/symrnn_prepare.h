/* The runtime of symrnn's C kernels in one precision: tables of numbers, from which parameters are prepared when they are packed.
   Included after `symrnn_stage.h` by cells that prepare some. A table is dense, rows × columns. Each function runs once for each
   set of parameters, or once for each backward pass, in one part. */

#undef turn_table
#undef identity_table
#undef multiply_tables
#undef sum_rows_of
#undef divide_table
#undef hand_over
#define turn_table(...) S(turn_table)(__VA_ARGS__)
#define identity_table(...) S(identity_table)(__VA_ARGS__)
#define multiply_tables(...) S(multiply_tables)(__VA_ARGS__)
#define sum_rows_of(...) S(sum_rows_of)(__VA_ARGS__)
#define divide_table(...) S(divide_table)(__VA_ARGS__)
#define hand_over(...) S(hand_over)(__VA_ARGS__)

/* The transpose of a table of so many rows and columns. */
INLINE void turn_table(real *to, const real *from, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; ++i)
        for (size_t j = 0; j < columns; ++j)
            to[j * rows + i] = from[i * columns + j];
}

INLINE void identity_table(real *to, size_t rows)
{
    for (size_t i = 0; i < rows; ++i)
        for (size_t j = 0; j < rows; ++j)
            to[i * rows + j] = i == j;
}

/* a times b, rows × depth and depth × columns. The entries of a are `row` numbers apart from row to row, and `next` along a row. */
INLINE void multiply_tables(real *restrict to, const real *a, size_t row, size_t next, const real *b, size_t rows, size_t depth,
                            size_t columns)
{
    for (size_t i = 0; i < rows; ++i, to += columns) {
        memset(to, 0, columns * sizeof *to);
        for (size_t k = 0; k < depth; ++k) {
            const vec factor = K(a[i * row + k * next]);
            const real *const from = b + k * columns;
            for (size_t j = 0; j < columns; j += LANES)
                store(to + j, load(to + j, columns - j) + factor * load(from + j, columns - j), columns - j);
        }
    }
}

/* The sum of the rows of a table. */
INLINE void sum_rows_of(real *restrict to, const real *from, size_t rows, size_t columns)
{
    memset(to, 0, columns * sizeof *to);
    for (size_t i = 0; i < rows; ++i, from += columns)
        for (size_t j = 0; j < columns; j += LANES)
            store(to + j, load(to + j, columns - j) + load(from + j, columns - j), columns - j);
}

INLINE void divide_table(real *to, size_t numbers, size_t count)
{
    for (size_t i = 0; i < numbers; ++i)
        to[i] /= (real)count;
}

/* A gradient to its caller: written, or added to what is there. */
INLINE void hand_over(real *to, const real *from, size_t numbers, int adds)
{
    for (size_t i = 0; i < numbers; ++i)
        to[i] = adds ? to[i] + from[i] : from[i];
}

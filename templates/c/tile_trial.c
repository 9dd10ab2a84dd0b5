/* A trial of register tiles: what takes the time of a layer, with the runtime that it is compiled with. symrnn compiles this once
   for each shape (-DSYMRNN_TILE_ROWS, -DSYMRNN_TILE_COLUMNS), runs the libraries in turn and keeps the quickest shape for this
   processor. It is no part of any cell. */
#define MOST_SUMS 4
#define MOST_ARRAYS AT_STATES
#define MOST_STAGES 1
#define MOST_OPERANDS 3
#define MOST_RIGHTS 1
#define GIVES_DX 1
#include "symrnn.h"
#define REAL 32
#include "symrnn_vector.h"
#include "symrnn_functions.h"
#include "symrnn_stage.h"
#include "symrnn_time.h"

/* Rows of a step, their units, and the columns of a gradient; how many steps there are for each deferred product. */
enum { ROWS = 32, UNITS = 128, COLUMNS = 256, STEPS = 8 };

static _Alignas(64) real values[CHUNK * COLUMNS], panel[CHUNK * COLUMNS], block[CHUNK * LEFT_TILES * TILE_ROWS];
static _Alignas(64) real results[2 * ROWS * UNITS + UNITS * COLUMNS];
_Static_assert(UNITS * UNITS * MOST_SUMS <= CHUNK * COLUMNS, "values serve as weights too");

STAGE(copy_sum, 1)
{
    real *const y_row = row_at(at, span, AT_Y);
    EACH_SUM {
        LET(y) = SUM(0);
        WRITE(y_row, y[v]);
    }
}

/* The sums of a stage to which an operand adds: `count` of them, from `first` on. */
typedef struct feed {
    size_t first, count;
} feed;

/* A step of four sums, of some operands. */
static void run_sums(const feed *feeds, size_t count, real *y)
{
    const sequence seq = {1, ROWS, NULL, 0};
    const piece weights = {.units = UNITS, .vectors = 1, .depth = UNITS, .count = MOST_SUMS};
    S(at) at = {.seq = &seq, .to = {[AT_X] = values, [AT_Y] = y}, .stride = {[AT_X] = UNITS, [AT_Y] = UNITS}};
    S(stage) stage = new_stage("trial", S(copy_sum), UNITS, MOST_SUMS, 1, ALL_ROWS, 0);
    for (size_t i = 0; i < count; ++i)
        add_operand(&stage, AT_X, 0, UNITS, 0, feeds[i].first, feeds[i].count, 0);
    find_weights(&stage, &weights, values);
    run_stage(&at, &stage, 0, ROWS);
}

/* Set the values that every trial runs on. */
void tile_trial_begin(void);
void tile_trial_begin(void)
{
    for (uint32_t i = 0; i < CHUNK * COLUMNS; ++i)
        values[i] = (real)(i * 2654435761u >> 8) / 16777216 - (real)0.5;
}

/* Run the products of layers: four sums of one operand; sums of which some read one operand alone, whose panels are narrow; and a
   deferred product. Returns the results. */
const float *tile_trial(void);
const float *tile_trial(void)
{
    static const feed joint[] = {{0, 4}}, apart[] = {{0, 2}, {3, 1}, {0, 3}};
    for (size_t step = 0; step < STEPS; ++step) {
        run_sums(joint, 1, results);
        run_sums(apart, 3, results + ROWS * UNITS);
    }
    const party alone = {0, 1, NULL, NULL};
    const S(outer) outer = {panel, COLUMNS, results + 2 * ROWS * UNITS, 1};
    size_t order[CHUNK];
    for (size_t row = 0; row < CHUNK; ++row)
        order[row] = row;
    pack_right(CHUNK, order, values, COLUMNS, COLUMNS, panel);
    add_outers(CHUNK, order, values, COLUMNS, UNITS, &outer, 1, block, &alone);
    return results;
}

size_t tile_trial_results(void);
size_t tile_trial_results(void)
{
    return sizeof results / sizeof *results;
}

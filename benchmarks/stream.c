/* Times the step of a generated cell, one row at a time, with a dense layer of one output behind it. stream_cell.h, which
   benchmarks/streaming.py writes, names the cell:

       STREAM(name)   its entry point or structure in float: lstm_f32_step for STREAM(step)
       STREAM_DIMS    its structure of sizes
       STREAM_SIZES   designators that take the sizes from an array called sizes */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "stream_cell.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int stream_time(const size_t *sizes, size_t states, size_t outputs, const float *const *params, size_t steps, size_t runs,
                double *seconds, float *sink);

enum { PARTS = 8, INPUTS = 8 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *numbers(size_t count)
{
    const size_t bytes = (count * sizeof(float) + 63) / 64 * 64;
    float *const block = aligned_alloc(64, bytes);
    if (block)
        memset(block, 0, bytes);
    return block;
}

/* Independent partial sums, which the compiler may put into a vector. */
static float dense(const float *weights, const float *y, size_t outputs)
{
    float part[PARTS] = {0}, sum = 0.1f;
    size_t i = 0;
    for (; i + PARTS <= outputs; i += PARTS)
        for (size_t j = 0; j < PARTS; ++j)
            part[j] += weights[i + j] * y[i + j];
    for (; i < outputs; ++i)
        part[i % PARTS] += weights[i] * y[i];
    for (size_t j = 0; j < PARTS; ++j)
        sum += part[j];
    return sum;
}

/* The seconds of a step in each of several runs; nonzero where there is no memory or the cell refuses. */
int stream_time(const size_t *sizes, size_t states, size_t outputs, const float *const *params, size_t steps, size_t runs,
                double *seconds, float *sink)
{
    const STREAM_DIMS dims = {.steps = 1, .rows = 1, STREAM_SIZES};
    STREAM(params) given;
    size_t packed_size, workspace_size;
    memcpy(&given, params, sizeof given);
    if (STREAM(packed_size)(&dims, &packed_size) || STREAM(infer_workspace_size)(&dims, 1, &workspace_size))
        return 1;
    float *const packed = numbers(packed_size), *const workspace = numbers(workspace_size), *const state = numbers(states);
    float *const y = numbers(outputs), *const weights = numbers(outputs), *const x = numbers(INPUTS * dims.input);
    int failed = !packed || !workspace || !state || !y || !weights || !x || STREAM(pack)(&dims, &given, packed, NULL, 0, 1);
    for (size_t i = 0; !failed && i < outputs; ++i)
        weights[i] = 0.01f * (float)(i % 7);
    for (size_t i = 0; !failed && i < INPUTS * dims.input; ++i)
        x[i] = 0.1f * (float)(i % 11);
    for (size_t run = 0; !failed && run < runs; ++run) {
        const double began = now();
        for (size_t step = 0; step < steps && !failed; ++step) {
            failed = STREAM(step)(&dims, packed, x + step % INPUTS * dims.input, state, y, workspace);
            *sink += dense(weights, y, outputs);
        }
        seconds[run] = (now() - began) / (double)steps;
    }
    free(packed);
    free(workspace);
    free(state);
    free(y);
    free(weights);
    free(x);
    return failed;
}

/* Runs the vector text over arrays, for test_vector_maths.py. vector_text.h, which the test writes, holds the text in
   both precisions and three lists: UNARY(X), BINARY(X) and TERNARY(X), each X(name, precision, real). */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vector_text.h"

#define RUN_UNARY(name, p, real)                                                                                       \
    void run_##name##_##p(const real *a, real *y, size_t n);                                                           \
    void run_##name##_##p(const real *a, real *y, size_t n)                                                            \
    {                                                                                                                  \
        for (size_t i = 0; i < n; i += LANES_##p)                                                                      \
            store_##p(y + i, name##_##p(load_##p(a + i, n - i)), n - i);                                               \
    }
#define RUN_BINARY(name, p, real)                                                                                      \
    void run_##name##_##p(const real *a, const real *b, real *y, size_t n);                                            \
    void run_##name##_##p(const real *a, const real *b, real *y, size_t n)                                             \
    {                                                                                                                  \
        for (size_t i = 0; i < n; i += LANES_##p)                                                                      \
            store_##p(y + i, name##_##p(load_##p(a + i, n - i), load_##p(b + i, n - i)), n - i);                       \
    }
#define RUN_TERNARY(name, p, real)                                                                                     \
    void run_##name##_##p(const real *a, const real *b, const real *c, real *y, size_t n);                             \
    void run_##name##_##p(const real *a, const real *b, const real *c, real *y, size_t n)                              \
    {                                                                                                                  \
        for (size_t i = 0; i < n; i += LANES_##p)                                                                      \
            store_##p(y + i, name##_##p(load_##p(a + i, n - i), load_##p(b + i, n - i), load_##p(c + i, n - i)),       \
                      n - i);                                                                                          \
    }
UNARY(RUN_UNARY)
BINARY(RUN_BINARY)
TERNARY(RUN_TERNARY)

#define RUN_OTHERS(p, real)                                                                                            \
    size_t lanes_##p(void);                                                                                            \
    size_t lanes_##p(void)                                                                                             \
    {                                                                                                                  \
        return LANES_##p;                                                                                              \
    }                                                                                                                  \
    real run_hsum_##p(const real *a, size_t n);                                                                        \
    real run_hsum_##p(const real *a, size_t n)                                                                         \
    {                                                                                                                  \
        return hsum_##p(load_##p(a, n));                                                                               \
    }                                                                                                                  \
    void run_load_##p(const real *a, real *y, size_t n);                                                               \
    void run_load_##p(const real *a, real *y, size_t n)                                                                \
    {                                                                                                                  \
        storeu_##p(y, load_##p(a, n));                                                                                 \
    }                                                                                                                  \
    void run_clip_##p(const real *a, real low, real high, real *y, size_t n);                                          \
    void run_clip_##p(const real *a, real low, real high, real *y, size_t n)                                           \
    {                                                                                                                  \
        for (size_t i = 0; i < n; i += LANES_##p)                                                                      \
            store_##p(y + i, v_clip_##p(load_##p(a + i, n - i), K_##p(low), K_##p(high)), n - i);              \
    }                                                                                                                  \
    void run_pow_##p(const real *a, real exponent, real *y, size_t n);                                                 \
    void run_pow_##p(const real *a, real exponent, real *y, size_t n)                                                  \
    {                                                                                                                  \
        for (size_t i = 0; i < n; i += LANES_##p)                                                                      \
            store_##p(y + i, v_pow_##p(load_##p(a + i, n - i), exponent), n - i);                                      \
    }
RUN_OTHERS(f32, float)
RUN_OTHERS(f64, double)

#ifdef SANITIZED
/* Every function on numbers of every kind, in buffers that end where the array ends, one for each length: a sanitizer
   finds a read or write beyond them, and undefined arithmetic. */
#define FILL(p, real, extremes)                                                                                        \
    static void fill_##p(real *a, size_t n, size_t seed)                                                               \
    {                                                                                                                  \
        const real kinds[] = {0, -(real)0, 1, -1, (real)0.3, -40, 90, 710, -750, (real)INFINITY, -(real)INFINITY,      \
                              (real)NAN, -(real)NAN, extremes};                                                        \
        for (size_t i = 0; i < n; ++i)                                                                                 \
            a[i] = kinds[(i + seed) % (sizeof kinds / sizeof kinds[0])];                                               \
    }
#define COMMA ,
FILL(f32, float, 1e-45f COMMA - 1e-40f COMMA 3.4e38f COMMA - 3.4e38f)
FILL(f64, double, 5e-324 COMMA - 1e-310 COMMA 1.7e308 COMMA - 1.7e308)

#define CHECK_UNARY(name, p, real)                                                                                     \
    for (size_t n = 1; n < 3 * LANES_##p + 2; ++n) {                                                                   \
        real *a = malloc(n * sizeof *a), *y = malloc(n * sizeof *y);                                                   \
        if (!a || !y)                                                                                                  \
            return 1;                                                                                                  \
        for (size_t seed = 0; seed < 17; ++seed) {                                                                     \
            fill_##p(a, n, seed);                                                                                      \
            run_##name##_##p(a, y, n);                                                                                 \
        }                                                                                                              \
        free(a);                                                                                                       \
        free(y);                                                                                                       \
    }
#define CHECK_BINARY(name, p, real)                                                                                    \
    for (size_t n = 1; n < 3 * LANES_##p + 2; ++n) {                                                                   \
        real *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b), *y = malloc(n * sizeof *y);                       \
        if (!a || !b || !y)                                                                                            \
            return 1;                                                                                                  \
        fill_##p(a, n, 0);                                                                                             \
        fill_##p(b, n, 3);                                                                                             \
        run_##name##_##p(a, b, y, n);                                                                                  \
        free(a);                                                                                                       \
        free(b);                                                                                                       \
        free(y);                                                                                                       \
    }

int main(void)
{
    UNARY(CHECK_UNARY)
    BINARY(CHECK_BINARY)
    return 0;
}
#endif

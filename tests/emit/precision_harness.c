/* Measures float functions against double ones, for test_vector_precision.py: at the numbers whose bit patterns are
   first, first + stride, …, each function's largest error in units in the last place of the exact value.

   The exact values are libm's in double. Its error, at most a few units in the last place of a double, is 2^-26 of the
   unit that is measured in; the test holds that against arithmetic of any precision. This file is compiled without
   contraction, and no value passes through float on its way. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static double sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static double clip(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Every function of one argument, with its value in double. */
#define EACH(X)                                                                                                        \
    X(exp, exp(x))                                                                                                     \
    X(expm1, expm1(x))                                                                                                 \
    X(log, log(x))                                                                                                     \
    X(log1p, log1p(x))                                                                                                 \
    X(tanh, tanh(x))                                                                                                   \
    X(sigmoid, sigmoid(x))                                                                                             \
    X(softplus, x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)))                                                            \
    X(relu, x < 0 ? 0 : x)                                                                                                 \
    X(leaky_relu, x > 0 ? x : x / 100)                                                                                 \
    X(elu, x > 0 ? x : expm1(x))                                                                                       \
    X(softsign, x / (1 + fabs(x)))                                                                                     \
    X(silu, x * sigmoid(x))                                                                                            \
    X(gelu, x * sigmoid(1.5957691216057307117597842397375 * (x + 0.044715 * x * x * x)))                               \
    X(hard_sigmoid, clip((x + 3) / 6, 0, 1))                                                                           \
    X(hard_tanh, clip(x, -1, 1))                                                                                       \
    X(sqrt, sqrt(x))                                                                                                   \
    X(abs, fabs(x))                                                                                                    \
    X(sin, sin(x))                                                                                                     \
    X(cos, cos(x))                                                                                                     \
    X(positive, x > 0 ? 1 : 0)                                                                                         \
    X(sign, x > 0 ? 1 : x < 0 ? -1 : 0)

#define EXACT(name, value)                                                                                             \
    void exact_##name(const double *a, double *y, size_t n);                                                           \
    void exact_##name(const double *a, double *y, size_t n)                                                            \
    {                                                                                                                  \
        for (size_t i = 0; i < n; ++i) {                                                                               \
            const double x = a[i];                                                                                     \
            y[i] = value;                                                                                              \
        }                                                                                                              \
    }
EACH(EXACT)

/* What was found of one function: its largest error, where, and how often one of got and exact is NaN and the other is
   not, or their signs differ (of zeros too). */
typedef struct {
    double ulp;
    uint64_t wrong;
    uint32_t at, wrong_at;
} finding;

static uint64_t bits(double x)
{
    uint64_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

static double from_bits(uint64_t b)
{
    double x;
    memcpy(&x, &b, sizeof x);
    return x;
}

/* Infinity counts as 2^128, one unit beyond the largest float: so does everything above it. */
static double bounded(double x)
{
    return clip(x, -0x1p128, 0x1p128);
}

/* 1 / (the spacing of floats in the binade of x, no less than that of subnormal ones, no more than the largest). */
static double per_unit(double x)
{
    const uint64_t least = (uint64_t)(1023 - 126) << 52, most = (uint64_t)(1023 + 127) << 52;
    uint64_t exponent = bits(x) & (uint64_t)0x7ff << 52;
    exponent = exponent < least ? least : exponent;
    exponent = exponent > most ? most : exponent;
    return from_bits(((uint64_t)(2 * 1023 + 23) << 52) - exponent);
}

/* |got - exact| in units in the last place of exact, as bits; 0 where one of them is NaN. */
static uint64_t error_bits(double exact, float got)
{
    const double value = bounded(exact), error = fabs(bounded((double)got) - value) * per_unit(value);
    return error >= 0 ? bits(error) : 0;
}

/* 1 where one of got and exact is NaN and the other is not, or their signs differ; else 0. */
static uint64_t is_wrong(double exact, float got)
{
    const double y = (double)got;
    const uint64_t nan = y != y, exact_nan = exact != exact, signs = (bits(y) ^ bits(exact)) >> 63;
    return (nan ^ exact_nan) | (signs & ~nan & 1);
}

enum { BLOCK = 4096 };
typedef void function(const float *a, float *y, size_t n);

/* The largest error of n numbers, as the bits of a double, which order as the doubles do; and the marks of wrong ones
   all together. Nothing is written on the way, so that a compiler can do it in lanes. */
static uint64_t largest(const double *exact, const float *got, size_t n, uint64_t *wrong)
{
    uint64_t most = 0, marks = 0;
    for (size_t i = 0; i < n; ++i) {
        const uint64_t error = error_bits(exact[i], got[i]);
        most = error > most ? error : most;
        marks |= is_wrong(exact[i], got[i]);
    }
    *wrong = marks;
    return most;
}

static void note(finding *f, const uint32_t *pattern, const double *exact, const float *got, size_t n)
{
    uint64_t wrong;
    if (largest(exact, got, n, &wrong) <= bits(f->ulp) && !wrong)
        return;
    for (size_t i = 0; i < n; ++i) {
        if (error_bits(exact[i], got[i]) > bits(f->ulp)) {
            f->ulp = from_bits(error_bits(exact[i], got[i]));
            f->at = pattern[i];
        }
        if (is_wrong(exact[i], got[i])) {
            ++f->wrong;
            f->wrong_at = pattern[i];
        }
    }
}

typedef void exact_values(const double *a, double *y, size_t n);

/* count numbers from the pattern first on, every stride-th one, through several functions that mean the same. */
void scan(exact_values *exact, function *const *functions, size_t several, uint64_t first, uint64_t stride,
          uint64_t count, finding *found);
void scan(exact_values *exact, function *const *functions, size_t several, uint64_t first, uint64_t stride,
          uint64_t count, finding *found)
{
    static _Thread_local uint32_t pattern[BLOCK];
    static _Thread_local float x[BLOCK], got[BLOCK];
    static _Thread_local double wide[BLOCK], value[BLOCK];
    for (uint64_t done = 0; done < count; done += BLOCK) {
        const size_t n = count - done < BLOCK ? (size_t)(count - done) : BLOCK;
        for (size_t i = 0; i < n; ++i)
            pattern[i] = (uint32_t)(first + (done + i) * stride);
        memcpy(x, pattern, sizeof x);
        for (size_t i = 0; i < n; ++i)
            wide[i] = (double)x[i];
        exact(wide, value, n);
        for (size_t f = 0; f < several; ++f) {
            functions[f](x, got, n);
            note(&found[f], pattern, value, got, n);
        }
    }
}

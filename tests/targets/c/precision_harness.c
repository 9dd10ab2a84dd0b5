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
    X(sign, x > 0 ? 1 : x < 0 ? -1 : x)                                                                                \
    X(step, x < 0 ? 0 : x >= 0 ? 1 : x)                                                                                \
    X(floor, floor(x))                                                                                                 \
    X(round, rint(x))                                                                                                  \
    X(erf, erf(x))                                                                                                     \
    X(erfc, erfc(x))

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

typedef union {
    double number;
    uint64_t bits;
} word;

static uint64_t bits(double x)
{
    return (word){.number = x}.bits;
}

static double from_bits(uint64_t b)
{
    return (word){.bits = b}.number;
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

/* Infinity counts as 2^128, one unit beyond the largest float: so does everything above it. */
static double bounded(double x)
{
    x = x < -0x1p128 ? -0x1p128 : x;
    return x > 0x1p128 ? 0x1p128 : x;
}

enum { BLOCK = 4096 };
typedef void function(const float *a, float *y, size_t n);

/* The bits of |got - exact| in units in the last place of exact, which order as the numbers do, and 1 where one of got
   and exact is NaN and the other is not, or their signs differ; there, and for NaN, the first means nothing. */
static void compare(const double *restrict exact, const float *restrict got, uint64_t *restrict error,
                    uint64_t *restrict wrong)
{
    const uint64_t magnitude = UINT64_MAX >> 1, infinity = (uint64_t)0x7ff << 52;
    for (size_t i = 0; i < BLOCK; ++i) {
        const double value = bounded(exact[i]), y = bounded((double)got[i]);
        error[i] = bits(fabs(y - value) * per_unit(value));
        /* All ones for NaN: the difference is negative. */
        const uint64_t nan = 0 - ((infinity - (bits(y) & magnitude)) >> 63);
        const uint64_t exact_nan = 0 - ((infinity - (bits(value) & magnitude)) >> 63);
        error[i] &= ~(nan | exact_nan);
        wrong[i] = ((nan ^ exact_nan) | ((bits(y) ^ bits(value)) & ~nan)) >> 63;
    }
}

static void note(finding *f, const uint32_t *pattern, const uint64_t *error, const uint64_t *wrong, size_t n)
{
    uint64_t most = 0, marks = 0;
    for (size_t i = 0; i < n; ++i) {
        most = error[i] > most ? error[i] : most;
        marks |= wrong[i];
    }
    for (size_t i = 0; i < n && (marks || most > bits(f->ulp)); ++i) {
        if (error[i] > bits(f->ulp)) {
            f->ulp = from_bits(error[i]);
            f->at = pattern[i];
        }
        if (wrong[i]) {
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
    static _Thread_local uint64_t error[BLOCK], wrong[BLOCK];
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
            compare(value, got, error, wrong);
            note(&found[f], pattern, error, wrong, n);
        }
    }
}

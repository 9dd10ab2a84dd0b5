/* The runtime of symrnn's C kernels, in one precision: REAL is 32 for float and 64 for double. Included once for each, after
   `symrnn.h`, where each name below is a macro that gives it the ending of the precision.

   Vectors and their functions; register tiles; packed weights; stages on many rows and on one; the deferred products; the
   forward and the backward pass over time. */

#undef S
#undef KIND
#undef KIND_MASK
#undef NEON
#undef LIBM
#undef uint_real
#undef V512
#undef V256
#undef V128
#undef MASK512
#undef MASK256
#undef BYTES
#undef MASKS
#undef EXCESS
#undef FAST_FMA
#undef PUBLIC
#if REAL == 32
#define S(name) name##_f32
#define PUBLIC(cell, name) cell##_f32_##name
#define KIND(name) name##_ps
#define KIND_MASK(name) name##_ps_mask
#define NEON(name) name##32
#define LIBM(name) name##f
#define uint_real uint32_t
#define V512 __m512
#define V256 __m256
#if defined(__aarch64__)
#define V128 float32x4_t
#else
#define V128 __m128
#endif
#define MASK512 __mmask16
#ifdef __FP_FAST_FMAF
#define FAST_FMA 1
#else
#define FAST_FMA 0
#endif
typedef float real;
#else
#define S(name) name##_f64
#define PUBLIC(cell, name) cell##_f64_##name
#define KIND(name) name##_pd
#define KIND_MASK(name) name##_pd_mask
#define NEON(name) name##64
#define LIBM(name) name
#define uint_real uint64_t
#define V512 __m512d
#define V256 __m256d
#if defined(__aarch64__)
#define V128 float64x2_t
#else
#define V128 __m128d
#endif
#define MASK512 __mmask8
#ifdef __FP_FAST_FMA
#define FAST_FMA 1
#else
#define FAST_FMA 0
#endif
typedef double real;
#endif

/* ---- vectors ----
   Multiplying subnormal numbers takes many processors a hundred times as long; adding does not. So each function first
   adds a nudge, too small to change any number that matters to it, and tiny numbers get their result by selection. */

/* Bytes in a vector; those of 32 that hold all units run two operations at a time where 64 bytes take one. */
#if SYMRNN_VECTOR_BYTES == 64 && defined(__AVX512VL__) && defined(MOST_UNITS) && MOST_UNITS <= 256 / REAL
#define BYTES 32
#else
#define BYTES SYMRNN_VECTOR_BYTES
#endif
/* Whether comparisons give masks of one bit a lane. */
#if BYTES == 64 || (BYTES == 32 && defined(__AVX512VL__))
#define MASKS 1
#else
#define MASKS 0
#endif
/* Whether arithmetic may carry digits that memory has no room for, as x87's does; that of vectors does not. 16 widens
   numbers of 16 bits alone. Source: ISO/IEC 9899:2011, 5.2.4.2.2; TS 18661-3. */
#if BYTES || (defined(FLT_EVAL_METHOD) && (FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 16 || (REAL == 64 && FLT_EVAL_METHOD == 1)))
#define EXCESS 0
#else
#define EXCESS 1
#endif
/* Numbers in lanes, the same lanes as unsigned bit patterns, and the outcome of a comparison. */
#undef LANES
#if BYTES * 8 == 16 * REAL
#define LANES 16
#elif BYTES * 8 == 8 * REAL
#define LANES 8
#elif BYTES * 8 == 4 * REAL
#define LANES 4
#elif BYTES * 8 == 2 * REAL
#define LANES 2
#else
#define LANES 1
#endif
#if BYTES
typedef real vec __attribute__((vector_size(BYTES)));
typedef uint_real vec_bits __attribute__((vector_size(BYTES)));
#if BYTES == 64
typedef MASK512 vec_mask;
#elif MASKS
typedef __mmask8 vec_mask;
#else
typedef vec_bits vec_mask;
#endif
#else
typedef real vec;
typedef uint_real vec_bits;
typedef int vec_mask;
#endif

/* A whole vector from memory of any alignment. */
INLINE vec loadu(const real *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* A whole vector to memory of any alignment. */
INLINE void storeu(real *p, vec v)
{
    memcpy(p, &v, sizeof v);
}

#if defined(__AVX2__) && BYTES == 32 && !MASKS
/* The mask of the first n lanes. */
INLINE __m256i first_lanes(size_t n)
{
#if REAL == 32
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
#else
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)n), _mm256_setr_epi64x(0, 1, 2, 3));
#endif
}

#endif
/* The first n numbers at p; lanes beyond them are zero, and nothing beyond them is read. */
INLINE vec load(const real *p, size_t n)
{
    if (n >= LANES)
        return loadu(p);
#if BYTES == 64
    return (vec)KIND(_mm512_maskz_loadu)((MASK512)((1u << n) - 1u), p);
#elif MASKS
    return (vec)KIND(_mm256_maskz_loadu)((__mmask8)((1u << n) - 1u), p);
#elif defined(__AVX2__) && BYTES == 32
    return (vec)KIND(_mm256_maskload)(p, first_lanes(n));
#else
    real lane[LANES] = {0};
    for (size_t i = 0; i < n; ++i)
        lane[i] = p[i];
    return loadu(lane);
#endif
}

/* The first n lanes to p; nothing beyond them is written. */
INLINE void store(real *p, vec v, size_t n)
{
    if (n >= LANES) {
        storeu(p, v);
        return;
    }
#if BYTES == 64
    KIND(_mm512_mask_storeu)(p, (MASK512)((1u << n) - 1u), (V512)v);
#elif MASKS
    KIND(_mm256_mask_storeu)(p, (__mmask8)((1u << n) - 1u), (V256)v);
#elif defined(__AVX2__) && BYTES == 32
    KIND(_mm256_maskstore)(p, first_lanes(n), (V256)v);
#else
    real lane[LANES];
    storeu(lane, v);
    for (size_t i = 0; i < n; ++i)
        p[i] = lane[i];
#endif
}

/* x in every lane, named one by one: x - (vec){0} does not compile where C computes with x in more digits than it has. */
INLINE vec S(K)(real x)
{
#if LANES == 16
    return (vec){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
#elif LANES == 8
    return (vec){x, x, x, x, x, x, x, x};
#elif LANES == 4
    return (vec){x, x, x, x};
#elif LANES == 2
    return (vec){x, x};
#else
    return x;
#endif
}

/* a b + c, rounded once on x86, on AArch64 and lane by lane where the processor can. Left to a compiler, `a * b + c` is that
   in one loop and not in another (GCC parts single chains of them on some processors), and a row's result would depend on
   the rows beside it. */
INLINE vec v_fma(vec a, vec b, vec c)
{
#if BYTES == 64
    return (vec)KIND(_mm512_fmadd)((V512)a, (V512)b, (V512)c);
#elif BYTES == 32 && defined(__FMA__)
    return (vec)KIND(_mm256_fmadd)((V256)a, (V256)b, (V256)c);
#elif BYTES == 16 && defined(__FMA__)
    return (vec)KIND(_mm_fmadd)((V128)a, (V128)b, (V128)c);
#elif BYTES == 16 && defined(__aarch64__)
    return (vec)NEON(vfmaq_f)((V128)c, (V128)a, (V128)b);
#elif !BYTES && defined(__GNUC__) && FAST_FMA
    return LIBM(__builtin_fma)(a, b, c);
#else
    return a * b + c;
#endif
}

/* a as memory holds it. Where registers hold more digits than that, a sum keeps what its rounding should take away, and a
   compiler rounds some uses of a value and not others: what relies on rounding, and every comparison, is of what is stored. */
INLINE vec stored(vec a)
{
#if EXCESS
    volatile real kept = a;
    return kept;
#else
    return a;
#endif
}

/* The sum of the lanes: halves are added until one lane is left, always in this order. */
INLINE real hsum(vec v)
{
    real lane[LANES];
    storeu(lane, v);
    for (size_t width = LANES / 2; width > 0; width /= 2)
        for (size_t i = 0; i < width; ++i)
            lane[i] += lane[i + width];
    return lane[0];
}

INLINE vec_bits to_bits(vec v)
{
    vec_bits b;
    memcpy(&b, &v, sizeof b);
    return b;
}

INLINE vec from_bits(vec_bits b)
{
    vec v;
    memcpy(&v, &b, sizeof v);
    return v;
}

/* Set where a < b; not elsewhere, for NaN neither. */
INLINE vec_mask v_less(vec a, vec b)
{
#if BYTES == 64
    return KIND_MASK(_mm512_cmp)((V512)a, (V512)b, _CMP_LT_OQ);
#elif MASKS
    return KIND_MASK(_mm256_cmp)((V256)a, (V256)b, _CMP_LT_OQ);
#elif BYTES
    return (vec_bits)(a < b);
#else
    return stored(a) < stored(b);
#endif
}

INLINE vec_mask v_is_nan(vec a)
{
#if BYTES == 64
    return KIND_MASK(_mm512_cmp)((V512)a, (V512)a, _CMP_UNORD_Q);
#elif MASKS
    return KIND_MASK(_mm256_cmp)((V256)a, (V256)a, _CMP_UNORD_Q);
#elif BYTES
    return (vec_bits)(a != a);
#else
    return a != a;
#endif
}

/* a where the mask is set, else b. */
INLINE vec v_select(vec_mask mask, vec a, vec b)
{
#if BYTES == 64
    return (vec)KIND(_mm512_mask_blend)(mask, (V512)b, (V512)a);
#elif MASKS
    return (vec)KIND(_mm256_mask_blend)(mask, (V256)b, (V256)a);
#elif BYTES
    return (vec)((mask & (vec_bits)a) | (~mask & (vec_bits)b));
#else
    return mask ? a : b;
#endif
}

#if BYTES == 64
/* Lanes by number: those of a, then those of b. */
INLINE vec v_pick(vec a, vec_bits lane, vec b)
{
    return (vec)KIND(_mm512_permutex2var)((V512)a, (__m512i)lane, (V512)b);
}

/* In a square of rows, blocks of so many lanes on either side of the diagonal change places. */
ALWAYS void exchange(vec *row, vec_bits lane, uint_real block)
{
    const vec_bits second = (vec_bits)((lane & block) != 0);
    const vec_bits left = lane + (second & (LANES - block)), right = left + block;
    for (size_t i = 0; i < LANES; ++i)
        if (!(i & block)) {
            const vec upper = row[i], lower = row[i + block];
            row[i] = v_pick(upper, left, lower);
            row[i + block] = v_pick(upper, right, lower);
        }
}

/* A square of LANES × LANES numbers, its rows to columns: the smallest blocks first. */
INLINE void transpose(real *to, size_t to_row, const real *from, size_t from_row)
{
    vec row[LANES];
    vec_bits lane;
    for (uint_real i = 0; i < LANES; ++i) {
        row[i] = loadu(from + i * from_row);
        lane[i] = i;
    }
    exchange(row, lane, 1);
    exchange(row, lane, 2);
    exchange(row, lane, 4);
#if LANES == 16
    exchange(row, lane, 8);
#endif
    for (size_t i = 0; i < LANES; ++i)
        storeu(to + i * to_row, row[i]);
}
#endif

/* Constants by precision, float's and double's: coefficients highest power first, limits of the functions' ranges.
   `symrnn/targets/c/polynomials.py` says how each is found; a test compares them. */
#define TANH_SPLIT EITHER(0.35f, 0.35)
#define TANH_ONE EITHER(10.0f, 20.0)
#define LOG2_E EITHER(1.442695f, 1.4426950408889634)
#define LN2_HIGH EITHER(0.69314575f, 0.6931471805601177)
#define LN2_LOW EITHER(1.4286068e-06f, -1.7239444525614835e-13)
#define ROOT_HALF EITHER(0.70710677f, 0.7071067811865476)
#define EXP_ZERO EITHER(-104.0f, -746.0)
#define EXP_SUBNORMAL EITHER(-87.33654f, -708.3964185322641)
#define EXP_INFINITE EITHER(88.72284f, 709.7827128933841)
#define EXPM1_ONE EITHER(-18.0f, -38.0)
#define EXPM1_INFINITE EITHER(89.0f, 710.0)
#define LINEAR EITHER(2.9802322e-08f, 5.551115123125783e-17)
#define TANH_LINEAR EITHER(0.00024414062f, 7.450580596923828e-09)
#define EXP_END EITHER(89.0f, 710.0)
#define SIGMOID_ONE EITHER(20.0f, 40.0)
#define EXP_NUDGE EITHER(9.094947e-13f, 1.6940658945086007e-21)
#define LINEAR_NUDGE EITHER(5.551115e-17f, 1.925929944387236e-34)
#define TANH_NUDGE EITHER(4.5474735e-13f, 5.169878828456423e-26)
#define ROUND_MAGIC EITHER(12582912.0f, 6755399441055744.0)
#define INTEGER_MAGIC EITHER(8388608.0f, 4503599627370496.0)
#define LIFT ((uint_real)(REAL == 32 ? UINT32_C(0x20000000) : UINT64_C(0x2000000000000000)))
#define GRID EITHER(2.1684043e-19f, 2.983336292480083e-154)
#define NORMAL_BIAS EITHER(8388735.0f, 4503599627371519.0)
#define SUBNORMAL_BIAS EITHER(8388884.0f, 4503599627372593.0)
#define SMALLEST_NORMAL EITHER(1.1754944e-38f, 2.2250738585072014e-308)
#define MANTISSA_BITS (REAL == 32 ? 23 : 52)
#define MANTISSA_MASK ((uint_real)(REAL == 32 ? UINT32_C(0x7fffff) : UINT64_C(0xfffffffffffff)))
#define MAGNITUDE_MASK ((uint_real)(REAL == 32 ? UINT32_C(0x7fffffff) : UINT64_C(0x7fffffffffffffff)))

INLINE vec v_abs(vec a)
{
    return from_bits(to_bits(a) & MAGNITUDE_MASK);
}

/* The magnitude of a, which is not negative, with the sign of b. */
INLINE vec copy_sign(vec a, vec b)
{
    return from_bits(to_bits(a) | (to_bits(b) & ~MAGNITUDE_MASK));
}

/* a, or bound where a is less; NaN stays NaN, the second operand of x86's instruction. */
INLINE vec at_least(vec a, vec bound)
{
#if BYTES == 64
    return (vec)KIND(_mm512_max)((V512)bound, (V512)a);
#elif BYTES == 32
    return (vec)KIND(_mm256_max)((V256)bound, (V256)a);
#elif BYTES && defined(__SSE2__)
    return (vec)KIND(_mm_max)((V128)bound, (V128)a);
#else
    return v_select(v_less(a, bound), bound, a);
#endif
}

/* a, or bound where a is more; NaN stays NaN, the second operand of x86's instruction. */
INLINE vec at_most(vec a, vec bound)
{
#if BYTES == 64
    return (vec)KIND(_mm512_min)((V512)bound, (V512)a);
#elif BYTES == 32
    return (vec)KIND(_mm256_min)((V256)bound, (V256)a);
#elif BYTES && defined(__SSE2__)
    return (vec)KIND(_mm_min)((V128)bound, (V128)a);
#else
    return v_select(v_less(bound, a), bound, a);
#endif
}

/* a, between low and high; NaN stays NaN. */
INLINE vec v_clip(vec a, vec low, vec high)
{
    return at_most(at_least(a, low), high);
}

INLINE vec v_sqrt(vec a)
{
    real lane[LANES];
    storeu(lane, a);
    for (size_t i = 0; i < LANES; ++i)
        lane[i] = LIBM(sqrt)(lane[i]);
    return loadu(lane);
}

INLINE vec v_sin(vec a)
{
    real lane[LANES];
    storeu(lane, a);
    for (size_t i = 0; i < LANES; ++i)
        lane[i] = LIBM(sin)(lane[i]);
    return loadu(lane);
}

INLINE vec v_cos(vec a)
{
    real lane[LANES];
    storeu(lane, a);
    for (size_t i = 0; i < LANES; ++i)
        lane[i] = LIBM(cos)(lane[i]);
    return loadu(lane);
}

/* a to a power that is the same in every lane. */
INLINE vec v_pow(vec a, real exponent)
{
    real lane[LANES];
    storeu(lane, a);
    for (size_t i = 0; i < LANES; ++i)
        lane[i] = LIBM(pow)(lane[i], exponent);
    return loadu(lane);
}

/* The whole number n nearest to x / log 2, in the low bits of the result: no fraction survives the large addend. */
INLINE vec whole_powers(vec x)
{
    return stored(x * LOG2_E + ROUND_MAGIC);
}

/* 2^(n + bias), n in the low bits of t as whole_powers leaves it; for normal results. */
INLINE vec power_of_two(vec t, vec two_to_bias)
{
    return from_bits((to_bits(t) << MANTISSA_BITS) + to_bits(two_to_bias));
}

/* r = x - n log 2, with t = whole_powers(x): n times the first part of log 2 is exact. */
INLINE vec exp_remainder(vec x, vec t)
{
    vec n = t - ROUND_MAGIC;
    return (x - n * LN2_HIGH) - n * LN2_LOW;
}

/* exp(r) - 1 - r, by pairs of coefficients: half as many operations that wait for one another. */
INLINE vec exp_tail(vec r)
{
    vec z = r * r;
#if REAL == 32
    vec q = K(0.0013931872f);
    q = q * z + (r * K(0.008367732f) + K(0.041666497f));
    q = q * z + (r * K(0.16666532f) + K(0.5f));
#else
    vec q = r * K(2.5108789646893533e-08) + K(2.76310168797524e-07);
    q = q * z + (r * K(2.755724548410937e-06) + K(2.480149141905622e-05));
    q = q * z + (r * K(0.00019841269884025446) + K(0.0013888888944484546));
    q = q * z + (r * K(0.008333333333322987) + K(0.041666666666532126));
    q = q * z + (r * K(0.16666666666666674) + K(0.5000000000000009));
#endif
    return z * q;
}

#if MASKS
/* a 2^n, n in the low bits of t as whole_powers leaves it. */
INLINE vec scale(vec a, vec t)
{
    const vec n = t - ROUND_MAGIC;
#if BYTES == 64
    return (vec)KIND(_mm512_scalef)((V512)a, (V512)n);
#else
    return (vec)KIND(_mm256_scalef)((V256)a, (V256)n);
#endif
}

#endif
#if !MASKS
/* y 2^n where that is subnormal, n in t: times a large power of two it is added to the grid, which rounds it to the
   spacing of subnormal numbers, and the low bits of the sum are the subnormal number. No operation meets one. */
INLINE vec subnormal(vec y, vec t)
{
    vec grid = GRID;
    vec_bits shifted = to_bits(y) + (to_bits(t) << MANTISSA_BITS) + LIFT;
    return from_bits(to_bits(from_bits(shifted) + grid) - to_bits(grid));
}

#endif
/* exp(x) = 2^n exp(r). */
INLINE vec v_exp(vec x)
{
    x = stored(x);
    vec bent = at_least(x, EXP_ZERO) + EXP_NUDGE;
#if MASKS
    bent = at_most(bent, EXP_END);
#endif
    vec t = whole_powers(bent);
    vec r = exp_remainder(bent, t);
    vec e = K(1) + (r + exp_tail(r));
#if MASKS
    return scale(e, t);
#else
    /* n goes straight into the exponent's bits. Beyond the range, x + infinity is infinity, and NaN for NaN. */
    vec y = from_bits(to_bits(e) + (to_bits(t) << MANTISSA_BITS));
    y = v_select(v_less(x, EXP_SUBNORMAL), subnormal(e, t), y);
    return v_select(v_less(x, EXP_INFINITE), y, x + K((real)INFINITY));
#endif
}

/* exp(x) - 1 = 2^n (1 + r + tail) - 1, in halves so that 2^n cannot overflow before the sum does. */
INLINE vec v_expm1(vec x)
{
    x = stored(x);
    vec above = at_least(x, EXPM1_ONE) + LINEAR_NUDGE;
    vec t = whole_powers(above);
    vec r = exp_remainder(above, t);
    vec half_power = power_of_two(t, K(0.5));
    vec head = half_power * r + (half_power - K(0.5));
    vec y = K(2) * (head + half_power * exp_tail(r));
    vec_mask in_range = v_less(x, EXPM1_INFINITE);
    y = v_select(in_range, y, x + K((real)INFINITY));
    return v_select(v_less(v_abs(x), LINEAR), x, y);
}

/* 1 / (1 + exp(-x)), which with x = n log 2 - r is 2^n / (2^n + 1 + (exp(r) - 1)); what rounding takes from 2^n + 1 is put
   back. */
INLINE vec v_sigmoid(vec x)
{
    x = stored(x);
    vec bent = v_clip(x, EXP_ZERO, SIGMOID_ONE) + EXP_NUDGE;
    vec t = whole_powers(bent);
    vec r = -exp_remainder(bent, t);
    vec u = r + exp_tail(r);
    vec_mask is_subnormal = v_less(x, EXP_SUBNORMAL);
    vec power = v_select(is_subnormal, K(0), power_of_two(t, K(1)));
    vec sum = stored(power + K(1));
    vec y = K(1) / (sum + (u + (power - (sum - K(1)))));
#if MASKS
    return scale(y, t);
#else
    return v_select(is_subnormal, subnormal(y, t), y * power);
#endif
}

/* With m = |x| and 2 m = n log 2 + r, tanh(m) = h / (h + 1), h = (exp(2 m) - 1) / 2 = 2^(n-1) (exp(r) - 1) + 2^(n-1) - 1/2.
   That is h - h tanh(m) as well: for small m, the quotient's rounding shows less in it. In double, what rounding takes
   from the large terms of h is put back into the small one. */
INLINE vec v_tanh(vec x)
{
    x = stored(x);
    vec m = at_most(v_abs(x), TANH_ONE) + TANH_NUDGE;
    vec twice = m + m;
    vec t = whole_powers(twice);
    vec r = exp_remainder(twice, t);
    vec half_power = power_of_two(t, K(0.5));
    vec whole = half_power - K(0.5);
#if REAL == 64
    vec sum = stored(half_power * r + whole);
    vec lost = half_power * r - (sum - whole);
    vec h = sum + (half_power * exp_tail(r) + lost);
#else
    vec sum = half_power * r + whole;
    vec h = sum + half_power * exp_tail(r);
#endif
    vec y = h / (h + K(1));
    y = v_select(v_less(m, TANH_SPLIT), h - h * y, y);
    return v_select(v_less(m, TANH_LINEAR), x, copy_sign(y, x));
}

/* log(u) + correction. u = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)], s = f / (2 + f), and then
   log(1 + f) = 2 atanh(s) = f - f^2/2 + s (f^2/2 + R), R the terms of 2 atanh(s) / s - 2, as fdlibm has it. */
INLINE vec log_near(vec u, vec correction)
{
    /* A subnormal number is its own bits times the smallest one; these bits as a number, exactly: */
    vec unit = INTEGER_MAGIC;
    vec count = from_bits(to_bits(u) + to_bits(unit)) - unit;
    vec_mask is_subnormal = v_less(u, SMALLEST_NORMAL);
    vec_bits root_half = to_bits(ROOT_HALF);
    vec_bits b = to_bits(v_select(is_subnormal, count, u));
    b = b - root_half + to_bits(K(1));
    vec bias = NORMAL_BIAS;
    bias = v_select(is_subnormal, SUBNORMAL_BIAS, bias);
    vec k = from_bits((b >> MANTISSA_BITS) + to_bits(unit)) - bias;
    vec f = from_bits((b & MANTISSA_MASK) + root_half) - K(1);
    vec s = f / (K(2) + f);
    vec z = s * s;
#if REAL == 32
    vec r = K(0.29580036f);
    r = r * z + K(0.3998878f);
    r = r * z + K(0.66666687f);
#else
    vec r = K(0.14616562422104645);
    r = r * z + K(0.15331712479381301);
    r = r * z + K(0.1818288939967772);
    r = r * z + K(0.2222221113102852);
    r = r * z + K(0.2857142862599856);
    r = r * z + K(0.39999999999899455);
    r = r * z + K(0.666666666666667);
#endif
    r = r * z;
    vec h = K(0.5) * f * f;
    vec y = k * LN2_HIGH - ((h - (s * (h + r) + (k * LN2_LOW + correction))) - f);
    /* Zero gives -infinity, what is below it NaN; infinity and NaN stay. */
    vec zero = K(0);
    vec infinity = K((real)INFINITY);
    vec outside = v_select(v_less(u, zero), K((real)NAN), u - infinity);
    y = v_select(v_less(zero, u), y, outside);
    return v_select(v_less(u, infinity), y, u);
}

INLINE vec v_log(vec x)
{
    return log_near(stored(x), K(0));
}

/* log(1 + x): what rounding takes from u = 1 + x, divided by u, is put back. */
INLINE vec v_log1p(vec x)
{
    x = stored(x);
    vec one = K(1);
    vec a = stored(x + LINEAR_NUDGE);
    vec u = stored(one + a);
    vec lost = v_select(v_less(one, a), one - (u - a), a - (u - one));
    vec y = log_near(u, lost / u);
    return v_select(v_less(v_abs(x), LINEAR), x, y);
}

/* ---- the functions of the equation language: what they read is stored, and so is what they return ---- */

INLINE vec f_sigmoid(vec a)
{
    a = stored(a);
    return stored(v_sigmoid(a));
}

INLINE vec f_tanh(vec a)
{
    a = stored(a);
    return stored(v_tanh(a));
}

INLINE vec f_relu(vec a)
{
    a = stored(a);
    return stored(v_select(v_less(a, K(0)), K(0), a));
}

INLINE vec f_leaky_relu(vec a)
{
    a = stored(a);
    return stored(v_select(v_less(K(0), a), a, K(0.01) * a));
}

INLINE vec f_elu(vec a)
{
    a = stored(a);
    return stored(v_select(v_less(K(0), a), a, v_expm1(v_select(v_less(K(0), a), K(0), a))));
}

INLINE vec f_softplus(vec a)
{
    a = stored(a);
    return stored(v_select(v_less(K(0), a), a, K(0)) + v_log1p(v_exp(-v_abs(a))));
}

INLINE vec f_softsign(vec a)
{
    a = stored(a);
    return stored(a / (K(1) + v_abs(a)));
}

INLINE vec f_silu(vec a)
{
    a = stored(a);
    return stored(a * v_sigmoid(a));
}

INLINE vec f_gelu(vec a)
{
    a = stored(a);
    return stored(a * v_sigmoid(K(1.5957691216057308) * (a + K(0.044715) * a * a * a)));
}

INLINE vec f_hard_sigmoid(vec a)
{
    a = stored(a);
    return stored(v_clip((a + K(3)) / K(6), K(0), K(1)));
}

INLINE vec f_hard_tanh(vec a)
{
    a = stored(a);
    return stored(v_clip(a, K(-1), K(1)));
}

INLINE vec f_exp(vec a)
{
    a = stored(a);
    return stored(v_exp(a));
}

INLINE vec f_log(vec a)
{
    a = stored(a);
    return stored(v_log(a));
}

INLINE vec f_sqrt(vec a)
{
    a = stored(a);
    return stored(v_sqrt(a));
}

INLINE vec f_abs(vec a)
{
    a = stored(a);
    return stored(v_abs(a));
}

INLINE vec f_sin(vec a)
{
    a = stored(a);
    return stored(v_sin(a));
}

INLINE vec f_cos(vec a)
{
    a = stored(a);
    return stored(v_cos(a));
}

INLINE vec f_minimum(vec a, vec b)
{
    a = stored(a);
    b = stored(b);
    return stored(v_select(v_is_nan(a), a, v_select(v_less(a, b), a, b)));
}

INLINE vec f_maximum(vec a, vec b)
{
    a = stored(a);
    b = stored(b);
    return stored(v_select(v_is_nan(a), a, v_select(v_less(b, a), a, b)));
}

INLINE vec f_positive(vec a)
{
    a = stored(a);
    return stored(v_select(v_less(K(0), a), K(1), K(0)));
}

INLINE vec f_sign(vec a)
{
    a = stored(a);
    return stored(v_select(v_less(K(0), a), K(1), v_select(v_less(a, K(0)), K(-1), K(0))));
}

INLINE vec f_prefer(vec a, vec b)
{
    a = stored(a);
    b = stored(b);
    return stored(v_select(v_less(b, a), K(1), v_select(v_less(a, b), K(0), K(0.5))));
}

/* Whole powers, by repeated products. */
INLINE vec power_1(vec a)
{
    return a;
}

INLINE vec power_2(vec a)
{
    return a * a;
}

INLINE vec power_3(vec a)
{
    return a * a * a;
}

INLINE vec power_4(vec a)
{
    return a * a * a * a;
}

INLINE vec power_5(vec a)
{
    return a * a * a * a * a;
}

INLINE vec power_6(vec a)
{
    return a * a * a * a * a * a;
}

INLINE vec power_7(vec a)
{
    return a * a * a * a * a * a * a;
}

INLINE vec power_8(vec a)
{
    return a * a * a * a * a * a * a * a;
}

/* The sum of n numbers: lane by lane, then over the lanes. */
INLINE real sum_of(const real *p, size_t n)
{
    vec total = load(p, n);
    for (size_t i = LANES; i < n; i += LANES)
        total += load(p + i, n - i);
    return hsum(total);
}

/* ---- register tiles ---- */

/* sums[i][j] = first[i][j] + a[i][k] * panel[k][j] for height rows, depth products from `k0` on, and width vectors of units. */
ALWAYS void run_tile(size_t height, size_t width, const real *first, size_t first_row, size_t k0, size_t depth, const real *const *a,
                     size_t a_depth, const real *restrict panel, size_t panel_row, real *sums, size_t sums_row)
{
    vec s[TILE_ROWS][TILE_COLUMNS];
    const real *restrict from[TILE_ROWS];
    for (size_t i = 0; i < height; ++i) {
        from[i] = a[i] + k0 * a_depth;
        for (size_t j = 0; j < width; ++j)
            s[i][j] = loadu(first + i * first_row + j * LANES);
    }
    for (size_t k = 0; k < depth * a_depth; k += a_depth) {
        vec w[TILE_COLUMNS];
        for (size_t j = 0; j < width; ++j)
            w[j] = loadu(panel + j * LANES);
        for (size_t i = 0; i < height; ++i) {
            const vec v = K(from[i][k]);
            for (size_t j = 0; j < width; ++j)
                s[i][j] = v_fma(v, w[j], s[i][j]);
        }
        panel += panel_row;
    }
    for (size_t i = 0; i < height; ++i)
        for (size_t j = 0; j < width; ++j)
            storeu(sums + i * sums_row + j * LANES, s[i][j]);
}

/* sums[i][j] += a[i][k] * panel[k][j] for any numbers of rows, columns and products; = where they are fresh. A part of the panel
   meets all rows before the next part does: it comes but once from a far cache. */
ONCE void accumulate(int fresh, size_t rows, size_t columns, size_t depth, const real *const *a, size_t a_depth,
                     const real *panel, size_t panel_row, real *sums, size_t sums_row)
{
    static const real zeros[TILE_COLUMNS * LANES];
    /* Tiles of about one height each: none is low. */
    const size_t runs = (rows + TILE_ROWS - 1) / TILE_ROWS, least = rows / runs, more = rows - least * runs;
    const size_t most = TILE_WIDTH(least + (more > 0)), deep = runs > 1 && depth > PANEL_DEPTH ? PANEL_DEPTH : depth;
    size_t width, height;
    for (size_t column = 0; column < columns; column += width) {
        /* What is left after the last whole pass but one is halved: no pass is narrow. */
        const size_t left = columns - column;
        size_t k = 0;
        width = left <= most ? left : left < 2 * most ? (left + 1) / 2 : most;
        do {
            const size_t part = depth - k < deep ? depth - k : deep;
            const real *const from = panel + k * panel_row + column * LANES;
            const int begins = fresh && !k;
            for (size_t row = 0, run = 0; run < runs; row += height, ++run) {
                real *const into = sums + row * sums_row + column * LANES;
                height = least + (run < more);
#define TILE(height, width)                                                                                       \
    case height * 8 + width:                                                                                      \
        run_tile(height, width, begins ? zeros : into, begins ? 0 : sums_row, k, part, a + row, a_depth, from,    \
                 panel_row, into, sums_row);                                                                      \
        break;
#define TILES_2(height) TILE(height, 1) TILE(height, 2)
#define TILES_4(height) TILES_2(height) TILE(height, 3) TILE(height, 4)
                switch (height * 8 + width) {
                    TILES_4(1)
                    TILES_4(2)
                    TILES_4(3)
#if REGISTERS == 16
                    TILES_2(4)
                    TILES_2(5)
                    TILES_2(6)
#else
                    TILES_4(4)
                    TILES_4(5)
#if TILE_ROWS > 5
                    TILES_4(6)
#endif
#endif
                default:
                    break;
                }
#undef TILES_4
#undef TILES_2
#undef TILE
            }
            k += part;
        } while (k < depth);
    }
}

/* ---- what the cell's tables say, in this precision ---- */

/* A sequence of rows: where it begins, numbers in a row, from a step's rows to the next step's, where it lies, how it moves. */
typedef struct S(array) {
    real *base;
    size_t width, step, offset;
    enum memory memory;
    enum motion motion;
} S(array);

/* The arrays at the current step of a routine, and what the stages ask besides. */
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
    const real *sums;
    int idle;
} S(span);

/* The row of an array that the span is in. */
ALWAYS real *row_at(const S(at) *at, const S(span) *span, size_t array)
{
    return at->to[array] + span->row * at->stride[array];
}

/* STAGE(name, SIDE) begins the function of a stage's statements, which run on vectors of units one by one or SIDE by SIDE: 1
   or 2. Two are for statements that call functions, whose results take long: those of one vector need not wait for those of the
   other. How it is written: of the `N` vectors at hand v is one, `unit` is the first unit, and `count` how many there are
   from it on; two vectors are whole. A value is an array of vectors: LET(c) = a[v] * b[v]. SUM(i) is the i-th sum. */
#undef IN_STEP
#if ROW_STAGES <= 2 || defined(MOST_UNITS)
#define IN_STEP ALWAYS /* a step of few stages is worth the time that its own copy takes to compile: see ON_ROW */
#else
#define IN_STEP static
#endif
#define STAGE(name, side)                                                                                               \
    ALWAYS void S(name##_on)(const S(at) *at, const S(span) *span, size_t begin, size_t end, size_t N);                 \
    IN_STEP void S(name)(const S(at) *at, const S(span) *span)                                                          \
    {                                                                                                                   \
        run_vectors(S(name##_on), at, span, side);                                                                      \
    }                                                                                                                   \
    ALWAYS void S(name##_on)(const S(at) *at, const S(span) *span, size_t begin, size_t end, size_t N)
/* ON_ROW makes the function that runs a stage on a single row, where a step has few; RUN_ON_ROW lets the stage `s` use it. The stage
   has `all` sums, 0 where their number varies, in tiles of at most `most` vectors. */
#undef ON_ROW
#undef RUN_ON_ROW
#if ROW_STAGES <= 2 || defined(MOST_UNITS)
#define RUN_ON_ROW(name) (s.row = S(name##_row))
#define ON_ROW(name, all, most)                                                                                         \
    ONCE void S(name##_row)(const S(at) *at, const S(stage) *s)                                                         \
    {                                                                                                                   \
        run_row_with(S(name), (all) ? (all) : s->sums, (most) == 1 ? 1 : s->vectors, at, s);                         \
    }
#else
#define RUN_ON_ROW(name) ((void)0)
#define ON_ROW(name, all, most)
#endif
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
#define READ(row) load((row) + unit + v * LANES, N > 1 ? LANES : count)
#define WRITE(row, value)               \
    for (size_t v = 0; v < N; ++v)      \
    store((row) + unit + v * LANES, value, N > 1 ? LANES : count)

/* Where the sums of the next N vectors are; returns where those after them are. */
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

/* Values side by side that feed the sums from `first` on, `count` of them, with a panel of packed weights. */
typedef struct S(operand) {
    size_t array, block, column, depth, panel, first, count; /* `block`: of packed weights, where the operand is one of them */
    int later; /* of the step before in this loop */
    int adds;  /* whether an operand before it feeds one of its sums */
    /* Once weights are there: */
    const real *weights;         /* the panel of the first tile */
    size_t panel_row, tile, from; /* numbers from one depth, and from one tile, to the next; where the values begin in their row */
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
    int masked;                         /* whether rows beyond their length are told apart */
    int later;                          /* whether it reads the step before in this loop */
    size_t depth, filled;               /* of all operands; the sums that some operand feeds */
    size_t operands;
    S(operand) operand[MOST_OPERANDS];
};

ONCE void run_row(const S(at) *at, const S(stage) *s);
ONCE void run_units(const S(at) *at, const S(stage) *s);

/* A stage of tiles of `most` vectors of units at most. Its tiles are counted here, once for all steps: divisions take long. */
ALWAYS S(stage) new_stage(const char *name, S(statements) *run, size_t units, size_t sums, size_t most, int masked)
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
    s.later = 0;
    s.depth = s.filled = s.operands = 0;
    return s;
}

/* Add an operand; where operands before it filled its sums already, it adds to them. */
ALWAYS void add_packed(S(stage) *s, size_t block, size_t column, size_t depth, size_t panel, size_t first, size_t count, int later)
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

ALWAYS void add_operand(S(stage) *s, size_t array, size_t column, size_t depth, size_t panel, size_t first, size_t count, int later)
{
    add_packed(s, 0, column, depth, panel, first, count, later);
    s->operand[s->operands - 1].array = array;
}

/* Say where the operands of a stage lie, now that its weights are known. */
ALWAYS void find_weights(S(stage) *s, const piece *pieces, const real *packed)
{
    for (S(operand) *o = s->operand; o < s->operand + s->operands; ++o) {
        o->weights = packed + pieces[o->panel].at;
        o->panel_row = o->count * s->vectors * LANES;
        o->tile = o->depth * o->panel_row;
        o->from = o->column + (o->array == AT_PACKED ? pieces[o->block].at : 0);
    }
}

/* Give a part its tiles. Two tiles of a single row are for one part. */
ALWAYS void share_out(S(stage) *s, int one_row, size_t part, size_t parts)
{
    const int both = one_row && s->tiles == 2;
    s->begin = both && part ? s->tiles : share_tiles(s->tiles, s->vectors, part, parts);
    s->end = both ? s->tiles : share_tiles(s->tiles, s->vectors, part + 1, parts);
}

/* The first row of an operand at the current step; null for one of a step before where there is none. */
ALWAYS const real *operand_row(const S(at) *at, const S(operand) *o)
{
    const real *const rows = o->later ? at->later[o->array] : at->to[o->array];
    return rows ? rows + o->from : NULL;
}

/* Multiply-adds of one row of a stage. */
QUERY double stage_work(const S(stage) *s)
{
    double work = 0;
    for (size_t i = 0; i < s->operands; ++i)
        work += (double)s->operand[i].count * (double)s->units * (double)s->operand[i].depth;
    return work;
}

/* ---- packed weights ---- */

/* Room for a vector of numbers, or for a panel: [tile][depth][accumulator][vector][lane], what a register tile reads, in its
   order, rounded up to whole tiles. Returns whether they can be counted. */
ALWAYS int place_vector(size_t *end, piece *to, size_t numbers)
{
    return take(end, &to->at, numbers, 1, 1);
}

ALWAYS int place_panel(size_t *end, piece *to, size_t units, size_t vectors, size_t depth, size_t count)
{
    to->units = units;
    to->vectors = vectors;
    to->depth = depth;
    to->count = count;
    return take(end, &to->at, (units - 1) / LANES + vectors, depth, count * LANES);
}

/* Numbers that the tag takes: of a digest, the layout, and so many sizes. */
#define TAG_NUMBERS(sizes) WHOLE((3 + (sizes)) * (64 / REAL))
#define TAG_LAYOUT ((uint64_t)sizeof(real) << 32 | LANES)

/* Packed weights begin with a tag, by which a build knows those that it can read. */
ONCE void put_tag(real *packed, const char *digest, const size_t *sizes, size_t count)
{
    put_word(packed, 0, word_at(digest, 0));
    put_word(packed, 1, word_at(digest, 1));
    put_word(packed, 2, TAG_LAYOUT); /* bytes of a number, numbers in a vector */
    for (size_t i = 0; i < count; ++i)
        put_word(packed, 3 + i, sizes[i]);
}

ALWAYS int check_tag(const real *packed, const char *digest, const size_t *sizes, size_t count)
{
    int same = word_at(packed, 0) == word_at(digest, 0) && word_at(packed, 1) == word_at(digest, 1)
               && word_at(packed, 2) == TAG_LAYOUT;
    for (size_t i = 0; i < count; ++i)
        same = same && word_at(packed, 3 + i) == sizes[i];
    return same ? SYMRNN_OK : SYMRNN_LAYOUT;
}

/* Lay a matrix out in a panel, or add it to what is there, as one accumulator, from a depth on. This part's tiles alone; lanes
   beyond the units are zero. The matrix is read by rows of `columns` numbers, or transposed. */
ONCE void pack_form(real *packed, const piece *b, size_t accumulator, size_t start, size_t depth, const real *matrix,
                    size_t columns, int transposed, int add, const party *us)
{
    const size_t units = b->units, vectors = fit_vectors(units, LANES, b->vectors), panel_row = b->count * vectors * LANES;
    const size_t row_stride = transposed ? 1 : columns, depth_stride = transposed ? columns : 1;
    const size_t groups = (units + LANES - 1) / LANES, tiles = (groups + vectors - 1) / vectors;
    for (size_t group = share(tiles, us->part, us->parts) * vectors; group < share(tiles, us->part + 1, us->parts) * vectors; ++group) {
        const size_t unit = group * LANES, count = unit < units ? units - unit : 0;
        const size_t tile = group / vectors, vector = group % vectors;
        real *to = packed + b->at + (tile * b->depth + start) * panel_row + (accumulator * vectors + vector) * LANES;
        const real *from = matrix + (count ? unit * row_stride : 0);
        size_t k = 0;
#if BYTES == 64
        if (count >= LANES && !add && depth_stride == 1)
            for (; k + LANES <= depth; k += LANES) {
                transpose(to, panel_row, from, row_stride);
                to += panel_row * LANES;
                from += LANES;
            }
#endif
        for (; k < depth; ++k) {
            if (count >= LANES && !add && row_stride == 1)
                storeu(to, loadu(from));
            else if (count >= LANES && !add)
                for (size_t i = 0; i < LANES; ++i)
                    to[i] = from[i * row_stride];
            else
                for (size_t i = 0; i < LANES; ++i)
                    to[i] = (i < count ? from[i * row_stride] : 0) + (add ? to[i] : 0);
            to += panel_row;
            from += depth_stride;
        }
    }
}

/* ---- a stage on several rows ---- */

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
        /* Several tiles before the statements: those of one unit need not wait for those of another. */
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
                real sums[SUM_ROWS * MOST_SUMS * LANES];
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
                        accumulate(!o->adds && !o->later, running, o->count * vectors, o->depth, lines, 1, o->weights + tile * o->tile,
                                   o->panel_row, sums + (tile - tile0) * apart + o->first * wide, columns * LANES);
                    }
                }
                S(span) span = {.units = units, .unit = tile0 * wide, .end = tile1 * wide < units ? tile1 * wide : units, .wide = wide, .apart = apart};
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

/* A stage of what depends on parameters alone, which has one row. */
INLINE void run_once(const S(at) *at, S(stage) s)
{
    find_weights(&s, at->pieces, at->packed);
    run_stage(at, &s, 0, 1);
}

/* ---- a stage on one row ---- */

/* Into how many sums the depth of each form is split, where there are so many sums besides: enough multiply-adds must be
   under way, of which vectors of 64 bytes run one at a time, narrower ones two. */
#undef SPLITS
#define SPLITS(sums) ((sums) < (BYTES == 64 ? 4 : 8) ? (BYTES == 64 ? 4 : 8) / (sums) : 1)
/* Tiles whose sums a row keeps before its statements run on them, so that those of one vector need not wait for another's. */
#define ROW_TILES 8

/* The products of one operand: a row of `depth` values with the panels of tiles. */
typedef struct S(product) {
    const real *a, *panel;
    size_t depth, panel_row, tile; /* numbers from one depth to the next, and from one tile to the next */
    int adds, turned;              /* whether they add to the sums; whether tiles run from last to first */
} S(product);

/* Sums of one tile, or of two that share what is broadcast, `width` vectors of each; kept several times, each for a share of the
   depth, where a few would wait for themselves. `apart`: numbers from one tile's sums to the other's. Sums have names in the
   loops, where compilers keep an array of them in memory. */
ALWAYS void run_row_tile(size_t together, size_t width, size_t splits, const S(product) *p, const real *panel, real *sums, size_t apart)
{
    const size_t all = together * width, depth = p->depth, panel_row = p->panel_row;
    const real *a = p->a, *other = panel + (together - 1) * p->tile; /* offsets from one pointer would each want a register */
    size_t k = 0;
#define EACH_OF_8(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define BEGIN(i) vec s##i = p->adds && i < all ? loadu(sums + i / width * apart + i % width * LANES) : K(0);
#define ADD(i, number)                                                                                         \
    if (i < (number)) {                                                                                        \
        s##i = v_fma(K(a[k + i / all]), loadu((i % all / width ? other : panel) + i % width * LANES), s##i);   \
        if (i % all == all - 1) {                                                                              \
            panel += panel_row;                                                                                \
            other += panel_row;                                                                                \
        }                                                                                                      \
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
        storeu(sums + i / width * apart + i % width * LANES, s[i]);
#undef ADD_REST
#undef ADD_SPLITS
#undef ADD
#undef BEGIN
#undef EACH_OF_8
}

/* The same for all of some tiles. */
#undef SUM_TILES
#define SUM_TILES(together, width)                                                                                            \
    ONCE void S(sum_tiles_##together##_##width)(const S(product) *p, size_t tiles, real *sums, size_t apart)                  \
    {                                                                                                                         \
        const size_t first = p->turned ? tiles - together : 0;                                                                \
        const ptrdiff_t step = p->turned ? -together : together;                                                              \
        const real *panel = p->panel + first * p->tile;                                                                       \
        sums += first * apart;                                                                                                \
        for (size_t i = 0; i < tiles; i += together) {                                                                        \
            run_row_tile(together, width, SPLITS(together * width), p, panel, sums, apart);                                   \
            panel += step * (ptrdiff_t)p->tile;                                                                               \
            sums += step * (ptrdiff_t)apart;                                                                                  \
        }                                                                                                                     \
    }
SUM_TILES(1, 1)
SUM_TILES(1, 2)
SUM_TILES(1, 3)
SUM_TILES(1, 4)
SUM_TILES(2, 1)
SUM_TILES(2, 2)
SUM_TILES(2, 3)
SUM_TILES(2, 4)

/* The sums of the tiles from `tile0` on, `tiles` of them: one operand after the other, at most 4 vectors side by side. An operand
   of a step that there is none of has no depth: its sums are zero. */
ALWAYS void sum_row(size_t all, size_t vectors, const S(at) *at, const S(stage) *s, size_t tile0, size_t tiles, size_t together,
                    real *sums)
{
    static void (*const sum_tiles[])(const S(product) *, size_t, real *, size_t) = {
        S(sum_tiles_1_1), S(sum_tiles_1_2), S(sum_tiles_1_3), S(sum_tiles_1_4),
        S(sum_tiles_2_1), S(sum_tiles_2_2), S(sum_tiles_2_3), S(sum_tiles_2_4)};
    const size_t wide = vectors * LANES, apart = all * wide, most = 4;
    if (s->filled < all)
        for (size_t i = 0; i < tiles * all * vectors; ++i)
            storeu(sums + i * LANES, K(0));
    for (const S(operand) *o = s->operand; o < s->operand + s->operands; ++o) {
        const real *const a = operand_row(at, o);
        S(product) product = {a, o->weights + tile0 * o->tile, a ? o->depth : 0, o->panel_row, o->tile, o->adds, at->turned};
        real *into = sums + o->first * wide;
        for (size_t columns = o->count * vectors, width; columns; columns -= width) {
            width = columns <= most ? columns : columns < 2 * most ? (columns + 1) / 2 : most;
            sum_tiles[(together - 1) * most + width - 1](&product, tiles, into, apart);
            product.panel += width * LANES;
            into += width * LANES;
        }
    }
}

/* `run` is the stage's, `all` its sums and `vectors` those of a tile: constants where this is inlined. */
ALWAYS void run_row_with(S(statements) *run, size_t all, size_t vectors, const S(at) *at, const S(stage) *s)
{
    const size_t units = s->units, wide = vectors * LANES, tiles = s->end - s->begin;
    S(span) span = {.row = 0, .idle = 0, .units = units};
    if (!all) {
        span.unit = s->begin * LANES;
        span.end = s->end * LANES < units ? s->end * LANES : units;
        if (tiles)
            run(at, &span);
        return;
    }
    const size_t together = s->tiles == 2 ? 2 : 1, passes = (tiles + ROW_TILES - 1) / ROW_TILES;
    _Alignas(64) real sums[ROW_TILES * MOST_SUMS * LANES];
    span.wide = wide;
    span.apart = all * wide;
    span.sums = sums;
    for (size_t pass = 0; pass < passes; ++pass) {
        /* Every other step runs the tiles from last to first: the panels that are still in a cache come first. */
        const size_t tile0 = s->begin + (at->turned ? passes - 1 - pass : pass) * ROW_TILES;
        const size_t count = s->end - tile0 < ROW_TILES ? s->end - tile0 : ROW_TILES, last = (tile0 + count) * wide;
        sum_row(all, vectors, at, s, tile0, count, together, sums);
        span.unit = tile0 * wide;
        span.end = last < units ? last : units;
        run(at, &span);
    }
}

/* The same without sums. */
ONCE void run_units(const S(at) *at, const S(stage) *s)
{
    run_row_with(s->run, 0, 1, at, s);
}

ONCE void run_row(const S(at) *at, const S(stage) *s)
{
    run_row_with(s->run, s->sums, s->vectors, at, s);
}

/* A step of one row: what its stages ask besides the arrays of the cell. */
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

/* ---- deferred gradients: matrix products and sums over the rows of all steps, a chunk of rows at a time ---- */

/* The rows of the right side in an order, as a panel: [tile][row][RIGHT_COLUMNS][lane]. */
ONCE void pack_right(size_t rows, const size_t *order, const real *from, size_t stride, size_t width,
                       real *panel)
{
    const size_t wide = RIGHT_COLUMNS * LANES;
    for (size_t unit = 0; unit < width; unit += wide) {
        for (size_t row = 0; row < rows; ++row) {
            const real *const source = from + order[row] * stride + unit;
            for (size_t i = 0; i < wide; i += LANES) {
                const size_t count = unit + i < width ? width - unit - i : 0;
                storeu(panel + i, count ? load(source + i, count) : K(0));
            }
            panel += wide;
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

/* A matrix whose gradient is a left side times a right side: the latter as a panel, how many columns it has, and whether
   nothing was written to the gradient yet. */
/* The left side of deferred products, or a sum: an array's columns over the rows of all steps. */
typedef struct S(columns) {
    size_t array, column, width;
} S(columns);

/* The gradient of a matrix, of `left` times the right side of that number; or of a vector, the sum of `left`. `alone` says
   that nothing else adds to it. */
typedef struct S(gradient) {
    S(columns) left;
    size_t right;
    real *to;
    int alone;
} S(gradient);

/* A matrix whose gradient is a left side times a right side: the latter as a panel, how many columns it has, and whether
   nothing was written to the gradient yet. */
typedef struct S(outer) {
    const real *panel;
    size_t width;
    real *gradient;
    int fresh;
} S(outer);

/* gradient[i][j] += sum over rows of left[row][i] * panel[row][j], for the rows begin[0] to begin[tiles] of the gradient. A part
   of the panel meets all tiles before the next part does: it comes but once from a far cache. */
ONCE void add_outer(size_t rows, const real *block, const size_t *begin, size_t tiles, const S(outer) *to)
{
    const size_t wide = RIGHT_COLUMNS * LANES;
    for (size_t unit = 0; unit < to->width; unit += wide) {
        const size_t count = to->width - unit < wide ? to->width - unit : wide;
        for (size_t tile = 0; tile < tiles; ++tile) {
            const size_t high = begin[tile + 1] - begin[tile];
            const real *const panel = to->panel + unit * rows, *columns[TILE_ROWS];
            for (size_t i = 0; i < high; ++i)
                columns[i] = block + tile * rows * TILE_ROWS + i;
            real *const into = to->gradient + begin[tile] * to->width + unit;
            if (count == wide) {
                for (size_t i = 0; i < (tile + 1 < tiles ? TILE_ROWS : 0); ++i)
                    for (size_t j = 0; j < wide; j += LANES)
                        PREFETCH(into + (high + i) * to->width + j);
                accumulate(to->fresh, high, RIGHT_COLUMNS, rows, columns, TILE_ROWS, panel, wide, into, to->width);
                continue;
            }
            real sums[TILE_ROWS * RIGHT_COLUMNS * LANES];
            accumulate(1, high, (count + LANES - 1) / LANES, rows, columns, TILE_ROWS, panel, wide, sums, wide);
            for (size_t i = 0; i < high; ++i)
                for (size_t j = 0; j < count; ++j)
                    into[i * to->width + j] = (to->fresh ? 0 : into[i * to->width + j]) + sums[i * wide + j];
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

/* gradient[j] += sum over rows of value[row][j], or = where it is fresh; this part's vectors of units. */
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

/* This part's share of a gradient that several products and sums add to, or none: zero. */
ONCE void clear(real *gradient, size_t numbers, const party *us)
{
    const size_t begin = share(numbers, us->part, us->parts);
    memset(gradient + begin, 0, (share(numbers, us->part + 1, us->parts) - begin) * sizeof *gradient);
}

/* ---- a routine: its arrays, its stages, and how they run over time ---- */

/* An array that changes from step to step, and by how many numbers: from an even step, from an odd one. */
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
    size_t states, arrays, stages, moves;
    S(move) move[MOST_ARRAYS];
    S(array) array[MOST_ARRAYS];
    S(stage) stage[MOST_STAGES]; /* phase by phase, in order */
    size_t begin[PHASES + 1];    /* where the stages of a phase begin */
} S(routine);

ONCE void begin_routine(S(routine) *r, const void *dims, sequence seq, party us, const piece *pieces, size_t states, int can_fuse)
{
    r->dims = dims;
    r->seq = seq;
    r->us = us;
    r->pieces = pieces;
    r->packed = NULL;
    r->states = states;
    r->hoisted = r->arrays = r->stages = 0;
    r->can_fuse = can_fuse;
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

INLINE int fuses(const S(routine) *r)
{
    return r->can_fuse && is_fused(&r->seq);
}

/* Steps whose hoisted values are computed together. */
ONCE size_t chunk_steps(const S(routine) *r)
{
    const size_t numbers = r->seq.rows * r->hoisted, steps = r->seq.steps ? r->seq.steps : 1;
    const size_t most = numbers ? HOISTED_NUMBERS / numbers : steps;
    return fuses(r) || most < 1 ? 1 : most < steps ? most : steps;
}

/* Lay the arrays out on the tape, where there is one, and in a workspace, that of the forward routine (WORK) or of the backward
   one (BACK); returns whether they can be counted. */
ONCE int lay_out(S(routine) *r, int taped, enum memory own, size_t *tape_end, size_t *work_end)
{
    const size_t chunk = chunk_steps(r), steps = r->seq.steps;
    int fits = 1;
    *tape_end = *work_end = 0;
    for (S(array) *a = r->array; a < r->array + r->arrays; ++a) {
        const int on_tape = taped && a->memory == TAPE;
        const size_t kept[MOTIONS] = {1, steps, on_tape ? steps : chunk, on_tape ? steps : 1, on_tape ? steps + 1 : 2, 0};
        if (a->memory == GIVEN || (a->memory != TAPE && a->memory != own))
            continue;
        if (a->motion == AFTER)
            a->offset = a[-1].offset;
        else
            fits &= take(on_tape ? tape_end : work_end, &a->offset, kept[a->motion], r->seq.rows, a->width);
        if (on_tape && (a->motion == EACH_HOISTED || a->motion == EACH_TAPED))
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

/* Point the arrays at the memory where they were laid out, and `at` at the routine, whose steps run in the order of time or in the
   reverse. */
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
                move->by[t & 1] = ((ptrdiff_t)slot_of(at, a, ahead ? t + 1 : t - 1) - (ptrdiff_t)slot_of(at, a, t)) * (ptrdiff_t)a->step;
        }
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

/* Numbers from `first` on, `count` of them; zeros where there is nothing to copy from. */
ONCE void copy_rows(real *to, const real *from, size_t first, size_t count)
{
    if (from)
        memmove(to + first, from + first, count * sizeof *to);
    else
        memset(to + first, 0, count * sizeof *to);
}

/* What a part does: a range of rows in every step, or a share of the units of every stage and a meeting after each. Rows of
   states are copied in and out by rows whatever the split. */
typedef struct S(split) {
    int by_rows, one_row;
    size_t row0, row1, own0, own;
} S(split);

ONCE S(split) split_work(S(routine) *r)
{
    const size_t rows = r->seq.rows, part = r->us.part, parts = r->us.parts;
    const int by_rows = split_rows(rows, parts), one_row = rows == 1 && !r->seq.lengths;
    const size_t own0 = share(rows, part, parts), own1 = share(rows, part + 1, parts);
    for (size_t i = 0; i < r->stages; ++i) {
        find_weights(&r->stage[i], r->pieces, r->packed);
        if (!by_rows && r->begin[LOOP] <= i && i < r->begin[LAST + 1])
            share_out(&r->stage[i], one_row, part, parts);
    }
    if (by_rows)
        return (S(split)){1, one_row, own0, own1, own0, own1 - own0};
    return (S(split)){0, one_row, 0, rows, own0, own1 - own0};
}

/* The stages of the loop at the current step. */
INLINE void run_step(const S(at) *at, const S(routine) *r, const S(split) *split)
{
    for (const S(stage) *s = r->stage + r->begin[LOOP]; s < r->stage + r->begin[LOOP + 1]; ++s) {
        if (split->one_row)
            PROFILED(s->name, s->row(at, s));
        else
            PROFILED(s->name, run_stage(at, s, split->row0, split->row1));
        if (!split->by_rows)
            meet(&r->us);
    }
}

/* What is hoisted of `count` steps from the origin on, which the arrays point at. */
INLINE void run_hoisted(S(at) *at, const S(routine) *r, const S(split) *split, size_t count)
{
    const S(stage) *const stages = r->stage + r->begin[HOIST], *const end = r->stage + r->begin[HOIST + 1];
    if (stages == end)
        return;
    if (split->by_rows && r->us.parts > 1) {
        for (size_t t = at->origin; t < at->origin + count; ++t) {
            seek(at, r, t);
            for (const S(stage) *s = stages; s < end; ++s)
                PROFILED(s->name, run_stage(at, s, split->row0, split->row1));
        }
        return;
    }
    const size_t rows = count * r->seq.rows, begin = share(rows, r->us.part, r->us.parts);
    seek(at, r, at->origin);
    for (const S(stage) *s = stages; s < end; ++s)
        PROFILED(s->name, run_stage(at, s, begin, share(rows, r->us.part + 1, r->us.parts)));
    meet(&r->us);
}

/* This part's share of all steps; `tape` may be null, `state` means zeros where it is, and `state_out` is left out. */
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
    const S(split) split = split_work(r);
    for (size_t i = 0, start = 0; i < r->states; start += rows * r->array[AT_STATES + 2 * i++].width) {
        const S(array) *const a = &r->array[AT_STATES + 2 * i];
        copy_rows(a->base + initial * a->step, state ? state + start : NULL, split.own0 * a->width, split.own * a->width);
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
        copy_rows(state_out + start, a->base + final * a->step, split.own0 * a->width, split.own * a->width);
    }
    return SYMRNN_OK;
}

/* The multiply-adds of one row of a step that fall to the part with most tiles of units; two tiles of a single row are for
   one part. What is hoisted is shared by rows, and stages without linear forms take too little to count. */
QUERY double part_work(const S(routine) *r, size_t parts)
{
    double work = 0;
    for (size_t i = r->begin[HOIST]; i < r->begin[HOIST + 1]; ++i)
        work += stage_work(&r->stage[i]) / (double)parts;
    for (size_t i = r->begin[LOOP]; i < r->begin[LOOP + 1]; ++i) {
        const S(stage) *const s = &r->stage[i];
        const size_t most = r->seq.rows == 1 && s->tiles == 2 ? s->tiles : share_tiles(s->tiles, s->vectors, 1, parts);
        work += stage_work(s) * (double)most / (double)s->tiles;
    }
    return work;
}

/* In how many parts, from 1 to `most`, a call is worth running. The routine's stages are those that hoist. */
QUERY size_t useful_parts(const S(routine) *r, size_t most)
{
    const size_t rows = r->seq.rows;
    const double row = (double)rows * MULTIPLY_NS * sizeof(real) * (fill_tiles(rows) ? 1.0 : LOW_TILES);
    const double step = row * part_work(r, 1), steps = (double)r->seq.steps;
    double states = 0, least = step * steps;
    size_t best = 1;
    for (size_t i = 0; i < r->states; ++i)
        states += (double)r->array[AT_STATES + 2 * i].width;
    for (size_t parts = 2; HAS_PARTS && parts <= most && parts <= SYMRNN_MOST_PARTS; ++parts) {
        double one = step / (double)parts;
        if (!split_rows(rows, parts))
            one = row * part_work(r, parts) + (double)(r->begin[LOOP + 1] - r->begin[LOOP]) * MEET_NS + (double)rows * states * FETCH_NS * sizeof(real);
        const double time = START_NS + one * steps;
        if (time < least) {
            least = time;
            best = parts;
        }
    }
    return best;
}

/* The products and sums that a call defers: right sides, gradients of matrices, those with one left side next to one another,
   and gradients of vectors. */
typedef struct S(products) {
    const S(columns) *right;
    const S(gradient) *outer, *sum;
    size_t rights, outers, sums;
    int accumulate;
} S(products);

/* Room for the packed sides of the deferred products, after the arrays: each right side's panel, then the left side's; returns
   whether they can be counted. */
ONCE int place_products(const S(columns) *right, size_t rights, size_t parts, size_t *panels, size_t *end)
{
    int fits = 1;
    for (size_t i = 0; i < rights; ++i)
        fits &= take(end, &panels[i], parts, panel_numbers(right[i].width, LANES), 1);
    return fits & (!rights || take(end, &panels[rights], parts, CHUNK, LEFT_TILES * TILE_ROWS));
}

/* The deferred products and sums, this part's share of each gradient. */
INLINE void run_products(const S(at) *at, const S(routine) *r, const S(products) *p, real *workspace, const size_t *panels)
{
    const size_t rows = r->seq.steps * r->seq.rows, part = r->us.part;
    for (size_t row = 0; row == 0 || row < rows; row += CHUNK) {
        const int fresh = !p->accumulate && row == 0;
        size_t order[CHUNK], next;
        const size_t count = order_rows(&r->seq, row, 0, rows - row < CHUNK ? rows - row : CHUNK, order);
        real *panel[MOST_RIGHTS];
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

/* This part's share of the backward pass; `dstate` means zeros where it is null, and `dstate_in` is left out. */
ONCE int run_backward(S(routine) *r, const S(products) *p, const real *x, const real *tape, const real *dy, const real *dstate, real *dx,
                      real *dstate_in, real *workspace)
{
    const size_t rows = r->seq.rows, steps = r->seq.steps, carries = AT_STATES + 2 * r->states, initial = carries + r->states;
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
    if (steps)
        seek(&at, r, r->seq.reverse ? 0 : steps - 1);
    for (size_t step = 0; step < steps;) {
        run_step(&at, r, &split);
        for (const S(move) *m = r->move; m < r->move + r->moves; ++m)
            at.later[m->array] = at.to[m->array];
        if (++step == steps)
            break;
        advance(&at, r, r->seq.reverse ? step : steps - 1 - step);
    }
    if (dstate_in) {
        for (size_t i = 0, start = 0; i < r->states; start += rows * r->array[carries + i++].width)
            at.to[initial + i] = dstate_in + start;
        for (const S(stage) *s = r->stage + r->begin[LAST]; s < r->stage + r->begin[LAST + 1]; ++s)
            PROFILED(s->name, run_stage(&at, s, split.row0, split.row1));
    }
    meet(&r->us);
    seek(&at, r, 0);
    const size_t begin = share(steps * rows, r->us.part, r->us.parts), end = share(steps * rows, r->us.part + 1, r->us.parts);
    if (!GIVES_DX)
        memset(dx + begin * at.stride[AT_DX], 0, (end - begin) * at.stride[AT_DX] * sizeof *dx);
    for (const S(stage) *s = r->stage + r->begin[DEFERRED]; s < r->stage + r->begin[DEFERRED + 1]; ++s)
        PROFILED(s->name, run_stage(&at, s, begin, end));
    if (r->begin[DEFERRED] != r->begin[DEFERRED + 1])
        meet(&r->us);
    PROFILED("products", run_products(&at, r, p, workspace, panels));
    return SYMRNN_OK;
}

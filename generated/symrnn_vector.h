/* The runtime of symrnn's C kernels in one precision, first part: vectors of numbers, and the functions of the equation
   language on them. REAL is 32 for float and 64 for double. Included once for each, after `symrnn.h`, where each name below is
   a macro that gives it the ending of the precision. `symrnn_stage.h` and `symrnn_time.h` follow. */

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

/* Bytes in a vector. If vectors of 32 bytes hold all units, two operations run at a time; of 64 bytes, one. */
#if SYMRNN_VECTOR_BYTES == 64 && defined(__AVX512VL__) && defined(MOST_UNITS) && MOST_UNITS <= 256 / REAL
#define BYTES 32
#else
#define BYTES SYMRNN_VECTOR_BYTES
#endif
/* Whether a comparison gives a mask with one bit for each lane. */
#if BYTES == 64 || (BYTES == 32 && defined(__AVX512VL__))
#define MASKS 1
#else
#define MASKS 0
#endif
/* Whether arithmetic may carry more digits than memory holds, as that of x87 does. Arithmetic of vectors does not.
   FLT_EVAL_METHOD 16 widens numbers of 16 bits alone. Source: ISO/IEC 9899:2011, 5.2.4.2.2; TS 18661-3. */
#if BYTES \
    || (defined(FLT_EVAL_METHOD) && (FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 16 || (REAL == 64 && FLT_EVAL_METHOD == 1)))
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

/* a b + c, rounded once on x86, on AArch64 and lane by lane where the processor can. A compiler rounds `a * b + c` once in one
   loop and twice in another (GCC splits single chains of them on some processors), so a row's result would depend on the rows
   beside it. */
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
   compiler rounds some uses of a value and not others. What relies on rounding, and every comparison, reads stored numbers. */
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

/* Set where a < b; not set for NaN. */
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

/* exp(r) - 1 - r, by pairs of coefficients: half as many operations wait for one another. */
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
/* y 2^n where that is subnormal, n in t. Times a large power of two, it is added to the grid. That rounds it to the spacing of
   subnormal numbers, and the low bits of the sum are the subnormal number. No operation reads or makes one. */
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
    /* Zero gives -infinity, a negative number NaN; infinity and NaN stay. */
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

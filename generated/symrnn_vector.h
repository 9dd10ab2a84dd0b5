/* The runtime of symrnn's C kernels in one precision, first part: vectors of numbers. Memory, arithmetic and comparisons of
   vectors, for each set of instructions. REAL is 32 for float and 64 for double. Included once for each, after `symrnn.h`,
   where each name below is a macro that gives it the ending of the precision. `symrnn_functions.h`, `symrnn_stage.h` and
   `symrnn_time.h` follow. */

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
#if SHUFFLES && LANES == 16
    v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    return v[0] + v[1];
#elif SHUFFLES && LANES == 8
    v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5);
    return v[0] + v[1];
#elif SHUFFLES && LANES == 4
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1);
    return v[0] + v[1];
#endif
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
#elif BYTES == 32
/* Lanes of a and b in turn: the lower half of each half register, or the upper one. */
#undef LOWER
#undef UPPER
#define LOWER(a, b) KIND(_mm256_unpacklo)(a, b)
#define UPPER(a, b) KIND(_mm256_unpackhi)(a, b)

/* Half registers of a and b side by side. */
#undef HALVES
#define HALVES(a, b, which) KIND(_mm256_permute2f128)(a, b, which)

/* A square of LANES × LANES numbers, its rows to columns: within half registers, then between them. */
INLINE void transpose(real *to, size_t to_row, const real *from, size_t from_row)
{
    V256 row[LANES], mixed[LANES];
    for (size_t i = 0; i < LANES; ++i)
        row[i] = (V256)loadu(from + i * from_row);
#if LANES == 8
    for (size_t i = 0; i < LANES; i += 4) {
        const V256 a = LOWER(row[i], row[i + 2]), b = LOWER(row[i + 1], row[i + 3]);
        const V256 c = UPPER(row[i], row[i + 2]), d = UPPER(row[i + 1], row[i + 3]);
        mixed[i] = LOWER(a, b);
        mixed[i + 1] = UPPER(a, b);
        mixed[i + 2] = LOWER(c, d);
        mixed[i + 3] = UPPER(c, d);
    }
#else
    for (size_t i = 0; i < LANES; i += 2) {
        mixed[i] = LOWER(row[i], row[i + 1]);
        mixed[i + 1] = UPPER(row[i], row[i + 1]);
    }
#endif
    for (size_t i = 0; i < LANES / 2; ++i) {
        storeu(to + i * to_row, (vec)HALVES(mixed[i], mixed[i + LANES / 2], 0x20));
        storeu(to + (i + LANES / 2) * to_row, (vec)HALVES(mixed[i], mixed[i + LANES / 2], 0x31));
    }
}
#endif

/* The bits of a number without its sign. */
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

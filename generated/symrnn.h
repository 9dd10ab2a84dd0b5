/* The runtime of symrnn's C kernels, the part that does not depend on the precision: the processor, threads, shares of work,
   memory. `symrnn_vector.h`, `symrnn_functions.h`, `symrnn_stage.h` and `symrnn_time.h` follow, once for float and once for
   double. Before it includes this, a cell's own file defines:

       MOST_SUMS      vectors of sums that a stage keeps for one row of a tile, at most: its linear forms times vectors of units
       MOST_ARRAYS, MOST_STAGES, MOST_OPERANDS, MOST_RIGHTS   of any of its routines
       MOST_UNITS     units of any value, where all of them are fixed
       GIVES_DX       whether a stage computes the gradient of the input; else it is zero

   Nothing here allocates memory, creates threads or writes to a stream. */
#ifndef SYMRNN_H
#define SYMRNN_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__)
#error "compile without fast-math options: loading such a library makes the whole process flush subnormal numbers"
#endif
#if FLT_MANT_DIG != 24 || DBL_MANT_DIG != 53
#error "float and double must be IEEE 754's of 32 and 64 bits: compile for a target, or with options, that have them"
#endif
_Static_assert(sizeof 1.0 == sizeof(double),
               "compile without -fsingle-precision-constant: double would compute with constants of float");

/* Whether lanes of a vector can be named in any order. */
#define SHUFFLES 0
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#undef SHUFFLES
#define SHUFFLES 1
#endif
#endif

/* Have the loop that follows, of two rounds, written out. */
#if defined(__clang__)
#define UNROLL_2 _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL_2 _Pragma("GCC unroll 2")
#else
#define UNROLL_2
#endif

/* Functions that a cell may leave unused. INLINE is for small ones. ALWAYS is for those whose arguments are constants at each
   call, so that loops over these are unrolled. ONCE is for large ones, whose copies would only take time to compile. QUERY is
   for those that answer queries alone, and are compiled for size. The compiler treats code after such a call as cold too. */
#if defined(__GNUC__)
#define INLINE static inline __attribute__((unused))
#define ALWAYS static inline __attribute__((unused, always_inline))
#else
#define INLINE static inline
#define ALWAYS static inline
#endif
#if defined(__clang__)
#define ONCE static __attribute__((unused, noinline))
#elif defined(__GNUC__)
#define ONCE static __attribute__((unused, noinline, noclone))
#else
#define ONCE static
#endif
#if defined(__GNUC__)
#define QUERY static __attribute__((unused, noinline, cold))
#else
#define QUERY static
#endif

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#define PREFETCH_FAR(address) __builtin_prefetch(address, 0, 2) /* not into the first-level cache */
#else
#define PREFETCH(address) ((void)(address))
#define PREFETCH_FAR(address) ((void)(address))
#endif

/* ---- registers ---- */

/* Bytes in the widest vector registers in which this target computes with float and double alike, 0 where there are none.
   Vectors of other widths would be emulated, which takes more instructions than the plain path: one number at a time, for
   any C11 compiler. The last line of those of 16 bytes is RISC-V's. */
#if !(defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 9))
#define SYMRNN_REGISTER_BYTES 0
#elif defined(__AVX512F__)
#define SYMRNN_REGISTER_BYTES 64
#elif defined(__AVX__)
#define SYMRNN_REGISTER_BYTES 32
#elif defined(__SSE2__) || (defined(__aarch64__) && defined(__ARM_NEON)) || defined(__VSX__) || defined(__wasm_simd128__) \
    || (defined(__VX__) && __ARCH__ >= 12) || defined(__mips_msa) || defined(__loongarch_sx) \
    || (defined(__riscv_vector) && __riscv_v_min_vlen >= 128 && __riscv_v_elen_fp >= 64 \
        && (defined(__clang__) || __GNUC__ >= 14))
#define SYMRNN_REGISTER_BYTES 16
#else
#define SYMRNN_REGISTER_BYTES 0
#endif
/* Bytes in the vectors that are used; 0 is the plain path. */
#ifndef SYMRNN_VECTOR_BYTES
#ifdef SYMRNN_PLAIN
#define SYMRNN_VECTOR_BYTES 0
#else
#define SYMRNN_VECTOR_BYTES SYMRNN_REGISTER_BYTES
#endif
#endif
#if (SYMRNN_VECTOR_BYTES != 0 && SYMRNN_VECTOR_BYTES != 16 && SYMRNN_VECTOR_BYTES != 32 && SYMRNN_VECTOR_BYTES != 64) \
    || SYMRNN_VECTOR_BYTES > SYMRNN_REGISTER_BYTES
#error "SYMRNN_VECTOR_BYTES is 0, 16, 32 or 64, and no more than this target has: change -march, or leave it out"
#undef SYMRNN_VECTOR_BYTES
#define SYMRNN_VECTOR_BYTES 0
#endif
#if SYMRNN_VECTOR_BYTES >= 32 || (SYMRNN_VECTOR_BYTES && defined(__FMA__))
#include <immintrin.h>
#elif SYMRNN_VECTOR_BYTES && defined(__SSE2__)
#include <emmintrin.h>
#elif SYMRNN_VECTOR_BYTES && defined(__aarch64__)
#include <arm_neon.h>
#endif

/* Vector registers of the target: 32, or else 16 for any other. */
#if SYMRNN_VECTOR_BYTES == 64 || defined(__AVX512VL__) || defined(__aarch64__) || defined(__VSX__) || defined(__VX__) \
    || defined(__mips_msa) || defined(__loongarch_sx) || defined(__riscv_vector)
#define SYMRNN_REGISTERS 32
#else
#define SYMRNN_REGISTERS 16
#endif

/* Rows and vectors of units in the largest register tile. With 32 registers, 6 × 4 sums leave 8 for operands. On AArch64
   compilers read every operand of a step ahead: 5 × 4 sums leave room for that; with 6 × 4, some move to memory and back at every
   step. With the 16 of AVX2, 6 × 2 sums leave 4, and read fewer numbers for each multiply-add than 3 × 4. Without fused products
   one more register holds a product, and 3 × 4 is quicker.

   Which shape is quickest depends on the processor and the compiler too: -DSYMRNN_TILE_ROWS=3 -DSYMRNN_TILE_COLUMNS=4 selects
   another one. Results do not depend on it, so what changes results goes by FULL_ROWS: the rows of this target's own shape. */
#if SYMRNN_VECTOR_BYTES == 64
#define FULL_ROWS 6
#define OWN_COLUMNS 4
#elif defined(__aarch64__)
#define FULL_ROWS 5
#define OWN_COLUMNS 4
#elif SYMRNN_VECTOR_BYTES == 32 && defined(__FMA__)
#define FULL_ROWS 6
#define OWN_COLUMNS 2
#else
#define FULL_ROWS 3
#define OWN_COLUMNS 4
#endif
#if !defined(SYMRNN_TILE_ROWS) && !defined(SYMRNN_TILE_COLUMNS)
#define SYMRNN_TILE_ROWS FULL_ROWS
#define SYMRNN_TILE_COLUMNS OWN_COLUMNS
#elif !defined(SYMRNN_TILE_ROWS) || !defined(SYMRNN_TILE_COLUMNS)
#error "SYMRNN_TILE_ROWS and SYMRNN_TILE_COLUMNS make a shape together: define both, or neither"
#endif
/* Vectors side by side in a panel, at most: a strip. A register tile reads one strip or two. So it reads memory in order, and
   what it reads fills all sets of a cache. */
#if SYMRNN_REGISTERS == 32 && OWN_COLUMNS == 4
#define STRIP 4
#else
#define STRIP 2
#endif
#if !(SYMRNN_TILE_ROWS == 3 && SYMRNN_TILE_COLUMNS == 4) \
    && !(STRIP == 2 && SYMRNN_TILE_ROWS == 6 && SYMRNN_TILE_COLUMNS == 2) \
    && !(SYMRNN_REGISTERS == 32 && (SYMRNN_TILE_ROWS == 5 || SYMRNN_TILE_ROWS == 6) && SYMRNN_TILE_COLUMNS == 4)
#error "the register tile has 3 x 4 rows and columns; 6 x 2 for strips of two; 5 x 4 or 6 x 4 if the target has 32 registers"
#endif
/* Lower tiles may be wider: tiles of up to WIDE_ROWS rows have TILE_COLUMNS vectors. */
#define TILE_ROWS SYMRNN_TILE_ROWS
#define TILE_COLUMNS 4
#if SYMRNN_TILE_COLUMNS == TILE_COLUMNS
#define WIDE_ROWS TILE_ROWS
#else
#define WIDE_ROWS 3
#endif
#define TILE_WIDTH(height) ((height) > WIDE_ROWS ? TILE_COLUMNS / 2 : TILE_COLUMNS)
/* Vectors of units in a tile of which some operand feeds an odd number: twice as many fill strips of two. */
#define EVEN(vectors) (STRIP == 2 ? 2 * (vectors) : (vectors))
/* Whether tiles of less than TILE_ROWS rows, at the same width, have so few sums that they take as long. */
#define SPARE_LOW (TILE_WIDTH(TILE_ROWS) < TILE_COLUMNS)
/* Rows that a part of a panel meets before the next part does, so that it comes from a far cache only once. PANEL_DEPTH makes
   that part 16 KiB, half of a first-level cache, or 64 KiB with vectors of 64 bytes. All its sums wait in memory meanwhile, which
   small processors have little of. */
#if TILE_ROWS == 6 || (SYMRNN_VECTOR_BYTES && defined(__SSE2__))
#define GROUP_ROWS ((SYMRNN_VECTOR_BYTES == 32 ? 96 : 48) / TILE_ROWS * TILE_ROWS)
#define PANEL_DEPTH (SYMRNN_VECTOR_BYTES == 32 && TILE_WIDTH(TILE_ROWS) == TILE_COLUMNS ? 128 : 256)
#else
#define GROUP_ROWS TILE_ROWS
#define PANEL_DEPTH SIZE_MAX
#endif
/* Whether the tiles of a part of a panel ask for the next part, where a stage has more than AHEAD_BYTES of weights. */
#define READS_AHEAD (SYMRNN_VECTOR_BYTES >= 32)
#define AHEAD_BYTES (SYMRNN_VECTOR_BYTES == 64 ? 1 << 20 : 4 << 20)
/* Rows of sums that a stage keeps on the stack before it runs its statements on them: of four tiles of units, so that the statements
   read more than one line of a cache in each row; of two where a cell has so many sums that four would take more than 96 KiB. */
#define SUM_ROWS ((SYMRNN_VECTOR_BYTES * GROUP_ROWS * MOST_SUMS > 24576 ? 2 : 4) * GROUP_ROWS)
/* Rows of a deferred product that are packed at a time, at most BLOCK_ROWS, and tiles of its left side. */
#define CHUNK 256
#define LEFT_TILES 8
/* How many numbers of a left side meet all units before the next rows do: about half of a second-level cache. And how many rows
   at most. */
#define BLOCK_NUMBERS 131072
#define BLOCK_ROWS 256
#if CHUNK > BLOCK_ROWS
#error "rows are ordered in blocks of BLOCK_ROWS"
#endif
/* Nanoseconds, as measured on machines with these vectors. START_NS: other threads, which wait for a call, take part in it.
   WAKE_NS: they sleep before that. MEET_NS: they meet after a stage, on cores that are near each other: far ones take five times as
   long, so whoever calls often should time what is gained. For each byte of a number, FETCH_NS: read what another thread wrote;
   MULTIPLY_NS: a multiply-add, LOW_TILES times that in low tiles. A function takes as long as FUNCTION_WORK multiply-adds. What takes
   more than WORTH of one thread's time stays with one. */
#define START_NS 4000.0
#define WAKE_NS 80000.0
#define MEET_NS 250.0
#define FETCH_NS 0.2
#define LOW_TILES 1.4
#define MULTIPLY_NS (SYMRNN_VECTOR_BYTES == 64 ? 0.003 : SYMRNN_VECTOR_BYTES == 32 ? 0.0055 : 0.011)
#define FUNCTION_WORK 16
#define WORTH 0.9
/* Numbers that are hoisted at a time: as many as a second-level cache holds; but those of HOISTED_ROWS rows, which read weights once,
   up to HOISTED_NUMBERS. */
#define HOISTED_NUMBERS 262144
#define HOISTED_ROWS 128
#define NEAR_NUMBERS (SYMRNN_VECTOR_BYTES == 64 ? HOISTED_NUMBERS : 65536)
/* Weights of more bytes, as one direction of time reads them, come from memory at each step; what is hoisted is then computed
   for so many times as many steps together. */
#define FAR_BYTES (16 << 20)
#define FAR_STEPS 8
/* From so many rows on, a step takes longer than reading these weights does. */
#define FAR_ROWS 32

/* ---- the processor ---- */

#if (defined(__x86_64__) || defined(__i386__)) && defined(__has_include)
#if __has_include(<cpuid.h>)
#include <cpuid.h>
#define SYMRNN_CPUID
#endif
#elif defined(__aarch64__) && defined(__linux__)
/* Of <sys/auxv.h>, whose thousands of macros might be names of a cell; 16 and 26 are AT_HWCAP and AT_HWCAP2. */
unsigned long getauxval(unsigned long type);
#define SYMRNN_HWCAP
#endif

#if defined(SYMRNN_CPUID) || defined(SYMRNN_HWCAP)
/* 1 for a macro that is defined as 1, 0 for one that is not defined: PROBE_1 inserts an argument, so that the second
   is the 1. */
#define PROBE_1 0, 1,
#define SECOND(first, second, ...) second
#define DEFINED_(arguments) SECOND(arguments 0, 0, 0)
#define DEFINED_AS(value) DEFINED_(PROBE_##value)
#define DEFINED(macro) DEFINED_AS(macro)
#define LACKS(macro, word, bit) (DEFINED(macro) && !((word) >> (bit) & 1u))
#endif

/* 1 if this processor has every extension that this file was compiled to use, else 0. Only what a compiler may choose for
   plain C is listed. This runs before the check has passed: no vector instruction here. */
#if defined(SYMRNN_CPUID) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
__attribute__((target("general-regs-only")))
#endif
ONCE int cpu_supported(void)
{
#if defined(SYMRNN_CPUID)
    /* Sources: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID; AMD64 Architecture
       Programmer's Manual, volume 3, appendix E. Words: leaf 1, c1; leaf 7, b7, c7, d7; leaf 7.1, a71; leaf 0x80000001, cx. */
    unsigned a = 0, b7 = 0, c1 = 0, c7 = 0, d7 = 0, a71 = 0, cx = 0, b = 0, c = 0, d = 0, low = 0, high = 0;

    if (!__get_cpuid(1, &a, &b, &c1, &d))
        return 0;
    if (__get_cpuid_count(7, 0, &a, &b7, &c7, &d7) && a >= 1)
        __get_cpuid_count(7, 1, &a71, &b, &c, &d);
    __get_cpuid(0x80000001u, &a, &b, &cx, &d);

    /* The operating system must save the registers too: bits 1 and 2 for AVX, 5 to 7 for AVX-512. */
    if (c1 >> 27 & 1u)
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if (DEFINED(__AVX__) && (low & 0x06u) != 0x06u)
        return 0;
    if (DEFINED(__AVX512F__) && (low & 0xe0u) != 0xe0u)
        return 0;
    return !(LACKS(__SSE3__, c1, 0) || LACKS(__SSSE3__, c1, 9) || LACKS(__FMA__, c1, 12) || LACKS(__SSE4_1__, c1, 19)
             || LACKS(__SSE4_2__, c1, 20) || LACKS(__MOVBE__, c1, 22) || LACKS(__POPCNT__, c1, 23) || LACKS(__AVX__, c1, 28)
             || LACKS(__F16C__, c1, 29) || LACKS(__LZCNT__, cx, 5) || LACKS(__SSE4A__, cx, 6) || LACKS(__XOP__, cx, 11)
             || LACKS(__FMA4__, cx, 16) || LACKS(__TBM__, cx, 21) || LACKS(__BMI__, b7, 3) || LACKS(__AVX2__, b7, 5)
             || LACKS(__BMI2__, b7, 8) || LACKS(__AVX512F__, b7, 16) || LACKS(__AVX512DQ__, b7, 17) || LACKS(__ADX__, b7, 19)
             || LACKS(__AVX512IFMA__, b7, 21) || LACKS(__AVX512CD__, b7, 28) || LACKS(__AVX512BW__, b7, 30)
             || LACKS(__AVX512VL__, b7, 31) || LACKS(__AVX512VBMI__, c7, 1) || LACKS(__AVX512VBMI2__, c7, 6)
             || LACKS(__GFNI__, c7, 8) || LACKS(__AVX512VNNI__, c7, 11) || LACKS(__AVX512BITALG__, c7, 12)
             || LACKS(__AVX512VPOPCNTDQ__, c7, 14) || LACKS(__AVX512FP16__, d7, 23) || LACKS(__AVXVNNI__, a71, 4)
             || LACKS(__AVX512BF16__, a71, 5) || LACKS(__AVXIFMA__, a71, 23));
#elif defined(SYMRNN_HWCAP)
    /* Sources: Arm C Language Extensions; Linux, arch/arm64/include/uapi/asm/hwcap.h. Other systems do not say. */
    const unsigned long hwcap = getauxval(16), hwcap2 = getauxval(26);
    return !(LACKS(__ARM_FEATURE_CRC32, hwcap, 7) || LACKS(__ARM_FEATURE_ATOMICS, hwcap, 8)
             || LACKS(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC, hwcap, 10) || LACKS(__ARM_FEATURE_QRDMX, hwcap, 12)
             || LACKS(__ARM_FEATURE_JCVT, hwcap, 13) || LACKS(__ARM_FEATURE_COMPLEX, hwcap, 14)
             || LACKS(__ARM_FEATURE_RCPC, hwcap, 15) || LACKS(__ARM_FEATURE_DOTPROD, hwcap, 20)
             || LACKS(__ARM_FEATURE_SVE, hwcap, 22) || LACKS(__ARM_FEATURE_FP16_FML, hwcap, 23)
             || LACKS(__ARM_FEATURE_SVE2, hwcap2, 1) || LACKS(__ARM_FEATURE_FRINT, hwcap2, 8)
             || LACKS(__ARM_FEATURE_MATMUL_INT8, hwcap2, 13) || LACKS(__ARM_FEATURE_BF16, hwcap2, 14));
#else
    return 1;
#endif
}

/* ---- where time goes ---- */

/* With -DSYMRNN_PROFILE, PROFILED(name, call) adds up the seconds of calls under a name, for one thread. A call inside another
   counts as part of it. ENTRY(profile) of symrnn_entries.h reads them. Without it, PROFILED is the call alone. */
#ifdef SYMRNN_PROFILE
#include <time.h>
typedef struct timer {
    const char *name;
    double seconds;
    size_t calls;
} timer;
static timer timers[64];
static int timers_inside;

ONCE double timer_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

ONCE void timer_add(const char *name, double seconds)
{
    for (timer *t = timers; t < timers + sizeof timers / sizeof *timers; ++t)
        if (!t->name || !strcmp(t->name, name)) {
            t->name = name;
            t->seconds += seconds;
            ++t->calls;
            return;
        }
}
#define PROFILED(name, call)                                              \
    do {                                                                  \
        const double timer_start = timers_inside++ ? 0 : timer_now();     \
        call;                                                             \
        if (!--timers_inside)                                             \
            timer_add(name, timer_now() - timer_start);                   \
    } while (0)
#else
#define PROFILED(name, call) call
#endif

/* ---- what every function returns ---- */

/* The codes of the cell's header, where each has its meaning; and in how many parts a call may run. */
enum {
    SYMRNN_OK = 0,
    SYMRNN_NULL = 1,
    SYMRNN_SIZE = 2,
    SYMRNN_LENGTH = 3,
    SYMRNN_PARTS = 4,
    SYMRNN_FIXED = 5,
    SYMRNN_LAYOUT = 6,
    SYMRNN_ATOMICS = 7,
    SYMRNN_MOST_PARTS = 1024
};

/* ---- parts of a call, and where they meet ---- */

/* Parts meet by atomic operations. Some targets have no instructions for these, such as Cortex-M0 and RISC-V without A: GCC
   calls functions there that nobody links. So a call has one part there. */
#if defined(__GNUC__) && defined(__GCC_ATOMIC_INT_LOCK_FREE) && __GCC_ATOMIC_INT_LOCK_FREE == 2
#define HAS_PARTS 1
#if defined(__unix__) || defined(__APPLE__)
#include <sched.h>
#define YIELD() ((void)sched_yield())
#else
#define YIELD() ((void)0)
#endif
#if defined(__x86_64__) || defined(__i386__)
#define PAUSE() __builtin_ia32_pause()
#else
#define PAUSE() ((void)0)
#endif
#else
#define HAS_PARTS 0
#endif
/* How often a part looks at the barrier before it yields the processor: there may be more threads than processors. */
#define SPINS 4096

/* One part of a call, and the counters of the barrier at which it meets the others. They are null if it is alone. */
typedef struct party {
    size_t part, parts;
    unsigned *arrived, *round;
} party;

/* Where part `part` of `parts` begins among n things. */
INLINE size_t share(size_t n, size_t part, size_t parts)
{
    if (parts == 1) /* a single thread comes here at every stage, and a division takes long */
        return part ? n : 0;
    return n / parts * part + (part < n % parts ? part : n % parts);
}

/* Returns when every part has called it. */
INLINE void meet(const party *us)
{
#if HAS_PARTS
    if (us->parts < 2)
        return;
    const unsigned round = __atomic_load_n(us->round, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(us->arrived, 1u, __ATOMIC_ACQ_REL) == us->parts) {
        __atomic_store_n(us->arrived, 0u, __ATOMIC_RELAXED);
        __atomic_store_n(us->round, round + 1u, __ATOMIC_RELEASE);
        return;
    }
    for (unsigned spins = 0; __atomic_load_n(us->round, __ATOMIC_ACQUIRE) == round;) {
        if (++spins < SPINS)
            PAUSE();
        else
            YIELD();
    }
#else
    (void)us;
#endif
}

INLINE int check_party(const party *us)
{
    if (us->part >= us->parts || us->parts > SYMRNN_MOST_PARTS)
        return SYMRNN_PARTS;
    if (us->parts > 1 && !HAS_PARTS)
        return SYMRNN_ATOMICS;
    return us->parts > 1 && !us->arrived ? SYMRNN_PARTS : SYMRNN_OK;
}

/* ---- memory ---- */

/* Blocks of memory begin at multiples of this many numbers. */
#define ALIGNMENT 16
/* Words in the tag of packed weights, before the sizes. */
#define TAG_WORDS 3
#define WHOLE(numbers) (((numbers) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

/* Write a × b to *product. Returns whether it fits. */
INLINE int multiply(size_t a, size_t b, size_t *product)
{
#if defined(__GNUC__)
    return !__builtin_mul_overflow(a, b, product);
#else
    *product = a * b;
    return !b || a <= SIZE_MAX / b;
#endif
}

/* Reserve a × b × c numbers at the end of a block. Returns whether their count fits. */
INLINE int take(size_t *end, size_t *offset, size_t a, size_t b, size_t c)
{
    *offset = *end;
    if (!multiply(a, b, &a) || !multiply(a, c, &a))
        return 0;
    /* The caller multiplies by the size of a number: leave room for that and for rounding up. */
    if (a > SIZE_MAX / 32 || *end > SIZE_MAX / 32)
        return 0;
    *end += WHOLE(a);
    return 1;
}

/* The 64 bits at the i-th eight bytes of a block, of any alignment and type. */
INLINE uint64_t word_at(const void *block, size_t i)
{
    uint64_t word;
    memcpy(&word, (const char *)block + i * sizeof word, sizeof word);
    return word;
}

INLINE void put_word(void *block, size_t i, uint64_t word)
{
    memcpy((char *)block + i * sizeof word, &word, sizeof word);
}

INLINE int is_size(size_t size)
{
    return size > 0 && size <= SIZE_MAX / 4096;
}

/* ---- sequences ---- */

/* T steps of B rows; `lengths`, one per row, may be null; `reverse`: each row from its last valid step to its first. */
typedef struct sequence {
    size_t steps, rows;
    const size_t *lengths;
    int reverse;
} sequence;

INLINE int check_sequence(const sequence *seq)
{
    size_t all_rows;
    if (seq->steps > SIZE_MAX / 4096 || seq->rows > SIZE_MAX / 4096 || !multiply(seq->rows, seq->steps, &all_rows)
        || all_rows > SIZE_MAX / 32)
        return SYMRNN_SIZE;
    if (seq->lengths)
        for (size_t row = 0; row < seq->rows; ++row)
            if (seq->lengths[row] > seq->steps)
                return SYMRNN_LENGTH;
    return SYMRNN_OK;
}

/* Whether a row of all steps' rows lies beyond the length of its sequence. */
INLINE int idle_row(const sequence *seq, size_t row)
{
    return row / seq->rows >= seq->lengths[row % seq->rows];
}

#define NOT_MASKED SIZE_MAX

/* Write the rows of a block to `order`, those that have not ended first. Returns how many these are. `first` plus a row is its
   number among the rows of all steps; NOT_MASKED: no row has ended. */
INLINE size_t order_rows(const sequence *seq, size_t first, size_t from, size_t rows, size_t *order)
{
    size_t active = 0, idle = 0, ended[BLOCK_ROWS];
    for (size_t row = from; row < from + rows; ++row)
        if (first != NOT_MASKED && seq->lengths && idle_row(seq, first + row))
            ended[idle++] = row;
        else
            order[active++] = row;
    for (size_t i = 0; i < idle; ++i)
        order[active + i] = ended[i];
    return active;
}

/* ---- tiles ---- */

/* How many vectors of units a tile has: at most `most`. All tiles have one size, and none is wider than needed. */
INLINE size_t fit_vectors(size_t units, size_t lanes, size_t most)
{
    if (most == 1)
        return 1;
    const size_t groups = (units + lanes - 1) / lanes, tiles = (groups + most - 1) / most;
    return (groups + tiles - 1) / tiles;
}

/* Where a part's tiles begin. That is at an even vector of units, so which vectors run side by side does not depend on the
   parts. */
INLINE size_t share_tiles(size_t tiles, size_t vectors, size_t part, size_t parts)
{
    const size_t begin = vectors & 1 ? 2 * share((tiles + 1) / 2, part, parts) : share(tiles, part, parts);
    return begin < tiles ? begin : tiles;
}

/* In how many blocks rows of `depth` numbers are run. */
INLINE size_t count_blocks(size_t rows, size_t depth)
{
    const size_t least = 4 * TILE_ROWS;
    if (rows <= least)
        return rows > 0;
    const size_t most = BLOCK_NUMBERS / (depth ? depth : 1) / TILE_ROWS * TILE_ROWS, block = most < least ? least : most;
    const size_t size = block < BLOCK_ROWS ? block : BLOCK_ROWS;
    return (rows + size - 1) / size;
}

/* Whether so many rows fill register tiles to 3/4 on average. A tile of fewer rows waits for its panels. */
INLINE int fill_tiles(size_t rows)
{
    return 4 * rows >= 3 * FULL_ROWS * ((rows + FULL_ROWS - 1) / FULL_ROWS);
}

/* Whether each part takes rows of every step; else parts share the units and meet after every stage. Where the steps have no
   products, no tiles wait to be filled. */
INLINE int split_rows(size_t rows, size_t parts, int products)
{
    return parts == 1 || (rows >= parts && (!products || fill_tiles(rows / parts)));
}

/* Whether the linear forms of the input stay in the loop. This pays where a step's rows fill register tiles, unless its weights
   come from memory and rows are few: out of the loop, those of the input are read once for several steps. Many rows take longer
   than reading does, and it costs more to write hoisted values and read them again. It pays where there is one step only. */
INLINE int is_fused(const sequence *seq, int far)
{
    return seq->steps == 1 || (fill_tiles(seq->rows) && (!far || seq->rows >= FAR_ROWS));
}

/* How many steps go backward before what they defer is computed, so that it is still in a cache, and takes memory for these steps
   alone; more where a step's weights come from memory. They end where chunks of rows do: so sums over rows are the same as for all
   steps at once. They are two at least, since a step reads what the one before stored. */
INLINE size_t deferred_steps(const sequence *seq, int far)
{
    size_t steps = CHUNK;
    for (size_t rows = seq->rows; steps > 2 && rows && rows % 2 == 0; rows /= 2)
        steps /= 2;
    steps *= far ? FAR_STEPS : 1;
    return steps < seq->steps ? steps : seq->steps;
}

/* Whether there is one row, which has sums of its own. */
INLINE int is_one_row(const sequence *seq)
{
    return seq->rows == 1 && !seq->lengths;
}

/* Numbers of a right side's panel. */
INLINE size_t panel_numbers(size_t width, size_t lanes)
{
    return (width + lanes - 1) / lanes * lanes * CHUNK;
}

/* The vectors of a panel are in strips of about one width. */
typedef struct strips {
    size_t count, width, wider; /* how many; the vectors of each, but the first `wider` have one more */
} strips;

INLINE strips strips_of(size_t columns)
{
    const size_t count = (columns + STRIP - 1) / STRIP;
    return (strips){count, columns / count, columns % count};
}

INLINE size_t strip_begins(const strips *s, size_t strip)
{
    return strip * s->width + (strip < s->wider ? strip : s->wider);
}

INLINE size_t strip_width(const strips *s, size_t strip)
{
    return s->width + (strip < s->wider);
}

/* ---- what the tables of a cell say ---- */

/* A part of packed weights: where it begins and ends. A panel also has units, vectors of units in a tile, a depth and
   accumulators. */
typedef struct piece {
    size_t at, end, units, vectors, depth, count;
} piece;

/* Where an array lies. GIVEN: memory of the caller. TAPE: the tape, or the workspace if there is no tape. WORK, BACK: the
   workspace of the forward or of the backward routine. */
enum memory { GIVEN, TAPE, WORK, BACK };

/* How an array moves with time. STAYS: it does not. EACH_STEP: each step has its rows. EACH_HOISTED: each step of those that
   are hoisted together has its rows. EACH_TAPED: each step has its rows on a tape only. BEFORE, AFTER: a state before and after
   a step; AFTER lies in the memory of the array before it. OVER: like BEFORE on a tape; else a step writes over it. */
enum motion { STAYS, EACH_STEP, EACH_HOISTED, EACH_TAPED, BEFORE, AFTER, OVER, MOTIONS };

/* The phases of a routine that are made of stages. */
enum phase { HOIST, LOOP, LAST, DEFERRED, PHASES };

/* Whether a stage treats rows that have ended differently. */
enum { ALL_ROWS, MASKED };

/* The first arrays of every cell, packed weights as one of them. Those of its n states follow: before and after (2 n), carry
   (n), initial gradient (n). */
enum { AT_X, AT_Y, AT_DY, AT_DX, AT_PACKED, AT_STATES };

/* ---- names that end in the precision: S(name) is name_f32 or name_f64 ---- */

#define vec S(vec)
#define vec_bits S(vec_bits)
#define vec_mask S(vec_mask)
#define real S(real)
#define K(number) S(K)((real)(number))
/* A constant of the precision: float's, or double's. */
#define EITHER(single, other) K(REAL == 32 ? single : other)
#define loadu(...) S(loadu)(__VA_ARGS__)
#define storeu(...) S(storeu)(__VA_ARGS__)
#define first_lanes(...) S(first_lanes)(__VA_ARGS__)
#define load(...) S(load)(__VA_ARGS__)
#define store(...) S(store)(__VA_ARGS__)
#define v_fma(...) S(v_fma)(__VA_ARGS__)
#define stored(...) S(stored)(__VA_ARGS__)
#define hsum(...) S(hsum)(__VA_ARGS__)
#define to_bits(...) S(to_bits)(__VA_ARGS__)
#define from_bits(...) S(from_bits)(__VA_ARGS__)
#define v_less(...) S(v_less)(__VA_ARGS__)
#define v_is_nan(...) S(v_is_nan)(__VA_ARGS__)
#define v_select(...) S(v_select)(__VA_ARGS__)
#define v_pick(...) S(v_pick)(__VA_ARGS__)
#define exchange(...) S(exchange)(__VA_ARGS__)
#define transpose(...) S(transpose)(__VA_ARGS__)
#define v_abs(...) S(v_abs)(__VA_ARGS__)
#define copy_sign(...) S(copy_sign)(__VA_ARGS__)
#define at_least(...) S(at_least)(__VA_ARGS__)
#define at_most(...) S(at_most)(__VA_ARGS__)
#define v_clip(...) S(v_clip)(__VA_ARGS__)
#define v_sqrt(...) S(v_sqrt)(__VA_ARGS__)
#define v_sin(...) S(v_sin)(__VA_ARGS__)
#define v_cos(...) S(v_cos)(__VA_ARGS__)
#define v_pow(...) S(v_pow)(__VA_ARGS__)
#define whole_powers(...) S(whole_powers)(__VA_ARGS__)
#define power_of_two(...) S(power_of_two)(__VA_ARGS__)
#define exp_remainder(...) S(exp_remainder)(__VA_ARGS__)
#define exp_tail(...) S(exp_tail)(__VA_ARGS__)
#define scale(...) S(scale)(__VA_ARGS__)
#define subnormal(...) S(subnormal)(__VA_ARGS__)
#define v_exp(...) S(v_exp)(__VA_ARGS__)
#define v_expm1(...) S(v_expm1)(__VA_ARGS__)
#define v_sigmoid(...) S(v_sigmoid)(__VA_ARGS__)
#define v_tanh(...) S(v_tanh)(__VA_ARGS__)
#define log_near(...) S(log_near)(__VA_ARGS__)
#define v_log(...) S(v_log)(__VA_ARGS__)
#define v_log1p(...) S(v_log1p)(__VA_ARGS__)
#define erf_near(...) S(erf_near)(__VA_ARGS__)
#define erfc_far(...) S(erfc_far)(__VA_ARGS__)
#define v_erf(...) S(v_erf)(__VA_ARGS__)
#define v_erfc(...) S(v_erfc)(__VA_ARGS__)
#define v_round(...) S(v_round)(__VA_ARGS__)
#define f_sigmoid(...) S(f_sigmoid)(__VA_ARGS__)
#define f_tanh(...) S(f_tanh)(__VA_ARGS__)
#define f_relu(...) S(f_relu)(__VA_ARGS__)
#define f_leaky_relu(...) S(f_leaky_relu)(__VA_ARGS__)
#define f_elu(...) S(f_elu)(__VA_ARGS__)
#define f_softplus(...) S(f_softplus)(__VA_ARGS__)
#define f_softsign(...) S(f_softsign)(__VA_ARGS__)
#define f_silu(...) S(f_silu)(__VA_ARGS__)
#define f_gelu(...) S(f_gelu)(__VA_ARGS__)
#define f_hard_sigmoid(...) S(f_hard_sigmoid)(__VA_ARGS__)
#define f_hard_tanh(...) S(f_hard_tanh)(__VA_ARGS__)
#define f_exp(...) S(f_exp)(__VA_ARGS__)
#define f_log(...) S(f_log)(__VA_ARGS__)
#define f_sqrt(...) S(f_sqrt)(__VA_ARGS__)
#define f_abs(...) S(f_abs)(__VA_ARGS__)
#define f_sin(...) S(f_sin)(__VA_ARGS__)
#define f_cos(...) S(f_cos)(__VA_ARGS__)
#define f_minimum(...) S(f_minimum)(__VA_ARGS__)
#define f_maximum(...) S(f_maximum)(__VA_ARGS__)
#define f_expm1(...) S(f_expm1)(__VA_ARGS__)
#define f_log1p(...) S(f_log1p)(__VA_ARGS__)
#define f_erf(...) S(f_erf)(__VA_ARGS__)
#define f_erfc(...) S(f_erfc)(__VA_ARGS__)
#define f_positive(...) S(f_positive)(__VA_ARGS__)
#define f_sign(...) S(f_sign)(__VA_ARGS__)
#define f_prefer(...) S(f_prefer)(__VA_ARGS__)
#define f_step(...) S(f_step)(__VA_ARGS__)
#define f_floor(...) S(f_floor)(__VA_ARGS__)
#define f_round(...) S(f_round)(__VA_ARGS__)
#define f_where(...) S(f_where)(__VA_ARGS__)
#define f_surrogate(...) S(f_surrogate)(__VA_ARGS__)
#define f_surrogate_of_two(...) S(f_surrogate_of_two)(__VA_ARGS__)
#define f_less(...) S(f_less)(__VA_ARGS__)
#define f_less_equal(...) S(f_less_equal)(__VA_ARGS__)
#define f_equal(...) S(f_equal)(__VA_ARGS__)
#define power_1(...) S(power_1)(__VA_ARGS__)
#define power_2(...) S(power_2)(__VA_ARGS__)
#define power_3(...) S(power_3)(__VA_ARGS__)
#define power_4(...) S(power_4)(__VA_ARGS__)
#define power_5(...) S(power_5)(__VA_ARGS__)
#define power_6(...) S(power_6)(__VA_ARGS__)
#define power_7(...) S(power_7)(__VA_ARGS__)
#define power_8(...) S(power_8)(__VA_ARGS__)
#define sum_of(...) S(sum_of)(__VA_ARGS__)
#define max_of(...) S(max_of)(__VA_ARGS__)
#define first_of(...) S(first_of)(__VA_ARGS__)
#define join_sum(...) S(join_sum)(__VA_ARGS__)
#define one_sum(...) S(one_sum)(__VA_ARGS__)
#define across_sum(...) S(across_sum)(__VA_ARGS__)
#define join_max(...) S(join_max)(__VA_ARGS__)
#define one_max(...) S(one_max)(__VA_ARGS__)
#define lines_sum(...) S(lines_sum)(__VA_ARGS__)
#define lines_max(...) S(lines_max)(__VA_ARGS__)
#define cumsum_at(...) S(cumsum_at)(__VA_ARGS__)
#define revcumsum_at(...) S(revcumsum_at)(__VA_ARGS__)
#define run_tile(...) S(run_tile)(__VA_ARGS__)
#define accumulate_tiles(...) S(accumulate_tiles)(__VA_ARGS__)
#define accumulate(...) S(accumulate)(__VA_ARGS__)
#define row_at(...) S(row_at)(__VA_ARGS__)
#define next_sums(...) S(next_sums)(__VA_ARGS__)
#define run_vectors(...) S(run_vectors)(__VA_ARGS__)
#define run_lines(...) S(run_lines)(__VA_ARGS__)
#define starts_of(...) S(starts_of)(__VA_ARGS__)
#define new_stage(...) S(new_stage)(__VA_ARGS__)
#define add_packed(...) S(add_packed)(__VA_ARGS__)
#define add_operand(...) S(add_operand)(__VA_ARGS__)
#define find_weights(...) S(find_weights)(__VA_ARGS__)
#define set_lines(...) S(set_lines)(__VA_ARGS__)
#define part_begins(...) S(part_begins)(__VA_ARGS__)
#define share_out(...) S(share_out)(__VA_ARGS__)
#define operand_row(...) S(operand_row)(__VA_ARGS__)
#define stage_work(...) S(stage_work)(__VA_ARGS__)
#define place_vector(...) S(place_vector)(__VA_ARGS__)
#define place_panel(...) S(place_panel)(__VA_ARGS__)
#define put_tag(...) S(put_tag)(__VA_ARGS__)
#define check_tag(...) S(check_tag)(__VA_ARGS__)
#define form_in(...) S(form_in)(__VA_ARGS__)
#define pack_units(...) S(pack_units)(__VA_ARGS__)
#define pack_block(...) S(pack_block)(__VA_ARGS__)
#define pack_matrix(...) S(pack_matrix)(__VA_ARGS__)
#define pack_shared(...) S(pack_shared)(__VA_ARGS__)
#define pack_vector(...) S(pack_vector)(__VA_ARGS__)
#define panel_after(...) S(panel_after)(__VA_ARGS__)
#define run_stage(...) S(run_stage)(__VA_ARGS__)
#define run_once(...) S(run_once)(__VA_ARGS__)
#define run_strips(...) S(run_strips)(__VA_ARGS__)
#define sum_row(...) S(sum_row)(__VA_ARGS__)
#define run_row_with(...) S(run_row_with)(__VA_ARGS__)
#define run_row(...) S(run_row)(__VA_ARGS__)
#define run_units(...) S(run_units)(__VA_ARGS__)
#define row_begins(...) S(row_begins)(__VA_ARGS__)
#define row_array(...) S(row_array)(__VA_ARGS__)
#define run_row_of(...) S(run_row_of)(__VA_ARGS__)
#define pack_right(...) S(pack_right)(__VA_ARGS__)
#define pack_left(...) S(pack_left)(__VA_ARGS__)
#define add_outer(...) S(add_outer)(__VA_ARGS__)
#define add_outers(...) S(add_outers)(__VA_ARGS__)
#define add_rows(...) S(add_rows)(__VA_ARGS__)
#define clear(...) S(clear)(__VA_ARGS__)
#define clear_pack_gaps(...) S(clear_pack_gaps)(__VA_ARGS__)
#define clear_tape_gaps(...) S(clear_tape_gaps)(__VA_ARGS__)
#define begin_routine(...) S(begin_routine)(__VA_ARGS__)
#define add_array(...) S(add_array)(__VA_ARGS__)
#define add_stage(...) S(add_stage)(__VA_ARGS__)
#define fuses(...) S(fuses)(__VA_ARGS__)
#define chunk_steps(...) S(chunk_steps)(__VA_ARGS__)
#define lay_out(...) S(lay_out)(__VA_ARGS__)
#define bind(...) S(bind)(__VA_ARGS__)
#define slot_of(...) S(slot_of)(__VA_ARGS__)
#define seek(...) S(seek)(__VA_ARGS__)
#define advance(...) S(advance)(__VA_ARGS__)
#define copy_rows(...) S(copy_rows)(__VA_ARGS__)
#define split_work(...) S(split_work)(__VA_ARGS__)
#define run_at_once(...) S(run_at_once)(__VA_ARGS__)
#define run_step(...) S(run_step)(__VA_ARGS__)
#define run_hoisted(...) S(run_hoisted)(__VA_ARGS__)
#define run_forward(...) S(run_forward)(__VA_ARGS__)
#define takes_rows(...) S(takes_rows)(__VA_ARGS__)
#define part_work(...) S(part_work)(__VA_ARGS__)
#define useful_parts(...) S(useful_parts)(__VA_ARGS__)
#define place_products(...) S(place_products)(__VA_ARGS__)
#define run_products(...) S(run_products)(__VA_ARGS__)
#define run_last(...) S(run_last)(__VA_ARGS__)
#define run_deferred(...) S(run_deferred)(__VA_ARGS__)
#define run_backward(...) S(run_backward)(__VA_ARGS__)

#endif

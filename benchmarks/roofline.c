/* What the machine can do: multiply-adds in registers, and reading a block of memory over and over. */
#include <stddef.h>
#include <string.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
#define LANES (BYTES / sizeof(float))

typedef float vec __attribute__((vector_size(BYTES)));

/* The compiler must take the value as it finds it: nothing is computed ahead, nothing is left out. */
#if defined(__x86_64__) || defined(__i386__)
#define OPAQUE(v) __asm__ volatile("" : "+x"(v))
#elif defined(__aarch64__)
#define OPAQUE(v) __asm__ volatile("" : "+w"(v))
#else
#define OPAQUE(v) ((void)0)
#endif

size_t roofline_lanes(void);
float roofline_peak(size_t iterations);
float roofline_read(const float *block, size_t count, size_t repeats);

size_t roofline_lanes(void)
{
    return LANES;
}

/* Twelve independent accumulators; 24 × lanes FLOPs in each iteration. */
float roofline_peak(size_t iterations)
{
    vec a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, factor, addend;

    memset(&a0, 0, sizeof a0);
    factor = a0 + 0.5f;
    addend = a0 + 1.0f;
    OPAQUE(factor);
    OPAQUE(addend);
    a1 = a2 = a3 = a4 = a5 = a6 = a7 = a8 = a9 = a10 = a11 = a0;
    for (size_t i = 0; i < iterations; ++i) {
        a0 = a0 * factor + addend;
        a1 = a1 * factor + addend;
        a2 = a2 * factor + addend;
        a3 = a3 * factor + addend;
        a4 = a4 * factor + addend;
        a5 = a5 * factor + addend;
        a6 = a6 * factor + addend;
        a7 = a7 * factor + addend;
        a8 = a8 * factor + addend;
        a9 = a9 * factor + addend;
        a10 = a10 * factor + addend;
        a11 = a11 * factor + addend;
        OPAQUE(a0);
        OPAQUE(a1);
        OPAQUE(a2);
        OPAQUE(a3);
        OPAQUE(a4);
        OPAQUE(a5);
        OPAQUE(a6);
        OPAQUE(a7);
        OPAQUE(a8);
        OPAQUE(a9);
        OPAQUE(a10);
        OPAQUE(a11);
    }
    a0 += a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11;
    return a0[0];
}

/* Read count numbers, a multiple of 8 × lanes from a multiple of 64 bytes, as often as said. */
float roofline_read(const float *block, size_t count, size_t repeats)
{
    vec sum[8];

    memset(sum, 0, sizeof sum);
    for (size_t repeat = 0; repeat < repeats; ++repeat) {
        for (size_t i = 0; i < count; i += 8 * LANES)
            for (size_t j = 0; j < 8; ++j)
                sum[j] += *(const vec *)(block + i + j * LANES);
        __asm__ volatile("" : : "r"(block) : "memory");
    }
    for (size_t j = 1; j < 8; ++j)
        sum[0] += sum[j];
    return sum[0][0];
}

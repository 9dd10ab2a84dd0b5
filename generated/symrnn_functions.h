/* The runtime of symrnn's C kernels in one precision, second part: the functions of the equation language on vectors, and the
   sum of numbers. Included after `symrnn_vector.h`.

   Multiplying subnormal numbers takes many processors a hundred times as long; adding does not. So each function first
   adds a nudge, too small to change any number that matters to it, and tiny numbers get their result by selection. */

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
#define ERF_SPLIT EITHER(0.5f, 0.5)
#define ERFC_END EITHER(10.25f, 27.5)
#define MANTISSA_BITS (REAL == 32 ? 23 : 52)
#define MANTISSA_MASK ((uint_real)(REAL == 32 ? UINT32_C(0x7fffff) : UINT64_C(0xfffffffffffff)))

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

/* erf(x) for |x| < 1/2: x and x times a polynomial in its square, which vanishes with it. */
INLINE vec erf_near(vec x)
{
    vec z = x * x;
#if REAL == 32
    vec p = K(0.0047190827f);
    p = p * z + K(-0.026757732f);
    p = p * z + K(0.112828314f);
    p = p * z + K(-0.37612608f);
    p = p * z + K(0.12837917f);
#else
    vec p = K(-1.462091340945175e-07);
    p = p * z + K(1.637123442577e-06);
    p = p * z + K(-1.4923003368152099e-05);
    p = p * z + K(0.00012055286202005714);
    p = p * z + K(-0.0008548326510724796);
    p = p * z + K(0.0052239776220169365);
    p = p * z + K(-0.02686617064499972);
    p = p * z + K(0.1128379167095487);
    p = p * z + K(-0.3761263890318375);
    p = p * z + K(0.1283791670955126);
#endif
    return x + x * p;
}

/* 1 - erf(m) for m >= 1/2: exp(-m m) times a polynomial in (m - 3) / (m + 3), over 2 + m. A multiple z of 1/16 near m has an
   exact square; the rest of the exponent is small. */
INLINE vec erfc_far(vec m)
{
    vec z = (stored(m * K(16) + ROUND_MAGIC) - ROUND_MAGIC) * K(0.0625);
    vec power = v_exp(-(z * z)) * v_exp((z - m) * (z + m));
    vec q = (m - K(3)) / (m + K(3));
#if REAL == 32
    vec w = K(4.5720317e-05f);
    w = w * q + K(-0.0002674418f);
    w = w * q + K(3.6840676e-05f);
    w = w * q + K(0.0022986373f);
    w = w * q + K(-0.0054750135f);
    w = w * q + K(-0.0024283808f);
    w = w * q + K(0.04786064f);
    w = w * q + K(-0.16035193f);
    w = w * q + K(0.34462464f);
    w = w * q + K(-0.55716085f);
    w = w * q + K(0.89500576f);
#else
    vec w = K(-6.993880848780894e-09);
    w = w * q + K(2.914160713544689e-09);
    w = w * q + K(5.171687677629271e-08);
    w = w * q + K(4.21181594985016e-09);
    w = w * q + K(-2.6575395828226295e-07);
    w = w * q + K(-1.761612604295428e-07);
    w = w * q + K(1.2957499776899884e-06);
    w = w * q + K(1.5138288520737832e-06);
    w = w * q + K(-6.870541993086793e-06);
    w = w * q + K(-9.492605224775456e-06);
    w = w * q + K(4.32590193734602e-05);
    w = w * q + K(4.350494490898883e-05);
    w = w * q + K(-0.00032203320553530915);
    w = w * q + K(4.87522570944448e-05);
    w = w * q + K(0.0023263155683688674);
    w = w * q + K(-0.005481552960173515);
    w = w * q + K(-0.0024347353061385953);
    w = w * q + K(0.047861924089318934);
    w = w * q + K(-0.16035132539978214);
    w = w * q + K(0.34462455539177084);
    w = w * q + K(-0.5571608931268465);
    w = w * q + K(0.8950057559069498);
#endif
    return power * w / (K(2) + m);
}

INLINE vec v_erf(vec x)
{
    vec m = at_most(v_abs(x), ERFC_END);
    vec_mask is_near = v_less(m, ERF_SPLIT);
    vec far = K(1) - erfc_far(v_select(is_near, K(1), m));
    return v_select(is_near, erf_near(x), copy_sign(far, x));
}

INLINE vec v_erfc(vec x)
{
    vec m = at_most(v_abs(x), ERFC_END);
    vec_mask is_near = v_less(m, ERF_SPLIT);
    vec far = erfc_far(v_select(is_near, K(1), m));
    far = v_select(v_less(x, K(0)), K(2) - far, far);
    return v_select(is_near, K(1) - erf_near(x), far);
}

/* The whole number nearest to a, of two the even one: beside a large addend no fraction is left. */
INLINE vec v_round(vec a)
{
    vec m = v_abs(a);
    vec whole = stored(stored(m + INTEGER_MAGIC) - INTEGER_MAGIC);
#if EXCESS
    /* Rounded twice, to a register's digits and to memory's, what is a little beside a half went with the half. */
    vec rest = m - whole;
    whole = v_select(v_less(rest, K(-0.5)), whole - K(1), v_select(v_less(K(0.5), rest), whole + K(1), whole));
#endif
    return v_select(v_less(m, INTEGER_MAGIC), copy_sign(whole, a), a);
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

INLINE vec f_expm1(vec a)
{
    a = stored(a);
    return stored(v_expm1(a));
}

INLINE vec f_log1p(vec a)
{
    a = stored(a);
    return stored(v_log1p(a));
}

INLINE vec f_erf(vec a)
{
    a = stored(a);
    return stored(v_erf(a));
}

INLINE vec f_erfc(vec a)
{
    a = stored(a);
    return stored(v_erfc(a));
}

INLINE vec f_positive(vec a)
{
    a = stored(a);
    return stored(v_select(v_less(K(0), a), K(1), K(0)));
}

INLINE vec f_sign(vec a)
{
    a = stored(a);
    return stored(v_select(v_less(K(0), a), K(1), v_select(v_less(a, K(0)), K(-1), a)));
}

INLINE vec f_prefer(vec a, vec b)
{
    a = stored(a);
    b = stored(b);
    return stored(v_select(v_less(b, a), K(1), v_select(v_less(a, b), K(0), K(0.5))));
}

INLINE vec f_step(vec a)
{
    a = stored(a);
    return stored(v_select(v_less(a, K(0)), K(0), v_select(v_is_nan(a), a, K(1))));
}

INLINE vec f_floor(vec a)
{
    a = stored(a);
    vec whole = v_round(a);
    return stored(v_select(v_less(a, whole), whole - K(1), whole));
}

INLINE vec f_round(vec a)
{
    a = stored(a);
    return stored(v_round(a));
}

/* Comparisons are 1 or 0, and 0 beside NaN; where chooses by them. */
INLINE vec f_where(vec a, vec b, vec c)
{
    a = stored(a);
    return stored(v_select(v_less(K(0), a), b, c));
}

/* The value of a function of a cell's own; its derivatives, of its operands, are for the backward pass. */
INLINE vec f_surrogate(vec a, vec b, vec c)
{
    (void)b;
    (void)c;
    return a;
}

INLINE vec f_surrogate_of_two(vec a, vec b, vec c, vec d, vec e)
{
    (void)b;
    (void)c;
    (void)d;
    (void)e;
    return a;
}

INLINE vec f_less(vec a, vec b)
{
    a = stored(a);
    b = stored(b);
    return v_select(v_less(a, b), K(1), K(0));
}

INLINE vec f_less_equal(vec a, vec b)
{
    a = stored(a);
    b = stored(b);
    return v_select(v_less(b, a), K(0), v_select(v_is_nan(a), K(0), v_select(v_is_nan(b), K(0), K(1))));
}

INLINE vec f_equal(vec a, vec b)
{
    a = stored(a);
    b = stored(b);
    return v_select(v_less(a, b), K(0), f_less_equal(a, b));
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

/* The largest of n numbers, at least one; NaN if one of them is. */
INLINE real max_of(const real *p, size_t n)
{
    real lane[LANES];
    const real *units = p;
    const size_t count = n < LANES ? n : LANES;
    if (n > LANES) {
        vec most = loadu(p);
        for (size_t i = LANES; i < n; i += LANES)
            most = f_maximum(most, loadu(p + (i < n - LANES ? i : n - LANES)));
        storeu(lane, most);
        units = lane;
    }
    real most = units[0];
    for (size_t i = 1; i < count; ++i)
        most = most != most || units[i] < most ? most : units[i];
    return most;
}

/* The first n lanes of a, and those of b beyond them. */
INLINE vec first_of(vec a, size_t n, vec b)
{
    real lane[LANES];
    storeu(lane, b);
    store(lane, a, n);
    return loadu(lane);
}

/* Reductions over some axes: two vectors of numbers joined, two numbers, and the first n lanes of vectors. */
#undef START_sum
#undef START_max
#define START_sum K(0)
#define START_max K(-HUGE_VAL)
INLINE vec join_sum(vec a, vec b)
{
    return a + b;
}

INLINE real one_sum(real a, real b)
{
    return a + b;
}

INLINE real across_sum(vec a, size_t n)
{
    return hsum(n < LANES ? first_of(a, n, K(0)) : a);
}

/* The sums of n lanes of N vectors, each as across_sum has it. */
ALWAYS void lines_sum(size_t N, const vec *a, size_t n, real *to)
{
#if SHUFFLES && LANES == 16
    if (N == 4 && n >= LANES) {
        const vec a0 = __builtin_shufflevector(a[0], a[1], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
                       + __builtin_shufflevector(a[0], a[1], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
        const vec a2 = __builtin_shufflevector(a[2], a[3], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
                       + __builtin_shufflevector(a[2], a[3], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
        vec all = __builtin_shufflevector(a0, a2, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
                  + __builtin_shufflevector(a0, a2, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
        all += __builtin_shufflevector(all, all, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
        all += __builtin_shufflevector(all, all, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
        for (size_t v = 0; v < 4; ++v)
            to[v] = all[4 * v];
        return;
    }
#elif SHUFFLES && LANES == 8
    if (N == 4 && n >= LANES) {
        const vec a0 = __builtin_shufflevector(a[0], a[1], 0, 1, 2, 3, 8, 9, 10, 11)
                       + __builtin_shufflevector(a[0], a[1], 4, 5, 6, 7, 12, 13, 14, 15);
        const vec a2 = __builtin_shufflevector(a[2], a[3], 0, 1, 2, 3, 8, 9, 10, 11)
                       + __builtin_shufflevector(a[2], a[3], 4, 5, 6, 7, 12, 13, 14, 15);
        vec all = __builtin_shufflevector(a0, a2, 0, 1, 4, 5, 8, 9, 12, 13)
                  + __builtin_shufflevector(a0, a2, 2, 3, 6, 7, 10, 11, 14, 15);
        all += __builtin_shufflevector(all, all, 1, 0, 3, 2, 5, 4, 7, 6);
        for (size_t v = 0; v < 4; ++v)
            to[v] = all[2 * v];
        return;
    }
#endif
    for (size_t v = 0; v < N; ++v)
        to[v] = across_sum(a[v], n);
}

INLINE vec join_max(vec a, vec b)
{
    return f_maximum(a, b);
}

INLINE real one_max(real a, real b)
{
    return a != a || b < a ? a : b;
}

ALWAYS void lines_max(size_t N, const vec *a, size_t n, real *to)
{
    real lane[LANES];
    for (size_t v = 0; v < N; ++v) {
        storeu(lane, a[v]);
        to[v] = max_of(lane, n < LANES ? n : LANES);
    }
}

/* For a vector of units that begins with unit k, a multiple of LANES below n: the sums of all units up to each one. What comes
   before is added up anew for each vector, so that the result does not depend on who computes which. */
INLINE vec cumsum_at(const real *p, size_t k, size_t n)
{
    real lane[LANES], total = 0;
    if (k > 0)
        total = sum_of(p, k);
    storeu(lane, load(p + k, n - k));
    for (size_t i = 0; i < LANES; ++i) {
        total += lane[i];
        lane[i] = total;
    }
    return loadu(lane);
}

/* The same from the end: the sums of all units from each one on. */
INLINE vec revcumsum_at(const real *p, size_t k, size_t n)
{
    real lane[LANES], total = 0;
    if (n - k > LANES)
        total = sum_of(p + k + LANES, n - k - LANES);
    storeu(lane, load(p + k, n - k));
    for (size_t i = LANES; i > 0; --i) {
        total += lane[i - 1];
        lane[i - 1] = total;
    }
    return loadu(lane);
}

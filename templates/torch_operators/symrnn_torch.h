/* Operators of PyTorch over the kernels of one cell, in C: no C++ compiler, and no header of PyTorch, since those include C++.

   The cell's own file defines, before it includes this one:

       OPERATORS                     the beginning of the names of its three operators, a text
       SIZES, STATES, PARAMS         how many sizes, states and parameters the cell has
       KINDS, UNITS(size)            the numbers behind the sizes, and behind products of sizes, which values with several axes have;
                                     how many they are, and between braces from an array of sizes
       INPUT_SIZES, OUTPUT_SIZES     the size of each input and output, by its place in the units; they stand side by side in rows
       STATE_SIZES, ROWS, COLUMNS    the size of each state and of each parameter's axes, between braces; ONE is the size 1, and
                                     NONE stands for the second axis of a vector

   PyTorch calls an operator with a stack of 64-bit values, one for each argument; results replace them. A handle that comes so
   belongs to the operator. The kernels come as a table of pointers, because their library is loaded already.

   The functions are those of torch/csrc/stable/c/shim.h and torch/csrc/inductor/aoti_torch/c/shim.h, PyTorch 2.13. */
#ifdef __linux__
#define _DEFAULT_SOURCE /* for MADV_HUGEPAGE */
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

typedef uint64_t value;
typedef struct tensor_handle *tensor;
typedef struct list_handle *list;
typedef struct library_handle *library;
typedef int32_t failure;

extern failure aoti_torch_delete_tensor_object(tensor);
extern failure aoti_torch_get_data_ptr(tensor, void **);
extern failure aoti_torch_get_dim(tensor, int64_t *);
extern failure aoti_torch_get_sizes(tensor, int64_t **);
extern failure aoti_torch_get_strides(tensor, int64_t **);
extern failure aoti_torch_get_dtype(tensor, int32_t *);
extern failure aoti_torch_empty_strided(int64_t, const int64_t *, const int64_t *, int32_t, int32_t, int32_t, tensor *);
extern failure aoti_torch_copy_(tensor, tensor, int32_t);
extern int32_t aoti_torch_dtype_float32(void);
extern int32_t aoti_torch_dtype_float64(void);
extern int32_t aoti_torch_dtype_int64(void);
extern int32_t aoti_torch_device_type_cpu(void);
extern failure aoti_torch_library_init_impl(const char *, const char *, const char *, uint32_t, library *);
extern void aoti_torch_check(bool, const char *, const char *, uint32_t, const char *);
extern failure torch_library_impl(library, const char *, void (*)(value *, uint64_t, uint64_t), uint64_t);
extern failure torch_new_list_reserve_size(size_t, list *);
extern failure torch_list_size(list, size_t *);
extern failure torch_list_get_item(list, size_t, value *);
extern failure torch_list_push_back(list, value);
extern failure torch_delete_list(list);
extern failure torch_get_num_threads(uint32_t *);
extern failure torch_delete_stable_ivalue(value *);

/* The version of PyTorch whose values these are: 2.13. */
#define BUILT_FOR (((uint64_t)2 << 56) | ((uint64_t)13 << 48))

#define NONE (-2)
#define ONE (-1)
static const int input_sizes[] = INPUT_SIZES, output_sizes[] = OUTPUT_SIZES;
static const int state_sizes[] = STATE_SIZES, rows_of[] = ROWS, columns_of[] = COLUMNS;
static const int without_gradient[] = WITHOUT_GRADIENT; /* 1 for a parameter that is fixed */

/* Sizes, lengths and direction of a call, as the kernels take them. */
typedef struct dims {
    size_t steps, rows, size[SIZES];
    const size_t *lengths;
    int reverse;
} dims;

/* The entry points of one precision. Several parts of a call are run by `lead`. */
typedef struct kernels {
    int (*packed_size)(const dims *, size_t *);
    int (*tape_size)(const dims *, size_t *);
    int (*workspace_size[3])(const dims *, size_t, size_t *);
    int (*useful_parts)(const dims *, size_t, int, size_t *);
    int (*pack)(const dims *, const void *const *, void *, void *, size_t, size_t);
    int (*forward)(const dims *, const void *, const void *, const void *, void *, void *, void *, void *, size_t, size_t, void *);
    int (*infer)(const dims *, const void *, const void *, const void *, void *, void *, void *, size_t, size_t, void *);
    int (*backward)(const dims *, const void *, const void *, const void *, const void *, const void *, void *const *, void *, void *,
                    void *, size_t, size_t, size_t, void *);
    int bytes;
} kernels;

enum { FORWARD, INFER, BACKWARD, PACK };
enum { PRECISIONS = 2 };

static struct {
    kernels of[PRECISIONS];
    /* Run an entry in parts by the threads of the process: precision, entry, parts, arguments before the part; returns a status. */
    int (*lead)(int, int, size_t, void *const *);
    const char *(*meaning)(int status);
} host;

/* What belongs to a call until it ends: handles, and lists of them. A parameter may be the sum of several blocks. */
enum { MOST_GIVEN = 4 * PARAMS + 4, MOST_BLOCKS = 8 * PARAMS + 8 };
enum { MOST_TENSORS = 4 * (MOST_GIVEN + STATES) + 32, MOST_LISTS = 8 };
typedef struct held {
    tensor tensors[MOST_TENSORS];
    list lists[MOST_LISTS];
    size_t tensor_count, list_count;
} held;

static void release(held *h)
{
    while (h->tensor_count)
        aoti_torch_delete_tensor_object(h->tensors[--h->tensor_count]);
    while (h->list_count)
        torch_delete_list(h->lists[--h->list_count]);
}

/* Raise an error in Python; what the call holds is released first. */
static void fail(held *h, const char *message)
{
    release(h);
    aoti_torch_check(false, OPERATORS, OPERATORS, 0, message);
    abort();
}

#define NEED(condition, message) \
    do { \
        if (!(condition)) \
            fail(h, OPERATORS ": " message); \
    } while (0)
#define DONE(call) NEED((call) == 0, "PyTorch refused: " #call)

static void hold(held *h, int status)
{
    if (status) {
        const char *const text = host.meaning(status);
        fail(h, text ? text : OPERATORS ": interrupted");
    }
}

static tensor own(held *h, tensor t)
{
    NEED(h->tensor_count < MOST_TENSORS, "too many tensors");
    return h->tensors[h->tensor_count++] = t;
}

/* A tensor that the caller gets: the call holds it no longer. */
static value given_away(held *h, tensor t)
{
    for (size_t i = 0; i < h->tensor_count; ++i)
        if (h->tensors[i] == t) {
            h->tensors[i] = h->tensors[--h->tensor_count];
            return (value)t;
        }
    abort();
}

/* Ask for large pages for a block. The system's allocator takes large blocks from the system at every call and gives them back, and
   each new page is an interrupt. Advice alone: a system without large pages ignores it. */
static void ask_for_large_pages(void *block, size_t bytes)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const size_t page = 1 << 16, before = (size_t)(-(uintptr_t)block % page); /* the largest that a Linux has */
    (void)madvise((char *)block + before, bytes - before, MADV_HUGEPAGE);
#else
    (void)block;
    (void)bytes;
#endif
}

/* Bytes of a block that is large: as for NumPy, two large pages. */
#define LARGE ((size_t)4 << 20)

static tensor new_tensor(held *h, int32_t dtype, int64_t axes, const int64_t *size)
{
    int64_t stride[3], step = 1;
    tensor t;
    for (int64_t i = axes; i-- > 0;) {
        stride[i] = step;
        step *= size[i] > 1 ? size[i] : 1;
    }
    DONE(aoti_torch_empty_strided(axes, size, stride, dtype, aoti_torch_device_type_cpu(), 0, &t));
    own(h, t);
    const size_t bytes = (size_t)step * (dtype == aoti_torch_dtype_float32() ? sizeof(float) : sizeof(double));
    if (bytes >= LARGE) {
        void *block;
        DONE(aoti_torch_get_data_ptr(t, &block));
        ask_for_large_pages(block, bytes);
    }
    return t;
}

static tensor new_block(held *h, int32_t dtype, size_t numbers)
{
    const int64_t size[] = {(int64_t)numbers};
    return new_tensor(h, dtype, 1, size);
}

/* The numbers of a dense tensor; of an empty one, an address that nobody reads. */
static void *numbers_of(held *h, tensor t)
{
    static char nothing[64];
    void *found;
    DONE(aoti_torch_get_data_ptr(t, &found));
    return found ? found : nothing;
}

/* The tensor itself if it is of the dtype and shape and dense, else a dense copy; another dtype or shape is an error. */
static tensor dense(held *h, tensor t, int32_t dtype, int64_t axes, const int64_t *size)
{
    int64_t found_axes, *found, *stride, step = 1;
    int32_t found_dtype;
    int is_dense = 1;
    DONE(aoti_torch_get_dtype(t, &found_dtype));
    NEED(found_dtype == dtype, "a tensor has another dtype than x; convert it with .to()");
    DONE(aoti_torch_get_dim(t, &found_axes));
    DONE(aoti_torch_get_sizes(t, &found));
    DONE(aoti_torch_get_strides(t, &stride));
    NEED(found_axes == axes, "a tensor has another number of axes than the cell says");
    for (int64_t i = axes; i-- > 0;) {
        NEED(found[i] == size[i], "a tensor has another shape than the sizes say");
        is_dense &= stride[i] == step || size[i] < 2;
        step *= size[i];
    }
    if (is_dense || !step)
        return t;
    tensor copy = new_tensor(h, dtype, axes, size);
    DONE(aoti_torch_copy_(copy, t, 0));
    return copy;
}

/* An operator owns what its stack holds before anything can fail. */
static list own_list(held *h, value given)
{
    return h->lists[h->list_count++] = (list)given;
}

/* An optional value is a pointer to it, or null; returns the value, or null. */
static value opened(value given)
{
    if (!given)
        return 0;
    const value found = *(value *)given;
    torch_delete_stable_ivalue((value *)given);
    return found;
}

static tensor own_optional_tensor(held *h, value given)
{
    const value found = opened(given);
    return found ? own(h, (tensor)found) : NULL;
}

/* Null for no list. */
static list own_optional_list(held *h, value given)
{
    const value found = opened(given);
    return found ? own_list(h, found) : NULL;
}

/* The tensors of a list are the operator's too: to delete the list does not delete them. */
static list own_tensors(held *h, value given)
{
    const list found = own_list(h, given);
    size_t count;
    DONE(torch_list_size(found, &count));
    for (size_t i = 0; i < count; ++i) {
        value item;
        DONE(torch_list_get_item(found, i, &item));
        own(h, (tensor)item);
    }
    return found;
}

/* The tensors of a list, which are owned already; returns their number, at most `most`. */
static size_t items(held *h, list from, tensor *to, size_t most)
{
    size_t count;
    DONE(torch_list_size(from, &count));
    NEED(count <= most, "a list has more tensors than the cell has names");
    for (size_t i = 0; i < count; ++i) {
        value item;
        DONE(torch_list_get_item(from, i, &item));
        to[i] = (tensor)item;
    }
    return count;
}

static value list_of(held *h, const tensor *tensors, size_t count)
{
    list l;
    DONE(torch_new_list_reserve_size(count, &l));
    for (size_t i = 0; i < count; ++i)
        DONE(torch_list_push_back(l, given_away(h, tensors[i])));
    return (value)l;
}

/* Rows of a tensor that are a parameter, or a part of a sum that is one. */
typedef struct place {
    size_t tensor_at;
    int64_t row, rows;
} place;

/* Where the parameters of the cell lie in the tensors that come. A parameter is the sum of its blocks, which begin at `first`, and
   end where those of the next one begin. */
typedef struct places {
    tensor given[MOST_GIVEN];
    place blocks[MOST_BLOCKS];
    size_t first[PARAMS + 1];
    size_t tensors;
    int stacked; /* whether tensors may have more rows than one block */
} places;

/* One call: its kernels, shapes and number of parts. */
typedef struct call {
    const kernels *k;
    int precision;
    int32_t dtype;
    dims d;
    size_t units[KINDS];
    size_t parts;
    tensor x;
} call;

static size_t size_of(const call *c, int size)
{
    return size < 0 ? 1 : c->units[size];
}

/* Numbers in a row of values of these sizes. */
static int64_t row_of(const call *c, const int *sizes, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; ++i)
        total += size_of(c, sizes[i]);
    return (int64_t)total;
}

static int64_t input_row(const call *c)
{
    return row_of(c, input_sizes, sizeof input_sizes / sizeof *input_sizes);
}

static int64_t output_row(const call *c)
{
    return row_of(c, output_sizes, sizeof output_sizes / sizeof *output_sizes);
}

/* The numbers of all states side by side, and where each begins. */
static size_t place_states(const call *c, size_t start[STATES])
{
    size_t end = 0;
    for (size_t i = 0; i < STATES; ++i) {
        start[i] = end;
        end += c->d.rows * size_of(c, state_sizes[i]);
    }
    return end;
}

/* At most how many threads: as PyTorch and the environment bound them. */
static size_t most_threads(held *h)
{
    const char *text = getenv("SYMRNN_NUM_THREADS");
    uint32_t threads;
    DONE(torch_get_num_threads(&threads));
    if (text && *text) {
        char *end;
        const unsigned long bound = strtoul(text, &end, 10);
        NEED(*text >= '0' && *text <= '9' && !*end && bound, "SYMRNN_NUM_THREADS: expected a whole number of at least 1");
        if (bound < threads)
            threads = (uint32_t)bound;
    }
    return threads;
}

/* In how many parts to run. */
static void choose_parts(held *h, call *c, int64_t threads)
{
    c->parts = 1;
    NEED(threads >= 0 && threads <= 1024, "threads: expected a number from 1 to 1024, or 0 for as many as pay");
    if (threads)
        c->parts = (size_t)threads;
    else if (c->d.steps && c->d.rows)
        hold(h, c->k->useful_parts(&c->d, most_threads(h), 1, &c->parts));
    if (!host.lead)
        c->parts = 1;
}

/* Whole numbers of a list; returns how many, and 0 for no list. */
static size_t whole_numbers(held *h, list from, int64_t *to, size_t most)
{
    size_t count = 0;
    if (from)
        DONE(torch_list_size(from, &count));
    NEED(count <= most, "a list of numbers is longer than the cell says");
    for (size_t i = 0; i < count; ++i) {
        value item;
        DONE(torch_list_get_item(from, i, &item));
        to[i] = (int64_t)item;
    }
    return count;
}

/* Read what all operators take: x, sizes, lengths, direction, threads. */
static void begin(held *h, call *c, tensor x, list sizes, tensor lengths, value reverse, value threads)
{
    int64_t axes, *size;
    int64_t given[SIZES];
    *c = (call){.x = x};
    DONE(aoti_torch_get_dtype(c->x, &c->dtype));
    NEED(c->dtype == aoti_torch_dtype_float32() || c->dtype == aoti_torch_dtype_float64(),
         "the kernels take float32 and float64; convert x with .to()");
    c->precision = c->dtype == aoti_torch_dtype_float64();
    c->k = &host.of[c->precision];
    DONE(aoti_torch_get_dim(c->x, &axes));
    NEED(axes == 3, "expected x of shape (T, B, input)");
    DONE(aoti_torch_get_sizes(c->x, &size));
    c->d.steps = (size_t)size[0];
    c->d.rows = (size_t)size[1];
    c->d.reverse = (int)(reverse & 1);
    NEED(whole_numbers(h, sizes, given, SIZES) == SIZES, "a size of the cell is missing");
    for (size_t i = 0; i < SIZES; ++i)
        c->d.size[i] = (size_t)given[i];
    const size_t units[] = UNITS(c->d.size);
    memcpy(c->units, units, sizeof units);
    const int64_t shape[] = {size[0], size[1], input_row(c)};
    c->x = dense(h, c->x, c->dtype, 3, shape);
    if (lengths) {
        const tensor whole = dense(h, lengths, aoti_torch_dtype_int64(), 1, shape + 1);
        c->d.lengths = numbers_of(h, whole);
    }
    choose_parts(h, c, (int64_t)threads);
}

/* Read the blocks of parameters. A block comes as a number: bits of its first row, of its rows, of its tensor, and one that stands
   at the first block of a parameter. No numbers: each parameter has a tensor of its own. */
enum { ROW_BITS = 24, TENSOR_BITS = 14 };

static void read_blocks(held *h, const call *c, list where, places *p)
{
    const int64_t most = ((int64_t)1 << ROW_BITS) - 1;
    int64_t number[MOST_BLOCKS];
    const size_t count = whole_numbers(h, where, number, MOST_BLOCKS);
    size_t parameters = 0;
    p->stacked = count > 0;
    NEED(count || p->tensors == PARAMS || !PARAMS, "a parameter of the cell is missing");
    for (size_t i = 0; i < PARAMS && !count; ++i) {
        p->first[i] = i;
        p->blocks[i] = (place){i, 0, (int64_t)size_of(c, rows_of[i])};
    }
    for (size_t i = 0; i < count; ++i) {
        if (number[i] >> (2 * ROW_BITS + TENSOR_BITS) & 1) {
            NEED(parameters < PARAMS, "there are more places than parameters");
            p->first[parameters++] = i;
        }
        const int64_t tensor_at = number[i] >> 2 * ROW_BITS & (((int64_t)1 << TENSOR_BITS) - 1);
        NEED(parameters, "the place of a parameter is missing");
        p->blocks[i] = (place){(size_t)tensor_at, number[i] & most, number[i] >> ROW_BITS & most};
    }
    NEED(!count || parameters == PARAMS, "the place of a parameter is missing");
    p->first[PARAMS] = count ? count : PARAMS;
}

/* Read the parameters of a list and where they lie; each tensor is dense from then on. */
static void read_params(held *h, const call *c, list params, list where, places *p)
{
    p->tensors = items(h, params, p->given, MOST_GIVEN);
    read_blocks(h, c, where, p);
    for (size_t i = 0; i < p->tensors; ++i) {
        int64_t axes, *size;
        DONE(aoti_torch_get_dim(p->given[i], &axes));
        DONE(aoti_torch_get_sizes(p->given[i], &size));
        NEED(axes == 1 || axes == 2 || !PARAMS, "a parameter has one axis or two");
        if (!PARAMS)
            continue;
        const int64_t shape[] = {size[0], axes == 2 ? size[1] : 1};
        p->given[i] = dense(h, p->given[i], c->dtype, axes, shape);
    }
    for (size_t i = 0; i < PARAMS; ++i) {
        const int64_t rows = (int64_t)size_of(c, rows_of[i]), columns = (int64_t)size_of(c, columns_of[i]);
        for (const place *b = p->blocks + p->first[i]; b < p->blocks + p->first[i + 1]; ++b) {
            int64_t axes, *size;
            NEED(b->rows == rows, "the place of a parameter has other rows than the sizes say");
            NEED(b->tensor_at < p->tensors, "the place of a parameter is in no tensor");
            DONE(aoti_torch_get_dim(p->given[b->tensor_at], &axes));
            DONE(aoti_torch_get_sizes(p->given[b->tensor_at], &size));
            NEED(axes == (columns_of[i] == NONE ? 1 : 2) && size[0] >= rows && b->row <= size[0] - rows
                     && (p->stacked || size[0] == rows)
                     && (axes == 1 || size[1] == columns),
                 "a tensor has another shape than the sizes say");
        }
    }
}

/* Whether the parameters have as many rows in a tensor as it has. */
static int fills(const places *p, size_t tensor_at, int64_t rows)
{
    int64_t found = 0;
    for (const place *b = p->blocks; b < p->blocks + p->first[PARAMS]; ++b)
        found += b->tensor_at == tensor_at ? b->rows : 0;
    return found == rows;
}

/* The numbers of a block in tensors that lie as those given do. */
static char *block_of(held *h, const call *c, const tensor *tensors, const place *b, int64_t columns)
{
    return (char *)numbers_of(h, tensors[b->tensor_at]) + b->row * columns * c->k->bytes;
}

/* The parameters, laid out for the kernels. */
static tensor pack(held *h, const call *c, const places *p)
{
    const void *address[PARAMS + 1];
    size_t size;
    for (size_t i = 0; i < PARAMS; ++i) {
        const int64_t columns = (int64_t)size_of(c, columns_of[i]), numbers = (int64_t)size_of(c, rows_of[i]) * columns;
        const place *b = p->blocks + p->first[i], *const end = p->blocks + p->first[i + 1];
        address[i] = block_of(h, c, p->given, b, columns);
        if (++b == end)
            continue;
        char *const sum = numbers_of(h, new_block(h, c->dtype, (size_t)numbers));
        memcpy(sum, address[i], (size_t)(numbers * c->k->bytes));
        for (; b < end; ++b) {
            const void *const more = block_of(h, c, p->given, b, columns);
            for (int64_t j = 0; j < numbers; ++j)
                if (c->precision)
                    ((double *)sum)[j] += ((const double *)more)[j];
                else
                    ((float *)sum)[j] += ((const float *)more)[j];
        }
        address[i] = sum;
    }
    hold(h, c->k->packed_size(&c->d, &size));
    const tensor packed = new_block(h, c->dtype, size);
    void *const to = numbers_of(h, packed);
    if (c->parts > 1) {
        void *const arguments[] = {(void *)&c->d, address, to, NULL};
        hold(h, host.lead(c->precision, PACK, c->parts, arguments));
    } else {
        hold(h, c->k->pack(&c->d, address, to, NULL, 0, 1));
    }
    return packed;
}

/* The states of a list side by side, or null for none, which means zeros. */
static void *join(held *h, const call *c, list states, tensor dense_states[STATES])
{
    size_t start[STATES], total = place_states(c, start);
    const size_t count = items(h, states, dense_states, STATES);
    NEED(count == STATES || !count, "a state is missing; give all of them or none");
    if (!count)
        return NULL;
    char *const to = numbers_of(h, new_block(h, c->dtype, total));
    for (size_t i = 0; i < STATES; ++i) {
        const int64_t shape[] = {(int64_t)c->d.rows, (int64_t)size_of(c, state_sizes[i])};
        dense_states[i] = dense(h, dense_states[i], c->dtype, 2, shape);
        memcpy(to + start[i] * (size_t)c->k->bytes, numbers_of(h, dense_states[i]),
               (size_t)(shape[0] * shape[1]) * (size_t)c->k->bytes);
    }
    return to;
}

/* A block of states as a list of tensors of their own; a null block means zeros. */
static value separate(held *h, const call *c, const char *block)
{
    size_t start[STATES];
    tensor found[STATES];
    place_states(c, start);
    for (size_t i = 0; i < STATES; ++i) {
        const int64_t shape[] = {(int64_t)c->d.rows, (int64_t)size_of(c, state_sizes[i])};
        const size_t bytes = (size_t)(shape[0] * shape[1]) * (size_t)c->k->bytes;
        found[i] = new_tensor(h, c->dtype, 2, shape);
        if (block)
            memcpy(numbers_of(h, found[i]), block + start[i] * (size_t)c->k->bytes, bytes);
        else
            memset(numbers_of(h, found[i]), 0, bytes);
    }
    return list_of(h, found, STATES);
}

/* A workspace lives as long as its call of the kernels. */
static tensor workspace(held *h, const call *c, int entry)
{
    size_t size;
    hold(h, c->k->workspace_size[entry](&c->d, c->parts, &size));
    return new_block(h, c->dtype, size);
}

/* All steps of a call, with a tape unless that is null. */
static void run_steps(held *h, const call *c, void *weights, void *x, void *state, void *y, void *final, void *tape)
{
    const tensor work = workspace(h, c, tape ? FORWARD : INFER);
    void *const room = numbers_of(h, work);
    int status;
    if (c->parts > 1 && tape) {
        void *const arguments[] = {(void *)&c->d, weights, x, state, y, final, tape, room};
        status = host.lead(c->precision, FORWARD, c->parts, arguments);
    } else if (c->parts > 1) {
        void *const arguments[] = {(void *)&c->d, weights, x, state, y, final, room};
        status = host.lead(c->precision, INFER, c->parts, arguments);
    } else if (tape) {
        status = c->k->forward(&c->d, weights, x, state, y, final, tape, room, 0, 1, NULL);
    } else {
        status = c->k->infer(&c->d, weights, x, state, y, final, room, 0, 1, NULL);
    }
    hold(h, status);
    aoti_torch_delete_tensor_object((tensor)given_away(h, work));
}

/* The backward pass of a call; `adds` to the gradients of parameters. */
static void go_back(held *h, const call *c, void *weights, void *x, void *tape, void *dy, void *dfinal, void *const *grads, void *dx,
                    void *dfirst, size_t adds)
{
    const tensor work = workspace(h, c, BACKWARD);
    void *const room = numbers_of(h, work);
    void *const arguments[] = {(void *)&c->d, weights, x, tape, dy, dfinal, (void *)grads, dx, dfirst, room, (void *)adds};
    hold(h, c->parts > 1 ? host.lead(c->precision, BACKWARD, c->parts, arguments)
                         : c->k->backward(&c->d, weights, x, tape, dy, dfinal, grads, dx, dfirst, room, adds, 0, 1, NULL));
    aoti_torch_delete_tensor_object((tensor)given_away(h, work));
}

/* A sequence cut in time: the tape keeps the states where pieces begin, in the order in which they run. */
typedef struct cut {
    size_t steps, count, longest;
    int64_t *lengths;
} cut;

/* Rows of the sums over time that the kernels make at once: a piece ends on their end, so gradients are the same to the bit. */
#define SUMMED_TOGETHER 256

static cut cut_sequence(held *h, const call *c, int64_t checkpoint)
{
    size_t whole = SUMMED_TOGETHER;
    cut found = {.steps = c->d.steps, .count = 1, .longest = c->d.steps};
    while (whole > 1 && whole / 2 * c->d.rows % SUMMED_TOGETHER == 0)
        whole /= 2;
    if (checkpoint > 0) {
        const size_t steps = c->d.steps;
        found.steps = ((size_t)checkpoint + whole - 1) / whole * whole;
        found.steps = found.steps > 2 ? found.steps : 2;
        /* One step alone adds its products in another order, so no piece has a single one: the last takes it on. */
        found.count = steps < 2 ? steps : (steps + found.steps - 2) / found.steps;
        found.longest = found.steps + 1 < steps ? found.steps + 1 : steps;
        if (c->d.lengths) {
            const int64_t rows[] = {(int64_t)c->d.rows};
            found.lengths = numbers_of(h, new_tensor(h, aoti_torch_dtype_int64(), 1, rows));
        }
    }
    return found;
}

/* The call for the piece that runs as number `order`; returns its first step. */
static size_t piece_of(held *h, const call *c, const cut *all, size_t order, int64_t threads, call *piece)
{
    const size_t at = c->d.reverse ? all->count - 1 - order : order, start = at * all->steps;
    *piece = *c;
    piece->d.steps = at + 1 < all->count ? all->steps : c->d.steps - start;
    if (all->lengths) {
        for (size_t i = 0; i < c->d.rows; ++i) {
            NEED(c->d.lengths[i] <= c->d.steps, "a length exceeds the steps");
            const size_t beyond = c->d.lengths[i] > start ? c->d.lengths[i] - start : 0;
            all->lengths[i] = (int64_t)(beyond < piece->d.steps ? beyond : piece->d.steps);
        }
        piece->d.lengths = (const size_t *)all->lengths;
    }
    choose_parts(h, piece, threads);
    return start;
}

static char *at_row(void *numbers, const call *c, size_t step, int64_t width)
{
    return (char *)numbers + step * c->d.rows * (size_t)width * (size_t)c->k->bytes;
}

/* x, params, places, sizes, state, lengths, reverse, threads; with a tape also checkpoint -> y, final, and with a tape tape, packed. */
static void run(value *stack, int taped)
{
    held holder = {0}, *const h = &holder;
    call c, piece;
    places p;
    tensor states[STATES], tape = NULL, packed;
    size_t size, start[STATES];
    const int64_t threads = (int64_t)stack[7], checkpoint = taped ? (int64_t)stack[8] : 0;
    const tensor x_given = own(h, (tensor)stack[0]);
    const list params = own_tensors(h, stack[1]), where = own_optional_list(h, stack[2]), sizes = own_list(h, stack[3]);
    const list initial = own_tensors(h, stack[4]);
    const tensor lengths = own_optional_tensor(h, stack[5]);
    begin(h, &c, x_given, sizes, lengths, stack[6], stack[7]);
    read_params(h, &c, params, where, &p);
    packed = pack(h, &c, &p);
    void *const state = join(h, &c, initial, states);
    const int64_t width = output_row(&c), shape[] = {(int64_t)c.d.steps, (int64_t)c.d.rows, width};
    const tensor y = new_tensor(h, c.dtype, 3, shape);
    const cut all = cut_sequence(h, &c, checkpoint);
    const size_t block = place_states(&c, start);
    void *final = state;
    if (taped) {
        size = all.count * block;
        if (!checkpoint)
            hold(h, c.k->tape_size(&c.d, &size));
        tape = new_block(h, c.dtype, size);
        /* What the kernels leave alone is zero: padding by themselves, rows beyond their length here. */
        if (c.d.lengths || !c.d.steps)
            memset(numbers_of(h, tape), 0, size * (size_t)c.k->bytes);
    }
    if (c.d.steps && c.d.rows) {
        void *const x = numbers_of(h, c.x), *const to = numbers_of(h, y), *const weights = numbers_of(h, packed);
        final = numbers_of(h, new_block(h, c.dtype, block));
        if (!checkpoint)
            run_steps(h, &c, weights, x, state, to, final, taped ? numbers_of(h, tape) : NULL);
        for (size_t order = 0; checkpoint && order < all.count; ++order) {
            char *const before = (char *)numbers_of(h, tape) + order * block * (size_t)c.k->bytes;
            if (order || state)
                memcpy(before, order ? final : state, block * (size_t)c.k->bytes);
            else
                memset(before, 0, block * (size_t)c.k->bytes);
            const size_t first = piece_of(h, &c, &all, order, threads, &piece);
            run_steps(h, &piece, weights, at_row(x, &c, first, input_row(&c)), before, at_row(to, &c, first, width), final,
                      NULL);
        }
    }
    stack[1] = separate(h, &c, final);
    stack[0] = given_away(h, y);
    if (taped) {
        stack[2] = given_away(h, tape);
        stack[3] = given_away(h, packed);
    }
    release(h);
}

static void operator_forward(value *stack, uint64_t arguments, uint64_t results)
{
    (void)arguments, (void)results;
    run(stack, 1);
}

static void operator_infer(value *stack, uint64_t arguments, uint64_t results)
{
    (void)arguments, (void)results;
    run(stack, 0);
}

/* Each piece is run again with a tape, the last one first. */
static void go_back_in_pieces(held *h, const call *c, int64_t checkpoint, int64_t threads, void *weights, void *x, void *starts, void *dy,
                              void *dfinal, void *const *grads, void *dx, void *dfirst)
{
    call piece;
    size_t size, start[STATES];
    const cut all = cut_sequence(h, c, checkpoint);
    const size_t block = place_states(c, start), bytes = block * (size_t)c->k->bytes;
    const int64_t inputs = input_row(c), width = output_row(c);
    void *const y = numbers_of(h, new_block(h, c->dtype, all.longest * c->d.rows * (size_t)width));
    void *const after = numbers_of(h, new_block(h, c->dtype, block)), *const carry = numbers_of(h, new_block(h, c->dtype, block));
    for (size_t order = all.count; order-- > 0;) {
        const size_t first = piece_of(h, c, &all, order, threads, &piece);
        hold(h, c->k->tape_size(&piece.d, &size));
        const tensor tape = new_block(h, c->dtype, size);
        void *const kept = numbers_of(h, tape), *const from = at_row(x, c, first, inputs);
        run_steps(h, &piece, weights, from, (char *)starts + order * bytes, y, after, kept);
        go_back(h, &piece, weights, from, kept, at_row(dy, c, first, width), dfinal, grads, at_row(dx, c, first, inputs), dfirst,
                order + 1 < all.count);
        memcpy(carry, dfirst, bytes);
        dfinal = carry;
        aoti_torch_delete_tensor_object((tensor)given_away(h, tape));
    }
}

/* Whether a tensor holds parameters that are fixed, or none; none holds parameters of both kinds. */
static int is_fixed(const places *p, size_t tensor_at)
{
    int found = !PARAMS;
    for (size_t i = 0; i < PARAMS; ++i)
        for (size_t j = p->first[i]; without_gradient[i] && j < p->first[i + 1]; ++j)
            found |= p->blocks[j].tensor_at == tensor_at;
    return found;
}

/* x, params, places, sizes, tape, packed, dy, dstate, lengths, reverse, threads, checkpoint -> dx, dparams, dstate; the gradient of
   a tensor with fixed parameters has no numbers. */
static void operator_backward(value *stack, uint64_t arguments, uint64_t results)
{
    held holder = {0}, *const h = &holder;
    call c;
    tensor states[STATES], grads[MOST_GIVEN];
    void *to[PARAMS + 1];
    places p;
    size_t tape_size, packed_size, start[STATES];
    const int64_t threads = (int64_t)stack[10], checkpoint = (int64_t)stack[11];
    (void)arguments, (void)results;
    const tensor x_given = own(h, (tensor)stack[0]);
    tensor tape = own(h, (tensor)stack[4]), packed = own(h, (tensor)stack[5]), dy = own(h, (tensor)stack[6]);
    const list params = own_tensors(h, stack[1]), where = own_optional_list(h, stack[2]), sizes = own_list(h, stack[3]);
    const list dstates = own_tensors(h, stack[7]);
    const tensor lengths = own_optional_tensor(h, stack[8]);
    begin(h, &c, x_given, sizes, lengths, stack[9], stack[10]);
    read_params(h, &c, params, where, &p);
    hold(h, c.k->tape_size(&c.d, &tape_size));
    if (checkpoint)
        tape_size = cut_sequence(h, &c, checkpoint).count * place_states(&c, start);
    hold(h, c.k->packed_size(&c.d, &packed_size));
    const int64_t tape_shape[] = {(int64_t)tape_size}, packed_shape[] = {(int64_t)packed_size};
    const int64_t dx_shape[] = {(int64_t)c.d.steps, (int64_t)c.d.rows, input_row(&c)};
    const int64_t dy_shape[] = {dx_shape[0], dx_shape[1], output_row(&c)};
    tape = dense(h, tape, c.dtype, 1, tape_shape);
    packed = dense(h, packed, c.dtype, 1, packed_shape);
    dy = dense(h, dy, c.dtype, 3, dy_shape);
    void *const dfinal = join(h, &c, dstates, states);
    const tensor dx = new_tensor(h, c.dtype, 3, dx_shape);
    void *dfirst = dfinal;
    for (size_t i = 0; i < p.tensors; ++i) {
        int64_t axes, *size;
        DONE(aoti_torch_get_dim(p.given[i], &axes));
        DONE(aoti_torch_get_sizes(p.given[i], &size));
        if (is_fixed(&p, i)) {
            const int64_t nothing[] = {0};
            grads[i] = new_tensor(h, c.dtype, 1, nothing);
            continue;
        }
        grads[i] = new_tensor(h, c.dtype, axes, size);
        /* Rows in no place have no gradient. */
        if (!c.d.steps || !c.d.rows || !fills(&p, i, size[0]))
            memset(numbers_of(h, grads[i]), 0, (size_t)(size[0] * (axes == 2 ? size[1] : 1) * c.k->bytes));
    }
    size_t trained = 0;
    for (size_t i = 0; i < PARAMS; ++i)
        if (!without_gradient[i])
            to[trained++] = block_of(h, &c, grads, p.blocks + p.first[i], (int64_t)size_of(&c, columns_of[i]));
    if (c.d.steps && c.d.rows) {
        void *const weights = numbers_of(h, packed), *const x = numbers_of(h, c.x), *const kept = numbers_of(h, tape);
        void *const upstream = numbers_of(h, dy), *const out = numbers_of(h, dx);
        dfirst = numbers_of(h, new_block(h, c.dtype, place_states(&c, start)));
        if (checkpoint)
            go_back_in_pieces(h, &c, checkpoint, threads, weights, x, kept, upstream, dfinal, to, out, dfirst);
        else
            go_back(h, &c, weights, x, kept, upstream, dfinal, to, out, dfirst, 0);
    }
    /* Every block of a sum has its gradient. */
    trained = 0;
    for (size_t i = 0; i < PARAMS; ++i) {
        const int64_t columns = (int64_t)size_of(&c, columns_of[i]);
        for (size_t j = p.first[i] + 1; !without_gradient[i] && j < p.first[i + 1]; ++j)
            memcpy(block_of(h, &c, grads, p.blocks + j, columns), to[trained],
                   size_of(&c, rows_of[i]) * (size_t)columns * (size_t)c.k->bytes);
        trained += !without_gradient[i];
    }
    stack[2] = separate(h, &c, dfirst);
    stack[1] = list_of(h, grads, p.tensors);
    stack[0] = given_away(h, dx);
    release(h);
}

/* Register the three operators for the CPU. `entries` holds the members of `kernels` in order for each precision, `lead` may be
   null: then a call is one part. Returns whether PyTorch accepted. */
int register_operators(void *const *entries, int (*lead)(int, int, size_t, void *const *), const char *(*meaning)(int))
{
    library l;
    host.lead = lead;
    host.meaning = meaning;
    for (int precision = 0; precision < PRECISIONS; ++precision) {
        memcpy(&host.of[precision], entries, 10 * sizeof *entries);
        host.of[precision].bytes = precision ? 8 : 4;
        entries += 10;
    }
    return !aoti_torch_library_init_impl("symrnn", "CPU", OPERATORS, 0, &l)
           && !torch_library_impl(l, OPERATORS "_forward", operator_forward, BUILT_FOR)
           && !torch_library_impl(l, OPERATORS "_infer", operator_infer, BUILT_FOR)
           && !torch_library_impl(l, OPERATORS "_backward", operator_backward, BUILT_FOR);
}

/* The entry points that are the same for every cell, in one precision. Included once for each, at the end of a cell's own part,
   which defines before it:

       ENTRY(name), DIMS, BARRIER     the name of an entry point in this precision; the cell's structures
       SIZES_OF(dims), TAGGED         the sizes that packed weights depend on, each with a comma behind it; their number
       STATES, RIGHTS, FUSES, TRAINS  numbers of states and of right sides of deferred products; whether the loop may take the
                                      linear forms of the input into its sums; whether there is a backward routine
       check_sizes, S(blocks), S(describe), S(forward_stages), S(rights), S(step_row)
*/

static party S(part_of)(size_t part, size_t parts, BARRIER *barrier)
{
    return (party){part, parts, barrier ? &barrier->arrived : NULL, barrier ? &barrier->round : NULL};
}

ALWAYS int S(check_packed)(const DIMS *dims, const real *packed)
{
    const size_t sizes[TAGGED + 1] = {SIZES_OF(dims) 0};
    (void)dims;
    return check_tag(packed, SYMRNN_DIGEST, sizes, TAGGED);
}

/* Every call begins here: check its sizes, describe its arrays. */
ONCE int S(begin)(S(routine) *r, const DIMS *dims, piece *b, party us)
{
    size_t end;
    int status = check_sizes(dims);
    if (status)
        return status;
    const sequence seq = {dims->steps, dims->rows, dims->lengths, dims->reverse};
    status = check_sequence(&seq);
    if (!status)
        status = check_party(&us);
    if (!status && !S(blocks)(dims, b, &end))
        status = SYMRNN_SIZE;
    if (status)
        return status;
    /* Packed weights hold the matrices twice where there is a backward routine. Inference alone decides alike. */
    begin_routine(r, dims, seq, us, b, TRAINS ? end / 2 : end, STATES, FUSES);
    S(describe)(dims, r);
    return SYMRNN_OK;
}

int ENTRY(packed_size)(const DIMS *dims, size_t *size)
{
    piece b[BLOCKS];
    const int status = check_sizes(dims);
    if (status)
        return status;
    if (!size)
        return SYMRNN_NULL;
    return S(blocks)(dims, b, size) ? SYMRNN_OK : SYMRNN_SIZE;
}

/* Numbers on the tape, or in a workspace: WORK or BACK. */
QUERY int S(query)(const DIMS *dims, int taped, enum memory which, size_t parts, size_t *size)
{
    S(routine) r;
    piece b[BLOCKS];
    size_t tape_end, work_end;
    const int status = S(begin)(&r, dims, b, S(part_of)(0, 1, NULL));
    if (status)
        return status;
    if (!size)
        return SYMRNN_NULL;
    if (parts < 1 || parts > SYMRNN_MOST_PARTS)
        return SYMRNN_PARTS;
    int fits = lay_out(&r, taped, which == BACK ? BACK : WORK, &tape_end, &work_end);
#if TRAINS
    if (which == BACK) {
        S(columns) right[MOST_RIGHTS];
        size_t panels[MOST_RIGHTS + 1];
        S(rights)(dims, right);
        fits &= place_products(right, RIGHTS, parts, panels, &work_end);
    }
#endif
    *size = which == TAPE ? tape_end : work_end;
    return fits ? SYMRNN_OK : SYMRNN_SIZE;
}

int ENTRY(infer_workspace_size)(const DIMS *dims, size_t parts, size_t *size)
{
    return S(query)(dims, 0, WORK, parts, size);
}

int ENTRY(useful_parts)(const DIMS *dims, size_t most, int awake, size_t *size)
{
    S(routine) r;
    piece b[BLOCKS];
    const int status = S(begin)(&r, dims, b, S(part_of)(0, 1, NULL));
    if (status)
        return status;
    if (!size)
        return SYMRNN_NULL;
    const int fused = fuses(&r);
    r.can_fuse = 0;
    S(forward_stages)(dims, &r);
    *size = useful_parts(&r, most, awake, fused);
    return SYMRNN_OK;
}

static int S(run)(const DIMS *dims, const real *packed, const real *x, const real *state, real *y, real *state_out, real *tape,
                  real *workspace, int taped, party us)
{
    S(routine) r;
    piece b[BLOCKS];
    int status = S(begin)(&r, dims, b, us);
    if (!status && (!packed || !x || !y || !workspace || (taped && !tape)))
        status = SYMRNN_NULL;
    if (!status)
        status = S(check_packed)(dims, packed);
    if (status)
        return status;
    r.packed = packed;
    S(forward_stages)(dims, &r);
    return run_forward(&r, x, state, y, state_out, tape, workspace);
}

int ENTRY(infer)(const DIMS *dims, const real *packed, const real *x, const real *state, real *y, real *state_out,
                 real *workspace, size_t part, size_t parts, BARRIER *barrier)
{
    return S(run)(dims, packed, x, state, y, state_out, NULL, workspace, 0, S(part_of)(part, parts, barrier));
}

/* One row runs its stages directly; several rows run as infer does. */
int ENTRY(step)(const DIMS *dims, const real *packed, const real *x, real *state, real *y, real *workspace)
{
    DIMS one;
    int status = check_sizes(dims);
    if (status)
        return status;
    if (!packed || !x || !state || !y || !workspace)
        return SYMRNN_NULL;
    if (dims->rows == 1) {
        status = S(check_packed)(dims, packed);
        if (!status)
            S(step_row)(dims, packed, x, state, y, workspace);
        return status;
    }
    one = *dims;
    one.steps = 1;
    one.lengths = NULL;
    one.reverse = 0;
    return ENTRY(infer)(&one, packed, x, state, y, state, workspace, 0, 1, NULL);
}

#if TRAINS
int ENTRY(tape_size)(const DIMS *dims, size_t *size)
{
    return S(query)(dims, 1, TAPE, 1, size);
}

int ENTRY(forward_workspace_size)(const DIMS *dims, size_t parts, size_t *size)
{
    return S(query)(dims, 1, WORK, parts, size);
}

int ENTRY(backward_workspace_size)(const DIMS *dims, size_t parts, size_t *size)
{
    return S(query)(dims, 1, BACK, parts, size);
}

int ENTRY(forward)(const DIMS *dims, const real *packed, const real *x, const real *state, real *y, real *state_out, real *tape,
                   real *workspace, size_t part, size_t parts, BARRIER *barrier)
{
    return S(run)(dims, packed, x, state, y, state_out, tape, workspace, 1, S(part_of)(part, parts, barrier));
}
#endif

/* Check the arguments of `pack` that are no pointers to numbers, and say where the parts of packed weights lie. */
ALWAYS int S(begin_packing)(const DIMS *dims, piece *b, const party *us)
{
    size_t end;
    const int status = check_sizes(dims);
    if (status)
        return status;
    if (us->part >= us->parts || us->parts > SYMRNN_MOST_PARTS)
        return SYMRNN_PARTS;
    return S(blocks)(dims, b, &end) ? SYMRNN_OK : SYMRNN_SIZE;
}

/* A part of a call, whose arguments before the part stand in a row. */
static int S(run_part)(size_t entry, void *const *a, size_t part, size_t parts, BARRIER *barrier)
{
    switch (entry) {
    case LEAD(PACK):
        return ENTRY(pack)(a[0], a[1], a[2], a[3], part, parts);
    case LEAD(INFER):
        return ENTRY(infer)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], part, parts, barrier);
#if TRAINS
    case LEAD(FORWARD):
        return ENTRY(forward)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], part, parts, barrier);
    case LEAD(BACKWARD):
        return ENTRY(backward)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], (size_t)a[10], part, parts, barrier);
#endif
    default:
        return SYMRNN_NULL;
    }
}

int ENTRY(lead)(size_t entry, void *const *arguments, WORKER *const *workers, size_t parts, int coming,
                size_t *ran)
{
    call c = {.run = S(run_part), .entry = entry, .arguments = arguments};
    return lead(&c, workers, parts, coming, ran);
}

#ifdef SYMRNN_PROFILE
size_t ENTRY(profile)(size_t most, const char **names, double *seconds, size_t *calls);

/* The timers that ran since the last reading, at most `most` of them; returns their number. Both precisions share them. */
size_t ENTRY(profile)(size_t most, const char **names, double *seconds, size_t *calls)
{
    size_t count = 0;
    for (timer *t = timers; count < most && t < timers + sizeof timers / sizeof *timers && t->name; ++t, ++count) {
        names[count] = t->name;
        seconds[count] = t->seconds;
        calls[count] = t->calls;
        *t = (timer){t->name, 0, 0};
    }
    return count;
}
#endif

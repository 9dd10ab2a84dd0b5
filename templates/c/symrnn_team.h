/* Threads that wait for calls: `serve` runs parts, `lead` makes a call with the workers that are there. Included once, after a
   cell's own file has defined BARRIER and WORKER, its structures.

   The state of a worker:

       AWAY      no thread serves here; it sleeps, or there is none
       WAITING   a thread looks for a call
       TAKEN     a leader has taken it, and is about to call
       CALLED    it runs its part
       DONE      its part has run, and the leader has not yet read the status

   The thread itself goes from AWAY to WAITING and back, and from CALLED to DONE. Leaders do the rest. So any number of leaders
   may call at once: each takes whom it finds waiting.

   A thread looks for a call for some microseconds. Then `serve` returns, and its caller sleeps as its system does that best:
   C11 has no sleep that every target has, and whoever created the thread has one anyway. Nobody waits without end for a
   thread that may never come, for instance when a process forks or ends: a leader goes on without it. The results do not
   depend on the number of parts. */
enum { AWAY, WAITING, TAKEN, CALLED, DONE };

/* How often `serve` looks for a call before it returns. A look takes 3 to 50 ns, by processor. */
#define IDLE_LOOKS 8192
/* How many looks before a waiting thread lets others run: another library's thread may want its core. */
#define YIELD_LOOKS 64
/* How often a leader looks for workers that are on their way. A thread that wakes to a free core is there within a tenth of a
   millisecond, or within a third where a hypervisor must wake the core first. After SPINS looks the leader yields, in case that
   the two share a core, for about a millisecond in all. */
#define COMING_LOOKS (SPINS + 4096)

/* A call on its leader's stack. `run` runs a part of the entry point with the number `entry`. */
typedef struct call {
    int (*run)(size_t entry, void *const *arguments, size_t part, size_t parts, BARRIER *barrier);
    void *const *arguments;
    size_t entry, parts;
    BARRIER *barrier;
} call;

#if HAS_PARTS
/* Whether the state was `from`, and is now `to`. */
INLINE int changed(WORKER *worker, unsigned from, unsigned to)
{
    return __atomic_compare_exchange_n(&worker->state, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

INLINE void wait_a_little(size_t looks)
{
    if (looks < SPINS)
        PAUSE();
    else
        YIELD();
}

/* Whether a waiting worker was taken. One that is away may come while there are looks left. It may also come between two lines
   here: so what was seen decides, and not a second look. */
INLINE int taken(WORKER *worker, size_t *looks)
{
    for (;;) {
        unsigned seen = WAITING;
        if (__atomic_compare_exchange_n(&worker->state, &seen, TAKEN, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            return 1;
        if (*looks >= COMING_LOOKS || seen != AWAY)
            return 0;
        wait_a_little((*looks)++);
    }
}

ONCE int serve(WORKER *worker)
{
    if (!worker)
        return SYMRNN_NULL;
    if (!changed(worker, AWAY, WAITING))
        return SYMRNN_PARTS;
    for (size_t looks = 0; looks < IDLE_LOOKS || !changed(worker, WAITING, AWAY); ++looks) {
        const unsigned state = __atomic_load_n(&worker->state, __ATOMIC_ACQUIRE);
        if (state == CALLED) {
            const call *const c = worker->call;
            worker->status = c->run(c->entry, c->arguments, worker->part, c->parts, c->barrier);
            __atomic_store_n(&worker->state, DONE, __ATOMIC_RELEASE);
        }
        if (state != WAITING)
            looks = 0;
        if (looks % YIELD_LOOKS == YIELD_LOOKS - 1)
            YIELD();
        else
            PAUSE();
    }
    return SYMRNN_OK;
}
#else
ONCE int serve(WORKER *worker)
{
    return worker ? SYMRNN_ATOMICS : SYMRNN_NULL;
}
#endif

/* Run a call in `most` parts, or in fewer if not all of `most - 1` workers are there. Writes in how many it ran to *ran, unless that
   is null. Returns the worst status. */
ONCE int lead(call *c, WORKER *const *workers, size_t most, int coming, size_t *ran)
{
    if (most < 1 || most > SYMRNN_MOST_PARTS)
        return SYMRNN_PARTS;
    if (!c->arguments || (most > 1 && !workers))
        return SYMRNN_NULL;
    if (most > 1 && !HAS_PARTS)
        return SYMRNN_ATOMICS;
    BARRIER barrier = {0};
    c->barrier = &barrier;
    c->parts = 1;
#if HAS_PARTS
    WORKER *ours = NULL;
    size_t looks = coming ? 0 : COMING_LOOKS;
    for (size_t i = 0; i + 1 < most; ++i)
        if (taken(workers[i], &looks)) {
            workers[i]->part = c->parts++;
            workers[i]->next = ours;
            ours = workers[i];
        }
    for (WORKER *worker = ours; worker; worker = worker->next) {
        worker->call = c;
        __atomic_store_n(&worker->state, CALLED, __ATOMIC_RELEASE);
    }
#else
    (void)coming;
#endif
    if (ran)
        *ran = c->parts;
    int worst = c->run(c->entry, c->arguments, 0, c->parts, &barrier);
#if HAS_PARTS
    while (ours) {
        WORKER *const worker = ours;
        for (looks = 0; __atomic_load_n(&worker->state, __ATOMIC_ACQUIRE) != DONE; ++looks)
            wait_a_little(looks);
        if (worker->status > worst)
            worst = worker->status;
        ours = worker->next; /* before another leader takes it */
        __atomic_store_n(&worker->state, WAITING, __ATOMIC_RELEASE);
    }
#endif
    return worst;
}

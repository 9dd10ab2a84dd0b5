/* Preloaded into a program, answers its questions about the processor as one without AVX-512 (and without AMX, and the dot
   products of AVX) would. Linux lets a program refuse itself the instruction cpuid: each one then raises a signal, whose handler
   asks the processor, takes features out of the answer, and goes on behind the instruction.

   Compilers and Python's fault handler set that signal's handler too. Theirs are kept, and are called for all other faults.

   A program without shared libraries is not held. A thread that blocks the signal ends its program where it asks. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include <cpuid.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { SET_CPUID = 0x1012 }; /* of arch_prctl; not in all headers */

enum { FEATURES = 7 }; /* the leaf of cpuid that lists the features below, by register, for its first two subleaves */
#define BIT(n) (1u << (n))
static const unsigned wide_ebx = BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31);
static const unsigned wide_ecx = BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14);
static const unsigned wide_edx = BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25);
static const unsigned more_eax = BIT(4) | BIT(5) | BIT(21) | BIT(23); /* AVX-VNNI and AVX-IFMA too: few AVX2 processors have them */
static const unsigned more_edx = BIT(4) | BIT(5) | BIT(8) | BIT(10) | BIT(19);

typedef int set_action(int, const struct sigaction *, struct sigaction *);
static struct sigaction theirs;
static set_action *libc_action;

static long allow_cpuid(int allowed)
{
    return syscall(SYS_arch_prctl, SET_CPUID, (unsigned long)allowed);
}

static void answer(greg_t *registers)
{
    const unsigned leaf = (unsigned)registers[REG_RAX], subleaf = (unsigned)registers[REG_RCX];
    unsigned a, b, c, d;
    allow_cpuid(1);
    __cpuid_count(leaf, subleaf, a, b, c, d);
    allow_cpuid(0);
    if (leaf == FEATURES && subleaf == 0) {
        b &= ~wide_ebx;
        c &= ~wide_ecx;
        d &= ~wide_edx;
    } else if (leaf == FEATURES && subleaf == 1) {
        a &= ~more_eax;
        d &= ~more_edx;
    }
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

static void faulted(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *at = (const unsigned char *)registers[REG_RIP];
    if (info->si_code == SI_KERNEL && at[0] == 0x0f && at[1] == 0xa2) {
        answer(registers);
    } else if (theirs.sa_flags & SA_SIGINFO) {
        theirs.sa_sigaction(number, info, context);
    } else if (theirs.sa_handler != SIG_DFL && theirs.sa_handler != SIG_IGN) {
        theirs.sa_handler(number);
    } else {
        libc_action(number, &theirs, NULL); /* a faulty instruction runs again, and ends the program */
        if (info->si_code <= 0) {
            raise(number); /* a program sent it */
        }
    }
}

static void find_libc_action(void)
{
    void *const symbol = dlsym(RTLD_NEXT, "sigaction");
    memcpy(&libc_action, &symbol, sizeof libc_action); /* C has no cast from an object's address to a function's */
}

int sigaction(int number, const struct sigaction *wanted, struct sigaction *old)
{
    if (number != SIGSEGV) {
        if (libc_action == NULL) {
            find_libc_action();
        }
        return libc_action(number, wanted, old);
    }
    if (old != NULL) {
        *old = theirs;
    }
    if (wanted != NULL) {
        theirs = *wanted;
    }
    return 0;
}

void (*signal(int number, void (*wanted)(int)))(int)
{
    struct sigaction action, old;
    memset(&action, 0, sizeof action);
    action.sa_handler = wanted;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    return sigaction(number, &action, &old) ? SIG_ERR : old.sa_handler;
}

__attribute__((constructor)) static void begin(void)
{
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = faulted;
    ours.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK; /* on a stack that overflowed, only another one has room */
    find_libc_action();
    if (libc_action(SIGSEGV, &ours, &theirs) || allow_cpuid(0) || setenv("SYMRNN_HELD", "avx2", 1)) {
        perror("this system does not let a program hide features of the processor from itself");
        _exit(2);
    }
}

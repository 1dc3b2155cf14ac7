#define _GNU_SOURCE
#include "CSystemd.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

// journald truncates files that libsystemd has mapped; an access behind the new end raises SIGBUS. Zeros in its place make
// libsystemd return an error or a wrong entry; the reader sees the counter move and reads that entry again from new maps.

static struct sigaction previous;
static uintptr_t page_size;
static _Atomic uint64_t mended;
static int result;
static _Thread_local volatile sig_atomic_t is_guarded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void pass_on(int signal_number, siginfo_t *info, void *context) {
    if (previous.sa_flags & SA_SIGINFO) {
        if (previous.sa_sigaction != NULL) {
            previous.sa_sigaction(signal_number, info, context);
            return;
        }
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(signal_number);
        return;
    }
    // The access is tried again after the return, and ends the process as it would have without this handler.
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigemptyset(&standard.sa_mask);
    sigaction(signal_number, &standard, NULL);
    if (info->si_code <= 0) raise(signal_number);
}

static void on_sigbus(int signal_number, siginfo_t *info, void *context) {
    int saved = errno;
    if (is_guarded && info->si_code == BUS_ADRERR && info->si_addr != NULL) {
        void *page = (void *)((uintptr_t)info->si_addr & ~(page_size - 1));
        void *zeros = mmap(page, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (zeros == page) {
            atomic_fetch_add_explicit(&mended, 1, memory_order_seq_cst);
            errno = saved;
            return;
        }
    }
    pass_on(signal_number, info, context);
    errno = saved;
}

static void install(void) {
    page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, &previous) != 0) result = errno;
}

int csystemd_guard_sigbus(void) {
    pthread_once(&once, install);
    if (result == 0) is_guarded = 1;
    return result;
}

uint64_t csystemd_sigbus_count(void) { return atomic_load_explicit(&mended, memory_order_seq_cst); }

int csystemd_wakeup_descriptor(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

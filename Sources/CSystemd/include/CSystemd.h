#ifndef CSYSTEMD_H
#define CSYSTEMD_H

#include <stdint.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

/// Installs, once per process, a SIGBUS handler, and puts the calling thread under its guard: an access behind the end of a
/// mapped file finds a page of zeros and is counted. Faults of other threads and of other kinds go to the handler that was
/// there before. Returns 0, or an errno.
int csystemd_guard_sigbus(void);

/// Faults mended so far.
uint64_t csystemd_sigbus_count(void);

/// A descriptor that `poll` finds readable after eight bytes were written to it, closed on exec and not blocking
/// (eventfd). -1 with errno set when there is none.
int csystemd_wakeup_descriptor(void);

#endif

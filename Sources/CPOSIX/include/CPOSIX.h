// System calls that the Swift module of the C library does not show.

#ifndef CPOSIX_H
#define CPOSIX_H

// syncfs(2): 0, or -1 with errno.
int millrace_syncfs(int file);

#endif

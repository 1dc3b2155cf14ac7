// LD_PRELOAD: a disk whose every fdatasync takes SYNC_MICROSECONDS more, as those of volumes over a network and of disks
// without a capacitor do. The wait is this process' own: others and the kernel's writing go on.
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int fdatasync(int file) {
    static int (*next)(int);
    static long wait;
    if (next == NULL) {
        const char *text = getenv("SYNC_MICROSECONDS");
        wait = text == NULL ? 0 : atol(text);
        next = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    }
    struct timespec pause = {wait / 1000000, wait % 1000000 * 1000};
    nanosleep(&pause, NULL);
    return next(file);
}

#define _GNU_SOURCE
#include "CPOSIX.h"

#include <unistd.h>

int millrace_syncfs(int file) { return syncfs(file); }

// The function arc4random, which glibc has from 2.36 on. The C++ library of a compiler on such a system calls it. Libraries
// that contain this one need only the glibc 2.34 that the rest of them needs.

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

__attribute__((visibility("hidden"))) uint32_t arc4random(void) {
    uint32_t number;
    while (getrandom(&number, sizeof number, 0) != (ssize_t) sizeof number) {
        if (errno != EINTR) {
            __builtin_trap();
        }
    }
    return number;
}

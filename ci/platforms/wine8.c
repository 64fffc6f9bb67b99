/* What Wine 8 lacks, for the tests that run on it: a library (with -DLIBRARY), and a function that is
 * linked into them (by ld's --wrap=signal). */

#include <stddef.h>

#ifdef LIBRARY

__declspec(dllimport) unsigned char __stdcall SystemFunction036(void *, unsigned long);

/* The only function of bcryptprimitives.dll that Rust's standard library uses. */
__declspec(dllexport) int __stdcall ProcessPrng(void *buffer, size_t length) {
    return SystemFunction036(buffer, (unsigned long)length);
}

#else

#include <signal.h>

typedef void (*handler)(int);

handler __real_signal(int number, handler new);

/* With SIG_GET the C library returns the handler only, and Wine's sets it too. */
handler __wrap_signal(int number, handler new) {
    handler before = __real_signal(number, new);
    if (new == SIG_GET && before != SIG_ERR) {
        __real_signal(number, before);
    }
    return before;
}

#endif

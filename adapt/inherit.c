/* SPDX-License-Identifier: MIT
 *
 * libweft-inherit.so: preloaded, it makes every thread that a program starts by pthread_create() or
 * thrd_create() begin in the context of whoever started it. The program need not know of it:
 *
 *   LD_PRELOAD=libweft-inherit.so program
 *
 * It stands between the program, its libraries and the C library. It is linked with no weft: a copy
 * of its own would be a second one in the process (C9). It uses the libweft.so that the program has
 * from its start; if it has none, all is as without it. A thread that is started where nothing is
 * bound is started as without it, too.
 *
 * Weft's own threads are left alone: they are told apart by who calls, which is why libweft.so must
 * be an object of its own. (Where libweft.a is part of a program that exports it, so is nothing of
 * that program.) weft_thread_create() itself comes by here with the call of the C library.
 */
#define WEFT__DEFINES 1 /* nothing inlined: that wants libweft.so to be there */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include <weft/adapt/threads.h>
#include <weft/context.h>

/* NULL where there is no libweft.so. */
#pragma weak weft_context_capture
#pragma weak weft_context_cross
#pragma weak weft_context_swap
#pragma weak weft_context_unref
#pragma weak weft_thread_create

#define OFFERED __attribute__((visibility("default")))

/* Written once, and read by who has passed by `once`. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int (*real_pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
static int (*real_thrd_create)(thrd_t *, thrd_start_t, void *);
static uintptr_t weft_begin, weft_end; /* where libweft.so lies; empty if there is none */

static int find_weft(struct dl_phdr_info *object, size_t size, void *unused)
{
        const char *slash = strrchr(object->dlpi_name, '/');
        const char *name = slash ? slash + 1 : object->dlpi_name;
        (void)size;
        (void)unused;
        if (strncmp(name, "libweft.so", strlen("libweft.so")) != 0)
                return 0;
        for (int i = 0; i < object->dlpi_phnum; i++) {
                const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
                uintptr_t begin = object->dlpi_addr + segment->p_vaddr;
                if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
                        continue;
                weft_begin = begin;
                weft_end = begin + segment->p_memsz;
        }
        return 1;
}

static void find(void)
{
        *(void **)&real_pthread_create = dlsym(RTLD_NEXT, "pthread_create");
        *(void **)&real_thrd_create = dlsym(RTLD_NEXT, "thrd_create");
        if (weft_context_capture && weft_thread_create)
                dl_iterate_phdr(find_weft, NULL);
}

/* Before main(), so that later no thread waits here for the loader. */
__attribute__((constructor)) static void init(void)
{
        pthread_once(&once, find);
}

/* Whether a thread that is created from there has something to inherit. */
static bool inherits(const void *caller)
{
        pthread_once(&once, find);
        if (weft_begin == weft_end)
                return false;
        if ((uintptr_t)caller >= weft_begin && (uintptr_t)caller < weft_end)
                return false;
        weft_context *context = weft_context_capture();
        weft_context_unref(context);
        return context != NULL;
}

OFFERED int pthread_create(pthread_t *newthread, const pthread_attr_t *attr,
                           void *(*start_routine)(void *), void *arg)
{
        if (!inherits(__builtin_return_address(0)))
                return real_pthread_create(newthread, attr, start_routine, arg);
        int r = weft_thread_create(newthread, attr, start_routine, arg);
        return r == -ENOMEM ? EAGAIN : -r;
}

OFFERED int thrd_create(thrd_t *thr, thrd_start_t func, void *arg)
{
        if (!inherits(__builtin_return_address(0)))
                return real_thrd_create(thr, func, arg);
        return weft__thrd_create_by(real_thrd_create, thr, func, arg);
}

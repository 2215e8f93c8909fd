/* SPDX-License-Identifier: MIT
 *
 * Compiled before each file of the library (-include): what it calls outside itself, and may fail,
 * goes through calls.c, which lets it fail when it is told to. What is not here is in `infallible`,
 * with the reason.
 */
#if !defined(TESTS_FAULTS_CALLS_H) && !defined(__ASSEMBLER__)
#define TESTS_FAULTS_CALLS_H

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "context/memory.h"
#include "inject.h"
#include "pool/snapshot.h"

typedef const struct faults_site faults_at;

void *faults_malloc(faults_at *at, size_t size);
void *faults_calloc(faults_at *at, size_t n, size_t size);
int faults_memalign(faults_at *at, void **ret, size_t align, size_t size);
void faults_free(void *p);
void *faults_alloc(faults_at *at, void *(*alloc)(size_t size), size_t size);
void faults_weft_free(void *p, size_t size);
void *faults_mmap(faults_at *at, void *hint, size_t size, int access, int flags, int fd,
                  off_t from);
int faults_munmap(void *p, size_t size);
int faults_mprotect(faults_at *at, void *p, size_t size, int access);
int faults_madvise(faults_at *at, void *p, size_t size, int advice);
int faults_pthread_create(faults_at *at, pthread_t *ret, const pthread_attr_t *attr,
                          void *(*start)(void *), void *arg);
int faults_key_create(faults_at *at, pthread_key_t *ret, void (*end)(void *));
int faults_setspecific(faults_at *at, pthread_key_t key, const void *value);
int faults_atfork(faults_at *at, void (*before)(void), void (*parent)(void), void (*child)(void));
int faults_attr_init(faults_at *at, pthread_attr_t *attr);
int faults_attr_setaffinity(faults_at *at, pthread_attr_t *attr, size_t size, const cpu_set_t *set);
int faults_getattr(faults_at *at, pthread_t thread, pthread_attr_t *attr);
int faults_sigaltstack(faults_at *at, const stack_t *next, stack_t *ret);
long faults_sysconf(faults_at *at, int name);
int faults_getaffinity(faults_at *at, pid_t pid, size_t size, cpu_set_t *ret);
FILE *faults_fopen(faults_at *at, const char *path, const char *mode);
int faults_fclose(FILE *f);
char *faults_fgets(faults_at *at, char *line, int size, FILE *f);
int faults_fscanf(faults_at *at, FILE *f, const char *format, ...)
    __attribute__((format(scanf, 3, 4)));
int faults_epoll_create(faults_at *at, int flags);
int faults_epoll_ctl(faults_at *at, int epoll, int how, int fd, struct epoll_event *e);
int faults_epoll_wait(faults_at *at, int epoll, struct epoll_event *e, int n, int ms);
int faults_ppoll(faults_at *at, struct pollfd *p, nfds_t n, const struct timespec *t,
                 const sigset_t *mask);
int faults_close(faults_at *at, int fd);
int faults_pipe2(faults_at *at, int *ret, int flags);
pid_t faults_copy_process(faults_at *at, pid_t (*copy)(void));
ssize_t faults_getrandom(faults_at *at, void *ret, size_t size, unsigned flags);
long faults_futex(faults_at *at, void *word, int op, unsigned value, const struct timespec *t,
                  unsigned mask);

#if !defined(FAULTS_NO_MACROS)
#define weft__alloc(size)        faults_alloc(FAULTS_SITE("malloc"), (weft__alloc), size)
#define weft__alloc_zeroed(size) faults_alloc(FAULTS_SITE("calloc"), (weft__alloc_zeroed), size)
#define weft__alloc_lines(size)                                                                    \
        faults_alloc(FAULTS_SITE("aligned_alloc"), (weft__alloc_lines), size)
#define weft__free(p, size) faults_weft_free(p, size)

#define malloc(size)             faults_malloc(FAULTS_SITE("malloc"), size)
#define calloc(n, size)          faults_calloc(FAULTS_SITE("calloc"), n, size)
#define posix_memalign(...)      faults_memalign(FAULTS_SITE("posix_memalign"), __VA_ARGS__)
#define free(p)                  faults_free(p)
#define mmap(...)                faults_mmap(FAULTS_SITE("mmap"), __VA_ARGS__)
#define munmap(p, size)          faults_munmap(p, size)
#define mprotect(...)            faults_mprotect(FAULTS_SITE("mprotect"), __VA_ARGS__)
#define madvise(...)             faults_madvise(FAULTS_SITE("madvise"), __VA_ARGS__)
#define pthread_create(...)      faults_pthread_create(FAULTS_SITE("pthread_create"), __VA_ARGS__)
#define pthread_key_create(...)  faults_key_create(FAULTS_SITE("pthread_key_create"), __VA_ARGS__)
#define pthread_setspecific(...) faults_setspecific(FAULTS_SITE("pthread_setspecific"), __VA_ARGS__)
#define pthread_atfork(...)      faults_atfork(FAULTS_SITE("pthread_atfork"), __VA_ARGS__)
#define pthread_attr_init(attr)  faults_attr_init(FAULTS_SITE("pthread_attr_init"), attr)
#define pthread_attr_setaffinity_np(...)                                                           \
        faults_attr_setaffinity(FAULTS_SITE("pthread_attr_setaffinity_np"), __VA_ARGS__)
#define pthread_getattr_np(...) faults_getattr(FAULTS_SITE("pthread_getattr_np"), __VA_ARGS__)
#define sigaltstack(...)        faults_sigaltstack(FAULTS_SITE("sigaltstack"), __VA_ARGS__)
#define sysconf(name)           faults_sysconf(FAULTS_SITE("sysconf"), name)
#define sched_getaffinity(...)  faults_getaffinity(FAULTS_SITE("sched_getaffinity"), __VA_ARGS__)
#define fopen(path, mode)       faults_fopen(FAULTS_SITE("fopen"), path, mode)
#define fclose(f)               faults_fclose(f)
#define fgets(...)              faults_fgets(FAULTS_SITE("fgets"), __VA_ARGS__)
#define fscanf(f, ...)          faults_fscanf(FAULTS_SITE("fscanf"), f, __VA_ARGS__)
#define epoll_create1(flags)    faults_epoll_create(FAULTS_SITE("epoll_create1"), flags)
#define epoll_ctl(...)          faults_epoll_ctl(FAULTS_SITE("epoll_ctl"), __VA_ARGS__)
#define epoll_wait(...)         faults_epoll_wait(FAULTS_SITE("epoll_wait"), __VA_ARGS__)
#define ppoll(...)              faults_ppoll(FAULTS_SITE("ppoll"), __VA_ARGS__)
#define getrandom(...)          faults_getrandom(FAULTS_SITE("getrandom"), __VA_ARGS__)
#define close(fd)               faults_close(FAULTS_SITE("close"), fd)
#define pipe2(...)              faults_pipe2(FAULTS_SITE("pipe2"), __VA_ARGS__)
#define weft__copy_process()    faults_copy_process(FAULTS_SITE("clone"), (weft__copy_process))
/* The only one is futex(2). */
#define syscall(number, word, op, value, time, other, mask)                                        \
        faults_futex(FAULTS_SITE("futex"), word, op, value, time, mask)
#endif

#endif

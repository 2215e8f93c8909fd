/* SPDX-License-Identifier: MIT
 *
 * What the library calls, and fails when it is told to, as the real one would: its error, and
 * nothing done. What is made here is counted until it is gone.
 *
 * A block of memory has a head of a cache line, in which lie the site that it is counted for and
 * its size. So a block that is freed twice, or with another size than it was made with (which the
 * sized calls of jemalloc do not forgive), is found as well.
 */
#define FAULTS_NO_MACROS 1
#include "calls.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdint.h>

/* ---- memory ---- */

struct head {
        faults_at *site;
        size_t size;
        uint64_t lives;
        char rest[WEFT__CACHE_LINE - 24];
};
static const uint64_t LIVES = 0x6c69766573206f6e;

static void *block(faults_at *at, struct head *head, size_t size)
{
        if (!head)
                return NULL;
        head->site = at;
        head->size = size;
        head->lives = LIVES;
        faults_made(at);
        return head + 1;
}

static struct head *head_of(void *p)
{
        struct head *head = (struct head *)p - 1;
        if (head->lives == LIVES)
                return head;
        fprintf(stderr, "faults: what is freed is no block, or was freed before\n");
        abort();
}

void *faults_malloc(faults_at *at, size_t size)
{
        if (faults_fails(at, ENOMEM) || size > PTRDIFF_MAX)
                return NULL;
        return block(at, malloc(sizeof(struct head) + size), size);
}

void *faults_calloc(faults_at *at, size_t n, size_t size)
{
        return faults_fails(at, ENOMEM)
                   ? NULL
                   : block(at, calloc(1, sizeof(struct head) + n * size), n * size);
}

int faults_memalign(faults_at *at, void **ret, size_t align, size_t size)
{
        void *p;
        if (align > sizeof(struct head))
                return EINVAL;
        if (faults_fails(at, ENOMEM))
                return ENOMEM;
        int r = posix_memalign(&p, sizeof(struct head), sizeof(struct head) + size);
        if (r == 0)
                *ret = block(at, p, size);
        return r;
}

void faults_free(void *p)
{
        struct head *head = head_of(p);
        faults_gone(head->site);
        head->lives = 0;
        free(head);
}

/* A call of the library's own seam: it is the site that owns the block. */
void *faults_alloc(faults_at *at, void *(*alloc)(size_t size), size_t size)
{
        void *p = faults_fails(at, ENOMEM) ? NULL : alloc(size);
        if (p) {
                struct head *head = head_of(p);
                faults_gone(head->site);
                faults_made(head->site = at);
        }
        return p;
}

void faults_weft_free(void *p, size_t size)
{
        if (p && head_of(p)->size != size) {
                fprintf(stderr, "faults: %zu bytes of %s are freed as %zu\n", head_of(p)->size,
                        head_of(p)->site->function, size);
                abort();
        }
        weft__free(p, size);
}

/* ---- mappings ---- */

static faults_at *mapper; /* all are counted for one of the sites, since munmap() tells of none */

void *faults_mmap(faults_at *at, void *hint, size_t size, int access, int flags, int fd, off_t from)
{
        if (faults_fails(at, ENOMEM))
                return MAP_FAILED;
        void *p = mmap(hint, size, access, flags, fd, from);
        if (p != MAP_FAILED) {
                if (!mapper)
                        mapper = at;
                faults_made(mapper);
        }
        return p;
}

int faults_munmap(void *p, size_t size)
{
        faults_gone(mapper);
        return munmap(p, size);
}

int faults_mprotect(faults_at *at, void *p, size_t size, int access)
{
        return faults_fails(at, ENOMEM) ? -1 : mprotect(p, size, access);
}

int faults_madvise(faults_at *at, void *p, size_t size, int advice)
{
        return faults_fails(at, ENOMEM) ? -1 : madvise(p, size, advice);
}

/* ---- threads ---- */

int faults_pthread_create(faults_at *at, pthread_t *ret, const pthread_attr_t *attr,
                          void *(*start)(void *), void *arg)
{
        return faults_fails(at, EAGAIN) ? EAGAIN : pthread_create(ret, attr, start, arg);
}

int faults_key_create(faults_at *at, pthread_key_t *ret, void (*end)(void *))
{
        return faults_fails(at, EAGAIN) ? EAGAIN : pthread_key_create(ret, end);
}

int faults_setspecific(faults_at *at, pthread_key_t key, const void *value)
{
        return faults_fails(at, ENOMEM) ? ENOMEM : pthread_setspecific(key, value);
}

int faults_atfork(faults_at *at, void (*before)(void), void (*parent)(void), void (*child)(void))
{
        return faults_fails(at, ENOMEM) ? ENOMEM : pthread_atfork(before, parent, child);
}

int faults_attr_init(faults_at *at, pthread_attr_t *attr)
{
        return faults_fails(at, ENOMEM) ? ENOMEM : pthread_attr_init(attr);
}

int faults_attr_setaffinity(faults_at *at, pthread_attr_t *attr, size_t size, const cpu_set_t *set)
{
        return faults_fails(at, ENOMEM) ? ENOMEM : pthread_attr_setaffinity_np(attr, size, set);
}

int faults_getattr(faults_at *at, pthread_t thread, pthread_attr_t *attr)
{
        return faults_fails(at, ENOMEM) ? ENOMEM : pthread_getattr_np(thread, attr);
}

int faults_sigaltstack(faults_at *at, const stack_t *next, stack_t *ret)
{
        return faults_fails(at, ENOMEM) ? -1 : sigaltstack(next, ret);
}

/* ---- what the system says of itself ---- */

long faults_sysconf(faults_at *at, int name)
{
        return name != _SC_PAGESIZE && faults_fails(at, EINVAL) ? -1 : sysconf(name);
}

int faults_getaffinity(faults_at *at, pid_t pid, size_t size, cpu_set_t *ret)
{
        return faults_fails(at, EINVAL) ? -1 : sched_getaffinity(pid, size, ret);
}

static faults_at *opener; /* as mapper */

FILE *faults_fopen(faults_at *at, const char *path, const char *mode)
{
        FILE *f = faults_fails(at, EMFILE) ? NULL : fopen(path, mode);
        if (f) {
                if (!opener)
                        opener = at;
                faults_made(opener);
        }
        return f;
}

int faults_fclose(FILE *f)
{
        faults_gone(opener);
        return fclose(f);
}

char *faults_fgets(faults_at *at, char *line, int size, FILE *f)
{
        return faults_fails(at, EIO) ? NULL : fgets(line, size, f);
}

int faults_fscanf(faults_at *at, FILE *f, const char *format, ...)
{
        va_list values;
        if (faults_fails(at, EIO))
                return EOF;
        va_start(values, format);
        int n = vfscanf(f, format, values);
        va_end(values);
        return n;
}

/* ---- descriptors ---- */

static int instance = -1; /* the one of epoll */
static faults_at *instance_at;

int faults_epoll_create(faults_at *at, int flags)
{
        int fd = faults_fails(at, EMFILE) ? -1 : epoll_create1(flags);
        if (fd >= 0) {
                instance = fd;
                faults_made(instance_at = at);
        }
        return fd;
}

int faults_epoll_ctl(faults_at *at, int epoll, int how, int fd, struct epoll_event *e)
{
        return faults_fails(at, how == EPOLL_CTL_ADD ? ENOSPC : ENOMEM)
                   ? -1
                   : epoll_ctl(epoll, how, fd, e);
}

int faults_epoll_wait(faults_at *at, int epoll, struct epoll_event *e, int n, int ms)
{
        return faults_fails_transiently(at, EINTR) ? -1 : epoll_wait(epoll, e, n, ms);
}

int faults_ppoll(faults_at *at, struct pollfd *p, nfds_t n, const struct timespec *t,
                 const sigset_t *mask)
{
        return faults_fails(at, ENOMEM) ? -1 : ppoll(p, n, t, mask);
}

/* Whatever it says, the descriptor is gone. */
int faults_close(faults_at *at, int fd)
{
        bool fails = faults_fails(at, EIO);
        int r = close(fd);
        if (fd == instance && fd >= 0) {
                faults_gone(instance_at);
                instance = -1;
        }
        if (fails)
                errno = EIO;
        return fails ? -1 : r;
}

/* Of two descriptors, which close() is not told from others. */
int faults_pipe2(faults_at *at, int *ret, int flags)
{
        return faults_fails(at, EMFILE) ? -1 : pipe2(ret, flags);
}

pid_t faults_copy_process(faults_at *at, pid_t (*copy)(void))
{
        return faults_fails(at, EAGAIN) ? -EAGAIN : copy();
}

ssize_t faults_getrandom(faults_at *at, void *ret, size_t size, unsigned flags)
{
        return faults_fails(at, ENOSYS) ? -1 : getrandom(ret, size, flags);
}

long faults_futex(faults_at *at, void *word, int op, unsigned value, const struct timespec *t,
                  unsigned mask)
{
        if (op == FUTEX_WAIT_BITSET_PRIVATE && faults_fails_transiently(at, EINTR))
                return -1;
        return syscall(SYS_futex, word, op, value, t, NULL, mask);
}

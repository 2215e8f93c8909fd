/* SPDX-License-Identifier: MIT
 *
 * Faults: the state, and whether a use of a site is one that fails (see inject.h).
 */
#include "inject.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define FD_NAME "WEFT_FAULTS_FD"

static struct faults_state *state;
static atomic_long live[FAULTS_SITES]; /* of this process, not of those that it forks */

static struct faults_state *map(int fd)
{
        void *at =
            mmap(NULL, sizeof(struct faults_state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at == MAP_FAILED) {
                perror("faults: shared memory");
                abort();
        }
        return at;
}

/* The first use may come before main(), where there is one thread. */
struct faults_state *faults_state(void)
{
        static struct faults_state own;
        if (!state) {
                const char *fd = getenv(FD_NAME);
                state = fd ? map(atoi(fd)) : &own;
        }
        return state;
}

struct faults_state *faults_share(void)
{
        char text[16];
        int fd = memfd_create("faults", 0);
        if (fd < 0 || ftruncate(fd, sizeof(struct faults_state)) < 0) {
                perror("faults: shared memory");
                abort();
        }
        snprintf(text, sizeof(text), "%d", fd);
        setenv(FD_NAME, text, true);
        return state = map(fd);
}

static unsigned number_of(const struct faults_site *site)
{
        unsigned n = (unsigned)(site - __start_faults_sites);
        if (n >= FAULTS_SITES) {
                fprintf(stderr, "faults: more than %d sites\n", FAULTS_SITES);
                abort();
        }
        return n;
}

static bool matches(struct faults_state *s, const struct faults_fault *f, unsigned site,
                    unsigned use)
{
        if (f->site != site || use < f->use)
                return false;
        if (f->mode == FAULTS_ALL)
                atomic_store(&s->all, true);
        return use == f->use || f->mode != FAULTS_ONCE;
}

static bool fails(const struct faults_site *site, int error, bool transient)
{
        struct faults_state *s = faults_state();
        unsigned n = number_of(site);
        if (atomic_load(&s->lifted))
                return false;
        unsigned use = atomic_fetch_add(&s->uses[n], 1) + 1;
        bool fails = atomic_load(&s->all);
        for (unsigned i = 0; i < s->faults; i++)
                fails |= matches(s, &s->fault[i], n, use);
        if (transient && use % 2 == 0 && !(s->faults && s->fault[0].mode == FAULTS_ONCE))
                fails = false;
        if (fails) {
                atomic_fetch_add(&s->failed[n], 1);
                atomic_fetch_add(&s->injected, 1);
                errno = error;
        }
        return fails;
}

bool faults_fails(const struct faults_site *site, int error)
{
        return fails(site, error, false);
}

bool faults_fails_transiently(const struct faults_site *site, int error)
{
        return fails(site, error, true);
}

void faults_made(const struct faults_site *site)
{
        atomic_fetch_add(&live[number_of(site)], 1);
}

void faults_gone(const struct faults_site *site)
{
        atomic_fetch_sub(&live[number_of(site)], 1);
}

static bool too_much_is_live(const struct faults_state *s)
{
        for (unsigned i = 0; i < FAULTS_SITES; i++)
                if (atomic_load(&live[i]) > s->expected[i])
                        return true;
        return false;
}

/* The default pool's workers may be about to give back the last task. */
void faults_tell(void)
{
        struct faults_state *s = faults_state();
        if (s->calm)
                usleep(100000);
        for (int i = 0; !s->calm && i < 1000 && too_much_is_live(s); i++)
                usleep(1000);
        for (unsigned i = 0; i < FAULTS_SITES; i++)
                s->live[i] = atomic_load(&live[i]);
        s->told = true;
}

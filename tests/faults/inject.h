/* SPDX-License-Identifier: MIT
 *
 * Faults: what is to fail in a run, and what was seen in it.
 *
 * A site is one call, in the source, of something that may fail: an allocation, a system call, a
 * call of a database. Where a file is compiled with calls.h or sqlite.h before it, each such call
 * leaves a record in a section of the program, and asks faults_fails() whether it fails this time.
 * So the list of all sites is the compiler's, and none can be forgotten.
 *
 * The state lies in memory that the driver (main.c) shares with the process of the run, and with
 * those that this one forks. It is written by the driver before the run, and read after it.
 */
#ifndef TESTS_FAULTS_INJECT_H
#define TESTS_FAULTS_INJECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { FAULTS_SITES = 160, FAULTS_AT_ONCE = 2 };

struct faults_site {
        const char *file, *function, *call;
        int line;
} __attribute__((aligned(32)));

#define FAULTS_SITE(call_)                                                                         \
        ({                                                                                         \
                static const struct faults_site faults_here                                        \
                    __attribute__((section("faults_sites"), used)) = {__FILE__, __func__, call_,   \
                                                                      __LINE__};                   \
                &faults_here;                                                                      \
        })

enum faults_mode {
        FAULTS_ONCE, /* that use of the site alone */
        FAULTS_EVER, /* and all later ones */
        FAULTS_ALL,  /* and from there on each use of every site */
        FAULTS_MODES
};

struct faults_fault {
        unsigned site; /* its number in the section */
        unsigned use;  /* from 1 */
        enum faults_mode mode;
};

struct faults_state {
        struct faults_fault fault[FAULTS_AT_ONCE];
        unsigned faults;
        bool for_good;        /* what failed before main() is not done again */
        atomic_bool lifted;   /* nothing fails, or is counted */
        atomic_bool all;      /* a FAULTS_ALL has begun */
        atomic_uint injected; /* faults in all */
        atomic_uint uses[FAULTS_SITES], failed[FAULTS_SITES]; /* of each site */
        atomic_int verdict[2];                                /* of the runner */
        bool told; /* the scene has told what it left: what was made at each site and not freed */
        long live[FAULTS_SITES];
        bool calm; /* nothing is to fail, and what is left is what should be; else that is this: */
        long expected[FAULTS_SITES];
};

extern const struct faults_site __start_faults_sites[] __attribute__((weak));
extern const struct faults_site __stop_faults_sites[] __attribute__((weak));

/* The state of this process. */
struct faults_state *faults_state(void);

/* Make the state in memory that a process which is executed by this one finds again, by what this
 * puts into the environment. */
struct faults_state *faults_share(void);

/* Count a use of the site; whether it is to fail, and then errno is the error. Something that will
 * be tried again at once (`transient`) never fails twice in a row. */
bool faults_fails(const struct faults_site *site, int error);
bool faults_fails_transiently(const struct faults_site *site, int error);

/* One thing more, or less, that was made at the site and is not freed. */
void faults_made(const struct faults_site *site);
void faults_gone(const struct faults_site *site);

/* Tell what is live in this process, when all that should be gone is, or after a while. */
void faults_tell(void);

#endif

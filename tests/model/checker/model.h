/* SPDX-License-Identifier: MIT
 *
 * What a model sees of the checker.
 *
 * A model is a small program on the real source. Its function runs as thread 0 of an execution;
 * it makes what it needs, starts threads, joins them, and checks what must hold. It is run once for
 * each way in which the threads may take turns and for each store that a load may read, as far as
 * the bounds allow. What it keeps in static variables is as at the start of the program each time,
 * and what it allocated is gone. It must do the same again if the same choices are made: no clock,
 * no random numbers but its own.
 *
 * An execution fails if a check does, if nobody can go on and somebody has not ended (a deadlock, a
 * lost wake-up), if two accesses of which one is plain race, if memory is used after it was freed,
 * freed twice, or not at all, if the program crashes, or does not come to an end.
 */
#ifndef WEFT_TESTS_MODEL_H
#define WEFT_TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NONE = -2 };

struct model {
        const char *name;
        void (*run)(void);
        int preemptions;    /* how often a thread that could go on is left for another one; 0: 2 */
        int stale;          /* how many loads may read what is not the newest; 0: any number;
                               NONE for both */
        int chances;        /* for weak exchanges and waits to fail for no reason */
        unsigned sees;      /* bit k: some execution must call model_seen(k), and others must not */
        unsigned sees_some; /* the same, but others may */
        bool prompt;        /* time passes only while nobody can go on, so nobody comes late */
        const char *fails;  /* it is to fail, with words that contain these: what must be caught */
        unsigned keeps;     /* blocks of memory that are left at the end, and may be */
        struct model *next;
};

/* MODEL(name, .preemptions = 3, ...) { ... } defines one. */
#define MODEL(id, ...)                                                                             \
        static void id(void);                                                                      \
        __attribute__((constructor)) static void add_##id(void)                                    \
        {                                                                                          \
                static struct model it = {.name = #id, .run = id, ##__VA_ARGS__};                  \
                model_add(&it);                                                                    \
        }                                                                                          \
        static void id(void)

void model_add(struct model *m);

/* Start a thread; its number. What came before happens before it. */
int model_start(const char *name, void (*fn)(void *arg), void *arg);

/* Wait for the end of a thread; of all that were started. */
void model_join(int thread);
void model_join_all(void);
void model_join_all_but_workers(void); /* those end with their pool */

/* The number of the thread that calls. */
int model_self(void);

/* Something worth counting has come about: see struct model. */
void model_seen(unsigned k);

/* The process goes on as the child of a fork. While there is one thread. */
void model_fork(void);

/* Let others go on, as one that spins does. */
void model_pause(void);

/* One of n ways, all of which are tried. */
unsigned model_any(unsigned n);

/* Name memory in traces. */
void model_name(const void *p, size_t size, const char *name);

/* How many blocks are allocated now. */
unsigned model_blocks(void);

void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define model_check(condition)                                                                     \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        model_fail("%s:%d: not so: %s", __FILE__, __LINE__, #condition);           \
        } while (0)

#endif

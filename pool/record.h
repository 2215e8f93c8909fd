/* SPDX-License-Identifier: MIT
 *
 * Records of what ran where (weft/record.h), from inside.
 *
 * A stretch is what a worker ran of one task without a break. It is known to the worker alone while
 * it is open, and is added to the worker's tape when it is closed. The tapes are under the lock of
 * their worker (worker.h), which also says whether there is one; who has the lock may add to it,
 * and who has taken the tape away from all workers owns it.
 */
#ifndef WEFT_POOL_RECORD_H
#define WEFT_POOL_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <weft/record.h>

/* The value of the var that was chosen. */
typedef struct weft__tag {
        char kind;     /* of enum weft__tag_kind */
        char text[23]; /* TEXT: its beginning; POINTER, also where format failed: the bytes of it */
} weft__tag;

enum weft__tag_kind { WEFT__TAG_UNSET = 0, WEFT__TAG_POINTER, WEFT__TAG_TEXT };

typedef struct weft__stretch {
        int64_t begin, end; /* ns; begin 0: there is none */
        weft_fn *fn;
        uint32_t task;         /* its number, as of fiber.h */
        weft__tag first, last; /* as it began, and as it ended */
        bool resumed;          /* else it is the first of its task */
        bool ended;            /* else its task waits, or it was cut */
        bool known;            /* its task was recorded from the start */
} weft__stretch;

/* The last stretches of a worker. */
typedef struct weft__tape {
        struct weft_record *record;
        weft__stretch *stretch;
        uint64_t added;      /* ever; the oldest are overwritten */
        const weft_var *var; /* NULL: none, or none of that name was seen yet */
        weft__stretch open;
} weft__tape;

struct weft_record {
        weft_pool *pool;        /* NULL: stopped */
        unsigned generation;    /* weft__fork_generation() when it was started */
        const char *var;        /* its name; NULL: none */
        int64_t began, stopped; /* ns */
        size_t room;            /* of each tape */
        char name[16];          /* of the pool */
        unsigned workers;
        struct weft_record *next; /* record_env.c: in its list, */
        unsigned number;          /* and how many came before it */
        weft__tape tape[];
};

/* On a worker, in the frame of its task: that begins to run, or goes on; it ends, or waits. In a
 * pool that is RECORDING. */
void weft__record_begins(bool resumed);
void weft__record_ends(bool ended);

/* ---- what was recorded, in order ---- */

/* A stretch, and the one of the same task before it. */
typedef struct weft__shown {
        const weft__stretch *stretch;
        const weft__stretch *before; /* NULL: none was recorded */
        unsigned lane, lane_before;
} weft__shown;

/* All stretches of a record, by their begin: an array that is the caller's to weft__free(). NULL if
 * there is no memory. */
weft__shown *weft__record_sort(const weft_record *record, size_t *ret_count, size_t *ret_size);

/* How a value, and a function, are written: at most size bytes into text. */
void weft__record_value(const weft__tag *tag, char *text, size_t size);
void weft__record_function(weft_fn *fn, char *text, size_t size);

/* The two ways to write it: 0 or -ENOMEM. */
int weft__record_json(const weft_record *record, FILE *to);
int weft__record_page(const weft_record *record, FILE *to);

/* ---- by environment: record_env.c ---- */

/* Have the var be the first that is found bound under that name, which outlives the record. Before
 * anything else is done with it. */
void weft__record_by_name(weft_record *record, const char *name);

void weft__record_pool_made(weft_pool *pool);
void weft__record_pool_ends(weft_pool *pool);

#endif

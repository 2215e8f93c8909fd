/* SPDX-License-Identifier: MIT
 *
 * Comparisons: a case that weft and other systems do in turn, each in a process of its own. What
 * such a program is told, and answers, stands in ../rivals/rival.h.
 *
 * To add a system: write its program, a file in ../rivals, and add a line to bench_programs; the
 * Makefile says how it is built. To add a case: let programs do it, and add a line to
 * bench_contests. A program takes part in the cases that it says it can do.
 */
#ifndef WEFT_PERF_RIVALS_H
#define WEFT_PERF_RIVALS_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "runner.h"

#define BENCH_SYSTEMS 24   /* at most, of programs */
#define BENCH_ROUNDS  15   /* at most, of a contest */
#define RIVAL_NAMES   1024 /* bytes of what a program says that it can do */

/* rivals.c: the two tables; each ends with a NULL name. */

struct bench_program {
        const char *file;    /* build/perf/rivals/FILE */
        const char *system;  /* what it is of, where there is none to ask */
        const char *package; /* of Debian, without which it is not built; NULL: it is weft's own */
};

/* What a contest's first figure is given per. */
enum bench_per {
        BENCH_PER_ROUND = 0, /* as the programs give it */
        BENCH_PER_OPERATION, /* the time of a round, divided by its size */
};

struct bench_contest {
        const char *name; /* of the case, as the programs know it */
        const char *what;
        size_t size, quick; /* what the programs are told; the latter with --quick */
        enum bench_per per;
        struct bench_figure figure[4];
        unsigned rounds;     /* 0: the default */
        unsigned workers[4]; /* with how many it is done; 0 ends the list, or none: 1 and 2 */
};

extern const struct bench_program bench_programs[];
extern const struct bench_contest bench_contests[];

/* process.c: a program that runs. */

struct rival {
        pid_t pid;
        int fd; /* a socket: its standard input and output */
        char why[100];
};

struct rival_answer {
        uint64_t check;
        double figure[BENCH_FIGURES];
        size_t figures;
};

/* Whether the program is there; what it says without arguments: a name, then its cases, a line
 * each. -1: it cannot be asked, and p->why says why. */
bool rival_there(const char *file);
int rival_ask(struct rival *p, const char *file, char names[RIVAL_NAMES]);

/* Start a program, which is then held (it uses no processor) but while it plays a round. They
 * return 0; or -1, and p->why says what happened: then the program has ended. */
int rival_start(struct rival *p, const char *file, const char *name, unsigned workers, size_t size);
int rival_play(struct rival *p, struct rival_answer *ret);

/* The most bytes of memory that it has had so far. */
size_t rival_peak(const struct rival *p);

/* Let it end, and wait for that. 0; or as above. */
int rival_stop(struct rival *p);

/* contest.c */

struct bench_system {
        const struct bench_program *program;
        char name[48];
        enum bench_end end; /* BENCH_SKIP: it failed, and error says how */
        char error[120];
        unsigned rounds;
        uint64_t check;
        size_t peak;                             /* bytes */
        struct bench_stat figure[BENCH_FIGURES]; /* per operation, if they are */
        struct bench_stat ratio[BENCH_FIGURES];  /* to weft, round by round */
};

/* A contest with so many workers. The first system is weft. */
struct bench_match {
        const struct bench_contest *c;
        unsigned workers;
        char name[40]; /* "rivals/submit/2" */
        size_t size;
        size_t n;
        struct bench_system system[BENCH_SYSTEMS];
};

/* Fill in what is known before it is run: the name. */
void bench_match_init(struct bench_match *m, const struct bench_contest *c, unsigned workers);

void bench_match_run(struct bench_match *m, bool quick, FILE *progress);

size_t bench_match_figures(const struct bench_match *m);

/* Whether there is a ratio to weft. */
bool bench_match_has_ratio(const struct bench_match *m, size_t system, size_t figure);

/* Whether it counts as a failure: weft's own program failed, or a result was wrong. */
bool bench_match_failed(const struct bench_match *m);

/* Whether weft does worse there than that other system, to the digits shown. */
bool bench_match_lost(const struct bench_match *m, size_t system, size_t figure);

/* report_rivals.c */

/* The table's head, which also says what is left out; a comparison; and where weft does worse. */
void bench_print_match_head(FILE *f);
void bench_print_match(FILE *f, const struct bench_match *m);
void bench_print_lost(FILE *f, const struct bench_plan *p);

#endif

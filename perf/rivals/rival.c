/* SPDX-License-Identifier: MIT
 *
 * The main program of every rival: see rival.h.
 */
#include "rival.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *program = "rival";

int64_t rival_now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void rival_fail(const char *what)
{
        fprintf(stderr, "%s: %s: %s\n", program, what, strerror(errno));
        exit(1);
}

static const struct rival_case *find(const struct rival_case *cases, const char *name)
{
        for (; cases->name; cases++)
                if (!strcmp(cases->name, name))
                        return cases;
        return NULL;
}

/* A whole number from 1 on, or 0. */
static size_t number(const char *text)
{
        char *end;
        errno = 0;
        unsigned long long n = strtoull(text, &end, 10);
        return errno || *end || end == text || *text == '-' ? 0 : (size_t)n;
}

static void play(const struct rival_case *c, struct rival_round r)
{
        int64_t called = rival_now();
        c->round(&r);
        int64_t returned = rival_now();
        if (r.figure[0] == 0)
                r.figure[0] = (double)((r.end ? r.end : returned) - (r.begin ? r.begin : called));
        printf("%llu", (unsigned long long)r.check);
        for (unsigned i = 0; i < (r.figures ? r.figures : 1); i++)
                printf(" %.3f", r.figure[i]);
        printf("\n");
        if (fflush(stdout) == EOF)
                rival_fail("standard output");
}

int rival_main(int argc, char **argv, const struct rival *rival, const struct rival_case *cases)
{
        char line[64];
        program = argv[0];
        if (argc == 1) {
                printf("%s\n", rival->name);
                for (; cases->name; cases++)
                        printf("%s\n", cases->name);
                return 0;
        }
        const struct rival_case *c = argc == 4 ? find(cases, argv[1]) : NULL;
        struct rival_round r = {.workers = argc == 4 ? (unsigned)number(argv[2]) : 0,
                                .size = argc == 4 ? number(argv[3]) : 0};
        if (!c || !r.workers || !r.size) {
                fprintf(stderr, "usage: %s [CASE WORKERS SIZE]\n", program);
                return 2;
        }
        if (rival->up)
                rival->up(r.workers);
        while (fgets(line, sizeof(line), stdin))
                play(c, r);
        if (rival->down)
                rival->down();
        return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * Runs a contest: starts every program that can do it, lets each play a round that does not count,
 * then all of them a round each in turn, again and again. Ratios are taken between figures of the
 * same turn, and medians last.
 */
#include "rivals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS       9 /* unless the contest says otherwise */
#define ROUNDS_QUICK 3

/* A system while it plays. */
struct player {
        struct rival process;
        bool plays;
        double figure[BENCH_FIGURES][BENCH_ROUNDS];
};

struct play {
        struct bench_match *m;
        bool quick;
        FILE *progress;
        bool known; /* whether there is a result already: weft's, if that can be had */
        uint64_t check;
        struct player player[BENCH_SYSTEMS];
};

size_t bench_match_figures(const struct bench_match *m)
{
        const struct bench_contest *c = m->c;
        size_t n = 0;
        while (n < sizeof(c->figure) / sizeof(c->figure[0]) && c->figure[n].name)
                n++;
        return n;
}

static size_t rounds_of(const struct play *p)
{
        size_t n = p->m->c->rounds ? p->m->c->rounds : ROUNDS;
        return p->quick && n > ROUNDS_QUICK ? ROUNDS_QUICK : n;
}

static void out(struct play *p, size_t i, enum bench_end end, const char *why)
{
        struct bench_system *s = &p->m->system[i];
        s->end = end;
        snprintf(s->error, sizeof(s->error), "%s", why);
        p->player[i].plays = false;
}

/* ---- who takes part ---- */

static bool has_line(const char *text, const char *line)
{
        size_t length = strlen(line);
        for (const char *at = text; at; at = strchr(at, '\n'), at += at != NULL)
                if (!strncmp(at, line, length) && at[length] == '\n')
                        return true;
        return false;
}

/* Those that are there, and can do it, or cannot even be asked. */
static void enter(struct play *p, const struct bench_program *program)
{
        char names[RIVAL_NAMES];
        struct bench_match *m = p->m;
        if (!rival_there(program->file) || m->n == BENCH_SYSTEMS)
                return;
        struct player *player = &p->player[m->n];
        bool asked = rival_ask(&player->process, program->file, names) == 0;
        if (asked && !has_line(strchrnul(names, '\n'), m->c->name))
                return;
        struct bench_system *s = &m->system[m->n++];
        *s = (struct bench_system){.program = program};
        names[strcspn(names, "\n")] = 0;
        snprintf(s->name, sizeof(s->name), "%.40s", asked ? names : program->system);
        if (!asked)
                out(p, m->n - 1, BENCH_SKIP, player->process.why);
        player->plays = asked;
}

/* ---- rounds ---- */

static void told(const struct play *p, size_t i, const char *what, size_t round, size_t rounds)
{
        if (p->progress)
                fprintf(p->progress, "\r\033[K%s, %s %zu of %zu: %s", p->m->name, what, round,
                        rounds, p->m->system[i].name);
}

/* Every system must give the same result, in every round. */
static bool right(struct play *p, size_t i, const struct rival_answer *a)
{
        char why[100];
        if (!p->known)
                p->check = a->check;
        p->known = true;
        if (a->figures < bench_match_figures(p->m))
                snprintf(why, sizeof(why), "gave %zu figures", a->figures);
        else if (a->check != p->check)
                snprintf(why, sizeof(why), "its result is %llu, not %llu",
                         (unsigned long long)a->check, (unsigned long long)p->check);
        else
                return true;
        rival_stop(&p->player[i].process);
        out(p, i, BENCH_WRONG, why);
        return false;
}

static void play_round(struct play *p, size_t i, size_t round)
{
        struct rival_answer a;
        struct player *player = &p->player[i];
        if (rival_play(&player->process, &a) < 0) {
                out(p, i, BENCH_SKIP, player->process.why);
                return;
        }
        if (!right(p, i, &a))
                return;
        for (size_t f = 0; f < bench_match_figures(p->m); f++)
                player->figure[f][round] = a.figure[f];
        if (p->m->c->per == BENCH_PER_OPERATION)
                player->figure[0][round] /= (double)p->m->size;
}

/* The first round is overwritten by the next: it warms up. */
static void start(struct play *p, size_t i)
{
        struct player *player = &p->player[i];
        if (!player->plays)
                return;
        told(p, i, "warming up", i + 1, p->m->n);
        if (rival_start(&player->process, p->m->system[i].program->file, p->m->c->name,
                        p->m->workers, p->m->size) < 0)
                out(p, i, BENCH_SKIP, player->process.why);
        else
                play_round(p, i, 0);
}

static void stop(struct play *p, size_t i)
{
        struct player *player = &p->player[i];
        if (!player->plays)
                return;
        p->m->system[i].peak = rival_peak(&player->process);
        if (rival_stop(&player->process) < 0)
                out(p, i, BENCH_SKIP, player->process.why);
}

static void summarise(struct play *p, size_t i, size_t rounds)
{
        struct bench_system *s = &p->m->system[i];
        const struct player *first = &p->player[0];
        double ratio[BENCH_ROUNDS], figure[BENCH_ROUNDS];
        s->rounds = (unsigned)rounds;
        s->check = p->check;
        for (size_t f = 0; f < bench_match_figures(p->m); f++) {
                for (size_t r = 0; r < rounds; r++) {
                        figure[r] = p->player[i].figure[f][r];
                        ratio[r] = figure[r] / first->figure[f][r];
                }
                s->figure[f] = bench_stat_of(figure, rounds);
                s->ratio[f] = bench_stat_of(ratio, rounds);
        }
}

void bench_match_init(struct bench_match *m, const struct bench_contest *c, unsigned workers)
{
        *m = (struct bench_match){.c = c, .workers = workers};
        snprintf(m->name, sizeof(m->name), "rivals/%s/%u", c->name, workers);
}

void bench_match_run(struct bench_match *m, bool quick, FILE *progress)
{
        static struct play play; /* too large for the stack */
        play = (struct play){.m = m, .quick = quick, .progress = progress};
        size_t rounds = rounds_of(&play);
        m->size = quick ? m->c->quick : m->c->size;
        for (const struct bench_program *p = bench_programs; p->file; p++)
                enter(&play, p);
        for (size_t i = 0; i < m->n; i++)
                start(&play, i);
        for (size_t r = 0; r < rounds; r++)
                for (size_t i = 0; i < m->n; i++)
                        if (play.player[i].plays) {
                                told(&play, i, "round", r + 1, rounds);
                                play_round(&play, i, r);
                        }
        for (size_t i = 0; i < m->n; i++)
                stop(&play, i);
        for (size_t i = 0; i < m->n; i++)
                if (m->system[i].end == BENCH_OK)
                        summarise(&play, i, rounds);
        if (progress)
                fputs("\r\033[K", progress);
}

/* Whether the first system is weft, and has figures. */
static bool has_weft(const struct bench_match *m)
{
        return m->n && !m->system[0].program->package && m->system[0].end == BENCH_OK;
}

bool bench_match_failed(const struct bench_match *m)
{
        bool failed = !has_weft(m);
        for (size_t i = 0; i < m->n; i++)
                failed |= m->system[i].end == BENCH_WRONG;
        return failed;
}

bool bench_match_has_ratio(const struct bench_match *m, size_t system, size_t figure)
{
        return has_weft(m) && m->system[system].end == BENCH_OK &&
               isfinite(m->system[system].ratio[figure].median);
}

/* Not where weft meets the mark, if there is one: what is less cannot be told from noise. */
bool bench_match_lost(const struct bench_match *m, size_t system, size_t figure)
{
        const struct bench_figure *f = &m->c->figure[figure];
        return m->system[system].program->package && bench_match_has_ratio(m, system, figure) &&
               m->system[system].ratio[figure].median < 0.995 &&
               (f->mark_in == BENCH_NOTHING || m->system[0].figure[figure].median > f->mark);
}

/* SPDX-License-Identifier: MIT
 *
 * An execution in words: one line for each step, with the place in the source that made it. Only
 * one that failed is traced, by running it again.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checker.h"

enum { LINES = 4096, WIDTH = 200 };

static struct line {
        const void *site;
        char text[WIDTH];
} * line;
static unsigned lines;

const char *order_name(int order)
{
        static const char *const name[] = {
            [__ATOMIC_RELAXED] = "relaxed", [__ATOMIC_CONSUME] = "consume",
            [__ATOMIC_ACQUIRE] = "acquire", [__ATOMIC_RELEASE] = "release",
            [__ATOMIC_ACQ_REL] = "acq_rel", [__ATOMIC_SEQ_CST] = "seq_cst"};
        return name[order];
}

static const char *thread_of_stack(uintptr_t at, size_t *ret_offset)
{
        size_t offset = at - (uintptr_t)mc->region;
        if (offset >= (size_t)THREADS * STACK)
                return NULL;
        *ret_offset = STACK - offset % STACK;
        return mc->thread[offset / STACK].name;
}

/* Good until it has been called four more times. */
const char *place_of(const void *p)
{
        static char text[4][80];
        static unsigned turns;
        if (!mc->tracing && !mc->failed && mc->runs)
                return "?"; /* nobody will read it, but for what fails, and that is run again */
        char *to = text[turns++ % 4];
        uintptr_t at = (uintptr_t)p;
        size_t offset;
        const char *thread = thread_of_stack(at, &offset);
        snprintf(to, sizeof(text[0]), "%p", p);
        for (unsigned i = 0; i < mc->blocks; i++) {
                size_t in = at - (uintptr_t)mc->block[i].p;
                if (in < mc->block[i].size)
                        snprintf(to, sizeof(text[0]), "block %u+%zu", i, in);
        }
        if (thread)
                snprintf(to, sizeof(text[0]), "the stack of %s-%zu", thread, offset);
        for (unsigned i = 0; i < mc->names; i++)
                if (at - mc->name[i].at < mc->name[i].size)
                        snprintf(to, sizeof(text[0]), at == mc->name[i].at ? "%s" : "%s+%zu",
                                 mc->name[i].name, (size_t)(at - mc->name[i].at));
        return to;
}

void model_name(const void *p, size_t size, const char *name)
{
        if (mc->names < NAMES) {
                mc->name[mc->names].at = (uintptr_t)p;
                mc->name[mc->names].size = size;
                mc->name[mc->names++].name = name;
        }
}

void tell(const void *site, const char *format, ...)
{
        if (!mc->tracing)
                return;
        if (!line)
                line = calloc(LINES, sizeof(*line));
        if (!line || lines == LINES)
                return;
        int n = snprintf(line[lines].text, WIDTH, "%-10s ", mc->thread[mc->current].name);
        va_list ap;
        va_start(ap, format);
        vsnprintf(line[lines].text + n, WIDTH - (size_t)n, format, ap);
        va_end(ap);
        line[lines++].site = site;
}

void trace_forget(void)
{
        lines = 0;
}

/* "weft__deque_pop at deque.c:132" */
static void print_site(FILE *from)
{
        char text[512];
        if (from && fgets(text, sizeof(text), from)) {
                text[strcspn(text, "\n")] = 0;
                printf("    %s", text);
        }
}

void print_trace(void)
{
        size_t room = 64 + LINES * 20;
        char *command = malloc(room);
        size_t n =
            (size_t)snprintf(command, room, "addr2line -p -f -s -e /proc/%d/exe", (int)getpid());
        for (unsigned i = 0; i < lines; i++)
                if (line[i].site)
                        n += (size_t)snprintf(command + n, room - n, " %p",
                                              (void *)((uintptr_t)line[i].site - 1));
        FILE *from = popen(command, "r");
        for (unsigned i = 0; i < lines; i++) {
                printf("    %4u  %s", i + 1, line[i].text);
                if (line[i].site)
                        print_site(from);
                printf("\n");
        }
        if (from)
                pclose(from);
        free(command);
}

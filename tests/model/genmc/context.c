/* SPDX-License-Identifier: MIT
 *
 * References to contexts and their bank, and cells.
 *
 * GenMC knows no struct that is local to a thread: run has it see a pointer instead, weft__mine.
 *
 *   CASE 1  two have a context; one sets in it, and whoever gives the last reference back frees it
 *   CASE 2  the same where a cell is bound
 *   CASE 3  it is in the bank of one, who needs that for another
 */
#define HALVES /* a context has some */
#include "client.h"

/* To GenMC an exchange that fails has the order of one that is done, by which two that set a var
 * for the first time do not see each other; so this is not numbered. */
#include "context/var.c"

#include "orders.h"
#include "context/frame.c"
#include "context/map.c"
enum { ORDERS = __COUNTER__, CASES = 3 };

_Thread_local struct weft__thread weft__thread;
atomic_bool weft__hooked, weft__recording;

static int alive;

static void retain(void *value)
{
        (void)value;
        alive++;
}

static void release(void *value)
{
        (void)value;
        alive--;
}

static weft_var plain = WEFT_VAR_INIT("plain");
static weft_var kept = WEFT_VAR_INIT("kept", .retain = retain, .release = release);
static weft_context *context;

/* Before a thread does anything else. */
static void begin(int thread)
{
#ifdef GENMC
        static struct weft__thread block[2];
        weft__mine = &block[thread];
#endif
        (void)thread;
        weft__thread.here.calls = WEFT__LINK_BOTTOM;
        weft__thread.life = WEFT__LIVE;
}

/* ---- the rest of the library ---- */

void *weft__alloc_zeroed(size_t size)
{
        return weft__alloc(size);
}

void weft__hook_become(struct weft__hook *hook, uint32_t key)
{
        (void)hook; /* there is none */
        (void)key;
}

int weft__thread_enlist(void)
{
        return 0;
}

void weft__calls_know(void)
{
}

/* As in thread.c, for functions that do not bind anything. */
void weft__cells_release(void)
{
        struct weft__cell *cell;
        while ((cell = weft__thread.releasing)) {
                weft__thread.releasing = cell->next;
                cell->release(cell->value);
                weft__free(cell, sizeof(*cell));
        }
}

/* ---- the two ---- */

static void bind(weft_var *var, void *value)
{
        int r = weft_set(var, value, NULL);
        assert(r == 0);
        (void)r;
}

/* A thread ends: what it has is given back. */
static void gives_back(void)
{
        weft_context_unref(weft_context_swap(NULL));
        weft__context_settle();
        weft__cells_release();
        while (weft__thread.cache) {
                weft_context *next = weft__thread.cache->slot[0];
                free(weft__thread.cache);
                weft__thread.cache = next;
        }
}

static void *looks(void *unused)
{
        void *value;
        (void)unused;
        begin(1);
        assert(weft_context_lookup(context, &plain, &value) == 0 && value == &plain);
        weft_context_unref(context);
        gives_back();
        return NULL;
}

int main(void)
{
        begin(0);
        bind(&plain, &plain);
        if (CASE == 2)
                bind(&kept, &alive);
        context = weft_context_capture();
        pthread_t other = start(looks, 0);
        bind(&plain, &context);
        if (CASE == 3)
                weft_context_unref(weft_context_capture());
        gives_back();
        join(other);
        assert(alive == 0);
        return 0;
}

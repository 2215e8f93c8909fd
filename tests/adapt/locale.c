/* SPDX-License-Identifier: MIT
 *
 * uselocale(): the C library finds the locale of the task, whatever other tasks did on the thread
 * meanwhile and wherever the task goes on.
 */
#include <langinfo.h>
#include <pthread.h>
#include <stdlib.h>
#include <wchar.h>

#include <weft/adapt/locale.h>
#if !defined(__SANITIZE_ADDRESS__) /* of which the runner has contexts only */
#include <weft/weft.h>
#endif

#include "check.h"

static weft_var locale = WEFT_LOCALE_INIT("locale");
static weft_var owned = WEFT_LOCALE_OWNED_INIT("owned locale");

static locale_t ascii, utf8; /* to which "ä" is two characters, and one */

/* What the C library makes of the thread's locale: whether "ä" is one character. (By a call, since
 * the task may be on another thread than before.) */
static __attribute__((noinline)) bool knows_utf8(void)
{
        wchar_t c;
        mbstate_t state;
        memset(&state, 0, sizeof(state));
        bool one = mbrtowc(&c, "\xc3\xa4", 2, &state) == 2;
        CHECK(one == (strcmp(nl_langinfo(CODESET), "UTF-8") == 0));
        return one;
}

static void follows_sets(void)
{
        weft_token token;
        CHECK(!knows_utf8());
        CHECK(weft_set(&locale, utf8, &token) == 0);
        CHECK(knows_utf8());
        WEFT_WITH (&locale, ascii)
                CHECK(!knows_utf8());
        CHECK(knows_utf8());
        CHECK(weft_reset(&locale, &token) == 0);
        CHECK(!knows_utf8());
        CHECK(uselocale((locale_t)0) == LC_GLOBAL_LOCALE);
}

static int in_ascii(void *arg)
{
        (void)arg;
        CHECK(!knows_utf8());
        return weft_set(&locale, utf8, NULL);
}

static int in_utf8(void *arg)
{
        (void)arg;
        CHECK(knows_utf8());
        return 0;
}

/* A thread that has a locale of its own has it again afterwards. */
static void gives_back_what_was(void)
{
        uselocale(utf8);
        weft_context *context;
        CHECK(weft_context_with(NULL, &locale, ascii, &context) == 0);
        CHECK(weft_context_run(context, in_ascii, NULL, NULL) == 0);
        CHECK(knows_utf8());
        CHECK(uselocale((locale_t)0) == utf8);
        WEFT_WITH (&locale, ascii)
                CHECK(weft_context_run(NULL, in_utf8, NULL, NULL) == 0);
        weft_context_unref(context);
        uselocale(LC_GLOBAL_LOCALE);
}

static void *on_thread(void *arg)
{
        CHECK(knows_utf8());
        CHECK(weft_set(&locale, ascii, NULL) == 0);
        CHECK(!knows_utf8());
        return arg;
}

static void threads(void)
{
        pthread_t thread;
        WEFT_WITH (&locale, utf8) {
                CHECK(weft_thread_create(&thread, NULL, on_thread, NULL) == 0);
                pthread_join(thread, NULL);
                CHECK(knows_utf8());
        }
}

/* Freed with its last context, on another thread; a leak checker and freelocale() would tell. */
static void *takes_over(void *arg)
{
        CHECK(knows_utf8());
        return arg;
}

static void owned_ones_go(void)
{
        pthread_t thread;
        for (int i = 0; i < 100; i++) {
                locale_t l = duplocale(utf8);
                CHECK(weft_set(&owned, l, NULL) == 0);
                CHECK(uselocale((locale_t)0) == l);
        }
        CHECK(weft_thread_create(&thread, NULL, takes_over, NULL) == 0);
        weft_context_unref(weft_context_swap(NULL));
        CHECK(!knows_utf8());
        CHECK(uselocale((locale_t)0) == LC_GLOBAL_LOCALE);
        pthread_join(thread, NULL);
}

#if defined(WEFT_WEFT_H)

struct work {
        bool utf8;
        int rounds;
};

static int works(void *arg)
{
        const struct work *work = arg;
        for (int i = 0; i < work->rounds; i++) {
                CHECK(knows_utf8() == work->utf8);
                if (i % 50 == 0)
                        CHECK(weft_sleep_until(weft_now() + 10000) == 0);
                else
                        CHECK(weft_yield() == 0);
        }
        return 0;
}

static int sees_none(void *arg)
{
        (void)arg;
        CHECK(!knows_utf8());
        CHECK(uselocale((locale_t)0) == LC_GLOBAL_LOCALE);
        return weft_set(&locale, utf8, NULL); /* which nobody gets to see */
}

static void tasks_of(unsigned workers, unsigned flags)
{
        enum { TASKS = 10 };
        const weft_pool_options options = {
            .size = sizeof(options), .workers = workers, .flags = flags};
        struct work work[2] = {{false, 300}, {true, 300}};
        weft_pool *pool;
        weft_task *task[TASKS] = {NULL}, *none[TASKS] = {NULL};
        CHECK(weft_pool_create(&pool, &options) == 0);
        for (int i = 0; i < TASKS; i++) {
                WEFT_WITH (&locale, work[i % 2].utf8 ? utf8 : ascii)
                        CHECK(weft_spawn(pool, &task[i], works, &work[i % 2]) == 0);
                CHECK(weft_spawn(pool, &none[i], sees_none, NULL) == 0);
        }
        for (int i = 0; i < TASKS; i++) {
                CHECK(weft_await(task[i], WEFT_FOREVER) == 0);
                CHECK(weft_await(none[i], WEFT_FOREVER) == 0);
                weft_task_unref(task[i]);
                weft_task_unref(none[i]);
        }
        weft_pool_destroy(pool);
}

static void tasks_that_take_turns(void)
{
        tasks_of(1, 0);
        tasks_of(3, 0);
}

static void tasks_that_migrate(void)
{
        tasks_of(3, WEFT_MIGRATE);
}

#endif

static const struct test tests[] = {
    {"follows_sets", follows_sets},
    {"gives_back_what_was", gives_back_what_was},
    {"threads", threads},
    {"owned_ones_go", owned_ones_go},
#if defined(WEFT_WEFT_H)
    {"tasks_that_take_turns", tasks_that_take_turns},
    {"tasks_that_migrate", tasks_that_migrate},
#endif
};

int main(void)
{
        ascii = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        utf8 = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
        int failed = RUN_TESTS(tests);
        freelocale(ascii);
        freelocale(utf8);
        return failed;
}

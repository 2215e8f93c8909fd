/* SPDX-License-Identifier: MIT
 *
 * What calls keep for their caller that read files, write to streams or wait for threads: errno
 * (G75), and that a thread which is cancelled ends after the call and not in it (B23).
 */
#include "pool_help.h"

#include <signal.h>

#include <weft/record.h>
#include <weft/see.h>

/* ---- calls, which all give a result that is known ---- */

static FILE *file, *full, *read_only; /* streams: to a file, to one that takes nothing, to none */
static weft_pool *pool, *other;
static weft_record *record;

static int creates(void)
{
        return weft_pool_create(&other, &(weft_pool_options){.workers = 1});
}

static int destroys(void)
{
        return weft_pool_destroy(other) ? -1 : 0;
}

static int writes_record(FILE *to)
{
        int r = weft_record_write(record, to, WEFT_RECORD_JSON);
        return r ? r : weft_record_write(record, to, WEFT_RECORD_PAGE);
}

static int writes_figures(FILE *to)
{
        int all = 0;
        for (int format = 0; format < 3; format++) {
                int r = weft_stats_write(to, (weft_stats_format)format);
                all = r < 0 ? r : all;
        }
        return all;
}

static int records(void)
{
        return writes_record(file);
}

static int records_in_vain(void)
{
        return writes_record(full);
}

static int says_figures(void)
{
        return writes_figures(file);
}

static int says_figures_in_vain(void)
{
        return writes_figures(full);
}

static int says_figures_to_none(void)
{
        return writes_figures(read_only);
}

static int dumps(void)
{
        return weft_dump(file);
}

static int dumps_in_vain(void)
{
        return weft_dump(full);
}

static int dumps_to_none(void)
{
        return weft_dump(read_only);
}

static int asks_for_a_signal(void)
{
        return weft_dump_on_signal(SIGUSR1, STDERR_FILENO);
}

static int asks_for_no_signal(void)
{
        return weft_dump_on_signal(9999, STDERR_FILENO);
}

static int takes_it_back(void)
{
        return weft_dump_on_signal(0, -1);
}

static int watches(void)
{
        return weft_watch_begin(1000 * MS, NULL, NULL);
}

static int watches_no_more(void)
{
        return weft_watch_end();
}

static const struct call {
        const char *name;
        int (*run)(void);
        int result;
        bool copies; /* the process */
} calls[] = {
#define CALL(fn, result, ...)                                                                      \
        {                                                                                          \
#fn, fn, result, __VA_ARGS__                                                       \
        }
    CALL(creates, 0, false),
    CALL(destroys, 0, false), /* with a record that cannot be written */
    CALL(records, 0, false),
    CALL(records_in_vain, 0, false),
    CALL(says_figures, 0, false),
    CALL(says_figures_in_vain, -EIO, false),
    CALL(says_figures_to_none, -EIO, false),
    CALL(dumps, 0, true),
    CALL(dumps_in_vain, -EIO, true),
    CALL(dumps_to_none, -EIO, true),
    CALL(asks_for_a_signal, 0, false),
    CALL(asks_for_no_signal, -EINVAL, false),
    CALL(takes_it_back, 0, false),
    CALL(watches, 0, false),
    CALL(watches_no_more, 0, false),
#undef CALL
};
enum { CALLS = sizeof(calls) / sizeof(*calls) };

static bool is_run(const struct call *call)
{
        return !(call->copies && IN_EMULATOR);
}

static void begin_all(void)
{
        file = tmpfile();
        full = fopen("/dev/full", "w");
        read_only = fopen("/dev/null", "r");
        cr_assert(file && full && read_only);
        pool = begin(1);
        cr_assert_eq(weft_record_start(pool, &record, NULL), 0);
        join(spawn(pool, nothing, NULL));
        cr_assert_eq(weft_record_stop(record), 0);
        setenv("WEFT_RECORD", "/tmp/there-is/no-such/folder", 1);
}

static void end_all(void)
{
        weft_record_destroy(record);
        finish(pool);
        fclose(file);
        fclose(full);
        fclose(read_only);
}

Test(keep, G75_errno_is_what_it_was, .timeout = 60)
{
        begin_all();
        for (int i = 0; i < CALLS; i++) {
                if (!is_run(&calls[i]))
                        continue;
                errno = EXDEV;
                int r = calls[i].run(), after = errno;
                cr_expect_eq(after, EXDEV, "%s has set it to %d", calls[i].name, after);
                cr_expect_eq(r, calls[i].result, "%s gave %d", calls[i].name, r);
        }
        end_all();
}

struct outcome {
        const struct call *call;
        int result;
        bool returned;
};

static void *calls_while_cancelled(void *arg)
{
        struct outcome *o = arg;
        pthread_cancel(pthread_self());
        o->result = o->call->run();
        o->returned = true;
        pthread_testcancel();
        return NULL;
}

Test(keep, B23_the_call_comes_to_its_end, .timeout = 60)
{
        begin_all();
        for (int i = 0; i < CALLS; i++) {
                struct outcome o = {.call = &calls[i]};
                pthread_t thread;
                void *end;
                if (!is_run(&calls[i]))
                        continue;
                cr_assert_eq(pthread_create(&thread, NULL, calls_while_cancelled, &o), 0);
                pthread_join(thread, &end);
                cr_expect(o.returned, "%s has not returned", o.call->name);
                cr_expect_eq(o.result, o.call->result, "%s gave %d", o.call->name, o.result);
                cr_expect_eq(end, PTHREAD_CANCELED, "%s", o.call->name);
        }
        end_all();
}

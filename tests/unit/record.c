/* SPDX-License-Identifier: MIT
 *
 * Records of what ran where: which stretches there are, of which values, what is dropped, and what
 * is written.
 */
#include "pool_help.h"

#include "context/memory.h"
#include "pool/worker.h"

/* ---- what was written, read ------------------------------------------------------------------ */

struct stretch {
        double ts, dur; /* us */
        int lane;       /* from 1 */
        char begins[16], ends[16], value[64], last[64], function[64];
};

struct trace {
        struct stretch at[256];
        int count, waits;
        double wait_began; /* the last one, us */
        char *text;
};

/* What follows after "key": on the line, up to the quote. */
static void read_text(const char *line, const char *key, char *to, size_t size)
{
        char quoted[32];
        snprintf(quoted, sizeof(quoted), "\"%s\":\"", key);
        const char *at = strstr(line, quoted);
        to[0] = '\0';
        if (at)
                snprintf(to, size, "%.*s", (int)strcspn(at + strlen(quoted), "\""),
                         at + strlen(quoted));
}

static double read_number(const char *line, const char *key)
{
        char quoted[32];
        snprintf(quoted, sizeof(quoted), "\"%s\":", key);
        const char *at = strstr(line, quoted);
        return at ? atof(at + strlen(quoted)) : -1;
}

static void read_line(struct trace *trace, const char *line)
{
        struct stretch *s = &trace->at[trace->count];
        if (strstr(line, "\"ph\":\"s\"")) {
                trace->waits++;
                trace->wait_began = read_number(line, "ts");
        }
        if (strstr(line, "\"ph\":\"f\""))
                cr_assert_leq(trace->wait_began, read_number(line, "ts"), "a wait ends before it");
        if (!strstr(line, "\"ph\":\"X\""))
                return;
        cr_assert_lt(trace->count, 255);
        trace->count++;
        s->ts = read_number(line, "ts");
        s->dur = read_number(line, "dur");
        s->lane = (int)read_number(line, "tid");
        read_text(line, "begins", s->begins, sizeof(s->begins));
        read_text(line, "ends", s->ends, sizeof(s->ends));
        read_text(line, "value", s->value, sizeof(s->value));
        read_text(line, "value at the end", s->last, sizeof(s->last));
        read_text(line, "function", s->function, sizeof(s->function));
}

static char *written(weft_record *record, weft_record_format format)
{
        char *text = NULL;
        size_t size;
        FILE *memory = open_memstream(&text, &size);
        cr_assert_not_null(memory);
        cr_assert_eq(weft_record_write(record, memory, format), 0);
        fclose(memory);
        return text;
}

/* Stop it, and read what it writes; the text is the caller's to free. */
static struct trace *read_record(weft_record *record)
{
        struct trace *trace = calloc(1, sizeof(*trace));
        cr_assert_not_null(trace);
        cr_assert_eq(weft_record_stop(record), 0);
        trace->text = written(record, WEFT_RECORD_JSON);
        char *copy = strdup(trace->text), *rest = copy;
        for (char *line; (line = strsep(&rest, "\n"));)
                read_line(trace, line);
        free(copy);
        return trace;
}

static void trace_free(struct trace *trace)
{
        free(trace->text);
        free(trace);
}

/* ---- what is recorded ------------------------------------------------------------------------ */

static int write_number(void *value, char *text, size_t size)
{
        return snprintf(text, size, "no %d", N(value));
}

static weft_var plain = WEFT_VAR_INIT("plain");
static weft_var spelled = WEFT_VAR_INIT("spelled", .format = write_number);

static weft_record *start(weft_pool *pool, const weft_var *var, size_t stretches)
{
        weft_record *record = NULL;
        const weft_record_options o = {.size = sizeof(o), .var = var, .stretches = stretches};
        int r = weft_record_start(pool, &record, &o);
        cr_assert_eq(r, 0, "weft_record_start: %s", weft_strerror(r));
        return record;
}

/* Long enough for the task to be seen to wait, however slow everything is. */
static const int64_t a_while = SLOW_BUILD ? 500 : 20; /* ms */

static int waits_once(void *arg)
{
        (void)arg;
        return weft_sleep_until(in_ms(a_while));
}

static int sets_and_waits(void *arg)
{
        CHECK(weft_set(&plain, arg, NULL) == 0 && weft_set(&spelled, arg, NULL) == 0);
        CHECK(weft_sleep_until(in_ms(a_while)) == 0);
        return 0;
}

static void run_one(weft_pool *pool, weft_fn *fn, void *arg)
{
        cr_assert_eq(join(spawn(pool, fn, arg)), 0);
}

Test(record, a_task_that_waits_once_is_two_stretches, .timeout = 60)
{
        weft_pool *pool = begin(1);
        weft_record *record = start(pool, NULL, 0);
        run_one(pool, waits_once, NULL);
        struct trace *trace = read_record(record);
        const struct stretch *s = trace->at;
        cr_assert_eq(trace->count, 2, "%s", trace->text);
        cr_assert_str_eq(s[0].begins, "started");
        cr_assert_str_eq(s[0].ends, "parked");
        cr_assert_str_eq(s[1].begins, "resumed");
        cr_assert_str_eq(s[1].ends, "ended");
        cr_assert_geq(s[1].ts, s[0].ts + s[0].dur + (double)a_while * 900, "less than it slept");
        cr_assert_str_eq(s[0].function, s[1].function);
        cr_assert_eq(trace->waits, 1);
        trace_free(trace);
        weft_record_destroy(record);
        finish(pool);
}

Test(record, the_value_is_the_one_that_the_stretch_began_and_ended_with, .timeout = 60)
{
        weft_pool *pool = begin(1);
        cr_assert_eq(weft_set(&plain, V(7), NULL), 0);
        weft_record *record = start(pool, &plain, 0);
        run_one(pool, sets_and_waits, V(12));
        run_one(pool, nothing, NULL);
        struct trace *trace = read_record(record);
        cr_assert_eq(trace->count, 3);
        cr_assert_str_eq(trace->at[0].value, "7");
        cr_assert_str_eq(trace->at[0].last, "12");
        cr_assert_str_eq(trace->at[1].value, "12");
        cr_assert_str_eq(trace->at[1].last, "12");
        cr_assert_str_eq(trace->at[2].value, "7");
        trace_free(trace);
        weft_record_destroy(record);
        finish(pool);
}

Test(record, values_are_spelled_by_the_vars_own_format, .timeout = 60)
{
        weft_pool *pool = begin(1);
        weft_record *record = start(pool, &spelled, 0);
        run_one(pool, sets_and_waits, V(12));
        struct trace *trace = read_record(record);
        cr_assert_eq(trace->count, 2);
        cr_assert_str_eq(trace->at[0].value, "unset");
        cr_assert_str_eq(trace->at[0].last, "no 12");
        trace_free(trace);
        weft_record_destroy(record);
        finish(pool);
}

static int fails_for_odd(void *value, char *text, size_t size)
{
        return N(value) % 2 ? -1 : snprintf(text, size, "even");
}

Test(record, a_value_that_its_format_cannot_write_is_a_pointer_not_unset, .timeout = 60)
{
        static weft_var odd = WEFT_VAR_INIT("odd", .format = fails_for_odd);
        weft_pool *pool = begin(1);
        weft_record *record = start(pool, &odd, 0);
        for (int i = 0; i < 3; i++) {
                run_one(pool, nothing, NULL);
                cr_assert_eq(weft_set(&odd, V(70000 + i), NULL), 0);
        }
        run_one(pool, nothing, NULL);
        struct trace *trace = read_record(record);
        cr_assert_eq(trace->count, 4);
        cr_assert_str_eq(trace->at[0].value, "unset");
        cr_assert_str_eq(trace->at[1].value, "even");
        cr_assert_str_eq(trace->at[2].value, "0x11171");
        cr_assert_str_eq(trace->at[2].last, "0x11171");
        cr_assert_str_eq(trace->at[3].value, "even");
        trace_free(trace);
        weft_record_destroy(record);
        finish(pool);
}

static int writes_long(void *value, char *text, size_t size)
{
        return snprintf(text, size, "%.*sé and more", N(value), "a row of twenty-two...");
}

Test(record, a_value_is_cut_before_a_character_not_inside, .timeout = 60)
{
        static weft_var longer = WEFT_VAR_INIT("longer", .format = writes_long);
        weft_pool *pool = begin(1);
        weft_record *record = start(pool, &longer, 0);
        for (int i = 20; i <= 22; i++) {
                cr_assert_eq(weft_set(&longer, V(i), NULL), 0);
                run_one(pool, nothing, NULL);
        }
        struct trace *trace = read_record(record);
        cr_assert_eq(trace->count, 3);
        cr_assert_str_eq(trace->at[0].value, "a row of twenty-two.é");
        cr_assert_str_eq(trace->at[1].value, "a row of twenty-two..");
        cr_assert_str_eq(trace->at[2].value, "a row of twenty-two...");
        trace_free(trace);
        weft_record_destroy(record);
        finish(pool);
}

static int awaits_a_child(void *arg)
{
        return join(spawn(weft_pool_current(), arg, NULL));
}

Test(record, where_the_var_is_not_set_it_is_the_fallback, .timeout = 60)
{
        static weft_var falls = WEFT_VAR_INIT("falls", .fallback = V(8), .format = write_number);
        weft_pool *pool = begin(1);
        weft_record *record = start(pool, &falls, 0);
        run_one(pool, nothing, NULL);
        struct trace *trace = read_record(record);
        cr_assert_eq(trace->count, 1);
        cr_assert_str_eq(trace->at[0].value, "no 8");
        trace_free(trace);
        weft_record_destroy(record);
        finish(pool);
}

/* The child is begun in the same step (a hand-over); stolen, it might have ended before. */
Test(record, a_task_that_awaits_another_one_has_its_stretches_around_that, .timeout = 60)
{
        skip_unless_workers(1);
        weft_pool *pool = begin(1);
        weft_record *record = start(pool, NULL, 0);
        run_one(pool, awaits_a_child, nothing);
        run_one(pool, awaits_a_child, waits_once);
        struct trace *trace = read_record(record);
        cr_assert_eq(trace->count, 3 + 4, "%s", trace->text);
        cr_assert_eq(trace->waits, 1 + 2);
        for (int i = 1; i < trace->count; i++)
                cr_assert_geq(trace->at[i].ts + 0.002, trace->at[i - 1].ts + trace->at[i - 1].dur,
                              "two at once on one worker");
        trace_free(trace);
        weft_record_destroy(record);
        finish(pool);
}

static int yields(void *arg)
{
        for (int i = 0; i < N(arg); i++)
                CHECK(weft_yield() == 0);
        return 0;
}

Test(record, what_takes_turns_has_a_stretch_for_each, .timeout = 60)
{
        skip_unless_workers(1);
        enum { TURNS = 10, TASKS = 2 };
        weft_pool *pool = begin(1);
        weft_record *record = start(pool, NULL, 0);
        struct plug plug;
        plug_in(&plug, pool, 1);
        weft_task *task[TASKS];
        for (int i = 0; i < TASKS; i++)
                task[i] = spawn(pool, yields, V(TURNS));
        plug_out(&plug);
        for (int i = 0; i < TASKS; i++)
                cr_assert_eq(join(task[i]), 0);
        struct trace *trace = read_record(record);
        cr_assert_geq(trace->count, TASKS * TURNS);
        trace_free(trace);
        weft_record_destroy(record);
        finish(pool);
}

Test(record, a_task_that_migrates_is_recorded_where_it_runs, .timeout = 60)
{
        skip_unless_workers(2);
        enum { TASKS = 20 };
        weft_pool *pool = migrating_pool(2);
        weft_record *record = start(pool, &plain, 0);
        weft_task *task[TASKS];
        for (int i = 0; i < TASKS; i++)
                task[i] = spawn(pool, sets_and_waits, V(i + 1));
        for (int i = 0; i < TASKS; i++)
                cr_assert_eq(join(task[i]), 0);
        struct trace *trace = read_record(record);
        cr_assert_eq(trace->count, 2 * TASKS);
        cr_assert_eq(trace->waits, TASKS);
        for (int i = 0; i < trace->count; i++) {
                cr_assert(trace->at[i].lane == 1 || trace->at[i].lane == 2);
                cr_assert_str_neq(trace->at[i].last, "unset");
        }
        trace_free(trace);
        weft_record_destroy(record);
        finish(pool);
}

/* ---- what is not ----------------------------------------------------------------------------- */

Test(record, the_oldest_are_dropped_and_counted, .timeout = 60)
{
        skip_unless_workers(1); /* each keeps so many */
        enum { TASKS = 10, KEPT = 4 };
        weft_pool *pool = begin(1);
        weft_record *record = start(pool, &plain, KEPT);
        for (int i = 1; i <= TASKS; i++) {
                cr_assert_eq(weft_set(&plain, V(i), NULL), 0);
                run_one(pool, nothing, NULL);
        }
        cr_assert_eq(weft_record_dropped(record), 0, "it is not stopped yet");
        struct trace *trace = read_record(record);
        cr_assert_eq(trace->count, KEPT);
        cr_assert_str_eq(trace->at[0].value, "7");
        cr_assert_str_eq(trace->at[KEPT - 1].value, "10");
        cr_assert_eq(weft_record_dropped(record), TASKS - KEPT);
        cr_assert_eq(read_number(trace->text, "dropped"), TASKS - KEPT);
        trace_free(trace);
        weft_record_destroy(record);
        finish(pool);
}

Test(record, what_runs_at_the_stop_is_cut_there, .timeout = 60)
{
        skip_unless_workers(1);
        weft_pool *pool = begin(1);
        weft_record *record = start(pool, &spelled, 0);
        struct plug plug = {.workers = 0};
        WEFT_WITH (&spelled, V(6))
                plug_in(&plug, pool, 1);
        struct trace *trace = read_record(record);
        cr_assert_eq(trace->count, 1);
        cr_assert_str_eq(trace->at[0].ends, "parked");
        cr_assert_str_eq(trace->at[0].value, "no 6");
        cr_assert_str_eq(trace->at[0].last, "no 6");
        trace_free(trace);
        plug_out(&plug);
        weft_record_destroy(record);
        finish(pool);
}

struct late {
        sem_t go;
        atomic_int began;
};

static int waits_twice(void *arg)
{
        struct late *late = arg;
        atomic_fetch_add(&late->began, 1);
        plug__wait(&late->go);
        return waits_once(NULL) + waits_once(NULL);
}

Test(record, of_one_that_had_started_what_it_does_between_two_waits_is_seen, .timeout = 60)
{
        weft_pool *pool = begin(1);
        struct late late = {.began = 0};
        sem_init(&late.go, 0, 0);
        weft_record *record = start(pool, NULL, 0);
        run_one(pool, nothing, NULL); /* which is not taken for it */
        weft_record_destroy(record);
        weft_task *task = spawn(pool, waits_twice, &late);
        cr_assert(reaches(&late.began, 1));
        record = start(pool, NULL, 0);
        sem_post(&late.go);
        cr_assert_eq(join(task), 0);
        struct trace *trace = read_record(record);
        cr_assert_eq(trace->count, 1, "%s", trace->text);
        cr_assert_str_eq(trace->at[0].begins, "resumed");
        cr_assert_str_eq(trace->at[0].ends, "parked");
        trace_free(trace);
        weft_record_destroy(record);
        finish(pool);
}

Test(record, nothing_is_recorded_before_and_after, .timeout = 60)
{
        weft_pool *pool = begin(2);
        run_one(pool, nothing, NULL);
        weft_record *record = start(pool, NULL, 0);
        cr_assert_eq(weft_record_stop(record), 0);
        cr_assert_not(atomic_load(&pool->modes) & WEFT__RECORDING, "it is to cost nothing again");
        run_one(pool, waits_once, NULL);
        struct trace *trace = read_record(record);
        cr_assert_eq(trace->count, 0);
        trace_free(trace);
        weft_record_destroy(record);
        finish(pool);
}

/* ---- the calls ------------------------------------------------------------------------------- */

Test(record, a_pool_is_recorded_once_at_a_time, .timeout = 60)
{
        weft_pool *pool = begin(2);
        weft_record *record = start(pool, NULL, 0), *other = NULL;
        cr_assert_eq(weft_record_start(pool, &other, NULL), -EALREADY);
        cr_assert_null(other);
        cr_assert_eq(weft_record_stop(record), 0);
        other = start(pool, NULL, 0);
        run_one(pool, nothing, NULL);
        struct trace *trace = read_record(other);
        cr_assert_eq(trace->count, 1);
        trace_free(trace);
        weft_record_destroy(record);
        weft_record_destroy(other);
        finish(pool);
}

Test(record, errors_change_nothing, .timeout = 60)
{
        struct {
                weft_record_options o;
                char more[8];
        } future = {.o = {.size = sizeof(future)}, .more = {1}};
        weft_pool *pool = begin(1);
        weft_record *record = NULL;
        const weft_record_options many = {.size = sizeof(many), .stretches = (1 << 24) + 1};
        const weft_record_options tiny = {.size = 4};
        cr_assert_eq(weft_record_start(pool, NULL, NULL), -EINVAL);
        cr_assert_eq(weft_record_start(pool, &record, &many), -EINVAL);
        cr_assert_eq(weft_record_start(pool, &record, &tiny), -EINVAL);
        cr_assert_eq(weft_record_start(pool, &record, &future.o), -E2BIG);
        cr_assert_null(record);
        cr_assert_eq(weft_record_stop(NULL), -EINVAL);
        cr_assert_eq(weft_record_dropped(NULL), 0);
        cr_assert_null(weft_record_destroy(NULL));
        record = start(pool, NULL, 0);
        cr_assert_eq(weft_record_write(record, stdout, WEFT_RECORD_JSON), -EINPROGRESS);
        cr_assert_eq(weft_record_write(record, NULL, WEFT_RECORD_JSON), -EINVAL);
        cr_assert_eq(weft_record_write(record, stdout, (weft_record_format)2), -EINVAL);
        cr_assert_eq(weft_record_write(NULL, stdout, WEFT_RECORD_JSON), -EINVAL);
        cr_assert_null(weft_record_destroy(record), "without a stop before");
        finish(pool);
}

static int write_bytes(void *value, char *text, size_t size)
{
        /* A quote, a backslash, a newline, a tag, half a character, one whole. */
        (void)value;
        return snprintf(text, size, "\"\\\n<b>\xc3 \xe2\x82\xac");
}

Test(record, any_bytes_may_be_in_a_value, .timeout = 60)
{
        static weft_var wild = WEFT_VAR_INIT("wi\"ld", .format = write_bytes);
        weft_pool *pool = begin(1);
        cr_assert_eq(weft_set(&wild, V(1), NULL), 0);
        weft_record *record = start(pool, &wild, 0);
        run_one(pool, nothing, NULL);
        struct trace *trace = read_record(record);
        cr_assert_not_null(strstr(trace->text, "\"var\":\"wi\\\"ld\""));
        cr_assert_not_null(strstr(trace->text, "\"value\":\"\\\"\\\\?<b>? \xe2\x82\xac\""));
        char *page = written(record, WEFT_RECORD_PAGE);
        cr_assert_not_null(strstr(page, "&quot;\\?&lt;b&gt;? \xe2\x82\xac"));
        free(page);
        trace_free(trace);
        weft_record_destroy(record);
        finish(pool);
}

static weft_pool *of_the_parent;

static int in_the_child(void *arg)
{
        weft_record *record = arg, *other = NULL;
        CHILD_CHECK(weft_record_start(of_the_parent, &other, NULL) == -EOWNERDEAD && !other);
        CHILD_CHECK(weft_record_stop(record) == -EOWNERDEAD);
        CHILD_CHECK(weft_record_destroy(record) == NULL);
        return 0;
}

Test(record, in_the_child_of_a_fork_it_is_the_parents, .timeout = 60)
{
        weft_pool *pool = begin(1);
        weft_record *record = start(pool, NULL, 0);
        of_the_parent = pool;
        cr_assert_eq(in_child(in_the_child, record), 0);
        run_one(pool, nothing, NULL);
        struct trace *trace = read_record(record);
        cr_assert_eq(trace->count, 1);
        trace_free(trace);
        weft_record_destroy(record);
        finish(pool);
}

Test(record, it_may_be_written_when_its_pool_is_gone, .timeout = 60)
{
        weft_pool *pool = begin(2);
        weft_record *record = start(pool, NULL, 0);
        run_one(pool, nothing, NULL);
        cr_assert_eq(weft_record_stop(record), 0);
        finish(pool);
        struct trace *trace = read_record(record);
        cr_assert_eq(trace->count, 1);
        trace_free(trace);
        weft_record_destroy(record);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static int count_of(const char *text, const char *what)
{
        int n = 0;
        for (; (text = strstr(text, what)); text++)
                n++;
        return n;
}

Test(record, a_page_shows_the_last_ones_in_strips, .timeout = 120)
{
        skip_unless_workers(1);
        enum { TASKS = 3300, SHOWN = 3000, VALUES = 300 };
        weft_pool *pool = begin(1);
        weft_record *record = start(pool, &plain, TASKS - 100);
        for (int i = 0; i < TASKS; i++) {
                cr_assert_eq(weft_set(&plain, i % 3 ? V(i % VALUES) : &pool, NULL), 0);
                cr_assert_eq(weft_submit(pool, nothing, NULL), 0);
        }
        cr_assert_eq(weft_pool_shutdown(pool, WEFT_DRAIN, WEFT_FOREVER), 0);
        cr_assert_eq(weft_record_stop(record), 0);
        char *page = written(record, WEFT_RECORD_PAGE);
        cr_assert_not_null(strstr(page, "The last 3000 are shown."));
        cr_assert_not_null(strstr(page, "100 older ones were dropped."));
        cr_assert_not_null(strstr(page, "and more, in the same colours"));
        cr_assert_eq(count_of(page, "class=\"bar\""), SHOWN);
        cr_assert_geq(count_of(page, "role=\"img\""), SHOWN / 60);
        free(page);
        weft_record_destroy(record);
        finish(pool);
}

Test(record, an_empty_record_is_an_empty_page, .timeout = 60)
{
        weft_pool *pool = begin(1);
        weft_record *record = start(pool, NULL, 0);
        cr_assert_eq(weft_record_stop(record), 0);
        char *page = written(record, WEFT_RECORD_PAGE);
        cr_assert_eq(count_of(page, "class=\"bar\""), 0);
        cr_assert_not_null(strstr(page, "</html>"));
        free(page);
        weft_record_destroy(record);
        finish(pool);
}

/* ---- by environment -------------------------------------------------------------------------- */

/* What the file has, which goes; the caller's to free. */
static char *read_file(const char *name)
{
        char *text = calloc(1, 1 << 16);
        FILE *file = fopen(name, "r");
        cr_assert_not_null(text);
        cr_assert_not_null(file, "%s", name);
        cr_assert_gt(fread(text, 1, (1 << 16) - 1, file), 0);
        fclose(file);
        unlink(name);
        return text;
}

Test(record, the_environment_has_each_pool_recorded, .timeout = 60)
{
        char folder[] = "/tmp/weft-record-XXXXXX", first[64], second[64];
        cr_assert_not_null(mkdtemp(folder));
        snprintf(first, sizeof(first), "%s/a.html", folder);
        snprintf(second, sizeof(second), "%s/a.html.2", folder);
        setenv("WEFT_RECORD", first, 1);
        setenv("WEFT_RECORD_VAR", "spelled", 1);
        static weft_var nameless = WEFT_VAR_INIT(NULL);
        cr_assert_eq(weft_set(&nameless, V(1), NULL), 0); /* which is passed over */
        weft_pool *pool = begin(1), *other = begin(1), *third;
        run_one(pool, sets_and_waits, V(5));
        finish(other);
        finish(pool);
        setenv("WEFT_RECORD", "", 1);
        third = begin(1);
        finish(third);
        char *page = read_file(first), *none = read_file(second);
        cr_assert_eq(count_of(page, "class=\"bar\""), 2);
        cr_assert_not_null(strstr(page, "no 5"));
        cr_assert_eq(count_of(none, "class=\"bar\""), 0);
        cr_assert_eq(rmdir(folder), 0, "another file");
        free(page);
        free(none);
}

static weft_var nameless = WEFT_VAR_INIT(NULL);

Test(record, a_var_without_a_name_is_none_that_is_asked_for, .timeout = 60)
{
        char file[] = "/tmp/weft-record-XXXXXX";
        int fd = mkstemp(file);
        cr_assert_geq(fd, 0);
        close(fd);
        cr_assert_eq(weft_set(&nameless, V(1), NULL), 0);
        setenv("WEFT_RECORD", file, 1);
        setenv("WEFT_RECORD_VAR", "spelled", 1);
        weft_pool *pool = begin(1);
        run_one(pool, sets_and_waits, V(5));
        finish(pool);
        char *text = read_file(file);
        cr_assert_not_null(strstr(text, "no 5"));
        free(text);
}

/* A folder of the test's own, in which it is from now on. */
static void begin_folder(char *folder)
{
        strcpy(folder, "/tmp/weft-record-XXXXXX");
        cr_assert_not_null(mkdtemp(folder));
        cr_assert_eq(chdir(folder), 0);
}

/* How many stretches a file has. Without any file left there the folder can go. */
static int stretches_in(const char *name)
{
        char *text = read_file(name);
        int n = count_of(text, "\"ph\":\"X\"");
        free(text);
        return n;
}

Test(record, files_are_numbered_as_pools_were_made_in_whatever_order_they_end, .timeout = 60)
{
        char folder[32];
        weft_pool *pool[4];
        begin_folder(folder);
        setenv("WEFT_RECORD", "r", 1); /* as short as a name can be */
        setenv("WEFT_RECORD_VAR", "", 1);
        for (int i = 0; i < 4; i++) {
                pool[i] = begin(1);
                for (int k = 0; k <= i; k++)
                        run_one(pool[i], nothing, NULL);
        }
        finish(pool[1]);
        cr_assert_eq(stretches_in("r.2"), 2);
        finish(pool[0]);
        cr_assert_eq(stretches_in("r"), 1);
        run_one(pool[3], nothing, NULL);
        finish(pool[3]);
        cr_assert_eq(stretches_in("r.4"), 5);
        finish(pool[2]);
        cr_assert_eq(stretches_in("r.3"), 3);
        cr_assert_eq(rmdir(folder), 0, "another file");
}

Test(record, an_empty_name_of_a_var_is_none, .timeout = 60)
{
        char folder[32];
        begin_folder(folder);
        setenv("WEFT_RECORD", "record.json", 1);
        setenv("WEFT_RECORD_VAR", "", 1);
        weft_pool *pool = begin(1);
        run_one(pool, nothing, NULL);
        finish(pool);
        char *text = read_file("record.json");
        cr_assert_not_null(strstr(text, "\"var\":\"\""));
        cr_assert_null(strstr(text, "\"value\""));
        free(text);
        cr_assert_eq(rmdir(folder), 0);
}

static int ends_with_a_pool(void *unused)
{
        (void)unused;
        weft_pool *pool;
        CHILD_CHECK(weft_pool_create(&pool, &(weft_pool_options){.workers = 1}) == 0);
        CHILD_CHECK(join(spawn(pool, nothing, NULL)) == 0);
        exit(0);
}

Test(record, of_a_pool_that_lives_at_the_end_of_the_process_there_is_one_too, .timeout = 60)
{
        char folder[32];
        begin_folder(folder);
        setenv("WEFT_RECORD", "r", 1);
        cr_assert_eq(in_child(ends_with_a_pool, NULL), 0);
        cr_assert_eq(stretches_in("r"), 1);
        cr_assert_eq(rmdir(folder), 0, "another file");
}

static int destroys(void *pool)
{
        weft_pool_destroy(pool);
        return access("r", F_OK) == 0 ? 7 : 0;
}

static int exits(void *unused)
{
        (void)unused;
        exit(0);
}

Test(record, a_child_of_a_fork_writes_no_file, .timeout = 60)
{
        char folder[32];
        begin_folder(folder);
        setenv("WEFT_RECORD", "r", 1);
        weft_pool *pool = begin(1);
        run_one(pool, nothing, NULL);
        cr_assert_eq(in_child(exits, NULL), 0);
        cr_assert_neq(access("r", F_OK), 0);
        cr_assert_eq(in_child(destroys, pool), 0);
        finish(pool);
        cr_assert_eq(stretches_in("r"), 1);
        cr_assert_eq(rmdir(folder), 0);
}

Test(record, a_program_may_take_the_wish_back, .timeout = 60)
{
        char folder[32];
        begin_folder(folder);
        setenv("WEFT_RECORD", "r", 1);
        weft_pool *pool = begin(1);
        run_one(pool, nothing, NULL);
        unsetenv("WEFT_RECORD");
        finish(pool);
        cr_assert_eq(rmdir(folder), 0, "a file");
}

/* Sizes of allocations that fail, on the test's own thread. */
static _Thread_local size_t least_refused = SIZE_MAX, most_refused;

static int is_of_these(size_t size)
{
        return size >= least_refused && size <= most_refused;
}

/* What a pool says on standard error that is created, runs a task and is destroyed, while
 * allocations of some sizes fail, from its start on or at its end. */
static void pool_without_memory(bool at_start, size_t least, size_t most, char *said, size_t size)
{
        FILE *error = tmpfile();
        int before = dup(STDERR_FILENO);
        cr_assert_not_null(error);
        dup2(fileno(error), STDERR_FILENO);
        least_refused = at_start ? least : SIZE_MAX;
        most_refused = most;
        weft_pool *pool = begin(1);
        run_one(pool, nothing, NULL);
        least_refused = least;
        finish(pool);
        least_refused = SIZE_MAX;
        dup2(before, STDERR_FILENO);
        close(before);
        rewind(error);
        said[fread(said, 1, size - 1, error)] = '\0';
        fclose(error);
}

Test(record, without_memory_there_is_no_record_and_all_else_goes_on, .timeout = 60)
{
        char folder[32], said[256];
        weft__alloc_fails = is_of_these;
        begin_folder(folder);
        setenv("WEFT_RECORD", "r", 1);
        pool_without_memory(true, 1 << 20, SIZE_MAX, said, sizeof(said)); /* a tape */
        cr_assert_str_eq(said, "");
        cr_assert_neq(access("r", F_OK), 0);
        pool_without_memory(false, 32 + 1, 32 + 1, said, sizeof(said)); /* the name */
        cr_assert_str_eq(said, "");
        cr_assert_neq(access("r", F_OK), 0);
        pool_without_memory(false, 32 + 2, SIZE_MAX, said, sizeof(said)); /* what is written */
        cr_assert_str_eq(said, "weft: no memory to write a record\n");
        unlink("r.2");
        cr_assert_eq(rmdir(folder), 0);
}

Test(record, a_file_that_cannot_be_made_harms_nobody, .timeout = 60)
{
        setenv("WEFT_RECORD", "/tmp/there-is/no-such/folder", 1);
        weft_pool *pool = begin(1);
        run_one(pool, nothing, NULL);
        finish(pool);
}

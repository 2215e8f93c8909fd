/* SPDX-License-Identifier: MIT
 *
 * C++ exceptions: thrown out of WEFT_WITH and WEFT_SHIELD blocks and through weft_context_run(),
 * weft_bound_call() and weft_join(), they undo and leave what they pass, and each frame is as it
 * was. Exit 0, or the line of what is not so on standard error and 1.
 */
#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include <weft/weft.h>

#define CHECK(condition)                                                                           \
        do {                                                                                       \
                if (!(condition)) {                                                                \
                        std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__,          \
                                     #condition);                                                  \
                        std::exit(1);                                                              \
                }                                                                                  \
        } while (0)

static int released;

static void release(void *value)
{
        released += *static_cast<int *>(value);
}

static weft_var user = WEFT_VAR_INIT("user");
static weft_var kept = WEFT_VAR_INIT("kept", .release = release);
static int one = 1, ten = 10, hundred = 100;

static int throw_in_a_block(void *)
{
        CHECK(weft_get(&user) == nullptr);
        CHECK(weft_set(&user, &hundred, nullptr) == 0);
        WEFT_WITH (&kept, &ten) {
                throw std::runtime_error("thrown");
        }
        return 0;
}

/* Whether this thread is in a WEFT_SHIELD block. */
static bool shielded()
{
        struct weft__shield probe = weft__shield_begin();
        bool inside = probe.outer;
        weft__shield_end(&probe);
        return inside;
}

static void throw_in_a_shield()
{
        WEFT_SHIELD {
                WEFT_SHIELD {
                        throw std::runtime_error("thrown");
                }
        }
}

static int expect_and_throw(void *)
{
        CHECK(weft_get(&user) == &one);
        throw std::bad_alloc();
}

/* Out of a job that runs in its join, with and without a frame of its own. */
static int set_and_throw(void *value)
{
        if (value)
                CHECK(weft_set(&user, value, nullptr) == 0);
        throw std::runtime_error("thrown");
}

static long throw_typed(long number)
{
        throw number;
}
WEFT_JOB_OF(throwing_job, long, throw_typed, long)

static void check_joins()
{
        weft_job outer, job;
        throwing_job typed;
        int caught = 0;
        weft_fork(&outer, set_and_throw, nullptr);
        for (int i = 0; i < 2; i++) {
                weft_fork(&job, set_and_throw, i ? &hundred : nullptr);
                try {
                        weft_join(&job);
                } catch (const std::runtime_error &) {
                        caught++;
                }
                CHECK(weft_get(&user) == &one);
                CHECK(weft_join(&job) == -EPERM);
        }
        throwing_job_fork(&typed, 7);
        try {
                throwing_job_join(&typed);
        } catch (long number) {
                caught += number == 7;
        }
        try {
                weft_join(&outer);
        } catch (const std::runtime_error &) {
                caught++;
        }
        CHECK(caught == 4);
}

int main()
{
        weft_token token;
        weft_bound *bound;
        int caught = 0;

        CHECK(weft_set(&user, &one, &token) == 0);
        CHECK(weft_set(&kept, &one, nullptr) == 0);
        try {
                WEFT_WITH (&user, &ten) {
                        weft_context_run(nullptr, throw_in_a_block, nullptr, nullptr);
                }
        } catch (const std::runtime_error &) {
                caught++;
        }
        CHECK(caught == 1);
        CHECK(weft_get(&user) == &one && weft_get(&kept) == &one);
        CHECK(released == 10);

        check_joins();

        WEFT_SHIELD {
                CHECK(shielded());
        }
        CHECK(!shielded());
        try {
                throw_in_a_shield();
        } catch (const std::runtime_error &) {
                caught++;
        }
        CHECK(caught == 2 && !shielded());

        CHECK(weft_bind(&bound, expect_and_throw, nullptr) == 0);
        CHECK(weft_set(&user, &ten, nullptr) == 0);
        for (int i = 0; i < 3; i++) {
                try {
                        weft_bound_call(bound);
                } catch (const std::bad_alloc &) {
                        caught++;
                }
        }
        weft_bound_free(bound);
        CHECK(caught == 5);
        CHECK(weft_get(&user) == &ten);
        CHECK(weft_reset(&user, &token) == 0); /* the same frame as ever */
        CHECK(weft_get(&user) == nullptr);
        weft_context_unref(weft_context_swap(nullptr));
        CHECK(released == 11);
        return 0;
}

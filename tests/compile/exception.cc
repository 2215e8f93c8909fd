/* SPDX-License-Identifier: MIT
 *
 * C++ exceptions: thrown out of WEFT_WITH and WEFT_SHIELD blocks and through weft_context_run() and
 * weft_bound_call(), they undo and leave what they pass, and each frame is as it was. Exit 0, or
 * the line of what is not so on standard error and 1.
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

/* SPDX-License-Identifier: MIT
 *
 * The C++ standard library: std::thread and std::async, and whatever takes a function, with the
 * context of whoever started them.
 */
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include <weft/adapt/std.hpp>

#include "check.h"

#if defined(PLAIN)
namespace adapt
{
template <class F> F inherit(F f)
{
        return f;
}
template <class... A> std::thread thread(A &&...args)
{
        return std::thread(std::forward<A>(args)...);
}
template <class... A> auto async(A &&...args)
{
        return std::async(std::forward<A>(args)...);
}
} // namespace adapt
#else
namespace adapt = weft::adapt;
#endif

static void threads()
{
        std::vector<std::thread> all;
        char *who[] = {ada, grace, nobody};
        int seen = 0;
        for (int i = 0; i < 30; i++) {
                WEFT_WITH (&user, who[i % 3]) {
                        WEFT_WITH (&kept, ada) {
                                all.push_back(adapt::thread(
                                    [&seen](char *expected, std::unique_ptr<int> moved) {
                                            CHECK(is(expected));
                                            CHECK(weft_set(&user, nobody, nullptr) == 0);
                                            __atomic_add_fetch(&seen, *moved, __ATOMIC_SEQ_CST);
                                    },
                                    who[i % 3], std::make_unique<int>(2)));
                        }
                }
        }
        for (std::thread &t : all)
                t.join();
        CHECK(seen == 60);
        CHECK(held() == 0);
}

static int length(const char *expected)
{
        CHECK(is(expected));
        CHECK(weft_set(&user, nobody, nullptr) == 0);
        return static_cast<int>(std::strlen(expected));
}

static std::future<int> start(std::launch policy)
{
        std::future<int> result;
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada)
                        result = adapt::async(policy, length, ada);
        }
        return result;
}

static void asyncs()
{
        std::future<int> result = start(std::launch::async);
        WEFT_WITH (&user, grace)
                CHECK(result.get() == 3);
        CHECK(becomes_held(0));
}

// On this thread, with grace bound and a token in its frame.
static void deferred()
{
        std::future<int> result = start(std::launch::deferred);
        CHECK(held() == 1);
        WEFT_WITH (&user, grace) {
                CHECK(result.get() == 3);
                CHECK(is(grace));
        }
        CHECK(held() == 0);
}

static void never_waited_for()
{
        {
                std::future<int> result = start(std::launch::deferred);
                CHECK(held() == 1);
        }
        CHECK(held() == 0);
}

static void exceptions()
{
        std::future<void> result;
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada) {
                        result = adapt::async(std::launch::deferred, [] {
                                CHECK(came(ada));
                                WEFT_WITH (&user, grace)
                                        throw std::runtime_error("thrown");
                        });
                }
        }
        bool caught = false;
        try {
                result.get();
        } catch (const std::runtime_error &) {
                caught = true;
        }
        CHECK(caught);
        CHECK(is(nobody));
        result = std::future<void>();
        CHECK(held() == 0);
}

// Results of all kinds, and copies, each of which holds the context.
static void functions()
{
        int at = 7;
        std::function<int &(int)> copy;
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada) {
                        auto by_reference = adapt::inherit([&at](int n) -> int & {
                                CHECK(came(ada));
                                CHECK(weft_set(&user, grace, nullptr) == 0);
                                at += n;
                                return at;
                        });
                        copy = by_reference;
                        auto moved = std::move(by_reference);
                        CHECK(&moved(1) == &at);
                }
        }
        CHECK(held() == 1);
        CHECK(&copy(1) == &at);
        CHECK(&copy(1) == &at);
        CHECK(at == 10);
        copy = nullptr;
        CHECK(held() == 0);

        const auto boxed = adapt::inherit([] { return std::make_unique<int>(5); });
        CHECK(*boxed() == 5);
        auto counter = adapt::inherit([n = 0]() mutable { return ++n; });
        CHECK(counter() + counter() == 3);
#if !defined(PLAIN)
        static_assert(!std::is_invocable_v<decltype(counter), int>, "as the function itself");
        static_assert(!std::is_invocable_v<const decltype(counter)>, "nor when it is const");
        auto members = adapt::inherit(&std::vector<int>::size);
        CHECK(members(std::vector<int>(3)) == 3);
#endif
}

static const struct test tests[] = {
    {"std::thread", threads},
    {"std::async on a thread", asyncs},
    {"std::async, deferred", deferred},
    {"std::async, deferred and never waited for", never_waited_for},
    {"exceptions", exceptions},
    {"functions for any executor", functions},
};

int main()
{
        return RUN_TESTS(tests);
}

/* SPDX-License-Identifier: MIT
 *
 * The example of weft.hpp(7).
 */
#include <cassert>
#include <stdexcept>
#include <string>
#include <thread>

#include <weft/weft.hpp>

static weft::var<std::string> user("user", "nobody");
static weft::var<int> turns("turns");

static std::string greet()
{
        return "hello, " + user.get();
}

int main()
{
        weft::pool pool; /* or weft::pool pool(options) */

        /* A task has the context of its spawn, and what it captured. */
        weft::task<std::string> hello;
        {
                weft::scope bound(user, "ada");
                hello = pool.spawn([mark = std::string("!")] {
                        user.set(user.get() + mark); /* here alone */
                        return greet();
                });
        }
        assert(hello.await() == "hello, ada!");
        assert(hello.done() && !hello.cancel());
        assert(!user.is_set() && user.get() == "nobody");

        /* What it throws comes back. For the default pool: weft::spawn(f). */
        auto fails = pool.spawn([] { throw std::runtime_error(greet()); });
        try {
                fails.await();
                assert(false);
        } catch (const std::runtime_error &e) {
                assert(e.what() == std::string("hello, nobody"));
        }

        /* A group ends with its tasks; an error is an exception as well. */
        weft::group group(pool);
        for (int i = 0; i < 3; i++)
                group.spawn([i] { turns.set(i); });
        assert(group.wait() == 0 && turns.get() == 0);
        group.spawn([] { return weft_sleep_until(WEFT_FOREVER); });
        group.cancel();
        try {
                group.wait();
                assert(false);
        } catch (const weft::error &e) {
                assert(e.code() == std::errc::operation_canceled);
        }

        /* Contexts, and executors of others. */
        weft::context grace = weft::context::capture().with(user, "grace");
        std::string said;
        auto say = [&] { said = greet(); };
        grace.run([&] { std::thread(weft::bind(say)).join(); });
        assert(said == "hello, grace");
        weft::context next = weft::context::cross(WEFT_BORDER_TASK);
        assert(weft_context_size(next.native()) == 0);

        pool.submit([] { turns.set(1); }); /* nobody waits for it */
        pool.shutdown(WEFT_DRAIN);
}

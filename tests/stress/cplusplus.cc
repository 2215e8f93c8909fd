/* SPDX-License-Identifier: MIT
 *
 * weft.hpp: what a var of each kind keeps, and for how long; what comes back from a task; and that
 * every capture is destroyed once, in the right context, however its task ends. Exit 0, or the line
 * of what is not so on standard error and 1.
 */
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <weft/weft.hpp>

#define CHECK(condition)                                                                           \
        do {                                                                                       \
                if (!(condition)) {                                                                \
                        std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__,          \
                                     #condition);                                                  \
                        std::_Exit(1);                                                             \
                }                                                                                  \
        } while (0)

static weft::var<std::string> user{"user", "nobody"};
static weft::var<int> depth{"depth"};
static weft::var<std::shared_ptr<int>> shared{"shared"};

/* Counts those that are alive; moved from, it is none. */
static std::atomic<int> alive;
static std::atomic<int> ended_as_ada;

class counted
{
      public:
        counted() : counts_(true)
        {
                alive++;
        }
        counted(counted &&other) noexcept : counts_(std::exchange(other.counts_, false))
        {
        }
        counted &operator=(counted &&) = delete;
        ~counted()
        {
                if (!counts_)
                        return;
                alive--;
                ended_as_ada += user.get() == "ada";
        }

      private:
        bool counts_;
};

/* The errno of the weft::error that f throws; 0: it throws none. */
template <class F> static int error_of(F &&f)
{
        try {
                f();
                return 0;
        } catch (const weft::error &e) {
                CHECK(e.code().category() == std::generic_category());
                return e.code().value();
        }
}

/* ---- vars ---- */

static void check_vars()
{
        CHECK(user.get() == "nobody" && !user.is_set());
        CHECK(depth.get() == 0 && shared.get() == nullptr);
        {
                weft::scope a(user, "ada");
                weft::scope b(depth, 3);
                CHECK(user.get() == "ada" && user.is_set() && depth.get() == 3);
                {
                        weft::scope c(user, std::string(100, 'g'));
                        CHECK(user.get().size() == 100);
                }
                CHECK(user.get() == "ada");
                depth.set(4);
                CHECK(depth.get() == 4);
        }
        CHECK(user.get() == "nobody" && !depth.is_set());
        try {
                weft::scope a(user, "ada");
                throw std::runtime_error("on the way out");
        } catch (const std::runtime_error &) {
                CHECK(!user.is_set());
        }
}

/* A value lives as long as any context that binds it. */
static void check_sharing()
{
        std::weak_ptr<int> watched;
        weft::context captured;
        {
                auto value = std::make_shared<int>(7);
                watched = value;
                weft::scope bound(shared, std::move(value));
                captured = weft::context::capture();
        }
        CHECK(!shared.is_set() && !watched.expired());
        weft::context other = captured;
        captured = weft::context();
        CHECK(other.run([] { return *shared.get(); }) == 7);
        weft::context derived = other.with(shared, nullptr).with(user, "grace");
        other = weft::context();
        CHECK(watched.expired());
        CHECK(derived.run([] { return user.get(); }) == "grace");
        bool caught = false;
        try {
                derived.run([] { throw std::runtime_error(user.get()); });
        } catch (const std::runtime_error &e) {
                caught = e.what() == std::string("grace");
        }
        CHECK(caught && user.get() == "nobody");
}

static void check_threads()
{
        std::string seen;
        weft::scope bound(user, "ada");
        std::thread thread(weft::bind([&seen] { seen = user.get(); }));
        thread.join();
        CHECK(seen == "ada");
}

/* ---- tasks ---- */

static void check_results(weft::pool &pool)
{
        weft::scope bound(user, "ada");
        auto text = std::make_unique<std::string>("moved in");
        auto length = pool.spawn([text = std::move(text)] { return text->size(); });
        CHECK(length.await() == 8 && length.await() == 8 && length.done());

        auto name = pool.spawn([] { return std::make_unique<std::string>(user.get()); });
        std::unique_ptr<std::string> got = std::move(name).await();
        CHECK(*got == "ada");

        auto nothing = weft::spawn([] { weft_yield(); });
        nothing.await();

        weft::task<int> moved = pool.spawn([] { return 1; });
        moved = pool.spawn([&pool] {
                user.set("grace"); /* in the task's own frame */
                return pool.spawn([] { return user.get() == "grace" ? 2 : 0; }).await();
        });
        CHECK(moved.await() == 2 && user.get() == "ada");
}

static void check_exceptions(weft::pool &pool)
{
        auto fails = pool.spawn([]() -> int { throw std::runtime_error("in " + user.get()); });
        for (int i = 0; i < 2; i++) {
                std::string what;
                try {
                        fails.await();
                } catch (const std::runtime_error &e) {
                        what = e.what();
                }
                CHECK(what == "in nobody");
        }
        CHECK(weft_await(fails.native(), WEFT_FOREVER) == -EIO);

        auto slow = pool.spawn([] { weft::detail::check(weft_sleep_until(WEFT_FOREVER)); });
        CHECK(error_of([&] { slow.await(weft_now() + 1000); }) == ETIMEDOUT && !slow.done());
        CHECK(slow.cancel());
        CHECK(error_of([&] { slow.await(); }) == ECANCELED && slow.done());
        CHECK(!slow.cancel());
}

/* C10: captures of tasks that ran, that threw, and that never began. */
static void check_captures()
{
        weft_pool_options o = {};
        o.workers = 1;
        ended_as_ada = 0;
        {
                weft::pool one(o);
                weft_event held, begun;
                weft_event_init(&held);
                weft_event_init(&begun);
                auto holder = one.spawn([&] {
                        weft_event_set(&begun);
                        while (weft_event_wait(&held, 0) < 0)
                                std::this_thread::yield(); /* the only worker */
                });
                weft_event_wait(&begun, WEFT_FOREVER);
                std::vector<weft::task<int>> tasks;
                {
                        weft::scope bound(user, "ada");
                        for (int i = 0; i < 20; i++)
                                tasks.push_back(one.spawn([i, c = counted()] {
                                        if (i % 4 == 1)
                                                throw std::runtime_error("odd");
                                        return i;
                                }));
                        one.submit([c = counted()] {});
                }
                CHECK(alive == 21);
                for (int i = 0; i < 20; i += 2)
                        CHECK(tasks[i].cancel());
                CHECK(alive == 11 && ended_as_ada == 10);
                CHECK(error_of([&] { tasks[0].await(); }) == ECANCELED);
                weft_event_set(&held);
                int caught = 0;
                for (int i = 1; i < 20; i += 2) {
                        try {
                                CHECK(tasks[i].await() == i);
                        } catch (const std::runtime_error &) {
                                caught++;
                        }
                }
                CHECK(caught == 5);
                holder.await();
        }
        CHECK(alive == 0 && ended_as_ada == 21);

        /* What a spawn that fails has taken is gone when it has thrown. */
        weft::pool closed(o);
        closed.shutdown(WEFT_DRAIN);
        CHECK(error_of([&] { (void)closed.spawn([c = counted()] {}); }) == ESHUTDOWN);
        CHECK(error_of([&] { closed.submit([c = counted()] {}); }) == ESHUTDOWN);
        weft::group group(closed);
        CHECK(error_of([&] { group.spawn([c = counted()] {}); }) == ESHUTDOWN);
        CHECK(alive == 0);
}

/* ---- groups ---- */

static void check_groups(weft::pool &pool)
{
        std::atomic<int> sum{0};
        {
                weft::group all(pool);
                for (int i = 0; i < 10; i++)
                        all.spawn([i, &sum, c = counted()] { sum += i; });
                CHECK(all.wait() == 0 && sum == 45 && alive == 0);
        }
        {
                weft::group fails(pool);
                for (int i = 0; i < 4; i++)
                        fails.spawn([c = counted()] {
                                weft::detail::check(weft_sleep_until(WEFT_FOREVER));
                        });
                fails.spawn([c = counted()] { throw std::out_of_range("first"); });
                bool caught = false;
                try {
                        fails.wait();
                } catch (const std::out_of_range &) {
                        caught = true; /* and not what its end made the others throw */
                }
                CHECK(caught && alive == 0);
                CHECK(error_of([&] { fails.spawn([] {}); }) == ECANCELED);
        }
        {
                weft::group first(pool, WEFT_FIRST_SUCCESS);
                first.spawn([] { throw std::runtime_error("does not count"); });
                first.spawn([] { return 5; });
                CHECK(first.wait() == 5);
        }
        {
                weft::group by_code(pool);
                by_code.spawn([] { return -ENOENT; });
                CHECK(error_of([&] { by_code.wait(); }) == ENOENT);
        }
        /* An exception that passes cancels the group; else this would not end. */
        bool caught = false;
        try {
                weft::group left(pool);
                left.spawn([] { weft::detail::check(weft_sleep_until(WEFT_FOREVER)); });
                throw std::runtime_error("passing");
        } catch (const std::runtime_error &) {
                caught = true;
        }
        CHECK(caught);
}

int main()
{
        static_assert(std::is_nothrow_move_constructible_v<weft::task<std::string>>);
        static_assert(std::is_nothrow_move_assignable_v<weft::task<std::string>>);
        static_assert(std::is_nothrow_move_constructible_v<weft::context>);
        static_assert(std::is_nothrow_move_assignable_v<weft::context>);
        static_assert(!std::is_copy_constructible_v<weft::task<int>>);
        static_assert(!std::is_copy_constructible_v<weft::scope>);

        check_vars();
        check_sharing();
        check_threads();
        for (unsigned flags : {0u, static_cast<unsigned>(WEFT_MIGRATE)}) {
                weft_pool_options o = {};
                o.workers = 3;
                o.flags = flags;
                weft::pool pool(o);
                for (int round = 0; round < 20; round++) {
                        check_results(pool);
                        check_exceptions(pool);
                        check_groups(pool);
                }
        }
        check_captures();
        CHECK(user.get() == "nobody" && alive == 0);
        return 0;
}

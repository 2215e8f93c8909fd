/* SPDX-License-Identifier: MIT
 *
 * The C++ standard library's executors: std::thread and std::async whose functions run in the
 * context of whoever started them, and a wrapper for any other. C++17.
 *
 *   WEFT_WITH (&user, ada) {
 *           auto length = weft::adapt::async(std::launch::async, [] { return measure(); });
 *           std::thread t = weft::adapt::thread(serve, connection);
 *           executor.post(weft::adapt::inherit([=] { reply(); }));
 *   }
 *
 * The function runs in a frame of its own, which starts from the context that was current when it
 * was wrapped (C1); each call of it in a new one, and what one sets no other sees (C2, C6).
 * Exceptions and results pass, results by reference too.
 *
 * Ownership: each wrapper holds a reference to the context, and so does each copy of it; what it
 * was moved from holds none, and is not to be called. It goes with the wrapper, called or not: that
 * of a deferred std::async that nobody waited for with its future. The function itself and
 * its captures are destroyed by the wrapper, in whatever context is current there.
 *
 * Threads: a wrapper may be called on many threads at once if its function may. Errors: those of
 * the standard library (std::system_error, std::bad_alloc), thrown also for a context that cannot
 * cross (weft_context_cross()); nothing is held after one.
 */
#ifndef WEFT_ADAPT_STD_HPP
#define WEFT_ADAPT_STD_HPP

#include <functional>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>

#include <weft/context.h>

namespace weft
{
namespace adapt
{

/* Private. */
namespace detail
{

/* A reference to a context, given back at the end. */
class reference
{
      public:
        explicit reference(unsigned border) : context(nullptr)
        {
                int r = weft_context_cross(border, &context);
                if (r == -ENOMEM)
                        throw std::bad_alloc();
                if (r < 0)
                        throw std::system_error(-r, std::generic_category(), weft_strerror(r));
        }
        reference(const reference &other) : context(weft_context_ref(other.context))
        {
        }
        reference(reference &&other) noexcept : context(std::exchange(other.context, nullptr))
        {
        }
        reference &operator=(reference other) noexcept
        {
                std::swap(context, other.context);
                return *this;
        }
        ~reference()
        {
                weft_context_unref(context);
        }

        weft_context *context;
};

template <class Body> int run(void *body)
{
        (*static_cast<Body *>(body))();
        return 0;
}

template <class Body> void within(weft_context *context, Body body)
{
        weft_context_run(context, run<Body>, &body, nullptr);
}

/* What call() gives, called in a frame that starts from the context. */
template <class Call> decltype(auto) enter(weft_context *context, Call &&call)
{
        using result = decltype(call());
        if constexpr (std::is_void_v<result>) {
                within(context, [&] { call(); });
        } else if constexpr (std::is_reference_v<result>) {
                std::remove_reference_t<result> *at = nullptr;
                within(context, [&] {
                        auto &&got = call();
                        at = std::addressof(got);
                });
                return static_cast<result>(*at);
        } else {
                std::optional<std::remove_cv_t<result>> got;
                within(context, [&] { got.emplace(call()); });
                return static_cast<result>(*std::move(got));
        }
}

} // namespace detail

/* A function with a context; made by inherit(). Copied and moved as the function may be. */
template <class Function> class inherited
{
      public:
        inherited(unsigned border, Function f) : held(border), function(std::move(f))
        {
        }

        template <class... Args>
        auto operator()(Args &&...args) -> std::invoke_result_t<Function &, Args...>
        {
                return detail::enter(held.context, [&]() -> decltype(auto) {
                        return std::invoke(function, std::forward<Args>(args)...);
                });
        }
        template <class... Args>
        auto operator()(Args &&...args) const -> std::invoke_result_t<const Function &, Args...>
        {
                return detail::enter(held.context, [&]() -> decltype(auto) {
                        return std::invoke(function, std::forward<Args>(args)...);
                });
        }

      private:
        detail::reference held;
        Function function;
};

/* weft::adapt::inherit - f with the current context, for any executor. Since 0.1. */
template <class Function> inherited<std::decay_t<Function>> inherit(Function &&f)
{
        return inherited<std::decay_t<Function>>(WEFT_BORDER_FOREIGN, std::forward<Function>(f));
}

/* weft::adapt::thread - std::thread(f, args...), in the current context. Since 0.1. */
template <class Function, class... Args> std::thread thread(Function &&f, Args &&...args)
{
        return std::thread(
            inherited<std::decay_t<Function>>(WEFT_BORDER_THREAD, std::forward<Function>(f)),
            std::forward<Args>(args)...);
}

/* weft::adapt::async - std::async(policy, f, args...), in the current context; if it is deferred,
 * on the thread that waits for it first, and in the current context of this call all the same.
 * Since 0.1. */
template <class Function, class... Args>
auto async(std::launch policy, Function &&f, Args &&...args)
{
        return std::async(policy, inherit(std::forward<Function>(f)), std::forward<Args>(args)...);
}

} // namespace adapt
} // namespace weft

#endif

/* SPDX-License-Identifier: MIT
 *
 * weft for C++17: typed vars, scopes, and lambdas as tasks. Header-only, on top of weft.h, which it
 * includes: all of that may be used beside it, WEFT_DEADLINE and WEFT_SHIELD blocks included.
 *
 *   static weft::var<std::string> user{"user", "nobody"};
 *
 *   weft::pool pool;
 *   weft::scope bound(user, "ada");
 *   auto length = pool.spawn([order = std::move(order)] {
 *           return user.get().size() + order.size();   // in the context of the spawn
 *   });
 *   std::size_t n = length.await();                     // or throws what the lambda threw
 *
 * Errors: what returns -errno in C throws weft::error here.
 *
 * Callables are moved in, and may be move-only. A callable and what it has captured is destroyed
 * exactly once, in the task's own context: when it has returned or thrown, or instead of being run
 * if the task is cancelled before it starts (C10). If the spawn fails it is destroyed by then.
 *
 * Exceptions: what is thrown in a callable is carried to await() or wait(), on whatever thread. For
 * C, such a task's result is -EIO, which the library itself never returns. With submit() there is
 * nobody to carry it to: an exception ends the process, as out of a std::thread.
 *
 * Threads, waiting and happens-before are as in the headers of the C functions. In a pool with
 * WEFT_MIGRATE an exception may be caught on another thread than that where it was thrown. Any
 * number of copies of this header may be in a process; the library is one.
 */
#ifndef WEFT_WEFT_HPP
#define WEFT_WEFT_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <weft/weft.h>

namespace weft
{

/* What a function of the library returned: code().value() is the errno, above 0, of the generic
 * category (so it compares with std::errc); what() begins with weft_strerror(). Since 0.1. */
class error : public std::system_error
{
      public:
        explicit error(int result)
            : std::system_error(-result, std::generic_category(), weft_strerror(result))
        {
        }
};

/* Private. */
namespace detail
{

inline int check(int result)
{
        if (result < 0)
                throw error(result);
        return result;
}

/* A value that is bound by its address: one for each set, shared by all contexts that bind it. */
template <class T> struct box {
        std::atomic<std::size_t> refs{1};
        T value;

        template <class... A> explicit box(A &&...a) : value(std::forward<A>(a)...)
        {
        }
        static void retain(void *b)
        {
                /* relaxed: whoever retains has a reference */
                static_cast<box *>(b)->refs.fetch_add(1, std::memory_order_relaxed);
        }
        static void release(void *b)
        {
                if (static_cast<box *>(b)->refs.fetch_sub(1, std::memory_order_acq_rel) == 1)
                        delete static_cast<box *>(b);
        }
};

/* Whether a value is bound as it is, in the pointer. */
template <class T>
inline constexpr bool in_pointer =
    std::is_trivially_copyable_v<T> &&
    sizeof(T) <= sizeof(void *) && std::is_default_constructible_v<T>;

template <class T> struct itself {
        using type = T;
};

/* A callable, run or dropped once. What it leaves is in `left`; the task has a reference to it all,
 * and so has the handle. */
template <class R> struct outcome {
        std::optional<R> value;
        template <class F> void take(F &f)
        {
                value.emplace(f());
        }
};

template <> struct outcome<void> {
        template <class F> void take(F &f)
        {
                f();
        }
};

template <class R> struct left : outcome<R> {
        std::atomic<int> refs{1};
        std::exception_ptr thrown;

        virtual ~left() = default;
        void drop()
        {
                if (refs.fetch_sub(1, std::memory_order_acq_rel) == 1)
                        delete this;
        }
};

template <class R, class F> struct spawned final : left<R> {
        std::optional<F> callable;

        template <class G> explicit spawned(G &&g) : callable(std::forward<G>(g))
        {
        }
        static int run(void *args)
        {
                spawned *self = *static_cast<spawned **>(args);
                try {
                        self->take(*self->callable);
                        return 0;
                } catch (...) {
                        self->thrown = std::current_exception();
                        return -EIO;
                }
        }
        static void end(void *args)
        {
                spawned *self = *static_cast<spawned **>(args);
                self->callable.reset();
                self->drop();
        }
};

/* The exception of a group: that of the task which threw first. It is read when all have ended. */
struct first_thrown {
        std::atomic<bool> taken{false};
        std::exception_ptr exception;
};

template <class F> struct submitted {
        F callable;
        first_thrown *first; /* NULL: nobody waits */

        static int run(void *args)
        {
                submitted *self = *static_cast<submitted **>(args);
                if (!self->first)
                        return self->call_alone();
                try {
                        return call(self->callable);
                } catch (...) {
                        if (!self->first->taken.exchange(true, std::memory_order_acq_rel))
                                self->first->exception = std::current_exception();
                        return -EIO;
                }
        }
        static void end(void *args)
        {
                delete *static_cast<submitted **>(args);
        }
        int call_alone() noexcept
        {
                return call(callable);
        }
        static int call(F &f)
        {
                if constexpr (std::is_void_v<std::invoke_result_t<F &>>) {
                        f();
                        return 0;
                } else {
                        return f();
                }
        }
};

template <class F> constexpr bool returns_void_or_int()
{
        using R = std::invoke_result_t<std::decay_t<F> &>;
        return std::is_void_v<R> || std::is_same_v<R, int>;
}

} // namespace detail

/* ---- vars --------------------------------------------------------------------------------------
 *
 * A context variable of type T, usually static. Each set makes a copy of its own, or takes the
 * value that is moved in; contexts share it, and it is destroyed when the last one that binds it
 * goes (C7), so T's destructor may run on any thread. A T that is as small as a pointer and
 * trivially copyable (a number, an enum, a pointer) needs no memory of its own. To share an object
 * that changes, let T be a pointer or a std::shared_ptr. T's destructor must not throw.
 *
 * Neither copied nor moved. Its end is weft_var_fini(): no use of the var may race with it, so do
 * not let tasks that use a static var outlive main(). */
template <class T> class var
{
        static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a var holds a value");
        using box = detail::box<T>;

      public:
        using value_type = T;

        /* What get() gives: a small value itself, of another a reference that is good for as long
         * as the current frame binds the value; copy it to keep it. */
        using reference = std::conditional_t<detail::in_pointer<T>, T, const T &>;

        /* The fallback is what get() gives while the var is not set. The name is borrowed. */
        explicit var(const char *name) : var(name, T())
        {
        }
        var(const char *name, T fallback) : fallback_(std::move(fallback))
        {
                native_.name = name;
                native_.fallback = detail::in_pointer<T> ? pack(fallback_.value) : &fallback_;
                native_.retain = detail::in_pointer<T> ? nullptr : box::retain;
                native_.release = detail::in_pointer<T> ? nullptr : box::release;
        }
        ~var()
        {
                weft_var_fini(&native_);
        }
        var(const var &) = delete;
        var &operator=(const var &) = delete;

        /* As weft_get(). Never fails; async-signal-safe if copying a small T is. Since 0.1. */
        reference get() const noexcept
        {
                return unpack(weft_get(&native_));
        }

        /* Whether it is set here; the fallback does not count. Since 0.1. */
        bool is_set() const noexcept
        {
                void *value;
                return weft_lookup(&native_, &value) == 0;
        }

        /* As weft_set() without a token: bind it in the current frame from here on. Throws error,
         * std::bad_alloc, or what T's constructor throws; then nothing has changed. Since 0.1. */
        void set(T value)
        {
                bind(std::move(value), nullptr);
        }

        /* The var for the functions of context.h. Its values are private, unless T is small, when
         * they are the value's bytes. */
        weft_var *native() noexcept
        {
                return &native_;
        }
        const weft_var *native() const noexcept
        {
                return &native_;
        }

      private:
        friend class scope;
        friend class context;

        /* Make what is bound of a value, give it to `use`, and keep no reference. */
        template <class U> void with_pointer(T &&value, U use)
        {
                if constexpr (detail::in_pointer<T>) {
                        use(pack(value));
                } else {
                        struct drop {
                                void operator()(box *b) const
                                {
                                        box::release(b);
                                }
                        };
                        std::unique_ptr<box, drop> b(new box(std::move(value)));
                        use(b.get());
                }
        }
        void bind(T &&value, weft_token *token)
        {
                with_pointer(std::move(value), [&](void *pointer) {
                        detail::check(weft_set(&native_, pointer, token));
                });
        }
        static void *pack(const T &value) noexcept
        {
                void *pointer = nullptr;
                if constexpr (detail::in_pointer<T>)
                        std::memcpy(&pointer, &value, sizeof(T));
                return pointer;
        }
        static reference unpack(void *pointer) noexcept
        {
                if constexpr (detail::in_pointer<T>) {
                        T value;
                        std::memcpy(static_cast<void *>(&value), &pointer, sizeof(T));
                        return value;
                } else {
                        return static_cast<box *>(pointer)->value;
                }
        }

        box fallback_;
        weft_var native_ = {nullptr};
};

/* Binds a var for as long as it lives: weft::scope bound(user, "ada"). Scopes end in the opposite
 * order in which they were made, in the same frame, as those in blocks do. At the end it is as at
 * the end of a WEFT_WITH block, where there is no memory for the undo as well. Throws what
 * var::set() throws. Since 0.1. */
class [[nodiscard]] scope
{
      public:
        template <class T>
        scope(var<T> &v, typename detail::itself<T>::type value) : var_(v.native())
        {
                v.bind(std::move(value), &token_);
        }
        ~scope()
        {
                if (weft_reset(var_, &token_) < 0)
                        weft_token_drop(&token_);
        }
        scope(const scope &) = delete;
        scope &operator=(const scope &) = delete;

      private:
        weft_var *var_;
        weft_token token_ = {};
};

/* ---- contexts ----------------------------------------------------------------------------------
 *
 * A reference to an immutable context; by default to the empty one. Copies share it. */
class context
{
      public:
        context() noexcept = default;
        /* Takes over a reference. */
        explicit context(weft_context *native) noexcept : native_(native)
        {
        }
        context(const context &other) noexcept : native_(weft_context_ref(other.native_))
        {
        }
        context(context &&other) noexcept : native_(std::exchange(other.native_, nullptr))
        {
        }
        context &operator=(context other) noexcept
        {
                std::swap(native_, other.native_);
                return *this;
        }
        ~context()
        {
                weft_context_unref(native_);
        }

        /* As weft_context_cross(). Since 0.1. */
        static context cross(unsigned border)
        {
                weft_context *across = nullptr;
                detail::check(weft_context_cross(border, &across));
                return context(across);
        }
        /* As weft_context_capture(). Since 0.1. */
        static context capture() noexcept
        {
                return context(weft_context_capture());
        }

        /* Call f() in a new frame that starts from this context; what it returns, and throws. What
         * it sets is gone when it returns. Since 0.1. */
        template <class F> std::invoke_result_t<F &> run(F &&f) const
        {
                using R = std::invoke_result_t<F &>;
                static_assert(!std::is_reference_v<R>, "f returns a value");
                struct call {
                        std::remove_reference_t<F> &f;
                        detail::outcome<R> left;
                } call{f, {}};
                weft_fn *fn = [](void *arg) {
                        struct call *c = static_cast<struct call *>(arg);
                        c->left.take(c->f);
                        return 0;
                };
                detail::check(weft_context_run(native_, fn, &call, nullptr));
                if constexpr (!std::is_void_v<R>)
                        return std::move(*call.left.value);
        }

        /* A context like this one, with the var bound. Throws what var::set() throws. Since 0.1. */
        template <class T> context with(var<T> &v, typename detail::itself<T>::type value) const
        {
                weft_context *next = nullptr;
                v.with_pointer(std::move(value), [&](void *pointer) {
                        detail::check(weft_context_with(native_, v.native(), pointer, &next));
                });
                return context(next);
        }

        weft_context *native() const noexcept
        {
                return native_;
        }

      private:
        weft_context *native_ = nullptr;
};

/* f with the current context, for anybody's executor: std::thread(weft::bind(f)). Each call is in a
 * new frame that starts from that context. Moves f in. Since 0.1. */
template <class F> auto bind(F &&f)
{
        return [here = context::cross(WEFT_BORDER_FOREIGN), f = std::forward<F>(f)]() mutable {
                return here.run(f);
        };
}

/* ---- tasks -------------------------------------------------------------------------------------
 *
 * A handle to a task that gives an R, which may be void; moved, not copied. Without it the task
 * goes on all the same: its end waits for nobody, and drops what the task returned or threw. One
 * that is empty, or was moved from, is only to be assigned to or destroyed. */
template <class R> class [[nodiscard]] task
{
      public:
        task() noexcept = default;
        task(task &&other) noexcept
            : native_(std::exchange(other.native_, nullptr)),
              left_(std::exchange(other.left_, nullptr))
        {
        }
        task &operator=(task other) noexcept
        {
                std::swap(native_, other.native_);
                std::swap(left_, other.left_);
                return *this;
        }
        ~task()
        {
                weft_task_unref(native_);
                if (left_)
                        left_->drop();
        }

        /* Wait until it ends. Gives what the callable returned: a reference into the handle, which
         * may be asked for as often as wanted, or of a handle that is going, the value. Throws what
         * the callable threw; error with ECANCELED or ETIMEDOUT if it was cancelled, or its
         * deadline passed, before it started; or error if the wait itself was ended, as by
         * weft_await(). Parks or blocks. Since 0.1. */
        std::add_lvalue_reference_t<R> await(int64_t deadline = WEFT_FOREVER) &
        {
                wait(deadline);
                if constexpr (!std::is_void_v<R>)
                        return *left_->value;
        }
        R await(int64_t deadline = WEFT_FOREVER) &&
        {
                wait(deadline);
                if constexpr (!std::is_void_v<R>)
                        return std::move(*left_->value);
        }

        /* As weft_task_cancel(); false: it had ended. Since 0.1. */
        bool cancel() noexcept
        {
                return weft_task_cancel(native_) == 0;
        }

        /* Whether it has ended. Never blocks. Since 0.1. */
        bool done() const noexcept
        {
                int result;
                return weft_task_result(native_, &result) == 0;
        }

        weft_task *native() const noexcept
        {
                return native_;
        }

      private:
        template <class F> friend auto spawn(weft_pool *pool, F &&f);

        void wait(int64_t deadline)
        {
                int result, r = weft_await(native_, deadline);
                if (weft_task_result(native_, &result) < 0)
                        throw error(r); /* it is the wait that has ended */
                if (left_->thrown)
                        std::rethrow_exception(left_->thrown);
                detail::check(result);
        }

        weft_task *native_ = nullptr;
        detail::left<R> *left_ = nullptr;
};

/* Run f() as a task, in the caller's context; NULL: the pool of pool.h. A task<R>, of what f
 * returns, by value. Throws error, as weft_spawn_closure() returns them, or std::bad_alloc.
 * Never blocks or parks but as that does. Since 0.1. */
template <class F> auto spawn(weft_pool *pool, F &&f)
{
        using callable = std::decay_t<F>;
        using R = std::invoke_result_t<callable &>;
        static_assert(!std::is_reference_v<R>, "a task gives a value");
        using spawned = detail::spawned<R, callable>;
        task<R> t;
        spawned *s = new spawned(std::forward<F>(f));
        t.left_ = s;
        s->refs.store(2, std::memory_order_relaxed); /* relaxed: nobody else has it yet */
        int r = weft_spawn_closure(pool, &t.native_, spawned::run, &s, sizeof(s), spawned::end);
        if (r < 0) {
                s->drop();
                throw error(r);
        }
        return t;
}

template <class F> auto spawn(F &&f)
{
        return spawn(static_cast<weft_pool *>(nullptr), std::forward<F>(f));
}

/* Run f() as a task, fire and forget. f returns void, or int, which is dropped; it must not throw.
 * Errors as spawn(). Since 0.1. */
template <class F> void submit(weft_pool *pool, F &&f)
{
        static_assert(detail::returns_void_or_int<F>(), "f returns void or int");
        using submitted = detail::submitted<std::decay_t<F>>;
        std::unique_ptr<submitted> s(new submitted{std::forward<F>(f), nullptr});
        submitted *args = s.get();
        detail::check(
            weft_submit_closure(pool, submitted::run, &args, sizeof(args), submitted::end));
        s.release();
}

template <class F> void submit(F &&f)
{
        submit(static_cast<weft_pool *>(nullptr), std::forward<F>(f));
}

/* ---- pools -------------------------------------------------------------------------------------
 *
 * A pool of one's own; its end is weft_pool_destroy(), which drains it. */
class pool
{
      public:
        /* Throws error as weft_pool_create() returns them. Since 0.1. */
        pool()
        {
                detail::check(weft_pool_create(&native_, nullptr));
        }
        explicit pool(weft_pool_options options)
        {
                options.size = sizeof(options);
                detail::check(weft_pool_create(&native_, &options));
        }
        ~pool()
        {
                weft_pool_destroy(native_);
        }
        pool(const pool &) = delete;
        pool &operator=(const pool &) = delete;

        template <class F> auto spawn(F &&f)
        {
                return weft::spawn(native_, std::forward<F>(f));
        }
        template <class F> void submit(F &&f)
        {
                weft::submit(native_, std::forward<F>(f));
        }

        /* As weft_pool_shutdown(), whose errors it throws. Since 0.1. */
        void shutdown(weft_shutdown how, int64_t deadline = WEFT_FOREVER)
        {
                detail::check(weft_pool_shutdown(native_, how, deadline));
        }

        weft_pool *native() const noexcept
        {
                return native_;
        }

      private:
        weft_pool *native_ = nullptr;
};

/* ---- groups ------------------------------------------------------------------------------------
 *
 * Tasks that end together, as in group.h: the first that throws, or returns a negative int, cancels
 * the others. Its end waits for the tasks that are left, whatever it takes; if an exception is on
 * its way through it, they are cancelled first. */
class group
{
      public:
        explicit group(weft_pool *pool = nullptr, weft_group_until until = WEFT_ALL_DONE)
            : exceptions_(std::uncaught_exceptions())
        {
                detail::check(weft_group_init_until(&native_, pool, until));
        }
        explicit group(const pool &pool, weft_group_until until = WEFT_ALL_DONE)
            : group(pool.native(), until)
        {
        }
        ~group()
        {
                if (std::uncaught_exceptions() > exceptions_)
                        weft_group_cancel(&native_);
                weft_group_fini(&native_);
        }
        group(const group &) = delete;
        group &operator=(const group &) = delete;

        /* Run f() as a task of the group, in the caller's context. f returns void, or int as a
         * weft_fn does. Throws error as weft_group_spawn() returns them, or std::bad_alloc. Since
         * 0.1. */
        template <class F> void spawn(F &&f)
        {
                static_assert(detail::returns_void_or_int<F>(), "f returns void or int");
                using submitted = detail::submitted<std::decay_t<F>>;
                std::unique_ptr<submitted> s(new submitted{std::forward<F>(f), &first_});
                submitted *args = s.get();
                detail::check(weft_group_spawn_closure(&native_, submitted::run, &args,
                                                       sizeof(args), submitted::end));
                s.release();
        }

        /* Wait until no task is left; the result that has decided, as weft_group_wait(). Throws the
         * first exception if a task's has decided, else error. Parks or blocks. Since 0.1. */
        int wait(int64_t deadline = WEFT_FOREVER)
        {
                int r = weft_group_wait(&native_, deadline);
                if (r == -EIO && first_.exception)
                        std::rethrow_exception(first_.exception);
                return detail::check(r);
        }

        /* As weft_group_cancel(). Since 0.1. */
        void cancel() noexcept
        {
                weft_group_cancel(&native_);
        }

        weft_group *native() noexcept
        {
                return &native_;
        }

      private:
        weft_group native_;
        detail::first_thrown first_;
        int exceptions_;
};

} // namespace weft

#endif

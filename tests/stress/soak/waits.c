/* SPDX-License-Identifier: MIT
 *
 * Soak: what an actor may wait for, what must hold after each wait, and what must be left of it all
 * at the end of a round.
 */
#include "soak.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/* Constant for a compiler, which would keep it over a wait. */
__attribute__((noinline)) int *errno_now(void)
{
        __asm__ volatile("");
        return &errno;
}

/* ---- what holds after each wait ---- */

int64_t soon(struct actor *a)
{
        if (rng_chance(&a->rng, 6))
                return 0;
        return weft_now() + rng_below(&a->rng, 2000) * US;
}

void begin_wait(struct actor *a, const char *doing)
{
        a->doing = doing;
        *errno_now() = KEPT_ERRNO;
}

/* A wait has returned r, which is an error of the wait if it is negative. */
void end_wait(struct actor *a, int r, int64_t deadline)
{
        const char *doing = a->doing;
        CHECK(*errno_now() == KEPT_ERRNO, "errno is %d after %s", *errno_now(), doing);
        CHECK(weft_get(&who) == a, "the context of another one after %s", doing);
        a->doing = "nothing";
        if (r >= 0)
                return;
        if (r == -ECANCELED) {
                CHECK(a->is_task, "a thread is cancelled in %s", doing);
                CHECK(!a->shields, "%s is cancelled in a shield", doing);
                CHECK(weft_cancelled() == -ECANCELED, "%s is cancelled, the task is not", doing);
        } else if (r == -ETIMEDOUT) {
                int64_t other = a->shields ? WEFT_FOREVER : weft_deadline();
                int64_t now = weft_now();
                CHECK(now >= deadline || now >= other, "%s ends %" PRId64 " ns too early", doing,
                      (deadline < other ? deadline : other) - now);
        } else {
                CHECK(false, "%s gives %s", doing, weft_err_name(r));
        }
}

/* ---- operations ---- */

void lock_and_wait(struct actor *a)
{
        unsigned i = rng_below(&a->rng, MUTEXES);
        int64_t deadline = soon(a);
        begin_wait(a, "mutex");
        int r = weft_mutex_lock(&world.mutex[i].lock, deadline);
        end_wait(a, r, deadline);
        if (r < 0)
                return;
        int value = ++world.mutex[i].value;
        CHECK(world.mutex[i].holders++ == 0, "a mutex has two holders");
        if (rng_chance(&a->rng, 3)) { /* across a wait */
                deadline = weft_now() + rng_below(&a->rng, 100) * US;
                begin_wait(a, "sleep under a mutex");
                end_wait(a, weft_sleep_until(deadline), deadline);
        }
        CHECK(world.mutex[i].value == value, "somebody else was in a mutex");
        CHECK(world.mutex[i].holders-- == 1, "a mutex has two holders");
        CHECK(weft_mutex_unlock(&world.mutex[i].lock) == 0, "unlock");
}

void take_unit(struct actor *a)
{
        unsigned i = rng_below(&a->rng, SEMAPHORES);
        int64_t deadline = soon(a);
        begin_wait(a, "semaphore");
        int r = weft_semaphore_wait(&world.semaphore[i].units, deadline);
        end_wait(a, r, deadline);
        if (r < 0)
                return;
        int holders = atomic_fetch_add(&world.semaphore[i].holders, 1);
        CHECK(holders < UNITS, "%d have %d units", holders + 1, UNITS);
        begin_wait(a, "yield with a unit");
        end_wait(a, weft_yield(), 0);
        atomic_fetch_sub(&world.semaphore[i].holders, 1);
        CHECK(weft_semaphore_post(&world.semaphore[i].units) == 0, "post");
}

void wait_event(struct actor *a)
{
        int64_t deadline = soon(a);
        if (rng_chance(&a->rng, 3)) {
                CHECK(weft_event_set(&world.event) == 0, "set");
                CHECK(weft_event_reset(&world.event) == 0, "reset");
                return;
        }
        begin_wait(a, "event");
        end_wait(a, weft_event_wait(&world.event, deadline), deadline);
}

void send_item(struct actor *a)
{
        unsigned i = rng_below(&a->rng, CHANNELS);
        unsigned long item = rng_below(&a->rng, 1000);
        int64_t deadline = soon(a);
        begin_wait(a, "send");
        int r = weft_channel_send(world.channel[i].items, &item, deadline);
        end_wait(a, r, deadline);
        if (r == 0)
                atomic_fetch_add(&world.channel[i].sent, item);
}

void receive_item(struct actor *a)
{
        unsigned i = rng_below(&a->rng, CHANNELS);
        unsigned long item = 0;
        int64_t deadline = soon(a);
        begin_wait(a, "receive");
        int r = weft_channel_receive(world.channel[i].items, &item, deadline);
        end_wait(a, r, deadline);
        CHECK(r == 0 || item == 0, "an item came with an error");
        atomic_fetch_add(&world.channel[i].received, item);
}

void sleep_a_little(struct actor *a)
{
        int64_t deadline = soon(a);
        begin_wait(a, "sleep");
        int r = weft_sleep_until(deadline);
        end_wait(a, r, WEFT_FOREVER);
        CHECK(r < 0 || weft_now() >= deadline, "a sleep was too short");
}

void let_others(struct actor *a)
{
        begin_wait(a, "yield");
        end_wait(a, weft_yield(), WEFT_FOREVER);
}

void use_socket(struct actor *a)
{
        unsigned i = rng_below(&a->rng, SOCKETS);
        char byte = 1;
        if (rng_chance(&a->rng, 2)) {
                if (write(world.socket[i].end[0], &byte, 1) == 1)
                        atomic_fetch_add(&world.socket[i].written, 1);
                return;
        }
        int64_t deadline = soon(a);
        begin_wait(a, "wait_fd");
        int r = weft_wait_fd(world.socket[i].end[1], POLLIN, deadline);
        end_wait(a, r, deadline);
        CHECK(r < 0 || r == POLLIN, "wait_fd: %d", r);
        if (r > 0 && read(world.socket[i].end[1], &byte, 1) == 1)
                atomic_fetch_add(&world.socket[i].read, 1);
}

/* A descriptor of its own that a task closes while it is waited for, or just before: then it may
 * be another one's by now, and anything may come of it. (Which ThreadSanitizer finds.) */
static int close_soon(void *fd)
{
        usleep(50);
        return weft_close((int)(intptr_t)fd);
}

void close_socket(struct actor *a)
{
        if (STRESS_TSAN)
                return;
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        weft_task *closer = NULL;
        CHECK(fd >= 0, "eventfd");
        int r = weft_spawn_at(weft_pool_default(), &closer, 0, 0, close_soon, (void *)(intptr_t)fd);
        CHECK(r == 0, "spawn: %d", r);
        atomic_fetch_add(&balance.accepted, 1);
        atomic_fetch_add(&balance.begun, 1);
        /* Outside the workers the wait is in poll(2), which no close ends. */
        int64_t deadline = weft_now() + 5 * MS;
        begin_wait(a, "a descriptor that is closed");
        r = weft_wait_fd(fd, POLLIN, deadline);
        end_wait(a, r == -EBADF ? 0 : r, deadline);
        begin_wait(a, "one who closes");
        WEFT_SHIELD {
                r = weft_await(closer, WEFT_FOREVER);
        }
        end_wait(a, 0, 0);
        CHECK(r == 0, "close: %d", r);
        weft_task_unref(closer);
}

/* On a thread outside the pool, though it may be a task that has it called. */
static int block(void *unused)
{
        struct actor *caller = weft_get(&who);
        struct actor a = {.rng = rng_split(&caller->rng),
                          .depth = DEPTH,
                          .shields = caller->shields,
                          .is_task = weft_task_current() != NULL};
        void *value = weft_get(&kept);
        (void)unused;
        actor_begins(&a);
        act(&a, 2);
        actor_ends(&a);
        /* It is the caller's own frame. */
        CHECK(weft_set(&who, caller, NULL) == 0 && weft_set(&kept, value, NULL) == 0, "set");
        return 99;
}

void call_blocking(struct actor *a)
{
        begin_wait(a, "blocking call");
        int r = weft_blocking(block, NULL);
        *errno_now() = KEPT_ERRNO; /* outside it is a plain call */
        end_wait(a, 0, 0);
        CHECK(r == 99, "blocking call: %d", r);
}

/* ---- a round ---- */

void world_make_waits(struct rng *rng)
{
        for (int i = 0; i < SEMAPHORES; i++)
                weft_semaphore_init(&world.semaphore[i].units, UNITS);
        for (int i = 0; i < CHANNELS; i++)
                CHECK(weft_channel_create(&world.channel[i].items, sizeof(unsigned long),
                                          1 + rng_below(rng, 3)) == 0,
                      "channel");
        for (int i = 0; i < SOCKETS; i++)
                CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                                 world.socket[i].end) == 0,
                      "socketpair");
}

static void end_channel(int i)
{
        unsigned long item, left = 0;
        while (weft_channel_receive(world.channel[i].items, &item, 0) == 0)
                left += item;
        unsigned long sent = atomic_load(&world.channel[i].sent);
        unsigned long received = atomic_load(&world.channel[i].received);
        CHECK(sent == received + left, "sent %lu, received %lu, left %lu", sent, received, left);
        weft_channel_destroy(world.channel[i].items);
}

static void end_socket(int i)
{
        char bytes[4096];
        ssize_t n, left = 0;
        while ((n = read(world.socket[i].end[1], bytes, sizeof(bytes))) > 0)
                left += n;
        int gone = atomic_load(&world.socket[i].written) - atomic_load(&world.socket[i].read);
        CHECK(left == gone, "%d bytes should be left, there are %zd", gone, left);
        close(world.socket[i].end[0]);
        CHECK(weft_close(world.socket[i].end[1]) == 0, "close");
}

void world_end_waits(void)
{
        for (int i = 0; i < MUTEXES; i++)
                CHECK(weft_mutex_lock(&world.mutex[i].lock, 0) == 0, "a mutex is held");
        for (int i = 0; i < SEMAPHORES; i++) {
                int units = 0;
                while (weft_semaphore_wait(&world.semaphore[i].units, 0) == 0)
                        units++;
                CHECK(units == UNITS, "%d units of %d are left", units, UNITS);
        }
        for (int i = 0; i < CHANNELS; i++)
                end_channel(i);
        for (int i = 0; i < SOCKETS; i++)
                end_socket(i);
}

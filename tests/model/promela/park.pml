/* SPDX-License-Identifier: MIT
 *
 * Parking (pool/park.c, wait.c) under sequential consistency: a task begins to wait, its worker
 * leaves the fiber and marks it as parked, others wake it meanwhile, and it goes on with its worker,
 * which may sleep by then. Several wake it, one of whom wins; it waits ROUNDS times, goes on once
 * each time, and never while it still runs. Without a shutdown it is looked for that nobody sleeps
 * over a fiber in its inbox; with one (-DSTOP), that the worker comes to its end.
 *
 *   BUG 1  a fiber is marked as parked though it was woken
 *   BUG 2  a waker that sends a fiber home does not wake its worker
 *   BUG 3  who goes to sleep does not look into its inbox
 *   BUG 4  a wake-up before the commit is lost
 *   BUG 5  the worker is told to stop, and not woken
 */
#ifndef WAKERS
#define WAKERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef BUG
#define BUG 0
#endif

mtype = { ARMED, PARKED, DONE };

mtype state = DONE;     /* of the wait */
byte round;             /* the wait that is on, from 1; 0: none yet */
bool inbox;             /* the fiber is in it */
bool asleep;            /* parker */
bool on_fiber;          /* the task, or what is below it, runs */
bool ended, stop;

/* The worker, with the task's fiber. */
proctype worker()
{
        bool sees;
        bool ready = true;
        do
        :: stop -> break
        :: else ->
                if
                :: inbox ->
                        d_step { assert(!ready); inbox = false; ready = true }
                :: else
                fi;
                if
                :: ready ->
                        ready = false;
                        assert(!on_fiber);
                        on_fiber = true;
                        if
                        :: round < ROUNDS ->
                                d_step { state = ARMED; round++ };
                                /* here it may look, and add itself to a list; then it is left */
                                on_fiber = false;
#if BUG == 1
                                state = PARKED
#else
                                atomic {
                                        if
                                        :: state == ARMED -> state = PARKED
                                        :: else -> ready = true /* woken meanwhile */
                                        fi
                                }
#endif
                        :: else -> on_fiber = false; ended = true
                        fi
                :: else ->
                        asleep = true;
#if BUG != 3
                        sees = inbox || stop;
#else
                        sees = stop;
#endif
                        if
                        :: !sees ->
end_sleep:                      !asleep
                        :: else -> asleep = false
                        fi;
                        sees = false
                fi
        od
}

/* Each wakes once in each round. */
proctype waker()
{
        byte mine = 1;
        bool won, parked;
        do
        :: mine <= ROUNDS ->
                round >= mine;
                atomic {
                        parked = state == PARKED;
#if BUG == 4
                        won = round == mine && parked;
#else
                        won = round == mine && (state == ARMED || parked);
#endif
                        if
                        :: won -> state = DONE
                        :: else
                        fi
                };
                if
                :: won && parked ->
                        assert(!inbox);
                        inbox = true;
#if BUG != 2
                        if
                        :: asleep -> asleep = false
                        :: else
                        fi
#endif
                :: else
                fi;
                mine++
        :: else -> break
        od
}

init
{
        byte i;
        atomic {
                run worker();
                do
                :: i < WAKERS -> run waker(); i++
                :: else -> break
                od
        };
#ifdef STOP
        ended;
        stop = true;
#if BUG != 5
        asleep = false;
#endif
        timeout;
        assert(_nr_pr == 1)
#else
        timeout;
        assert(ended)
#endif
}

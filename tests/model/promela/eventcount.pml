/* SPDX-License-Identifier: MIT
 *
 * Sleep and wake (pool/idle.c) under sequential consistency: several producers and workers (three at most),
 * with and without a shutdown at the end.
 *
 * Each producer puts one task into a queue of its own. There are as many tasks as workers at most,
 * and each task runs until all of them do: so each needs a worker of its own, and one that is left
 * in a queue while somebody sleeps is a deadlock. That is looked for without a shutdown, which would
 * wake whoever was forgotten; with one (-DSTOP) it is looked for whether all workers come to an end.
 *
 *   BUG 1  who goes to sleep does not look again
 *   BUG 2  the last searcher that finds something wakes nobody for the rest
 *   BUG 3  one that sees work as it goes to sleep is not counted as a searcher again
 *   BUG 4  the workers are told to stop, and not woken
 *   BUG 5  a woken worker still counts as asleep
 */
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef TASKS
#define TASKS 2
#endif
#ifndef BUG
#define BUG 0
#endif

#define SHOULD_WAKE (sleeping > 0 && searching == 0)

byte sleeping, searching;  /* idle.state: both are read, and changed, at once */
bool queued[TASKS];
byte begun;                /* tasks */
bool listed[WORKERS], searches[WORKERS], asleep[WORKERS];  /* the last: parker */
bool stop;

inline has_tasks(ret)
{
        d_step {
                ret = false;
                q = 0;
                do
                :: q < TASKS -> ret = ret || queued[q]; q++
                :: else -> break
                od;
                q = 0
        }
}

/* One that sleeps, whichever, is taken from the list as a searcher; then it is woken. */
inline wake_one(v)
{
        atomic {
                if
                :: SHOULD_WAKE ->
                        if
                        :: listed[0] -> v = 0
#if WORKERS > 1
                        :: listed[1] -> v = 1
#endif
#if WORKERS > 2
                        :: listed[2] -> v = 2
#endif
                        fi;
#if BUG != 5
                        listed[v] = false;
                        searches[v] = true;
                        sleeping--;
                        searching++
#endif
                :: else -> v = WORKERS
                fi
        };
        if
        :: v < WORKERS -> asleep[v] = false
        :: else
        fi;
        v = 0
}

proctype producer(byte n)
{
        byte v;
        bool wakes;
        queued[n] = true;
        wakes = SHOULD_WAKE;
        if
        :: wakes -> wake_one(v)
        :: else
        fi
}

inline take()
{
        n = 0;
        do
        :: n < TASKS ->
                atomic {
                        if
                        :: queued[n] -> queued[n] = false; got = true
                        :: else -> n++
                        fi
                };
                if
                :: got -> break
                :: else
                fi
        :: else -> n = 0; break
        od
}

inline get_up(as_searcher)
{
        d_step {
                if
                :: listed[self] ->
                        listed[self] = false;
                        sleeping--;
                        if
                        :: as_searcher -> searches[self] = true; searching++
                        :: else
                        fi
                :: else
                fi;
                asleep[self] = false
        }
}

proctype worker(byte self)
{
        byte n, v, q;
        bool got, more, others;
        do
        :: stop -> break
        :: else ->
                take();
                if
                :: !got && !searches[self] ->
                        atomic {
                                if
                                :: 2 * searching < WORKERS -> searching++; searches[self] = true
                                :: else
                                fi
                        }
                :: else
                fi;
                if
                :: !got && searches[self] -> take()
                :: else
                fi;
                if
                :: got ->
                        got = false;
                        n = 0;
                        if
                        :: searches[self] ->
                                atomic {
                                        searches[self] = false;
                                        searching--;
                                        more = SHOULD_WAKE
                                };
#if BUG != 2
                                if
                                :: more -> has_tasks(more)
                                :: else
                                fi;
                                if
                                :: more -> more = false; wake_one(v)
                                :: else
                                fi
#else
                                more = false
#endif
                        :: else
                        fi;
                        begun++;
end_run:                begun == TASKS
                :: else ->
                        asleep[self] = true;
                        atomic {
                                listed[self] = true;
                                sleeping++;
                                if
                                :: searches[self] -> searches[self] = false; searching--
                                :: else
                                fi
                        };
#if BUG != 1
                        more = stop;
                        others = searching > 0;
                        if
                        :: !more && !others -> has_tasks(more)
                        :: else
                        fi;
#endif
                        if
                        :: more ->
                                more = false;
                                others = false;
                                get_up(BUG != 3)
                        :: else ->
                                others = false;
end_sleep:                      !asleep[self];
                                get_up(false)
                        fi
                fi
        od
}

/* When nobody can go on: every task has begun, or a worker that could run it sleeps or waits for
 * it; and with a shutdown every worker has ended. */
init
{
        byte n;
        atomic {
                n = 0;
                do
                :: n < WORKERS -> run worker(n); n++
                :: else -> break
                od;
                n = 0;
                do
                :: n < TASKS -> run producer(n); n++
                :: else -> break
                od;
                n = 0
        };
#ifdef STOP
        begun == TASKS;
        stop = true;
#if BUG != 4
        do
        :: n < WORKERS -> asleep[n] = false; n++
        :: else -> break
        od;
#endif
        timeout;
        assert(_nr_pr == 1)
#else
        timeout;
        assert(begun == TASKS)
#endif
}

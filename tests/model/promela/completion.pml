/* SPDX-License-Identifier: MIT
 *
 * The end of a task (pool/task.c, cancel.c) under sequential consistency: it is claimed once, by the
 * worker that runs it or by one who cancels it; whoever awaits it is woken after its result is
 * there; one that waits for ever while it runs is woken by a cancellation. Two await it and two
 * cancel it, or nobody cancels and what it waits for comes.
 *
 *   BUG 1  who begins to wait looks at the mark of a cancellation before it can be woken
 *   BUG 2  one that awaits does not mark the task
 *   BUG 3  a task is claimed without an exchange
 *   BUG 4  the end is seen before the result
 *   BUG 5  a canceller does not wake one that waits
 */
#ifndef CANCELLERS
#define CANCELLERS 2
#endif
#ifndef AWAITERS
#define AWAITERS 2
#endif
#ifndef BUG
#define BUG 0
#endif

mtype = { QUEUED, RUNNING, ENDED };
mtype = { IDLE, ARMED, DONE, CANCELLED };

mtype phase = QUEUED;
bool attended, cancel;          /* of the same word as phase */
bool locked;
bool listed[AWAITERS], woken[AWAITERS];
bool result;                    /* it is there */
bool fiber;                     /* the task has waited: it can be woken */
mtype waits = IDLE;             /* the state of that wait */
byte runs, unrun, got;

#define LOCK   atomic { !locked -> locked = true }
#define UNLOCK locked = false

inline claim(ret)
{
#if BUG == 3
        ret = phase == QUEUED;
        if
        :: ret -> phase = RUNNING
        :: else
        fi
#else
        atomic {
                ret = phase == QUEUED;
                if
                :: ret -> phase = RUNNING
                :: else
                fi
        }
#endif
}

inline wake(reason)
{
        atomic {
                if
                :: waits == ARMED -> waits = reason
                :: else
                fi
        }
}

/* The result, and the end: by an exchange as long as nobody attends, else under the lock. */
inline tell()
{
#if BUG != 4
        result = true;
#endif
        atomic {
                if
                :: !attended -> phase = ENDED; done = true
                :: else
                fi
        };
        if
        :: done
        :: else ->
                LOCK;
                phase = ENDED;
                i = 0;
                do
                :: i < AWAITERS ->
                        if
                        :: listed[i] -> listed[i] = false; woken[i] = true
                        :: else
                        fi;
                        i++
                :: else -> break
                od;
                i = 0;
                UNLOCK
        fi;
        done = false;
#if BUG == 4
        result = true
#endif
}

/* It waits once for something. */
proctype runner()
{
        bool mine, marked, done;
        byte i;
        claim(mine);
        if
        :: mine ->
                runs++;
                fiber = true;
#if BUG == 1
                marked = cancel;
                waits = ARMED;
#else
                waits = ARMED;
                marked = cancel;
#endif
                if
                :: marked -> wake(CANCELLED)
                :: else
                fi;
                waits != ARMED;
                waits = IDLE;
                tell()
        :: else
        fi
}

proctype canceller()
{
        bool mine, done, ended, can;
        byte i;
        LOCK;
        atomic {
                ended = phase == ENDED;
                mine = phase == QUEUED;
                cancel = true;
                attended = true
        };
        if
        :: mine -> claim(mine)
        :: else
        fi;
        can = !mine && !ended && fiber;
#if BUG != 5
        if
        :: can -> wake(CANCELLED)
        :: else
        fi;
#endif
        UNLOCK;
        if
        :: mine -> unrun++; tell()
        :: else
        fi
}

/* What it waits for. */
proctype event()
{
        fiber && waits == ARMED;
        wake(DONE)
}

proctype awaiter(byte n)
{
        bool ended;
        ended = phase == ENDED;
        if
        :: !ended ->
                LOCK;
                atomic {
                        ended = phase == ENDED;
#if BUG != 2
                        attended = true
#endif
                };
                if
                :: !ended -> listed[n] = true
                :: else
                fi;
                UNLOCK;
                if
                :: !ended -> woken[n]
                :: else
                fi
        :: else
        fi;
        assert(phase == ENDED && result);
        got++
}

init
{
        byte i;
        atomic {
                run runner();
                do
                :: i < AWAITERS -> run awaiter(i); i++
                :: else -> break
                od;
                i = 0;
                do
                :: i < CANCELLERS -> run canceller(); i++
                :: else -> break
                od;
#if CANCELLERS == 0
                run event()
#endif
        };
        timeout;
        assert(_nr_pr == 1);
        assert(runs + unrun == 1 && got == AWAITERS)
}

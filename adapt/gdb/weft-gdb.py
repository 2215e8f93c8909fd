# SPDX-License-Identifier: MIT
"""weft for gdb: the tasks of a process or of a core file, their stacks, their contexts.

    info weft pools           the pools, and how many tasks each has
    info weft tasks           the tree of tasks: what each does or waits for, under which context
    weft bt TASK              the stack of a task: by its number (#8f1e7a5d), or by its address or
                              another expression: `weft bt handle`, `weft bt $weft_task("serve")`
    $weft_task("serve")       the first task whose function has that name
    print *task, *context...  pretty-printers for weft_pool, weft_task, weft_context and weft_var

Nothing of the program is called: so all of it works on core files, and while the program is in the
middle of anything. It wants weft's own debug information (-g, or the package libweft0-dbgsym). gdb
loads this file by itself with libweft.so where it was installed for that gdb; with the static
library: `source .../weft-gdb.py`.

What is read here is laid out as in pool/ and context/ of the sources. pool/look.c does the same
from inside, for weft_dump(); each place that is looked at here is explained there.
"""

import re
import time

import gdb
import gdb.printing
import gdb.unwinder

CACHE_LINE = 64
PHASE, READY, CANCEL, SHIELD, WOKEN = 3, 0x8000, 4, 16, 3
QUEUED, RUNNING, ENDED = 0, 1, 2
KEPT = 0x80000000
ASLEEP = 1

# enum weft__on (pool/wait.h), by name: what a task waits for, and whether an address says which.
WAITS = {
    'TIME': ('for its time', False),
    'TASK': ('for the end of task', True),
    'GROUP': ('for group', True),
    'MUTEX': ('for mutex', True),
    'SEMAPHORE': ('for semaphore', True),
    'EVENT': ('for event', True),
    'SENDING': ('to send to channel', True),
    'RECEIVING': ('to receive from channel', True),
    'FD': ('for descriptor', True),
    'BLOCKING': ('for a blocking call', False),
    'ROOM': ('for room in pool', True),
    'SHUTDOWN': ('for the shutdown of pool', True),
}


# ---- reading ----

def evaluated(expression):
    """What stands in weft's own debug information; an error that says so if there is none."""
    try:
        return gdb.parse_and_eval(expression)
    except gdb.error as error:
        raise gdb.GdbError('weft: %s: is there a libweft with debug information?' % error)


def type_of(name):
    try:
        return gdb.lookup_type(name)
    except gdb.error as error:
        raise gdb.GdbError('weft: %s: is there a libweft with debug information?' % error)


def at(address, name):
    """The object of that type at an address."""
    return gdb.Value(address).cast(type_of(name).pointer()).dereference()


def word(address, size=8):
    memory = gdb.selected_inferior().read_memory(address, size)
    return int.from_bytes(bytes(memory), 'little')


def constant(name):
    return int(evaluated(name))


# ---- contexts ----

def var_of(key):
    """The var of a key, as an address; 0 if it was retired (context/var.c)."""
    place = (key & ~KEPT) - 1 + 16
    top = place.bit_length() - 1
    chunks = int(evaluated("&'var.c'::chunks"))
    chunk = word(chunks + 8 * (top - 4))
    return word(chunk + 8 * (place - (1 << top))) if chunk else 0


def raw_bindings(context):
    """Pairs (id, slot, whether it is kept) of a context at an address (context/map.c)."""
    c = at(context, 'struct weft_context')
    unset = int(evaluated('&weft__unset'))
    near = c['slot'].type.range()[1] + 1
    for i in range(1, near):
        if int(c['slot'][i]) != unset:
            yield i, int(c['slot'][i]), bool(int(c['kept']) >> i & 1)
    if int(c['far']):
        yield from raw_far(int(c['far']), near, unset)


def raw_far(node, base, unset):
    n = at(node, 'struct weft__node')
    shift = int(n['shift'])
    for i in range(n['slot'].type.range()[1] + 1):
        slot = int(n['slot'][i])
        if shift and slot:
            yield from raw_far(slot, base + (i << shift), unset)
        elif not shift and slot != unset:
            yield base + i, slot, bool(int(n['kept']) >> i & 1)


def bindings(context):
    """Pairs (name of the var, value as a gdb.Value) of a context at an address."""
    pointer = gdb.lookup_type('void').pointer()
    for number, slot, kept in raw_bindings(context):
        var = var_of(number)
        if not var:
            continue
        value = int(at(slot, 'struct weft__cell')['value']) if kept else slot
        yield name_of(at(var, 'struct weft_var')), gdb.Value(value).cast(pointer)


def name_of(var):
    return text_of(var['name']) if int(var['name']) else '?'


def text_of(name):
    """A name for people: no control character of it is told to the terminal."""
    text = name.string('utf-8', 'replace').replace('\\', '\\\\').replace('"', '\\"')
    return ''.join(c if c.isprintable() else '\\x%02x' % ord(c) for c in text)


def shown(value):
    """A value for people: as text if it looks like that, else as a pointer."""
    try:
        memory = bytes(gdb.selected_inferior().read_memory(int(value), 64))
    except gdb.MemoryError:
        memory = b''
    text = memory.partition(b'\0')[0]
    if text and len(text) < 64 and all(32 <= c < 127 for c in text):
        return '"%s"' % text.decode().replace('\\', '\\\\').replace('"', '\\"')
    return hex(int(value))


def shown_context(context):
    return '{%s}' % ', '.join('%s=%s' % (n, shown(v)) for n, v in bindings(context))


# ---- tasks ----

class Task:
    """What was seen of a task."""

    def __init__(self, pool, doing, fn, arg, context, task=None):
        self.pool, self.doing = pool, doing
        self.fn, self.arg, self.context = int(fn), int(arg), int(context)
        self.address = int(task.address) if task is not None else 0
        self.submitter = int(task['submitter']) if task is not None else 0
        self.cancelled = task is not None and bool(int(task['state']) & CANCEL)
        self.number = 0
        self.worker = self.fiber = self.by = None
        self.what = ''
        self.since = self.until = 0  # ns; 0: not known, and for ever
        self.children = []

    def line(self, now):
        text = '#%08x ' % self.number if self.number else ''
        text += self.doing + self.what
        if self.worker is not None:
            text += ' on ' + worker_name(self.worker)
        if self.since and now:
            text += ' for %.3f s' % max(0, (now - self.since) / 1e9)
        if self.until:
            word = 'and no longer than another' if self.doing == 'waits' else 'in'
            text += ' %s %.3f s' % (word, max(0, (self.until - now) / 1e9))
        if self.cancelled:
            text += ', cancelled'
        text += ': %s, arg %#x' % (function_name(self.fn), self.arg)
        if self.address:
            text += ', task %#x' % self.address
        return text


def function_name(address):
    block = gdb.block_for_pc(address)
    while block is not None and block.function is None:
        block = block.superblock
    if block is not None and block.start == address:
        return block.function.print_name
    text = gdb.execute('info symbol %#x' % address, to_string=True).strip()
    return text.split(' in section')[0] if ' in section' in text else hex(address)


def worker_name(worker):
    return '%s-%d' % (text_of(worker['pool']['name']), int(worker['index']))


def fiber_at(high):
    """The fiber whose stack ends there (pool/fiber.c)."""
    lines = (type_of('struct weft__fiber').sizeof + CACHE_LINE - 1) // CACHE_LINE
    colour = high // 4096 % 16 * 2
    return at(high - (lines + colour) * CACHE_LINE, 'struct weft__fiber')


def pools():
    pool = int(evaluated('weft__pools'))
    generation = int(evaluated('weft__forks'))
    while pool:
        value = at(pool, 'struct weft_pool')
        if int(value['generation']) == generation:
            yield value
        pool = int(value['next_pool'])


def workers(pool):
    first = int(pool['worker'].address)
    size = type_of('struct weft__worker').sizeof
    for i in range(int(pool['workers'])):
        yield at(first + i * size, 'struct weft__worker')


def fibers(pool):
    """All that are in use: those of the slabs (pool/stacks.c). A core file may lack some."""
    missing = 0
    stacks = pool['stacks']
    size = int(stacks['size'])
    for first in (stacks['roomy'], stacks['full']):
        slab = int(first)
        while slab:
            value = at(slab, 'struct weft__slab')
            for i in range(int(value['stacks'])):
                if not int(value['used']) >> i & 1:
                    continue
                fiber = fiber_at(int(value['low']) + (i + 1) * size)
                try:
                    there = int(fiber['wait']['fiber']) == int(fiber.address)
                except gdb.MemoryError:
                    there = False
                if there:
                    yield fiber
                else:
                    missing += 1
            slab = int(value['next'])
    if missing:
        print('warning: %d stacks of pool %s are not in this core file (gcore of gdb leaves out '
              'what has guards; the kernel does not)' % (missing, text_of(pool['name'])))


def waiting_for(fiber, names):
    on, what = int(fiber['wait']['on']), int(fiber['wait']['what'])
    text, addressed = WAITS.get(names.get(on), ('', False))
    if not text:
        return ''
    if names[on] == 'FD':
        return ' %s %d' % (text, what)
    return ' %s %#x' % (text, what) if addressed else ' ' + text


def until(timer):
    return int(timer['deadline']) if int(timer['set']) else 0


def began(pool, running):
    names = {constant('WEFT__ON_' + n): n for n in WAITS}
    for worker, fiber in running:
        task = fiber['task'].dereference()
        seen = Task(pool, 'runs', task['fn'], task['arg'], worker['here']['context'], task)
        seen.worker, seen.since = worker, int(worker['clock'])
        yield seen, fiber
    current = {int(fiber.address) for _, fiber in running}
    for fiber in fibers(pool):
        if not int(fiber['task']) or int(fiber.address) in current:
            continue
        task = fiber['task'].dereference()
        state = int(fiber['wait']['state'])
        over = not state & SHIELD and state >= WOKEN
        seen = Task(pool, 'is ready to go on' if over else 'waits', task['fn'], task['arg'],
                    fiber['aside']['frame']['context'], task)
        seen.worker = fiber['home'].dereference()
        if not over:
            seen.what, seen.since = waiting_for(fiber, names), int(fiber['since'])
            seen.until = until(fiber['wait']['timer'])
        yield seen, fiber


def queued(pool, pointers, doing='is ready to begin'):
    for pointer in pointers:
        task = at(pointer, 'struct weft_task')
        state = int(task['state'])
        if not state & READY and state & PHASE == QUEUED:
            yield Task(pool, doing, task['fn'], task['arg'], task['context'], task)


def delayed(pool, pointers):
    for seen in queued(pool, pointers, 'is to begin'):
        seen.until = until(at(seen.address, 'struct weft_task')['delay']['timer'])
        yield seen


def in_deque(worker):
    deque = worker['deque']
    ring, top, bottom = int(deque['ring']), int(deque['top']), int(deque['bottom'])
    mask = word(ring + 8)  # struct weft__ring: outgrown, mask, slots
    return [word(ring + 16 + 8 * (i & mask)) for i in range(top, bottom)]


def items(pool, triples):
    """Tasks by value: function, argument, context; without a function the argument is a task."""
    for fn, arg, context in triples:
        if fn:
            yield Task(pool, 'is ready to begin', fn, arg, context)
        else:
            yield from queued(pool, [arg])


def in_tray(worker):
    tray = worker['tray']
    slots = tray['slot'].type.range()[1] + 1
    first, end = int(tray['next']), int(tray['end'])
    for i in range(first, min(end, first + slots)):
        slot = tray['slot'][i % slots]
        yield int(slot['fn']), int(slot['arg']), int(slot['context'])


def in_injector(pool):
    lanes = pool['injector']['lane']
    for i in range(lanes.type.range()[1] + 1):
        lane = lanes[i]
        block, place = int(lane['first']), int(lane['emptied'])
        size = type_of('struct weft__block')['slot'].type.range()[1] + 1
        for _ in range(int(lane['put']) - int(lane['taken'])):
            if place == size:
                block, place = word(block), 0
            item = at(block, 'struct weft__block')['slot'][place]
            place += 1
            yield int(item['fn']), int(item['arg']), int(item['context'])
    late = int(pool['injector']['late']['first'])
    while late:
        yield 0, late, 0
        late = int(at(late, 'struct weft_task')['next'])


def in_heap(heap):
    """The tasks of a forest of timers (pool/timer.c)."""
    delay = int(gdb.Value(0).cast(type_of('struct weft_task').pointer())['delay']['timer'].address)
    trees = heap['tree']
    left = [int(trees[k]) for k in range(trees.type.range()[1] + 1) if int(heap['used']) >> k & 1]
    while left:
        timer = at(left.pop(), 'struct weft__timer')
        left += [int(timer[link]) for link in ('child', 'sibling') if int(timer[link])]
        yield int(timer.address) - delay


def all_tasks():
    """All tasks there are, each with its children."""
    tasks, handed = [], []
    for pool in pools():
        running = []
        for worker in workers(pool):
            fiber = worker['fiber']
            if int(fiber) and int(fiber['task']):
                running.append((worker, fiber.dereference()))
        for seen, fiber in began(pool, running):
            seen.fiber, seen.number = fiber, int(fiber['id'])
            tasks.append(seen)
            if int(fiber['handover']):
                handed.append((int(fiber['handover']['from']['task']), seen))
        tasks += items(pool, in_injector(pool))
        for worker in workers(pool):
            tasks += queued(pool, in_deque(worker))
            tasks += items(pool, in_tray(worker))
            for heap in ('once', 'again'):
                tasks += delayed(pool, in_heap(worker['delays'][heap]))
    parents = {seen.address: seen for seen in tasks if seen.address}
    for address, child in handed:
        if address in parents and parents[address].doing == 'is ready to go on':
            parents[address].doing = 'waits'
            parents[address].what = ' for the end of task %#x' % child.address
    return tasks


def tree(tasks):
    """Those that hang from none."""
    numbers = {(int(t.pool.address), t.number): t for t in tasks if t.number}
    roots = []
    for task in tasks:
        parent = numbers.get((int(task.pool.address), task.submitter)) if task.submitter else None
        (parent.children if parent else roots).append(task)
    return roots


def is_live():
    return gdb.selected_inferior().connection is not None and \
        gdb.selected_inferior().connection.type == 'native'


def now_of(tasks):
    """The time in ns: the machine's if the process is on it, else the latest that was noted."""
    if is_live():
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    clocks = [int(w['clock']) for pool in pools() for w in workers(pool)]
    return max(clocks + [t.since for t in tasks], default=0)


def find(text):
    """The task that is meant by an argument of a command."""
    tasks = all_tasks()
    number = re.fullmatch(r'\s*#([0-9a-fA-F]{1,8})\s*', text)
    for task in tasks:
        if number and task.number == int(number.group(1), 16):
            return task
    if not number:
        try:
            address = int(gdb.parse_and_eval(text))
        except gdb.error as error:
            raise gdb.GdbError('weft: %s: %s' % (text, error))
        for task in tasks:
            if task.address == address:
                return task
    raise gdb.GdbError('weft: there is no task %s' % text)


# ---- stacks ----

# Where pool/switch-*.S leaves the registers of a fiber: offsets from its saved stack pointer; the
# size of that frame; the register that goes on.
FRAMES = {
    'i386:x86-64': ('rsp', 'rip', 64, {'r15': 8, 'r14': 16, 'r13': 24, 'r12': 32, 'rbx': 40,
                                       'rbp': 48, 'rip': 56}),
    'aarch64': ('sp', 'pc', 176, dict({'x%d' % (19 + i): 8 * i for i in range(12)}, pc=88)),
}


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class FiberUnwinder(gdb.unwinder.Unwinder):
    """While it is at work, the innermost frame of the thread that is selected seems to have been
    called by a fiber that is parked. So its stack is unwound as any other, and no register is
    written."""

    def __init__(self):
        super().__init__('weft fibers')
        self.enabled = False
        self.frame = self.saved_sp = self.here = None

    def __call__(self, pending):
        sp_name, pc_name, size, offsets = self.frame
        sp, pc = pending.read_register(sp_name), pending.read_register(pc_name)
        if (int(sp), int(pc)) != self.here:
            return None
        # It must seem to lie below that stack.
        below = gdb.Value(self.saved_sp - CACHE_LINE).cast(sp.type)
        info = pending.create_unwind_info(FrameId(below, pc))
        info.add_saved_register(sp_name, gdb.Value(self.saved_sp + size).cast(sp.type))
        for name, place in offsets.items():
            kind = pending.read_register(name).type
            info.add_saved_register(name, gdb.Value(word(self.saved_sp + place)).cast(kind))
        return info


UNWINDER = FiberUnwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


def parked_stack(fiber):
    frame = gdb.newest_frame()
    UNWINDER.frame = FRAMES.get(frame.architecture().name())
    if UNWINDER.frame is None or gdb.lookup_global_symbol('weft__switch_entry') is None and \
            not gdb.execute('info address weft__switch_entry', to_string=True):
        raise gdb.GdbError('weft: stacks cannot be unwound on this processor')
    UNWINDER.here = (int(frame.read_register(UNWINDER.frame[0])),
                     int(frame.read_register(UNWINDER.frame[1])))
    UNWINDER.saved_sp = int(fiber['sp'])
    UNWINDER.enabled = True
    gdb.invalidate_cached_frames()
    try:
        return gdb.execute('bt', to_string=True)
    finally:
        UNWINDER.enabled = False
        gdb.invalidate_cached_frames()


def without_innermost(text):
    """A backtrace without its first frame, and the others numbered from 0."""
    entries = re.split(r'(?m)^(?=#\d+ )', text)[2:]
    return ''.join(re.sub(r'^#(\d+) {1,2}', lambda m: '#%-3d' % (int(m.group(1)) - 1), e)
                   for e in entries)


def running_stack(task):
    thread = gdb.selected_thread()
    inferior = gdb.selected_inferior()
    wanted = inferior.thread_from_handle(task.worker['thread'])
    if wanted is None:
        raise gdb.GdbError('weft: gdb does not see the thread of %s' % worker_name(task.worker))
    try:
        wanted.switch()
        return gdb.execute('bt', to_string=True)
    finally:
        thread.switch()


# ---- commands ----

class WeftPrefix(gdb.Command):
    """Tasks of weft: their stacks."""

    def __init__(self):
        super().__init__('weft', gdb.COMMAND_STACK, prefix=True)


class InfoWeft(gdb.Command):
    """What weft has in the program: pools, tasks."""

    def __init__(self):
        super().__init__('info weft', gdb.COMMAND_STATUS, prefix=True)


class InfoWeftPools(gdb.Command):
    """The pools of weft in the program, and how many tasks each has."""

    def __init__(self):
        super().__init__('info weft pools', gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        tasks = all_tasks()
        for pool in pools():
            asleep = sum(int(w['parker']) == ASLEEP for w in workers(pool))
            mine = [t for t in tasks if int(t.pool.address) == int(pool.address)]
            print('pool %s %#x: %d workers, %d of them asleep; %d tasks' % (
                text_of(pool['name']), int(pool.address), int(pool['workers']), asleep, len(mine)))


class InfoWeftTasks(gdb.Command):
    """The tasks of weft, each below the one that submitted it: what it does or waits for, for how
long (at most), its function, and the values of its context."""

    def __init__(self):
        super().__init__('info weft tasks', gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        tasks = all_tasks()
        now = now_of(tasks)
        left = [(task, 0) for task in reversed(tree(tasks))]
        while left:
            task, depth = left.pop()
            print('  ' * depth + task.line(now))
            if task.context:
                print('  ' * depth + '    ' + shown_context(task.context))
            left += [(child, depth + 1) for child in reversed(task.children)]
        print('%d tasks' % len(tasks))


class WeftBacktrace(gdb.Command):
    """The stack of a task: weft bt TASK, where TASK is a number as `info weft tasks` shows it
(#8f1e7a5d), or an expression whose value is a weft_task *."""

    def __init__(self):
        super().__init__('weft bt', gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError('weft bt TASK: see `info weft tasks`')
        task = find(argument)
        print(task.line(now_of([task])))
        if task.fiber is None:
            print('(it has no stack yet)')
        elif task.doing == 'runs':
            print(running_stack(task), end='')
        else:
            print(without_innermost(parked_stack(task.fiber)), end='')


class TaskOfFunction(gdb.Function):
    """$weft_task("NAME"): the first task of weft whose function has that name; NULL: there is none.
Tasks that have begun come first."""

    def __init__(self):
        super().__init__('weft_task')

    def invoke(self, name):
        found = (
            t.address for t in all_tasks() if t.address and function_name(t.fn) == name.string()
        )
        return gdb.Value(next(found, 0)).cast(type_of('struct weft_task').pointer())


# ---- pretty-printers ----

class ContextPrinter:
    """What a context binds, by the names of the vars."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return 'weft_context of %d' % int(self.value['count'])

    def children(self):
        for name, value in bindings(int(self.value.address)):
            yield name, shown(value)


class TaskPrinter:
    """What a task does, and what it is made of."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        phase = int(self.value['state']) & PHASE
        text = {QUEUED: 'not begun', RUNNING: 'begun', ENDED: 'ended'}.get(phase, '?')
        if int(self.value['state']) & CANCEL:
            text += ', cancelled'
        if phase == ENDED:
            text += ', result %d' % int(self.value['result'])
        return 'weft_task %s(%#x), %s' % (function_name(int(self.value['fn'])),
                                          int(self.value['arg']), text)


class PoolPrinter:
    """A pool: its name, its workers."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return 'weft_pool "%s" of %d workers' % (text_of(self.value['name']),
                                                 int(self.value['workers']))


class VarPrinter:
    """A var: its name, and the number by which contexts know it."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        key = int(self.value['weft__key'])
        return 'weft_var "%s", %s' % (name_of(self.value),
                                      'id %d' % (key & ~KEPT) if key else 'never set')


def pretty_printers():
    printers = gdb.printing.RegexpCollectionPrettyPrinter('weft')
    printers.add_printer('weft_context', '^weft_context$', ContextPrinter)
    printers.add_printer('weft_task', '^weft_task$', TaskPrinter)
    printers.add_printer('weft_pool', '^weft_pool$', PoolPrinter)
    printers.add_printer('weft_var', '^weft_var$', VarPrinter)
    return printers


for command in (WeftPrefix, InfoWeft, InfoWeftPools, InfoWeftTasks, WeftBacktrace, TaskOfFunction):
    command()
gdb.printing.register_pretty_printer(gdb.current_objfile(), pretty_printers(), replace=True)

# SPDX-License-Identifier: MIT
"""The border between Python and C: what is current on one side becomes so on the other.

  Python calls C     (entered, CDLL) Python's context is put into weft's frame for the call; what is
                     in the frame at its end is Python's from then on.
  C calls Python     (callback) The other way round.

A bridge is a contextvars.ContextVar beside a weft var. At each border its value is copied over, if
the other side has another: bound over what Python's context has for a call of C, and unbound again
after it; so it is never in that context. None in the ContextVar is a var that is not set, since
nobody can make a ContextVar unset that somebody else has set.
"""

import contextlib
import contextvars
import ctypes
import functools

from . import _library as weft
from ._context import ContextVar, Held, become, bind, here
from ._values import OBJECT, added, settle

_bridges = []


class _Bridge:
    __slots__ = ("var", "variable")

    def __init__(self, variable, var):
        self.variable = variable
        self.var = var

    def frame(self):
        """What weft's frame has."""
        pointer = weft.capture()
        found = self.var.find(pointer)
        weft.unref(pointer)
        return found

    def value(self, found):
        return self.var.kind.from_c(found[0]) if found else None

    def same(self, one, other):
        return one is other or (self.var.kind is not OBJECT and one == other)

    def put(self, undo):
        """Bind what Python has, if weft has something else: (its address,), else ()."""
        value = self.variable.get(None)
        if self.same(value, self.value(self.frame())):
            return ()
        return (bind(self.var._struct, self.var.kind, value, undo),)

    def take(self):
        """Set what weft has, if Python has something else."""
        value = self.value(self.frame())
        had = self.variable.get(None)
        if not self.same(value, had):
            self.variable.set(value)


def bridge(variable, var):
    """From here on the value of `variable`, a contextvars.ContextVar, crosses as that of `var`."""
    if not isinstance(variable, contextvars.ContextVar) or not isinstance(var, ContextVar):
        raise TypeError("a bridge is of a contextvars.ContextVar and a weft.ContextVar")
    _bridges.append(_Bridge(variable, var))


@contextlib.contextmanager
def entered():
    """A block that calls C which uses weft, by whatever means: a C extension, cffi, plain ctypes.
    Not to be left by an await or a yield."""
    crossing = _Crossing()
    try:
        yield
    finally:
        crossing.end()


class _Crossing:
    """A call of C, from before it to its end()."""

    __slots__ = ("held", "previous", "put")

    def __init__(self):
        self.held = here()
        self.put = []
        self.previous = weft.swap(weft.ref(self.held.pointer))
        try:
            for each in _bridges:
                undo = weft.Undo()
                for raw in each.put(undo):
                    self.put.append((each.var.address, undo, raw))
        except BaseException:
            self.leave()
            raise

    def end(self):
        try:
            for each in _bridges:
                each.take()
        finally:
            self.leave()

    def leave(self):
        for address, undo, _ in reversed(self.put):
            if weft.reset(address, undo) < 0:
                weft.drop(undo)
        after = weft.swap(self.previous)
        if weft.equal(after, self.held.pointer):
            weft.unref(after)
        else:
            become(Held(after, self.held.boxes))
        settle([raw for _, _, raw in self.put])


class CDLL(ctypes.CDLL):
    """ctypes.CDLL, each of whose functions is called in Python's context."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        plain = self._FuncPtr
        weft.one_copy(self)

        class Function(plain):
            _flags_ = plain._flags_
            _restype_ = plain._restype_

            def __call__(self, *args, **kwargs):
                crossing = _Crossing()
                try:
                    return plain.__call__(self, *args, **kwargs)
                finally:
                    crossing.end()

        self._FuncPtr = Function


def callback(prototype):
    """A decorator: a C function pointer of that prototype (ctypes.CFUNCTYPE) that calls the
    function in the context that is current in C. What the function binds is C's after it; what
    else it sets of Python's contexts is gone."""

    def decorate(function):
        def enter(*args):
            return contextvars.copy_context().run(_called, function, args)

        return prototype(functools.update_wrapper(enter, function))

    return decorate


def _called(function, args):
    came = Held(weft.capture(), {})
    become(came)
    for each in _bridges:
        each.take()
    try:
        return function(*args)
    finally:
        now = here()
        if now is not came:
            weft.unref(weft.swap(weft.ref(now.pointer)))
        for each in _bridges:
            each.put(None)
        added()

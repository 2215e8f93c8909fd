# SPDX-License-Identifier: MIT
"""Vars and contexts with the methods of contextvars.

The weft context that Python code sees is the value of a contextvars.ContextVar, _current, so that
it goes where Python's own contexts go: with each asyncio task, with copy_context(), and nowhere
else. Where that is not set it is the one of weft's frame, that is, of the task that called Python.
A set makes a new weft context; what it was made from stays as it was.

Sets and resets are weft's own, made in the frame of this thread while the context in question lies
in it. So a token is one of weft's, too, and can make a var unset again.
"""

import collections.abc
import contextvars
import ctypes
import itertools

from . import _library as weft
from . import _values

_current = contextvars.ContextVar("weft")
_numbers = itertools.count()
_vars = {}  # by the address of the weft_var
_missing = object()
_ROOM = 512  # bytes of a weft_var, and of what a later weft may add to it: zero, as it wants that


class Held:
    """A reference to a weft context, which never changes."""

    __slots__ = ("boxes", "number", "pointer", "values")

    def __init__(self, pointer, boxes):
        self.pointer = pointer
        self.boxes = boxes  # where Python has bound objects, by the address of the var
        self.number = next(_numbers)
        self.values = {}  # that have been read, by the ContextVar

    def __del__(self, unref=weft.unref, settle=_values.settle):
        unref(self.pointer)
        self.values.clear()
        if self.boxes:
            settle(self.boxes.values())


def here():
    """The context that is current in Python."""
    held = _current.get(None)
    return held if held is not None else Held(weft.capture(), {})


def become(held):
    """From here on this one is."""
    return _current.set(held)


class framed:
    """In the block the context is in weft's frame; `pointer` is what is there at its end."""

    __slots__ = ("_held", "_previous", "pointer")

    def __init__(self, held):
        self._held = held

    def __enter__(self):
        self._previous = weft.swap(weft.ref(self._held.pointer))
        return self

    def __exit__(self, *error):
        self.pointer = weft.swap(self._previous)
        if error[0]:
            weft.unref(self.pointer)


def bind(struct, kind, value, undo):
    """weft_set() in weft's frame; what was bound."""
    raw = kind.to_c(value, struct)
    result = weft.set_(ctypes.addressof(struct), raw, undo)
    kind.tried(raw, result >= 0)
    if result < 0:
        weft.fail(result)
    return raw


class Token:
    """What ContextVar.set() gives back; in a with statement it is reset at the end."""

    MISSING = contextvars.Token.MISSING

    __slots__ = ("_box", "_mark", "_number", "_undo", "_used", "old_value", "var")

    def __init__(self, var, old_value):
        self.var = var
        self.old_value = old_value
        self._undo = weft.Undo()
        self._used = False
        self._box = None  # of what it displaced

    def __del__(self, drop=weft.drop, settle=_values.settle):
        drop(self._undo)
        if self._box:
            settle((self._box,))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.var.reset(self)

    def __repr__(self):
        return f"<weft.Token{' used' if self._used else ''} of {self.var!r}>"


class ContextVar:
    """A weft_var. One that Python makes holds any object; ContextVar.in_dll() and ContextVar.at()
    are for those of C, whose values are of some Kind."""

    def __init__(self, name, *, default=_missing, kind=_values.OBJECT):
        if not isinstance(name, str):
            raise TypeError("context variable name must be a str")
        if "\0" in name:
            raise ValueError("embedded null character")
        address = weft.calloc(1, _ROOM)
        if not address:
            raise MemoryError
        struct = weft.Var.from_address(address)
        struct.name = weft.strdup(name.encode())
        if default is not _missing:
            struct.fallback = kind.to_c(default, struct)  # for ever, as the var is
        struct.retain = kind.retain
        struct.release = kind.release
        self._begin(struct, kind, default)

    @classmethod
    def at(cls, address, kind):
        """The weft_var at an address."""
        self = cls.__new__(cls)
        struct = weft.Var.from_address(address)
        if kind is _values.OBJECT and struct.release != kind.release:
            raise ValueError("values of this var are not objects of Python's")
        default = _missing if struct.fallback is None else kind.from_c(struct.fallback)
        self._begin(struct, kind, default)
        return self

    @classmethod
    def in_dll(cls, library, name, kind):
        """The weft_var that a library exports under that name."""
        return cls.at(ctypes.addressof(weft.Var.in_dll(library, name)), kind)

    def _begin(self, struct, kind, default):
        self._struct = struct
        self.address = ctypes.addressof(struct)
        self.kind = kind
        self._default = default
        _vars[self.address] = self

    @property
    def name(self):
        return ctypes.string_at(self._struct.name).decode()

    def __repr__(self):
        return f"<weft.ContextVar {self.name!r}>"

    def find(self, pointer):
        """(address,) of what is bound in a weft context; () if nothing is."""
        found = ctypes.c_void_p()
        return (found.value,) if weft.lookup(pointer, self.address, found) == 0 else ()

    def _read(self, held, default):
        try:
            return held.values[self]
        except KeyError:
            for address in self.find(held.pointer):
                value = held.values[self] = self.kind.from_c(address)
                return value
        return default

    def get(self, default=_missing, /):
        value = self._read(here(), _missing)
        if value is _missing:
            value = self._default if default is _missing else default
        if value is _missing:
            raise LookupError(self)
        return value

    def set(self, value, /):
        held = here()
        token = Token(self, self._read(held, Token.MISSING))
        with framed(held) as frame:
            raw = bind(self._struct, self.kind, value, token._undo)
        boxes = held.boxes
        if self.kind is _values.OBJECT:
            token._box = boxes.get(self.address)
            boxes = {**boxes, self.address: raw}
        after = Held(frame.pointer, boxes)
        token._number = after.number
        token._mark = become(after)
        _values.added()
        return token

    def reset(self, token, /):
        if not isinstance(token, Token):
            raise TypeError(f"expected an instance of weft.Token, got {token!r}")
        if token._used:
            raise RuntimeError(f"{token!r} has already been used once")
        if token.var is not self:
            raise ValueError(f"{token!r} was created by a different ContextVar")
        now = here()
        _current.reset(token._mark)  # a ValueError if that was in a different Context
        if now.number == token._number:
            token._used = True  # nothing was set since, so that is all
            return
        with framed(now) as frame:
            result = weft.reset(self.address, token._undo)
        after = Held(frame.pointer, _reset_boxes(now, token))
        token._mark = become(after)  # as good as before, if it was not used
        if result < 0:
            raise ValueError(f"{token!r} was created in a different frame of weft's")
        token._used = True


def _reset_boxes(held, token):
    boxes = dict(held.boxes)
    address = token.var.address
    if token._box:
        boxes[address] = token._box
    else:
        boxes.pop(address, None)
    return boxes


class Context(collections.abc.Mapping):
    """A context, weft's and Python's: a mapping from the ContextVars of this module."""

    def __init__(self):
        self._python = contextvars.Context()
        self._python.run(become, Held(None, {}))

    def run(self, function, /, *args, **kwargs):
        """As contextvars.Context.run(): what the function sets is kept in this Context."""
        return self._python.run(function, *args, **kwargs)

    def copy(self):
        copy = Context.__new__(Context)
        copy._python = self._python.copy()
        return copy

    @property
    def _held(self):
        return self._python[_current]

    def __getitem__(self, var):
        if not isinstance(var, ContextVar):
            raise TypeError(f"a weft.ContextVar key was expected, got {var!r}")
        value = var._read(self._held, _missing)
        if value is _missing:
            raise KeyError(var)
        return value

    def __iter__(self):
        found = []

        @weft.Visit
        def visit(address, value, arg):
            if address in _vars:
                found.append(_vars[address])
            return 0

        weft.foreach(self._held.pointer, visit, None)
        return iter(found)

    def __len__(self):
        return sum(1 for _ in self)


def copy_context():
    """The current context, weft's and Python's, as a Context."""
    copy = Context.__new__(Context)
    copy._python = contextvars.copy_context()
    if _current not in copy._python:
        copy._python.run(become, here())
    return copy

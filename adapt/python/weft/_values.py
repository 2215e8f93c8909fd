# SPDX-License-Identifier: MIT
"""Values: what the void * of a weft_var is in Python.

A Python object is bound in a box: C memory with a count of units, of which each binding takes one
(retain: sem_trywait) and gives it back (release: sem_post). Both are functions of the C library: so
whoever drops a context, on whichever thread, needs no GIL, runs no Python code, and does not care
whether there still is an interpreter. The object is held by the table below. It goes when Python
next looks at a box that has all its units: right away if Python dropped the last context, else
when boxes are added, or at gc.collect().

A box that has all its units is bound nowhere and never will be again: one that is new lacks the
unit of its maker until it is bound. Boxes are looked at and freed with _looking held.
"""

import ctypes
import gc
import os
import threading

from . import _library as weft

_ALL = 1 << 30
_SEMAPHORE = 32  # bytes of a sem_t; the address of the object follows, for C that knows Python.h
_LEAST = 256

_take = weft.function(weft.libc, "sem_trywait", ctypes.c_int, ctypes.c_void_p)
_give = weft.function(weft.libc, "sem_post", ctypes.c_int, ctypes.c_void_p)
_units = weft.function(
    weft.libc, "sem_getvalue", ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)
)
_begin = weft.function(
    weft.libc, "sem_init", ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint
)

_objects = {}  # by the address of the box
_looking = threading.Lock()
_limit = _LEAST  # of boxes; when there are more, all are looked at


def settle(boxes):
    """Let go of the objects in those of these boxes that are bound nowhere."""
    looking = _looking
    if not looking.acquire(blocking=False):
        return  # somebody does; or this thread, a few frames up. Another look comes.
    gone = []
    try:
        units = ctypes.c_int()
        for box in boxes:
            if box in _objects:
                _units(box, units)
                if units.value == _ALL:
                    _take(box)  # what others did before they gave theirs back is seen
                    gone.append(_objects.pop(box))
                    weft.free(box)
    finally:
        looking.release()
    # Here `gone` goes, and with it objects, which may run anything.


def _settle_all():
    global _limit
    settle(list(_objects))
    _limit = max(_LEAST, 2 * len(_objects))


def added():
    """To be called when a box may have been added, where objects may go: they may set and reset."""
    if len(_objects) > _limit:
        _settle_all()


def _collecting(phase, info):
    if phase == "start" and info["generation"] == 2:
        _settle_all()


def _forked():
    global _looking
    _looking = threading.Lock()  # which a thread may have held that is not here


gc.callbacks.append(_collecting)
os.register_at_fork(after_in_child=_forked)


class Kind:
    """How values are read and made. To be derived from for the types of a C library."""

    retain = release = None  # of vars that Python makes

    def from_c(self, address):
        """The Python value of what is bound. `address` is None for NULL."""
        raise NotImplementedError

    def to_c(self, value, var):
        """The address to bind, as the retain and release of `var`, a weft_var, want it."""
        raise NotImplementedError

    def tried(self, address, bound):
        """What to_c made has been bound, or could not be."""


class _Object(Kind):
    """Any Python object. The var's value in C is the box."""

    retain = weft.address_of(_take)
    release = weft.address_of(_give)

    def from_c(self, address):
        return None if address is None else _objects[address]

    def to_c(self, value, var):
        box = weft.calloc(1, _SEMAPHORE + ctypes.sizeof(ctypes.c_void_p))
        if not box:
            raise MemoryError
        _begin(box, 0, _ALL - 1)
        ctypes.c_void_p.from_address(box + _SEMAPHORE).value = id(value)
        _objects[box] = value
        return box

    def tried(self, address, bound):
        _give(address)


class _Text(Kind):
    """str, as char * in UTF-8; None is NULL. A var that releases its values gets a copy that
    free() takes; to one that does not, a text is given once and for ever."""

    release = weft.address_of(weft.free)
    _kept = {}

    def from_c(self, address):
        return None if address is None else ctypes.string_at(address).decode()

    def to_c(self, value, var):
        if value is None:
            return None
        if not isinstance(value, str):
            raise TypeError(f"a str or None was expected, got {value!r}")
        if "\0" in value:
            raise ValueError("embedded null character")  # the text would end there
        if var.retain:
            raise TypeError("this var counts its values: a weft.Kind must say how to make one")
        if var.release or value not in self._kept:
            copy = weft.strdup(value.encode())
            if not copy:
                raise MemoryError
            if var.release:
                return copy
            self._kept[value] = copy
        return self._kept[value]

    def tried(self, address, bound):
        pass


class _Integer(Kind):
    """int, in the pointer itself; None is NULL, which is 0."""

    def from_c(self, address):
        return ctypes.c_ssize_t(address or 0).value

    def to_c(self, value, var):
        if value is None:
            return None
        if not -(1 << 63) <= value < 1 << 63:
            raise OverflowError("does not fit into a pointer")
        return value


OBJECT = _Object()
TEXT = _Text()
INTEGER = _Integer()

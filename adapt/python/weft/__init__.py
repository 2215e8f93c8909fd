# SPDX-License-Identifier: MIT
"""Contexts of weft in Python: set in C, read here, and the other way round.

    app = weft.CDLL("./libapp.so")      # a ctypes.CDLL whose calls take contexts along
    user = weft.ContextVar.in_dll(app, "user", weft.TEXT)       # a weft_var of that library

    token = user.set("ada")
    app.audit()                     # weft_get(&user) is "ada" there, and in the tasks it submits
    user.reset(token)

    @weft.callback(ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p))
    def work(arg):                  # run by a task of weft, on whichever thread:
        print(user.get())           # what is bound in that task
        return 0

A ContextVar of this module has the methods of contextvars.ContextVar. What Python code sees of it
goes with Python's own contexts: each asyncio task, and each contextvars.Context, has its own.
weft.bridge(variable, var) lets a contextvars.ContextVar that exists already cross in the same way.

README.md, beside this package, has the rules; weft/context.h those of contexts.
"""

from ._context import Context, ContextVar, Token, copy_context
from ._crossing import CDLL, bridge, callback, entered
from ._values import INTEGER, OBJECT, TEXT, Kind

__all__ = [
    "CDLL",
    "Context",
    "ContextVar",
    "INTEGER",
    "Kind",
    "OBJECT",
    "TEXT",
    "Token",
    "bridge",
    "callback",
    "copy_context",
    "entered",
]

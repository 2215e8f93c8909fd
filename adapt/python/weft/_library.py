# SPDX-License-Identifier: MIT
"""libweft.so: which one, and its functions as ctypes calls them.

Of the two ways to call C from ctypes, functions that cannot block are called with the GIL held;
those that may run release functions, which may do anything, without it.
"""

import ctypes
import errno
import os

SONAME = "libweft.so.0"

STATIC_TLS = """{error}
This libweft is linked with jemalloc, which the loader cannot add to a program that runs. Any of
these helps:
  - start Python with LD_PRELOAD=libjemalloc.so.2
  - start Python with GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384
  - a libweft without jemalloc, where this package looks first: WEFT_LIBRARY=path of it; `make
    python` makes one, in build/python/weft/
"""

MISSING = """{error}
There is no weft here. Name the library in WEFT_LIBRARY, or in LD_LIBRARY_PATH the directory that it
is in; `make python` makes one, in build/python/weft/."""


def _name():
    """None: in the program itself. One copy of weft is all that a process can have."""
    try:
        ctypes.CDLL(None).weft_version
        return None
    except AttributeError:
        pass
    try:
        ctypes.CDLL(SONAME, mode=os.RTLD_NOLOAD)
        return SONAME
    except OSError:
        pass
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), SONAME)
    return os.environ.get("WEFT_LIBRARY") or (beside if os.path.exists(beside) else SONAME)


def _load(name):
    try:
        return ctypes.CDLL(name), ctypes.PyDLL(name)
    except OSError as error:
        text = STATIC_TLS if "static TLS" in str(error) else MISSING
        raise ImportError(text.format(error=error)) from None


class Var(ctypes.Structure):
    """weft_var"""

    _fields_ = [
        ("name", ctypes.c_void_p),
        ("fallback", ctypes.c_void_p),
        ("retain", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("format", ctypes.c_void_p),
        ("key", ctypes.c_uint32),
        ("on_change", ctypes.c_void_p),
        ("on_change_user", ctypes.c_void_p),
        ("drop_at", ctypes.c_uint),
        ("hand_on", ctypes.c_void_p),
    ]


class Undo(ctypes.Structure):
    """weft_token"""

    _fields_ = [
        ("old", ctypes.c_void_p),
        ("frame", ctypes.c_uint64),
        ("key", ctypes.c_uint32),
    ]


Visit = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)

_plain, _held = _load(_name())
_context = _var = ctypes.c_void_p
_found = ctypes.POINTER(ctypes.c_void_p)
_undo = ctypes.POINTER(Undo)


def function(library, name, result, *arguments):
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments
    return function


capture = function(_held, "weft_context_capture", _context)
ref = function(_held, "weft_context_ref", _context, _context)
equal = function(_held, "weft_context_equal", ctypes.c_bool, _context, _context)
lookup = function(_held, "weft_context_lookup", ctypes.c_int, _context, _var, _found)
foreach = function(_held, "weft_context_foreach", ctypes.c_int, _context, Visit, ctypes.c_void_p)
strerror = function(_held, "weft_strerror", ctypes.c_char_p, ctypes.c_int)
swap = function(_plain, "weft_context_swap", _context, _context)
unref = function(_plain, "weft_context_unref", _context, _context)
set_ = function(_plain, "weft_set", ctypes.c_int, _var, ctypes.c_void_p, _undo)
reset = function(_plain, "weft_reset", ctypes.c_int, _var, _undo)
drop = function(_plain, "weft_token_drop", None, _undo)

# What must be there as long as C may come to it, which may be longer than the interpreter, is
# allocated here.
libc = ctypes.PyDLL(None)
calloc = function(libc, "calloc", ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
strdup = function(libc, "strdup", ctypes.c_void_p, ctypes.c_char_p)
free = function(libc, "free", None, ctypes.c_void_p)


def one_copy(library):
    """Raise OSError if that library has a weft of its own."""
    try:
        its = address_of(library.weft_set)
    except AttributeError:
        return
    if its != address_of(_held.weft_set):
        fail(-errno.EEXIST)


def address_of(function):
    return ctypes.cast(function, ctypes.c_void_p).value


def fail(result):
    """Raise what a negative result of weft's means."""
    if result == -errno.ENOMEM:
        raise MemoryError
    raise OSError(-result, strerror(result).decode())

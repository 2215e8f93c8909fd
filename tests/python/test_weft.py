# SPDX-License-Identifier: MIT
"""The Python package against a C library that uses weft, app.c: test_weft.py APP [TEST...]"""

import asyncio
import contextvars
import ctypes
import gc
import subprocess
import sys
import threading
import unittest
import weakref

import weft

APP = sys.argv.pop(1) if len(sys.argv) > 1 else None
app = weft.CDLL(APP)
plain = ctypes.CDLL(APP)  # the same library, by ctypes alone
for library in app, plain:
    for name in "app_whoami", "app_noted", "app_text":
        getattr(library, name).restype = ctypes.c_char_p
    library.app_hold.restype = ctypes.c_void_p
    library.app_drop_in_a_task.argtypes = library.app_text.argtypes = (ctypes.c_void_p,)
    library.app_bind_again.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    library.app_never_end.argtypes = (ctypes.c_void_p,)
    library.app_raise.argtypes = (ctypes.c_ssize_t,)
    library.app_height.restype = ctypes.c_ssize_t
assert plain.app_begin() == 0

user = weft.ContextVar.in_dll(app, "app_user", weft.TEXT)
note = weft.ContextVar.in_dll(app, "app_note", weft.TEXT)
level = weft.ContextVar.in_dll(app, "app_level", weft.INTEGER)
FN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)

request = contextvars.ContextVar("request")
weft_request = weft.ContextVar("request", kind=weft.TEXT)
weft.bridge(request, weft_request)
depth = contextvars.ContextVar("depth")
weft.bridge(depth, level)
tenant = contextvars.ContextVar("tenant")
weft_tenant = weft.ContextVar("tenant")
weft.bridge(tenant, weft_tenant)


class Thing:
    """Something that can be seen to go."""


def apart(function):
    """Run a test in a context of its own."""

    def run(self):
        contextvars.Context().run(function, self)

    return run


class Layout(unittest.TestCase):
    def test_structures_are_those_of_the_headers(self):
        from weft import _library

        sizes = (ctypes.c_size_t * 3).in_dll(plain, "app_sizes")
        ours = ctypes.sizeof(_library.Var), _library.Var.key.offset, ctypes.sizeof(_library.Undo)
        self.assertEqual(tuple(sizes), ours)


class AsContextvars:
    """What a ContextVar does, whichever module it is of."""

    @apart
    def test_get_gives_value_then_argument_then_default_then_raises(self):
        v, d = self.module.ContextVar("v"), self.module.ContextVar("d", default=42)
        self.assertEqual((v.name, v.get("none"), d.get(), d.get(1)), ("v", "none", 42, 1))
        with self.assertRaises(LookupError):
            v.get()
        v.set(None)
        self.assertIsNone(v.get("none"))

    @apart
    def test_reset_gives_back_what_there_was(self):
        v = self.module.ContextVar("v")
        first = v.set("a")
        second = v.set("b")
        self.assertIs(first.old_value, self.module.Token.MISSING)
        self.assertEqual(second.old_value, "a")
        self.assertIs(second.var, v)
        v.reset(second)
        self.assertEqual(v.get(), "a")
        v.reset(first)
        self.assertEqual(v.get("none"), "none")

    @apart
    def test_reset_undoes_one_set_whatever_was_set_since(self):
        v, w = self.module.ContextVar("v"), self.module.ContextVar("w")
        first = v.set("a")
        w.set("w")
        v.set("b")
        v.reset(first)
        self.assertEqual((v.get("none"), w.get()), ("none", "w"))

    @apart
    def test_token_is_good_once_for_its_var_in_its_context(self):
        v, w = self.module.ContextVar("v"), self.module.ContextVar("w")
        token = v.set(1)
        with self.assertRaises(ValueError):
            w.reset(token)
        with self.assertRaises(ValueError):
            self.module.copy_context().run(v.reset, token)
        self.assertEqual(v.get(), 1)
        v.reset(token)
        with self.assertRaises(RuntimeError):
            v.reset(token)
        for wrong in None, 5:
            with self.assertRaises(TypeError):
                v.reset(wrong)
            with self.assertRaises(TypeError):
                self.module.ContextVar(wrong)

    @apart
    def test_context_keeps_what_is_set_in_it_and_nobody_else_sees_it(self):
        v, w = self.module.ContextVar("v"), self.module.ContextVar("w")
        v.set("outside")
        context = self.module.copy_context()
        self.assertIsNone(context.run(lambda: (v.set("inside"), w.set(1)) and None))
        self.assertEqual((v.get(), w.get("none")), ("outside", "none"))
        self.assertEqual((context[v], context[w], context.run(v.get)), ("inside", 1, "inside"))
        other = context.copy()
        other.run(v.set, "other")
        self.assertEqual((context[v], other[v]), ("inside", "other"))

    @apart
    def test_context_is_a_mapping(self):
        v, w = self.module.ContextVar("v"), self.module.ContextVar("w")
        v.set(7)
        context = self.module.copy_context()
        self.assertIn(v, context)
        self.assertNotIn(w, context)
        self.assertEqual(context.get(w, 3), 3)
        self.assertEqual((list(context), list(context.values()), len(context)), ([v], [7], 1))
        self.assertEqual(len(self.module.Context()), 0)
        with self.assertRaises(KeyError):
            context[w]
        with self.assertRaises(TypeError):
            context["v"]

    @apart
    def test_context_that_runs_is_not_entered_again(self):
        context = self.module.copy_context()
        with self.assertRaises(RuntimeError):
            context.run(context.run, print)

    @apart
    def test_threads_have_their_own(self):
        v = self.module.ContextVar("v")
        seen = []

        def work(i):
            seen.append(v.get("none"))
            for n in range(100):
                v.set((i, n))
                seen.append(v.get() == (i, n))

        v.set("main")
        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual((seen.count("none"), seen.count(True), v.get()), (4, 400, "main"))

    @apart
    def test_asyncio_tasks_start_with_their_creators_and_keep_their_own(self):
        v = self.module.ContextVar("v")

        async def child(i):
            seen = v.get()
            v.set((seen, i))
            for _ in range(5):
                await asyncio.sleep(0)
                self.assertEqual(v.get(), (seen, i))
            return await asyncio.get_running_loop().run_in_executor(
                None, self.module.copy_context().run, v.get
            )

        async def main():
            v.set("main")
            got = await asyncio.gather(*(child(i) for i in range(10)))
            self.assertEqual(got, [("main", i) for i in range(10)])
            self.assertEqual(v.get(), "main")

        asyncio.run(main())

    @apart
    def test_objects_go_with_the_last_that_can_see_them(self):
        v = self.module.ContextVar("v")
        things = [Thing() for _ in range(4)]
        gone = [weakref.ref(t) for t in things]
        v.set(things[0])
        kept = self.module.copy_context()
        token = v.set(things[1])
        v.set(things[2])
        v.set(things[3])
        things.clear()
        self.assertEqual([g() is None for g in gone], [False, True, True, False])
        v.reset(token)
        del token
        self.assertEqual([g() is None for g in gone], [False, True, True, True])
        v.set(None)
        self.assertIsNotNone(gone[0]())
        del kept
        self.assertIsNone(gone[0]())


class Contextvars(AsContextvars, unittest.TestCase):
    module = contextvars


class Weft(AsContextvars, unittest.TestCase):
    module = weft


    @apart
    def test_a_token_is_a_context_manager(self):
        v = weft.ContextVar("v")
        with self.assertRaises(ZeroDivisionError), v.set(1) as token:
            self.assertEqual((v.get(), token.var), (1, v))
            1 / 0
        self.assertEqual(v.get("none"), "none")


class Crossing(unittest.TestCase):
    @apart
    def test_c_sees_what_python_has_set_for_the_call_alone(self):
        self.assertEqual(app.app_whoami(), b"nobody")
        token = user.set("ada")
        self.assertEqual(app.app_whoami(), b"ada")
        self.assertEqual(app.app_who_in_a_task(), ord("a"))
        self.assertEqual(plain.app_whoami(), b"nobody")
        user.reset(token)
        self.assertEqual((app.app_whoami(), user.get()), (b"nobody", "nobody"))

    @apart
    def test_python_sees_what_c_has_set(self):
        for name in "ada", "grace":
            app.app_login(name.encode())
            app.app_write(b"note of " + name.encode())
            self.assertEqual((user.get(), note.get()), (name, "note of " + name))
        note.set("mine")
        self.assertEqual(app.app_noted(), b"mine")
        self.assertEqual(weft.Context().run(app.app_noted), None)

    @apart
    def test_what_c_has_reset_is_unset_in_python(self):
        self.assertEqual(level.get(-1), -1)
        app.app_raise(-5)
        self.assertEqual((level.get(), depth.get()), (-5, -5))
        self.assertEqual(app.app_lower(), 0)
        self.assertEqual((level.get(-1), depth.get()), (-1, None))
        self.assertEqual(app.app_height(), 0)

    @apart
    def test_a_task_that_calls_python_has_its_own_context(self):
        user.set("ada")
        seen = []

        @weft.callback(FN)
        def work(arg):
            seen.append((user.get(), threading.get_ident() == main))
            user.set("edith")
            return 3

        main = threading.get_ident()
        self.assertEqual(app.app_task(work), 3)
        self.assertEqual(app.app_task_as(b"grace", work), 3)
        self.assertEqual(seen, [("ada", False), ("grace", False)])
        self.assertEqual(user.get(), "ada")
        self.assertEqual(app.app_who_after(work), ord("e"))

    @apart
    def test_a_callback_within_a_call_shares_its_frame(self):
        user.set("ada")

        @weft.callback(FN)
        def work(arg):
            user.set(user.get() + " and grace")
            depth.set(4)
            return app.app_whoami()[0]

        self.assertEqual(app.app_call(work), ord("a"))
        self.assertEqual((user.get(), depth.get()), ("ada and grace", 4))

    @apart
    def test_callbacks_on_a_worker(self):
        seen = []
        user.set("ada")
        app.app_short_task(FN(lambda arg: seen.append(user.get()) or 0))
        app.app_short_task(weft.callback(FN)(lambda arg: seen.append(user.get()) or 0))
        self.assertEqual(seen, ["ada", "ada"])

    @apart
    def test_tasks_that_wait_in_python_keep_theirs(self):
        @weft.callback(FN)
        def work(arg):
            mine = level.get()
            for i in range(3):
                app.app_sleep((mine * 7 + i * 5) % 11)
                if (level.get(), depth.get(), app.app_height()) != (mine, mine, mine):
                    return -1
            return mine

        self.assertEqual(app.app_tasks(24, work), 0)

    @apart
    def test_python_raises_and_contexts_are_as_they_were(self):
        user.set("ada")
        with self.assertRaises(ctypes.ArgumentError):
            app.app_raise("x")
        with self.assertRaises(ZeroDivisionError), weft.entered():
            self.assertEqual(plain.app_whoami(), b"ada")
            1 / 0
        self.assertEqual((user.get(), plain.app_whoami()), ("ada", b"nobody"))

    @apart
    def test_asyncio_tasks_call_c_each_in_its_own(self):
        async def child(name):
            app.app_login(name.encode())
            request.set("request of " + name)
            for _ in range(5):
                await asyncio.sleep(0)
                if app.app_whoami() != name.encode() or user.get() != name:
                    return "another's"
                with weft.entered():
                    bound = plain.app_text(weft_request.address)
                if bound != b"request of " + name.encode():
                    return "another's request"
            return name

        async def main():
            return await asyncio.gather(*map(child, names))

        names = [f"user {i}" for i in range(20)]
        self.assertEqual(asyncio.run(main()), names)

    def test_kinds(self):
        for value in "", "grün", "x" * 10000, None:
            contextvars.Context().run(self.there_and_back, note, value)
            contextvars.Context().run(self.there_and_back, user, value)
        for value in 0, -1, 1 << 62, -(1 << 63):
            contextvars.Context().run(self.there_and_back, level, value)
        for bad in 1 << 63, "1":
            with self.assertRaises((OverflowError, TypeError)):
                level.set(bad)
        for bad in 5, b"ada":
            with self.assertRaises(TypeError):
                note.set(bad)
        with self.assertRaises(ValueError):
            note.set("ada\0grace")  # not cut short
        with self.assertRaises(ValueError):
            weft.ContextVar.in_dll(app, "app_user", weft.OBJECT)

    def there_and_back(self, var, value):
        var.set(value)
        self.assertEqual(var.get(), value)


class Bridge(unittest.TestCase):
    def bound(self):
        text = app.app_text(weft_request.address)
        return text and text.decode()

    @apart
    def test_c_sees_what_the_contextvar_has(self):
        self.assertIsNone(self.bound())
        token = request.set("r1")
        self.assertEqual(self.bound(), "r1")
        self.assertIsNone(plain.app_text(weft_request.address))
        self.assertNotIn(weft_request, weft.copy_context())
        inner = request.set("r2")
        self.assertEqual(self.bound(), "r2")
        request.reset(inner)
        self.assertEqual(self.bound(), "r1")
        request.reset(token)
        self.assertIsNone(self.bound())

    @apart
    def test_a_task_hands_over_what_it_has(self):
        request.set("r1")
        depth.set(3)
        tenant.set(thing := Thing())
        seen = []

        @weft.callback(FN)
        def work(arg):
            seen.append((request.get(), depth.get(), tenant.get()))
            depth.set(depth.get() + 1)
            return app.app_height() + (app.app_task(work) if depth.get() < 6 else 0)

        self.assertEqual(app.app_task(work), 4 + 5 + 6)
        self.assertEqual(seen, [("r1", n, thing) for n in (3, 4, 5)])
        self.assertEqual(depth.get(), 3)

    @apart
    def test_what_c_sets_is_in_the_contextvar(self):
        depth.set(1)
        app.app_raise(9)
        self.assertEqual(depth.get(), 9)
        app.app_lower()
        self.assertEqual(depth.get(), 1)
        self.assertEqual(contextvars.Context().run(app.app_height), 0)


class Objects(unittest.TestCase):
    """Of values that are objects: each goes once, and not before."""

    @apart
    def test_c_holds_one_and_drops_it_on_a_worker(self):
        v = weft.ContextVar("v")
        thing = Thing()
        gone = weakref.ref(thing)
        token = v.set(thing)
        held = app.app_hold()
        v.reset(token)
        del thing, token
        gc.collect()
        self.assertIsNotNone(gone())
        self.assertEqual(app.app_drop_in_a_task(held), 0)
        gc.collect()
        self.assertIsNone(gone())

    @apart
    def test_what_c_has_dropped_goes_as_others_are_bound(self):
        v = weft.ContextVar("v")
        made, alive = 1500, weakref.WeakSet()
        most = 0
        for _ in range(made):
            alive.add(thing := Thing())
            token = v.set(thing)
            held = app.app_hold()
            v.reset(token)
            del thing, token
            plain.app_drop_in_a_task(held)
            most = max(most, len(alive))
        self.assertLess(most, 600)

    @apart
    def test_workers_bind_again_while_python_lets_go(self):
        v = weft.ContextVar("v")
        thing = Thing()
        gone = weakref.ref(thing)

        @weft.callback(FN)
        def work(arg):
            for i in range(500):
                v.reset(v.set(Thing()))
                if i % 100 == 0:
                    gc.collect()
            return 0 if v.get() is gone() else -1

        token = v.set(thing)
        del thing
        self.assertEqual(app.app_bind_again(v.address, work), 0)
        self.assertIsNotNone(gone())
        v.reset(token)
        del token
        gc.collect()
        self.assertIsNone(gone())

    @apart
    def test_an_object_that_runs_code_when_it_goes(self):
        v = weft.ContextVar("v")
        ends = []

        class Setter:
            def __del__(self):
                v.set("set by one that went")
                ends.append(v.get())

        v.set(Setter())
        v.set(1)
        gc.collect()
        self.assertEqual(ends, ["set by one that went"])

    @apart
    def test_objects_that_hold_tokens_of_others_go(self):
        v = weft.ContextVar("v")
        things = weakref.WeakSet()
        for _ in range(100):
            thing = Thing()
            things.add(thing)
            thing.token = v.set(thing)  # which holds the context before, and that the thing before
        del thing
        v.set(None)
        gc.collect()
        gc.collect()
        self.assertEqual(len(things), 0)


class Process(unittest.TestCase):
    def python(self, *lines, **kwargs):
        lines = ("import sys; sys.argv[1:] = [sys.argv[1]]; from test_weft import *", *lines)
        return subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", "\n".join(lines), APP],
            capture_output=True, text=True, timeout=60, **kwargs,
        )

    def test_the_interpreter_ends_while_workers_bind_and_release_objects(self):
        for _ in range(5):
            end = self.python(
                "v = weft.ContextVar('v'); v.set(Thing())",
                "app.app_never_end(v.address)",
            )
            self.assertEqual((end.returncode, end.stdout, end.stderr), (0, "", ""))

    def test_fork(self):
        end = self.python(
            "import os",
            "user.set('ada')",
            "child = os.fork()",
            "assert app.app_whoami() == b'ada'",
            "user.set('grace')",
            "assert app.app_whoami() == b'grace'",
            "assert not child or os.waitpid(child, 0)[1] == 0",
        )
        self.assertEqual((end.returncode, end.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()

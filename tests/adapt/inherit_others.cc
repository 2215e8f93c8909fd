/* SPDX-License-Identifier: MIT
 *
 * With libweft-inherit.so preloaded: threads that the libraries of an unmodified program create for
 * it, those of C++ and of GLib.
 */
#include <glib.h>
#include <thread>

#include "check.h"

static void look()
{
        CHECK(is(ada));
        CHECK(weft_set(&user, grace, nullptr) == 0);
}

static gpointer look_glib(gpointer data)
{
        look();
        return data;
}

static void standard()
{
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada)
                        std::thread(look).join();
                CHECK(is(ada));
        }
}

static void glib()
{
        WEFT_WITH (&user, ada) {
                WEFT_WITH (&kept, ada)
                        CHECK(g_thread_join(g_thread_new("look", look_glib, ada)) == ada);
                CHECK(is(ada));
        }
}

static const struct test tests[] = {
    {"std::thread", standard},
    {"g_thread_new()", glib},
};

int main()
{
        return RUN_TESTS(tests);
}

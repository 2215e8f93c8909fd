/* SPDX-License-Identifier: MIT
 *
 * C++: a std::thread for ada, a std::async for grace, and a function for any executor, which keeps
 * edith.
 */
#include <cstdio>
#include <functional>
#include <weft/adapt/std.hpp>

static char ada[] = "ada", grace[] = "grace", edith[] = "edith", nobody[] = "nobody";
static weft_var user = WEFT_VAR_INIT("user", .fallback = nobody);

static int serve(const char *what)
{
        return std::printf("%s: %s\n", what, static_cast<char *>(weft_get(&user)));
}

int main()
{
        std::thread thread;
        std::future<int> printed;
        std::function<int()> later;
        WEFT_WITH (&user, ada)
                thread = weft::adapt::thread(serve, "thread");
        thread.join();
        WEFT_WITH (&user, grace)
                printed = weft::adapt::async(std::launch::async, serve, "async");
        int sum = printed.get();
        WEFT_WITH (&user, edith)
                later = weft::adapt::inherit([] { return serve("function"); });
        sum += later();
        return sum + serve("main") < 0;
}

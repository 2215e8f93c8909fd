/* SPDX-License-Identifier: MIT
 *
 * The same program as hello.c, with weft.hpp.
 */
#include <iostream>
#include <string>

#include <weft/weft.hpp>

static weft::var<std::string> user{"user", "nobody"};

static std::string greeting()
{
        return "hello, " + user.get();
}

int main()
{
        weft::pool pool;
        weft::task<std::string> first;
        {
                weft::scope bound(user, "ada");
                first = pool.spawn(greeting);
        }
        std::cout << first.await() << "\n" << greeting() << "\n";
        return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * weft.hpp: orders are priced by tasks that are not told who asks, and one of them fails.
 *
 * The user is a var; each order and its lines are moved into a task; the sum comes back through
 * await(), and so does the exception of the order that has no lines.
 */
#include <iostream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include <weft/weft.hpp>

static weft::var<std::string> user{"user", "nobody"};

struct order {
        std::string name;
        std::vector<int> lines;
};

static int price(const order &o)
{
        if (o.lines.empty())
                throw std::invalid_argument(user.get() + "'s order of " + o.name + " is empty");
        return std::accumulate(o.lines.begin(), o.lines.end(), 0);
}

int main()
{
        weft::pool pool;
        std::vector<weft::task<int>> prices;
        {
                weft::scope bound(user, "ada");
                for (order o : {order{"tea", {3, 4}}, order{"nothing", {}}, order{"cake", {12}}})
                        prices.push_back(pool.spawn([o = std::move(o)] { return price(o); }));
        }
        int sum = 0, refused = 0;
        for (auto &p : prices) {
                try {
                        sum += p.await();
                } catch (const std::invalid_argument &e) {
                        std::cout << e.what() << "\n";
                        refused++;
                }
        }
        std::cout << sum << " to pay, says " << user.get() << "\n";
        return sum == 19 && refused == 1 ? 0 : 1;
}

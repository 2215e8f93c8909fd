/* SPDX-License-Identifier: MIT
 *
 * The example of weft_baggage_parse(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

static int count(const weft_baggage_member *member, void *length)
{
        *(size_t *)length += member->value_length;
        return 0;
}

int main(void)
{
        const char *header = "tenant=42, name=J%C3%BCrgen;trusted, no value, color=red";
        weft_baggage *came = NULL, *more = NULL;
        int r = weft_baggage_parse(header, strlen(header), &came);
        assert(r == 0);

        weft_baggage_member member;
        r = weft_baggage_lookup(came, "name", &member);
        assert(r == 0 && strcmp(member.value, "J\xc3\xbcrgen") == 0);
        assert(strcmp(member.properties, "trusted") == 0);
        r = weft_baggage_lookup(came, "no value", &member);
        assert(r == -ENOENT); /* it broke the grammar */
        size_t length = 0;
        r = weft_baggage_foreach(came, count, &length);
        assert(r == 0 && length == 2 + 7 + 3);

        r = weft_baggage_with(came, "tenant", "a b", NULL, &more);
        assert(r == 0);
        char text[WEFT_BAGGAGE_LENGTH + 1];
        r = weft_baggage_format(more, text, sizeof(text));
        assert(r == (int)strlen(text));
        assert(strcmp(text, "name=J%C3%BCrgen;trusted,color=red,tenant=a%20b") == 0);

        weft_baggage *kept = weft_baggage_ref(more);
        weft_baggage_unref(more);
        weft_baggage_unref(kept);
        weft_baggage_unref(came);
        return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * weft_baggage_parse: what it holds is within the limits and can be written; read again it is the
 * same. And weft_baggage_with: whatever is set is found, here and by whoever reads what is sent.
 *
 * The input is a header; or key, NUL, value, NUL, properties, NUL and a header.
 */
#include "fuzz.h"

static int counts(const weft_baggage_member *m, void *n)
{
        MUST(m->key[0] && m->value[m->value_length] == '\0');
        MUST(!strpbrk(m->key, " ,;=\"\t\r\n") && !strpbrk(m->properties, ", \"\t\r\n"));
        ++*(int *)n;
        return 0;
}

/* Written, and read again; the text is static. */
static const char *written(const weft_baggage *b)
{
        static char text[WEFT_BAGGAGE_LENGTH + 1];
        char again[WEFT_BAGGAGE_LENGTH + 1];
        weft_baggage *read;
        int n = 0;
        MUST(weft_baggage_foreach(b, counts, &n) == 0 && n <= WEFT_BAGGAGE_MEMBERS);
        int length = weft_baggage_format(b, text, sizeof(text));
        MUST(length >= 0 && strlen(text) == (size_t)length);
        for (const char *c = text; *c; c++)
                MUST(*c > ' ' && *c <= '~');
        MUST(weft_baggage_parse(text, (size_t)length, &read) == 0);
        MUST(weft_baggage_format(read, again, sizeof(again)) == length);
        MUST(strcmp(text, again) == 0);
        weft_baggage_unref(read);
        return text;
}

static void sets(const weft_baggage *b, const char *key, const char *value, const char *properties)
{
        weft_baggage *next;
        weft_baggage *read;
        weft_baggage_member m;
        int r = weft_baggage_with(b, key, value, properties, &next);
        MUST(r == 0 || r == -EBADMSG || r == -EMSGSIZE);
        if (r < 0)
                return;
        const char *text = written(next);
        MUST(weft_baggage_parse(text, strlen(text), &read) == 0);
        r = weft_baggage_lookup(read, key, &m);
        MUST(value ? r == 0 && m.value_length == strlen(value) && strcmp(m.value, value) == 0
                   : r == -ENOENT);
        weft_baggage_unref(read);
        weft_baggage_unref(next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *part[3] = {0};
        weft_baggage *b;
        int parts = 0;
        char *text = exact(data, size);
        char *at = text;
        char *end;
        while (parts < 3 && (end = memchr(at, '\0', size - (size_t)(at - text)))) {
                part[parts++] = at;
                at = end + 1;
        }
        MUST(weft_baggage_parse(at, size - (size_t)(at - text), &b) == 0);
        written(b);
        if (parts == 3) {
                sets(b, part[0], part[1], part[2]);
                sets(b, part[0], NULL, NULL);
        }
        weft_baggage_unref(b);
        free(text);
        return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * Text of others, as HTML and JSON want it: see text.h.
 */
#include "text.h"

#include <string.h>

/* Whether a byte may follow the first one of a character of UTF-8 (Unicode, table 3-7). */
static int may_be_second(unsigned char first, unsigned char second)
{
        unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        return second >= least && second <= most;
}

/* How many bytes the character has that text begins with; 0: it is none. */
static size_t character(const char *text)
{
        const unsigned char *s = (const unsigned char *)text;
        if (*s < 0x80)
                return *s >= ' ' && *s != 0x7f;
        if (*s < 0xc2 || *s > 0xf4 || !may_be_second(s[0], s[1]))
                return 0;
        size_t n = *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;
        for (size_t i = 2; i < n; i++)
                if (s[i] >> 6 != 2)
                        return 0;
        return n;
}

/* Write it, with what the table has for a character in its place. */
static void write_with(const char *const *instead, const char *text, FILE *to)
{
        while (*text) {
                size_t n = character(text);
                const char *const *row = instead;
                while (*row && (*row)[0] != *text)
                        row++;
                if (*row)
                        fputs(*row + 1, to);
                else if (n)
                        fwrite(text, 1, n, to);
                else
                        fputc('?', to);
                text += n ? n : 1;
        }
}

void weft__text_html(const char *text, FILE *to)
{
        static const char *const instead[] = {"&&amp;", "<&lt;", ">&gt;", "\"&quot;", NULL};
        write_with(instead, text, to);
}

void weft__text_json(const char *text, FILE *to)
{
        static const char *const instead[] = {"\"\\\"", "\\\\\\", NULL};
        fputc('"', to);
        write_with(instead, text, to);
        fputc('"', to);
}

/* SPDX-License-Identifier: MIT
 *
 * Text of others, as HTML and JSON want it: see text.h.
 */
#include "text.h"

#include <string.h>

#include "context/internal.h"

/* Write it, with what the table has for a character in its place. */
static void write_with(const char *const *instead, const char *text, FILE *to)
{
        while (*text) {
                size_t n = weft__text_character(text, strnlen(text, 4));
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

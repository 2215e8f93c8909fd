/* SPDX-License-Identifier: MIT
 *
 * Text of others, as HTML and JSON want it: see text.h.
 */
#include "text.h"

#include <string.h>

#include "context/internal.h"

/* How many bytes the character has that text begins with; 0: it is none, or not to be written. */
static size_t character(const char *text)
{
        if ((unsigned char)*text < ' ' || *text == 0x7f)
                return 0;
        return weft__utf8_character(text, strnlen(text, 4));
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

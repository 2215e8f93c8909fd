/* SPDX-License-Identifier: MIT
 *
 * Text of others in HTML and JSON: what is special there, and what is no UTF-8.
 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "pool/text.h"

static void becomes(void (*write)(const char *text, FILE *to), const char *text,
                    const char *expected)
{
        char *got = NULL;
        size_t size;
        FILE *memory = open_memstream(&got, &size);
        cr_assert_not_null(memory);
        write(text, memory);
        fclose(memory);
        cr_expect_str_eq(got, expected, "\"%s\" instead of \"%s\"", got, expected);
        free(got);
}

Test(text, what_html_reads_is_written_so_that_it_is_text)
{
        becomes(weft__text_html, "", "");
        becomes(weft__text_html, "<a href=\"x\">&</a>",
                "&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;");
        becomes(weft__text_html, "\\ is as it is", "\\ is as it is");
}

Test(text, json_strings_are_quoted)
{
        becomes(weft__text_json, "", "\"\"");
        becomes(weft__text_json, "\"\\<", "\"\\\"\\\\<\"");
}

Test(text, control_characters_become_question_marks)
{
        becomes(weft__text_html, "a\tb\nc\x7f\x01", "a?b?c??");
        becomes(weft__text_json, "\r", "\"?\"");
        becomes(weft__text_html, "\xc2\x85\xc2\x9b", "????"); /* a line's end, an escape */
}

Test(text, utf_8_is_kept)
{
        static const char *const whole[] = {
            "\xc2\xa0",         "\xdf\xbf",       "\xe0\xa0\x80", "\xe1\x80\x80",
            "\xed\x9f\xbf",     "\xee\x80\x80",   "\xef\xbf\xbf", "\xf0\x90\x80\x80",
            "\xf4\x8f\xbf\xbf", "a\xe2\x82\xac-",
        };
        for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++)
                becomes(weft__text_html, whole[i], whole[i]);
}

Test(text, what_is_no_utf_8_becomes_a_question_mark_a_byte)
{
        becomes(weft__text_html, "\x80", "?");
        becomes(weft__text_html, "\xc1\xbf", "??");           /* too long for a slash */
        becomes(weft__text_html, "\xc3", "?");                /* cut */
        becomes(weft__text_html, "\xc3(", "?(");              /* not followed */
        becomes(weft__text_html, "\xe0\x9f\xbf", "???");      /* too long */
        becomes(weft__text_html, "\xed\xa0\x80", "???");      /* half of a pair */
        becomes(weft__text_html, "\xe2\x82", "??");           /* cut */
        becomes(weft__text_html, "\xf0\x8f\xbf\xbf", "????"); /* too long */
        becomes(weft__text_html, "\xf4\x90\x80\x80", "????"); /* beyond the last */
        becomes(weft__text_html, "\xf5\x80\x80\x80", "????"); /* no first byte */
        becomes(weft__text_html, "\xf0\x90\x80<", "???&lt;"); /* cut by something else */
        becomes(weft__text_html, "\xff\xfe", "??");
}

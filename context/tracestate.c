/* SPDX-License-Identifier: MIT
 *
 * The tracestate header: its grammar, and its limits.
 *
 * A state is read into at most 32 members that point into its text, changed as such, and written
 * out again. Every byte of what comes in is looked at once, but for the keys, which are compared
 * with those of the members before.
 */
#include "tracestate.h"

#include <stdbool.h>
#include <string.h>

#include <weft/trace.h>

enum { KEY_MAX = 256, VALUE_MAX = 256, LONG_MEMBER = 128 };

struct member {
        const char *text; /* "key=value" */
        size_t key, length;
};

struct list {
        struct member member[WEFT_TRACESTATE_MEMBERS];
        size_t n;
};

static bool begins_key(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_key(const char *text, size_t length)
{
        if (length == 0 || length > KEY_MAX || !begins_key(text[0]))
                return false;
        for (size_t i = 1; i < length; i++)
                if (!begins_key(text[i]) && text[i] != '_' && text[i] != '-' && text[i] != '*' &&
                    text[i] != '/' && text[i] != '@')
                        return false;
        return true;
}

/* Printable, without comma or equals sign, not a space at the end. */
static bool is_value(const char *text, size_t length)
{
        if (length == 0 || length > VALUE_MAX || text[length - 1] == ' ')
                return false;
        for (size_t i = 0; i < length; i++)
                if (text[i] < 0x20 || text[i] > 0x7e || text[i] == ',' || text[i] == '=')
                        return false;
        return true;
}

static bool same_key(const struct member *a, const struct member *b)
{
        return a->key == b->key && memcmp(a->text, b->text, a->key) == 0;
}

static bool has_key(const struct list *list, const struct member *m)
{
        for (size_t i = 0; i < list->n; i++)
                if (same_key(&list->member[i], m))
                        return true;
        return false;
}

static bool is_space(char c)
{
        return c == ' ' || c == '\t';
}

/* The next member of what is left of the text: its bounds, without white space around it. */
static struct member next_member(const char **text, size_t *left)
{
        const char *comma = memchr(*text, ',', *left);
        size_t whole = comma ? (size_t)(comma - *text) : *left;
        struct member m = {.text = *text, .length = whole};
        size_t used = comma ? whole + 1 : whole;
        *text += used;
        *left -= used;
        for (; m.length > 0 && is_space(m.text[0]); m.length--)
                m.text++;
        while (m.length > 0 && is_space(m.text[m.length - 1]))
                m.length--;
        return m;
}

static bool read_list(const char *text, size_t left, struct list *ret)
{
        size_t seen = 0;
        ret->n = 0;
        while (left > 0) {
                struct member m = next_member(&text, &left);
                if (m.length == 0)
                        continue;
                const char *equals = memchr(m.text, '=', m.length);
                if (!equals || ++seen > WEFT_TRACESTATE_MEMBERS)
                        return false;
                m.key = (size_t)(equals - m.text);
                if (!is_key(m.text, m.key) || !is_value(equals + 1, m.length - m.key - 1))
                        return false;
                if (!has_key(ret, &m))
                        ret->member[ret->n++] = m;
        }
        return true;
}

static size_t length_of(const struct list *list)
{
        size_t length = list->n > 0 ? list->n - 1 : 0; /* the commas */
        for (size_t i = 0; i < list->n; i++)
                length += list->member[i].length;
        return length;
}

static void take_out(struct list *list, size_t at)
{
        list->n--;
        memmove(&list->member[at], &list->member[at + 1], (list->n - at) * sizeof(list->member[0]));
}

/* While it is too long: from the end members that are long, but for the first `keep`; then any. No
 * member that is kept is too long by itself. */
static void shorten(struct list *list, size_t keep)
{
        for (size_t i = list->n; i-- > keep && length_of(list) > WEFT_TRACESTATE_LENGTH;)
                if (list->member[i].length > LONG_MEMBER)
                        take_out(list, i);
        while (length_of(list) > WEFT_TRACESTATE_LENGTH)
                list->n--;
}

static int write_list(const struct list *list, char *ret_state)
{
        char *at = ret_state;
        for (size_t i = 0; i < list->n; i++) {
                if (i > 0)
                        *at++ = ',';
                memcpy(at, list->member[i].text, list->member[i].length);
                at += list->member[i].length;
        }
        *at = '\0';
        return (int)(at - ret_state);
}

int weft_tracestate_parse(const char *text, size_t length, char *ret_state)
{
        struct list list;
        if (!text || !ret_state)
                return -EINVAL;
        if (!read_list(text, length, &list))
                return -EBADMSG;
        shorten(&list, 0);
        return write_list(&list, ret_state);
}

int weft__tracestate_with(const char *state, const char *key, const char *value, char *ret_state)
{
        struct list list;
        char text[KEY_MAX + 1 + VALUE_MAX + 1];
        struct member m = {.text = text, .key = strlen(key)};
        size_t length = value ? strlen(value) : 0;
        if (!is_key(key, m.key) || (value && !is_value(value, length)))
                return -EBADMSG;
        read_list(state, strlen(state), &list); /* all of it, as it is valid */
        memcpy(text, key, m.key);
        for (size_t i = 0; i < list.n;)
                if (same_key(&list.member[i], &m))
                        take_out(&list, i);
                else
                        i++;
        if (value) {
                text[m.key] = '=';
                memcpy(text + m.key + 1, value, length + 1);
                m.length = m.key + 1 + length;
                if (m.length > WEFT_TRACESTATE_LENGTH)
                        return -EMSGSIZE;
                list.n -= list.n == WEFT_TRACESTATE_MEMBERS;
                memmove(&list.member[1], &list.member[0], list.n * sizeof(list.member[0]));
                list.member[0] = m;
                list.n++;
        }
        shorten(&list, value != NULL);
        return write_list(&list, ret_state);
}

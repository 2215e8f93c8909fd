/* SPDX-License-Identifier: MIT
 *
 * W3C Baggage: a list of members in one piece of memory, which does not change once it is made.
 *
 * Invariant: n <= 180, and `written`, the length of the header that it makes, <= 8192; so what is
 * held can always be sent, and offsets fit 16 bits. Memory is asked for once, for the most that the
 * input can come to.
 */
#include <weft/baggage.h>

#include <string.h>

#include "codecs.h"
#include "counted.h"
#include "memory.h"
#include "percent.h"

enum { NULS = 3 }; /* in the text of each member */

struct place {
        uint16_t key, value, value_length, properties;
};

struct weft_baggage {
        weft__refs refs;
        size_t size;    /* of all of it */
        size_t written; /* as a header */
        char *text;     /* of the members, one after the other: key, value, properties */
        size_t used;    /* of that */
        size_t n;
        struct place at[];
};

struct span {
        const char *text;
        size_t length;
};

/* ---- building one ---- */

static weft_baggage *make(size_t members, size_t text)
{
        size_t size = sizeof(weft_baggage) + members * sizeof(struct place) + text + NULS * members;
        weft_baggage *b = weft__alloc(size);
        if (!b)
                return NULL;
        *b = (weft_baggage){.size = size, .text = (char *)(b->at + members)};
        atomic_init(&b->refs, 1);
        return b;
}

static uint16_t put(weft_baggage *b, struct span s)
{
        size_t at = b->used;
        memcpy(b->text + at, s.text, s.length);
        b->text[at + s.length] = '\0';
        b->used += s.length + 1;
        return (uint16_t)at;
}

/* Make a member of what was put last, from `value` on: false, and there is none, if it is too
 * much. */
static bool add_put(weft_baggage *b, struct place p)
{
        size_t properties = b->used - p.properties - 1;
        size_t length = (size_t)(p.value - p.key) + /* the key, and = for its NUL */
                        weft__percent_length(b->text + p.value, p.value_length) +
                        (properties ? 1 + properties : 0) + (b->n > 0 ? 1 : 0);
        if (b->n == WEFT_BAGGAGE_MEMBERS || b->written + length > WEFT_BAGGAGE_LENGTH) {
                b->used = p.key;
                return false;
        }
        b->written += length;
        b->at[b->n++] = p;
        return true;
}

static bool add(weft_baggage *b, const weft_baggage_member *m)
{
        struct place p = {.value_length = (uint16_t)m->value_length};
        p.key = put(b, (struct span){m->key, strlen(m->key)});
        p.value = put(b, (struct span){m->value, m->value_length});
        p.properties = put(b, (struct span){m->properties, strlen(m->properties)});
        return add_put(b, p);
}

static weft_baggage_member member_at(const weft_baggage *b, size_t i)
{
        const struct place *p = &b->at[i];
        return (weft_baggage_member){b->text + p->key, b->text + p->value, p->value_length,
                                     b->text + p->properties};
}

/* ---- reading a header ---- */

static struct span trimmed(struct span s)
{
        for (; s.length > 0 && (s.text[0] == ' ' || s.text[0] == '\t'); s.length--)
                s.text++;
        while (s.length > 0 && (s.text[s.length - 1] == ' ' || s.text[s.length - 1] == '\t'))
                s.length--;
        return s;
}

/* What stands before the next `end`, trimmed; *rest goes on behind it, and has no text if there is
 * nothing. */
static struct span before(struct span *rest, char end)
{
        const char *at = memchr(rest->text, end, rest->length);
        struct span s = {rest->text, at ? (size_t)(at - rest->text) : rest->length};
        if (at)
                *rest = (struct span){at + 1, rest->length - s.length - 1};
        else
                *rest = (struct span){NULL, 0};
        return trimmed(s);
}

/* Into key and value at the first '='; false: there is none. */
static bool divide(struct span s, struct span *ret_key, struct span *ret_value)
{
        *ret_key = before(&s, '=');
        *ret_value = trimmed(s);
        return s.text != NULL;
}

/* Put the properties, with no white space around anything; false: they break the grammar. */
static bool put_properties(weft_baggage *b, struct span rest, uint16_t *ret_at)
{
        size_t begin = b->used;
        while (rest.text) {
                struct span key;
                struct span value;
                bool has_value = divide(before(&rest, ';'), &key, &value);
                if (!weft__is_token(key.text, key.length) ||
                    (has_value && !weft__is_coded(value.text, value.length)))
                        return false;
                if (b->used > begin)
                        b->text[b->used++] = ';';
                memcpy(b->text + b->used, key.text, key.length);
                b->used += key.length;
                if (!has_value)
                        continue;
                b->text[b->used++] = '=';
                memcpy(b->text + b->used, value.text, value.length);
                b->used += value.length;
        }
        b->text[b->used++] = '\0';
        *ret_at = (uint16_t)begin;
        return true;
}

/* One member as it came; it is left out if it is none, or too much. */
static void read_member(weft_baggage *b, struct span whole)
{
        struct span key;
        struct span value;
        struct place p;
        struct span rest = whole;
        if (!divide(before(&rest, ';'), &key, &value) || !weft__is_token(key.text, key.length) ||
            !weft__is_coded(value.text, value.length))
                return;
        p.key = put(b, key);
        p.value = (uint16_t)b->used;
        p.value_length =
            (uint16_t)weft__percent_decode(value.text, value.length, b->text + p.value);
        b->used += (size_t)p.value_length + 1;
        if (!put_properties(b, rest, &p.properties))
                b->used = p.key;
        else
                add_put(b, p);
}

/* The members that end within what is looked at. */
static struct span within_limit(const char *text, size_t length)
{
        if (length > WEFT_BAGGAGE_LENGTH) {
                length = WEFT_BAGGAGE_LENGTH;
                while (length > 0 && text[length] != ',')
                        length--;
        }
        return (struct span){text, length};
}

static size_t members_in(struct span s)
{
        size_t n = 1;
        for (size_t i = 0; i < s.length; i++)
                n += s.text[i] == ',';
        return n < WEFT_BAGGAGE_MEMBERS ? n : WEFT_BAGGAGE_MEMBERS;
}

/* What holds nothing is NULL. */
static weft_baggage *unless_empty(weft_baggage *b)
{
        return b->n > 0 ? b : weft_baggage_unref(b);
}

int weft_baggage_parse(const char *text, size_t length, weft_baggage **ret)
{
        if (!text || !ret)
                return -EINVAL;
        struct span rest = within_limit(text, length);
        /* One more than can be kept, for the one that turns out to be too much. */
        weft_baggage *b = make(members_in(rest) + 1, rest.length);
        if (!b)
                return -ENOMEM;
        while (rest.text && b->n < WEFT_BAGGAGE_MEMBERS)
                read_member(b, before(&rest, ','));
        *ret = unless_empty(b);
        return 0;
}

/* ---- the rest of it ---- */

int weft_baggage_format(const weft_baggage *baggage, char *ret_text, size_t size)
{
        if (!ret_text)
                return -EINVAL;
        if (size <= (baggage ? baggage->written : 0))
                return -EMSGSIZE;
        char *at = ret_text;
        for (size_t i = 0; baggage && i < baggage->n; i++) {
                weft_baggage_member m = member_at(baggage, i);
                if (i > 0)
                        *at++ = ',';
                at = stpcpy(at, m.key);
                *at++ = '=';
                at += weft__percent_encode(m.value, m.value_length, at);
                if (m.properties[0]) {
                        *at++ = ';';
                        at = stpcpy(at, m.properties);
                }
        }
        *at = '\0';
        return (int)(at - ret_text);
}

int weft_baggage_foreach(const weft_baggage *baggage,
                         int (*visit)(const weft_baggage_member *member, void *arg), void *arg)
{
        int r = 0;
        if (!visit)
                return -EINVAL;
        for (size_t i = 0; baggage && i < baggage->n && r == 0; i++) {
                weft_baggage_member m = member_at(baggage, i);
                r = visit(&m, arg);
        }
        return r;
}

int weft_baggage_lookup(const weft_baggage *baggage, const char *key, weft_baggage_member *ret)
{
        if (!key || !ret)
                return -EINVAL;
        for (size_t i = baggage ? baggage->n : 0; i-- > 0;) {
                weft_baggage_member m = member_at(baggage, i);
                if (strcmp(m.key, key) == 0) {
                        *ret = m;
                        return 0;
                }
        }
        return -ENOENT;
}

/* All members but those with that key. */
static void add_others(weft_baggage *b, const weft_baggage *from, const char *key)
{
        for (size_t i = 0; from && i < from->n; i++) {
                weft_baggage_member m = member_at(from, i);
                if (strcmp(m.key, key) != 0)
                        add(b, &m);
        }
}

/* One more, at the end. */
static int add_checked(weft_baggage *b, const weft_baggage_member *m)
{
        struct place p = {.value_length = (uint16_t)m->value_length};
        p.key = put(b, (struct span){m->key, strlen(m->key)});
        p.value = put(b, (struct span){m->value, m->value_length});
        struct span properties = {m->properties, strlen(m->properties)};
        if (properties.length == 0)
                p.properties = put(b, properties);
        else if (!put_properties(b, properties, &p.properties))
                return -EBADMSG;
        return add_put(b, p) ? 0 : -EMSGSIZE;
}

int weft_baggage_with(const weft_baggage *baggage, const char *key, const char *value,
                      const char *properties, weft_baggage **ret)
{
        if (!key || !ret)
                return -EINVAL;
        weft_baggage_member m = {key, value ? value : "", 0, properties ? properties : ""};
        size_t length = strlen(key);
        m.value_length = strlen(m.value);
        if (!weft__is_token(key, length) || !weft__is_utf8(m.value, m.value_length))
                return -EBADMSG;
        length += m.value_length + strlen(m.properties);
        if (length > WEFT_BAGGAGE_LENGTH)
                return -EMSGSIZE;
        weft_baggage *b =
            make((baggage ? baggage->n : 0) + 1, (baggage ? baggage->used : 0) + length);
        if (!b)
                return -ENOMEM;
        add_others(b, baggage, key);
        int r = value ? add_checked(b, &m) : 0;
        if (r < 0)
                weft_baggage_unref(b);
        else
                *ret = unless_empty(b);
        return r;
}

weft_baggage *weft_baggage_ref(weft_baggage *baggage)
{
        if (baggage)
                weft__refs_up(&baggage->refs);
        return baggage;
}

weft_baggage *weft_baggage_unref(weft_baggage *baggage)
{
        if (baggage && weft__refs_down(&baggage->refs))
                weft__free(baggage, baggage->size);
        return NULL;
}

/* ---- the var ---- */

static void retain(void *baggage)
{
        weft_baggage_ref(baggage);
}

static void release(void *baggage)
{
        weft_baggage_unref(baggage);
}

static weft_var baggage_var = WEFT_VAR_INIT("baggage", .retain = retain, .release = release);

weft_var *weft_baggage_var(void)
{
        return &baggage_var;
}

const char *weft_baggage_get(const char *key)
{
        weft_baggage_member m;
        if (weft_baggage_lookup(weft_get(&baggage_var), key, &m) < 0)
                return NULL;
        return strlen(m.value) == m.value_length ? m.value : NULL;
}

int weft_baggage_set(const char *key, const char *value, const char *properties,
                     weft_token *ret_token)
{
        weft_baggage *b;
        int r = weft_baggage_with(weft_get(&baggage_var), key, value, properties, &b);
        if (r < 0)
                return r;
        r = weft_set(&baggage_var, b, ret_token);
        weft_baggage_unref(b);
        return r;
}

static int encode(const void *baggage, char *ret_text, size_t size)
{
        return baggage ? weft_baggage_format(baggage, ret_text, size) : -ENOENT;
}

static int decode(const char *text, size_t length, void *so_far, void **ret_value)
{
        weft_baggage *b;
        (void)so_far;
        int r = weft_baggage_parse(text, length, &b);
        if (r == 0 && !b)
                return -ENOENT;
        if (r == 0)
                *ret_value = b;
        return r;
}

weft_codec weft__codec_baggage = {
    .var = &baggage_var,
    .name = "baggage",
    .flags = WEFT_CODEC_LIST,
    .encode = encode,
    .decode = decode,
};

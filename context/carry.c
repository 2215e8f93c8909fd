/* SPDX-License-Identifier: MIT
 *
 * The codecs, and contexts as headers: all that crosses a border goes by inject and extract here.
 *
 * The codecs are a list in their owners' memory that only grows, at its end, and needs no lock; so
 * neither a fork nor want of memory can come in between.
 *
 * Pairings
 *  N2  a codec is linked (release, by compare-and-swap) -> found (acquire): its fields
 */
#include <weft/carry.h>

#include <string.h>

#include "carry.h"
#include "codecs.h"
#include "cross.h"
#include "internal.h"

/* ---- the codecs ---- */

static weft_codec *first_codec(void)
{
        return &weft__codec_traceparent;
}

static weft_codec *next_codec(const weft_codec *codec)
{
        return __atomic_load_n(&codec->weft__next, __ATOMIC_ACQUIRE); /* -> N2 */
}

static bool is_name(const char *name)
{
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
        return name[0] >= 'a' && name[n] == '\0' && n <= WEFT_CARRY_NAME_MAX;
}

int weft_codec_register(weft_codec *codec)
{
        if (!codec || !codec->var || !codec->name || !codec->encode || !codec->decode ||
            (codec->flags & ~(unsigned)WEFT_CODEC_LIST) || !is_name(codec->name))
                return -EINVAL;
        weft_codec *last = first_codec();
        for (;;) {
                weft_codec *next = next_codec(last);
                if (strcmp(last->name, codec->name) == 0)
                        return -EALREADY;
                /* N2 ->; on failure somebody else's is next */
                if (!next && __atomic_compare_exchange_n(&last->weft__next, &next, codec, false,
                                                         __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
                        return 0;
                last = next;
        }
}

/* ---- inject ---- */

/* Neither a line's end nor any other control character but the tab. */
static bool is_sendable(const char *text)
{
        for (; *text; text++)
                if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
                        return false;
        return true;
}

/* 1, 0 if there is nothing to be sent, or an error. */
static int inject_one(const weft_context *context, const weft_codec *codec, char *text,
                      weft_put *put, void *arg)
{
        void *value;
        if (weft_context_lookup(context, codec->var, &value) < 0)
                return 0;
        int r = codec->encode(value, text, WEFT_CARRY_VALUE_MAX + 1);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (!is_sendable(text))
                return -EBADMSG;
        r = put(arg, codec->name, text);
        return r < 0 ? r : 1;
}

int weft_context_inject(const weft_context *context, weft_put *put, void *arg)
{
        if (!put)
                return -EINVAL;
        weft_context *across;
        int r = weft__context_across((weft_context *)context, WEFT_BORDER_PROCESS, NULL, &across);
        if (r < 0)
                return r;
        char *text = weft__alloc(WEFT_CARRY_VALUE_MAX + 1);
        if (!text) {
                weft_context_unref(across);
                return -ENOMEM;
        }
        int n = 0;
        for (const weft_codec *c = first_codec(); c && r >= 0; c = next_codec(c)) {
                r = inject_one(across, c, text, put, arg);
                n += r > 0;
        }
        weft__free(text, WEFT_CARRY_VALUE_MAX + 1);
        weft_context_unref(across);
        return r < 0 ? r : n;
}

/* ---- extract ---- */

struct extract {
        weft_find *find;
        void *arg;
        char *text; /* of the header at hand: 8192 bytes and a NUL */
        int n;      /* that could be read */
};

static bool is_space(char c)
{
        return c == ' ' || c == '\t';
}

static const char *find_trimmed(const struct extract *e, const char *name, size_t index,
                                size_t *ret_length)
{
        *ret_length = 0;
        const char *text = e->find(e->arg, name, index, ret_length);
        for (; text && *ret_length > 0 && is_space(text[0]); --*ret_length)
                text++;
        while (text && *ret_length > 0 && is_space(text[*ret_length - 1]))
                --*ret_length;
        return text;
}

static bool collect_one(const struct extract *e, const char *name, size_t *ret_length)
{
        size_t second;
        const char *text = find_trimmed(e, name, 0, ret_length);
        if (!text || *ret_length > WEFT_CARRY_VALUE_MAX)
                return false;
        memcpy(e->text, text, *ret_length);
        return !find_trimmed(e, name, 1, &second);
}

/* All of the name, with commas between, as far as whole elements fit. Each takes a byte at least,
 * so that this ends, whatever find finds. */
static bool collect_list(const struct extract *e, const char *name, size_t *ret_length)
{
        size_t used = 0;
        size_t length;
        const char *text = find_trimmed(e, name, 0, &length);
        if (!text)
                return false;
        for (size_t i = 1; text; i++) {
                size_t room = WEFT_CARRY_VALUE_MAX - used;
                bool fits = length <= room;
                size_t taken = fits ? length : room;
                memcpy(e->text + used, text, taken);
                used += taken;
                if (!fits && text[taken] != ',')
                        while (used > 0 && e->text[used - 1] != ',')
                                used--;
                if (!fits || used == WEFT_CARRY_VALUE_MAX)
                        break;
                text = find_trimmed(e, name, i, &length);
                if (text)
                        e->text[used++] = ',';
        }
        while (used > 0 && is_space(e->text[used - 1])) /* of what was cut */
                used--;
        *ret_length = used;
        return true;
}

/* Put what the codec reads in place of *value, whose reference is ours. 0: it cannot be read. */
static int decode_one(struct extract *e, const weft_codec *codec, void **value, bool *has)
{
        size_t length = 0;
        void *next;
        bool is_list = codec->flags & WEFT_CODEC_LIST;
        if (!(is_list ? collect_list : collect_one)(e, codec->name, &length))
                return 0;
        e->text[length] = '\0';
        int r = codec->decode(e->text, length, *has ? *value : NULL, &next);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        if (*has && codec->var->release)
                codec->var->release(*value);
        *value = next;
        *has = true;
        e->n++;
        return 0;
}

/* All codecs of the var that the first one is for. The reference goes to the binding, if that takes
 * none of its own. */
static int extract_var(struct extract *e, const weft_codec *first, weft_context **context)
{
        const weft_var *var = first->var;
        void *value = NULL;
        bool has = false;
        weft_context *next;
        int r = 0;
        for (const weft_codec *c = first; c && r == 0; c = next_codec(c))
                if (c->var == var)
                        r = decode_one(e, c, &value, &has);
        if (!has)
                return r;
        if (r == 0)
                r = weft_context_with(*context, first->var, value, &next);
        if (r == 0) {
                weft_context_unref(*context);
                *context = next;
        }
        if (var->release && (r < 0 || var->retain))
                var->release(value);
        return r;
}

static bool is_first_of_its_var(const weft_codec *codec)
{
        const weft_codec *c = first_codec();
        while (c->var != codec->var)
                c = next_codec(c);
        return c == codec;
}

int weft_context_extract(weft_context *base, weft_find *find, void *arg, weft_context **ret)
{
        if (!find || !ret)
                return -EINVAL;
        struct extract e = {.find = find, .arg = arg};
        e.text = weft__alloc(WEFT_CARRY_VALUE_MAX + 1);
        if (!e.text)
                return -ENOMEM;
        weft_context *context = weft_context_ref(base);
        int r = 0;
        for (const weft_codec *c = first_codec(); c && r == 0; c = next_codec(c))
                if (is_first_of_its_var(c))
                        r = extract_var(&e, c, &context);
        weft__free(e.text, WEFT_CARRY_VALUE_MAX + 1);
        if (r < 0) {
                weft_context_unref(context);
                return r;
        }
        *ret = context;
        return e.n;
}

/* ---- names in an environment ---- */

void weft__environ_name(const char *name, char *ret)
{
        for (; *name; name++)
                *ret++ = (char)(*name == '-' ? '_' : *name >= 'a' ? *name - 'a' + 'A' : *name);
        *ret = '\0';
}

bool weft__codec_has_environ_name(const char *text, size_t length)
{
        char name[WEFT_CARRY_NAME_MAX + 1];
        for (const weft_codec *c = first_codec(); c; c = next_codec(c)) {
                weft__environ_name(c->name, name);
                if (strlen(name) == length && memcmp(name, text, length) == 0)
                        return true;
        }
        return false;
}

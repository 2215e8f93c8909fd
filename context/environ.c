/* SPDX-License-Identifier: MIT
 *
 * Contexts as the environment of a program: one that is made for a child, and one that was found.
 *
 * One that is made is a single block: its size, the pointers, the strings.
 */
#include <weft/carry.h>

#include <string.h>
#include <unistd.h>

#include "carry.h"
#include "memory.h"

struct block {
        size_t size;
        char *strings[];
};

/* ---- out ---- */

struct collected {
        struct weft__buffer text; /* one NUL after each */
        size_t n;
};

static int add_string(struct collected *c, const char *string)
{
        c->n++;
        return weft__buffer_add(&c->text, string, strlen(string) + 1);
}

static int put_string(void *arg, const char *name, const char *value)
{
        struct collected *c = arg;
        char start[WEFT_CARRY_NAME_MAX + 1];
        weft__environ_name(name, start);
        size_t length = strlen(start);
        start[length] = '='; /* in place of the NUL */
        int r = weft__buffer_add(&c->text, start, length + 1);
        return r < 0 ? r : add_string(c, value);
}

static int add_others(struct collected *c, char *const *base)
{
        int r = 0;
        for (; base && *base && r == 0; base++)
                if (!weft__codec_has_environ_name(*base, strcspn(*base, "=")))
                        r = add_string(c, *base);
        return r;
}

static int make_block(const struct collected *c, char ***ret_environ)
{
        size_t size = sizeof(struct block) + (c->n + 1) * sizeof(char *) + c->text.used;
        struct block *block = weft__alloc(size);
        if (!block)
                return -ENOMEM;
        block->size = size;
        char *at = (char *)(block->strings + c->n + 1);
        if (c->text.used)
                memcpy(at, c->text.bytes, c->text.used);
        for (size_t i = 0; i < c->n; i++) {
                block->strings[i] = at;
                at += strlen(at) + 1;
        }
        block->strings[c->n] = NULL;
        *ret_environ = block->strings;
        return 0;
}

int weft_context_environ(const weft_context *context, char *const *base, char ***ret_environ)
{
        struct collected c = {0};
        if (!ret_environ)
                return -EINVAL;
        int n = 0;
        int r = add_others(&c, base ? base : environ);
        if (r == 0)
                r = n = weft_context_inject(context, put_string, &c);
        if (r >= 0)
                r = make_block(&c, ret_environ);
        weft__buffer_fini(&c.text);
        return r < 0 ? r : n;
}

char **weft_environ_free(char **environment)
{
        if (environment) {
                struct block *block =
                    (struct block *)((char *)environment - offsetof(struct block, strings));
                weft__free(block, block->size);
        }
        return NULL;
}

/* ---- in ---- */

static const char *find_string(void *arg, const char *name, size_t index, size_t *ret_length)
{
        char wanted[WEFT_CARRY_NAME_MAX + 1];
        size_t length = strlen(name);
        weft__environ_name(name, wanted);
        for (char *const *s = arg; index == 0 && s && *s; s++) {
                if (strncmp(*s, wanted, length) == 0 && (*s)[length] == '=') {
                        *ret_length = strlen(*s + length + 1);
                        return *s + length + 1;
                }
        }
        return NULL;
}

int weft_context_from_environ(weft_context *base, char *const *environment, weft_context **ret)
{
        return weft_context_extract(base, find_string,
                                    (void *)(environment ? environment : environ), ret);
}

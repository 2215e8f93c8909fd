/* SPDX-License-Identifier: MIT
 *
 * Contexts as bytes. What comes in is walked once from end to end before anything is made of it, so
 * that nothing of it is taken if it is not well-formed; from then on it is a list of headers.
 */
#include <weft/carry.h>

#include <stdint.h>
#include <string.h>

#include "carry.h"
#include "memory.h"

enum { HEAD = 8, FIELD = 3, FIRST_SIZE = 512 }; /* before all; before each name */

static const char magic[4] = {'w', 'f', 't', 1};

/* ---- the buffer ---- */

int weft__buffer_add(struct weft__buffer *buffer, const void *bytes, size_t n)
{
        if (n > buffer->size - buffer->used) {
                size_t size = buffer->size ? buffer->size : FIRST_SIZE;
                while (n > size - buffer->used)
                        size *= 2;
                char *more = weft__alloc(size);
                if (!more)
                        return -ENOMEM;
                if (buffer->used)
                        memcpy(more, buffer->bytes, buffer->used);
                size_t used = buffer->used;
                weft__buffer_fini(buffer);
                *buffer = (struct weft__buffer){more, used, size};
        }
        memcpy(buffer->bytes + buffer->used, bytes, n);
        buffer->used += n;
        return 0;
}

void weft__buffer_fini(struct weft__buffer *buffer)
{
        if (buffer->bytes)
                weft__free(buffer->bytes, buffer->size);
        *buffer = (struct weft__buffer){0};
}

/* ---- out ---- */

static int put_field(void *arg, const char *name, const char *value)
{
        struct weft__buffer *b = arg;
        size_t name_length = strlen(name);
        size_t length = strlen(value);
        unsigned char field[FIELD] = {(unsigned char)name_length, (unsigned char)length,
                                      (unsigned char)(length >> 8)};
        if (b->used + FIELD + name_length + length > WEFT_CARRY_BYTES_MAX)
                return -EMSGSIZE;
        int r = weft__buffer_add(b, field, FIELD);
        if (r == 0)
                r = weft__buffer_add(b, name, name_length);
        if (r == 0)
                r = weft__buffer_add(b, value, length);
        return r;
}

int weft_context_to_bytes(const weft_context *context, void *ret_bytes, size_t size)
{
        struct weft__buffer b = {0};
        unsigned char head[HEAD] = {0};
        if (size > 0 && !ret_bytes)
                return -EINVAL;
        int r = weft__buffer_add(&b, head, HEAD);
        if (r == 0)
                r = weft_context_inject(context, put_field, &b);
        if (r >= 0) {
                uint32_t rest = (uint32_t)(b.used - HEAD);
                memcpy(b.bytes, magic, sizeof(magic));
                for (int i = 0; i < 4; i++)
                        b.bytes[sizeof(magic) + (size_t)i] = (char)(rest >> 8 * i);
                if (b.used <= size)
                        memcpy(ret_bytes, b.bytes, b.used);
                r = (int)b.used;
        }
        weft__buffer_fini(&b);
        return r;
}

/* ---- in ---- */

struct fields {
        const unsigned char *at, *end;
};

struct field {
        const char *name, *value;
        size_t name_length, length;
};

/* The next one; false: there is none that is whole. */
static bool next_field(struct fields *f, struct field *ret)
{
        size_t left = (size_t)(f->end - f->at);
        if (left < FIELD)
                return false;
        ret->name_length = f->at[0];
        ret->length = f->at[1] | (size_t)f->at[2] << 8;
        if (ret->name_length == 0 || ret->name_length > WEFT_CARRY_NAME_MAX ||
            ret->length > WEFT_CARRY_VALUE_MAX || ret->name_length + ret->length > left - FIELD)
                return false;
        ret->name = (const char *)f->at + FIELD;
        ret->value = ret->name + ret->name_length;
        f->at += FIELD + ret->name_length + ret->length;
        return true;
}

static bool is_well_formed(const unsigned char *bytes, size_t length)
{
        uint32_t rest = 0;
        struct field field;
        if (length < HEAD || length > WEFT_CARRY_BYTES_MAX ||
            memcmp(bytes, magic, sizeof(magic)) != 0)
                return false;
        for (size_t i = 0; i < 4; i++)
                rest |= (uint32_t)bytes[sizeof(magic) + i] << 8 * i;
        if (rest != length - HEAD)
                return false;
        struct fields f = {bytes + HEAD, bytes + length};
        while (next_field(&f, &field))
                ;
        return f.at == f.end;
}

static const char *find_field(void *arg, const char *name, size_t index, size_t *ret_length)
{
        struct fields f = *(struct fields *)arg;
        struct field field;
        size_t length = strlen(name);
        while (index == 0 && next_field(&f, &field)) {
                if (field.name_length == length && memcmp(field.name, name, length) == 0) {
                        *ret_length = field.length;
                        return field.value;
                }
        }
        return NULL;
}

int weft_context_from_bytes(weft_context *base, const void *bytes, size_t length,
                            weft_context **ret)
{
        if (!bytes || !ret)
                return -EINVAL;
        if (!is_well_formed(bytes, length))
                return -EBADMSG;
        struct fields f = {(const unsigned char *)bytes + HEAD,
                           (const unsigned char *)bytes + length};
        return weft_context_extract(base, find_field, &f, ret);
}

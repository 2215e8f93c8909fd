/* SPDX-License-Identifier: MIT
 *
 * Percent-coding (RFC 3986) of values of baggage, and the UTF-8 below it.
 */
#include "percent.h"

#include "internal.h"

#include <stdint.h>
#include <string.h>

enum { CODE = 3 }; /* the length of %xx */

static int digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool weft__is_token(const char *text, size_t length)
{
        for (size_t i = 0; i < length; i++) {
                char c = text[i];
                bool alphanumeric =
                    (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
                if (!alphanumeric && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
                        return false;
        }
        return length > 0;
}

/* A character that a value may have as written. */
static bool is_octet(char c)
{
        return c > ' ' && c <= '~' && c != '"' && c != ',' && c != ';' && c != '\\';
}

bool weft__is_coded(const char *text, size_t length)
{
        for (size_t i = 0; i < length; i++) {
                if (!is_octet(text[i]))
                        return false;
                if (text[i] == '%' &&
                    (length - i < CODE || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0))
                        return false;
        }
        return true;
}

/* How many of the bytes belong together: a character, and then *ret_good; or what could have begun
 * one, as far as it could. */
static size_t sequence(const unsigned char *s, size_t n, bool *ret_good)
{
        unsigned char low = 0x80;
        unsigned char high = 0xbf;
        size_t want = 1;
        *ret_good = s[0] < 0x80;
        if (s[0] >= 0xc2 && s[0] <= 0xdf)
                want = 2;
        else if (s[0] >= 0xe0 && s[0] <= 0xef)
                want = 3;
        else if (s[0] >= 0xf0 && s[0] <= 0xf4)
                want = 4;
        else
                return 1;
        if (s[0] == 0xe0)
                low = 0xa0; /* no longer than need be */
        else if (s[0] == 0xf0)
                low = 0x90;
        else if (s[0] == 0xed)
                high = 0x9f; /* no surrogates */
        else if (s[0] == 0xf4)
                high = 0x8f; /* nothing behind U+10FFFF */
        for (size_t i = 1; i < want; i++) {
                if (i >= n || s[i] < low || s[i] > high)
                        return i;
                low = 0x80;
                high = 0xbf;
        }
        *ret_good = true;
        return want;
}

size_t weft__text_character(const char *text, size_t length)
{
        const unsigned char *s = (const unsigned char *)text;
        bool good;
        size_t n = sequence(s, length, &good);
        bool control = n == 1 ? s[0] < ' ' || s[0] == 0x7f : s[0] == 0xc2 && s[1] < 0xa0;
        return good && !control ? n : 0;
}

size_t weft__text_whole(const char *text, size_t length)
{
        size_t i = 0, n = 0;
        bool good = true;
        while (i < length) {
                n = sequence((const unsigned char *)text + i, length - i, &good);
                i += n;
        }
        return good ? i : i - n;
}

bool weft__is_utf8(const char *text, size_t length)
{
        bool good = true;
        for (size_t i = 0; i < length && good;)
                i += sequence((const unsigned char *)text + i, length - i, &good);
        return good;
}

/* The bytes, at the end of the room for them, which is as large as their code: what is written from
 * its front then never overtakes what is read, since a byte that becomes three has been three. */
static size_t decode_to_the_end(const char *text, size_t length, char *room)
{
        size_t n = 0;
        for (size_t i = 0; i < length; i++) {
                if (text[i] == '%') {
                        room[n++] = (char)((unsigned)digit(text[i + 1]) << 4 |
                                           (unsigned)digit(text[i + 2]));
                        i += CODE - 1;
                } else {
                        room[n++] = text[i];
                }
        }
        memmove(room + length - n, room, n);
        return n;
}

size_t weft__percent_decode(const char *text, size_t length, char *ret)
{
        static const char replacement[] = "\xef\xbf\xbd";
        size_t left = decode_to_the_end(text, length, ret);
        const char *from = ret + length - left;
        char *to = ret;
        while (left > 0) {
                bool good;
                size_t n = sequence((const unsigned char *)from, left, &good);
                size_t out = good ? n : sizeof(replacement) - 1;
                memmove(to, good ? from : replacement, out);
                to += out;
                from += n;
                left -= n;
        }
        *to = '\0';
        return (size_t)(to - ret);
}

static bool is_plain(char c)
{
        return is_octet(c) && c != '%';
}

size_t weft__percent_length(const char *bytes, size_t length)
{
        size_t n = 0;
        for (size_t i = 0; i < length; i++)
                n += is_plain(bytes[i]) ? 1 : CODE;
        return n;
}

size_t weft__percent_encode(const char *bytes, size_t length, char *ret_text)
{
        static const char digits[] = "0123456789ABCDEF";
        char *at = ret_text;
        for (size_t i = 0; i < length; i++) {
                unsigned char byte = (unsigned char)bytes[i];
                if (is_plain(bytes[i])) {
                        *at++ = bytes[i];
                } else {
                        *at++ = '%';
                        *at++ = digits[byte >> 4];
                        *at++ = digits[byte & 15];
                }
        }
        return (size_t)(at - ret_text);
}

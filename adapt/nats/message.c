/* SPDX-License-Identifier: MIT
 *
 * What is written into messages, and read of them: names, numbers, contexts. All that comes in is
 * untrusted: it has its form and bounds, or it is not there. Nothing here waits.
 *
 * Headers of a call: Weft-Id, Weft-Client (who is to be told), Weft-Left (ns until the deadline,
 * if there is one), and those of the context, under the names of their codecs. Of a record:
 * Weft-Result. Of a reply also Weft-Name and Weft-Id.
 */
#include "remote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include <weft/carry.h>

/* ---- names ---- */

static bool is_word(const char *word, size_t longest)
{
        if (!word)
                return false;
        size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
        return n > 0 && n <= longest && word[n] == '\0';
}

bool weft__remote_is_name(const char *name)
{
        return is_word(name, WEFT_REMOTE_NAME_MAX) && !strchr("0123456789-_", name[0]);
}

bool weft__remote_is_id(const char *id)
{
        return is_word(id, WEFT_REMOTE_ID_MAX);
}

void weft__remote_random_id(char ret_id[ID_SIZE])
{
        unsigned char bytes[16];
        while (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
                ; /* so few bytes are given whole once the system has any */
        for (size_t i = 0; i < sizeof(bytes); i++)
                snprintf(ret_id + 2 * i, 3, "%02x", bytes[i]);
}

void weft__remote_subject(const weft_remote *remote, char ret[SUBJECT_SIZE], const char *word,
                          const char *name, const char *id)
{
        snprintf(ret, SUBJECT_SIZE, "%s.%s.%s%s%s", remote->prefix, word, name, id ? "." : "",
                 id ? id : "");
}

bool weft__remote_read_subject(const char *subject, char ret_name[NAME_SIZE], char ret_id[ID_SIZE])
{
        char word[4][ID_SIZE], more;
        /* The %c is for what there is not to be. */
        if (sscanf(subject, "%64[^.].%64[^.].%64[^.].%64[^.]%c", word[0], word[1], word[2], word[3],
                   &more) != 4 ||
            !weft__remote_is_name(word[2]) || !weft__remote_is_id(word[3]))
                return false;
        strcpy(ret_name, word[2]);
        strcpy(ret_id, word[3]);
        return true;
}

/* ---- headers ---- */

int weft__remote_put_number(natsMsg *message, const char *header, int64_t number)
{
        char text[32];
        snprintf(text, sizeof(text), "%lld", (long long)number);
        return natsMsgHeader_Set(message, header, text) == NATS_OK ? 0 : -ENOMEM;
}

bool weft__remote_get_number(natsMsg *message, const char *header, int64_t least, int64_t greatest,
                             int64_t *ret)
{
        const char *text = NULL;
        if (natsMsgHeader_Get(message, header, &text) != NATS_OK || !text || !*text)
                return false;
        size_t sign = text[0] == '-';
        size_t digits = strspn(text + sign, "0123456789");
        if (digits == 0 || digits > 19 || text[sign + digits] != '\0')
                return false;
        errno = 0;
        long long number = strtoll(text, NULL, 10);
        if (errno != 0 || number < least || number > greatest)
                return false;
        *ret = number;
        return true;
}

bool weft__remote_get_id(natsMsg *message, const char *header, char ret[ID_SIZE])
{
        const char *text = NULL;
        if (natsMsgHeader_Get(message, header, &text) != NATS_OK || !weft__remote_is_id(text))
                return false;
        snprintf(ret, ID_SIZE, "%s", text);
        return true;
}

int weft__remote_get_data(natsMsg *message, weft_remote_data *ret)
{
        size_t size = (size_t)natsMsg_GetDataLength(message);
        char *data = size > 0 ? malloc(size + 1) : NULL;
        if (size > 0 && !data)
                return -ENOMEM;
        if (data) {
                memcpy(data, natsMsg_GetData(message), size);
                data[size] = '\0';
        }
        *ret = (weft_remote_data){data, size};
        return 0;
}

/* ---- contexts ---- */

static int put_header(void *message, const char *name, const char *value)
{
        return natsMsgHeader_Set(message, name, value) == NATS_OK ? 0 : -ENOMEM;
}

int weft__remote_put_context(natsMsg *message)
{
        weft_context *here = weft_context_capture();
        int r = weft_context_inject(here, put_header, message);
        weft_context_unref(here);
        if (r >= 0 && !weft__remote_headers_bounded(message))
                r = -EMSGSIZE;
        return r < 0 ? r : 0;
}

/* All keys; the caller's to free. -1: there are none, or no memory. */
static int keys_of(natsMsg *message, const char ***ret_keys)
{
        int count = 0;
        return natsMsgHeader_Keys(message, ret_keys, &count) == NATS_OK ? count : -1;
}

bool weft__remote_headers_bounded(natsMsg *message)
{
        const char **keys = NULL;
        int count = keys_of(message, &keys);
        size_t bytes = 0;
        bool good = count > 0;
        int values_all = 0;
        for (int i = 0; good && i < count; i++) {
                const char **values = NULL;
                int n = 0;
                if (natsMsgHeader_Values(message, keys[i], &values, &n) != NATS_OK)
                        n = 0;
                for (int v = 0; v < n; v++)
                        bytes += strlen(keys[i]) + (values[v] ? strlen(values[v]) : 0);
                values_all += n;
                free(values);
                good =
                    values_all <= WEFT_REMOTE_HEADERS_MAX && bytes <= WEFT_REMOTE_HEADER_BYTES_MAX;
        }
        free(keys);
        return good;
}

struct headers {
        natsMsg *message;
        const char **keys;
        int count;
        const char **values; /* of the name asked for last */
};

/* weft_find: names in any case, of one or several headers. libnats tells upper from lower case. */
static const char *find_header(void *arg, const char *name, size_t index, size_t *ret_length)
{
        struct headers *headers = arg;
        for (int i = 0; i < headers->count; i++) {
                int n = 0;
                if (strcasecmp(headers->keys[i], name) != 0)
                        continue;
                free(headers->values);
                headers->values = NULL;
                if (natsMsgHeader_Values(headers->message, headers->keys[i], &headers->values,
                                         &n) != NATS_OK)
                        return NULL;
                if (index >= (size_t)n) {
                        index -= (size_t)n;
                        continue;
                }
                const char *value = headers->values[index] ? headers->values[index] : "";
                *ret_length = strlen(value);
                return value;
        }
        return NULL;
}

int weft__remote_get_context(natsMsg *message, weft_context **ret)
{
        struct headers headers = {.message = message};
        headers.count = keys_of(message, &headers.keys);
        int r = weft_context_extract(NULL, find_header, &headers, ret);
        free(headers.values);
        free(headers.keys);
        return r < 0 ? r : 0;
}

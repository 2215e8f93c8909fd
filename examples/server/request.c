/* SPDX-License-Identifier: MIT
 *
 * Whose request it is: see request.h. The traceparent is that of the W3C's "Trace Context":
 *
 *   version - trace id, 32 digits - parent id, 16 digits - flags
 *
 * in lower-case hexadecimal. A later version than 00 may go on after that; what is known of it is
 * then taken as version 00.
 */
#include "request.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { ID = 55 };

weft_var request_id = WEFT_VAR_INIT("request id", .fallback = "-");
weft_var request_user = WEFT_VAR_INIT("request user", .fallback = "-");

static bool valid_traceparent(const char *s)
{
        static const char form[] = "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
        static const char zeros[] = "00000000000000000000000000000000";
        for (int i = 0; i < ID; i++) {
                if (form[i] == '-' ? s[i] != '-' : !s[i] || !strchr("0123456789abcdef", s[i]))
                        return false;
        }
        return strncmp(s, "ff", 2) != 0 && strncmp(s + 3, zeros, 32) != 0 &&
               strncmp(s + 36, zeros, 16) != 0 &&
               (s[ID] == '\0' || (strncmp(s, "00", 2) != 0 && s[ID] == '-'));
}

static void new_traceparent(char id[ID + 1])
{
        unsigned long long random[3] = {0};
        if (getrandom(random, sizeof(random), 0) < 0)
                random[0] = (unsigned long long)weft_now();
        /* The one bit keeps them from being all zeros, which would not be valid. */
        snprintf(id, ID + 1, "00-%016llx%016llx-%016llx-00", random[0], random[1] | 1,
                 random[2] | 1);
}

static bool valid_user(const char *s)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-_";
        size_t length = strspn(s, letters);
        return length > 0 && length < sizeof(((struct identity *)NULL)->user) && !s[length];
}

int request_identify(struct identity *ret, const struct http_request *request)
{
        char user[MAX_FIELD] = "";
        if (valid_traceparent(request->traceparent))
                snprintf(ret->id, sizeof(ret->id), "00%.53s", request->traceparent + 2);
        else
                new_traceparent(ret->id);

        snprintf(ret->user, sizeof(ret->user), "%s", (const char *)request_user.fallback);
        if (*request->user)
                snprintf(user, sizeof(user), "%s", request->user);
        else if (!http_query(request, "user", user, sizeof(user)))
                return 0;
        if (!valid_user(user))
                return -EINVAL;
        memcpy(ret->user, user, strlen(user) + 1);
        return 0;
}

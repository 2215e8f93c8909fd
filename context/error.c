/* SPDX-License-Identifier: MIT
 *
 * Names and messages of errors, from the one table in <weft/error.h>.
 */
#include <weft/error.h>

#include <limits.h>
#include <string.h>

/* INT_MIN stays as it is: no code. */
static int positive(int error)
{
        return error < 0 && error != INT_MIN ? -error : error;
}

const char *weft_strerror(int error)
{
        switch (positive(error)) {
        case 0:
                return "success";
#define MESSAGE(code, message)                                                                     \
        case code:                                                                                 \
                return message;
                WEFT_ERRORS(MESSAGE)
#undef MESSAGE
        default:
                break;
        }
        const char *known = strerrordesc_np(positive(error));
        return known ? known : "unknown error";
}

const char *weft_err_name(int error)
{
        switch (positive(error)) {
#define NAME(code, message)                                                                        \
        case code:                                                                                 \
                return #code;
                WEFT_ERRORS(NAME)
#undef NAME
        default:
                return NULL;
        }
}

/* SPDX-License-Identifier: MIT
 *
 * The version of the library that is linked, from the header it was built with.
 */
#include <weft/weft.h>

#define TEXT(x)  TEXT_(x)
#define TEXT_(x) #x

const char *weft_version(void)
{
        return TEXT(WEFT_VERSION_MAJOR) "." TEXT(WEFT_VERSION_MINOR) "." TEXT(WEFT_VERSION_PATCH);
}

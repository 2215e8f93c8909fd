/* SPDX-License-Identifier: MIT
 *
 * The example of weft_version(3).
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <weft/weft.h>

int main(void)
{
        char compiled[32];
        snprintf(compiled, sizeof(compiled), "%d.%d.%d", WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR,
                 WEFT_VERSION_PATCH);
        assert(strcmp(weft_version(), compiled) == 0);
        return 0;
}

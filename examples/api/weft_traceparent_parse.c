/* SPDX-License-Identifier: MIT
 *
 * The example of weft_traceparent_parse(3).
 */
#include <assert.h>
#include <string.h>
#include <weft/weft.h>

int main(void)
{
        const char *text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        weft_traceparent parent;
        int r = weft_traceparent_parse(&parent, text, strlen(text));
        assert(r == 0 && parent.flags == WEFT_TRACE_SAMPLED);
        assert(parent.trace_id[0] == 0x0a && parent.span_id[7] == 0x31);

        char again[WEFT_TRACEPARENT_LENGTH + 1];
        r = weft_traceparent_format(&parent, again);
        assert(r == WEFT_TRACEPARENT_LENGTH && strcmp(again, text) == 0);
        r = weft_traceparent_parse(&parent, text, 54);
        assert(r == -EBADMSG);

        const char *members = "rojo=00f067aa0ba902b7 ,, congo=t61rcWkgMzE";
        char state[WEFT_TRACESTATE_LENGTH + 1];
        r = weft_tracestate_parse(members, strlen(members), state);
        assert(r == (int)strlen(state));
        assert(strcmp(state, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE") == 0);
        return 0;
}

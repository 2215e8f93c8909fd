/* SPDX-License-Identifier: MIT
 *
 * What was recorded, in order: the stretches of all workers by time, each with the one of its task
 * before it; and how values and functions are written. See record.h.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "context/internal.h"

#include "record.h"

static int compare(int64_t a, int64_t b)
{
        return (a > b) - (a < b);
}

static int by_time(const void *a, const void *b)
{
        const weft__shown *x = a, *y = b;
        return compare(x->stretch->begin, y->stretch->begin);
}

/* ... of each task by itself. */
static int by_task(const void *a, const void *b)
{
        const weft__shown *x = a, *y = b;
        int r = compare(x->stretch->task, y->stretch->task);
        return r ? r : by_time(a, b);
}

static size_t held(const weft_record *record, unsigned i)
{
        uint64_t added = record->tape[i].added;
        return added < record->room ? (size_t)added : record->room;
}

weft__shown *weft__record_sort(const weft_record *record, size_t *ret_count, size_t *ret_size)
{
        size_t count = 0, n = 0;
        for (unsigned i = 0; i < record->workers; i++)
                count += held(record, i);
        size_t size = (count + 1) * sizeof(weft__shown);
        weft__shown *shown = weft__alloc_zeroed(size);
        if (!shown)
                return NULL;
        for (unsigned i = 0; i < record->workers; i++)
                for (size_t k = 0; k < held(record, i); k++)
                        shown[n++] =
                            (weft__shown){.stretch = &record->tape[i].stretch[k], .lane = i};
        qsort(shown, count, sizeof(*shown), by_task);
        for (size_t i = 1; i < count; i++)
                if (shown[i].stretch->resumed &&
                    shown[i].stretch->task == shown[i - 1].stretch->task) {
                        shown[i].before = shown[i - 1].stretch;
                        shown[i].lane_before = shown[i - 1].lane;
                }
        qsort(shown, count, sizeof(*shown), by_time);
        *ret_count = count;
        *ret_size = size;
        return shown;
}

void weft__record_value(const weft__tag *tag, char *text, size_t size)
{
        void *value;
        switch (tag->kind) {
        case WEFT__TAG_TEXT:
                snprintf(text, size, "%s", tag->text);
                break;
        case WEFT__TAG_POINTER:
                memcpy(&value, tag->text, sizeof(value));
                if ((uintptr_t)value < 1 << 16) /* no address */
                        snprintf(text, size, "%u", (unsigned)(uintptr_t)value);
                else
                        snprintf(text, size, "%p", value);
                break;
        default:
                snprintf(text, size, "unset");
        }
}

void weft__record_function(weft_fn *fn, char *text, size_t size)
{
        Dl_info info;
        void *at;
        memcpy(&at, &fn, sizeof(at));
        if (!dladdr(at, &info)) {
                snprintf(text, size, "%p", at);
        } else if (info.dli_sname && info.dli_saddr == at) {
                snprintf(text, size, "%s", info.dli_sname);
        } else {
                const char *slash = strrchr(info.dli_fname, '/');
                snprintf(text, size, "%s+0x%zx", slash ? slash + 1 : info.dli_fname,
                         (size_t)((char *)at - (char *)info.dli_fbase));
        }
}

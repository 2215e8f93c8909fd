/* SPDX-License-Identifier: MIT
 *
 * A record in the Trace Event Format, which Perfetto and chrome://tracing read: a complete event
 * ("X") for each stretch, named by the value of the var, so that this gives the colour; and a flow
 * ("s" to "f") from each to the next of its task. Times are in us from the start of the record.
 */
#include <unistd.h>

#include "context/internal.h"

#include "record.h"
#include "text.h"

enum { TEXT = 128 };

/* The beginning of an event on a lane: without its end. */
static void write_event(const weft_record *record, char phase, unsigned lane, int64_t at, FILE *to)
{
        int64_t ns = at - record->began;
        fprintf(to, ",\n{\"ph\":\"%c\",\"pid\":%d,\"tid\":%u,\"ts\":%lld.%03d", phase,
                (int)getpid(), lane + 1, (long long)(ns / 1000), (int)(ns % 1000));
}

static void write_names(const weft_record *record, FILE *to)
{
        fprintf(to, "\n{\"ph\":\"M\",\"pid\":%d,\"name\":\"process_name\",\"args\":{\"name\":",
                (int)getpid());
        weft__text_json(record->name, to);
        fputs("}}", to);
        for (unsigned i = 0; i < record->workers; i++) {
                char name[sizeof(record->name) + 16];
                snprintf(name, sizeof(name), "%s-%u", record->name, i);
                fprintf(to, ",\n{\"ph\":\"M\",\"pid\":%d,\"tid\":%u,\"name\":\"thread_name\",",
                        (int)getpid(), i + 1);
                fputs("\"args\":{\"name\":", to);
                weft__text_json(name, to);
                fputs("}}", to);
        }
}

static void write_value(const char *key, const weft__tag *tag, FILE *to)
{
        char text[TEXT];
        weft__record_value(tag, text, sizeof(text));
        fprintf(to, ",\"%s\":", key);
        weft__text_json(text, to);
}

static void write_stretch(const weft_record *record, const weft__shown *shown, FILE *to)
{
        const weft__stretch *s = shown->stretch;
        int64_t ns = s->end - s->begin;
        char function[TEXT], name[TEXT];
        weft__record_function(s->fn, function, sizeof(function));
        if (record->var)
                weft__record_value(&s->first, name, sizeof(name));
        write_event(record, 'X', shown->lane, s->begin, to);
        fprintf(to, ",\"dur\":%lld.%03d,\"cat\":\"task\",\"name\":", (long long)(ns / 1000),
                (int)(ns % 1000));
        weft__text_json(record->var ? name : function, to);
        fputs(",\"args\":{\"function\":", to);
        weft__text_json(function, to);
        fprintf(to, ",\"task\":\"#%08x\"", s->task);
        fprintf(to, ",\"begins\":\"%s\",\"ends\":\"%s\"", s->resumed ? "resumed" : "started",
                s->ended ? "ended" : "parked");
        if (record->var) {
                write_value("value", &s->first, to);
                write_value("value at the end", &s->last, to);
        }
        fputs("}}", to);
}

/* From where it waited to where it goes on. */
static void write_wait(const weft_record *record, const weft__shown *shown, size_t id, FILE *to)
{
        static const char what[] = "\"cat\":\"wait\",\"name\":\"waits\"";
        write_event(record, 's', shown->lane_before, shown->before->end, to);
        fprintf(to, ",\"id\":%zu,%s}", id, what);
        write_event(record, 'f', shown->lane, shown->stretch->begin, to);
        fprintf(to, ",\"id\":%zu,\"bp\":\"e\",%s}", id, what);
}

int weft__record_json(const weft_record *record, FILE *to)
{
        size_t count, size;
        weft__shown *shown = weft__record_sort(record, &count, &size);
        if (!shown)
                return -ENOMEM;
        fputs("{\"displayTimeUnit\":\"ns\",\"otherData\":{\"var\":", to);
        weft__text_json(record->var ? record->var : "", to);
        fprintf(to, ",\"stretches\":%zu,\"dropped\":%llu},\n\"traceEvents\":[", count,
                (unsigned long long)weft_record_dropped(record));
        write_names(record, to);
        for (size_t i = 0; i < count; i++) {
                write_stretch(record, &shown[i], to);
                if (shown[i].before)
                        write_wait(record, &shown[i], i + 1, to);
        }
        fputs("\n]}\n", to);
        weft__free(shown, size);
        return 0;
}

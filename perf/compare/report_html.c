/* SPDX-License-Identifier: MIT
 *
 * The comparison as one self-contained page: see comparison.h.
 */
#include "comparison.h"

#include <stdlib.h>

#include "pool/text.h"
#include "pool/timeline.h"

#include "picture.h"
#include "share.h"

static const char style[] =
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.3rem .75rem;text-align:right;border-bottom:1px solid #e6e8eb}\n"
    "th:first-child{text-align:left;font-weight:400}\n"
    "thead th{font-weight:600;vertical-align:bottom;width:13.5%}\n"
    "thead th:first-child{width:auto}\n"
    "tbody.part th{font-weight:600;padding-top:1.1rem}\n"
    "td.wrong{background:#ffebe9;color:#b3121d;font-weight:600}\n"
    "td:last-child,thead th:last-child{background:#f0f9f4}\n"
    "td.wrong:last-child{background:#ffebe9}\n"
    ".verdict{border-left:4px solid #1a7f37;padding:.4rem .9rem;background:#f0f9f4;margin:1rem 0}\n"
    ".verdict.failed{border-color:#d1242f;background:#ffebe9;white-space:pre-line}\n"
    ".bad{color:#b3121d}.good{color:#1a7f37}\n";

static void write_head(const struct comparison *c, FILE *to)
{
        fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
              "<title>thread-local against task-local</title>\n<style>\n",
              to);
        weft__timeline_style(to);
        fputs(style, to);
        fputs("</style>\n</head>\n<body>\n<h1>Thread-local against task-local</h1>\n"
              "<p class=\"quiet\">",
              to);
        fprintf(to, "%zu files (%.1f MB) of ", c->tree.count, (double)c->tree.bytes / 1e6);
        weft__text_html(c->root, to);
        fprintf(to, ", hashed and entered into SQLite by %d requests on %u worker%s; ", c->requests,
                c->workers, c->workers == 1 ? "" : "s");
        fprintf(to, "%d of the requests roll back.", c->requests / 3);
        if (c->tree.unreadable)
                fprintf(to, " %zu files or folders could not be read and were left out.",
                        c->tree.unreadable);
        fputs("</p>\n", to);
}

static void write_verdict(const struct comparison *c, FILE *to)
{
        char *sentences = NULL;
        size_t size = 0;
        FILE *memory = open_memstream(&sentences, &size);
        int failed = memory ? comparison_judge(c, memory, "") : 0;
        if (memory)
                fclose(memory);
        if (failed) {
                fputs("<p class=\"verdict failed\">", to);
                weft__text_html(sentences, to);
        } else {
                fputs("<p class=\"verdict\">The weft var is wrong nowhere, "
                      "and every hazard was really provoked.",
                      to);
        }
        fputs("</p>\n", to);
        free(sentences);
}

static void write_part(const char *title, FILE *to)
{
        fprintf(to, "<tbody class=\"part\"><tr><th colspan=\"%d\">%s</th></tr></tbody>\n<tbody>\n",
                SCOPINGS + 1, title);
}

static void write_audit(const struct comparison *c, FILE *to)
{
        write_part("The work, audited against a serial run", to);
        for (int f = 0; f < FIGURES; f++) {
                fprintf(to, "<tr><th>%s</th>", figures[f].name);
                for (int s = 0; s < SCOPINGS; s++) {
                        size_t n = figure_of(&figures[f], &c->results[s].audit);
                        bool wrong = figures[f].is_fault && n;
                        fprintf(to, "<td%s>%zu</td>", wrong ? " class=\"wrong\"" : "", n);
                }
                fputs("</tr>\n", to);
        }
        fputs("</tbody>\n", to);
}

static void write_hazards(const struct comparison *c, FILE *to)
{
        write_part("Each hazard, provoked on its own: wrong readings / all", to);
        for (int h = 0; h < HAZARDS; h++) {
                fprintf(to, "<tr><th>%s<br/><small>%s</small></th>", hazards[h].name,
                        hazards[h].what);
                for (int s = 0; s < SCOPINGS; s++) {
                        struct tally tally = c->results[s].hazards[h];
                        fprintf(to, "<td%s>%zu / %zu</td>", tally.wrong ? " class=\"wrong\"" : "",
                                tally.wrong, tally.of);
                }
                fputs("</tr>\n", to);
        }
        fputs("</tbody>\n", to);
}

static void write_table(const struct comparison *c, FILE *to)
{
        fputs("<table>\n<thead><tr><th></th>", to);
        for (int s = 0; s < SCOPINGS; s++) {
                const char *const *line = scopings[s].heading;
                fprintf(to, "<th>%s %s %s</th>", line[0], line[1], line[2]);
        }
        fputs("</tr></thead>\n", to);
        write_audit(c, to);
        write_hazards(c, to);
        write_part("What it costs", to);
        fputs("<tr><th>ns per task that reads the value</th>", to);
        for (int s = 0; s < SCOPINGS; s++)
                fprintf(to, "<td>%.0f</td>", c->results[s].ns_per_task);
        fputs("</tr>\n</tbody>\n</table>\n", to);
}

static void write_legend(FILE *to)
{
        fputs(
            "<p>Each lane is a worker, that is a thread, and each bar a stretch of one task "
            "between two "
            "of its waits, in the colour of a request. "
            "The cap of a bar shows whose work it is, its body whose request the task found to be "
            "current: where the two differ, the value bled. Bars without a colour found "
            "nothing. Time runs to the right, with long stretches shortened.</p>\n"
            "<div class=\"legend quiet\">",
            to);
        for (int r = 1; r <= PICTURE_REQUESTS; r++) {
                char text[40];
                snprintf(text, sizeof(text), "request %d%s", r,
                         share_rolls_back(r) ? " (rolls back)" : "");
                weft__timeline_sample((unsigned)r, text, to);
        }
        weft__timeline_sample_mark("wrong reading", to);
        fputs("<span>▸ begins</span><span>⋮ submits files</span>"
              "<span>• answers</span><span>✓ commits</span>"
              "<span>↶ rolls back</span></div>\n",
              to);
}

static int write_shot(const struct shot *shot, const struct trace traces[SCOPINGS], FILE *to)
{
        fprintf(to, "<h2>%s</h2>\n<p>%s</p>\n", shot->title, shot->what);
        for (int s = 0; s < SCOPINGS; s++) {
                size_t wrong = picture_wrong(&traces[s]);
                fprintf(
                    to, "<h3><span>%s</span><span class=\"%s\">%zu of %zu readings wrong</span>",
                    scopings[s].name, wrong ? "bad" : "good", wrong, picture_readings(&traces[s]));
                fputs("</h3>\n", to);
                if (picture_write(&traces[s], scopings[s].name, shot->close_up, to) < 0)
                        return -1;
        }
        return 0;
}

static int write_pictures(const struct trace traces[SHOTS][SCOPINGS], FILE *to)
{
        int r = 0;
        fputs("<h2>Where the value bled</h2>\n", to);
        write_legend(to);
        for (int i = 0; i < SHOTS && !r; i++)
                r = write_shot(&shots[i], traces[i], to);
        return r;
}

int report_html(const struct comparison *comparison, const struct trace traces[SHOTS][SCOPINGS],
                FILE *to)
{
        write_head(comparison, to);
        write_verdict(comparison, to);
        write_table(comparison, to);
        int r = write_pictures(traces, to);
        fputs("</body>\n</html>\n", to);
        return r;
}

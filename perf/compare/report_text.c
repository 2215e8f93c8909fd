/* SPDX-License-Identifier: MIT
 *
 * The comparison as a table for a terminal: see comparison.h.
 */
#include "comparison.h"

#include <inttypes.h>

#include "share.h"

#define LABEL 40 /* columns */
#define CELL  15 /* LABEL + 4 * CELL = 100 */

struct page {
        FILE *to;
        bool colour;
};

/* A cell, right-aligned, marked if it tells of something wrong. */
static void cell(const struct page *page, const char *text, bool wrong)
{
        const char *on = page->colour && wrong ? "\033[1;31m" : "";
        const char *off = *on ? "\033[0m" : "";
        fprintf(page->to, "%s%*s%s", on, CELL, text, off);
}

static void heading(const struct page *page, const char *title)
{
        fprintf(page->to, "\n%s\n", title);
}

static void columns(const struct page *page)
{
        for (int line = 0; line < 3; line++) {
                fprintf(page->to, "%-*s", LABEL, "");
                for (int s = 0; s < SCOPINGS; s++)
                        if (*scopings[s].heading[line]) /* else the rest of the line is empty */
                                cell(page, scopings[s].heading[line], false);
                fputc('\n', page->to);
        }
}

static void audits(const struct page *page, const struct comparison *c)
{
        heading(page, "The work, audited against a serial run");
        for (int f = 0; f < FIGURES; f++) {
                fprintf(page->to, "  %-*s", LABEL - 2, figures[f].name);
                for (int s = 0; s < SCOPINGS; s++) {
                        char text[32];
                        size_t n = figure_of(&figures[f], &c->results[s].audit);
                        snprintf(text, sizeof(text), "%zu", n);
                        cell(page, text, figures[f].is_fault && n);
                }
                fputc('\n', page->to);
        }
}

static void provoked(const struct page *page, const struct comparison *c)
{
        heading(page, "Each hazard, provoked on its own: wrong readings / all");
        for (int h = 0; h < HAZARDS; h++) {
                fprintf(page->to, "  %-*s", LABEL - 2, hazards[h].name);
                for (int s = 0; s < SCOPINGS; s++) {
                        char text[48];
                        struct tally tally = c->results[s].hazards[h];
                        snprintf(text, sizeof(text), "%zu / %zu", tally.wrong, tally.of);
                        cell(page, text, tally.wrong);
                }
                fputc('\n', page->to);
        }
}

static void costs(const struct page *page, const struct comparison *c)
{
        heading(page, "What it costs");
        fprintf(page->to, "  %-*s", LABEL - 2, "ns per task that reads the value");
        for (int s = 0; s < SCOPINGS; s++) {
                char text[32];
                snprintf(text, sizeof(text), "%.0f", c->results[s].ns_per_task);
                cell(page, text, false);
        }
        fputc('\n', page->to);
}

static void introduction(const struct page *page, const struct comparison *c)
{
        fprintf(page->to, "%zu files, %.1f MB, in %s\n", c->tree.count, (double)c->tree.bytes / 1e6,
                c->root);
        fprintf(page->to, "%d requests, of which %d roll back; %u worker%s\n", c->requests,
                c->requests / 3, c->workers, c->workers == 1 ? "" : "s");
        if (!c->tree.unreadable)
                return;
        fprintf(page->to, "note: %zu could not be read and %s left out:", c->tree.unreadable,
                c->tree.unreadable == 1 ? "was" : "were");
        for (size_t i = 0; i < TREE_NAMED && i < c->tree.unreadable; i++)
                fprintf(page->to, "%s %s", i ? "," : "", c->tree.unreadable_name[i]);
        fprintf(page->to, "%s\n", c->tree.unreadable > TREE_NAMED ? ", …" : "");
}

int report_text(const struct comparison *comparison, FILE *to, bool colour)
{
        struct page page = {to, colour};
        introduction(&page, comparison);
        fputc('\n', to);
        columns(&page);
        audits(&page, comparison);
        provoked(&page, comparison);
        costs(&page, comparison);
        fputc('\n', to);
        int failed = comparison_judge(comparison, to, "FAILED: ");
        if (!failed)
                fputs("The weft var is wrong nowhere, and every hazard was really provoked.\n", to);
        return failed;
}

/* SPDX-License-Identifier: MIT
 *
 * The progress bar, complaints, and the user's Ctrl-C: see terminal.h.
 *
 * The bar is one line that is drawn over itself and taken away before anything else is written, so
 * it never ends up in a file or between the lines of a message.
 */
#include "terminal.h"

#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <weft/suspend.h>

#define BAR_CELLS  40
#define REDRAW_NS  INT64_C(80000000)
#define ERASE_LINE "\r\033[K"

static struct {
        const char *what;
        size_t total;
        int64_t drawn; /* when, ns; 0: there is nothing on the screen */
} bar;

static volatile sig_atomic_t signal_caught;

static void draw(size_t done)
{
        if (!bar.total) {
                fprintf(stderr, ERASE_LINE "%s: %zu", bar.what, done);
                return;
        }
        size_t full = done >= bar.total ? BAR_CELLS : done * BAR_CELLS / bar.total;
        char cells[BAR_CELLS + 1];
        for (size_t i = 0; i < BAR_CELLS; i++)
                cells[i] = i < full ? '#' : '.';
        cells[BAR_CELLS] = '\0';
        fprintf(stderr, ERASE_LINE "[%s] %s", cells, bar.what);
}

void progress_stage(const char *what, size_t total)
{
        bar.what = what;
        bar.total = total;
        if (isatty(STDERR_FILENO)) {
                draw(0);
                bar.drawn = weft_now();
        }
}

void progress_show(size_t done)
{
        if (!bar.drawn)
                return;
        int64_t now = weft_now();
        if (now - bar.drawn < REDRAW_NS)
                return;
        draw(done);
        bar.drawn = now;
}

void progress_clear(void)
{
        if (bar.drawn)
                fputs(ERASE_LINE, stderr);
        bar.drawn = 0;
}

int complain(const char *format, ...)
{
        progress_clear();
        va_list args;
        va_start(args, format);
        fputs("weft-compare: ", stderr);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
        va_end(args);
        return -1;
}

static void caught(int number)
{
        signal_caught = number;
}

void interrupts_catch(void)
{
        struct sigaction action = {.sa_handler = caught, .sa_flags = SA_RESTART};
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGHUP, &action, NULL);
        signal(SIGPIPE, SIG_IGN); /* a reader that goes away is an error of the write */
        signal(SIGXFSZ, SIG_IGN); /* and so is a file that may not grow */
}

int interrupted(void)
{
        return signal_caught;
}

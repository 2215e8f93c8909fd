/* SPDX-License-Identifier: MIT
 *
 * The thread's own part: its structure, its end, fork, and the check for a second copy of the
 * library.
 *
 * Every copy of weft that is linked into an object of the process carries an ELF note which leads
 * to its `copy` below. The first one to be initialised claims the process; another one finds the
 * claim and refuses to bind anything. (Two copies would keep two frames, and a var of the one would
 * be looked up by number in the contexts of the other.)
 */
#include "thread.h"

#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "hooks.h"
#include "memory.h"

_Thread_local struct weft__thread weft__thread = {.here.calls = WEFT__LINK_BOTTOM};

#if defined(WEFT_TSAN)
atomic_uint weft__fence_word;
#endif

static pthread_key_t exit_key;
static bool exit_key_made;
unsigned weft__forks;

struct weft__copy {
        uint32_t claimed;
};
extern struct weft__copy weft__copy __attribute__((visibility("hidden")));
struct weft__copy weft__copy __attribute__((used));
static bool second_copy;

/* The note: name "weft", type 1, content: the distance from the content to weft__copy. */
__asm__(".pushsection .note.weft, \"a\", %note\n"
        ".balign 4\n"
        ".long 5, 8, 1\n"
        ".asciz \"weft\"\n"
        ".balign 4\n"
        "1: .quad weft__copy - 1b\n"
        ".popsection\n");

static struct weft__copy *copy_in_note(const ElfW(Nhdr) * note)
{
        const char *name = (const char *)(note + 1);
        const char *content = name + 8;
        int64_t distance;
        if (note->n_namesz != 5 || note->n_descsz != 8 || note->n_type != 1 ||
            memcmp(name, "weft", 5) != 0)
                return NULL;
        memcpy(&distance, content, sizeof(distance));
        return (struct weft__copy *)(content + distance);
}

static int find_claim(struct dl_phdr_info *object, size_t size, void *ret_found)
{
        (void)size;
        for (int i = 0; i < object->dlpi_phnum; i++) {
                const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
                size_t align = segment->p_align == 8 ? 8 : 4;
                if (segment->p_type != PT_NOTE)
                        continue;
                const char *at = (const char *)(object->dlpi_addr + segment->p_vaddr);
                const char *end = at + segment->p_memsz;
                while (at + sizeof(ElfW(Nhdr)) <= end) {
                        const ElfW(Nhdr) *note = (const void *)at;
                        const struct weft__copy *copy = copy_in_note(note);
                        if (copy && copy != &weft__copy && copy->claimed)
                                *(bool *)ret_found = true;
                        at += sizeof(*note) + ((note->n_namesz + align - 1) & ~(align - 1));
                        at += (note->n_descsz + align - 1) & ~(align - 1);
                }
        }
        return 0;
}

static void thread_exits(void *arg)
{
        struct weft__thread *t = arg;
        weft_context *c = t->here.context;

        t->life = WEFT__EXITING; /* from here on nothing is bound, cached or banked */
        t->release_runs = false; /* a release function may be what ended the thread */
        t->hook_runs = false;    /* or a hook */
        t->here.context = NULL;
        t->here.frame = 0;
        t->here.calls =
            WEFT__LINK_BOTTOM; /* what was forked and not joined has gone with the stack */
        t->oldest = NULL;
        weft__signal_fence();
        if (weft__hooks_any())
                weft__hooks_tell(c);
        if (c)
                weft__context_put(c, 1);
        weft__context_settle();
        weft__cells_release();
        while (t->cache) {
                weft_context *next = t->cache->slot[0];
                weft__free(t->cache, sizeof(*t->cache));
                t->cache = next;
        }
}

static void after_fork(void)
{
        weft__forks++;
}

__attribute__((constructor(101))) static void init(void)
{
        dl_iterate_phdr(find_claim, &second_copy);
        weft__copy.claimed = !second_copy;
        exit_key_made = pthread_key_create(&exit_key, thread_exits) == 0 &&
                        pthread_atfork(NULL, NULL, after_fork) == 0;
}

void weft__die(const char *text, size_t length)
{
        ssize_t ignored = write(STDERR_FILENO, text, length);
        (void)ignored;
        abort();
}

int weft__context_usable(void)
{
        if (second_copy)
                return -EEXIST;
        return exit_key_made ? 0 : -ENOMEM; /* nor would a fork be noticed */
}

int weft__thread_enlist(void)
{
        struct weft__thread *t = &weft__thread;
        if (t->life == WEFT__LIVE)
                return 0;
        if (t->life == WEFT__EXITING)
                return -ESHUTDOWN;
        if (second_copy)
                return -EEXIST;
        if (!exit_key_made || pthread_setspecific(exit_key, t) != 0)
                return -ENOMEM;
        t->life = WEFT__LIVE;
        return 0;
}

/* The next cell whose release function is to be run; NULL: none is run any more. Not inlined, since
 * the one before may have waited, and gone on on another thread. */
static __attribute__((noinline)) struct weft__cell *next_releasing(void)
{
        struct weft__thread *t = &weft__thread;
        struct weft__cell *cell = t->releasing;
        if (cell)
                t->releasing = cell->next;
        t->release_runs = cell != NULL;
        return cell;
}

void weft__cells_release(void)
{
        if (weft__thread.release_runs)
                return; /* the loop below, further up the stack, goes on with what was added */
        for (struct weft__cell *cell; (cell = next_releasing());) {
                void (*release)(void *value) = cell->release;
                void *value = cell->value;
                weft__free(cell, sizeof(*cell));
                if (release)
                        release(value);
        }
}

/* SPDX-License-Identifier: MIT
 *
 * From the address of a function to its name (see symbol.h): the C library finds the object that it
 * is in without a lock (_dl_find_object, glibc 2.35); the dynamic symbols of that lie in memory.
 */
#include "symbol.h"

#include <dlfcn.h>
#include <errno.h>
#include <features.h>
#include <link.h>
#include <stdint.h>

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)

struct symbols {
        const ElfW(Sym) * table;
        const char *names;
        const uint32_t *hash; /* of the GNU kind, which says how many there are */
};

/* glibc has made addresses of what were offsets, but for the vDSO. */
static const void *address(const struct link_map *map, ElfW(Addr) at)
{
        return (const void *)(at < map->l_addr ? at + map->l_addr : at);
}

static struct symbols symbols_of(const struct link_map *map)
{
        struct symbols s = {0};
        for (const ElfW(Dyn) *d = map->l_ld; d && d->d_tag != DT_NULL; d++) {
                if (d->d_tag == DT_SYMTAB)
                        s.table = address(map, d->d_un.d_ptr);
                else if (d->d_tag == DT_STRTAB)
                        s.names = address(map, d->d_un.d_ptr);
                else if (d->d_tag == DT_GNU_HASH)
                        s.hash = address(map, d->d_un.d_ptr);
        }
        return s;
}

/* One more than the greatest index in the table: the end of the last chain. */
static uint32_t count(const uint32_t *hash)
{
        uint32_t buckets = hash[0], first = hash[1], words = hash[2], last = 0;
        const uint32_t *bucket = hash + 4 + words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
        const uint32_t *chain = bucket + buckets;
        for (uint32_t i = 0; i < buckets; i++)
                if (bucket[i] > last)
                        last = bucket[i];
        if (last < first)
                return first;
        while (!(chain[last - first] & 1))
                last++;
        return last + 1;
}

static const char *name_in(const struct link_map *map, const void *fn)
{
        struct symbols s = symbols_of(map);
        if (!s.table || !s.names || !s.hash)
                return NULL;
        for (uint32_t i = 0, n = count(s.hash); i < n; i++)
                if (s.table[i].st_shndx != SHN_UNDEF &&
                    map->l_addr + s.table[i].st_value == (ElfW(Addr))fn)
                        return s.names + s.table[i].st_name;
        return NULL;
}

/* Of many tasks few functions differ. In the copy alone, so nobody else's. */
static struct known {
        const void *fn;
        const struct link_map *map; /* NULL: none is known */
        const char *name;
} known[64];

static void find_name(void *arg)
{
        struct known *k = arg;
        k->name = name_in(k->map, k->fn);
}

static const struct known *look_up(const void *fn)
{
        struct known *k = &known[(uintptr_t)fn / 16 % (sizeof(known) / sizeof(*known))];
        struct dl_find_object found;
        if (k->fn == fn)
                return k;
        *k = (struct known){.fn = fn};
        if (_dl_find_object((void *)fn, &found) == 0) {
                k->map = found.dlfo_link_map;
                weft__copy_try(find_name, k);
        }
        return k;
}

void weft__symbol_print(weft__out *out, const void *fn)
{
        const struct known *k = look_up(fn);
        if (!k->map) {
                weft__out_print(out, "%p", fn);
                return;
        }
        const char *file = k->map->l_name;
        if (k->name)
                weft__out_print(out, "%s ", k->name);
        weft__out_print(out, "(");
        weft__out_name(out, file && *file ? file : program_invocation_name);
        weft__out_print(out, "+0x%zx)", (size_t)((uintptr_t)fn - k->map->l_addr));
}

#else

void weft__symbol_print(weft__out *out, const void *fn)
{
        weft__out_print(out, "%p", fn);
}

#endif

/* SPDX-License-Identifier: MIT
 *
 * cilksort: see cilksort.h.
 */
#include "cilksort.h"

#include <stdlib.h>
#include <string.h>

enum { SMALL = 2048, TINY = 20 };

/* The sort of it all, and its memory in one piece. */
struct whole {
        struct cilksort sort;
        uint32_t memory[];
};

void *cilksort_make(size_t size)
{
        struct whole *w =
            size <= SIZE_MAX / 16 ? malloc(sizeof(*w) + 2 * size * sizeof(w->memory[0])) : NULL;
        if (w)
                w->sort =
                    (struct cilksort){.data = w->memory, .spare = w->memory + size, .n = size};
        return w;
}

void cilksort_ready(void *data)
{
        struct cilksort *s = data;
        uint64_t x = 88172645463325252;
        for (size_t i = 0; i < s->n; i++) { /* Marsaglia's xorshift64 */
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                s->data[i] = (uint32_t)(x >> 32);
        }
}

uint64_t cilksort_check(void *data)
{
        const struct cilksort *s = data;
        uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a, by the word */
        for (size_t i = 0; i < s->n; i++) {
                if (i && s->data[i - 1] > s->data[i])
                        return 0;
                hash = (hash ^ s->data[i]) * UINT64_C(1099511628211);
        }
        return hash;
}

/* ---- the small ones ---- */

static void insertion_sort(uint32_t *data, size_t n)
{
        for (size_t i = 1; i < n; i++) {
                uint32_t x = data[i];
                size_t at = i;
                for (; at > 0 && data[at - 1] > x; at--)
                        data[at] = data[at - 1];
                data[at] = x;
        }
}

static uint32_t median_of_three(uint32_t a, uint32_t b, uint32_t c)
{
        if (a < b)
                return b < c ? b : a < c ? c : a;
        return a < c ? a : b < c ? c : b;
}

/* Hoare's quicksort. */
static void sort_small(uint32_t *data, size_t n)
{
        while (n > TINY) {
                uint32_t pivot = median_of_three(data[0], data[n / 2], data[n - 1]);
                size_t low = 0, high = n - 1;
                for (;; low++, high--) {
                        while (data[low] < pivot)
                                low++;
                        while (data[high] > pivot)
                                high--;
                        if (low >= high)
                                break;
                        uint32_t x = data[low];
                        data[low] = data[high];
                        data[high] = x;
                }
                sort_small(data + low, n - low);
                n = low;
        }
        insertion_sort(data, n);
}

static void merge_small(const struct cilkmerge *m)
{
        const uint32_t *a = m->a, *b = m->b;
        const uint32_t *a_end = a + m->a_n, *b_end = b + m->b_n;
        uint32_t *to = m->to;
        while (a < a_end && b < b_end)
                *to++ = *a <= *b ? *a++ : *b++;
        memcpy(to, a, (size_t)(a_end - a) * sizeof(*a));
        memcpy(to + (a_end - a), b, (size_t)(b_end - b) * sizeof(*b));
}

/* How many of n elements in order are less than x. */
static size_t less_than(const uint32_t *data, size_t n, uint32_t x)
{
        size_t low = 0;
        while (low < n) {
                size_t middle = low + (n - low) / 2;
                if (data[middle] < x)
                        low = middle + 1;
                else
                        n = middle;
        }
        return low;
}

/* ---- how to split ---- */

/* At the middle of the longer one: what is less than that comes first. */
bool cilkmerge_split(const struct cilkmerge *m, struct cilkmerge half[2])
{
        if (m->a_n + m->b_n <= SMALL) {
                merge_small(m);
                return false;
        }
        bool by_a = m->a_n >= m->b_n;
        uint32_t middle = by_a ? m->a[m->a_n / 2] : m->b[m->b_n / 2];
        size_t a = by_a ? m->a_n / 2 : less_than(m->a, m->a_n, middle);
        size_t b = by_a ? less_than(m->b, m->b_n, middle) : m->b_n / 2;
        half[0] = (struct cilkmerge){m->a, m->b, a, b, m->to};
        half[1] = (struct cilkmerge){m->a + a, m->b + b, m->a_n - a, m->b_n - b, m->to + a + b};
        return true;
}

bool cilksort_split(const struct cilksort *s, struct cilksort quarter[4], struct cilkmerge merge[3])
{
        if (s->n <= SMALL) {
                sort_small(s->data, s->n);
                return false;
        }
        size_t q = s->n / 4, half = 2 * q;
        for (size_t i = 0; i < 4; i++)
                quarter[i] =
                    (struct cilksort){s->data + i * q, s->spare + i * q, i < 3 ? q : s->n - 3 * q};
        merge[0] = (struct cilkmerge){s->data, s->data + q, q, q, s->spare};
        merge[1] =
            (struct cilkmerge){s->data + half, s->data + 3 * q, q, s->n - 3 * q, s->spare + half};
        merge[2] = (struct cilkmerge){s->spare, s->spare + half, half, s->n - half, s->data};
        return true;
}

/* ---- the serial form ---- */

static void merge_serial(const struct cilkmerge *m)
{
        struct cilkmerge half[2];
        if (!cilkmerge_split(m, half))
                return;
        merge_serial(&half[0]);
        merge_serial(&half[1]);
}

void cilksort_serial(void *data)
{
        struct cilksort quarter[4];
        struct cilkmerge merge[3];
        if (!cilksort_split(data, quarter, merge))
                return;
        for (int i = 0; i < 4; i++)
                cilksort_serial(&quarter[i]);
        for (int i = 0; i < 3; i++)
                merge_serial(&merge[i]);
}

/* SPDX-License-Identifier: MIT
 *
 * From here on orders and fences have numbers: see client.h. With -DREACHED it is an error to come
 * to the one that is meant.
 */
#if defined(REACHED)
static int weft__reached(int order)
{
        assert(!"reached");
        return order;
}
#define WEFT__ORDER(order) (BUG == __COUNTER__ + 1 ? weft__reached(0) : __ATOMIC_##order)
#define weft__fence()      (BUG == __COUNTER__ + 1 ? (void)weft__reached(0) : weft__full_fence())
#else
#define WEFT__ORDER(order) (BUG == __COUNTER__ + 1 ? __ATOMIC_RELAXED : __ATOMIC_##order)
#define weft__fence()      (BUG == __COUNTER__ + 1 ? (void)0 : weft__full_fence())
#endif
#define memory_order_acquire WEFT__ORDER(ACQUIRE)
#define memory_order_release WEFT__ORDER(RELEASE)
#define memory_order_acq_rel WEFT__ORDER(ACQ_REL)
#define memory_order_seq_cst WEFT__ORDER(SEQ_CST)

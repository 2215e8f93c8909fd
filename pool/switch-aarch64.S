/* SPDX-License-Identifier: MIT
 *
 * The switch of stacks for aarch64 (AAPCS64).
 *
 *   void weft__switch(void **save_sp, void *load_sp);
 *
 * Saves what a call must preserve (x19 to x30, d8 to d15, the floating-point control register) on
 * the stack that runs, stores where that is in *save_sp, and goes on where another call of the same
 * function left off.
 *
 *   offsets from the saved stack pointer:  0 x19 … 80 x29  88 x30 (where to go on)  96 d8 … 152 d15
 *                                          160 fpcr  168 unused
 */
#if defined(__aarch64__) && !defined(WEFT_UCONTEXT)

        .text
        .globl  weft__switch
        .hidden weft__switch
        .type   weft__switch, %function
        .p2align 4
weft__switch:
        .cfi_startproc
        sub     sp, sp, #176
        .cfi_adjust_cfa_offset 176
        stp     x19, x20, [sp, #0]
        stp     x21, x22, [sp, #16]
        stp     x23, x24, [sp, #32]
        stp     x25, x26, [sp, #48]
        stp     x27, x28, [sp, #64]
        stp     x29, x30, [sp, #80]
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        mrs     x9, fpcr
        str     x9, [sp, #160]
        mov     x10, sp
        str     x10, [x0]

        mov     sp, x1
        ldr     x10, [sp, #160]
        cmp     x9, x10
        b.eq    1f
        msr     fpcr, x10
1:      ldp     x19, x20, [sp, #0]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     x29, x30, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        add     sp, sp, #176
        ret
        .cfi_endproc
        .size   weft__switch, .-weft__switch

/* Where a new fiber begins: calls x20(x19). There is nothing to return to, and the unwinder is told
 * so. */
        .globl  weft__switch_entry
        .hidden weft__switch_entry
        .type   weft__switch_entry, %function
        .p2align 4
weft__switch_entry:
        .cfi_startproc
        .cfi_undefined x30
        mov     x0, x19
        mov     x29, xzr
        blr     x20
        brk     #1
        .cfi_endproc
        .size   weft__switch_entry, .-weft__switch_entry

#endif
        .section .note.GNU-stack, "", %progbits

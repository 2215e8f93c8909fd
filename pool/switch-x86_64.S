/* SPDX-License-Identifier: MIT
 *
 * The switch of stacks for x86-64 (System V ABI).
 *
 *   void weft__switch(void **save_sp, void *load_sp);
 *
 * Saves what a call must preserve (rbx, rbp, r12 to r15, and the control words of SSE and x87) on
 * the stack that runs, stores where that is in *save_sp, and goes on where another call of the same
 * function left off. The control words are loaded only if they differ, since loading them is slow.
 * It ends in a return: most switches go to another call of it from the same place, whose callers
 * are the same too, and then the processor predicts this return and those that follow. (An indirect
 * jump would leave one return too many in its stack of predictions, and all that follow are wrong.)
 *
 *   offsets from the saved stack pointer:  0 mxcsr  4 x87 control word  8 r15  16 r14  24 r13
 *                                          32 r12  40 rbx  48 rbp  56 return address
 */
#if defined(__x86_64__) && !defined(WEFT_UCONTEXT)

        .text
        .globl  weft__switch
        .hidden weft__switch
        .type   weft__switch, @function
        .p2align 4
weft__switch:
        .cfi_startproc
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        movq    %rsp, (%rdi)

        movl    (%rsp), %eax
        movzwl  4(%rsp), %ecx
        movq    %rsi, %rsp
        cmpl    (%rsp), %eax
        jne     .Lload_mxcsr
.Lmxcsr_loaded:
        cmpw    4(%rsp), %cx
        jne     .Lload_x87
.Lx87_loaded:
        movq    8(%rsp), %r15
        movq    16(%rsp), %r14
        movq    24(%rsp), %r13
        movq    32(%rsp), %r12
        movq    40(%rsp), %rbx
        movq    48(%rsp), %rbp
        addq    $56, %rsp
        ret

.Lload_mxcsr:
        ldmxcsr (%rsp)
        jmp     .Lmxcsr_loaded
.Lload_x87:
        fldcw   4(%rsp)
        jmp     .Lx87_loaded
        .cfi_endproc
        .size   weft__switch, .-weft__switch

/* Where a new fiber begins: calls r13(r12). There is nothing to return to, and the unwinder is told
 * so. */
        .globl  weft__switch_entry
        .hidden weft__switch_entry
        .type   weft__switch_entry, @function
        .p2align 4
weft__switch_entry:
        .cfi_startproc
        .cfi_undefined rip
        movq    %r12, %rdi
        callq   *%r13
        ud2
        .cfi_endproc
        .size   weft__switch_entry, .-weft__switch_entry

#endif
        .section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: MIT
 *
 * Text of others in what is written for other programs: a value of a var may be any bytes, and a
 * label that was cut may end in the middle of a character. What is no UTF-8, and control
 * characters, become '?'.
 */
#ifndef WEFT_POOL_TEXT_H
#define WEFT_POOL_TEXT_H

#include <stdio.h>

/* As text or an attribute's value of HTML and XML. */
void weft__text_html(const char *text, FILE *to);

/* As a string of JSON, in quotes. */
void weft__text_json(const char *text, FILE *to);

#endif

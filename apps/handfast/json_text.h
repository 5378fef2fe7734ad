/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef JSON_TEXT_H
#define JSON_TEXT_H

/**
 * @file
 * Text from outside as JSON, which has nothing but UTF-8 (RFC 8259 8.1): file names may be any
 * bytes.
 */

#include <jansson.h>

/** The text; with U+FFFD for each byte beyond ASCII when it is not UTF-8. NULL without memory. */
json_t *json_text(const char *text);

#endif /* JSON_TEXT_H */

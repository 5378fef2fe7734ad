/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef EXPLAIN_TEXT_H
#define EXPLAIN_TEXT_H

/**
 * @file
 * A step of a ladder in words: tcpdump's for the header, ours for what it did.
 */

#include <stddef.h>

#include "explain/explain_conn.h"

#define EXPLAIN_TEXT_ADDRESS 56 /**< Room for an address with its port. */

/** "10.0.0.1:80", "[fd00::1]:80". */
const char *explain_text_end(const struct explain_end *end, char text[EXPLAIN_TEXT_ADDRESS]);

/** The address alone. */
const char *explain_text_address(const uint8_t address[16], char text[EXPLAIN_TEXT_ADDRESS]);

/** Control bits as tcpdump has them: "S", "S.", "P.", "F.", "R", "." */
const char *explain_text_flags(unsigned int flags, char text[9]);

/** Options in the order they had: "mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7". */
const char *explain_text_options(const struct explain_conn *conn, const struct explain_step *step,
		char *text, size_t size);

/** The names of what it did, separated by commas; "ACK" for an ordinary one. */
const char *explain_text_events(const struct explain_step *step, char *text, size_t size);

/** Where the connection stands: "open", "reset"... */
const char *explain_text_fate(enum explain_fate fate);

#endif /* EXPLAIN_TEXT_H */

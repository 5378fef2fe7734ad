/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TELEMETRY_TEXT_H
#define TELEMETRY_TEXT_H

/**
 * @file
 * Texts in telemetry answers that may be longer than the 127 bytes DPDK gives a string in a dict:
 * as an array of pieces, to be joined again.
 */

struct rte_tel_data;

/** Add @p text to the dict as the array @p name; nothing when it is empty. */
void telemetry_add_text(struct rte_tel_data *data, const char *name, const char *text);

/** Make the dict an answer that says what is wrong and what helps. @return 0, for the caller */
int telemetry_say_problem(struct rte_tel_data *data, const char *reason, const char *remedy);

#endif /* TELEMETRY_TEXT_H */

/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef ORACLE_INTERNAL_H
#define ORACLE_INTERNAL_H

/**
 * @file
 * What the oracle's files share with one another and nobody else needs.
 */

#include "oracle.h"

/** How a segment's timestamp compares with TS.Recent. */
enum oracle_timestamp {
	ORACLE_TIMESTAMP_UNUSED, /**< Not negotiated. */
	ORACLE_TIMESTAMP_MISSING,
	ORACLE_TIMESTAMP_OLDER,
	ORACLE_TIMESTAMP_EQUAL,
	ORACLE_TIMESTAMP_NEWER,
};

/** Add a choice: nothing changes, and one of @p sends goes out. */
struct oracle_choice *oracle_add(struct oracle_verdict *verdict, const struct oracle_case *question,
		uint32_t sends, const char *because);

/** The choice ends the connection, for one of these reasons. */
void oracle_end(struct oracle_choice *choice, uint8_t endings);

void oracle_timeout(const struct oracle_case *question, struct oracle_verdict *verdict);
void oracle_open(const struct oracle_case *question, struct oracle_verdict *verdict);
void oracle_close(const struct oracle_case *question, struct oracle_verdict *verdict);
void oracle_abort(const struct oracle_case *question, struct oracle_verdict *verdict);

#endif /* ORACLE_INTERNAL_H */

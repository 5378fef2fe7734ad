/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef NO_BACKEND_H
#define NO_BACKEND_H

/**
 * @file
 * What a client hears that wants to open a connection to a pool with nobody left.
 *
 * It hears it by its SYN: whoever is told nothing repeats that, and gets through as soon as a
 * backend is back.  One whose handshake was already done would take silence for a slow server.
 */

#include <stdbool.h>

#include "engine/burst.h"

struct pool;
struct worker;

/** Whether packet i, of no connection, is a SYN to a pool with nobody left, and is to be refused
 * here; as soon as control knows. */
bool no_backend_concerns(const struct worker *worker, const struct burst *burst, unsigned int i);

/** Answer packet i by a RST, if it is a SYN and the pool would have it so; it is the burst's no
 * more. */
void no_backend_answer(struct worker *worker, struct burst *burst, unsigned int i,
		const struct pool *pool);

#endif /* NO_BACKEND_H */

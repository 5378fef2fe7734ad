/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_ENV_H
#define BURST_ENV_H

/**
 * @file
 * What the TCP machine must know of the world about one packet of a burst.
 */

#include "engine/burst.h"

struct worker;

/** Fill @p env for packet @p i, whose connection is @p conn or NULL. */
void burst_env(const struct worker *worker, const struct burst *burst, unsigned int i,
		const struct conn *conn, struct tcp_env *env);

#endif /* BURST_ENV_H */

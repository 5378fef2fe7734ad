/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef CASES_H
#define CASES_H

/**
 * @file
 * Connections for the rules suite to begin with: one per state, made by hand from the meaning of
 * the fields, with every number where the test wants it.
 */

#include "oracle.h"

/** Where the numbers of a connection stand. */
struct cases_base {
	uint32_t rcv_nxt;
	uint32_t snd_una;
	uint32_t ts_recent;
	uint32_t isn; /**< For connections that this event opens. */
};

/** What distinguishes one connection in a state from another. */
struct cases_shape {
	enum tcp_state state;
	bool active;
	bool timestamps;
	uint32_t in_flight; /**< SND.NXT - SND.UNA wanted, where the state leaves it open. */
	uint16_t more_flags;
	uint8_t retries;
};

/** SND.WND and MAX.SND.WND of every connection here: a power of two, as its logarithm is kept. */
#define CASES_SND_WND      0x4000
#define CASES_SND_WND_LOG2 14

/** A connection of this shape; all zero in CLOSED and LISTEN, as tcp_step() asks. */
struct tcp_conn cases_conn(const struct cases_base *base, const struct cases_shape *shape);

/** The settings' defaults (options.def). */
extern const struct tcp_config cases_config;

#endif /* CASES_H */

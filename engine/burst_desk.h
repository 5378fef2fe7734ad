/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_DESK_H
#define BURST_DESK_H

/**
 * @file
 * What is the same for all packets that come to one listener through one port, worked out once: who
 * serves them, what the TCP machine must know, what SYN-ACKs look like.
 *
 * A worker keeps the desks of the listeners that were asked last, until the services change.  Only
 * listeners that we answer for ourselves have one: what is promised in the name of backends may
 * change at any time.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "engine/burst.h"
#include "engine/burst_env.h"
#include "engine/services.h"
#include "engine/worker.h"
#include "respond/respond_usual.h"
#include "wire/build_reply.h"

/** SYN-ACKs by what they offer: window scale, SACK and timestamps, as in enum tcp_option_bit; ECN.
 */
#define BURST_DESK_FORMS    16
#define BURST_DESK_FORM_ECN 1

/** Kept at a time, by each worker. */
#define BURST_DESKS 8

struct burst_desk {
	uint32_t place; /**< Port and listener, and one bit more: 0 is nobody's. */
	uint32_t forms; /**< Which are there. */
	const struct service *service;
	struct service_share *share;
	struct tcp_env env; /**< Of a first segment, without clocks and initial number. */
	bool opens;         /**< SYNs are taken, as they come: no Fast Open, nobody drains. */
	bool starts;        /**< Its service never refuses a connection that opened. */
	uint8_t family;
	struct build_form form[BURST_DESK_FORMS];
	struct respond_usual usual; /**< What the service says to most. */
};

/** Work one out. */
void burst_desk_open(struct worker *worker, uint8_t port, uint16_t listener);

/** Write the SYN-ACK of a connection, which has not been needed before. */
void burst_desk_write_form(struct burst_desk *desk, unsigned int which);

static inline uint32_t
burst_desk_place(uint8_t port, uint16_t listener)
{
	return UINT32_C(1) << 31 | (uint32_t)port << 16 | listener;
}

/**
 * The desk of packets that came through a port.
 *
 * @return NULL when the listener has none.
 */
static inline struct burst_desk *
burst_desk(struct worker *worker, uint8_t port, uint16_t listener)
{
	const uint32_t place = burst_desk_place(port, listener);
	struct burst_desk *desk = &worker->desk[listener % BURST_DESKS];

	if (unlikely(desk->place != place))
		burst_desk_open(worker, port, listener);
	return likely(desk->service != NULL) ? desk : NULL;
}

/** The SYN-ACK of a connection that has these flags. */
static inline const struct build_form *
burst_desk_form(struct burst_desk *desk, uint16_t flags)
{
	const unsigned int which =
			((flags & TCP_CONN_WINDOW_SCALE) != 0 ? TCP_OPTION_WINDOW_SCALE : 0) |
			((flags & TCP_CONN_SACK) != 0 ? TCP_OPTION_SACK_PERMITTED : 0) |
			((flags & TCP_CONN_TIMESTAMPS) != 0 ? TCP_OPTION_TIMESTAMPS : 0) |
			((flags & TCP_CONN_ECN) != 0 ? BURST_DESK_FORM_ECN : 0);

	if (unlikely((desk->forms & 1u << which) == 0))
		burst_desk_write_form(desk, which);
	return &desk->form[which];
}

#endif /* BURST_DESK_H */

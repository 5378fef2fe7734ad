/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef REPLAY_ENGINE_H
#define REPLAY_ENGINE_H

/**
 * @file
 * An engine that runs only when it is told to: ports made of rings, one worker that is turned by
 * hand on this thread, a clock that is moved by hand, chance from a seed.
 *
 * Needs neither root nor hugepages nor a device.  DPDK can be started once in a process, so there
 * is one of it in a process.
 */

#include <stdbool.h>
#include <stdint.h>

#include "settings/settings.h"
#include "tcp/flow_key.h"
#include "tcp/tcp_conn.h"

/** Port N of the settings must be the device "vdev:" REPLAY_DEVICE N. */
#define REPLAY_DEVICE "net_ring_replay"

/** Bytes of the longest frame that a buffer has room for, Ethernet header included. */
#define REPLAY_LONGEST 65407

struct replay_engine;
struct rte_mbuf;

/** A frame that the engine sent. */
struct replay_frame {
	const uint8_t *data;
	uint32_t length;
	unsigned int port;
};

/** What is told of each frame that the engine sends. */
struct replay_listener {
	void (*hear)(void *context, const struct replay_frame *frame);
	void *context;
};

/** How the engine is to be. */
struct replay_plan {
	struct settings *settings; /**< Adapted to replay; must outlive the engine. */
	uint64_t seed;
	uint64_t unix_us; /**< The time of day when it begins. */
	struct replay_listener listener;
};

/** Start DPDK and put the engine together. @return NULL after the reason was logged. */
struct replay_engine *replay_engine_start(const struct replay_plan *plan);

/**
 * How much of @p left_us may pass at once: so little that what timeouts send goes out at its own
 * time; more when no connection is there that could time out, or when it would take hours.
 */
uint64_t replay_engine_step_us(const struct replay_engine *replay, uint64_t left_us);

/** Let such a step pass; timeouts happen then. */
void replay_engine_step(struct replay_engine *replay, uint64_t us);

/**
 * Copy a frame into a buffer, which may be as large as segments that an offloading host captured.
 *
 * @return NULL when the frame is too long even so.
 */
struct rte_mbuf *replay_engine_buffer(
		struct replay_engine *replay, const uint8_t *data, uint32_t length);

/** Give it a frame in such a buffer, and let it answer. */
void replay_engine_put(struct replay_engine *replay, unsigned int port, struct rte_mbuf *packet);

/** The engine's Ethernet address on a port. */
const uint8_t *replay_engine_mac(const struct replay_engine *replay, unsigned int port);

/** Sum of a counter over the worker's ports; @p counter is an enum counter. */
uint64_t replay_engine_counter(const struct replay_engine *replay, unsigned int counter);

/** Connections that are in the tables, TIME_WAIT not included. */
unsigned int replay_engine_connections(const struct replay_engine *replay);

/**
 * The engine's connection of a client with one of its services; NULL if it has none, or one in
 * TIME_WAIT, or one that a proxy translates.
 *
 * @param client
 *   Its address and port.
 */
const struct tcp_conn *replay_engine_connection(const struct replay_engine *replay,
		unsigned int port, const struct flow_key *client, const uint8_t address[16],
		rte_be16_t service_port);

void replay_engine_stop(struct replay_engine *replay);

#endif /* REPLAY_ENGINE_H */

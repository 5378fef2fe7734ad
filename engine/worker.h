/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef WORKER_H
#define WORKER_H

/**
 * @file
 * One worker: a core, the connections it owns, and its loop.
 *
 * Nothing in here is shared but what is said to be: counters and histograms may be read by anyone
 * at any time, the mailbox is how others ask, the rings are how packets change hands.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "engine/burst.h"
#include "engine/checks.h"
#include "engine/engine.h"
#include "engine/mailbox.h"
#include "engine/opening.h"
#include "engine/services.h"
#include "limit/token_bucket.h"
#include "observe/counters.h"
#include "observe/histogram.h"
#include "respond/echo_buffer.h"
#include "table/conn_table.h"
#include "table/time_wait.h"
#include "table/timer_wheel.h"
#include "tcp/tcp_rules.h"
#include "wire/parse_columns.h"

struct spent_cookies;
struct prefix_set;

#define WORKER_TRANSMIT_MAX 256

/** So many kinds of hashes are told apart among the connections that a burst opened. */
#define WORKER_INSERTED 512

/** Packets on their way out of one port. */
struct worker_transmit {
	unsigned int n;
	unsigned int replies;    /**< So many of them answer packets; for the counters. */
	unsigned int originated; /**< So many do not. */
	struct rte_mbuf *packet[WORKER_TRANSMIT_MAX];
};

/** Packets on their way to another worker. */
struct worker_handover {
	unsigned int n;
	struct rte_mbuf *packet[BURST_MAX];
};

/** A queue this worker polls. */
struct worker_queue {
	uint8_t port;
	uint16_t queue;
};

/** A connection that ended in this burst, or that TIME_WAIT lent to it. */
struct worker_ending {
	struct conn *conn;
	uint64_t hash;
	bool borrowed; /**< TIME_WAIT has an entry of it. */
	bool unopened; /**< It ended half open. */
};

struct burst_desk;
struct burst_entrance;
struct direct;
struct proxy;

/**
 * What control has made for a worker, who takes it with the first snapshot of the services that
 * needs it: when the engine starts, or a reload asks for it (grow.h).
 */
struct worker_made {
	struct proxy *proxy;
	struct direct *direct;
	struct echo_buffers *echo; /**< In place of worker.echo_buffers. */
};

struct worker {
	struct engine *engine;
	unsigned int index;
	unsigned int lcore;
	unsigned int core; /**< CPU. */
	int numa_node;
	struct rte_mempool *pool;

	uint64_t now_us; /**< Read once a turn. */
	uint32_t now_ms;
	uint32_t now_s;
	const struct services *services; /**< The same: valid until the turn ends. */

	/** The ends that segments came to last, by IPv4 and IPv6; at one engine port. */
	struct parse_columns_end expected[2];
	uint16_t expected_port;
	bool columns; /**< This CPU parses many frames at once. */

	struct conn_table *table;
	struct timer_wheel *wheel;
	struct time_wait *time_wait;
	struct spent_cookies *spent; /**< Flows whose cookie must not open them again. */
	struct echo_buffers *echo_buffers;
	void *memory; /**< Holds the five above. */

	unsigned int receive_most; /**< Packets taken from a queue at once. */
	unsigned int queue_count;
	unsigned int queue_next; /**< Round robin. */
	struct worker_queue *queue;

	struct worker_transmit transmit[SETTINGS_PORTS_MAX];
	struct worker_handover *handover;   /**< Per worker: packets that are theirs. */
	struct rte_ring **steer_in;         /**< Per worker: from there to here; NULL for ours. */
	struct rte_ring **transmit_through; /**< Per port: when we have no queue there. */
	struct rte_ring **transmit_for;     /**< Rings whose packets we transmit for others. */
	unsigned int transmit_for_count;

	bool revived;  /**< A connection that ended in the current burst may be noted already. */
	bool inserted; /**< The current burst opened a connection. */
	uint64_t inserted_hashes[WORKER_INSERTED / 64]; /**< A bit of each one's hash. */
	unsigned int half_open_most; /**< The service that had most half-open ones when it grew. */
	unsigned int ending_count;   /**< Connections to be settled when the burst is over. */
	/** Of each packet its own, and half-open ones that it displaced from table and service. */
	struct worker_ending ending[3 * BURST_MAX];

	const struct prefix_set *lists; /**< Who is denied; NULL: nobody.  Of this turn. */
	uint64_t cookies_sent_us;       /**< When the last one was; 0 is never. */
	struct token_bucket resets;
	struct token_bucket challenges;
	uint64_t challenge_random; /**< State of a generator whose output nobody sees. */
	struct token_bucket echoes;
	struct token_bucket unreachables; /**< As many as echoes. */

	struct counters *counters;       /**< Per port. */
	struct service_share *share;     /**< Per service: SERVICES_MAX. */
	struct burst_desk *desk;         /**< BURST_DESKS, of the services of this turn. */
	struct burst_entrance *entrance; /**< Where SYN cookies were asked for last. */
	uint64_t *rules;                 /**< How often each row of the TCP table fired. */
	struct histogram handshake_us;   /**< From SYN to the ACK that opened. */
	struct mailbox mailbox;          /**< Questions that are answered at once. */
	struct mailbox openings;         /**< Those that wait for a peer. */
	struct mailbox census;           /**< How many connections each listener has. */
	struct opening opening;
	struct proxy *proxy;  /**< NULL until a service is proxied. */
	struct checks checks; /**< Of backends, in progress. */
	struct backends_counts *backends;
	struct direct *direct;              /**< NULL until a service is direct. */
	uint32_t target_conns[TARGETS_MAX]; /**< Connections of each target in the table. */
	uint32_t *listener_conns; /**< By listener, as the last census found; control's memory. */
	struct worker_made made;

	uint32_t patience_us;     /**< How long a device may take nothing; 0 but in a generator. */
	struct load_worker *load; /**< NULL unless this is the generator. */

	struct tap_memory *tap; /**< Where packets are copied to; NULL: nowhere.  Atomic. */

	unsigned int turn_packets; /**< Received in this turn. */
	uint64_t turns;
	uint64_t busy_us;      /**< Time in turns that had packets or timeouts. */
	bool was_busy;         /**< The turn before had; its time is not in busy_us yet. */
	bool house_is_due;     /**< There was more to do than one turn may. */
	uint64_t housekept_us; /**< When what need not be done every turn was. */
	uint64_t resolved_us;
	unsigned int idle_turns; /**< In a row. */
};

/**
 * Make a worker with its tables on its core's NUMA node.
 *
 * @return NULL after the reason was logged.
 */
struct worker *worker_create(struct engine *engine, unsigned int index, unsigned int lcore);

void worker_free(struct worker *worker);

/** Bytes of table memory each worker needs; for sizing. */
uint64_t worker_footprint(const struct settings *settings);

/** Whether a service's connections may need echo rings. */
bool worker_echoes(const struct settings_service *service);

/** Echo rings that the settings ask for: none, but one, where nothing echoes. */
uint32_t worker_echo_rings(const struct settings *settings);

/** The loop; returns when the engine stops.  An lcore_function_t. */
int worker_run(void *argument);

/** What holds for a whole turn: the time, the services. */
void worker_begin(struct worker *worker);

/** What a worker does between turns without work. */
void worker_idle(struct worker *worker);

/** Wait until all workers have said their last, sending what others hand over. */
void worker_leave(struct worker *worker);

/** One turn of the loop: receive, process, expire, answer the mailbox. @return whether busy. */
bool worker_turn(struct worker *worker);

/** Whom segments came to last is not to be relied on any more. */
static inline void
worker_expect_none(struct worker *worker)
{
	memset(worker->expected, 0, sizeof(worker->expected));
	worker->expected_port = UINT16_MAX;
}

/** The port of a packet, mostly that of the one before. */
static inline const struct port *
worker_port_of(const struct worker *worker, const struct rte_mbuf *packet,
		const struct port *before)
{
	return likely(packet->port == before->index) ? before : &worker->engine->port[packet->port];
}

/** The current burst opened a connection. */
static inline void
worker_inserted(struct worker *worker, uint64_t hash)
{
	const unsigned int kind = hash % WORKER_INSERTED;

	worker->inserted = true;
	worker->inserted_hashes[kind / 64] |= UINT64_C(1) << kind % 64;
}

/** Whether the current burst may have opened a connection whose key has this hash. */
static inline bool
worker_may_have_inserted(const struct worker *worker, uint64_t hash)
{
	const unsigned int kind = hash % WORKER_INSERTED;

	return worker->inserted && (worker->inserted_hashes[kind / 64] >> kind % 64 & 1) != 0;
}

/** Count for a port. */
static inline void
worker_count(struct worker *worker, uint8_t port, enum counter counter, uint64_t n)
{
	counters_bump(&worker->counters[port], counter, n);
}

/** A connection of a target came to the table, or left it. */
static inline void
worker_count_target(struct worker *worker, unsigned int target, int change)
{
	if (target >= TARGETS_MAX) /* A backend's check. */
		return;
	__atomic_store_n(&worker->target_conns[target],
			worker->target_conns[target] + (uint32_t)change, __ATOMIC_RELEASE);
}

/**
 * Wait until every worker has begun a turn after now, and so has seen what was written before;
 * for control, which then may change what no worker looks at any more.
 *
 * @return false when one did not within a second.
 */
bool worker_wait_for_turns(const struct engine *engine);

/** A packet ends here, for one reason. */
void worker_drop(struct worker *worker, struct rte_mbuf *packet, enum counter reason);

#endif /* WORKER_H */

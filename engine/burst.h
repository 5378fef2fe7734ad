/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_H
#define BURST_H

/**
 * @file
 * One burst in flight: one array per question, so that each stage of the pipeline streams through
 * what it needs and takes two arguments.
 *
 * Index i is the same packet in every array.  A stage that drops or answers a packet takes it out
 * and moves the later ones up; none adds.  Timeouts travel as bursts too: then packet[i] is NULL
 * and conn[i] is whom it happens to.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "table/conn_table.h"
#include "table/time_wait.h"
#include "tcp/tcp_segment.h"
#include "tcp/tcp_step.h"
#include "wire/columns.h"
#include "wire/parse.h"

#define BURST_MAX CONN_TABLE_BURST_MAX

/**
 * Segments of a burst that came to a local port towards a backend: port and address name their
 * connection's slot, so they have no key and need no lookup.
 */
struct burst_returns {
	unsigned int n;
	struct rte_mbuf *packet[BURST_MAX];
	struct frame frame[BURST_MAX];
	struct tcp_segment segment[BURST_MAX];
	uint32_t slot[BURST_MAX];
	const uint32_t *place[BURST_MAX]; /**< By place in the burst: local_ports_place(). */
};

/** The parser writes rows of so many packets at once, from any packet on. */
#define BURST_ROWS (BURST_MAX + COLUMNS)

struct burst {
	unsigned int n;
	uint64_t known;                     /**< burst_parse: those it classified, too. */
	uint64_t sought;                    /**< burst_parse: those it hashed. */
	struct rte_mbuf *packet[BURST_MAX]; /**< burst_receive: the frame; NULL for a timeout. */
	struct frame frame[BURST_ROWS];     /**< burst_parse: where its headers are. */
	struct tcp_segment segment[BURST_ROWS];     /**< burst_parse: what it says. */
	struct flow_key key[BURST_ROWS];            /**< burst_classify: whose it is. */
	uint8_t event[BURST_ROWS];                  /**< burst_classify: enum tcp_event. */
	uint64_t hash[BURST_ROWS];                  /**< burst_lookup: of the key. */
	struct conn *conn[BURST_MAX];               /**< burst_lookup: the connection, or NULL. */
	struct time_wait_entry *waiting[BURST_MAX]; /**< burst_lookup: what TIME_WAIT has of it. */
	struct tcp_action action[BURST_MAX];        /**< burst_step: what to do about it. */
	uint64_t silent;                            /**< burst_step: nothing is left to be said. */
	uint64_t isns;                              /**< burst_step: whose initial numbers are: */
	uint32_t isn[BURST_MAX];
	/** burst_parse: SYNs known as the one before, by listener, flags, MSS and options. */
	uint64_t alike;
	uint64_t doubtful;            /**< burst_parse: SYNs known, from who may be no peer. */
	unsigned int moved;           /**< The place behind the last that moved up; or 0. */
	struct burst_returns returns; /**< burst_classify: from backends. */
};

/** A bit for each packet. */
static inline uint64_t
burst_all(const struct burst *burst)
{
	return burst->n == BURST_MAX ? UINT64_MAX : (UINT64_C(1) << burst->n) - 1;
}

static inline uint64_t
burst_bit_move(uint64_t mask, unsigned int from, unsigned int to)
{
	return (mask & ~(UINT64_C(1) << to)) | (mask >> from & 1) << to;
}

/**
 * A packet that was at place @p from is at @p to, at or before it; so is what is known of it. Those
 * that stay are moved in order; who lost the one before is like nobody.
 */
static inline void
burst_known_move(struct burst *burst, unsigned int from, unsigned int to)
{
	burst->known = burst_bit_move(burst->known, from, to);
	burst->doubtful = burst_bit_move(burst->doubtful, from, to);
	burst->sought &= ~(UINT64_C(1) << to);
	if (burst->moved != from)
		burst->alike &= ~(UINT64_C(1) << from);
	burst->alike = burst_bit_move(burst->alike, from, to);
	burst->moved = from + 1;
}

struct worker;

/*
 * The stages, in the order in which a packet meets them; worker.c calls them one after the other.
 */

/** NIC queues, and the rings from other workers, to packets. */
void burst_receive(struct worker *worker, struct burst *burst);

/** The same for whoever makes bursts of them itself: @p most is BURST_MAX or more. @return how
 * many.
 */
unsigned int burst_receive_some(
		struct worker *worker, struct rte_mbuf *packets[], unsigned int most);

/** Bytes to segments; every length and checksum is checked here, once. */
void burst_parse(struct worker *worker, struct burst *burst);

/** Ours or not: TCP goes on with its key and event, ARP and ICMP are dealt with here. */
void burst_classify(struct worker *worker, struct burst *burst);

/** Keys to connections, all cache misses at once. */
void burst_lookup(struct worker *worker, struct burst *burst);

/** Segment and connection to action: the TCP machine, and the application behind it. */
void burst_step(struct worker *worker, struct burst *burst);

/** Action to bytes, in the same packet where there is one. */
void burst_reply(struct worker *worker, struct burst *burst);

/** Packets to NIC queues; then connections that ended are settled. */
void burst_transmit(struct worker *worker, struct burst *burst);

/** Instead of the first four stages: connections whose timeout is due. */
void burst_expire(struct worker *worker, struct burst *burst);

/** Where a connection that we open begins. */
struct burst_origin {
	uint8_t port; /**< Engine port. */
	uint8_t peer_mac[6];
};

/**
 * Instead of the first four stages: a new connection that is to be opened.
 *
 * @param key
 *   Active, and not in the table.
 * @return false when the table is full; nothing has happened then.
 */
bool burst_open(struct worker *worker, struct burst *burst, const struct flow_key *key,
		const struct burst_origin *origin);

/** Instead of the first four stages: one event for one connection, told by control. */
void burst_happen(struct worker *worker, struct burst *burst, struct conn *conn,
		enum tcp_event event);

/** Instead of the first four stages: up to a burst of live connections to abort, from a table slot
 * on. @return the slot to go on from. */
uint32_t burst_abort(struct worker *worker, struct burst *burst, uint32_t slot);

struct worker_ending;

/** Tell the congestion window and the service what a step brought, which moved snd_una by @p acked.
 */
void burst_step_outcome(struct worker *worker, struct burst *burst, unsigned int i, uint32_t acked);

/** A connection ended: it is settled when the burst is over; once, also if it began again. */
void burst_step_note(struct worker *worker, const struct worker_ending *ending);

/**
 * Put a connection that a SYN opened into the table, or drop the packet.
 *
 * burst->conn[i] is the connection, or NULL after a drop.
 */
void burst_step_insert(struct worker *worker, struct burst *burst, unsigned int i,
		const struct tcp_conn *tcp);

/** Let a connection in the table be another one from now on. */
void burst_step_set_tcp(struct conn *conn, const struct tcp_conn *tcp);

#endif /* BURST_H */

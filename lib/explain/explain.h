/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef EXPLAIN_H
#define EXPLAIN_H

/**
 * @file
 * A capture's packets, sorted into connections, each with its ladder.
 *
 * Connections are numbered from 1 in the order in which they are found, whatever the filter, so
 * that a number found in a summary names the same connection in the next call.  They are found by
 * their first packets; those that took over the ends of one that was open, by their SYN-ACKs.
 * Memory grows with the packets that pass the filter; without ladders, with the connections.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "explain/explain_conn.h"

/** Which connections are wanted. */
struct explain_filter {
	uint64_t connection; /**< Its number; 0 for all. */
	bool by_address;     /**< One of the ends has @ref address, ... */
	uint8_t address[16]; /**< IPv4-mapped. */
	uint16_t port;       /**< ... and, unless 0, one of the ends has this port. */
	bool ladders;        /**< Whether steps are kept. */
};

#define EXPLAIN_HELD 8 /**< As often as Linux sends a SYN, and once more. */

/** A SYN that will be known as the next connection's by the answer to it. */
struct explain_held {
	struct explain_packet packet; /**< Without its payload's bytes. */
	uint8_t options[40];
};

/** A connection of the capture. */
struct explain_record {
	struct explain_conn conn;
	uint64_t number;
	bool wanted;
	struct explain_step *step;
	size_t steps;
	size_t room;
	struct explain_held *held; /**< The last stray SYN and its retransmissions. */
	unsigned int helds;
	struct explain_record *chain; /**< Next in its place of the hash table. */
};

struct explain {
	struct explain_filter filter;
	uint64_t kinds[EXPLAIN_KINDS]; /**< Packets of each enum explain_kind. */
	int64_t earliest_ns;           /**< Over packets of whatever kind. */
	int64_t latest_ns;
	int64_t previous_ns;            /**< Of the packet before. */
	uint64_t backward;              /**< Packets whose time is before that of the one before. */
	struct explain_record **record; /**< In order of their first packets. */
	size_t records;
	size_t room;
	struct explain_record **place; /**< Hash table. */
	size_t places;
};

/** Begin. @return false when there is no memory. */
bool explain_init(struct explain *explain, const struct explain_filter *filter);

/** Add the next packet. @return false when memory ran out. */
bool explain_add(struct explain *explain, const struct explain_frame *frame, int64_t time_ns);

/** How many packets there were. */
uint64_t explain_packets(const struct explain *explain);

void explain_free(struct explain *explain);

#endif /* EXPLAIN_H */

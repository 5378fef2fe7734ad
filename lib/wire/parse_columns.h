/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PARSE_COLUMNS_H
#define PARSE_COLUMNS_H

/**
 * @file
 * parse_plain() for sixteen frames at once, and whose they are if they are for the end that is
 * expected.
 *
 * What holds of the short cut holds here: every length and checksum is verified, and a frame is
 * either good or left to parse_frame(), which names what is wrong with it or takes what is rare.
 * For frames whose TCP options are unusual, or that carry data, a lane is finished on its own.
 */

#include <stdbool.h>
#include <stdint.h>

#include "table/no_peers.h"
#include "tcp/flow_key.h"
#include "tcp/tcp_segment.h"
#include "wire/columns.h"
#include "wire/parse.h"

/** From the first byte of a frame on, so many may be read, however short it is. */
#define PARSE_COLUMNS_READ 110

/** Frames to parse, all of one port. */
struct parse_columns_frames {
	const uint8_t *data[COLUMNS]; /**< All are read: those beyond n may be any frame. */
	uint32_t length[COLUMNS];     /**< Of the frame. */
	unsigned int n;
	unsigned int flags; /**< enum parse_flag, but that all frames have in common. */
};

/**
 * The end that many segments have in common: where the last one went, for a server; where it came
 * from, for a client.
 */
struct parse_columns_end {
	uint8_t mac[8];                  /**< The port's, and two bytes 0. */
	struct flow_key local;           /**< The end: address, port; and who listens there. */
	bool is_source;                  /**< They come from it, and keys are of where they go. */
	const struct no_peers *no_peers; /**< Who cannot be the other end; NULL: nobody. */
};

/** Rows to write, room for COLUMNS of each; those of frames that are not good hold anything. */
struct parse_columns_rows {
	struct frame *frame;
	struct tcp_segment *segment;
	struct flow_key *key; /**< Of those that are here. */
	uint8_t *event;       /**< enum tcp_event */
};

/** A bit for each frame. */
struct parse_columns_verdict {
	uint16_t good;  /**< DROP_NONE and FRAME_TCP. */
	uint16_t here;  /**< Good, sent to the expected MAC address, and of the expected end. */
	uint16_t alike; /**< SYNs here as the one before, with the same flags, MSS and options. */
	uint16_t doubtful; /**< SYNs here, from port 0 or whom @ref parse_columns_end.no_peers has.
			    */
};

/** Whether this CPU can. */
bool parse_columns_available(void);

/** @param end whom IPv4 segments are expected to be for, and whom IPv6 segments. */
struct parse_columns_verdict parse_columns(const struct parse_columns_frames *frames,
		const struct parse_columns_end end[2], const struct parse_columns_rows *rows);

#endif /* PARSE_COLUMNS_H */

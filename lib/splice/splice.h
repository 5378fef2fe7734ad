/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SPLICE_H
#define SPLICE_H

/**
 * @file
 * Two handshakes made one connection: what it takes to translate a segment of one side into a
 * segment of the other, in place, and to see from the segments where the connection is in its life.
 *
 * Both ends keep their own TCP; nothing here is retransmitted, reordered or kept.  Translation is
 * linear: the same number is added to everything, so what was exact stays exact and what was not
 * does not become so (RFC 5961 3.2).  What a splice learns is guarded by the windows that both
 * sides advertised; a segment outside of them is translated all the same, for the receiver knows
 * better, but teaches nothing.
 *
 * Numbers in struct splice are the client's: as the client writes its own, and as it reads the
 * server's.  Checksums are updated by RFC 1624, never made anew, so that damage done here would be
 * found by the receiver.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>
#include <rte_common.h>

#include "tcp/tcp_segment.h"
#include "wire/parse.h"

/** Who sent a segment. */
enum splice_side {
	SPLICE_CLIENT,
	SPLICE_SERVER,
	SPLICE_SIDES,
};

/** What the two agreed upon. */
enum splice_flag {
	SPLICE_SERVER_SCALES = 0x01,     /**< The server sent a window scale option. */
	SPLICE_SERVER_SACK = 0x02,       /**< The server takes SACK blocks. */
	SPLICE_SERVER_TIMESTAMPS = 0x04, /**< The server takes timestamps. */
	SPLICE_CLIENT_SACK = 0x08,
	SPLICE_CLIENT_TIMESTAMPS = 0x10,
	/** In front of ack[SPLICE_SERVER] there is what we have to repeat, not the client. */
	SPLICE_OURS = 0x20,
	/** For who counts: it is over but for last segments, and its server's no more. */
	SPLICE_UNCOUNTED = 0x40,
};

/** What of the close has been seen; the bit of SPLICE_CLIENT, shifted left for SPLICE_SERVER. */
enum splice_closing {
	SPLICE_FIN = 0x01,       /**< The side's FIN; it is next[side] - 1. */
	SPLICE_FIN_ACKED = 0x04, /**< The other side acknowledged that FIN. */
	SPLICE_RESET = 0x10,     /**< The side sent a RST that the other must have believed. */
};

#define SPLICE_BOTH_FINS_ACKED (SPLICE_FIN_ACKED | SPLICE_FIN_ACKED << SPLICE_SERVER)
#define SPLICE_BOTH_FINS       (SPLICE_FIN | SPLICE_FIN << SPLICE_SERVER)
#define SPLICE_ANY_RESET       (SPLICE_RESET | SPLICE_RESET << SPLICE_SERVER)

/**
 * One spliced connection, beside its line in the connection table.  One cache line.
 *
 * It begins as the tail that it takes the place of (struct conn_tail) does: the peer's Ethernet
 * address, and its port.
 */
struct splice {
	uint8_t client_mac[6];
	uint8_t port[SPLICE_SIDES]; /**< Engine ports. */
	/** Added to a side's sequence numbers, taken from what acknowledges them. */
	uint32_t add[SPLICE_SIDES];
	uint32_t stamp_add;          /**< Added to the server's TSval, taken from their echo. */
	uint32_t next[SPLICE_SIDES]; /**< After the last number that the side sent. */
	/** How far the other side lets it send; of a client that waits for a server: since when. */
	uint32_t limit[SPLICE_SIDES];
	/** The highest number of the other that the side has, or, with SPLICE_OURS, we have. */
	uint32_t ack[SPLICE_SIDES];
	uint32_t held;         /**< For who holds early segments. */
	uint16_t sum_add;      /**< Ends, client to server: new less old, for checksums. */
	rte_be16_t local_port; /**< Ours, towards the server. */
	uint16_t server;       /**< By number. */
	uint8_t local;         /**< Our address there, by number. */
	uint8_t challenged;    /**< As conn_tail.challenged. */
	uint8_t flags;         /**< enum splice_flag */
	uint8_t closing;       /**< enum splice_closing, of both sides */
	/**
	 * What a side's windows are to be shifted by; that of SPLICE_SERVER is 0 without
	 * SPLICE_SERVER_SCALES.
	 */
	uint8_t scale[SPLICE_SIDES];
	uint8_t our_scale; /**< What the client shifts by the windows we send. */
	uint8_t header;    /**< Bytes of ours in front of the client's that the server has not. */
	uint8_t tries;     /**< SYNs sent to this server; or times the header was. */
	uint8_t servers;   /**< Servers tried. */
} __rte_aligned(64);

_Static_assert(sizeof(struct splice) == 64, "a spliced connection has one line more");

/** A segment's ends as they shall be. */
struct splice_ends {
	const uint8_t *source; /**< 16 bytes, IPv4-mapped. */
	const uint8_t *destination;
	rte_be16_t source_port;
	rte_be16_t destination_port;
};

/** splice.sum_add, from what the client writes and what the server reads. */
uint16_t splice_sum(const struct splice_ends *client, const struct splice_ends *server);

/**
 * Translate a segment's TCP header, checksum included.
 *
 * SYN options never pass, nor do options of which nobody knows what they say; they become NOPs.
 *
 * @param tcp
 *   The TCP header; all of its header length is there.
 */
void splice_segment(const struct splice *splice, enum splice_side from,
		const struct splice_ends *ends, uint8_t *tcp);

/** Time to live, or hop limit, of what we pass on: the path of a client ends at us. */
#define SPLICE_TTL 64

/**
 * Rewrite the addresses of a segment's IP header; or the whole header, where the segment goes on
 * as the other IP version, in front of the TCP header.  Options stay, but for that.
 *
 * @param data
 *   The frame; there are 40 bytes of room in front of its TCP header.
 * @param family
 *   Of @p ends.
 * @return
 *   Where the IP header begins now.
 */
uint8_t *splice_addresses(uint8_t *data, const struct frame *frame, const struct splice_ends *ends,
		unsigned int family);

/** Learn from a segment, as the side sent it. @return the new closing bits. */
uint8_t splice_track(
		struct splice *splice, enum splice_side from, const struct tcp_segment *segment);

/** What a segment from a server is that was sent a SYN. */
enum splice_answer {
	SPLICE_ANSWER_GOOD,    /**< Its SYN-ACK. */
	SPLICE_ANSWER_REFUSED, /**< It resets our SYN. */
	SPLICE_ANSWER_STALE,   /**< It has an older connection: RST, and our SYN again. */
	SPLICE_ANSWER_NONE,    /**< Nothing that answers the SYN (RFC 9293 3.10.7.3). */
};

enum splice_answer splice_answer(const struct splice *splice, const struct tcp_segment *segment);

/** Our initial sequence number towards the server, while it has not answered. */
static inline uint32_t
splice_iss(const struct splice *splice)
{
	return splice->next[SPLICE_CLIENT] + splice->add[SPLICE_CLIENT] - splice->header - 1;
}

/** What was agreed upon with the client, and said to the server. */
struct splice_client {
	uint32_t rcv_nxt; /**< The client's first number that the server shall have. */
	uint32_t ours;    /**< So many from there on we have acknowledged. */
	uint32_t snd_nxt; /**< Ours towards the client. */
	uint16_t window;  /**< The client's last, as it came. */
	uint8_t scale;    /**< The client's. */
	uint8_t our_scale;
	bool scaled; /**< Window scaling was agreed upon. */
	bool sack;
	bool timestamps;
};

/** Before the first SYN to a server: numbers, from what the client has and our ISN. */
void splice_begin(struct splice *splice, const struct splice_client *client, uint32_t iss,
		uint8_t header);

/**
 * The server's SYN-ACK is here: from now on segments can be translated.
 *
 * @param stamp
 *   What the client may be sent as TSval now.
 */
void splice_join(struct splice *splice, const struct splice_client *client,
		const struct tcp_segment *segment, uint32_t stamp);

/** A window of a side as the other side reads it. */
uint16_t splice_window(const struct splice *splice, enum splice_side from, uint16_t window);

#endif /* SPLICE_H */

/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef ICMP_ERROR_H
#define ICMP_ERROR_H

/**
 * @file
 * What an ICMP or ICMPv6 error says about one of our TCP connections.
 *
 * The message quotes the packet that we sent; only its addresses, ports and sequence number are
 * needed, and eight bytes of the TCP header are all that a router has to quote (RFC 792).  Whether
 * the quoted number is in flight is for the connection to judge (RFC 5927 4.1).
 */

#include <stdint.h>

#include <rte_byteorder.h>

#include "observe/counters.h"
#include "wire/parse.h"
#include "wire/steering_hash.h"

enum icmp_error_kind {
	ICMP_ERROR_HARD,    /**< Protocol or port unreachable, administratively prohibited. */
	ICMP_ERROR_SOFT,    /**< Network or host unreachable, time exceeded, parameter problem. */
	ICMP_ERROR_TOO_BIG, /**< Fragmentation needed, packet too big: see mtu. */
};

/** Smallest MTU believed: 552 as the kernel's min_pmtu for IPv4; RFC 8200 5 for IPv6, where a
 * message that reports less is ignored (RFC 8201 4). */
#define ICMP_ERROR_MTU_MIN_IPV4 552
#define ICMP_ERROR_MTU_MIN_IPV6 1280

struct icmp_error {
	uint8_t kind;       /**< enum icmp_error_kind */
	uint8_t family;     /**< Of the quoted packet: 4 or 6. */
	uint16_t mtu;       /**< With ICMP_ERROR_TOO_BIG: the next hop's, at least the minimum. */
	uint32_t seq;       /**< SEG.SEQ of the quoted segment. */
	uint8_t remote[16]; /**< Where the quoted packet was going, IPv4-mapped. */
	uint8_t local[16];  /**< The address of ours that it came from. */
	rte_be16_t remote_port;
	rte_be16_t local_port;
};

/**
 * Read a FRAME_ICMP or FRAME_ICMP6 that parse_frame() accepted.
 *
 * @return
 *   DROP_NONE; icmp_ignored when it is no error, or not about TCP; bad_icmp when the quotation is
 *   cut off before the sequence number.
 */
enum counter icmp_error_read(
		const uint8_t *data, const struct frame *frame, struct icmp_error *error);

/**
 * The steering hash of the connection that an ICMP error is about, so that it reaches the worker
 * that owns it: steering_hash_of() its ends.  0 for everything that is no such error.
 */
uint32_t icmp_error_steering_hash(
		const struct siphash_key *key, const uint8_t *data, uint32_t length);

#endif /* ICMP_ERROR_H */

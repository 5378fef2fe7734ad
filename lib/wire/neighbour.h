/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef NEIGHBOUR_H
#define NEIGHBOUR_H

/**
 * @file
 * What ARP packets and neighbour discovery messages say, as a value (RFC 826, RFC 4861).
 */

#include <stdbool.h>
#include <stdint.h>

#include "observe/counters.h"
#include "wire/parse.h"

enum neighbour_kind {
	NEIGHBOUR_REQUEST, /**< ARP request or neighbour solicitation. */
	NEIGHBOUR_ANSWER,  /**< ARP reply or neighbour advertisement; also gratuitous ARP. */
	NEIGHBOUR_ECHO,    /**< Not neighbour discovery but an echo request. */
	NEIGHBOUR_OTHER,   /**< An ICMP type without an answer here. */
};

struct neighbour_message {
	uint8_t kind;   /**< enum neighbour_kind */
	bool has_mac;   /**< @ref mac is filled: the address option or ARP field was there. */
	uint8_t mac[6]; /**< Link-layer address of @ref sender (request) or @ref target (answer). */
	uint8_t sender[16]; /**< Who asks or answers, IPv4-mapped; zero for ARP probes and DAD. */
	uint8_t target[16]; /**< Who is asked for (request), whose address is told (answer). */
};

/**
 * Read an ARP, ICMP or ICMPv6 frame that parse_frame() accepted.
 *
 * @return
 *   DROP_NONE, or bad_arp, bad_icmp, bad_ndp (RFC 4861 7.1: hop limit 255, code 0, lengths).
 */
enum counter neighbour_read(
		const uint8_t *data, const struct frame *frame, struct neighbour_message *message);

#endif /* NEIGHBOUR_H */

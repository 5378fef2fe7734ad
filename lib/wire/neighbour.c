/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * ARP, and the two messages of neighbour discovery that matter to a host with fixed addresses.
 */

#include <string.h>

#include "tcp/flow_key.h"
#include "wire/bytes.h"
#include "wire/headers.h"
#include "wire/neighbour.h"

#define NDP_HEADER         24
#define NDP_HOP_LIMIT      255
#define NDP_SOLICITED_FLAG 0x40
#define MAC_GROUP          0x01

static const uint8_t unspecified[16];

/** A MAC address somebody may have: neither a group's nor all zero. */
static bool
mac_is_host(const uint8_t mac[6])
{
	static const uint8_t zero[6];

	return !(mac[0] & MAC_GROUP) && memcmp(mac, zero, sizeof(zero)) != 0;
}

static void
map_ipv4(uint8_t address[16], const uint8_t ipv4[4])
{
	rte_be32_t word;

	memcpy(&word, ipv4, sizeof(word));
	flow_key_map_ipv4(address, word);
}

static enum counter
read_arp(const uint8_t *arp, struct neighbour_message *message)
{
	uint16_t operation = bytes_read_16(arp + 6);
	const uint8_t *sender_mac = arp + 8;
	const uint8_t *sender = arp + 14;
	const uint8_t *target = arp + 24;
	bool probe = bytes_read_32(sender) == 0; /* RFC 5227 2.1.1 */

	if (operation != ARP_REQUEST && operation != ARP_REPLY)
		return DROP_bad_arp;
	if (!mac_is_host(sender_mac) || sender[0] == 127 || sender[0] >= 224)
		return DROP_bad_arp;
	if (probe && operation == ARP_REPLY)
		return DROP_bad_arp;
	message->has_mac = true;
	memcpy(message->mac, sender_mac, sizeof(message->mac));
	if (!probe)
		map_ipv4(message->sender, sender);
	if (operation == ARP_REPLY || (!probe && memcmp(sender, target, 4) == 0)) {
		message->kind = NEIGHBOUR_ANSWER;
		memcpy(message->target, message->sender, sizeof(message->target));
		return DROP_NONE;
	}
	message->kind = NEIGHBOUR_REQUEST;
	map_ipv4(message->target, target);
	return DROP_NONE;
}

/**
 * Find the link-layer address in a message's options.
 *
 * @return
 *   false when an option has no length or runs over the end (RFC 4861 4.6).
 */
static bool
read_ndp_options(const uint8_t *options, uint32_t length, uint8_t wanted,
		struct neighbour_message *message)
{
	uint32_t option_length;

	for (; length > 0; length -= option_length, options += option_length) {
		if (length < 8)
			return false;
		option_length = options[1] * 8u;
		if (option_length == 0 || option_length > length)
			return false;
		if (options[0] == wanted && option_length == 8 && mac_is_host(options + 2)) {
			memcpy(message->mac, options + 2, sizeof(message->mac));
			message->has_mac = true;
		}
	}
	return true;
}

/** RFC 4861 7.1.1: what a solicitation must fulfil beyond the common rules. */
static bool
solicitation_is_valid(const uint8_t *destination, const struct neighbour_message *message)
{
	static const uint8_t solicited_node[13] = {0xff, 0x02, [11] = 0x01, [12] = 0xff};

	if (memcmp(message->sender, unspecified, sizeof(unspecified)) != 0)
		return true;
	return memcmp(destination, solicited_node, sizeof(solicited_node)) == 0 &&
	       !message->has_mac;
}

static enum counter
read_ndp(const uint8_t *ip, const uint8_t *icmp, uint32_t length, struct neighbour_message *message)
{
	const uint8_t *destination = ip + 24;
	const uint8_t *target = icmp + 8;
	bool solicitation = icmp[0] == ICMP6_NEIGHBOUR_SOLICITATION;
	uint8_t wanted = solicitation ? NDP_OPTION_SOURCE_ADDRESS : NDP_OPTION_TARGET_ADDRESS;

	if (ip[7] != NDP_HOP_LIMIT || icmp[1] != 0 || length < NDP_HEADER)
		return DROP_bad_ndp;
	if (target[0] == 0xff || message->sender[0] == 0xff || flow_key_is_ipv4(message->sender) ||
			flow_key_is_ipv4(target))
		return DROP_bad_ndp;
	if (!read_ndp_options(icmp + NDP_HEADER, length - NDP_HEADER, wanted, message))
		return DROP_bad_ndp;
	if (solicitation && !solicitation_is_valid(destination, message))
		return DROP_bad_ndp;
	if (!solicitation && destination[0] == 0xff && (icmp[4] & NDP_SOLICITED_FLAG))
		return DROP_bad_ndp;
	memcpy(message->target, target, sizeof(message->target));
	message->kind = solicitation ? NEIGHBOUR_REQUEST : NEIGHBOUR_ANSWER;
	return DROP_NONE;
}

enum counter
neighbour_read(const uint8_t *data, const struct frame *frame, struct neighbour_message *message)
{
	const uint8_t *l3 = data + frame->l3_offset;
	const uint8_t *icmp = data + frame->l4_offset;

	*message = (struct neighbour_message){.kind = NEIGHBOUR_OTHER};
	if (frame->kind == FRAME_ARP)
		return read_arp(l3, message);
	parse_source(data, frame, message->sender);
	if (frame->kind == FRAME_ICMP6 && (icmp[0] == ICMP6_NEIGHBOUR_SOLICITATION ||
							  icmp[0] == ICMP6_NEIGHBOUR_ADVERTISEMENT))
		return read_ndp(l3, icmp, frame->l4_length, message);
	parse_destination(data, frame, message->target);
	if (icmp[0] == (frame->kind == FRAME_ICMP ? ICMP_ECHO_REQUEST : ICMP6_ECHO_REQUEST) &&
			icmp[1] == 0)
		message->kind = NEIGHBOUR_ECHO;
	return DROP_NONE;
}

/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_common.h>

#include "explain/explain_packet.h"
#include "tcp/flow_key.h"
#include "wire/bytes.h"
#include "wire/tcp_options.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd

/* 802.1Q, 802.1ad and what stacked tags used before it. */
static bool
is_vlan(uint16_t ethertype)
{
	return ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100;
}

/** What is left of a packet. */
struct cursor {
	const uint8_t *data;
	uint32_t captured;
	uint32_t length;
};

static bool
skip(struct cursor *cursor, uint32_t bytes)
{
	if (cursor->captured < bytes)
		return false;
	cursor->data += bytes;
	cursor->captured -= bytes;
	cursor->length -= bytes;
	return true;
}

static uint16_t
version_ethertype(const struct cursor *cursor)
{
	const unsigned int version = cursor->captured > 0 ? cursor->data[0] >> 4 : 0;

	return version == 4 ? ETHERTYPE_IPV4 : version == 6 ? ETHERTYPE_IPV6 : 0;
}

/* Two bytes of Ethernet type at @p at, a header of @p header bytes, then tags. */
static uint16_t
typed_link(struct cursor *cursor, uint32_t at, uint32_t header)
{
	uint16_t ethertype;

	if (cursor->captured < header)
		return 0;
	ethertype = bytes_read_16(cursor->data + at);
	skip(cursor, header);
	while (is_vlan(ethertype)) {
		if (cursor->captured < 4)
			return 0;
		ethertype = bytes_read_16(cursor->data + 2);
		skip(cursor, 4);
	}
	return ethertype;
}

/* Move over the link layer; the Ethernet type of what follows, 0 when that is unknown. */
static uint16_t
skip_link(struct cursor *cursor, int link)
{
	switch (link) {
	case EXPLAIN_LINK_ETHERNET:
		return typed_link(cursor, 12, 14);
	case EXPLAIN_LINK_SLL:
		return typed_link(cursor, 14, 16);
	case EXPLAIN_LINK_SLL2:
		return typed_link(cursor, 0, 20);
	case EXPLAIN_LINK_NULL:
	case EXPLAIN_LINK_LOOP:
		/* The family's number differs between systems; the version does not. */
		return skip(cursor, 4) ? version_ethertype(cursor) : 0;
	default:
		return version_ethertype(cursor);
	}
}

bool
explain_packet_link_known(int link)
{
	switch (link) {
	case EXPLAIN_LINK_NULL:
	case EXPLAIN_LINK_ETHERNET:
	case EXPLAIN_LINK_RAW:
	case EXPLAIN_LINK_RAW_BSD:
	case EXPLAIN_LINK_RAW_FILE:
	case EXPLAIN_LINK_LOOP:
	case EXPLAIN_LINK_SLL:
	case EXPLAIN_LINK_IPV4:
	case EXPLAIN_LINK_IPV6:
	case EXPLAIN_LINK_SLL2:
		return true;
	default:
		return false;
	}
}

/* The packet ends where its header says; a length of 0 is a large segment not yet cut up. */
static void
trim(struct cursor *cursor, uint32_t length)
{
	if (length == 0 || length > cursor->length)
		return;
	cursor->length = length;
	cursor->captured = RTE_MIN(cursor->captured, length);
}

static enum explain_kind
parse_ipv4(struct cursor *cursor, struct explain_packet *packet)
{
	rte_be32_t address;
	uint32_t header;

	if (cursor->captured < 20)
		return EXPLAIN_CUT;
	header = (cursor->data[0] & 0xf) * 4u;
	if (cursor->data[0] >> 4 != 4 || header < 20)
		return EXPLAIN_CUT;
	if (bytes_read_16(cursor->data + 6) & 0x3fff)
		return EXPLAIN_FRAGMENT;
	if (cursor->data[9] != 6)
		return EXPLAIN_NOT_TCP;
	memcpy(&address, cursor->data + 12, sizeof(address));
	flow_key_map_ipv4(packet->source, address);
	memcpy(&address, cursor->data + 16, sizeof(address));
	flow_key_map_ipv4(packet->destination, address);
	trim(cursor, bytes_read_16(cursor->data + 2));
	return skip(cursor, header) ? EXPLAIN_TCP : EXPLAIN_CUT;
}

/* Move over extension headers to TCP. */
static enum explain_kind
skip_extensions(struct cursor *cursor, uint8_t next)
{
	uint32_t bytes;

	while (next != 6) {
		if (cursor->captured < 8)
			return EXPLAIN_CUT;
		switch (next) {
		case 0:
		case 43:
		case 60:
			bytes = (cursor->data[1] + 1u) * 8;
			break;
		case 44:
			/* An atomic fragment (RFC 6946) is a whole packet. */
			if (bytes_read_16(cursor->data + 2) & 0xfff9)
				return EXPLAIN_FRAGMENT;
			bytes = 8;
			break;
		case 51:
			bytes = (cursor->data[1] + 2u) * 4;
			break;
		default:
			return EXPLAIN_NOT_TCP;
		}
		next = cursor->data[0];
		if (!skip(cursor, bytes))
			return EXPLAIN_CUT;
	}
	return EXPLAIN_TCP;
}

static enum explain_kind
parse_ipv6(struct cursor *cursor, struct explain_packet *packet)
{
	uint32_t length;
	uint8_t next;

	if (cursor->captured < 40 || cursor->data[0] >> 4 != 6)
		return EXPLAIN_CUT;
	memcpy(packet->source, cursor->data + 8, 16);
	memcpy(packet->destination, cursor->data + 24, 16);
	length = bytes_read_16(cursor->data + 4);
	next = cursor->data[6];
	if (length != 0)
		trim(cursor, 40 + length);
	skip(cursor, 40);
	return skip_extensions(cursor, next);
}

static enum explain_kind
parse_tcp(const struct cursor *cursor, struct explain_packet *packet)
{
	struct tcp_segment *segment = &packet->segment;
	const uint8_t *tcp = cursor->data;
	uint32_t header;

	if (cursor->captured < 16)
		return EXPLAIN_CUT;
	header = (uint32_t)(tcp[12] >> 4) * 4;
	if (header < 20 || header > cursor->length)
		return EXPLAIN_CUT;
	packet->source_port = bytes_read_16(tcp);
	packet->destination_port = bytes_read_16(tcp + 2);
	segment->seq = bytes_read_32(tcp + 4);
	segment->flags = tcp[13];
	segment->ack = segment->flags & TCP_ACK ? bytes_read_32(tcp + 8) : 0;
	segment->window = bytes_read_16(tcp + 14);
	packet->payload_length = cursor->length - header;
	segment->payload_length = (uint16_t)RTE_MIN(packet->payload_length, (uint32_t)UINT16_MAX);
	segment->payload_offset = (uint16_t)header;
	packet->payload = tcp + RTE_MIN(header, cursor->captured);
	packet->payload_captured = cursor->captured - RTE_MIN(header, cursor->captured);
	packet->options = tcp + RTE_MIN(20u, cursor->captured);
	packet->options_length =
			cursor->captured <= 20 ? 0
					       : (uint8_t)(RTE_MIN(header, cursor->captured) - 20);
	packet->options_cut = cursor->captured < header;
	tcp_options_parse(segment, packet->options, packet->options_length);
	return EXPLAIN_TCP;
}

bool
explain_packet_network(const struct explain_frame *frame, struct explain_network *network)
{
	struct cursor cursor = {
			frame->data, frame->captured, RTE_MAX(frame->length, frame->captured)};

	network->ethertype = skip_link(&cursor, frame->link);
	network->data = cursor.data;
	network->captured = cursor.captured;
	return network->ethertype != 0;
}

enum explain_kind
explain_packet_parse(const struct explain_frame *frame, struct explain_packet *packet)
{
	struct cursor cursor = {
			frame->data, frame->captured, RTE_MAX(frame->length, frame->captured)};
	enum explain_kind kind;

	memset(&packet->segment, 0, sizeof(packet->segment));
	switch (skip_link(&cursor, frame->link)) {
	case ETHERTYPE_IPV4:
		kind = parse_ipv4(&cursor, packet);
		break;
	case ETHERTYPE_IPV6:
		kind = parse_ipv6(&cursor, packet);
		break;
	default:
		return EXPLAIN_NOT_IP;
	}
	return kind == EXPLAIN_TCP ? parse_tcp(&cursor, packet) : kind;
}

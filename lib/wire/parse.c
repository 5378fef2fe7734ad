/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * From bytes to values, layer by layer, each refusing what the next could not read safely.
 *
 * The order of refusals is the order of the layers, so that a counter names the first thing that
 * was wrong with a frame.
 */

#include <stdbool.h>
#include <string.h>

#include <rte_branch_prediction.h>

#include "tcp/flow_key.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/headers.h"
#include "wire/parse.h"
#include "wire/parse_headers.h"
#include "wire/parse_plain.h"
#include "wire/tcp_options.h"

#define IPV6_EXTENSIONS_MAX 4

/** RFC 791 3.1: loose and strict source and record route. */
#define IPV4_OPTION_END   0
#define IPV4_OPTION_NOP   1
#define IPV4_OPTION_LSRR  131
#define IPV4_OPTION_SSRR  137

#define IPV6_OPTION_PAD_1 0

_Static_assert(FRAME_GROUP == 1, "the group bit of a MAC address is taken as it is");
_Static_assert(TCP_OPTIONS_BYTES_MAX == 15 * 4 - TCP_HEADER, "data offset has four bits");

/** What IP says about its payload, and where its addresses are. */
struct ip_view {
	const uint8_t *addresses; /**< Source, destination behind it. */
	uint8_t address_length;   /**< 4 or 16 */
	uint8_t protocol;         /**< enum protocol */
};

static enum counter
parse_arp(const uint8_t *arp, uint32_t available, struct frame *frame)
{
	static const uint8_t ethernet_and_ipv4[6] = {0x00, 0x01, 0x08, 0x00, 6, 4};

	frame->kind = FRAME_ARP;
	if (available < ARP_PACKET)
		return DROP_too_short;
	if (memcmp(arp, ethernet_and_ipv4, sizeof(ethernet_and_ipv4)) != 0)
		return DROP_bad_arp;
	frame->l4_offset = frame->l3_offset + ARP_PACKET;
	return DROP_NONE;
}

/** Whether the options are well formed and none wants to choose our route (RFC 7126 4.3, 4.4). */
static bool
ipv4_options_usable(const uint8_t *options, uint32_t length)
{
	uint32_t at = 0;

	while (at < length && options[at] != IPV4_OPTION_END) {
		if (options[at] == IPV4_OPTION_NOP) {
			at++;
			continue;
		}
		if (options[at] == IPV4_OPTION_LSRR || options[at] == IPV4_OPTION_SSRR)
			return false;
		if (length - at < 2 || options[at + 1] < 2 || options[at + 1] > length - at)
			return false;
		at += options[at + 1];
	}
	return true;
}

static inline enum counter
parse_ipv4(const uint8_t *ip, uint32_t available, unsigned int flags, struct frame *frame,
		struct ip_view *view)
{
	uint32_t header_length, total_length;

	if (unlikely(available < IPV4_HEADER))
		return DROP_too_short;
	header_length = (ip[0] & 0x0f) * 4u;
	total_length = bytes_read_16(ip + 2);
	if (unlikely(ip[0] >> 4 != 4 || header_length < IPV4_HEADER ||
			    total_length < header_length))
		return DROP_bad_ip_header;
	if (unlikely(header_length > available))
		return DROP_too_short;
	frame->family = 4;
	frame->traffic_class = ip[1];
	if (!(flags & PARSE_IP_CHECKSUM_GOOD) &&
			unlikely(checksum_fold(checksum_add(0, ip, header_length)) != 0xffff))
		return DROP_bad_ip_checksum;
	if (unlikely(total_length > available))
		return DROP_truncated;
	/* More fragments, or an offset; "don't fragment" is above them. */
	if (unlikely(bytes_read_16(ip + 6) & 0x3fff))
		return DROP_fragment;
	if (unlikely(header_length > IPV4_HEADER) &&
			!ipv4_options_usable(ip + IPV4_HEADER, header_length - IPV4_HEADER))
		return DROP_ip_options;
	frame->l4_offset = (uint16_t)(frame->l3_offset + header_length);
	frame->l4_length = (uint16_t)(total_length - header_length);
	*view = (struct ip_view){
			.addresses = ip + 12,
			.address_length = 4,
			.protocol = ip[9],
	};
	return DROP_NONE;
}

/**
 * Whether no option of a hop-by-hop or destination options header asks those who do not know it to
 * discard the packet (RFC 8200 4.2).  We know none but padding, and pass over those that allow it.
 */
static bool
ipv6_options_usable(const uint8_t *options, uint32_t length)
{
	uint32_t at = 0;

	while (at < length) {
		if (options[at] == IPV6_OPTION_PAD_1) {
			at++;
			continue;
		}
		if (options[at] >> 6 != 0)
			return false;
		if (length - at < 2 || options[at + 1] > length - at - 2)
			return false;
		at += 2u + options[at + 1];
	}
	return true;
}

enum counter
parse_ipv6_extensions(const uint8_t *ip, uint32_t end, uint8_t *protocol, uint32_t *offset)
{
	uint32_t length;

	for (unsigned int n = 0; n <= IPV6_EXTENSIONS_MAX; n++) {
		if (*protocol == PROTOCOL_FRAGMENT)
			return DROP_fragment;
		if (*protocol != PROTOCOL_HOP_BY_HOP && *protocol != PROTOCOL_DESTINATION &&
				*protocol != PROTOCOL_ROUTING)
			return DROP_NONE;
		if (n > 0 && *protocol == PROTOCOL_HOP_BY_HOP)
			return DROP_ip_options; /* RFC 8200 4.1: only as the first one. */
		if (end - *offset < 8)
			return DROP_ip_options;
		length = (ip[*offset + 1] + 1u) * 8;
		if (length > end - *offset)
			return DROP_ip_options;
		if (*protocol == PROTOCOL_ROUTING) {
			if (ip[*offset + 3] != 0) /* Segments left: we are no router. */
				return DROP_ip_options;
		} else if (!ipv6_options_usable(ip + *offset + 2, length - 2)) {
			return DROP_ip_options;
		}
		*protocol = ip[*offset];
		*offset += length;
	}
	return DROP_ip_options;
}

static inline enum counter
parse_ipv6(const uint8_t *ip, uint32_t available, struct frame *frame, struct ip_view *view)
{
	uint32_t end, offset = IPV6_HEADER;
	enum counter reason;
	uint8_t protocol;

	if (unlikely(available < IPV6_HEADER))
		return DROP_too_short;
	if (unlikely(ip[0] >> 4 != 6))
		return DROP_bad_ip_header;
	frame->family = 6;
	frame->traffic_class = (uint8_t)(bytes_read_16(ip) >> 4);
	end = IPV6_HEADER + (uint32_t)bytes_read_16(ip + 4);
	if (unlikely(end > available))
		return DROP_truncated;
	protocol = ip[6];
	if (unlikely(protocol != PROTOCOL_TCP && protocol != PROTOCOL_ICMP6)) {
		reason = parse_ipv6_extensions(ip, end, &protocol, &offset);
		if (reason != DROP_NONE)
			return reason;
	}
	frame->l4_offset = (uint16_t)(frame->l3_offset + offset);
	frame->l4_length = (uint16_t)(end - offset);
	*view = (struct ip_view){
			.addresses = ip + 8,
			.address_length = 16,
			.protocol = protocol,
	};
	return DROP_NONE;
}

/** An address no host may have as its own: this network, loopback, multicast, broadcast. */
static inline bool
ipv4_is_no_host(const uint8_t *address)
{
	return address[0] == 0 || address[0] == 127 || address[0] >= 224;
}

/**
 * The same: unspecified, loopback, multicast, and IPv4-mapped ones, which are not for the wire and
 * would alias an IPv4 peer's key (RFC 4291 2.5; RFC 4038 4.2).
 */
static inline bool
ipv6_is_no_host(const uint8_t *address)
{
	uint64_t low;

	if (unlikely(address[0] == 0xff))
		return true;
	if (likely(bytes_read_64(address) != 0))
		return false;
	low = bytes_read_64(address + 8);
	return low <= 1 || low >> 32 == 0xffff;
}

/** Whether two hosts may talk to each other (RFC 9293 MUST-57, MUST-63; RFC 1122 3.2.1.3). */
static inline enum counter
judge_addresses(const struct ip_view *view)
{
	const uint8_t *source = view->addresses;
	const uint8_t *destination = source + view->address_length;
	bool is_v4 = view->address_length == 4;

	if (unlikely(is_v4 ? ipv4_is_no_host(source) : ipv6_is_no_host(source)))
		return DROP_bad_source;
	if (unlikely(is_v4 ? ipv4_is_no_host(destination) : ipv6_is_no_host(destination)))
		return DROP_unknown_destination;
	return DROP_NONE;
}

/** Verify the checksum; a bad one that is the pseudo-header's sum may be the local kernel's. */
static inline enum counter
verify_tcp(const uint8_t *tcp, unsigned int flags, struct frame *frame, const struct ip_view *view)
{
	uint64_t pseudo = checksum_pseudo(view->addresses, view->addresses + view->address_length,
			view->address_length, PROTOCOL_TCP, frame->l4_length);
	uint16_t field;

	if (likely(checksum_fold(checksum_add(pseudo, tcp, frame->l4_length)) == 0xffff))
		return DROP_NONE;
	memcpy(&field, tcp + 16, sizeof(field));
	if (!(flags & PARSE_PARTIAL_ALLOWED) || field != checksum_fold(pseudo))
		return DROP_bad_tcp_checksum;
	frame->flags |= FRAME_PARTIAL;
	return DROP_NONE;
}

/** CVE-1999-0016: a segment from ourselves to ourselves would be answered for ever. */
static inline bool
is_land(const uint8_t *tcp, const struct ip_view *view)
{
	return unlikely(bytes_read_16(tcp) == bytes_read_16(tcp + 2)) &&
	       memcmp(view->addresses, view->addresses + view->address_length,
			       view->address_length) == 0;
}

static inline enum counter
parse_tcp(const uint8_t *tcp, unsigned int flags, struct frame *frame, const struct ip_view *view,
		struct tcp_segment *segment)
{
	unsigned int header_length;
	enum counter reason;

	frame->kind = FRAME_TCP;
	reason = judge_addresses(view);
	if (unlikely(reason != DROP_NONE))
		return reason;
	if (unlikely(frame->l4_length < TCP_HEADER))
		return DROP_bad_tcp_header;
	header_length = (tcp[12] >> 4) * 4u;
	if (unlikely(header_length < TCP_HEADER || header_length > frame->l4_length))
		return DROP_bad_tcp_header;
	if (is_land(tcp, view))
		return DROP_bad_source;
	if (!(flags & PARSE_TCP_CHECKSUM_GOOD)) {
		reason = verify_tcp(tcp, flags, frame, view);
		if (unlikely(reason != DROP_NONE))
			return reason;
	}
	*segment = (struct tcp_segment){
			.seq = bytes_read_32(tcp + 4),
			.ack = tcp[13] & TCP_ACK ? bytes_read_32(tcp + 8) : 0,
			.window = bytes_read_16(tcp + 14),
			.payload_length = (uint16_t)(frame->l4_length - header_length),
			.payload_offset = (uint16_t)header_length,
			.flags = tcp[13],
	};
	if (header_length > TCP_HEADER)
		tcp_options_parse(segment, tcp + TCP_HEADER, header_length - TCP_HEADER);
	return DROP_NONE;
}

static enum counter
parse_icmp(const uint8_t *icmp, struct frame *frame, const struct ip_view *view)
{
	bool is_v4 = view->address_length == 4;
	enum counter reason;
	uint64_t sum = 0;

	frame->kind = is_v4 ? FRAME_ICMP : FRAME_ICMP6;
	if (frame->l4_length < ICMP_HEADER)
		return DROP_bad_icmp;
	/* Neighbour discovery has its own rules: solicitations may come from :: (RFC 4861 4.3). */
	if (icmp[0] == (is_v4 ? ICMP_ECHO_REQUEST : ICMP6_ECHO_REQUEST)) {
		reason = judge_addresses(view);
		if (reason != DROP_NONE)
			return reason;
	}
	if (!is_v4)
		sum = checksum_pseudo(view->addresses, view->addresses + 16, 16, PROTOCOL_ICMP6,
				frame->l4_length);
	if (checksum_fold(checksum_add(sum, icmp, frame->l4_length)) != 0xffff)
		return DROP_bad_icmp;
	return DROP_NONE;
}

/* Nobody here listens for datagrams: one that is not whole has no right to an answer either. */
static enum counter
parse_udp(const uint8_t *udp, struct frame *frame, const struct ip_view *view)
{
	const uint8_t *addresses = view->addresses;
	uint32_t length;
	uint64_t sum;

	frame->kind = FRAME_UDP;
	if ((frame->flags & FRAME_GROUP) != 0 || frame->l4_length < UDP_HEADER)
		return DROP_unknown_protocol;
	length = bytes_read_16(udp + 4);
	if (length < UDP_HEADER || length > frame->l4_length)
		return DROP_unknown_protocol;
	sum = checksum_pseudo(addresses, addresses + view->address_length, view->address_length,
			PROTOCOL_UDP, length);
	/* RFC 768: a checksum of 0 is none, with IPv4. */
	if ((bytes_read_16(udp + 6) != 0 || frame->family == 6) &&
			checksum_fold(checksum_add(sum, udp, length)) != 0xffff)
		return DROP_unknown_protocol;
	return judge_addresses(view);
}

enum counter
parse_frame(const uint8_t *data, uint32_t length, unsigned int flags, struct frame *frame,
		struct tcp_segment *segment)
{
	if (likely(parse_plain(data, length, flags, frame, segment)))
		return DROP_NONE;
	return parse_frame_carefully(data, length, flags, frame, segment);
}

enum counter
parse_frame_carefully(const uint8_t *data, uint32_t length, unsigned int flags, struct frame *frame,
		struct tcp_segment *segment)
{
	uint16_t ether_type = 0;
	struct ip_view view;
	enum counter reason;
	const uint8_t *l3;
	uint32_t available;

	*frame = (struct frame){0};
	reason = parse_ethernet(data, length, frame, &ether_type);
	if (unlikely(reason != DROP_NONE))
		return reason;
	l3 = data + frame->l3_offset;
	available = length - frame->l3_offset;
	if (likely(ether_type == ETHER_TYPE_IPV4))
		reason = parse_ipv4(l3, available, flags, frame, &view);
	else if (ether_type == ETHER_TYPE_IPV6)
		reason = parse_ipv6(l3, available, frame, &view);
	else if (ether_type == ETHER_TYPE_ARP)
		return parse_arp(l3, available, frame);
	else
		return DROP_ethertype;
	if (unlikely(reason != DROP_NONE))
		return reason;
	if (likely(view.protocol == PROTOCOL_TCP))
		return parse_tcp(data + frame->l4_offset, flags, frame, &view, segment);
	if (view.protocol == (frame->family == 4 ? PROTOCOL_ICMP : PROTOCOL_ICMP6))
		return parse_icmp(data + frame->l4_offset, frame, &view);
	if (view.protocol == PROTOCOL_UDP)
		return parse_udp(data + frame->l4_offset, frame, &view);
	return DROP_unknown_protocol;
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * From values to bytes: one writer per layer, used by every frame.
 *
 * Sums of freshly written headers are made from the values, not from the bytes: wide loads over
 * narrow stores would wait for the stores.
 */

#include <string.h>

#include "wire/build.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/headers.h"

#define QUOTED_MAX    528u
#define NDP_MESSAGE   32 /**< With one link-layer address option. */
#define NDP_HOP_LIMIT 255

/** RFC 4861 4.4: an answer to a question, and it replaces what was known. */
#define ADVERTISEMENT_SOLICITED 0x40000000u
#define ADVERTISEMENT_OVERRIDE  0x20000000u

_Static_assert(BUILD_HEADERS_MAX == ETHER_HEADER + VLAN_TAG + IPV6_HEADER + TCP_HEADER +
						    TCP_OPTIONS_BYTES_MAX,
		"the longest headers");
_Static_assert(BUILD_UNREACHABLE_MAX ==
				ETHER_HEADER + VLAN_TAG + IPV6_HEADER + ICMP_HEADER + QUOTED_MAX,
		"the longest answer to a datagram");

/** Store a word and add it to the sum over the header. */
static inline void
put(uint8_t *to, rte_be32_t word, uint64_t *sum)
{
	memcpy(to, &word, sizeof(word));
	*sum += word;
}

static inline uint32_t
load(const uint8_t *from)
{
	uint32_t word;

	memcpy(&word, from, sizeof(word));
	return word;
}

static inline unsigned int
write_ethernet(uint8_t *frame, const struct build_path *path, uint16_t ether_type)
{
	uint8_t *end = frame + 12;

	memcpy(frame, path->remote_mac, sizeof(path->remote_mac));
	memcpy(frame + 6, path->local_mac, sizeof(path->local_mac));
	if (path->tagged) {
		bytes_write_32(end, (uint32_t)ETHER_TYPE_VLAN << 16 | path->vlan);
		end += VLAN_TAG;
	}
	bytes_write_16(end, ether_type);
	return (unsigned int)(end + 2 - frame);
}

/** What an IP header says besides the addresses. */
struct packet {
	uint32_t l4_length;
	uint8_t protocol;
	uint8_t hop_limit;
	enum build_checksum checksum;
};

/** @return the sum of the two addresses, for the pseudo-header. */
static inline uint64_t
write_ipv4(uint8_t *ip, const struct build_path *path, const struct packet *packet)
{
	const uint32_t dont_fragment = 0x4000;
	uint64_t sum = 0, addresses = 0;
	uint16_t checksum = 0;

	put(ip, rte_cpu_to_be_32(0x45000000u | (IPV4_HEADER + packet->l4_length)), &sum);
	put(ip + 4, rte_cpu_to_be_32(dont_fragment), &sum);
	put(ip + 8,
			rte_cpu_to_be_32((uint32_t)packet->hop_limit << 24 |
					 (uint32_t)packet->protocol << 16),
			&sum);
	put(ip + 12, load(path->local + 12), &addresses);
	put(ip + 16, load(path->remote + 12), &addresses);
	if (packet->checksum == BUILD_CHECKSUM_SOFTWARE)
		checksum = checksum_finish(sum + addresses);
	memcpy(ip + 10, &checksum, sizeof(checksum));
	return addresses;
}

/** @return the sum of the two addresses, for the pseudo-header. */
static inline uint64_t
write_ipv6(uint8_t *ip, const struct build_path *path, const struct packet *packet)
{
	uint64_t addresses = 0;

	bytes_write_32(ip, 0x60000000u);
	bytes_write_32(ip + 4, packet->l4_length << 16 | (uint32_t)packet->protocol << 8 |
					       packet->hop_limit);
	for (unsigned int i = 0; i < 16; i += 4) {
		put(ip + 8 + i, load(path->local + i), &addresses);
		put(ip + 24 + i, load(path->remote + i), &addresses);
	}
	return addresses;
}

/**
 * Write Ethernet and IP.
 *
 * @param pseudo
 *   Becomes the pseudo-header's sum.
 * @return
 *   Length of both headers.
 */
static inline unsigned int
write_network(uint8_t *frame, const struct build_path *path, const struct packet *packet,
		uint64_t *pseudo)
{
	unsigned int l2;

	*pseudo = (uint64_t)rte_cpu_to_be_32(packet->l4_length) +
		  rte_cpu_to_be_16(packet->protocol);
	if (path->family == 4) {
		l2 = write_ethernet(frame, path, ETHER_TYPE_IPV4);
		*pseudo += write_ipv4(frame + l2, path, packet);
		return l2 + IPV4_HEADER;
	}
	l2 = write_ethernet(frame, path, ETHER_TYPE_IPV6);
	*pseudo += write_ipv6(frame + l2, path, packet);
	return l2 + IPV6_HEADER;
}

void
build_path_reverse(struct build_path *path, const uint8_t *data, const struct frame *frame)
{
	memcpy(path->remote_mac, data + 6, sizeof(path->remote_mac));
	memcpy(path->local_mac, data, sizeof(path->local_mac));
	parse_source(data, frame, path->remote);
	parse_destination(data, frame, path->local);
	path->remote_port = 0;
	path->local_port = 0;
	path->vlan = frame->vlan;
	path->tagged = frame->flags & FRAME_TAGGED;
	path->family = frame->family;
	if (frame->kind == FRAME_TCP) {
		memcpy(&path->remote_port, data + frame->l4_offset, sizeof(path->remote_port));
		memcpy(&path->local_port, data + frame->l4_offset + 2, sizeof(path->local_port));
	}
}

static inline unsigned int
network_length(const struct build_path *path)
{
	return ETHER_HEADER + (path->tagged ? VLAN_TAG : 0) +
	       (path->family == 4 ? IPV4_HEADER : IPV6_HEADER);
}

unsigned int
build_tcp_headers_length(const struct build_path *path, const struct tcp_options *options)
{
	return network_length(path) + TCP_HEADER + tcp_options_length(options);
}

/** @return the sum over the header, its checksum field taken as zero. */
static inline uint64_t
write_tcp(uint8_t *header, const struct build_path *path, const struct build_tcp *tcp,
		unsigned int *header_length)
{
	unsigned int options_length = tcp_options_build(header + TCP_HEADER, &tcp->options);
	uint64_t sum = (uint64_t)path->local_port + path->remote_port;

	*header_length = TCP_HEADER + options_length;
	memcpy(header, &path->local_port, sizeof(path->local_port));
	memcpy(header + 2, &path->remote_port, sizeof(path->remote_port));
	put(header + 4, rte_cpu_to_be_32(tcp->seq), &sum);
	put(header + 8, rte_cpu_to_be_32(tcp->ack), &sum);
	/* Data offset in words above the flags; the urgent pointer behind the checksum. */
	put(header + 12,
			rte_cpu_to_be_32((uint32_t)*header_length << 26 |
					 (uint32_t)tcp->flags << 16 | tcp->window),
			&sum);
	put(header + 16, rte_cpu_to_be_32(tcp->urgent), &sum);
	for (unsigned int i = 0; i < options_length; i += 4)
		sum += load(header + TCP_HEADER + i);
	return sum;
}

unsigned int
build_tcp(uint8_t *frame, const struct build_path *path, const struct build_tcp *tcp,
		unsigned int payload_length, enum build_checksum checksum,
		struct build_lengths *lengths)
{
	unsigned int l3_end = network_length(path), header_length;
	uint8_t *header = frame + l3_end;
	uint64_t sum = write_tcp(header, path, tcp, &header_length);
	const struct packet packet = {
			.l4_length = header_length + payload_length,
			.protocol = BUILD_PROTOCOL_TCP,
			.hop_limit = BUILD_HOP_LIMIT,
			.checksum = checksum,
	};
	uint64_t pseudo;
	uint16_t field;

	write_network(frame, path, &packet, &pseudo);
	if (checksum == BUILD_CHECKSUM_SOFTWARE)
		field = checksum_finish(
				checksum_add(sum + pseudo, header + header_length, payload_length));
	else
		field = checksum_fold(pseudo);
	memcpy(header + 16, &field, sizeof(field));
	lengths->l3 = path->family == 4 ? IPV4_HEADER : IPV6_HEADER;
	lengths->l2 = (uint16_t)(l3_end - lengths->l3);
	lengths->l4 = (uint16_t)header_length;
	return l3_end + header_length + payload_length;
}

/** Write an ARP packet behind the Ethernet header; the path's ends are its sender and target. */
static unsigned int
write_arp(uint8_t *frame, const struct build_path *path, enum arp_operation operation,
		const uint8_t target_mac[6])
{
	unsigned int l2 = write_ethernet(frame, path, ETHER_TYPE_ARP);
	uint8_t *arp = frame + l2;

	bytes_write_32(arp, 0x00010800u); /* Ethernet and IPv4, */
	bytes_write_16(arp + 4, 0x0604);  /* addresses of 6 and 4 bytes. */
	bytes_write_16(arp + 6, (uint16_t)operation);
	memcpy(arp + 8, path->local_mac, 6);
	memcpy(arp + 14, path->local + 12, 4);
	memcpy(arp + 18, target_mac, 6);
	memcpy(arp + 24, path->remote + 12, 4);
	return l2 + ARP_PACKET;
}

unsigned int
build_arp_reply(uint8_t *data, const struct frame *frame, const uint8_t local_mac[6])
{
	const uint8_t *arp = data + frame->l3_offset;
	struct build_path path = {
			.vlan = frame->vlan,
			.tagged = frame->flags & FRAME_TAGGED,
	};

	memcpy(path.remote_mac, arp + 8, sizeof(path.remote_mac));
	memcpy(path.local_mac, local_mac, sizeof(path.local_mac));
	memcpy(path.remote + 12, arp + 14, 4);
	memcpy(path.local + 12, arp + 24, 4);
	return write_arp(data, &path, ARP_REPLY, path.remote_mac);
}

unsigned int
build_arp_request(uint8_t *data, const uint8_t local_mac[6], rte_be32_t source, rte_be32_t target,
		bool tagged, uint16_t vlan)
{
	static const uint8_t unknown[6];
	struct build_path path = {
			.remote_mac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			.vlan = vlan,
			.tagged = tagged,
	};

	memcpy(path.local_mac, local_mac, sizeof(path.local_mac));
	memcpy(path.local + 12, &source, sizeof(source));
	memcpy(path.remote + 12, &target, sizeof(target));
	return write_arp(data, &path, ARP_REQUEST, unknown);
}

/** The checksum of an ICMP message, @p pseudo the sum of ICMPv6's pseudo-header, else 0. */
static void
write_icmp_checksum(uint8_t *icmp, unsigned int length, uint64_t pseudo)
{
	const uint16_t field = checksum_finish(checksum_add(pseudo, icmp, length));

	memcpy(icmp + 2, &field, sizeof(field));
}

unsigned int
build_echo_reply(uint8_t *data, const struct frame *frame, const uint8_t local_mac[6])
{
	const struct packet packet = {
			.l4_length = frame->l4_length,
			.protocol = frame->family == 4 ? PROTOCOL_ICMP : PROTOCOL_ICMP6,
			.hop_limit = BUILD_HOP_LIMIT,
	};
	struct build_path path;
	unsigned int l3_end;
	uint64_t pseudo;
	uint8_t *icmp;

	build_path_reverse(&path, data, frame);
	memcpy(path.local_mac, local_mac, sizeof(path.local_mac));
	icmp = data + network_length(&path);
	/* IP options and extension headers of the request are not repeated. */
	memmove(icmp, data + frame->l4_offset, frame->l4_length);
	l3_end = write_network(data, &path, &packet, &pseudo);
	icmp[0] = frame->family == 4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY;
	memset(icmp + 1, 0, 3);
	/*
	 * Not by RFC 1624: it would make 0x0000 instead of 0xffff of an all-zero ICMP message, and
	 * ICMP has no pseudo-header to rule that out.
	 */
	write_icmp_checksum(icmp, frame->l4_length, frame->family == 4 ? 0 : pseudo);
	return l3_end + frame->l4_length;
}

unsigned int
build_port_unreachable(uint8_t *data, const struct frame *frame, const uint8_t local_mac[6])
{
	const bool is_v4 = frame->family == 4;
	const unsigned int quoted = RTE_MIN(
			(unsigned int)(frame->l4_offset - frame->l3_offset + frame->l4_length),
			QUOTED_MAX);
	const struct packet packet = {
			.l4_length = ICMP_HEADER + quoted,
			.protocol = is_v4 ? PROTOCOL_ICMP : PROTOCOL_ICMP6,
			.hop_limit = BUILD_HOP_LIMIT,
	};
	struct build_path path;
	uint64_t pseudo;
	uint8_t *icmp;

	build_path_reverse(&path, data, frame);
	memcpy(path.local_mac, local_mac, sizeof(path.local_mac));
	icmp = data + network_length(&path);
	memmove(icmp + ICMP_HEADER, data + frame->l3_offset, quoted);
	write_network(data, &path, &packet, &pseudo);
	memset(icmp, 0, ICMP_HEADER);
	icmp[0] = is_v4 ? ICMP_UNREACHABLE : ICMP6_UNREACHABLE;
	icmp[1] = is_v4 ? ICMP_PORT_UNREACHABLE : ICMP6_PORT_UNREACHABLE;
	write_icmp_checksum(icmp, packet.l4_length, is_v4 ? 0 : pseudo);
	return (unsigned int)(icmp - data) + packet.l4_length;
}

/** A neighbour discovery message to write. */
struct ndp_message {
	const uint8_t *target;
	uint32_t flags;
	uint8_t type;   /**< enum icmp_type */
	uint8_t option; /**< Type of the option with our link-layer address, or 0 for none. */
};

static unsigned int
write_ndp(uint8_t *frame, const struct build_path *path, const struct ndp_message *message)
{
	const struct packet packet = {
			.l4_length = message->option ? NDP_MESSAGE : NDP_MESSAGE - 8,
			.protocol = PROTOCOL_ICMP6,
			.hop_limit = NDP_HOP_LIMIT,
	};
	uint8_t *icmp = frame + network_length(path);
	unsigned int l3_end;
	uint64_t pseudo;

	memcpy(icmp + 8, message->target, 16);
	bytes_write_32(icmp, (uint32_t)message->type << 24);
	bytes_write_32(icmp + 4, message->flags);
	if (message->option) {
		icmp[24] = message->option;
		icmp[25] = 1;
		memcpy(icmp + 26, path->local_mac, 6);
	}
	l3_end = write_network(frame, path, &packet, &pseudo);
	write_icmp_checksum(icmp, packet.l4_length, pseudo);
	return l3_end + packet.l4_length;
}

unsigned int
build_neighbour_advertisement(uint8_t *data, const struct frame *frame, const uint8_t local_mac[6])
{
	static const uint8_t unspecified[16];
	static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 0x01};
	static const uint8_t all_nodes_mac[6] = {0x33, 0x33, [5] = 0x01};
	struct ndp_message message = {
			.flags = ADVERTISEMENT_OVERRIDE | ADVERTISEMENT_SOLICITED,
			.type = ICMP6_NEIGHBOUR_ADVERTISEMENT,
			.option = NDP_OPTION_TARGET_ADDRESS,
	};
	struct build_path path;

	build_path_reverse(&path, data, frame);
	memcpy(path.local_mac, local_mac, sizeof(path.local_mac));
	memcpy(path.local, data + frame->l4_offset + 8, sizeof(path.local));
	message.target = path.local;
	if (memcmp(path.remote, unspecified, sizeof(unspecified)) == 0) {
		memcpy(path.remote, all_nodes, sizeof(all_nodes));
		memcpy(path.remote_mac, all_nodes_mac, sizeof(all_nodes_mac));
		message.flags = ADVERTISEMENT_OVERRIDE;
	}
	return write_ndp(data, &path, &message);
}

unsigned int
build_neighbour_solicitation(uint8_t *data, const uint8_t local_mac[6], const uint8_t source[16],
		const uint8_t target[16], bool tagged, uint16_t vlan)
{
	static const uint8_t unspecified[16];
	bool probe = memcmp(source, unspecified, sizeof(unspecified)) == 0;
	const struct ndp_message message = {
			.target = target,
			.type = ICMP6_NEIGHBOUR_SOLICITATION,
			.option = probe ? 0 : NDP_OPTION_SOURCE_ADDRESS,
	};
	struct build_path path = {
			.remote_mac = {0x33, 0x33, 0xff},
			.remote = {0xff, 0x02, [11] = 0x01, [12] = 0xff},
			.vlan = vlan,
			.tagged = tagged,
			.family = 6,
	};

	memcpy(path.remote_mac + 3, target + 13, 3);
	memcpy(path.remote + 13, target + 13, 3);
	memcpy(path.local_mac, local_mac, sizeof(path.local_mac));
	memcpy(path.local, source, sizeof(path.local));
	return write_ndp(data, &path, &message);
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Packets to bytes, from bytes, and compared.
 */

#include <string.h>

#include "packet.h"

#define ETHERNET_BYTES 14
#define TCP_BYTES      20
#define TCP_PROTOCOL   6
#define TTL            64
#define FLAG_ACK       0x10
#define FLAG_URG       0x20
#define FLAGS_RESERVED 0xf00

static void
put16(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static void
put32(uint8_t *to, uint32_t value)
{
	put16(to, value >> 16);
	put16(to + 2, value);
}

static uint32_t
get16(const uint8_t *from)
{
	return (uint32_t)from[0] << 8 | from[1];
}

static uint32_t
get32(const uint8_t *from)
{
	return get16(from) << 16 | get16(from + 2);
}

static uint32_t
sum(uint32_t start, const uint8_t *bytes, unsigned int length)
{
	for (unsigned int i = 0; i < length; i++)
		start += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	return start;
}

static uint16_t
fold(uint32_t total)
{
	while (total > 0xffff)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

/* The TCP checksum with its pseudo-header (RFC 9293 3.1); 0 over a segment that holds it. */
static uint16_t
tcp_checksum(const uint8_t *from, const uint8_t *to, unsigned int family, const uint8_t *tcp,
		unsigned int length)
{
	const unsigned int bytes = family == 4 ? 4 : 16;

	return fold(sum(sum(sum(TCP_PROTOCOL + length, from, bytes), to, bytes), tcp, length));
}

static unsigned int
encode_option(const struct packet_option *option, const struct packet_origin *peer, uint8_t *to)
{
	switch (option->kind) {
	case PACKET_MSS:
		to[0] = PACKET_MSS;
		to[1] = 4;
		put16(to + 2, option->value[0].value);
		return 4;
	case PACKET_WINDOW_SCALE:
		to[0] = PACKET_WINDOW_SCALE;
		to[1] = 3;
		to[2] = (uint8_t)option->value[0].value;
		return 3;
	case PACKET_SACK_PERMITTED:
		to[0] = PACKET_SACK_PERMITTED;
		to[1] = 2;
		return 2;
	case PACKET_SACK:
		to[0] = PACKET_SACK;
		to[1] = 10;
		put32(to + 2, option->value[0].value + peer->seq);
		put32(to + 6, option->value[1].value + peer->seq);
		return 10;
	case PACKET_TIMESTAMPS:
		to[0] = PACKET_TIMESTAMPS;
		to[1] = 10;
		put32(to + 2, option->value[0].value);
		put32(to + 6, option->value[1].value + peer->tsval);
		return 10;
	case PACKET_RAW:
		memcpy(to, option->raw, option->raw_length);
		return option->raw_length;
	default:
		to[0] = (uint8_t)option->kind;
		return 1;
	}
}

static unsigned int
encode_tcp(const struct packet *packet, const struct packet_path *path,
		const struct packet_origin *own, const struct packet_origin *peer, uint8_t *tcp)
{
	unsigned int options = 0, header;

	memset(tcp, 0, TCP_BYTES + PACKET_OPTIONS_MAX);
	for (unsigned int i = 0; i < packet->option_count; i++)
		options += encode_option(&packet->option[i], peer, tcp + TCP_BYTES + options);
	header = TCP_BYTES + (options + 3) / 4 * 4;
	put16(tcp, path->from_port);
	put16(tcp + 2, path->to_port);
	put32(tcp + 4, packet->seq.value + (packet->base == PACKET_ABSOLUTE ? 0 : own->seq));
	if (packet->has_ack)
		put32(tcp + 8, packet->ack.value + (packet->ack_base == PACKET_ABSOLUTE
										   ? 0
										   : peer->seq));
	put16(tcp + 12, packet->flags);
	tcp[12] |= (uint8_t)((packet->data_offset != 0 ? packet->data_offset : header / 4) << 4);
	put16(tcp + 14, packet->window.value);
	put16(tcp + 18, packet->urgent);
	for (uint32_t i = 0; i < packet->length; i++)
		tcp[header + i] = packet->has_text ? (uint8_t)packet->text[i]
						   : packet_pattern(packet->seq.value + i);
	put16(tcp + 16, tcp_checksum(path->from, path->to, path->family, tcp,
					header + packet->length));
	if (packet->bad_checksum)
		tcp[17] ^= 1;
	return header + packet->length;
}

/* An IP header in front of @p length bytes. @return its length. */
static unsigned int
encode_ip(const struct packet_path *path, uint8_t protocol, unsigned int length, uint8_t *ip)
{
	if (path->family == 4) {
		memset(ip, 0, 20);
		ip[0] = 0x45;
		put16(ip + 2, 20 + length);
		ip[8] = TTL;
		ip[9] = protocol;
		memcpy(ip + 12, path->from, 4);
		memcpy(ip + 16, path->to, 4);
		put16(ip + 10, fold(sum(0, ip, 20)));
		return 20;
	}
	memset(ip, 0, 40);
	ip[0] = 0x60;
	put16(ip + 4, length);
	ip[6] = protocol;
	ip[7] = TTL;
	memcpy(ip + 8, path->from, 16);
	memcpy(ip + 24, path->to, 16);
	return 40;
}

static void
encode_ethernet(const struct packet_path *path, uint8_t *frame)
{
	memcpy(frame, path->to_mac, 6);
	memcpy(frame + 6, path->from_mac, 6);
	put16(frame + 12, path->family == 4 ? 0x0800 : 0x86dd);
}

unsigned int
packet_encode(const struct packet *packet, const struct packet_path *path,
		const struct packet_origin *own, const struct packet_origin *peer, uint8_t *frame)
{
	const unsigned int ip_bytes = path->family == 4 ? 20 : 40;
	uint8_t *ip = frame + ETHERNET_BYTES;
	const unsigned int length = encode_tcp(packet, path, own, peer, ip + ip_bytes);

	encode_ethernet(path, frame);
	return ETHERNET_BYTES + encode_ip(path, TCP_PROTOCOL, length, ip) + length;
}

unsigned int
packet_encode_error(
		const struct packet_error *error, const struct packet_path *path, uint8_t *frame)
{
	const bool ipv4 = path->family == 4;
	const uint8_t protocol = ipv4 ? 1 : 58;
	struct packet_path quoted = *path;
	uint8_t icmp[8 + 40 + 8] = {0};
	uint8_t *ip = frame + ETHERNET_BYTES;
	unsigned int length = 8, ip_bytes;
	uint32_t pseudo = 0;

	/* RFC 792, RFC 1191 4; RFC 4443 3.1, 3.2. */
	icmp[0] = ipv4 ? 3 : error->too_big ? 2 : 1;
	icmp[1] = ipv4 ? (error->too_big ? 4 : 3) : (error->too_big ? 0 : 4);
	put32(icmp + 4, error->mtu);
	memcpy(quoted.from, path->to, sizeof(quoted.from));
	memcpy(quoted.to, path->from, sizeof(quoted.to));
	length += encode_ip(&quoted, TCP_PROTOCOL, 1000, icmp + length);
	put16(icmp + length, path->to_port);
	put16(icmp + length + 2, path->from_port);
	put32(icmp + length + 4, error->seq);
	length += 8;
	if (!ipv4)
		pseudo = sum(sum(protocol + length, path->from, 16), path->to, 16);
	put16(icmp + 2, fold(sum(pseudo, icmp, length)));
	encode_ethernet(path, frame);
	ip_bytes = encode_ip(path, protocol, length, ip);
	memcpy(ip + ip_bytes, icmp, length);
	return ETHERNET_BYTES + ip_bytes + length;
}

/* One option at @p from. @return its length, or 0 when it is malformed. */
static unsigned int
decode_option(struct packet_option *option, const uint8_t *from, unsigned int left)
{
	const unsigned int length = from[0] <= PACKET_NOP ? 1 : left < 2 ? 0 : from[1];

	option->kind = from[0];
	if (length == 0 || length > left || (from[0] > PACKET_NOP && length < 2))
		return 0;
	if (option->kind == PACKET_MSS && length == 4)
		option->value[0].value = get16(from + 2);
	else if (option->kind == PACKET_WINDOW_SCALE && length == 3)
		option->value[0].value = from[2];
	else if ((option->kind == PACKET_SACK || option->kind == PACKET_TIMESTAMPS) &&
			length == 10) {
		option->value[0].value = get32(from + 2);
		option->value[1].value = get32(from + 6);
	} else if (option->kind != PACKET_SACK_PERMITTED && length > 1) {
		option->kind = PACKET_RAW;
		option->raw_length = length;
		memcpy(option->raw, from, length);
	}
	return length;
}

static const char *
decode_options(struct packet *packet, const uint8_t *from, unsigned int left)
{
	while (left > 0) {
		const unsigned int length =
				decode_option(&packet->option[packet->option_count], from, left);

		if (length == 0)
			return "an option is malformed";
		/* Only padding may follow the end, and it is zero (RFC 9293 3.1). */
		if (packet->option[packet->option_count].kind == PACKET_END) {
			for (unsigned int i = 0; i < left; i++) {
				if (from[i] != 0)
					return "the padding is not zero";
			}
			return NULL;
		}
		if (packet->option[packet->option_count].kind != PACKET_NOP)
			packet->option_count++;
		else
			memset(&packet->option[packet->option_count], 0, sizeof(packet->option[0]));
		from += length;
		left -= length;
	}
	return NULL;
}

static const char *
decode_tcp(struct packet *packet, const struct packet_path *path, const uint8_t *tcp,
		unsigned int length, const uint8_t **payload)
{
	const unsigned int header = (unsigned int)(tcp[12] >> 4) * 4;

	if (header < TCP_BYTES || header > length)
		return "its data offset is wrong";
	if (get16(tcp) != path->from_port || get16(tcp + 2) != path->to_port)
		return "it is not between the script's ports";
	if (tcp_checksum(path->from, path->to, path->family, tcp, length) != 0)
		return "its TCP checksum is wrong";
	packet->flags = (uint16_t)(get16(tcp + 12) & 0xfff);
	if ((packet->flags & FLAGS_RESERVED) != 0)
		return "a reserved bit is set";
	if ((packet->flags & FLAG_URG) != 0 || get16(tcp + 18) != 0)
		return "an urgent pointer is set";
	packet->seq.value = get32(tcp + 4);
	packet->ack.value = get32(tcp + 8);
	packet->has_ack = (packet->flags & FLAG_ACK) != 0;
	if (!packet->has_ack && packet->ack.value != 0)
		return "an acknowledgement number without ACK";
	packet->window.value = get16(tcp + 14);
	packet->length = (uint16_t)(length - header);
	*payload = tcp + header;
	return decode_options(packet, tcp + TCP_BYTES, header - TCP_BYTES);
}

const char *
packet_decode(struct packet *packet, const struct packet_path *path, const uint8_t *frame,
		unsigned int length, const uint8_t **payload)
{
	const unsigned int ip_bytes = path->family == 4 ? 20 : 40;
	const uint8_t *ip = frame + ETHERNET_BYTES;
	unsigned int ip_length;

	memset(packet, 0, sizeof(*packet));
	if (length < ETHERNET_BYTES + ip_bytes + TCP_BYTES ||
			get16(frame + 12) != (path->family == 4 ? 0x0800u : 0x86ddu))
		return "it is no TCP segment of this family";
	if (memcmp(frame, path->to_mac, 6) != 0 || memcmp(frame + 6, path->from_mac, 6) != 0)
		return "its Ethernet addresses are wrong";
	if (path->family == 4) {
		ip_length = get16(ip + 2);
		if (ip[0] != 0x45 || ip[9] != TCP_PROTOCOL || ip[8] == 0)
			return "its IPv4 header is wrong";
		if (fold(sum(0, ip, ip_bytes)) != 0)
			return "its IPv4 checksum is wrong";
		if (memcmp(ip + 12, path->from, 4) != 0 || memcmp(ip + 16, path->to, 4) != 0)
			return "its IPv4 addresses are wrong";
	} else {
		ip_length = ip_bytes + get16(ip + 4);
		if (ip[0] >> 4 != 6 || ip[6] != TCP_PROTOCOL || ip[7] == 0)
			return "its IPv6 header is wrong";
		if (memcmp(ip + 8, path->from, 16) != 0 || memcmp(ip + 24, path->to, 16) != 0)
			return "its IPv6 addresses are wrong";
	}
	if (ip_length < ip_bytes + TCP_BYTES || ip_length > length - ETHERNET_BYTES)
		return "its IP length is wrong";
	return decode_tcp(packet, path, ip + ip_bytes, ip_length - ip_bytes, payload);
}

void
packet_make_relative(struct packet *packet, const struct packet_origin *own,
		const struct packet_origin *peer)
{
	packet->seq.value -= own->seq;
	if (packet->has_ack)
		packet->ack.value -= peer->seq;
	for (unsigned int i = 0; i < packet->option_count; i++) {
		struct packet_option *option = &packet->option[i];

		if (option->kind == PACKET_TIMESTAMPS) {
			option->value[0].value -= own->tsval;
		} else if (option->kind == PACKET_SACK) {
			option->value[0].value -= peer->seq;
			option->value[1].value -= peer->seq;
		}
	}
}

static bool
number_matches(const struct packet_number *expected, const struct packet_number *got)
{
	return expected->any || expected->value == got->value;
}

static bool
option_matches(const struct packet_option *expected, const struct packet_option *got)
{
	return expected->kind == got->kind && number_matches(&expected->value[0], &got->value[0]) &&
	       number_matches(&expected->value[1], &got->value[1]) &&
	       expected->raw_length == got->raw_length &&
	       memcmp(expected->raw, got->raw, got->raw_length) == 0;
}

/* The same options, in any order: no RFC prescribes one.  NOPs are padding. */
static bool
options_match(const struct packet *expected, const struct packet *got)
{
	unsigned int wanted = 0;

	if (expected->options_any)
		return true;
	for (unsigned int i = 0; i < expected->option_count; i++) {
		unsigned int found = 0;

		if (expected->option[i].kind == PACKET_NOP)
			continue;
		wanted++;
		while (found < got->option_count &&
				!option_matches(&expected->option[i], &got->option[found]))
			found++;
		if (found == got->option_count)
			return false;
	}
	return wanted == got->option_count;
}

bool
packet_matches(const struct packet *expected, const struct packet *got)
{
	if (expected->flags != got->flags || expected->has_ack != got->has_ack)
		return false;
	if (!expected->length_any && expected->length != got->length)
		return false;
	if (!number_matches(&expected->seq, &got->seq) ||
			!number_matches(&expected->window, &got->window))
		return false;
	if (expected->has_ack && !number_matches(&expected->ack, &got->ack))
		return false;
	return options_match(expected, got);
}

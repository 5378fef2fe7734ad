/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdbool.h>
#include <string.h>

#include <rte_common.h>

#include "tcp/flow_key.h"
#include "wire/bytes.h"
#include "wire/headers.h"
#include "wire/icmp_error.h"

#define TCP_QUOTED    8 /* ports and sequence number */
#define IPV4_FRAGMENT 0x1fff

static uint16_t
believed_mtu(uint32_t mtu, uint16_t minimum)
{
	/* RFC 1191 4: a router that says 0 is older than the field; then the minimum it is. */
	mtu = RTE_MAX(mtu, (uint32_t)minimum);
	return (uint16_t)RTE_MIN(mtu, (uint32_t)UINT16_MAX);
}

/** Type and code to kind. @return whether it is an error at all. */
static bool
classify_ipv4(const uint8_t *icmp, struct icmp_error *error)
{
	const uint8_t code = icmp[1];

	error->kind = ICMP_ERROR_SOFT;
	if (icmp[0] == ICMP_TIME_EXCEEDED || icmp[0] == ICMP_PARAMETER_PROBLEM)
		return true;
	if (icmp[0] != ICMP_UNREACHABLE)
		return false;
	if (code == ICMP_PROTOCOL_UNREACHABLE || code == ICMP_PORT_UNREACHABLE)
		error->kind = ICMP_ERROR_HARD;
	if (code == ICMP_FRAGMENTATION_NEEDED) {
		error->kind = ICMP_ERROR_TOO_BIG;
		error->mtu = believed_mtu(bytes_read_16(icmp + 6), ICMP_ERROR_MTU_MIN_IPV4);
	}
	return true;
}

static bool
classify_ipv6(const uint8_t *icmp, struct icmp_error *error)
{
	const uint8_t code = icmp[1];

	error->kind = ICMP_ERROR_SOFT;
	switch (icmp[0]) {
	case ICMP6_TOO_BIG:
		error->kind = ICMP_ERROR_TOO_BIG;
		error->mtu = believed_mtu(bytes_read_32(icmp + 4), ICMP_ERROR_MTU_MIN_IPV6);
		/* RFC 8201 4: one that reports less than every link must carry is discarded. */
		return bytes_read_32(icmp + 4) >= ICMP_ERROR_MTU_MIN_IPV6;
	case ICMP6_UNREACHABLE:
		if (code == ICMP6_PROHIBITED || code == ICMP6_PORT_UNREACHABLE)
			error->kind = ICMP_ERROR_HARD;
		return true;
	case ICMP6_TIME_EXCEEDED:
	case ICMP6_PARAMETER_PROBLEM:
		return true;
	default:
		return false;
	}
}

static void
map_ipv4(uint8_t address[16], const uint8_t *ipv4)
{
	rte_be32_t word;

	memcpy(&word, ipv4, sizeof(word));
	flow_key_map_ipv4(address, word);
}

static void
read_tcp(const uint8_t *tcp, struct icmp_error *error)
{
	memcpy(&error->local_port, tcp, sizeof(error->local_port));
	memcpy(&error->remote_port, tcp + 2, sizeof(error->remote_port));
	error->seq = bytes_read_32(tcp + 4);
}

static enum counter
read_ipv4(const uint8_t *ip, uint32_t available, struct icmp_error *error)
{
	uint32_t header_length;

	if (available < IPV4_HEADER)
		return DROP_bad_icmp;
	header_length = (ip[0] & 0x0f) * 4u;
	if (ip[0] >> 4 != 4 || header_length < IPV4_HEADER)
		return DROP_bad_icmp;
	if (ip[9] != PROTOCOL_TCP || (bytes_read_16(ip + 6) & IPV4_FRAGMENT) != 0)
		return DROP_icmp_ignored;
	if (available < header_length + TCP_QUOTED)
		return DROP_bad_icmp;
	error->family = 4;
	map_ipv4(error->local, ip + 12);
	map_ipv4(error->remote, ip + 16);
	read_tcp(ip + header_length, error);
	return DROP_NONE;
}

/** We send no extension headers, so none can be quoted. */
static enum counter
read_ipv6(const uint8_t *ip, uint32_t available, struct icmp_error *error)
{
	if (available < IPV6_HEADER || ip[0] >> 4 != 6)
		return DROP_bad_icmp;
	if (ip[6] != PROTOCOL_TCP)
		return DROP_icmp_ignored;
	if (available < IPV6_HEADER + TCP_QUOTED)
		return DROP_bad_icmp;
	error->family = 6;
	memcpy(error->local, ip + 8, sizeof(error->local));
	memcpy(error->remote, ip + 24, sizeof(error->remote));
	read_tcp(ip + IPV6_HEADER, error);
	return DROP_NONE;
}

enum counter
icmp_error_read(const uint8_t *data, const struct frame *frame, struct icmp_error *error)
{
	const uint8_t *icmp = data + frame->l4_offset;
	const uint8_t *quoted = icmp + ICMP_HEADER;
	const uint32_t available = frame->l4_length - ICMP_HEADER;

	memset(error, 0, sizeof(*error));
	if (frame->l4_length < ICMP_HEADER)
		return DROP_bad_icmp;
	if (frame->kind == FRAME_ICMP)
		return classify_ipv4(icmp, error) ? read_ipv4(quoted, available, error)
						  : DROP_icmp_ignored;
	return classify_ipv6(icmp, error) ? read_ipv6(quoted, available, error) : DROP_icmp_ignored;
}

uint32_t
icmp_error_steering_hash(const struct siphash_key *key, const uint8_t *data, uint32_t length)
{
	struct tcp_segment segment;
	struct icmp_error error;
	struct frame frame;

	if (parse_frame(data, length, 0, &frame, &segment) != DROP_NONE ||
			(frame.kind != FRAME_ICMP && frame.kind != FRAME_ICMP6) ||
			icmp_error_read(data, &frame, &error) != DROP_NONE)
		return 0;
	return steering_hash_of(
			key, error.remote, error.local, error.remote_port, error.local_port);
}

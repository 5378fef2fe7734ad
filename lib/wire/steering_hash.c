/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdbool.h>
#include <string.h>

#include <rte_branch_prediction.h>

#include "tcp/flow_key.h"
#include "wire/bytes.h"
#include "wire/parse_headers.h"
#include "wire/steering_hash.h"

#define PORTS 4

/* Not 0, which is said of what is no flow; the lowest bit shares nothing out. */
#define STEERING_FLOW 1

/* Of addresses as they stand in an IP header, source and destination, and the ports. */
static inline uint32_t
hash_ends(const struct siphash_key *key, const uint8_t *addresses, uint32_t address_length,
		const uint8_t *ports)
{
	uint8_t ends[2 * 16 + PORTS];

	memcpy(ends, addresses, 2 * (size_t)address_length);
	memcpy(ends + 2 * (size_t)address_length, ports, PORTS);
	return (uint32_t)(siphash_13(key, ends, 2 * (size_t)address_length + PORTS) >> 32) |
	       STEERING_FLOW;
}

static inline uint32_t
hash_ipv4(const struct siphash_key *key, const uint8_t *ip, uint32_t available)
{
	uint32_t header_length, total_length;

	if (unlikely(available < IPV4_HEADER))
		return 0;
	header_length = (ip[0] & 0x0f) * 4u;
	total_length = bytes_read_16(ip + 2);
	if (ip[0] >> 4 != 4 || header_length < IPV4_HEADER || ip[9] != PROTOCOL_TCP ||
			(bytes_read_16(ip + 6) & 0x3fff) || total_length > available ||
			total_length < header_length + PORTS)
		return 0;
	return hash_ends(key, ip + 12, 4, ip + header_length);
}

static inline uint32_t
hash_ipv6(const struct siphash_key *key, const uint8_t *ip, uint32_t available)
{
	uint32_t end, offset = IPV6_HEADER;
	uint8_t protocol;

	if (unlikely(available < IPV6_HEADER) || ip[0] >> 4 != 6)
		return 0;
	end = IPV6_HEADER + (uint32_t)bytes_read_16(ip + 4);
	protocol = ip[6];
	if (end > available || parse_ipv6_extensions(ip, end, &protocol, &offset) != DROP_NONE ||
			protocol != PROTOCOL_TCP || end - offset < PORTS)
		return 0;
	return hash_ends(key, ip + 8, 16, ip + offset);
}

uint32_t
steering_hash(const struct siphash_key *key, const uint8_t *data, uint32_t length)
{
	uint16_t ether_type = 0;
	struct frame frame;
	const uint8_t *l3;
	uint32_t available;

	if (parse_ethernet(data, length, &frame, &ether_type) != DROP_NONE)
		return 0;
	l3 = data + frame.l3_offset;
	available = length - frame.l3_offset;
	if (ether_type == ETHER_TYPE_IPV4)
		return hash_ipv4(key, l3, available);
	return ether_type == ETHER_TYPE_IPV6 ? hash_ipv6(key, l3, available) : 0;
}

uint32_t
steering_hash_of(const struct siphash_key *key, const uint8_t remote[16], const uint8_t local[16],
		rte_be16_t remote_port, rte_be16_t local_port)
{
	const uint32_t length = flow_key_is_ipv4(remote) ? 4 : 16;
	uint8_t addresses[32], ports[PORTS];

	memcpy(addresses, remote + 16 - length, length);
	memcpy(addresses + length, local + 16 - length, length);
	memcpy(ports, &remote_port, 2);
	memcpy(ports + 2, &local_port, 2);
	return hash_ends(key, addresses, length, ports);
}

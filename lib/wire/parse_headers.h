/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PARSE_HEADERS_H
#define PARSE_HEADERS_H

/**
 * @file
 * What parse_frame() and steering_hash() both have to walk through: the two must agree on where a
 * segment's ports are, or a flow would have two owners.
 */

#include <stdint.h>

#include <rte_branch_prediction.h>

#include "observe/counters.h"
#include "wire/bytes.h"
#include "wire/headers.h"
#include "wire/parse.h"

#define VLAN_RESERVED 0xfff

/** Up to the first byte of what the EtherType names. */
static inline enum counter
parse_ethernet(const uint8_t *data, uint32_t length, struct frame *frame, uint16_t *ether_type)
{
	if (unlikely(length < ETHER_HEADER))
		return DROP_too_short;
	frame->flags = data[0] & FRAME_GROUP;
	frame->l3_offset = ETHER_HEADER;
	*ether_type = bytes_read_16(data + 12);
	if (likely(*ether_type != ETHER_TYPE_VLAN))
		return *ether_type == ETHER_TYPE_QINQ ? DROP_bad_vlan : DROP_NONE;
	if (length < ETHER_HEADER + VLAN_TAG)
		return DROP_too_short;
	frame->flags |= FRAME_TAGGED;
	frame->l3_offset += VLAN_TAG;
	frame->vlan = bytes_read_16(data + ETHER_HEADER) & VLAN_RESERVED;
	*ether_type = bytes_read_16(data + ETHER_HEADER + 2);
	if (frame->vlan == VLAN_RESERVED || *ether_type == ETHER_TYPE_VLAN ||
			*ether_type == ETHER_TYPE_QINQ)
		return DROP_bad_vlan;
	return DROP_NONE;
}

/**
 * Pass over extension headers.
 *
 * @param ip
 *   The IPv6 header; @p end bytes are readable.
 * @param protocol
 *   The first header's next header; becomes what is behind the last extension header.
 * @param offset
 *   Becomes the first byte behind them, from @p ip.
 */
enum counter parse_ipv6_extensions(
		const uint8_t *ip, uint32_t end, uint8_t *protocol, uint32_t *offset);

#endif /* PARSE_HEADERS_H */

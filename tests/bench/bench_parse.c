/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * From a frame's bytes to a segment: opening, closing and data frames of both IP versions, with
 * checksums verified in software or by a NIC.
 *
 * For a measure of it: rte_net_get_ptype() with DPDK's checksum functions for IPv4, which finds the
 * headers and computes the same checksums, but reads no TCP field and no option.
 */

#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_debug.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_net.h>
#include <rte_tcp.h>

#include "bench.h"
#include "tcp/flow_key.h"
#include "wire/checksum.h"
#include "wire/parse.h"
#include "wire/parse_columns.h"
#include "wire/steering_hash.h"

/** Which worker a flow goes to is not asked here: any key will do. */
static const struct siphash_key steering_key = {
		UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};

#define FRAMES 64
#define ROUNDS 500

/* What Linux sends with a SYN, and with everything after it. */
static const uint8_t syn_options[20] = {
		2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7};
static const uint8_t ack_options[12] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};

struct kind {
	const char *name;
	uint8_t family;
	uint8_t flags;
	uint16_t payload_length;
};

static const struct kind kinds[] = {
		{"IPv4 SYN", 4, TCP_SYN, 0},
		{"IPv4 ACK", 4, TCP_ACK, 0},
		{"IPv4 data, 1448 bytes", 4, TCP_ACK | TCP_PSH, 1448},
		{"IPv6 SYN", 6, TCP_SYN, 0},
		{"IPv6 ACK", 6, TCP_ACK, 0},
		{"IPv6 data, 1428 bytes", 6, TCP_ACK | TCP_PSH, 1428},
};

struct frames {
	struct rte_mbuf mbuf[FRAMES];
	uint8_t data[FRAMES][2048];
	uint32_t length;
	unsigned int flags; /* For parse_frame(). */
};

static size_t
write_ipv4(uint8_t *bytes, uint16_t length, uint64_t *sum)
{
	struct rte_ipv4_hdr ip = {
			.version_ihl = RTE_IPV4_VHL_DEF,
			.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(ip) + length)),
			.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
			.time_to_live = 64,
			.next_proto_id = IPPROTO_TCP,
			.dst_addr = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 1)),
	};

	bench_random(&ip.src_addr, sizeof(ip.src_addr));
	*(uint8_t *)&ip.src_addr = 10;
	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memcpy(bytes, &ip, sizeof(ip));
	*sum = checksum_pseudo(&ip.src_addr, &ip.dst_addr, 4, IPPROTO_TCP, length);
	return sizeof(ip);
}

static size_t
write_ipv6(uint8_t *bytes, uint16_t length, uint64_t *sum)
{
	rte_be16_t be_length = rte_cpu_to_be_16(length);

	memset(bytes, 0, 40);
	bytes[0] = 0x60;
	memcpy(bytes + 4, &be_length, sizeof(be_length));
	bytes[6] = IPPROTO_TCP;
	bytes[7] = 64;
	bench_random(bytes + 8, 16);
	bytes[8] = 0x20;
	bytes[24] = 0x20;
	bytes[39] = 1;
	*sum = checksum_pseudo(bytes + 8, bytes + 24, 16, IPPROTO_TCP, length);
	return 40;
}

static uint32_t
write_frame(uint8_t *bytes, const struct kind *kind)
{
	bool syn = kind->flags & TCP_SYN;
	size_t option_length = syn ? sizeof(syn_options) : sizeof(ack_options);
	uint16_t length = (uint16_t)(sizeof(struct rte_tcp_hdr) + option_length +
				     kind->payload_length);
	struct rte_ether_hdr ether = {.dst_addr.addr_bytes = {2, 0, 0, 0, 0, 1},
			.src_addr.addr_bytes = {2, 0, 0, 0, 0, 2}};
	struct rte_tcp_hdr tcp = {
			.dst_port = rte_cpu_to_be_16(80),
			.data_off = (uint8_t)((sizeof(tcp) + option_length) / 4 << 4),
			.tcp_flags = kind->flags,
			.rx_win = rte_cpu_to_be_16(64240),
	};
	uint8_t *l4 = bytes + sizeof(ether);
	uint64_t sum;

	ether.ether_type = rte_cpu_to_be_16(
			kind->family == 4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	memcpy(bytes, &ether, sizeof(ether));
	l4 += kind->family == 4 ? write_ipv4(l4, length, &sum) : write_ipv6(l4, length, &sum);
	bench_random(&tcp.src_port, sizeof(tcp.src_port));
	bench_random(&tcp.sent_seq, sizeof(tcp.sent_seq));
	memcpy(l4, &tcp, sizeof(tcp));
	memcpy(l4 + sizeof(tcp), syn ? syn_options : ack_options, option_length);
	bench_random(l4 + sizeof(tcp) + option_length, kind->payload_length);
	tcp.cksum = checksum_finish(checksum_add(sum, l4, length));
	memcpy(l4, &tcp, sizeof(tcp));
	return (uint32_t)(l4 + length - bytes);
}

static void
frames_fill(struct frames *frames, const struct kind *kind)
{
	for (unsigned int i = 0; i < FRAMES; i++) {
		struct frame frame;
		struct tcp_segment segment;

		frames->length = write_frame(frames->data[i], kind);
		memset(&frames->mbuf[i], 0, sizeof(frames->mbuf[i]));
		frames->mbuf[i].buf_addr = frames->data[i];
		frames->mbuf[i].data_len = (uint16_t)frames->length;
		frames->mbuf[i].pkt_len = frames->length;
		frames->mbuf[i].nb_segs = 1;
		RTE_VERIFY(parse_frame(frames->data[i], frames->length, 0, &frame, &segment) ==
				DROP_NONE);
		RTE_VERIFY(segment.flags == kind->flags &&
				segment.payload_length == kind->payload_length);
	}
}

static uint64_t
run_parse(void *context)
{
	const struct frames *frames = context;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < FRAMES; i++) {
			struct frame frame;
			struct tcp_segment segment;

			bench_keep(parse_frame(frames->data[i], frames->length, frames->flags,
					&frame, &segment));
			bench_keep(segment.seq);
		}
	}
	return ROUNDS * FRAMES;
}

static uint64_t
run_columns(void *context)
{
	static const struct parse_columns_end end[2];
	const struct frames *from = context;
	struct frame frame[COLUMNS];
	struct tcp_segment segment[COLUMNS];
	struct flow_key key[COLUMNS];
	uint8_t event[COLUMNS];
	const struct parse_columns_rows rows = {frame, segment, key, event};
	struct parse_columns_frames frames = {.n = COLUMNS, .flags = from->flags};

	for (unsigned int lane = 0; lane < COLUMNS; lane++)
		frames.length[lane] = from->length;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < FRAMES; i += COLUMNS) {
			for (unsigned int lane = 0; lane < COLUMNS; lane++)
				frames.data[lane] = from->data[i + lane];
			bench_keep(parse_columns(&frames, end, &rows).good);
			bench_keep(segment[0].seq);
		}
	}
	return ROUNDS * FRAMES;
}

static uint64_t
run_ptype(void *context)
{
	struct frames *frames = context;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < FRAMES; i++) {
			struct rte_net_hdr_lens lengths;
			const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(&frames->mbuf[i],
					const struct rte_ipv4_hdr *, sizeof(struct rte_ether_hdr));

			bench_keep(rte_net_get_ptype(
					&frames->mbuf[i], &lengths, RTE_PTYPE_ALL_MASK));
			bench_keep(rte_ipv4_cksum(ip));
			bench_keep(rte_ipv4_udptcp_cksum(ip, (const uint8_t *)ip + lengths.l3_len));
		}
	}
	return ROUNDS * FRAMES;
}

static uint64_t
run_steering(void *context)
{
	const struct frames *frames = context;

	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int i = 0; i < FRAMES; i++)
			bench_keep(steering_hash(&steering_key, frames->data[i], frames->length));
	return ROUNDS * FRAMES;
}

int
main(int argc, char *argv[])
{
	struct bench bench = bench_start(argc, argv, 256);
	struct frames *verify = bench_alloc(sizeof(*verify));
	struct frames *trust = bench_alloc(sizeof(*trust));

	for (unsigned int i = 0; i < RTE_DIM(kinds); i++) {
		struct bench_case cases[5] = {
				{"parse_frame, checksums verified", verify, run_parse, NULL},
				{"parse_frame, checksums known good", trust, run_parse, NULL},
				{"steering_hash", verify, run_steering, NULL},
		};
		unsigned int n = 3;

		if (parse_columns_available())
			cases[n++] = (struct bench_case){"parse_columns, checksums verified",
					verify, run_columns, NULL};
		if (kinds[i].family == 4)
			cases[n++] = (struct bench_case){
					"rte_net_get_ptype and checksums", verify, run_ptype, NULL};
		frames_fill(verify, &kinds[i]);
		frames_fill(trust, &kinds[i]);
		trust->flags = PARSE_IP_CHECKSUM_GOOD | PARSE_TCP_CHECKSUM_GOOD;
		bench_run(&bench, kinds[i].name, cases, n);
	}
	bench_free(trust);
	bench_free(verify);
	return bench_stop();
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The Internet checksum next to DPDK's, over what a packet engine sums: a header, a segment with
 * and without data.
 */

#include <stdio.h>

#include <rte_common.h>
#include <rte_ip.h>

#include "bench.h"
#include "wire/checksum.h"

#define ROUNDS 20000

static uint8_t bytes[16384];

static uint64_t
run_add(void *context)
{
	size_t length = *(const size_t *)context;

	for (unsigned int round = 0; round < ROUNDS; round++)
		bench_keep(checksum_finish(checksum_add(0, &bytes[round % 64 * 2], length)));
	return ROUNDS;
}

static uint64_t
run_raw(void *context)
{
	size_t length = *(const size_t *)context;

	for (unsigned int round = 0; round < ROUNDS; round++)
		bench_keep((uint16_t)~rte_raw_cksum(&bytes[round % 64 * 2], length));
	return ROUNDS;
}

/* A TCP segment of this length behind an IPv4 header, its pseudo-header included. */
static uint64_t
run_segment(void *context)
{
	size_t length = *(const size_t *)context;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		const uint8_t *ip = &bytes[round % 64 * 2];
		uint64_t sum = checksum_pseudo(ip + 12, ip + 16, 4, 6, (uint32_t)length);

		bench_keep(checksum_finish(checksum_add(sum, ip + 20, length)));
	}
	return ROUNDS;
}

static uint64_t
run_segment_rte(void *context)
{
	size_t length = *(const size_t *)context;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)&bytes[round % 64 * 2];

		ip->total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + length));
		ip->version_ihl = RTE_IPV4_VHL_DEF;
		bench_keep(rte_ipv4_udptcp_cksum(ip, ip + 1));
	}
	return ROUNDS;
}

int
main(int argc, char *argv[])
{
	static size_t lengths[] = {20, 32, 64, 536, 1460, 8960};
	struct bench bench = bench_start(argc, argv, 256);

	bench_random(bytes, sizeof(bytes));
	for (unsigned int i = 0; i < RTE_DIM(lengths); i++) {
		const struct bench_case cases[] = {
				{"checksum_add", &lengths[i], run_add, NULL},
				{"rte_raw_cksum", &lengths[i], run_raw, NULL},
				{"checksum_pseudo, _add", &lengths[i], run_segment, NULL},
				{"rte_ipv4_udptcp_cksum", &lengths[i], run_segment_rte, NULL},
		};
		char title[32];

		snprintf(title, sizeof(title), "%zu bytes", lengths[i]);
		bench_run(&bench, title, cases, RTE_DIM(cases));
	}
	return bench_stop();
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * From values to bytes: options read and written, a frame turned around in place by a form, alone
 * and in columns of sixteen, with checksums made by DPDK's functions, and the same by its path.
 */

#include <string.h>

#include <rte_common.h>
#include <rte_debug.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "bench.h"
#include "wire/build.h"
#include "wire/build_columns.h"
#include "wire/build_reply.h"

#define FRAMES 64
#define ROUNDS 500

/* Usual options of a SYN, and some that have to be walked. */
static const struct layout {
	const char *name;
	uint8_t flags;
	uint8_t length;
	uint8_t bytes[TCP_OPTIONS_BYTES_MAX];
} layouts[] = {
		{"read: none", TCP_SYN, 0, {0}},
		{"read: a Linux SYN's", TCP_SYN, 20,
				{2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7}},
		{"read: a Windows SYN's", TCP_SYN, 12, {2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2}},
		{"read: an Apple SYN's", TCP_SYN, 24,
				{2, 4, 5, 180, 1, 3, 3, 6, 1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 4,
						2, 0, 0}},
		{"read: timestamps", TCP_ACK, 12, {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}},
		{"walk: timestamps, three SACK blocks", TCP_ACK, 40,
				{1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 5, 26}},
		{"walk: a Linux SYN's in another order", TCP_SYN, 20,
				{1, 3, 3, 7, 2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0}},
};

static uint64_t
run_options(void *context)
{
	const struct layout *layout = context;
	struct tcp_segment segment = {.flags = layout->flags};

	for (unsigned int round = 0; round < ROUNDS * FRAMES; round++) {
		tcp_options_read(&segment, layout->bytes, layout->length);
		bench_keep(segment.options);
	}
	return ROUNDS * FRAMES;
}

static const struct build_tcp syn_ack = {
		.seq = 1,
		.ack = 2,
		.window = 64240,
		.flags = TCP_SYN | TCP_ACK,
		.options = {.tsval = 3,
				.tsecr = 4,
				.mss = 1460,
				.window_scale = 7,
				.options = TCP_OPTION_MSS | TCP_OPTION_SACK_PERMITTED |
					   TCP_OPTION_TIMESTAMPS | TCP_OPTION_WINDOW_SCALE},
};

static uint64_t
run_write(void *context)
{
	const struct tcp_options *options = context;
	uint8_t bytes[TCP_OPTIONS_BYTES_MAX];

	for (unsigned int i = 0; i < ROUNDS * FRAMES; i++) {
		uint64_t sum = i;

		bench_keep((uintptr_t)options); /* Or the compiler knows them. */
		bench_keep(tcp_options_write(bytes, options, &sum));
		bench_keep(sum);
	}
	return ROUNDS * FRAMES;
}

struct scene {
	struct frame frame;
	struct build_form form;
	enum build_checksum checksum;
	uint8_t bytes[FRAMES][256];
};

static struct scene *
scene_create(unsigned int family, enum build_checksum checksum)
{
	static const struct build_tcp syn = {
			.flags = TCP_SYN, .options = {.mss = 1460, .options = TCP_OPTION_MSS}};
	struct scene *scene = bench_alloc(sizeof(*scene));
	struct build_path path = {.family = (uint8_t)family,
			.local_port = rte_cpu_to_be_16(40000),
			.remote_port = rte_cpu_to_be_16(80)};
	struct build_lengths lengths;
	struct tcp_segment segment;

	bench_random(path.local, sizeof(path.local));
	bench_random(path.remote, sizeof(path.remote));
	path.local[0] = path.remote[0] = 0x20;
	path.local[12] = path.remote[12] = 10;
	scene->checksum = checksum;
	for (unsigned int i = 0; i < FRAMES; i++) {
		unsigned int length = build_tcp(
				scene->bytes[i], &path, &syn, 0, BUILD_CHECKSUM_SOFTWARE, &lengths);

		RTE_VERIFY(parse_frame(scene->bytes[i], length, 0, &scene->frame, &segment) ==
				DROP_NONE);
	}
	build_reply_form(&scene->form, &syn_ack, (uint8_t)family);
	return scene;
}

static uint64_t
run_reply(void *context)
{
	struct scene *scene = context;
	struct build_numbers numbers = {1, 2, 3, 4};

	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < FRAMES; i++) {
			numbers.seq++;
			bench_keep(build_reply(scene->bytes[i], &scene->frame, &scene->form,
					&numbers, scene->checksum));
		}
	}
	return ROUNDS * FRAMES;
}

/* What is left to the NIC is made by DPDK's functions. */
static uint64_t
run_library(void *context)
{
	struct scene *scene = context;
	struct build_numbers numbers = {1, 2, 3, 4};

	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < FRAMES; i++) {
			uint8_t *bytes = scene->bytes[i];
			void *ip = bytes + scene->frame.l3_offset;
			struct rte_tcp_hdr *tcp = (void *)(bytes + scene->frame.l4_offset);

			numbers.seq++;
			bench_keep(build_reply(bytes, &scene->frame, &scene->form, &numbers,
					scene->checksum));
			tcp->cksum = 0;
			if (scene->form.family == 4) {
				((struct rte_ipv4_hdr *)ip)->hdr_checksum = 0;
				((struct rte_ipv4_hdr *)ip)->hdr_checksum = rte_ipv4_cksum(ip);
				tcp->cksum = rte_ipv4_udptcp_cksum(ip, tcp);
			} else {
				tcp->cksum = rte_ipv6_udptcp_cksum(ip, tcp);
			}
		}
	}
	return ROUNDS * FRAMES;
}

static uint64_t
run_columns(void *context)
{
	struct scene *scene = context;
	struct build_columns replies = {.n = COLUMNS};

	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int first = 0; first < FRAMES; first += COLUMNS) {
			for (unsigned int i = 0; i < COLUMNS; i++) {
				replies.data[i] = scene->bytes[first + i];
				replies.seq[i] = round + i;
				replies.ack[i] = 2;
				replies.tsval[i] = 3;
				replies.tsecr[i] = 4;
			}
			bench_keep(build_columns(&replies, &scene->form));
		}
	}
	return ROUNDS * FRAMES;
}

static uint64_t
run_path(void *context)
{
	struct scene *scene = context;
	struct build_tcp tcp = syn_ack;
	struct build_lengths lengths;
	struct build_path path;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < FRAMES; i++) {
			tcp.seq++;
			build_path_reverse(&path, scene->bytes[i], &scene->frame);
			bench_keep(build_tcp(scene->bytes[i], &path, &tcp, 0, scene->checksum,
					&lengths));
		}
	}
	return ROUNDS * FRAMES;
}

static void
measure_options(const struct bench *bench)
{
	struct bench_case cases[RTE_DIM(layouts) + 1];
	struct tcp_options options = syn_ack.options;

	for (unsigned int i = 0; i < RTE_DIM(layouts); i++)
		cases[i] = (struct bench_case){
				layouts[i].name, (void *)(uintptr_t)&layouts[i], run_options, NULL};
	cases[RTE_DIM(layouts)] =
			(struct bench_case){"write: those of a SYN-ACK", &options, run_write, NULL};
	bench_run(bench, "TCP options", cases, RTE_DIM(cases));
}

int
main(int argc, char *argv[])
{
	struct bench bench = bench_start(argc, argv, 256);
	struct scene *four = scene_create(4, BUILD_CHECKSUM_SOFTWARE);
	struct scene *six = scene_create(6, BUILD_CHECKSUM_SOFTWARE);
	struct scene *four_offload = scene_create(4, BUILD_CHECKSUM_OFFLOAD);
	struct scene *six_offload = scene_create(6, BUILD_CHECKSUM_OFFLOAD);
	const struct bench_case cases[] = {
			{"build_reply, IPv4", four, run_reply, NULL},
			{"build_reply, IPv6", six, run_reply, NULL},
			{"build_reply, IPv4, the NIC makes checksums", four_offload, run_reply,
					NULL},
			{"build_reply, IPv4, checksums by rte_ip.h", four_offload, run_library,
					NULL},
			{"build_reply, IPv6, checksums by rte_ip.h", six_offload, run_library,
					NULL},
			{"build_tcp on the way back, IPv4", four, run_path, NULL},
			{"build_tcp on the way back, IPv6", six, run_path, NULL},
			{"build_columns, IPv4, sixteen at once", four, run_columns, NULL},
			{"build_columns, IPv6, sixteen at once", six, run_columns, NULL},
	};
	/* The last two only where the CPU can. */
	const unsigned int n = RTE_DIM(cases) - (columns_available() ? 0 : 2);

	measure_options(&bench);
	bench_run(&bench, "a SYN made a SYN-ACK, in place", cases, n);
	bench_free(six_offload);
	bench_free(four_offload);
	bench_free(six);
	bench_free(four);
	return bench_stop();
}

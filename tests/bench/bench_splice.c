/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * One segment of a spliced connection: what is learnt from it, its TCP header translated, its
 * addresses exchanged, as burst_forward.c does it to every packet of `mode: proxy`.
 *
 * A segment is translated again and again in place, so its numbers wander; what it costs does not
 * depend on them.
 */

#include <string.h>

#include <rte_common.h>
#include <rte_debug.h>
#include <rte_ip.h>

#include "bench.h"
#include "splice/splice.h"
#include "wire/build.h"

#define FRAMES  64
#define ROUNDS  500
#define ROOM    64 /* In front of a frame, for a longer IP header. */
#define PAYLOAD 1400

struct scene {
	struct splice splice;
	struct splice_ends ends;
	unsigned int family; /* Of the side that it is sent to. */
	uint8_t source[16], destination[16];
	uint8_t bytes[FRAMES][ROOM + 2048];
	uint8_t backup[FRAMES][128];
	struct frame frame[FRAMES];
	struct tcp_segment segment[FRAMES];
};

static void
fill_address(uint8_t address[16], unsigned int family, uint8_t last)
{
	static const uint8_t documentation[16] = {0x20, 0x01, 0x0d, 0xb8};

	memcpy(address, documentation, sizeof(documentation));
	if (family == 4)
		flow_key_map_ipv4(address, rte_cpu_to_be_32(RTE_IPV4(192, 0, 2, 0)));
	address[15] = last;
}

/* A frame of the client's to us, as the parser reads it. */
static void
write_frame(struct scene *scene, unsigned int i, unsigned int family)
{
	const struct build_tcp tcp = {
			.seq = 1001 + i,
			.ack = 5001,
			.window = 500,
			.flags = TCP_ACK | TCP_PSH,
			.options = {.tsval = 7, .tsecr = 3000000, .options = TCP_OPTION_TIMESTAMPS},
	};
	struct build_path path = {
			.family = (uint8_t)family,
			.local_port = rte_cpu_to_be_16((uint16_t)(40000 + i)),
			.remote_port = rte_cpu_to_be_16(80),
	};
	uint8_t *data = scene->bytes[i] + ROOM;
	struct build_lengths lengths;
	unsigned int length;

	fill_address(path.local, family, 1);
	fill_address(path.remote, family, 2);
	length = build_tcp(data, &path, &tcp, PAYLOAD, BUILD_CHECKSUM_SOFTWARE, &lengths);
	RTE_VERIFY(parse_frame(data, length, 0, &scene->frame[i], &scene->segment[i]) == DROP_NONE);
	memcpy(scene->backup[i], data, sizeof(scene->backup[i]));
}

static struct scene *
scene_create(unsigned int family, unsigned int server_family)
{
	static const struct splice_client client = {.rcv_nxt = 1001,
			.snd_nxt = 5001,
			.window = 500,
			.scale = 7,
			.our_scale = 7,
			.scaled = true,
			.sack = true,
			.timestamps = true};
	static const struct tcp_segment syn_ack = {.seq = 90000,
			.ack = 70001,
			.flags = TCP_SYN | TCP_ACK,
			.window = 65160,
			.window_scale = 7,
			.tsval = 1000000,
			.options = TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE |
				   TCP_OPTION_SACK_PERMITTED | TCP_OPTION_TIMESTAMPS};
	struct scene *scene = bench_alloc(sizeof(*scene));

	scene->family = server_family;
	fill_address(scene->source, server_family, 3);
	fill_address(scene->destination, server_family, 4);
	scene->ends = (struct splice_ends){scene->source, scene->destination,
			rte_cpu_to_be_16(2000), rte_cpu_to_be_16(8080)};
	splice_begin(&scene->splice, &client, 70000, 0);
	splice_join(&scene->splice, &client, &syn_ack, 3000000);
	for (unsigned int i = 0; i < FRAMES; i++)
		write_frame(scene, i, family);
	return scene;
}

static uint64_t
run_track(void *context)
{
	struct scene *scene = context;

	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int i = 0; i < FRAMES; i++)
			bench_keep(splice_track(&scene->splice, SPLICE_CLIENT, &scene->segment[i]));
	return ROUNDS * FRAMES;
}

static uint64_t
run_segment(void *context)
{
	struct scene *scene = context;

	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int i = 0; i < FRAMES; i++)
			splice_segment(&scene->splice, SPLICE_CLIENT, &scene->ends,
					scene->bytes[i] + ROOM + scene->frame[i].l4_offset);
	return ROUNDS * FRAMES;
}

/* The copy gives the frame its headers back. */
static uint64_t
run_whole(void *context)
{
	struct scene *scene = context;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < FRAMES; i++) {
			uint8_t *data = scene->bytes[i] + ROOM;

			memcpy(data, scene->backup[i], sizeof(scene->backup[i]));
			splice_track(&scene->splice, SPLICE_CLIENT, &scene->segment[i]);
			splice_segment(&scene->splice, SPLICE_CLIENT, &scene->ends,
					data + scene->frame[i].l4_offset);
			bench_keep((uintptr_t)splice_addresses(
					data, &scene->frame[i], &scene->ends, scene->family));
		}
	}
	return ROUNDS * FRAMES;
}

int
main(int argc, char *argv[])
{
	struct bench bench = bench_start(argc, argv, 256);
	struct scene *four = scene_create(4, 4);
	struct scene *six = scene_create(6, 6);
	struct scene *four_to_six = scene_create(4, 6);
	struct scene *six_to_four = scene_create(6, 4);
	const struct bench_case cases[] = {
			{"all of it, IPv4", four, run_whole, NULL},
			{"all of it, IPv6", six, run_whole, NULL},
			{"all of it, IPv4 to IPv6", four_to_six, run_whole, NULL},
			{"all of it, IPv6 to IPv4", six_to_four, run_whole, NULL},
			{"splice_segment", four, run_segment, NULL},
			{"splice_track", four, run_track, NULL},
	};

	bench_run(&bench, "a segment with timestamps, translated", cases, RTE_DIM(cases));
	bench_free(six_to_four);
	bench_free(four_to_six);
	bench_free(six);
	bench_free(four);
	return bench_stop();
}

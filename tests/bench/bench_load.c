/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What the load generator itself costs: cycles of its turns per connection, with its peer left out.
 *
 * The generator runs as it is, over a port made of two rings, in turns with a peer that answers
 * every frame in place and keeps nothing.  Both are in this thread, and only the generator is
 * timed; so the figure has no network driver in it, and none of the waiting that a closed loop
 * does.  Exchanges are run in turns, the median counts.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ring.h>

#include "engine/eal.h"
#include "engine/launch.h"
#include "engine/load.h"
#include "engine/log.h"
#include "engine/worker.h"
#include "settings/settings_address.h"
#include "wire/build_reply.h"

#define RING_SIZE   4096
#define CONNECTIONS 200000
#define ROUNDS      11
#define PEER_ISN    1000000u
#define PEER_WINDOW 65535
#define BURST       64
#define FRAME_MAX   512
#define CONCURRENCY 512

static const char settings_text[] = "engine: {connections: 16384}\n"
				    "tcp: {max_tw_buckets: 64}\n"
				    "ports:\n"
				    "  - name: load\n"
				    "    device: \"vdev:net_ring_load\"\n"
				    "    mac: 02:00:00:00:00:01\n"
				    "    addresses: [10.9.0.1/16, \"fd00:9::1/64\"]\n"
				    "services:\n"
				    "  - {name: none, listen: \"10.9.0.1:1\"}\n";

static const char request_text[] = "GET / HTTP/1.1\r\nHost: 10.9.0.2\r\nConnection: close\r\n\r\n";
static const char answer_text[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n"
				  "\r\n0123456789";

struct contest {
	const char *name;
	enum load_exchange exchange;
	const char *target;
	const char *sources;
	unsigned int length; /* Of the sources' prefix. */
	double cycles[ROUNDS];
	uint64_t failures;
};

/* The generator, and its peer's forms. */
static struct {
	struct engine engine;
	struct settings *settings;
	struct rte_ring *to_peer;
	struct rte_ring *from_peer;
	struct build_form syn_ack;
	struct build_form fin_ack;
	struct build_form ack;
	uint64_t cycles;
} rig;

static void
start_dpdk(const char *program)
{
	char prefix[64];
	const char *const words[] = {program, "--no-huge", "-m", "512", "--no-pci",
			"--no-telemetry", "--no-shconf", "--log-level=*:error", "--lcores=(0,1)@0",
			prefix};
	/* EAL keeps pointers to them, and moves them about. */
	static char text[RTE_DIM(words)][256];
	static char *arguments[RTE_DIM(words) + 1];

	snprintf(prefix, sizeof(prefix), "--file-prefix=bench-load-%d", (int)getpid());
	for (unsigned int i = 0; i < RTE_DIM(words); i++) {
		snprintf(text[i], sizeof(text[i]), "%s", words[i]);
		arguments[i] = text[i];
	}
	eal_leave_no_folder();
	if (rte_eal_init(RTE_DIM(words), arguments) < 0)
		rte_exit(EXIT_FAILURE, "DPDK does not start\n");
	log_init(LOG_LEVEL_WARNING);
}

/* Text and a FIN, by hand: the forms have no text. */
static void
answer_request(struct rte_mbuf *packet, const struct frame *frame,
		const struct tcp_segment *segment)
{
	uint8_t *data = rte_pktmbuf_mtod(packet, uint8_t *);
	const struct build_tcp tcp = {
			.seq = segment->ack,
			.ack = segment->seq + segment->payload_length,
			.window = PEER_WINDOW,
			.flags = TCP_ACK | TCP_FIN | TCP_PSH,
	};
	struct build_lengths lengths;
	struct build_path path;

	build_path_reverse(&path, data, frame);
	memcpy(data + build_tcp_headers_length(&path, &tcp.options), answer_text,
			sizeof(answer_text) - 1);
	packet->data_len = (uint16_t)build_tcp(data, &path, &tcp, sizeof(answer_text) - 1,
			BUILD_CHECKSUM_SOFTWARE, &lengths);
	packet->pkt_len = packet->data_len;
}

/* @return whether the frame was made an answer. */
static bool
answer(struct rte_mbuf *packet)
{
	uint8_t *data = rte_pktmbuf_mtod(packet, uint8_t *);
	const struct build_form *form = &rig.ack;
	struct build_numbers numbers = {0};
	struct tcp_segment segment;
	struct frame frame;

	if (parse_frame(data, packet->data_len, 0, &frame, &segment) != DROP_NONE ||
			frame.kind != FRAME_TCP || (segment.flags & TCP_RST) != 0)
		return false;
	if (segment.payload_length > 0) {
		answer_request(packet, &frame, &segment);
		return true;
	}
	numbers.seq = segment.ack;
	numbers.ack = segment.seq + 1;
	if ((segment.flags & TCP_SYN) != 0) {
		numbers.seq = PEER_ISN;
		form = &rig.syn_ack;
	} else if ((segment.flags & TCP_FIN) == 0) {
		return false;
	} else if (segment.ack == PEER_ISN + 1) {
		form = &rig.fin_ack;
	}
	packet->data_len = (uint16_t)build_reply(
			data, &frame, form, &numbers, BUILD_CHECKSUM_SOFTWARE);
	packet->pkt_len = packet->data_len;
	return true;
}

static void
peer_turn(void)
{
	struct rte_mbuf *packet[BURST];
	unsigned int n, kept;

	do {
		n = rte_ring_dequeue_burst(rig.to_peer, (void **)packet, BURST, NULL);
		kept = 0;
		for (unsigned int i = 0; i < n; i++) {
			if (answer(packet[i]))
				packet[kept++] = packet[i];
			else
				rte_pktmbuf_free(packet[i]);
		}
		rte_ring_enqueue_burst(rig.from_peer, (void **)packet, kept, NULL);
	} while (n > 0);
}

static void
peer_forms(unsigned int family)
{
	struct build_tcp tcp = {
			.window = PEER_WINDOW,
			.flags = TCP_SYN | TCP_ACK,
			.options = {.options = TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE,
					.mss = 1440,
					.window_scale = 2},
	};

	build_reply_form(&rig.syn_ack, &tcp, (uint8_t)family);
	tcp.options = (struct tcp_options){0};
	tcp.flags = TCP_ACK;
	build_reply_form(&rig.ack, &tcp, (uint8_t)family);
	tcp.flags = TCP_ACK | TCP_FIN;
	build_reply_form(&rig.fin_ack, &tcp, (uint8_t)family);
}

static void
make_plan(const struct contest *contest, uint64_t count, struct load_plan *plan)
{
	*plan = (struct load_plan){
			.exchange = contest->exchange,
			.http = true,
			.random_order = true,
			.peer_closes = contest->exchange == LOAD_REQUEST,
			.third_ack_alone = contest->exchange == LOAD_OPEN_CLOSE,
			.concurrency = CONCURRENCY,
			.count = count,
			.retries = 3,
			.timeout_ms = 10000,
			.first_port = 1024,
			.last_port = UINT16_MAX,
			.has_target_mac = true,
			.target_mac = {0x02, 0, 0, 0, 0, 0x02},
			.targets.count = 1,
			.targets.item[0].port = rte_cpu_to_be_16(80),
			.sources[0].count = 1,
			.sources[0].item[0].length = (uint8_t)contest->length,
			.requests = contest->exchange == LOAD_REQUEST,
			.request = (const uint8_t *)request_text,
			.request_length = sizeof(request_text) - 1,
	};
	if (!settings_address_parse(contest->target, plan->targets.item[0].address) ||
			!settings_address_parse(contest->sources, plan->sources[0].item[0].address))
		rte_exit(EXIT_FAILURE, "bad address\n");
}

static void
run(struct contest *contest, unsigned int round, uint64_t count)
{
	struct load_plan plan;
	struct figures figures;
	unsigned int which;
	uint64_t begin, cycles = 0;

	make_plan(contest, count, &plan);
	peer_forms(flow_key_is_ipv4(plan.targets.item[0].address) ? 4 : 6);
	if (load_init(&rig.engine, &plan, &which) != LOAD_OK ||
			load_begin(&rig.engine, 0, &which) != LOAD_OK)
		rte_exit(EXIT_FAILURE, "the load does not begin\n");
	while (!load_is_done(&rig.engine)) {
		begin = rte_rdtsc();
		load_turn(rig.engine.worker[0]);
		cycles += rte_rdtsc() - begin;
		peer_turn();
	}
	memset(&figures, 0, sizeof(figures));
	for (unsigned int phase = 0; phase < LOAD_PHASES; phase++)
		load_figures(&rig.engine, (enum load_phase)phase, &figures);
	contest->failures += figures_failed(&figures);
	contest->cycles[round] = (double)cycles / (double)figures.count[FIGURE_completed];
	load_free(&rig.engine);
}

static void
assemble(void)
{
	const struct eal_cores cores = {.worker_count = 1};

	rig.to_peer = rte_ring_create("to_peer", RING_SIZE, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	rig.from_peer = rte_ring_create("from_peer", RING_SIZE, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (rig.to_peer == NULL || rig.from_peer == NULL ||
			rte_eth_from_rings("load", &rig.from_peer, 1, &rig.to_peer, 1, 0) < 0)
		rte_exit(EXIT_FAILURE, "no rings\n");
	rig.settings = settings_parse("bench.yaml", settings_text, strlen(settings_text), stderr);
	if (rig.settings == NULL)
		rte_exit(EXIT_FAILURE, "bad settings\n");
	rig.settings->service_count = 0;
	if (launch_assemble(&rig.engine, rig.settings, &cores) != LAUNCH_OK)
		rte_exit(EXIT_FAILURE, "the generator does not start\n");
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int
main(int argc, char *argv[])
{
	static struct contest contests[] = {
			{"open-close IPv4", LOAD_OPEN_CLOSE, "10.9.0.2", "10.9.128.0", 17, {0}, 0},
			{"open-close IPv6", LOAD_OPEN_CLOSE, "fd00:9::2", "fd00:9::8000", 113, {0},
					0},
			{"request IPv4", LOAD_REQUEST, "10.9.0.2", "10.9.128.0", 17, {0}, 0},
			{"handshake IPv4", LOAD_HANDSHAKE, "10.9.0.2", "10.9.128.0", 17, {0}, 0},
	};
	const bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
	const unsigned int rounds = quick ? 1 : ROUNDS;
	const unsigned int n = argc > 2 ? (unsigned int)atoi(argv[2]) : RTE_DIM(contests);
	int code = EXIT_SUCCESS;

	start_dpdk(argv[0]);
	assemble();
	for (unsigned int round = 0; round < rounds; round++) {
		for (unsigned int i = 0; i < n; i++)
			run(&contests[i], round, quick ? CONNECTIONS / 20 : CONNECTIONS);
	}
	printf("%-20s %12s %12s %12s\n", "cycles/connection", "median", "lowest", "failures");
	for (unsigned int i = 0; i < n; i++) {
		qsort(contests[i].cycles, rounds, sizeof(double), compare);
		printf("%-20s %12.0f %12.0f %12llu\n", contests[i].name,
				contests[i].cycles[rounds / 2], contests[i].cycles[0],
				(unsigned long long)contests[i].failures);
		if (contests[i].failures > 0)
			code = EXIT_FAILURE;
	}
	launch_disassemble(&rig.engine);
	settings_free(rig.settings);
	rte_eal_cleanup();
	return code;
}

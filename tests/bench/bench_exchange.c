/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Whole connections through the engine's stages, without a device: what they cost it, by the
 * segment that the client sent.
 *
 * The client writes its frames into packet buffers and reads the answers between the turns, which
 * alone are timed.  A burst is 32 packets of one kind, of many connections that are open at once;
 * no tuple is used twice, so TIME_WAIT fills up and evicts, as under a generator.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_debug.h>

#include "bench.h"
#include "../pipeline/rig.h"

#define FLOWS       1024 /* Open at once. */
#define BURST       32
#define ROUNDS      40
#define REPETITIONS 21
#define SEGMENTS    4 /* The most that a client sends, and one more for the sum. */

#define ISS         1000

static const char settings[] =
		"engine: {connections: 65536}\n"
		"tcp: {max_tw_buckets: 262144}\n"
		"ports:\n"
		"  - name: lan\n"
		"    device: \"vdev:net_ring_rig\"\n"
		"    mac: 02:00:00:00:00:02\n"
		"    addresses: [10.9.0.2/16]\n"
		"services:\n"
		"  - {name: sink, listen: \"10.9.0.2:9\", reply: discard}\n"
		"  - {name: web, listen: \"10.9.0.2:80\", reply: http, body_size: 64,\n"
		"     close: after_reply}\n";

/* What a client says next, and what it hears to that. */
struct say {
	const char *name;
	const char *text;
	uint8_t flags;
	uint8_t answer; /* Flags; 0 is none. */
};

struct exchange {
	const char *name;
	uint16_t port;
	bool timestamps;
	struct say say[SEGMENTS];
};

static const char request[] = "GET / HTTP/1.1\r\nHost: 10.9.0.2\r\n\r\n";

static const struct exchange exchanges[] = {
		{"open-close", 9, false,
				{{"SYN", "", TCP_SYN, TCP_SYN | TCP_ACK},
						{"FIN", "", TCP_FIN | TCP_ACK, TCP_FIN | TCP_ACK},
						{"ACK", "", TCP_ACK, 0}}},
		{"open-close, ACK alone", 9, false,
				{{"SYN", "", TCP_SYN, TCP_SYN | TCP_ACK}, {"ACK", "", TCP_ACK, 0},
						{"FIN", "", TCP_FIN | TCP_ACK, TCP_FIN | TCP_ACK},
						{"ACK", "", TCP_ACK, 0}}},
		{"request", 80, false,
				{{"SYN", "", TCP_SYN, TCP_SYN | TCP_ACK},
						{"GET", request, TCP_PSH | TCP_ACK,
								TCP_PSH | TCP_FIN | TCP_ACK},
						{"FIN", "", TCP_FIN | TCP_ACK, TCP_ACK}}},
		{"request, timestamps", 80, true,
				{{"SYN", "", TCP_SYN, TCP_SYN | TCP_ACK},
						{"GET", request, TCP_PSH | TCP_ACK,
								TCP_PSH | TCP_FIN | TCP_ACK},
						{"FIN", "", TCP_FIN | TCP_ACK, TCP_ACK}}},
};

/* Where a client is. */
struct flow {
	rte_be32_t address;
	rte_be16_t port;
	uint32_t seq;
	uint32_t ack;
	uint32_t tsecr;
};

static struct rig rig;
static struct build_path path;
static struct flow flows[FLOWS];
static uint32_t tuples;

static void
flow_begin(struct flow *flow)
{
	*flow = (struct flow){
			.address = rte_cpu_to_be_32(0x0a098000u + tuples / 50000 % 32768),
			.port = rte_cpu_to_be_16((uint16_t)(1024 + tuples % 50000)),
			.seq = ISS,
	};
	tuples++;
}

static void
flow_put(struct flow *flow, const struct exchange *exchange, const struct say *say)
{
	struct rte_mbuf *packet = rte_pktmbuf_alloc(rig.engine.pool);
	const unsigned int length = (unsigned int)strlen(say->text);
	struct build_tcp tcp = {
			.seq = flow->seq,
			.ack = flow->ack,
			.window = 64240,
			.flags = say->flags,
			.options.tsval = (uint32_t)rig.engine.clock.base_us / 1000,
			.options.tsecr = flow->tsecr,
			.options.mss = 1460,
			.options.window_scale = 7,
	};
	struct build_lengths lengths;
	uint8_t *frame;

	RTE_VERIFY(packet != NULL);
	if ((say->flags & TCP_SYN) != 0)
		tcp.options.options = TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE;
	if (exchange->timestamps)
		tcp.options.options |= TCP_OPTION_TIMESTAMPS;
	memcpy(path.local + 12, &flow->address, sizeof(flow->address));
	path.local_port = flow->port;
	frame = rte_pktmbuf_mtod(packet, uint8_t *);
	memcpy(frame + build_tcp_headers_length(&path, &tcp.options), say->text, length);
	packet->data_len = (uint16_t)build_tcp(
			frame, &path, &tcp, length, BUILD_CHECKSUM_SOFTWARE, &lengths);
	packet->pkt_len = packet->data_len;
	RTE_VERIFY(rte_ring_enqueue(rig.to_engine, packet) == 0);
	flow->seq += length + ((say->flags & (TCP_SYN | TCP_FIN)) != 0);
}

/* Answers come in the order of the segments. */
static void
flow_take(struct flow *flow, const struct exchange *exchange, const struct say *say)
{
	struct rte_mbuf *packet;
	const uint8_t *tcp;
	uint32_t word;

	RTE_VERIFY(rte_ring_dequeue(rig.from_engine, (void **)&packet) == 0);
	tcp = rte_pktmbuf_mtod_offset(packet, const uint8_t *, 14 + 20);
	RTE_VERIFY(tcp[13] == say->answer && memcmp(tcp + 2, &flow->port, 2) == 0);
	memcpy(&word, tcp + 4, sizeof(word));
	flow->ack = rte_be_to_cpu_32(word) + packet->data_len - (14 + 20 + (tcp[12] >> 4) * 4u) +
		    ((say->answer & (TCP_SYN | TCP_FIN)) != 0);
	if (exchange->timestamps) {
		memcpy(&word, tcp + 20 + ((say->answer & TCP_SYN) != 0 ? 12 : 4), sizeof(word));
		flow->tsecr = rte_be_to_cpu_32(word);
	}
	rte_pktmbuf_free(packet);
}

/* One burst. @return the cycles of the engine's turn. */
static uint64_t
burst_run(const struct exchange *exchange, const struct say *say, struct flow *flow)
{
	uint64_t cycles;

	for (unsigned int i = 0; i < BURST; i++)
		flow_put(&flow[i], exchange, say);
	rig.engine.clock.base_us += 8;
	cycles = rte_rdtsc_precise();
	worker_turn(rig.engine.worker[0]);
	cycles = rte_rdtsc_precise() - cycles;
	for (unsigned int i = 0; i < BURST && say->answer != 0; i++)
		flow_take(&flow[i], exchange, say);
	RTE_VERIFY(rte_ring_empty(rig.from_engine));
	return cycles;
}

/* @param cycles  Becomes cycles per connection, by segment; last their sum. */
static void
exchange_run(const struct exchange *exchange, double cycles[SEGMENTS + 1], unsigned int rounds)
{
	uint64_t sum[SEGMENTS] = {0};

	path.remote_port = rte_cpu_to_be_16(exchange->port);
	for (unsigned int round = 0; round < rounds; round++) {
		for (unsigned int i = 0; i < FLOWS; i++)
			flow_begin(&flows[i]);
		for (unsigned int s = 0; s < SEGMENTS && exchange->say[s].name != NULL; s++) {
			for (unsigned int i = 0; i < FLOWS; i += BURST)
				sum[s] += burst_run(exchange, &exchange->say[s], &flows[i]);
		}
		RTE_VERIFY(rig_connections(&rig) == 0);
	}
	cycles[SEGMENTS] = 0;
	for (unsigned int s = 0; s < SEGMENTS; s++) {
		cycles[s] = (double)sum[s] / rounds / FLOWS;
		cycles[SEGMENTS] += cycles[s];
	}
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
median(double cycles[REPETITIONS][SEGMENTS + 1], unsigned int repetitions, unsigned int segment)
{
	double sorted[REPETITIONS];

	for (unsigned int r = 0; r < repetitions; r++)
		sorted[r] = cycles[r][segment];
	qsort(sorted, repetitions, sizeof(sorted[0]), compare);
	return sorted[repetitions / 2];
}

int
main(int argc, char *argv[])
{
	static double cycles[RTE_DIM(exchanges)][REPETITIONS][SEGMENTS + 1];
	struct bench bench = bench_start(argc, argv, 512);
	const unsigned int repetitions = RTE_MIN(bench.repetitions, (unsigned int)REPETITIONS);

	rig_init(&rig, settings, 1);
	rig_path(&rig, &path, 4, 0, 0);
	for (unsigned int r = 0; r < repetitions; r++) {
		for (unsigned int e = 0; e < RTE_DIM(exchanges); e++)
			exchange_run(&exchanges[e], cycles[e][r], bench.quick ? 2 : ROUNDS);
	}
	printf("\n%-30s %10s\n", "TSC cycles of the engine", "connection");
	for (unsigned int e = 0; e < RTE_DIM(exchanges); e++) {
		printf("  %-28s %10.0f  =", exchanges[e].name,
				median(cycles[e], repetitions, SEGMENTS));
		for (unsigned int s = 0; s < SEGMENTS && exchanges[e].say[s].name != NULL; s++)
			printf("  %s %.0f", exchanges[e].say[s].name,
					median(cycles[e], repetitions, s));
		printf("\n");
	}
	rig_close(&rig);
	return bench_stop();
}

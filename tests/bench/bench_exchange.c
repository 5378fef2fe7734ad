/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Whole connections through the engine's stages, without a device: what they cost it, by the
 * segment that the client sent.
 *
 * The client writes its frames into packet buffers and reads the answers between the turns, which
 * alone are timed.  A burst is 32 packets of one kind, of many connections that are open at once,
 * or a mixture, as what a generator sends is; no tuple is used twice, so TIME_WAIT fills up and
 * evicts, as under a generator.
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
	bool mixed; /* In a burst, connections are anywhere in their lives. */
	struct say say[SEGMENTS];
};

static const char request[] = "GET / HTTP/1.1\r\nHost: 10.9.0.2\r\n\r\n";

#define OPEN_CLOSE                                                                 \
	{                                                                          \
		{"SYN", "", TCP_SYN, TCP_SYN | TCP_ACK}, {"ACK", "", TCP_ACK, 0},  \
				{"FIN", "", TCP_FIN | TCP_ACK, TCP_FIN | TCP_ACK}, \
		{                                                                  \
			"ACK", "", TCP_ACK, 0                                      \
		}                                                                  \
	}
#define REQUEST                                                                                   \
	{                                                                                         \
		{"SYN", "", TCP_SYN, TCP_SYN | TCP_ACK},                                          \
				{"GET", request, TCP_PSH | TCP_ACK, TCP_PSH | TCP_FIN | TCP_ACK}, \
		{                                                                                 \
			"FIN", "", TCP_FIN | TCP_ACK, TCP_ACK                                     \
		}                                                                                 \
	}

static const struct exchange exchanges[] = {
		{"open-close", 9, false, false,
				{{"SYN", "", TCP_SYN, TCP_SYN | TCP_ACK},
						{"FIN", "", TCP_FIN | TCP_ACK, TCP_FIN | TCP_ACK},
						{"ACK", "", TCP_ACK, 0}}},
		{"open-close, ACK alone", 9, false, false, OPEN_CLOSE},
		{"open-close, mixed", 9, false, true, OPEN_CLOSE},
		{"request", 80, false, false, REQUEST},
		{"request, timestamps", 80, true, false, REQUEST},
		{"request, mixed", 80, false, true, REQUEST},
};

/* Where a client is. */
struct flow {
	rte_be32_t address;
	rte_be16_t port;
	uint32_t seq;
	uint32_t ack;
	uint32_t tsecr;
	unsigned int said; /* How much of what it has to say; when mixed. */
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

static bool
answer_is_for(const struct rte_mbuf *packet, const struct flow *flow)
{
	return memcmp(rte_pktmbuf_mtod_offset(packet, const uint8_t *, 14 + 20 + 2), &flow->port,
			       sizeof(flow->port)) == 0;
}

/* The answer to a flow; those to others go to the end. */
static struct rte_mbuf *
answer_take(const struct flow *flow)
{
	struct rte_mbuf *packet;

	for (unsigned int left = rte_ring_count(rig.from_engine); left > 0; left--) {
		RTE_VERIFY(rte_ring_dequeue(rig.from_engine, (void **)&packet) == 0);
		if (answer_is_for(packet, flow))
			return packet;
		RTE_VERIFY(rte_ring_enqueue(rig.from_engine, packet) == 0);
	}
	RTE_VERIFY(!"an answer");
	return NULL;
}

static void
flow_take(struct flow *flow, const struct exchange *exchange, const struct say *say)
{
	struct rte_mbuf *packet = answer_take(flow);
	const uint8_t *tcp = rte_pktmbuf_mtod_offset(packet, const uint8_t *, 14 + 20);
	uint32_t word;

	RTE_VERIFY(tcp[13] == say->answer);
	memcpy(&word, tcp + 4, sizeof(word));
	flow->ack = rte_be_to_cpu_32(word) + packet->data_len - (14 + 20 + (tcp[12] >> 4) * 4u) +
		    ((say->answer & (TCP_SYN | TCP_FIN)) != 0);
	if (exchange->timestamps) {
		memcpy(&word, tcp + 20 + ((say->answer & TCP_SYN) != 0 ? 12 : 4), sizeof(word));
		flow->tsecr = rte_be_to_cpu_32(word);
	}
	rte_pktmbuf_free(packet);
}

/* @return the cycles of the engine's turn. */
static uint64_t
turn_run(void)
{
	uint64_t cycles;

	rig.engine.clock.base_us += 8;
	cycles = rte_rdtsc_precise();
	worker_turn(rig.engine.worker[0]);
	return rte_rdtsc_precise() - cycles;
}

/* One burst. @return the cycles of the turn. */
static uint64_t
burst_run(const struct exchange *exchange, const struct say *say, struct flow *flow)
{
	uint64_t cycles;

	for (unsigned int i = 0; i < BURST; i++)
		flow_put(&flow[i], exchange, say);
	cycles = turn_run();
	for (unsigned int i = 0; i < BURST && say->answer != 0; i++)
		flow_take(&flow[i], exchange, say);
	RTE_VERIFY(rte_ring_empty(rig.from_engine));
	return cycles;
}

/* What a flow says until it waits for an answer. @return how much it was. */
static unsigned int
flow_say(struct flow *flow, const struct exchange *exchange, unsigned int most)
{
	const struct say *say;
	unsigned int n = 0;

	do {
		if (flow->said == 0)
			flow_begin(flow);
		say = &exchange->say[flow->said++];
		flow_put(flow, exchange, say);
		if (flow->said == SEGMENTS || exchange->say[flow->said].name == NULL)
			flow->said = 0;
		n++;
	} while (n < most && say->answer == 0 && flow->said != 0);
	return n;
}

/* The answer to what a flow said last. */
static void
flow_hear(struct flow *flow, const struct exchange *exchange)
{
	const struct say *say = &exchange->say[SEGMENTS - 1];

	while (say->name == NULL)
		say--;
	if (flow->said != 0)
		say = &exchange->say[flow->said - 1];
	if (say->answer != 0)
		flow_take(flow, exchange, say);
}

/* One burst, of flows that are anywhere in their lives. @return the cycles of the turn. */
static uint64_t
burst_run_mixed(const struct exchange *exchange, unsigned int *next, uint64_t *random)
{
	struct flow *said[BURST];
	unsigned int n = 0, flow_count = 0;
	uint64_t cycles;

	while (n < BURST) {
		*random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
		*next = (*next + 1) % FLOWS;
		if (*random >> 63 != 0)
			continue;
		said[flow_count++] = &flows[*next];
		n += flow_say(&flows[*next], exchange, BURST - n);
	}
	cycles = turn_run();
	for (unsigned int i = 0; i < flow_count; i++)
		flow_hear(said[i], exchange);
	RTE_VERIFY(rte_ring_empty(rig.from_engine));
	return cycles;
}

/* @return cycles per connection. */
static double
exchange_run_mixed(const struct exchange *exchange, unsigned int rounds)
{
	uint64_t sum = 0, random = rounds;
	unsigned int next = 0;
	uint32_t begun;

	for (unsigned int i = 0; i < FLOWS; i++)
		flows[i].said = 0;
	for (unsigned int warm = 0; warm < 4 * FLOWS / BURST; warm++)
		burst_run_mixed(exchange, &next, &random);
	begun = tuples;
	for (unsigned int round = 0; round < rounds * FLOWS / BURST; round++)
		sum += burst_run_mixed(exchange, &next, &random);
	begun = tuples - begun;
	for (unsigned int i = 0; i < FLOWS; i++) {
		while (flows[i].said != 0) {
			flow_say(&flows[i], exchange, 1);
			turn_run();
			flow_hear(&flows[i], exchange);
		}
	}
	return (double)sum / begun;
}

/* @param cycles  Becomes cycles per connection, by segment; last their sum. */
static void
exchange_run(const struct exchange *exchange, double cycles[SEGMENTS + 1], unsigned int rounds)
{
	uint64_t sum[SEGMENTS] = {0};

	path.remote_port = rte_cpu_to_be_16(exchange->port);
	if (exchange->mixed) {
		cycles[SEGMENTS] = exchange_run_mixed(exchange, rounds);
		RTE_VERIFY(rig_connections(&rig) == 0);
		return;
	}
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
		printf("  %-28s %10.0f", exchanges[e].name,
				median(cycles[e], repetitions, SEGMENTS));
		for (unsigned int s = 0; !exchanges[e].mixed && s < SEGMENTS &&
					 exchanges[e].say[s].name != NULL;
				s++)
			printf("  %s%s %.0f", s == 0 ? "=  " : "", exchanges[e].say[s].name,
					median(cycles[e], repetitions, s));
		printf("\n");
	}
	rig_close(&rig);
	return bench_stop();
}

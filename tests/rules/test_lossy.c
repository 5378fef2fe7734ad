/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Two hosts on a bad network, in virtual time: whatever is lost, repeated, late or out of order,
 * all data arrives, both close, and in bounded time.  And when one day nothing arrives any more,
 * both give up.
 *
 * usage: test_lossy [COUNT [FIRST-SEED [trace]]]
 *
 * Each seed is one connection with everything chosen by chance: sizes, windows, options, numbers
 * near the wrap, who closes first, readers that pause, buffers that shrink.  A corrupt segment is a
 * lost one, for the checksum sees to that.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/random.h"
#include "lossy_host.h"

#define COUNT_DEFAULT  10000
#define FLYING_MAX     2048
#define SEGMENTS_MAX   200000 /* More are a storm. */
#define TIME_MAX_MS    (UINT64_C(24) * 3600 * 1000)
#define GIVE_UP_MAX_MS (UINT64_C(2) * 3600 * 1000)
#define SEGMENTS_OF    100 /* A stream's length, in the smaller of window and MSS. */
#define READER_EVENTS  4
#define NEVER          UINT64_MAX
#define CLIENT         0
#define SERVER         1

struct flying {
	uint64_t due_ms;
	uint64_t order;
	struct lossy_host *to;
	struct lossy_segment segment;
};

/* The reader of a host stops, goes on, or gets another buffer. */
struct reader_event {
	uint64_t at_ms;
	uint32_t buffer;
	uint8_t host;
	bool reads;
};

struct network {
	uint64_t seed;
	uint64_t random;
	uint64_t now_ms;
	uint64_t dead_ms; /* From then on nothing arrives. */
	uint64_t segments;
	uint32_t loss_percent;
	uint32_t duplicate_percent;
	uint32_t late_percent; /* By up to ten times the usual. */
	uint32_t delay_ms;
	uint32_t jitter_ms;
	bool trace;
	const char *failure;
	struct lossy_host host[2];
	struct reader_event reader[READER_EVENTS];
	unsigned int flying_count;
	struct flying flying[FLYING_MAX]; /* A heap, the earliest first. */
};

static bool
chance(struct network *network, uint32_t percent)
{
	return random_below(&network->random, 100) < percent;
}

static uint32_t
between(struct network *network, uint32_t least, uint32_t most)
{
	return least + random_below(&network->random, most - least + 1);
}

static bool
is_earlier(const struct flying *a, const struct flying *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void
heap_push(struct network *network, const struct flying *flying)
{
	struct flying *heap = network->flying;
	unsigned int i = network->flying_count++;

	while (i > 0 && is_earlier(flying, &heap[(i - 1) / 2])) {
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i] = *flying;
}

static struct flying
heap_pop(struct network *network)
{
	struct flying *heap = network->flying;
	const struct flying first = heap[0];
	const struct flying last = heap[--network->flying_count];
	const unsigned int count = network->flying_count;
	unsigned int i = 0, child;

	while ((child = 2 * i + 1) < count) {
		if (child + 1 < count && is_earlier(&heap[child + 1], &heap[child]))
			child++;
		if (!is_earlier(&heap[child], &last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return first;
}

static void
trace_segment(const struct network *network, const char *what, const struct lossy_host *from,
		const struct tcp_segment *tcp)
{
	const struct lossy_host *to = from->peer;

	if (!network->trace)
		return;
	printf("%10" PRIu64 " %-6s %-5s %s%s%s%s seq %u ack %u len %u win %u  "
	       "(state %u flight %u cwnd %u retries %u flags %04x)\n",
			network->now_ms, from->name, what, (tcp->flags & TCP_SYN) != 0 ? "S" : "",
			(tcp->flags & TCP_FIN) != 0 ? "F" : "",
			(tcp->flags & TCP_RST) != 0 ? "R" : "",
			(tcp->flags & TCP_ACK) != 0 ? "." : "", tcp->seq - from->plan.isn,
			(tcp->flags & TCP_ACK) != 0 ? tcp->ack - to->plan.isn : 0,
			tcp->payload_length, tcp->window, from->conn.state,
			from->conn.snd_nxt - from->conn.snd_una, from->conn.cwnd,
			from->conn.retries, from->conn.flags);
}

static void
emit(struct lossy_host *host, const struct lossy_segment *segment)
{
	struct network *network = host->network;
	struct flying flying = {.to = host->peer, .segment = *segment};
	unsigned int copies = 1;

	network->segments++;
	if (network->now_ms >= network->dead_ms || chance(network, network->loss_percent))
		copies = 0;
	else if (chance(network, network->duplicate_percent))
		copies = 2;
	trace_segment(network, copies == 0 ? "loses" : "sends", host, &segment->tcp);
	for (; copies > 0 && network->flying_count < FLYING_MAX; copies--) {
		uint32_t delay = network->delay_ms + between(network, 0, network->jitter_ms);

		if (chance(network, network->late_percent))
			delay += between(network, 0, 10 * network->delay_ms);
		flying.due_ms = network->now_ms + delay;
		flying.order = network->segments;
		heap_push(network, &flying);
	}
}

/* The earliest moment at which something happens. */
static uint64_t
next_moment(const struct network *network)
{
	uint64_t next = network->flying_count > 0 ? network->flying[0].due_ms : NEVER;

	for (unsigned int i = 0; i < 2; i++) {
		if (network->host[i].deadline_ms < next)
			next = network->host[i].deadline_ms;
		if (network->host[i].next_piece_ms < next)
			next = network->host[i].next_piece_ms;
	}
	for (unsigned int i = 0; i < READER_EVENTS; i++)
		if (network->reader[i].at_ms < next)
			next = network->reader[i].at_ms;
	return next;
}

/* One thing that is due. */
static void
one_event(struct network *network)
{
	const uint64_t now_ms = network->now_ms;

	if (network->flying_count > 0 && network->flying[0].due_ms <= now_ms) {
		const struct flying flying = heap_pop(network);

		if (now_ms < network->dead_ms)
			lossy_host_receive(flying.to, &flying.segment, now_ms);
		return;
	}
	for (unsigned int i = 0; i < READER_EVENTS; i++) {
		struct reader_event *event = &network->reader[i];

		if (event->at_ms > now_ms)
			continue;
		event->at_ms = NEVER;
		if (network->trace)
			printf("%10" PRIu64 " %-6s %s, buffer %u\n", now_ms,
					network->host[event->host].name,
					event->reads ? "reads" : "stops reading", event->buffer);
		lossy_host_read(&network->host[event->host], event->reads, event->buffer, now_ms);
		return;
	}
	for (unsigned int i = 0; i < 2; i++) {
		struct lossy_host *host = &network->host[i];

		if (host->next_piece_ms <= now_ms) {
			lossy_host_piece(host, now_ms);
			return;
		}
		if (host->deadline_ms <= now_ms) {
			host->deadline_ms = NEVER;
			lossy_host_timeout(host, now_ms);
			return;
		}
	}
}

static void
run(struct network *network, uint64_t limit_ms)
{
	lossy_host_open(&network->host[CLIENT], 0);
	for (;;) {
		const uint64_t next = next_moment(network);

		for (unsigned int i = 0; i < 2; i++)
			if (network->host[i].failure != NULL)
				network->failure = network->host[i].failure;
		if (network->segments > SEGMENTS_MAX)
			network->failure = "no storm of segments";
		if (next == NEVER || network->failure != NULL)
			return;
		if (next > limit_ms) {
			network->failure = "it ends in bounded time";
			return;
		}
		network->now_ms = next;
		one_event(network);
	}
}

static uint32_t
isn_near_wrap(struct network *network)
{
	const uint32_t around[] = {0, 0x80000000, (uint32_t)random_next(&network->random)};

	return around[between(network, 0, 2)] - between(network, 0, 20000);
}

/*
 * Retries: as settings allow them where they may run out, or where nothing is lost and only an
 * unanswered peer would use them up; without an end where chance alone decides.
 */
static void
plan_retries(struct network *network, struct tcp_config *config, bool patient)
{
	const bool calm = network->loss_percent == 0;
	const uint32_t least = calm ? 10 : 1;

	if (patient && !calm) {
		config->synack_retries = UINT8_MAX;
		config->syn_retries = UINT8_MAX;
		config->retries2 = UINT8_MAX;
		config->orphan_retries = UINT8_MAX;
		return;
	}
	config->synack_retries = (uint8_t)between(network, least - 1, 15);
	config->syn_retries = (uint8_t)between(network, least - 1, 15);
	config->retries2 = (uint8_t)between(network, least, 15);
	config->orphan_retries = (uint8_t)between(network, least, 15);
}

static void
plan_config(struct network *network, struct tcp_config *config, bool patient)
{
	const uint32_t half_a_day_ms = 12 * 3600 * 1000;

	*config = (struct tcp_config){
			.fin_timeout_ms = patient ? half_a_day_ms : between(network, 1, 120) * 1000,
			.idle_timeout_ms =
					patient ? half_a_day_ms : between(network, 1, 3600) * 1000,
			.time_wait_ms = between(network, 10, 120) * 1000,
			.rto_min_ms = between(network, 10, 1000),
			.rto_max_ms = between(network, 60, 120) * 1000,
			.initial_cwnd = (uint8_t)between(network, 1, 64),
			.rcv_wnd_scale = (uint8_t)between(network, 0, 14),
			.timestamps = chance(network, 50),
			.sack = chance(network, 50),
			.window_scaling = chance(network, 50),
			.rfc1337 = chance(network, 50),
	};
	plan_retries(network, config, patient);
}

/* A window: bytes, less than a segment, some segments, or more than anyone needs. */
static uint32_t
plan_buffer(struct network *network, uint16_t mss)
{
	switch (between(network, 0, 7)) {
	case 0:
		return between(network, 1, 20);
	case 1:
		return between(network, 1, mss);
	case 2:
	case 3:
		return between(network, mss, 10u * mss);
	case 4:
		return UINT16_MAX;
	default:
		return between(network, UINT16_MAX, 1 << 20);
	}
}

static void
plan_host(struct network *network, struct lossy_plan *plan, bool patient)
{
	static const uint16_t mss[] = {1, 48, 64, 100, 536, 1220, 1460, 8960};

	*plan = (struct lossy_plan){
			.isn = isn_near_wrap(network),
			.ts_offset = isn_near_wrap(network),
			.path_mss = mss[between(network, 0, 7)],
			.pause = between(network, 0, 1) * between(network, 0, 3000),
	};
	plan_config(network, &plan->config, patient);
	plan->buffer = plan_buffer(network, plan->path_mss);
	/* A window that rounds to nothing on the wire never opens. */
	if (plan->config.window_scaling && plan->buffer >> plan->config.rcv_wnd_scale == 0)
		plan->config.rcv_wnd_scale = 0;
}

/* How much to send, so that the number of segments stays in reason. */
static void
plan_stream(struct network *network, struct lossy_plan *from, const struct lossy_plan *to)
{
	uint32_t unit = from->path_mss < to->path_mss ? from->path_mss : to->path_mss;
	const uint32_t most = between(network, 0, 9) == 0 ? 3 * SEGMENTS_OF : SEGMENTS_OF;

	if (to->buffer < unit)
		unit = to->buffer;
	from->send = chance(network, 5) ? 0 : between(network, 1, unit * most);
	if (chance(network, 20))
		from->send = between(network, 1, unit);
	from->piece = chance(network, 50) ? from->send + 1
					  : between(network, from->send / 10 + 1, from->send + 1);
}

/* A buffer smaller than before: nothing, or at least what is seen on the wire. */
static uint32_t
smaller_buffer(struct network *network, const struct lossy_plan *plan, bool may_close)
{
	const uint32_t least = 1u << plan->config.rcv_wnd_scale;

	if (may_close && chance(network, 30))
		return 0;
	return plan->buffer > least ? between(network, least, plan->buffer) : plan->buffer;
}

/* A reader that sleeps, with another buffer perhaps; when it wakes up, it may keep that. */
static void
plan_reader(struct network *network)
{
	for (unsigned int i = 0; i < READER_EVENTS; i++)
		network->reader[i].at_ms = NEVER;
	for (unsigned int i = 0; i < READER_EVENTS && chance(network, 40); i += 2) {
		const uint8_t host = (uint8_t)between(network, 0, 1);
		const struct lossy_plan *plan = &network->host[host].plan;
		const uint64_t begin_ms = between(network, 0, 40 * network->delay_ms);
		const uint32_t length_ms =
				between(network, 0, chance(network, 10) ? 3600000 : 20000);
		struct reader_event *event = &network->reader[i];

		event[0] = (struct reader_event){begin_ms, plan->buffer, host, false};
		event[1] = (struct reader_event){begin_ms + length_ms, plan->buffer, host, true};
		if (chance(network, 30)) {
			event[0].buffer = smaller_buffer(network, plan, true);
			event[0].reads = chance(network, 50);
		}
		if (chance(network, 10)) {
			/* No less than makes a stream of a reasonable number of segments. */
			event[1].buffer = smaller_buffer(network, plan, false);
			if (event[1].buffer < network->host[1 - host].plan.send / 200)
				event[1].buffer = plan->buffer;
		}
	}
}

/* Somebody must close without waiting for the other. */
static void
plan_closing(struct network *network, struct lossy_plan *client, struct lossy_plan *server)
{
	client->expect = server->send;
	server->expect = client->send;
	client->close = (enum lossy_close)between(network, 0, 2);
	server->close = (enum lossy_close)between(network, 0, 2);
	if (client->close == LOSSY_CLOSE_AFTER_PEER_FIN &&
			server->close == LOSSY_CLOSE_AFTER_PEER_FIN)
		client->close = LOSSY_CLOSE_AFTER_BYTES;
	/* The server speaks first, or when it has heard something, or all. */
	server->wait = chance(network, 30) ? 0 : between(network, 0, client->send);
	if (chance(network, 50))
		server->wait = client->send;
}

static void
plan_network(struct network *network, uint64_t seed, bool dies)
{
	struct lossy_plan client, server;

	network->random = network->seed = seed;
	network->now_ms = 0;
	network->segments = 0;
	network->flying_count = 0;
	network->failure = NULL;
	network->loss_percent = chance(network, 20) ? 0 : between(network, 0, 30);
	network->duplicate_percent = chance(network, 50) ? 0 : between(network, 0, 20);
	network->late_percent = chance(network, 50) ? 0 : between(network, 0, 20);
	network->delay_ms =
			chance(network, 80) ? between(network, 0, 200) : between(network, 0, 2000);
	network->jitter_ms = chance(network, 50) ? 0 : between(network, 0, 2 * network->delay_ms);
	network->dead_ms = NEVER;

	plan_host(network, &client, !dies);
	plan_host(network, &server, !dies);
	plan_stream(network, &client, &server);
	plan_stream(network, &server, &client);
	plan_closing(network, &client, &server);
	lossy_host_init(&network->host[CLIENT], &client, true);
	lossy_host_init(&network->host[SERVER], &server, false);
	for (unsigned int i = 0; i < 2; i++) {
		network->host[i].emit = emit;
		network->host[i].network = network;
		network->host[i].peer = &network->host[1 - i];
	}
	plan_reader(network);
	if (dies)
		network->dead_ms = between(network, 0, 100 * network->delay_ms + 1);
}

/* How a connection may end when the network only is bad. */
static const char *
judge_end(const struct lossy_host *host)
{
	if (host->ended == 0)
		return "it ends";
	if (!lossy_host_is_done(host))
		return "everything arrives before the end";
	if (host->ended == TCP_OUTCOME_CLOSED)
		return NULL;
	/* The peer was gone already: its last ACK was lost until TIME_WAIT was over. */
	if (host->ended == TCP_OUTCOME_RESET &&
			(host->last_state == TCP_LAST_ACK || host->last_state == TCP_CLOSING ||
					host->last_state == TCP_TIME_WAIT))
		return NULL;
	return "an orderly end";
}

static void
judge(struct network *network, bool dies)
{
	for (unsigned int i = 0; i < 2 && network->failure == NULL; i++) {
		const struct lossy_host *host = &network->host[i];

		if (!dies)
			network->failure = judge_end(host);
		else if (host->ended == 0 && host->conn.state != TCP_LISTEN)
			network->failure = "it ends";
	}
}

static void
report(const struct network *network)
{
	printf("seed %" PRIu64 ": not so: %s (after %" PRIu64 " ms, %" PRIu64 " segments)\n",
			network->seed, network->failure, network->now_ms, network->segments);
	for (unsigned int i = 0; i < 2; i++) {
		const struct lossy_host *host = &network->host[i];

		printf("  %s: %sstate %u, before %u, ended %02x, received %u of %u, ready %u of "
		       "%u, "
		       "window %u, mss %u, flags %04x, retries %u\n",
				host->name, host->failure != NULL ? "HERE: " : "", host->conn.state,
				host->last_state, host->ended, host->received, host->plan.expect,
				host->ready, host->plan.send, host->buffer - host->unread,
				host->conn.mss, host->conn.flags, host->conn.retries);
	}
	printf("  again: test_lossy 1 %" PRIu64 " trace\n", network->seed);
}

int
main(int argc, char **argv)
{
	const uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : COUNT_DEFAULT;
	const uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	static struct network network;
	uint64_t failures = 0, segments = 0, longest_ms = 0, resets = 0;

	network.trace = argc > 3;
	for (uint64_t seed = first; seed < first + count && failures < 10; seed++) {
		const bool dies = seed % 5 == 0;

		plan_network(&network, seed, dies);
		run(&network, dies ? network.dead_ms + GIVE_UP_MAX_MS : TIME_MAX_MS);
		judge(&network, dies);
		segments += network.segments;
		if (network.now_ms > longest_ms)
			longest_ms = network.now_ms;
		if (!dies)
			resets += network.host[0].ended == TCP_OUTCOME_RESET ||
				  network.host[1].ended == TCP_OUTCOME_RESET;
		if (network.failure != NULL) {
			report(&network);
			failures++;
		}
	}
	printf("%" PRIu64 " connections from seed %" PRIu64 ", %" PRIu64 " segments, %" PRIu64
	       " were reset when both had closed, the longest took %" PRIu64 " s\n",
			count, first, segments, resets, longest_ms / 1000);
	return failures > 0;
}

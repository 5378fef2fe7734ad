/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The short way of expected segments, against the long one: the same clients, who say the same at
 * the same times, meet an engine that uses it and one that does not.  What both answer, count, and
 * know of every connection after each turn must be the same.
 *
 * Clients do mostly what is expected, alone or several in a burst, and now and then anything else.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../unit/random.h"
#include "client.h"
#include "engine/burst_desk.h"

#define SEED    20261120
#define ROUNDS  6
#define STEPS   3000
#define CLIENTS 20
#define LOG_MAX (STEPS * 8)

static const char settings[] =
		"engine: {connections: 1024, echo_buffers: 6}\n"
		"tcp: {time_wait: 1s, keepalive_time: 3s, rto_min: 200ms}\n" RIG_LAN "services:\n"
		"  - {name: sink, listen: [\"10.9.0.2:9\", \"[fd00:9::2]:9\"], reply: discard}\n"
		"  - {name: web, listen: \"10.9.0.2:80\", body_size: 100, close: after_reply}\n"
		"  - {name: kept, listen: \"[fd00:9::2]:80\", body_size: 2000,\n"
		"     max_syn_backlog: 3, cookies: never}\n"
		"  - {name: echo, listen: \"10.9.0.2:7\", reply: echo}\n"
		"  - {name: brief, listen: \"10.9.0.2:81\", reply: banner, banner: \"hi\",\n"
		"     close: at_once, max_connections: 4}\n";

static const struct {
	unsigned int family;
	uint16_t port;
} services[] = {{4, 9}, {6, 9}, {4, 80}, {6, 80}, {4, 7}, {4, 81}};

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

/* A client, who knows what it was told last. */
struct speaker {
	struct build_path path;
	struct build_tcp next;
};

/* All that a turn left behind, as a number. */
static uint64_t
digest(uint64_t sum, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static uint64_t
digest_conn(const struct worker *worker, const struct conn *conn)
{
	struct conn_tail tail = *conn_table_tail(worker->table, conn);
	struct tcp_conn tcp = conn->tcp;
	uint64_t sum = digest(2, &conn->key, sizeof(conn->key));

	tcp.timer_tick = 0; /* The wheel's own. */
	if (tcp.state == TCP_SYN_RCVD && tcp_conn_syn_text(&tcp) == 0)
		tail.half_open = (struct conn_links){0}; /* Slots. */
	sum = digest(sum, &tcp, sizeof(tcp));
	sum = digest(sum, &conn->timer_deadline_ms, sizeof(conn->timer_deadline_ms));
	return digest(sum, &tail, sizeof(tail));
}

/*
 * Timeouts of one tick come in any order, so connections have any slots, and what is said in one
 * turn to different clients is in any order: these are added up.
 */
static uint64_t
digest_worker(const struct worker *worker)
{
	uint64_t sum = digest(1, worker->counters, sizeof(*worker->counters));

	sum = digest(sum, worker->rules, tcp_rules_count() * sizeof(*worker->rules));
	for (unsigned int number = 0; number < 8; number++) {
		struct service_share share = worker->share[number];

		share.limit_serial = 0; /* Counts engines, too. */
		share.half_open_oldest = 0;
		share.half_open_newest = 0;
		sum = digest(sum, &share, sizeof(share));
	}
	sum = digest(sum, &worker->handshake_us, sizeof(worker->handshake_us));
	for (uint32_t slot = 0; slot < conn_table_capacity(worker->table); slot++) {
		const struct conn *conn = conn_table_at(worker->table, slot);

		if (conn != NULL)
			sum += digest_conn(worker, conn);
	}
	for (uint32_t slot = 0; slot < time_wait_capacity(worker->time_wait) && slot < 4096;
			slot++) {
		struct flow_key key;
		struct tcp_conn tcp;

		if (time_wait_at(worker->time_wait, slot, &key, &tcp))
			sum += digest(digest(3, &key, sizeof(key)), &tcp, sizeof(tcp));
	}
	return sum;
}

/* Nothing that differs from start to start. */
static void
settle_secrets(struct rig *rig)
{
	struct worker *worker = rig->engine.worker[0];

	memset(&rig->engine.isn_key, 1, sizeof(rig->engine.isn_key));
	memset(&worker->table->key, 2, sizeof(worker->table->key));
	worker->challenge_random = 3;
	rig->engine.cookies.ts_base_ms = 4;
}

/* Desks that nobody serves at: everything goes the long way. */
static void
close_desks(struct worker *worker)
{
	for (uint16_t listener = 0; listener < BURST_DESKS; listener++) {
		worker->desk[listener].place = UINT32_C(1) << 31 | listener;
		worker->desk[listener].service = NULL;
	}
}

static void
speaker_begin(struct speaker *speaker, const struct rig *rig, uint64_t *random)
{
	const unsigned int service = random_below(random, RTE_DIM(services));
	struct tcp_options options = client_linux_syn;

	rig_path(rig, &speaker->path, services[service].family,
			(uint16_t)(40000 + random_below(random, 3 * CLIENTS)),
			services[service].port);
	if (random_below(random, 2) == 0)
		options.options = TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE;
	if (random_below(random, 8) == 0)
		options.options = 0;
	speaker->next = (struct build_tcp){.seq = (uint32_t)random_next(random),
			.window = 64240,
			.options = options,
			.flags = TCP_SYN};
}

/* What is not expected: one thing is wrong. */
static void
speaker_err(struct build_tcp *tcp, uint64_t *random)
{
	switch (random_below(random, 8)) {
	case 0:
		tcp->seq += random_below(random, 3) - 1;
		break;
	case 1:
		tcp->ack += random_below(random, 5) - 2;
		break;
	case 2:
		tcp->window = random_below(random, 2) == 0 ? 0 : 100;
		break;
	case 3:
		tcp->flags = TCP_RST;
		break;
	case 4:
		tcp->flags = (uint8_t)random_next(random) & 0x3f;
		break;
	case 5:
		tcp->options.options ^= TCP_OPTION_TIMESTAMPS;
		break;
	case 6:
		tcp->options.tsval -= 10;
		break;
	case 7:
		tcp->flags |= TCP_SYN;
		break;
	}
}

/* One segment; what it says is taken for said, or for lost, or is said again. */
static void
speaker_say(struct speaker *speaker, struct rig *rig, uint64_t *random)
{
	static const char *const texts[] = {"", "", "", GET, GET, GET GET, "GET /", "x", "hello"};
	static const uint8_t flags[] = {TCP_ACK, TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH,
			TCP_FIN | TCP_ACK, TCP_FIN | TCP_ACK};
	const char *text = texts[random_below(random, RTE_DIM(texts))];
	struct build_tcp tcp = speaker->next;
	unsigned int length;

	if ((tcp.flags & TCP_SYN) == 0)
		tcp.flags = flags[random_below(random, RTE_DIM(flags))];
	else
		text = "";
	length = (unsigned int)strlen(text);
	if (random_below(random, 10) == 0)
		speaker_err(&tcp, random);
	rig_put_tcp(rig, &speaker->path, &tcp, text, length);
	if (random_below(random, 12) != 0 && (tcp.flags & TCP_SYN) == 0)
		speaker->next.seq = tcp.seq + length + (tcp.flags & TCP_FIN);
}

static bool
speaker_is_meant(const struct speaker *speaker, const struct rig_frame *heard)
{
	const uint8_t *ports = heard->bytes + heard->frame.l4_offset;

	return speaker->path.family == heard->frame.family &&
	       memcmp(ports, &speaker->path.remote_port, 2) == 0 &&
	       memcmp(ports + 2, &speaker->path.local_port, 2) == 0;
}

/* An answer came: what comes next acknowledges it. */
static void
speaker_hear(struct speaker *speaker, const struct rig_frame *heard)
{
	const struct tcp_segment *segment = &heard->segment;

	if ((segment->flags & TCP_SYN) != 0 && (speaker->next.flags & TCP_SYN) != 0) {
		speaker->next.flags = TCP_ACK;
		speaker->next.seq++;
		speaker->next.options.options &= segment->options & TCP_OPTION_TIMESTAMPS;
	}
	speaker->next.ack = segment->seq + tcp_segment_length(segment);
	speaker->next.options.tsecr = segment->tsval;
}

/* Let one turn happen. @return what came of it. */
static uint64_t
turn(struct rig *rig, struct speaker speakers[])
{
	struct rig_frame heard;
	uint64_t sum = 0;

	rig_turn(rig);
	while (rig_take(rig, &heard)) {
		sum += digest(4, heard.bytes, heard.length);
		for (unsigned int c = 0; c < CLIENTS; c++) {
			if (speaker_is_meant(&speakers[c], &heard))
				speaker_hear(&speakers[c], &heard);
		}
	}
	return sum ^ digest_worker(rig->engine.worker[0]);
}

/* @param log  Becomes what each turn left. @return how many turns. */
static unsigned int
run(uint64_t seed, bool shortly, uint64_t log[], uint64_t *closed)
{
	struct speaker speakers[CLIENTS];
	unsigned int n = 0;
	struct rig rig;

	rig_init(&rig, settings, 1);
	settle_secrets(&rig);
	if (!shortly)
		close_desks(rig.engine.worker[0]);
	for (unsigned int c = 0; c < CLIENTS; c++)
		speaker_begin(&speakers[c], &rig, &seed);
	for (unsigned int step = 0; step < STEPS; step++) {
		const unsigned int most = random_below(&seed, 4) == 0 ? 40 : 6;
		const unsigned int segments = random_below(&seed, most);

		for (unsigned int s = 0; s < segments; s++)
			speaker_say(&speakers[random_below(&seed, CLIENTS)], &rig, &seed);
		log[n++] = turn(&rig, speakers);
		rig.engine.clock.base_us += random_below(&seed, 5000);
		if (random_below(&seed, 60) == 0)
			rig.engine.clock.base_us += random_below(&seed, 3000000);
		if (random_below(&seed, 3) == 0)
			speaker_begin(&speakers[random_below(&seed, CLIENTS)], &rig, &seed);
	}
	*closed = rig_counter(&rig, COUNTER_closed);
	rig_free(&rig);
	return n;
}

static void
short_way_cannot_be_told_from_the_long_one(void **state)
{
	static uint64_t shortly[LOG_MAX], wholly[LOG_MAX];

	(void)state;
	for (uint64_t round = 0; round < ROUNDS; round++) {
		uint64_t closed, closed_wholly;
		const unsigned int n = run(SEED + round, true, shortly, &closed);

		assert_int_equal(run(SEED + round, false, wholly, &closed_wholly), n);
		for (unsigned int i = 0; i < n; i++) {
			if (shortly[i] != wholly[i])
				fail_msg("seed %llu: step %u differs",
						(unsigned long long)(SEED + round), i);
		}
		assert_int_equal(closed, closed_wholly);
		assert_true(closed > 50);
	}
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(short_way_cannot_be_told_from_the_long_one),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

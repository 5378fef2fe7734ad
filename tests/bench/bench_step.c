/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * One event through the TCP machine: what opening and closing cost, and what an attacker's
 * segments cost.
 *
 * Each connection is copied from its starting point first, 32 bytes that are part of the figure.
 * The whole life is five events on one connection, printed per event.
 */

#include <rte_common.h>
#include <rte_debug.h>

#include "../tcp_defaults.h"
#include "bench.h"
#include "tcp/tcp_step.h"

#define ROUNDS 20000

#define ISS    UINT32_C(0xfffffff0)
#define IRS    UINT32_C(0x7ffffff0)

static const struct tcp_config config = {
		TCP_DEFAULTS, .idle_timeout_ms = 300000, .rcv_wnd_scale = 7};

static const struct tcp_env env = {
		.config = &config,
		.now_ms = 1000,
		.ts_clock = 5000,
		.rcv_wnd = 65535,
		.isn = ISS,
		.path_mss = 1460,
		.default_mss = 536,
};

static const struct tcp_conn listening = {.state = TCP_LISTEN};
static struct tcp_conn syn_received;
static struct tcp_conn established;

static struct tcp_segment
segment_of(uint8_t flags, uint32_t seq, uint16_t payload_length)
{
	struct tcp_segment segment = {
			.seq = seq,
			.ack = flags & TCP_ACK ? ISS + 1 : 0,
			.tsval = 100,
			.tsecr = flags & TCP_ACK ? 4990 : 0,
			.window = 64240,
			.payload_length = payload_length,
			.payload_offset = 32,
			.flags = flags,
			.options = TCP_OPTION_TIMESTAMPS,
	};

	if (flags & TCP_SYN) {
		segment.options |= TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE |
				   TCP_OPTION_SACK_PERMITTED;
		segment.mss = 1460;
		segment.window_scale = 7;
		segment.payload_offset = 40;
	}
	return segment;
}

/* One event, always from the same connection. */
struct scene {
	const struct tcp_conn *from;
	struct tcp_segment segment;
	enum tcp_event event;
	enum tcp_send send; /* The answer, so that the figure is of what the name says. */
};

static uint64_t
run_scene(void *context)
{
	const struct scene *scene = context;
	const struct tcp_segment *segment =
			scene->event == TCP_EVENT_TIMEOUT ? NULL : &scene->segment;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct tcp_conn conn = *scene->from;
		struct tcp_action action = tcp_step(&conn, scene->event, segment, &env);

		RTE_VERIFY(action.send == scene->send);
		bench_keep(action.outcome);
		bench_keep(conn.state);
	}
	return ROUNDS;
}

static struct scene
scene_of(const struct tcp_conn *from, uint8_t flags, uint32_t seq, enum tcp_send send)
{
	return (struct scene){from, segment_of(flags, seq, flags & TCP_PSH ? 1448 : 0),
			tcp_step_event(flags), send};
}

/* The client opens and closes: SYN, ACK, FIN, our close, the ACK of our FIN. */
static uint64_t
run_life(void *context)
{
	struct tcp_segment syn = segment_of(TCP_SYN, IRS, 0);
	struct tcp_segment ack = segment_of(TCP_ACK, IRS + 1, 0);
	struct tcp_segment fin = segment_of(TCP_FIN | TCP_ACK, IRS + 1, 0);
	struct tcp_segment last = segment_of(TCP_ACK, IRS + 2, 0);

	(void)context;
	last.ack = ISS + 2;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct tcp_conn conn = listening;

		tcp_step(&conn, tcp_step_event(syn.flags), &syn, &env);
		tcp_step(&conn, tcp_step_event(ack.flags), &ack, &env);
		tcp_step(&conn, tcp_step_event(fin.flags), &fin, &env);
		tcp_step(&conn, TCP_EVENT_CLOSE, NULL, &env);
		tcp_step(&conn, tcp_step_event(last.flags), &last, &env);
		RTE_VERIFY(conn.state == TCP_CLOSED);
	}
	return ROUNDS * 5;
}

static void
prepare_conns(void)
{
	struct tcp_segment syn = segment_of(TCP_SYN, IRS, 0);
	struct tcp_segment ack = segment_of(TCP_ACK, IRS + 1, 0);

	syn_received = listening;
	tcp_step(&syn_received, TCP_EVENT_SYN, &syn, &env);
	RTE_VERIFY(syn_received.state == TCP_SYN_RCVD);
	established = syn_received;
	tcp_step(&established, TCP_EVENT_ACK, &ack, &env);
	RTE_VERIFY(established.state == TCP_ESTABLISHED);
}

int
main(int argc, char *argv[])
{
	struct bench bench = bench_start(argc, argv, 256);
	struct scene syn = scene_of(&listening, TCP_SYN, IRS, TCP_SEND_SYN_ACK);
	struct scene opens = scene_of(&syn_received, TCP_ACK, IRS + 1, TCP_SEND_NOTHING);
	struct scene again = {.from = &syn_received,
			.event = TCP_EVENT_TIMEOUT,
			.send = TCP_SEND_SYN_ACK};
	struct scene nothing = scene_of(&established, TCP_ACK, IRS + 1, TCP_SEND_NOTHING);
	struct scene data = scene_of(&established, TCP_ACK | TCP_PSH, IRS + 1, TCP_SEND_ACK);
	struct scene fin = scene_of(&established, TCP_FIN | TCP_ACK, IRS + 1, TCP_SEND_ACK);
	struct scene outside = scene_of(&established, TCP_RST, IRS + 1000000, TCP_SEND_NOTHING);
	struct scene blind = scene_of(&established, TCP_RST, IRS + 1000, TCP_SEND_CHALLENGE_ACK);
	const struct bench_case cases[] = {
			{"a whole life, per event", NULL, run_life, NULL},
			{"SYN in LISTEN", &syn, run_scene, NULL},
			{"ACK in SYN-RECEIVED", &opens, run_scene, NULL},
			{"timeout in SYN-RECEIVED", &again, run_scene, NULL},
			{"ACK in ESTABLISHED, nothing new", &nothing, run_scene, NULL},
			{"data in ESTABLISHED", &data, run_scene, NULL},
			{"FIN in ESTABLISHED", &fin, run_scene, NULL},
			{"RST outside the window", &outside, run_scene, NULL},
			{"RST inside the window", &blind, run_scene, NULL},
	};

	prepare_conns();
	bench_run(&bench, "tcp_step, one event", cases, RTE_DIM(cases));
	return bench_stop();
}

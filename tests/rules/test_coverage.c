/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Every state meets every event at every interesting place: all rows fire, and what must always
 * hold does.
 *
 * Whether a row is right is the oracle's question (test_oracle.c).  Here is asked whether the table
 * has a row that nothing can reach, and whether any row, reached in any way, breaks a promise that
 * the engine relies on.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <rte_common.h>

#include "tcp/tcp_rules.h"
#include "tcp/tcp_seq.h"

#define ISS       UINT32_C(0xffffff00) /* Both directions wrap within the cases. */
#define IRS       UINT32_C(0xffffffd0)
#define SND_WND   5000
#define TS_RECENT UINT32_C(0xffffffff)
#define LIMIT     3 /* Every setting that counts retries. */

#define ENDED     (TCP_OUTCOME_CLOSED | TCP_OUTCOME_RESET | TCP_OUTCOME_TIMED_OUT)
static uint64_t *fired;
static uint64_t cases;

/* One event, before and after. */
struct happening {
	struct tcp_conn before, after;
	struct tcp_action action;
	const struct tcp_segment *segment;
	const struct tcp_env *env;
	enum tcp_event event;
};

#define KEEPALIVE_TIME_MS  100000
#define KEEPALIVE_INTVL_MS 90000 /* The third probe would come behind idle_timeout. */

static const struct tcp_config settings[2] = {
		{.fin_timeout_ms = 60000,
				.idle_timeout_ms = 300000,
				.time_wait_ms = 120000,
				.rto_min_ms = 200,
				.rto_max_ms = 60000,
				.synack_retries = LIMIT,
				.syn_retries = LIMIT,
				.retries2 = LIMIT,
				.orphan_retries = LIMIT,
				.initial_cwnd = 10,
				.timestamps = true,
				.sack = true,
				.window_scaling = true,
				.rfc1337 = false},
		{.fin_timeout_ms = 60000,
				.idle_timeout_ms = 300000,
				.time_wait_ms = 120000,
				.rto_min_ms = 200,
				.rto_max_ms = 60000,
				.synack_retries = LIMIT,
				.syn_retries = LIMIT,
				.retries2 = LIMIT,
				.orphan_retries = LIMIT,
				.keepalive_time_ms = KEEPALIVE_TIME_MS,
				.keepalive_intvl_ms = KEEPALIVE_INTVL_MS,
				.keepalive_probes = LIMIT,
				.initial_cwnd = 10,
				.ecn = true,
				.rfc1337 = true},
};

static void
require(const struct happening *happening, bool holds, const char *promise)
{
	const struct tcp_segment *segment = happening->segment;
	char rule[256];

	if (holds)
		return;
	print_error("broken: %s\nby %s, in %s to %s, sent %u, outcome %#x\n", promise,
			tcp_rules_describe(happening->action.rule, rule, sizeof(rule)),
			tcp_rules_state_name(happening->before.state),
			tcp_rules_state_name(happening->after.state), happening->action.send,
			happening->action.outcome);
	if (segment != NULL)
		print_error("segment: flags %#x seq %u ack %u length %u tsval %u; RCV.NXT %u "
			    "SND.UNA %u SND.NXT %u RCV.WND %u\n",
				segment->flags, segment->seq, segment->ack, segment->payload_length,
				segment->tsval, happening->before.rcv_nxt,
				happening->before.snd_una, happening->before.snd_nxt,
				happening->env->rcv_wnd);
	fail();
}

static void
require_numbers(const struct happening *h)
{
	const struct tcp_conn *before = &h->before, *after = &h->after;
	const struct tcp_action *action = &h->action;
	const bool begun = before->state < TCP_SYN_RCVD || after->state == TCP_SYN_RCVD;
	const bool peer_fin = (action->outcome & TCP_OUTCOME_PEER_FIN) != 0;
	const bool data = (action->outcome & TCP_OUTCOME_DATA) != 0;

	require(h, tcp_seq_leq(after->snd_una, after->snd_nxt), "SND.UNA <= SND.NXT");
	require(h,
			before->state < TCP_SYN_RCVD || after->mss <= before->mss ||
					after->state == TCP_SYN_RCVD,
			"the MSS never grows");
	require(h, after->timer_tick == before->timer_tick, "the timer wheel's note is untouched");
	if (after->state == TCP_FIN_WAIT_2 || after->state == TCP_TIME_WAIT)
		require(h, after->snd_una == after->snd_nxt, "our FIN was acknowledged");
	if (after->state == TCP_FIN_WAIT_1 || after->state == TCP_CLOSING ||
			after->state == TCP_LAST_ACK)
		require(h, after->snd_una != after->snd_nxt, "our FIN is in flight");
	require(h, data == (action->take > 0), "data is told exactly when there is some");
	if (data)
		require(h,
				action->skip + action->take <= h->segment->payload_length &&
						action->take <= h->env->rcv_wnd,
				"what is taken is in the payload and in the window");
	if (begun)
		return;
	require(h, tcp_seq_leq(before->snd_una, after->snd_una), "SND.UNA never goes back");
	require(h, after->rcv_nxt - before->rcv_nxt == (uint32_t)action->take + peer_fin,
			"RCV.NXT moves by what is told, and by nothing else");
	require(h, !peer_fin || before->state < TCP_CLOSE_WAIT, "the peer's FIN comes once");
	if ((action->outcome & TCP_OUTCOME_ACKED) != 0)
		require(h, before->snd_una != after->snd_una, "acked means that SND.UNA moved");
}

#define TO(state) (1u << TCP_##state)

/* RFC 9293 figure 5, with what 3.10 lets pass by more than one arrow at once. */
static const unsigned int arrows[TCP_STATES] = {
		[TCP_CLOSED] = TO(SYN_SENT),
		[TCP_LISTEN] = TO(SYN_RCVD) | TO(SYN_SENT) | TO(CLOSED),
		[TCP_SYN_SENT] = TO(SYN_RCVD) | TO(ESTABLISHED) | TO(CLOSED),
		[TCP_SYN_RCVD] = TO(ESTABLISHED) | TO(CLOSE_WAIT) | TO(CLOSED),
		[TCP_ESTABLISHED] = TO(FIN_WAIT_1) | TO(CLOSE_WAIT) | TO(CLOSED),
		[TCP_FIN_WAIT_1] = TO(FIN_WAIT_2) | TO(CLOSING) | TO(TIME_WAIT) | TO(CLOSED),
		[TCP_FIN_WAIT_2] = TO(TIME_WAIT) | TO(CLOSED),
		[TCP_CLOSE_WAIT] = TO(LAST_ACK) | TO(CLOSED),
		[TCP_CLOSING] = TO(TIME_WAIT) | TO(CLOSED),
		[TCP_LAST_ACK] = TO(CLOSED),
		[TCP_TIME_WAIT] = TO(SYN_RCVD) | TO(CLOSED),
};

static void
require_states(const struct happening *h)
{
	const uint8_t before = h->before.state, after = h->after.state;
	const bool ends = before != TCP_CLOSED && after == TCP_CLOSED;
	const bool opens = before < TCP_ESTABLISHED && after >= TCP_ESTABLISHED;

	require(h, before == after || (arrows[before] & 1u << after) != 0,
			"states change along the arrows of figure 5");
	require(h, ends == ((h->action.outcome & ENDED) != 0), "the end is told, and only the end");
	require(h, ends == (h->action.timer == TCP_TIMER_STOP), "the timer stops only at the end");
	require(h, opens == ((h->action.outcome & TCP_OUTCOME_OPENED) != 0), "opening is told");
	if (opens)
		require(h,
				(h->segment->flags & TCP_ACK) != 0 &&
						h->segment->ack - h->before.snd_una - 1 <
								h->before.snd_nxt -
										h->before.snd_una,
				"nobody opens without acknowledging our SYN");
}

/* How long a connection waits in which nothing is in flight. */
static uint32_t
idle_delay_ms(const struct tcp_conn *conn, const struct tcp_config *config)
{
	const uint32_t idle_ms = config->idle_timeout_ms;
	const uint32_t probed_ms = KEEPALIVE_TIME_MS + (conn->retries - 1u) * KEEPALIVE_INTVL_MS;

	if (config->keepalive_time_ms == 0)
		return idle_ms;
	if (conn->retries == 0)
		return KEEPALIVE_TIME_MS;
	return RTE_MIN(idle_ms - probed_ms, (uint32_t)KEEPALIVE_INTVL_MS);
}

/* How long @p state waits, when it was just entered. */
static uint32_t
first_delay_ms(const struct tcp_conn *conn, const struct tcp_config *config)
{
	switch (conn->state) {
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		return conn->snd_una == conn->snd_nxt && (conn->flags & TCP_CONN_PERSIST) == 0
				       ? idle_delay_ms(conn, config)
				       : tcp_step_rto_ms(conn, config);
	case TCP_FIN_WAIT_2:
		return config->fin_timeout_ms;
	case TCP_TIME_WAIT:
		return config->time_wait_ms;
	default:
		return tcp_step_rto_ms(conn, config);
	}
}

static void
require_timers(const struct happening *h)
{
	const struct tcp_conn *before = &h->before, *after = &h->after;
	const bool taken = h->action.drop == TCP_REFUSAL_NONE &&
			   h->action.send != TCP_SEND_CHALLENGE_ACK;
	const bool heard = taken && (h->event == TCP_EVENT_ACK || h->event == TCP_EVENT_FIN);
	const bool idle = (after->state == TCP_ESTABLISHED || after->state == TCP_CLOSE_WAIT) &&
			  after->snd_una == after->snd_nxt;

	if (after->state == TCP_CLOSED)
		return;
	if (h->action.timer == TCP_TIMER_SET)
		require(h, h->action.delay_ms == first_delay_ms(after, h->env->config),
				"the timer is the state's");
	else
		require(h,
				after->state == before->state ||
						(after->snd_una == before->snd_una &&
								before->snd_una != before->snd_nxt),
				"a new state sets the timer, unless what it waits for stays");
	if (heard && idle)
		require(h, h->action.timer == TCP_TIMER_SET, "who is heard of is not idle");
}

/* What an acceptable segment acknowledges is acknowledged, whatever else is in it. */
static void
require_acks(const struct happening *h)
{
	const struct tcp_conn *before = &h->before;
	const uint8_t drop = h->action.drop;
	const bool taken = (h->event == TCP_EVENT_ACK || h->event == TCP_EVENT_FIN) &&
			   before->state >= TCP_SYN_RCVD && h->after.state != TCP_CLOSED &&
			   h->action.send != TCP_SEND_CHALLENGE_ACK &&
			   (drop == TCP_REFUSAL_NONE || drop == TCP_REFUSAL_OUT_OF_ORDER);

	if (taken && h->segment->ack - before->snd_una <= before->snd_nxt - before->snd_una)
		require(h, h->after.snd_una == h->segment->ack, "what is acknowledged is so");
}

static void
require_replies(const struct happening *h)
{
	const uint8_t send = h->action.send, drop = h->action.drop;
	const bool takes_header =
			drop == TCP_REFUSAL_OUT_OF_ORDER || drop == TCP_REFUSAL_OUT_OF_WINDOW;

	if (h->event == TCP_EVENT_RST) {
		require(h, send == TCP_SEND_NOTHING || send == TCP_SEND_CHALLENGE_ACK,
				"a reset is never answered, but for the challenge");
		require(h,
				send == TCP_SEND_NOTHING ||
						(h->before.state >= TCP_SYN_RCVD &&
								h->segment->seq !=
										h->before.rcv_nxt &&
								h->segment->seq - h->before.rcv_nxt <
										h->env->rcv_wnd),
				"only a reset in the window is challenged");
	}
	if ((drop != TCP_REFUSAL_NONE && !takes_header) || send == TCP_SEND_CHALLENGE_ACK ||
			send == TCP_SEND_RST || send == TCP_SEND_RST_ACK)
		require(h,
				h->action.timer == TCP_TIMER_KEEP && h->action.outcome == 0 &&
						memcmp(&h->before, &h->after, sizeof(h->before)) ==
								0,
				"what is refused, challenged or reset changes nothing");
	if (send == TCP_SEND_RST || send == TCP_SEND_RST_ACK)
		require(h, h->before.state <= TCP_SYN_RCVD && h->after.state == h->before.state,
				"only strangers are answered by a reset");
}

static void
happen(const struct tcp_conn *conn, enum tcp_event event, const struct tcp_segment *segment,
		const struct tcp_env *env)
{
	struct happening happening = {.before = *conn,
			.after = *conn,
			.segment = segment,
			.env = env,
			.event = event};

	happening.action = tcp_step(&happening.after, event, segment, env);
	fired[happening.action.rule]++;
	cases++;
	require_numbers(&happening);
	require_states(&happening);
	require_timers(&happening);
	require_acks(&happening);
	require_replies(&happening);
}

/* A connection as it may be in @p state; @p variant chooses role, orphanage and what is in flight.
 */
static struct tcp_conn
conn_in(enum tcp_state state, unsigned int variant, bool timestamps)
{
	const bool fin_sent = state == TCP_FIN_WAIT_1 || state == TCP_FIN_WAIT_2 ||
			      state == TCP_CLOSING || state == TCP_LAST_ACK ||
			      state == TCP_TIME_WAIT;
	const bool all_acked = state == TCP_FIN_WAIT_2 || state == TCP_TIME_WAIT;
	struct tcp_conn conn = {.state = (uint8_t)state, .timer_tick = 99};

	if (state == TCP_CLOSED || state == TCP_LISTEN)
		return conn;
	conn.snd_una = state >= TCP_ESTABLISHED ? ISS + 1 : ISS;
	conn.snd_nxt = ISS + 1;
	conn.rcv_nxt = IRS + 1 + (state >= TCP_CLOSE_WAIT);
	conn.ts_recent = timestamps ? TS_RECENT : 0;
	conn.snd_wnd = SND_WND;
	conn.scales = 12 << 4;
	conn.mss = 1460;
	if ((variant & 1) != 0)
		conn.flags |= TCP_CONN_ACTIVE | TCP_CONN_ORPHAN;
	if ((variant & 2) != 0 && state >= TCP_ESTABLISHED)
		conn.snd_nxt += 1000;
	if ((variant & 2) != 0 && state == TCP_SYN_RCVD) { /* By Fast Open, and answered. */
		conn.rttvar_4ms = 100 << 1;
		conn.rcv_nxt += 100;
		conn.snd_nxt += 1000;
	}
	if (timestamps)
		conn.flags |= TCP_CONN_TIMESTAMPS;
	if (fin_sent) {
		conn.snd_nxt++;
		conn.flags |= TCP_CONN_FIN_SENT;
	}
	if (all_acked)
		conn.snd_una = conn.snd_nxt;
	return conn;
}

/* The places of SEG.SEQ and SEG.ACK, and what comes with them. */
static void
segment_everywhere(
		const struct tcp_conn *conn, struct tcp_segment segment, const struct tcp_env *env)
{
	const uint32_t window = env->rcv_wnd;
	const uint32_t seqs[] = {-2001u, -50u, -1u, 0, 1, window / 2, window - 1, window,
			window + 1, 0x7fffffff, 0x80000000};
	const uint32_t acks[] = {conn->snd_una - 0x7fffffff, conn->snd_una - 20000,
			conn->snd_una - 1, conn->snd_una, conn->snd_una + 1, conn->snd_nxt - 1,
			conn->snd_nxt, conn->snd_nxt + 1, conn->snd_nxt + 0x7fffffff};
	const bool has_ack = (segment.flags & TCP_ACK) != 0;

	for (size_t s = 0; s < RTE_DIM(seqs); s++) {
		segment.seq = conn->rcv_nxt + seqs[s];
		for (size_t a = 0; a < (has_ack ? RTE_DIM(acks) : 1); a++) {
			segment.ack = has_ack ? acks[a] : 0;
			happen(conn, tcp_step_event(segment.flags), &segment, env);
		}
	}
}

static void
segments_in(const struct tcp_conn *conn, const struct tcp_env *env)
{
	static const uint8_t flags[] = {TCP_SYN, TCP_SYN | TCP_FIN, TCP_SYN | TCP_ECE | TCP_CWR,
			TCP_SYN | TCP_ACK, TCP_SYN | TCP_ACK | TCP_FIN, TCP_ACK, TCP_ACK | TCP_PSH,
			TCP_ACK | TCP_FIN, TCP_RST, TCP_RST | TCP_ACK, 0, TCP_FIN, 0xff};
	static const uint16_t lengths[] = {0, 1, 100, 3000};
	static const uint32_t tsvals[] = {TS_RECENT, TS_RECENT - 1, TS_RECENT + 1};

	for (size_t f = 0; f < RTE_DIM(flags); f++) {
		for (size_t l = 0; l < RTE_DIM(lengths); l++) {
			struct tcp_segment segment = {.flags = flags[f],
					.payload_length = lengths[l],
					.window = SND_WND};

			segment_everywhere(conn, segment, env);
			segment.options = TCP_OPTION_TIMESTAMPS;
			for (size_t t = 0; t < RTE_DIM(tsvals); t++) {
				segment.tsval = tsvals[t];
				segment_everywhere(conn, segment, env);
			}
		}
	}
}

static void
every_segment_everywhere_keeps_the_promises(void **state)
{
	static const uint32_t windows[] = {0, 1, 100, 2000};

	(void)state;
	for (unsigned int s = 0; s < TCP_STATES; s++) {
		for (unsigned int variant = 0; variant < 16; variant++) {
			const struct tcp_conn conn =
					conn_in((enum tcp_state)s, variant, (variant & 4) != 0);

			for (size_t w = 0; w < RTE_DIM(windows); w++) {
				const struct tcp_env env = {.config = &settings[variant >> 3],
						.ts_clock = 1000,
						.rcv_wnd = windows[w],
						.isn = conn.snd_nxt + 7,
						.path_mss = 1460,
						.default_mss = 536,
						.fast_open = (variant & 2) != 0};

				segments_in(&conn, &env);
			}
		}
	}
}

static void
every_icmp_error_keeps_the_promises(void **state)
{
	static const uint16_t sizes[] = {0, 1, 35, 36, 48, 1000, 1459, 1460, 65535};
	const struct tcp_env env = {.config = &settings[0], .rcv_wnd = 2000};

	(void)state;
	for (unsigned int s = 0; s < TCP_STATES; s++) {
		for (unsigned int variant = 0; variant < 8; variant++) {
			const struct tcp_conn conn =
					conn_in((enum tcp_state)s, variant & 3, (variant & 4) != 0);
			const uint32_t seqs[] = {conn.snd_una - 1, conn.snd_una, conn.snd_nxt - 1,
					conn.snd_nxt, conn.snd_nxt + 0x80000000};

			for (size_t i = 0; i < RTE_DIM(seqs) * RTE_DIM(sizes); i++) {
				const struct tcp_segment quoted = {.seq = seqs[i % RTE_DIM(seqs)],
						.mss = sizes[i / RTE_DIM(seqs)]};

				happen(&conn, TCP_EVENT_UNREACHABLE, &quoted, &env);
				happen(&conn, TCP_EVENT_TOO_BIG, &quoted, &env);
			}
		}
	}
}

static void
every_local_event_keeps_the_promises(void **state)
{
	static const enum tcp_event events[] = {
			TCP_EVENT_TIMEOUT, TCP_EVENT_OPEN, TCP_EVENT_CLOSE, TCP_EVENT_ABORT};

	(void)state;
	for (unsigned int s = 0; s < TCP_STATES; s++) {
		for (unsigned int variant = 0; variant < 64; variant++) {
			struct tcp_conn conn = conn_in((enum tcp_state)s, variant & 3, false);
			const struct tcp_env env = {.config = &settings[variant >> 5],
					.ts_clock = 1000,
					.rcv_wnd = 2000,
					.isn = ISS,
					.path_mss = 1460,
					.default_mss = 536};

			conn.retries = (variant & 4) != 0 ? LIMIT : LIMIT - 1;
			if ((variant & 8) != 0)
				conn.flags |= TCP_CONN_PERSIST;
			if ((variant & 16) != 0)
				conn.retries = 0;
			for (size_t e = 0; e < RTE_DIM(events); e++)
				happen(&conn, events[e], NULL, &env);
		}
	}
}

static void
every_row_fires(void **state)
{
	unsigned int silent = 0;
	char text[256];

	(void)state;
	for (unsigned int row = 0; row < tcp_rules_count(); row++) {
		if (fired[row] > 0)
			continue;
		silent++;
		print_error("row %u never fires: %s\n", row,
				tcp_rules_describe(row, text, sizeof(text)));
	}
	print_message("%u rows, %llu cases\n", tcp_rules_count(), (unsigned long long)cases);
	assert_int_equal(silent, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_segment_everywhere_keeps_the_promises),
			cmocka_unit_test(every_icmp_error_keeps_the_promises),
			cmocka_unit_test(every_local_event_keeps_the_promises),
			cmocka_unit_test(every_row_fires),
	};
	int failed;

	fired = calloc(tcp_rules_count(), sizeof(*fired));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(fired);
	return failed;
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * tcp_step() against the oracle, exhaustively: every state, event, place of SEG.SEQ and SEG.ACK,
 * payload, window, timestamp, role and set of control bits, at plain numbers and at numbers that
 * wrap.
 *
 * Differences are printed once per kind (state, event, expectation, answer) with their count.
 */

#include <inttypes.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cases.h"
#include "oracle.h"
#include "tcp/tcp_step.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct cases_base bases[] = {
		{.rcv_nxt = 0x20000000,
				.snd_una = 0x10000000,
				.ts_recent = 5000,
				.isn = 0x0ff00000},
		{.rcv_nxt = 0xfffffff0,
				.snd_una = 0xffffffe0,
				.ts_recent = 0xfffffffa,
				.isn = 0x12345678},
};

enum stamps {
	STAMPS_OFF,
	STAMPS_UNASKED, /* Present without having been negotiated. */
	STAMPS_NEWER,
	STAMPS_EQUAL,
	STAMPS_OLDER,
	STAMPS_MISSING,
	STAMPS,
};

static const uint8_t flag_sets[] = {
		0,
		TCP_FIN,
		TCP_PSH | TCP_URG,
		TCP_SYN,
		TCP_SYN | TCP_PSH | TCP_URG,
		TCP_SYN | TCP_ECE | TCP_CWR,
		TCP_SYN | TCP_FIN,
		TCP_RST,
		TCP_RST | TCP_SYN,
		TCP_ACK,
		TCP_ACK | TCP_PSH,
		TCP_ACK | TCP_URG,
		TCP_FIN | TCP_ACK,
		TCP_FIN | TCP_PSH | TCP_URG | TCP_ACK,
		TCP_SYN | TCP_ACK,
		TCP_SYN | TCP_FIN | TCP_ACK,
		TCP_RST | TCP_ACK,
		TCP_RST | TCP_FIN | TCP_ACK,
		0xff,
};

/* Kinds of differences seen, so that each is told once. */
struct kind {
	enum tcp_state state;
	enum tcp_event event;
	const char *because;
	uint8_t got_state;
	uint8_t got_send;
	uint64_t count;
};

#define KINDS 200

static struct {
	uint64_t cases;
	uint64_t differences;
	unsigned int count;
	struct kind kind[KINDS];
} seen;

static struct kind *
kind_of(const struct kind *wanted)
{
	for (unsigned int i = 0; i < seen.count; i++) {
		struct kind *kind = &seen.kind[i];

		if (kind->state == wanted->state && kind->event == wanted->event &&
				kind->because == wanted->because &&
				kind->got_state == wanted->got_state &&
				kind->got_send == wanted->got_send)
			return kind;
	}
	if (seen.count == KINDS)
		return NULL;
	seen.kind[seen.count] = *wanted;
	return &seen.kind[seen.count++];
}

static void
compare(const struct oracle_case *question)
{
	struct oracle_verdict verdict;
	struct tcp_conn after = question->before;
	const bool is_segment = question->event <= TCP_EVENT_BARE;
	struct tcp_action action;
	struct kind *kind;

	seen.cases++;
	oracle_judge(question, &verdict);
	action = tcp_step(&after, question->event, is_segment ? &question->segment : NULL,
			&question->env);
	if (oracle_permits(&verdict, question, &after, &action))
		return;
	seen.differences++;
	kind = kind_of(&(struct kind){.state = question->before.state,
			.event = question->event,
			.because = verdict.choice[0].because,
			.got_state = after.state,
			.got_send = action.send});
	if (kind == NULL || kind->count++ > 0)
		return;
	fprintf(stderr, "difference %u\n", seen.count);
	oracle_print_case(stderr, question);
	oracle_print_verdict(stderr, question, &verdict);
	oracle_print_result(stderr, question, &after, &action);
}

static void
report(void)
{
	for (unsigned int i = 0; i < seen.count; i++)
		fprintf(stderr, "difference %u: %" PRIu64 " cases\n", i + 1, seen.kind[i].count);
	print_message("%" PRIu64 " cases, %" PRIu64 " differences of %u kinds\n", seen.cases,
			seen.differences, seen.count);
	assert_int_equal(seen.differences, 0);
}

static enum tcp_event
event_of(uint8_t flags)
{
	if (flags & TCP_RST)
		return TCP_EVENT_RST;
	if (flags & TCP_SYN)
		return flags & TCP_ACK ? TCP_EVENT_SYN_ACK : TCP_EVENT_SYN;
	if (!(flags & TCP_ACK))
		return TCP_EVENT_BARE;
	return flags & TCP_FIN ? TCP_EVENT_FIN : TCP_EVENT_ACK;
}

static void
stamp(struct tcp_segment *segment, enum stamps stamps, const struct cases_base *base)
{
	if (stamps == STAMPS_OFF || stamps == STAMPS_MISSING)
		return;
	segment->options |= TCP_OPTION_TIMESTAMPS;
	segment->tsval = base->ts_recent + (stamps == STAMPS_NEWER                  ? 20
							   : stamps == STAMPS_OLDER ? -20
										    : 0);
	segment->tsecr = segment->flags & TCP_ACK ? 99980 : 0;
}

/* Every SEG.SEQ and payload for one set of control bits and one SEG.ACK. */
static void
compare_places(struct oracle_case *question)
{
	const uint32_t window = question->env.rcv_wnd;
	const uint32_t places[] = {0x80000000u, -100000u, -20u, -10u, -1u, 0, 1, window / 2,
			window - 1, window, window + 1, 0x40000000};
	const uint32_t payloads[] = {0, 1, 20, window - 1, window, window + 10};

	for (unsigned int i = 0; i < COUNT(places); i++) {
		question->segment.seq = question->before.rcv_nxt + places[i];
		for (unsigned int j = 0; j < COUNT(payloads); j++) {
			if (payloads[j] > UINT16_MAX)
				continue;
			question->segment.payload_length = payloads[j];
			question->segment.window = payloads[j] == 1 ? 0 : 700;
			compare(question);
		}
	}
}

/* Every segment that can reach one connection. */
static void
compare_segments(struct oracle_case *question, enum stamps stamps, const struct cases_base *base)
{
	const uint32_t una = question->before.snd_una;
	const uint32_t nxt = question->before.snd_nxt;
	const uint32_t acks[] = {una + 0x80000000u, una - 4 * CASES_SND_WND - 1,
			una - CASES_SND_WND, una - 1, una, una + (nxt - una) / 2, nxt - 1, nxt,
			nxt + 1, nxt + 100000};

	for (unsigned int i = 0; i < COUNT(flag_sets); i++) {
		struct tcp_segment *segment = &question->segment;

		memset(segment, 0, sizeof(*segment));
		segment->flags = flag_sets[i];
		stamp(segment, stamps, base);
		if ((segment->flags & TCP_SYN) && stamps != STAMPS_OFF) {
			segment->options |= TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE |
					    TCP_OPTION_SACK_PERMITTED;
			segment->mss = 1400;
			segment->window_scale = 7;
		}
		question->event = event_of(segment->flags);
		assert_int_equal(question->event, tcp_step_event(segment->flags));
		if (!(segment->flags & TCP_ACK)) {
			compare_places(question);
			continue;
		}
		for (unsigned int j = 0; j < COUNT(acks); j++) {
			segment->ack = acks[j];
			compare_places(question);
		}
	}
}

static struct tcp_env
make_env(const struct tcp_config *config, const struct cases_base *base, uint32_t window)
{
	return (struct tcp_env){
			.config = config,
			.now_ms = 100000,
			.ts_clock = 100000,
			.rcv_wnd = window,
			.isn = base->isn,
			.path_mss = 1460,
			.default_mss = 536,
	};
}

/* Only tcp_step() itself knows what a connection in SYN-SENT remembers having offered. */
static void
open_actively(struct oracle_case *question, const struct cases_base *base)
{
	struct tcp_env env = question->env;

	env.isn = base->snd_una;
	memset(&question->before, 0, sizeof(question->before));
	tcp_step(&question->before, TCP_EVENT_OPEN, NULL, &env);
	assert_int_equal(question->before.state, TCP_SYN_SENT);
}

static void
compare_state(enum tcp_state state, bool active, enum stamps stamps, uint16_t more_flags)
{
	static const uint32_t windows[] = {0, 1000};
	static const uint32_t flights[] = {0, 100};
	static struct tcp_config configs[2];

	for (unsigned int i = 0; i < COUNT(configs); i++) {
		configs[i] = cases_config;
		configs[i].rfc1337 = i > 0;
	}
	for (unsigned int i = 0; i < COUNT(bases) * COUNT(windows) * COUNT(flights) * 2; i++) {
		const struct cases_base *base = &bases[i & 1];
		const struct cases_shape shape = {
				.state = state,
				.active = active,
				.timestamps = stamps > STAMPS_UNASKED,
				.in_flight = flights[i >> 2 & 1],
				.more_flags = more_flags,
		};
		struct oracle_case question = {
				.before = cases_conn(base, &shape),
				.env = make_env(&configs[i >> 3 & 1], base, windows[i >> 1 & 1]),
		};

		if ((i >> 3 & 1) && state != TCP_TIME_WAIT)
			continue; /* rfc1337 means nothing elsewhere. */
		if (state == TCP_SYN_SENT)
			open_actively(&question, base);
		compare_segments(&question, stamps, base);
	}
}

static void
every_segment_in_every_state_is_answered_as_the_rfcs_say(void **unused)
{
	(void)unused;
	memset(&seen, 0, sizeof(seen));
	for (enum tcp_state state = TCP_CLOSED; state < TCP_STATES; state++) {
		for (enum stamps stamps = STAMPS_OFF; stamps < STAMPS; stamps++) {
			if (state != TCP_SYN_SENT)
				compare_state(state, false, stamps, 0);
			if (state >= TCP_SYN_SENT)
				compare_state(state, true, stamps, 0);
			if (state == TCP_FIN_WAIT_1 || state == TCP_FIN_WAIT_2)
				compare_state(state, false, stamps, TCP_CONN_ORPHAN);
		}
	}
	report();
}

/* The same, and a keep-alive after 5 s, then every 9 s: more probes than idle_timeout allows. */
static struct tcp_config
config_that_asks(void)
{
	struct tcp_config config = cases_config;

	config.keepalive_time_ms = 5000;
	config.keepalive_intvl_ms = 9000;
	config.keepalive_probes = 8;
	return config;
}

static void
compare_calls(const struct tcp_config *config, enum tcp_state state, bool active,
		uint16_t more_flags)
{
	static const enum tcp_event events[] = {
			TCP_EVENT_TIMEOUT, TCP_EVENT_OPEN, TCP_EVENT_CLOSE, TCP_EVENT_ABORT};
	const uint8_t retries[] = {0, 1, 4, 5, 6, 7, 8, 14, 15, 255};

	for (unsigned int i = 0; i < COUNT(bases) * 2 * COUNT(retries) * COUNT(events); i++) {
		const struct cases_base *base = &bases[i & 1];
		unsigned int rest = i >> 2;
		const struct cases_shape shape = {
				.state = state,
				.active = active,
				.in_flight = i & 2 ? 100 : 0,
				.more_flags = more_flags,
				.retries = retries[rest % COUNT(retries)],
		};
		struct oracle_case question = {
				.before = cases_conn(base, &shape),
				.event = events[rest / COUNT(retries)],
				.env = make_env(config, base, 1000),
		};

		if (state == TCP_SYN_SENT) {
			open_actively(&question, base);
			question.before.retries = shape.retries;
		}
		compare(&question);
	}
}

static void
every_call_and_timeout_in_every_state_is_answered_as_the_rfcs_say(void **unused)
{
	const struct tcp_config asks = config_that_asks();

	(void)unused;
	memset(&seen, 0, sizeof(seen));
	for (enum tcp_state state = TCP_CLOSED; state < TCP_STATES; state++) {
		for (unsigned int active = state == TCP_SYN_SENT;
				active < (state >= TCP_SYN_SENT ? 2 : 1); active++) {
			compare_calls(&cases_config, state, active, 0);
			compare_calls(&asks, state, active, 0);
			if (state >= TCP_ESTABLISHED)
				compare_calls(&asks, state, active, TCP_CONN_ORPHAN);
			if (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT)
				compare_calls(&asks, state, active, TCP_CONN_PERSIST);
		}
	}
	report();
}

/* 3.7.1 MUST-16: min(SendMSS, what the path takes) less the options on every segment; the floor
 * of 48 (CVE-2019-11479) may be applied before or after the options. */
static void
expect_mss(const struct tcp_conn *conn, bool has_option, uint16_t mss)
{
	uint32_t options = conn->flags & TCP_CONN_TIMESTAMPS ? 12 : 0;
	uint32_t peer = has_option ? mss : 536;
	uint32_t before = (peer < 48 ? 48 : peer > 1460 ? 1460 : peer) - options;
	uint32_t after = peer > 1460 ? 1460 : peer;

	after = after < 48 + options ? 48 : after - options;
	if (conn->mss != before && conn->mss != after)
		fail_msg("MSS %u offered %u, timestamps %u: sends %u", mss, has_option, options,
				conn->mss);
}

static void
the_mss_and_window_scale_of_a_handshake_follow_the_options(void **unused)
{
	static const uint16_t sizes[] = {
			0, 1, 47, 48, 59, 60, 61, 500, 536, 1459, 1460, 9000, 65535};

	(void)unused;
	for (unsigned int i = 0; i < COUNT(sizes) * 32 * 2; i++) {
		struct oracle_case question = {
				.before.state = TCP_LISTEN,
				.event = i & 32 ? TCP_EVENT_SYN_ACK : TCP_EVENT_SYN,
				.segment.flags = i & 32 ? TCP_SYN | TCP_ACK : TCP_SYN,
				.segment.options = i & 15,
				.segment.mss = sizes[i / 64],
				.segment.window_scale = i & 16 ? 15 : 9,
				.segment.tsval = 1234,
				.env = make_env(&cases_config, &bases[0], 1000),
		};
		struct tcp_conn conn;

		if (question.event == TCP_EVENT_SYN_ACK) {
			open_actively(&question, &bases[0]);
			question.segment.ack = question.before.snd_nxt;
			if (i & TCP_OPTION_TIMESTAMPS)
				question.segment.tsecr = 99980;
		}
		conn = question.before;
		tcp_step(&conn, question.event, &question.segment, &question.env);
		expect_mss(&conn, i & TCP_OPTION_MSS, question.segment.mss);
		/* RFC 7323 2.3: "If a Window Scale option is received with a shift.cnt value
		 * larger than 14, the TCP [...] MUST use 14". */
		assert_int_equal(conn.scales & 0xf, !(i & TCP_OPTION_WINDOW_SCALE) ? 0
						    : i & 16                       ? 14
										   : 9);
	}
}

/* RFC 6298 2.2 to 2.5 and 5.5 for what is stored in struct tcp_conn. */
static uint32_t
rto_by_rfc_6298(uint32_t srtt_8ms, uint32_t rttvar_4ms, unsigned int retries)
{
	/* 2.3: "RTO <- SRTT + max (G, K*RTTVAR) where K = 4" */
	uint64_t rto = srtt_8ms / 8 + (rttvar_4ms > 1 ? rttvar_4ms : 1);

	if (rto < cases_config.rto_min_ms)
		rto = cases_config.rto_min_ms;
	for (unsigned int i = 0; i < retries && rto < cases_config.rto_max_ms; i++)
		rto *= 2;
	return rto < cases_config.rto_max_ms ? rto : cases_config.rto_max_ms;
}

static void
the_retransmission_timeout_follows_rfc_6298(void **unused)
{
	static const uint16_t values[] = {0, 8, 160, 800, 2400, 8000, 65535};

	(void)unused;
	for (unsigned int i = 0; i < COUNT(values) * COUNT(values) * 20; i++) {
		const struct tcp_conn conn = {
				.state = TCP_ESTABLISHED,
				.flags = TCP_CONN_RTT_MEASURED,
				.srtt_8ms = values[i % COUNT(values)],
				.rttvar_4ms = values[i / COUNT(values) % COUNT(values)],
				.retries = i / COUNT(values) / COUNT(values),
		};

		assert_in_range(tcp_step_rto_ms(&conn, &cases_config),
				rto_by_rfc_6298(conn.srtt_8ms, conn.rttvar_4ms, conn.retries),
				rto_by_rfc_6298(conn.srtt_8ms + 7, conn.rttvar_4ms, conn.retries));
	}
}

static void
take(struct tcp_conn *conn, const struct tcp_env *env, uint8_t flags, uint32_t seq, uint32_t ack,
		struct tcp_action *action)
{
	const struct tcp_segment segment = {
			.flags = flags,
			.seq = seq,
			.ack = ack,
			.window = 700,
	};

	*action = tcp_step(conn, tcp_step_event(flags), &segment, env);
}

/* 2.2: "SRTT <- R, RTTVAR <- R/2"; 5.7: 3 s after a SYN,ACK that had to be sent again, whose ACK
 * measures nothing without timestamps (Karn, MUST-18). */
static void
the_handshake_measures_the_round_trip_unless_it_was_repeated(void **unused)
{
	struct tcp_env env = make_env(&cases_config, &bases[0], 1000);
	struct tcp_conn conn = {.state = TCP_LISTEN};
	struct tcp_action action;

	(void)unused;
	take(&conn, &env, TCP_SYN, 5000, 0, &action);
	env.ts_clock += 300;
	take(&conn, &env, TCP_ACK, 5001, conn.snd_nxt, &action);
	assert_int_equal(conn.state, TCP_ESTABLISHED);
	assert_int_equal(conn.srtt_8ms, 8 * 300);
	assert_int_equal(conn.rttvar_4ms, 4 * 150);

	conn = (struct tcp_conn){.state = TCP_LISTEN};
	take(&conn, &env, TCP_SYN, 5000, 0, &action);
	tcp_step(&conn, TCP_EVENT_TIMEOUT, NULL, &env);
	env.ts_clock += 300;
	take(&conn, &env, TCP_ACK, 5001, conn.snd_nxt, &action);
	assert_int_equal(conn.state, TCP_ESTABLISHED);
	assert_false(conn.flags & TCP_CONN_RTT_MEASURED);
	assert_int_equal(tcp_step_rto_ms(&conn, &cases_config), 3000);
}

/* 3.10.4: "If no SENDs have been issued and there is no pending data to send, then form a FIN
 * segment and send it, and enter FIN-WAIT-1 state; otherwise, queue for processing after entering
 * ESTABLISHED state."  Whichever is chosen, the SYN,ACK stays at the front of the retransmission
 * queue (3.10.8) until it is acknowledged, and the handshake's end is told. */
static void
a_close_in_syn_rcvd_does_not_forget_the_syn_ack(void **unused)
{
	const struct tcp_env env = make_env(&cases_config, &bases[0], 1000);
	struct tcp_conn conn = {.state = TCP_LISTEN};
	struct tcp_conn copy;
	struct tcp_action action;

	(void)unused;
	take(&conn, &env, TCP_SYN, 5000, 0, &action);
	tcp_step(&conn, TCP_EVENT_CLOSE, NULL, &env);

	copy = conn;
	action = tcp_step(&copy, TCP_EVENT_TIMEOUT, NULL, &env);
	assert_int_equal(action.send, TCP_SEND_SYN_ACK);
	copy = conn;
	take(&copy, &env, TCP_SYN, 5000, 0, &action);
	assert_int_equal(action.send, TCP_SEND_SYN_ACK);
	copy = conn;
	take(&copy, &env, TCP_ACK, 5001, env.isn + 1, &action);
	assert_true(action.outcome & TCP_OUTCOME_OPENED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_segment_in_every_state_is_answered_as_the_rfcs_say),
			cmocka_unit_test(
					every_call_and_timeout_in_every_state_is_answered_as_the_rfcs_say),
			cmocka_unit_test(
					the_mss_and_window_scale_of_a_handshake_follow_the_options),
			cmocka_unit_test(the_retransmission_timeout_follows_rfc_6298),
			cmocka_unit_test(
					the_handshake_measures_the_round_trip_unless_it_was_repeated),
			cmocka_unit_test(a_close_in_syn_rcvd_does_not_forget_the_syn_ack),
	};

	return cmocka_run_group_tests_name("tcp_step and the oracle", tests, NULL, NULL);
}

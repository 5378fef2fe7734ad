/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * User calls and timeouts: RFC 9293 3.10.1, 3.10.4, 3.10.5, 3.10.8 and RFC 6298.
 */

#include "oracle.h"
#include "oracle_internal.h"

/* RFC 6298 5.5: "The host MUST set RTO <- RTO * 2 ('back off the timer')", from 1 s (2.1), up to
 * a maximum (2.5), for the timer that is started now. */
static void
backs_off(const struct oracle_case *c, struct oracle_choice *choice)
{
	uint64_t delay = 1000;

	for (unsigned int i = 0; i <= c->before.retries && delay < c->env.config->rto_max_ms; i++)
		delay *= 2;
	if (delay > c->env.config->rto_max_ms)
		delay = c->env.config->rto_max_ms;
	choice->determined |= ORACLE_DELAY;
	choice->delay_ms = (uint32_t)delay;
}

/* 3.8.3 MUST-20 (c): "When the number of transmissions of the same segment reaches a threshold R2
 * [...], close the connection." */
static void
gives_up(const struct oracle_case *c, struct oracle_verdict *verdict, uint32_t sends)
{
	oracle_end(oracle_add(verdict, c, sends,
				   "3.8.3 MUST-20 (c) \"When the number of transmissions of the "
				   "same "
				   "segment reaches a threshold R2 [...], close the connection.\""),
			TCP_OUTCOME_TIMED_OUT);
}

static void
handshake_times_out(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	const struct tcp_config *config = c->env.config;
	bool syn_sent = c->before.state == TCP_SYN_SENT;
	bool active = (c->before.flags & TCP_CONN_ACTIVE) != 0;
	/* A SYN,ACK of our own active open counts as either. */
	unsigned int least = config->synack_retries;
	unsigned int most = config->synack_retries;

	if (syn_sent) {
		least = config->syn_retries;
		most = config->syn_retries;
	} else if (active) {
		if (config->syn_retries < least)
			least = config->syn_retries;
		if (config->syn_retries > most)
			most = config->syn_retries;
	}
	if (c->before.retries < most) {
		struct oracle_choice *choice = oracle_add(verdict, c,
				ORACLE_BIT(syn_sent ? TCP_SEND_SYN : TCP_SEND_SYN_ACK),
				"3.10.8 \"send the segment at the front of the retransmission "
				"queue again\"; RFC 6298 5.4 to 5.7");

		/* RFC 6298 5.7: "the RTO MUST be re-initialized to 3 seconds when data
		 * transmission begins". */
		choice->flags = TCP_CONN_SYN_RETRANSMITTED;
		choice->flags_mask = TCP_CONN_SYN_RETRANSMITTED;
		backs_off(c, choice);
	}
	if (c->before.retries >= least)
		gives_up(c, verdict, NOTHING); /* Project: without a segment. */
}

/* The segment at SND.UNA is to be sent again: by the caller, or at once when it is only a FIN. */
static void
retransmits(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	struct oracle_choice *choice = oracle_add(verdict, c, NOTHING,
			"3.10.8 \"send the segment at the front of the retransmission "
			"queue again\"; RFC 6298 5.4");

	choice->outcome = TCP_OUTCOME_OUTPUT;
	choice->outcome_mask |= TCP_OUTCOME_OUTPUT;
	choice->flags = TCP_CONN_RETRANSMIT;
	choice->flags_mask = TCP_CONN_RETRANSMIT;
	if ((c->before.flags & TCP_CONN_FIN_SENT) && c->before.snd_una + 1 == c->before.snd_nxt)
		oracle_add(verdict, c, FIN, "3.10.8; only the FIN is in the retransmission queue");
}

static void
data_times_out(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	const struct tcp_config *config = c->env.config;
	bool fin_sent = (c->before.flags & TCP_CONN_FIN_SENT) != 0;
	unsigned int least = config->retries2;
	unsigned int most = config->retries2;

	/* Once the application is done, fewer attempts may do. */
	if (fin_sent || (c->before.flags & TCP_CONN_ORPHAN)) {
		if (config->orphan_retries < least)
			least = config->orphan_retries;
		if (config->orphan_retries > most)
			most = config->orphan_retries;
	}
	if (c->before.retries < most)
		retransmits(c, verdict);
	if (c->before.retries >= least)
		gives_up(c, verdict, NOTHING | ABORT);
}

static void
probes(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	oracle_add(verdict, c, ORACLE_BIT(TCP_SEND_PROBE),
			"3.8.6.1 MUST-36 \"Probing of zero (offered) windows MUST be supported\"");
	/* MUST-37 only speaks of peers that go on acknowledging. */
	if (c->before.retries >= c->env.config->retries2 ||
			((c->before.flags & TCP_CONN_ORPHAN) &&
					c->before.retries >= c->env.config->orphan_retries))
		gives_up(c, verdict, NOTHING | ABORT);
}

/*
 * 3.8.4, with the kernel's three knobs: tcp_keepalive_time "when keepalive is enabled", _intvl "how
 * frequently the probes are sent out", _probes "how many [...] until it decides that the connection
 * is broken".  Project: idle_timeout counts from the last segment heard, too, and comes first.
 */
static bool
keeps_alive(const struct oracle_case *c)
{
	const struct tcp_config *config = c->env.config;
	uint64_t silent_ms = config->keepalive_time_ms;

	for (unsigned int sent = 0; sent < c->before.retries; sent++)
		silent_ms += config->keepalive_intvl_ms;
	return config->keepalive_time_ms > 0 && c->before.retries < config->keepalive_probes &&
	       silent_ms < config->idle_timeout_ms;
}

static void
silence_is_broken(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	const struct tcp_config *config = c->env.config;
	const uint64_t silent_ms = config->keepalive_time_ms +
				   (uint64_t)c->before.retries * config->keepalive_intvl_ms;
	struct oracle_choice *choice = oracle_add(verdict, c, ORACLE_BIT(TCP_SEND_PROBE),
			"3.8.4 MUST-26 \"Keep-alive packets MUST only be sent when no sent data is "
			"outstanding, and no data or acknowledgment packets have been received for "
			"the connection within an interval\"");

	choice->determined |= ORACLE_DELAY;
	choice->delay_ms = config->keepalive_intvl_ms;
	if (silent_ms + choice->delay_ms > config->idle_timeout_ms)
		choice->delay_ms = (uint32_t)(config->idle_timeout_ms - silent_ms);
}

void
oracle_timeout(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	bool in_flight = c->before.snd_una != c->before.snd_nxt;

	switch (c->before.state) {
	case TCP_SYN_SENT:
	case TCP_SYN_RCVD:
		handshake_times_out(c, verdict);
		break;
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		if (c->before.flags & TCP_CONN_PERSIST)
			probes(c, verdict);
		if (in_flight)
			data_times_out(c, verdict);
		if (in_flight || (c->before.flags & TCP_CONN_PERSIST))
			break;
		if (keeps_alive(c)) {
			silence_is_broken(c, verdict);
			break;
		}
		oracle_end(oracle_add(verdict, c, ABORT,
					   "project: an idle connection is aborted with RST; "
					   "3.10.8 USER "
					   "TIMEOUT \"delete the TCB, enter the CLOSED state\""),
				TCP_OUTCOME_TIMED_OUT | TCP_OUTCOME_RESET);
		break;
	case TCP_FIN_WAIT_1:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		data_times_out(c, verdict);
		break;
	case TCP_FIN_WAIT_2:
		oracle_end(oracle_add(verdict, c, NOTHING | ABORT,
					   "practice (conformance G18): FIN-WAIT-2 of a closed "
					   "application "
					   "times out"),
				TCP_OUTCOME_TIMED_OUT | TCP_OUTCOME_CLOSED);
		break;
	case TCP_TIME_WAIT:
		oracle_end(oracle_add(verdict, c, NOTHING,
					   "3.10.8 TIME-WAIT TIMEOUT \"delete the TCB, enter the "
					   "CLOSED "
					   "state, and return.\""),
				TCP_OUTCOME_CLOSED);
		break;
	default:
		oracle_add(verdict, c, NOTHING, "no timer runs in CLOSED and LISTEN");
		break;
	}
}

void
oracle_open(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	struct oracle_choice *choice;

	if (c->before.state != TCP_CLOSED)
		oracle_add(verdict, c, NOTHING,
				"3.10.1 \"Return 'error: connection already exists'.\"");
	if (c->before.state > TCP_LISTEN)
		return;
	choice = oracle_add(verdict, c, ORACLE_BIT(TCP_SEND_SYN),
			"3.10.1 \"A SYN segment of the form <SEQ=ISS><CTL=SYN> is sent. "
			"Set SND.UNA to ISS, SND.NXT to ISS+1, enter SYN-SENT state\"");
	choice->states = ORACLE_BIT(TCP_SYN_SENT);
	choice->determined = ORACLE_SND_UNA | ORACLE_SND_NXT | ORACLE_DELAY;
	choice->snd_una = c->env.isn;
	choice->snd_nxt = c->env.isn + 1;
	choice->delay_ms = 1000; /* RFC 6298 2.1 */
	choice->flags = TCP_CONN_ACTIVE;
	choice->flags_mask = TCP_CONN_ACTIVE | TCP_CONN_FIN_SENT;
}

/* "form a FIN segment and send it": either in this step, or the caller has just sent it (the FIN
 * goes out as tcp_output_next() makes the event happen). */
static void
sends_fin(const struct oracle_case *c, struct oracle_verdict *verdict, enum tcp_state next,
		const char *because)
{
	struct oracle_choice *choice = oracle_add(verdict, c, FIN, because);

	choice->states = ORACLE_BIT(next);
	choice->snd_nxt++;
	choice->flags = TCP_CONN_FIN_SENT;
	choice->flags_mask = TCP_CONN_FIN_SENT;

	choice = oracle_add(verdict, c, NOTHING, because);
	choice->states = ORACLE_BIT(next);
	choice->determined &= ~ORACLE_SND_NXT;
}

void
oracle_close(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	switch (c->before.state) {
	case TCP_LISTEN:
	case TCP_SYN_SENT:
		oracle_end(oracle_add(verdict, c, NOTHING,
					   "3.10.4 \"Delete TCB, enter CLOSED state, and "
					   "return.\""),
				ORACLE_ENDINGS);
		break;
	case TCP_SYN_RCVD:
		sends_fin(c, verdict, TCP_FIN_WAIT_1,
				"3.10.4 \"If no SENDs have been issued and there is no pending "
				"data to send, then form a FIN segment and send it, and enter "
				"FIN-WAIT-1 state\"");
		oracle_add(verdict, c, NOTHING,
				"3.10.4 \"otherwise, queue for processing after entering "
				"ESTABLISHED state.\"");
		break;
	case TCP_ESTABLISHED:
		sends_fin(c, verdict, TCP_FIN_WAIT_1,
				"3.10.4 \"form a FIN segment and send it. In any case, enter "
				"FIN-WAIT-1 state.\"");
		break;
	case TCP_CLOSE_WAIT:
		sends_fin(c, verdict, TCP_LAST_ACK,
				"3.10.4 \"then send a FIN segment, enter LAST-ACK state.\"");
		break;
	default:
		oracle_add(verdict, c, NOTHING,
				"3.10.4 \"Respond with 'error: connection closing'\" or \"does not "
				"exist\"; no second FIN is emitted");
		break;
	}
}

void
oracle_abort(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	switch (c->before.state) {
	case TCP_CLOSED:
		oracle_add(verdict, c, NOTHING,
				"3.10.5 \"return 'error: connection does not exist'\"");
		break;
	case TCP_LISTEN:
	case TCP_SYN_SENT:
		oracle_end(oracle_add(verdict, c, NOTHING,
					   "3.10.5 \"Delete the TCB, enter CLOSED state, and "
					   "return.\""),
				ORACLE_ENDINGS);
		break;
	case TCP_CLOSING:
	case TCP_LAST_ACK:
	case TCP_TIME_WAIT:
		oracle_end(oracle_add(verdict, c, NOTHING,
					   "3.10.5 \"Respond with 'ok' and delete the TCB, enter "
					   "CLOSED "
					   "state, and return.\""),
				TCP_OUTCOME_CLOSED | TCP_OUTCOME_RESET);
		break;
	default:
		oracle_end(oracle_add(verdict, c, ABORT,
					   "3.10.5 \"Send a reset segment: <SEQ=SND.NXT><CTL=RST> "
					   "[...] enter "
					   "CLOSED state, and return.\""),
				TCP_OUTCOME_RESET);
		break;
	}
}

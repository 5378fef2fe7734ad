/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Segments that meet no synchronized connection (RFC 9293 3.10.7.1 to 3.10.7.3), and SYNs that
 * meet one (3.10.7.4 fourth, RFC 5961 4, RFC 6191).
 */

#include "oracle.h"
#include "oracle_internal.h"

/* 3.10.7.1: "all data in the incoming segment is discarded." */
void
oracle_arrives_in_closed(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	if (has(c, TCP_RST))
		oracle_add(verdict, c, NOTHING,
				"3.10.7.1 \"An incoming segment containing a RST is discarded.\"");
	else if (!has(c, TCP_ACK))
		oracle_add(verdict, c, ORACLE_BIT(TCP_SEND_RST_ACK),
				"3.10.7.1 \"If the ACK bit is off, sequence number zero is used, "
				"<SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>\"");
	else
		oracle_add(verdict, c, RST,
				"3.10.7.1 \"If the ACK bit is on, <SEQ=SEG.ACK><CTL=RST>\"");
}

/* RFC 7323 3.2, RFC 2018 2, RFC 7323 2.2: an option is on when both sides send it. */
static void
negotiates(const struct oracle_case *c, struct oracle_choice *choice)
{
	const struct tcp_config *config = c->env.config;
	uint8_t options = c->segment.options;

	choice->flags_mask |= TCP_CONN_TIMESTAMPS | TCP_CONN_WINDOW_SCALE | TCP_CONN_SACK;
	if (config->timestamps && (options & TCP_OPTION_TIMESTAMPS))
		choice->flags |= TCP_CONN_TIMESTAMPS;
	if (config->window_scaling && (options & TCP_OPTION_WINDOW_SCALE))
		choice->flags |= TCP_CONN_WINDOW_SCALE;
	if (config->sack && (options & TCP_OPTION_SACK_PERMITTED))
		choice->flags |= TCP_CONN_SACK;

	/* RFC 7323 4.3: TS.Recent starts with the SYN's value. */
	choice->ts_recent = c->segment.tsval;
	if (!(choice->flags & TCP_CONN_TIMESTAMPS))
		choice->determined &= ~ORACLE_TS_RECENT;
	/* RFC 7323 2.2: "The window field in a segment where the SYN bit is set [...] MUST NOT be
	 * scaled."  It is kept in units of the scaled windows that follow, and rounded down: more
	 * than was offered must not be sent. */
	choice->snd_wnd = c->segment.window;
	if (choice->flags & TCP_CONN_WINDOW_SCALE)
		choice->snd_wnd >>= c->segment.window_scale > 14 ? 14 : c->segment.window_scale;
}

/* "Set RCV.NXT to SEG.SEQ+1 [...] SND.NXT is set to ISS+1 and SND.UNA to ISS." */
static struct oracle_choice *
opens_passively(const struct oracle_case *c, struct oracle_verdict *verdict, const char *because)
{
	struct oracle_choice *choice = oracle_add(verdict, c, SYN_ACK, because);

	choice->states = ORACLE_BIT(TCP_SYN_RCVD);
	choice->rcv_nxt = c->segment.seq + 1;
	choice->snd_una = c->env.isn;
	choice->snd_nxt = c->env.isn + 1;
	choice->flags_mask = TCP_CONN_ACTIVE | TCP_CONN_FIN_SENT | TCP_CONN_SYN_RETRANSMITTED;
	negotiates(c, choice);
	/* RFC 6298 2.1: "the sender SHOULD set RTO <- 1 second". */
	choice->determined |= ORACLE_DELAY;
	choice->delay_ms = 1000;
	return choice;
}

/* 3.10.7.2 */
void
oracle_arrives_in_listen(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	if (has(c, TCP_RST)) {
		oracle_add(verdict, c, NOTHING,
				"3.10.7.2 first \"An incoming RST should be ignored. Return.\"");
		return;
	}
	if (has(c, TCP_ACK)) {
		oracle_add(verdict, c, RST,
				"3.10.7.2 second \"An acceptable reset segment should be formed "
				"for any arriving ACK-bearing segment. <SEQ=SEG.ACK><CTL=RST>\"");
		return;
	}
	if (has(c, TCP_SYN) && has(c, TCP_FIN)) {
		oracle_add(verdict, c, NOTHING,
				"project: SYN with FIN in LISTEN is dropped (conformance B9)");
		return;
	}
	if (has(c, TCP_SYN)) {
		/* Project: data on the SYN is left for the client to send again, so RCV.NXT is
		 * SEG.SEQ+1 whatever the payload (3.4 permits it; conformance B12). */
		opens_passively(c, verdict,
				"3.10.7.2 third \"a SYN segment sent of the form "
				"<SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>\"");
		return;
	}
	oracle_add(verdict, c, NOTHING,
			"3.10.7.2 fourth \"This should not be reached. Drop the segment "
			"and return.\"");
}

/* A SYN,ACK that is right may bring data and FIN: they may be taken, or left to be sent again. */
static void
established_from_syn_sent(const struct oracle_case *c, struct oracle_verdict *verdict, bool all)
{
	struct oracle_choice *choice = oracle_add(verdict, c, ACK,
			"3.10.7.3 fourth \"If SND.UNA > ISS (our SYN has been ACKed), "
			"change the connection state to ESTABLISHED, form an ACK segment\"");
	uint32_t room = c->env.rcv_wnd;
	uint32_t payload = c->segment.payload_length;

	choice->states = ORACLE_BIT(TCP_ESTABLISHED);
	choice->outcome = TCP_OUTCOME_OPENED;
	choice->outcome_mask &= ~TCP_OUTCOME_ACKED; /* Only the SYN was. */
	choice->rcv_nxt = c->segment.seq + 1;
	choice->snd_una = c->segment.ack;
	negotiates(c, choice);
	if (!all)
		return;
	choice->because = "3.10.7.3 fourth \"If there are other controls or text in the "
			  "segment, then continue processing at the sixth step under Section "
			  "3.10.7.4\"";
	choice->take = payload < room ? payload : room;
	choice->rcv_nxt += choice->take;
	if (choice->take > 0)
		choice->outcome |= TCP_OUTCOME_DATA;
	if (has(c, TCP_FIN) && payload < room) {
		choice->rcv_nxt++;
		choice->states = ORACLE_BIT(TCP_CLOSE_WAIT);
		choice->outcome |= TCP_OUTCOME_PEER_FIN;
	}
}

static void
simultaneous_open(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	struct oracle_choice *choice = oracle_add(verdict, c, SYN_ACK,
			"3.10.7.3 fourth \"Otherwise, enter SYN-RECEIVED, form a SYN,ACK "
			"segment <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>\"");

	choice->states = ORACLE_BIT(TCP_SYN_RCVD);
	choice->rcv_nxt = c->segment.seq + 1;
	/* 3.5 MUST-11: "keep track of whether a connection has reached SYN-RECEIVED as the result
	 * of a passive OPEN or an active OPEN". */
	choice->flags = TCP_CONN_ACTIVE;
	choice->flags_mask = TCP_CONN_ACTIVE;
	negotiates(c, choice);
	if (has(c, TCP_FIN)) /* "queue them", or refuse the combination as in LISTEN */
		oracle_add(verdict, c, NOTHING, "project: SYN with FIN opens nothing");
}

/* 3.10.7.3; SND.UNA is ISS. */
void
oracle_arrives_in_syn_sent(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	uint32_t ack = c->segment.ack;
	uint32_t iss = c->before.snd_una;

	if (has(c, TCP_ACK) && (!before(iss, ack) || before(c->before.snd_nxt, ack))) {
		oracle_add(verdict, c, has(c, TCP_RST) ? NOTHING : RST,
				"3.10.7.3 first \"If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a "
				"reset (unless the RST bit is set, if so drop the segment and "
				"return)\"");
		return;
	}
	if (has(c, TCP_RST) && has(c, TCP_ACK)) {
		oracle_end(oracle_add(verdict, c, NOTHING,
					   "3.10.7.3 second \"If the ACK was acceptable, then "
					   "signal to the "
					   "user 'error: connection reset', drop the segment, "
					   "enter CLOSED "
					   "state\""),
				TCP_OUTCOME_RESET);
		if (c->segment.seq != c->before.rcv_nxt)
			oracle_add(verdict, c, NOTHING,
					"3.10.7.3 second \"SHOULD first check that the sequence "
					"number "
					"exactly matches RCV.NXT\"");
		return;
	}
	if (has(c, TCP_RST)) {
		oracle_add(verdict, c, NOTHING,
				"3.10.7.3 second \"Otherwise (no ACK), drop the segment and "
				"return.\"");
		return;
	}
	if (has(c, TCP_SYN) && has(c, TCP_ACK)) {
		established_from_syn_sent(c, verdict, false);
		if (segment_length(c) > 1)
			established_from_syn_sent(c, verdict, true);
		return;
	}
	if (has(c, TCP_SYN)) {
		simultaneous_open(c, verdict);
		return;
	}
	oracle_add(verdict, c, NOTHING,
			"3.10.7.3 fifth \"if neither of the SYN or RST bits is set, then "
			"drop the segment and return.\"");
}

/* What becomes of a SYN that finds the connection in TIME-WAIT. */
enum reopening { REFUSED, EITHER, HONOURED };

/* "the Sequence Number of the incoming SYN segment is larger than the last sequence number seen",
 * which is the FIN's, RCV.NXT-1; others take RCV.NXT for it, and half-way round the circle no
 * number is larger than the other. */
static enum reopening
larger_number(const struct oracle_case *c)
{
	uint32_t offset = c->segment.seq - c->before.rcv_nxt;

	if (offset == 0 || offset == 0x80000000u)
		return EITHER;
	return offset < 0x80000000u ? HONOURED : REFUSED;
}

/* RFC 6191 2 */
static enum reopening
reopens(const struct oracle_case *c, const char **because)
{
	bool used = (c->before.flags & TCP_CONN_TIMESTAMPS) != 0;
	bool will_use = c->env.config->timestamps && (c->segment.options & TCP_OPTION_TIMESTAMPS);

	if (!will_use) {
		*because = "RFC 6191 2 \"If TCP Timestamps would not be enabled for the new "
			   "incarnation [...], but the Sequence Number of the incoming SYN "
			   "segment is larger than the last sequence number seen [...], "
			   "honor\"";
		return larger_number(c);
	}
	if (!used) {
		*because = "RFC 6191 2 \"did not use TCP Timestamps: If TCP Timestamps would "
			   "be enabled for the new incarnation of the connection, honor the "
			   "incoming connection request\"";
		return HONOURED;
	}
	switch (oracle_timestamp_of(c)) {
	case ORACLE_TIMESTAMP_NEWER:
		*because = "RFC 6191 2 \"the timestamp contained in the incoming SYN segment "
			   "is greater than the last timestamp seen on the previous "
			   "incarnation [...], honor the connection request\"";
		return HONOURED;
	case ORACLE_TIMESTAMP_EQUAL:
		*because = "RFC 6191 2 \"the timestamp [...] is equal to the last timestamp "
			   "seen [...], and the Sequence Number of the incoming SYN segment "
			   "is larger than the last sequence number seen [...], honor\"";
		return larger_number(c);
	default:
		return REFUSED;
	}
}

/* RFC 6191 2, with 3.6.1 MAY-2 and SHLD-4. */
static void
syn_in_time_wait(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	const char *because = "";
	enum reopening reopening = reopens(c, &because);

	/* Nobody listens behind an active open; SYN with FIN need not open anything (B9). */
	if (reopening == HONOURED && (!is_passive(c) || has(c, TCP_FIN)))
		reopening = EITHER;
	if (reopening != REFUSED) {
		struct oracle_choice *choice = opens_passively(c, verdict, because);

		/* 3.6.1 (1) "assigns its initial sequence number for the new connection to be
		 * larger than the largest sequence number it used on the previous". */
		choice->determined &= ~(ORACLE_SND_UNA | ORACLE_SND_NXT);
		choice->determined |= ORACLE_NEW_ISS;
	}
	if (reopening != HONOURED)
		oracle_add(verdict, c, NOTHING | ANY_ACK,
				"RFC 6191 2 \"Otherwise, silently drop the incoming SYN segment\"; "
				"3.10.7.4 first and fourth acknowledge it");
}

/* The peer's SYN,ACK in a simultaneous open (3.5 figure 7, MUST-10): it repeats IRS, so the first
 * step refuses and acknowledges it, which also completes the handshake, one segment later. */
static void
syn_ack_of_simultaneous_open(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	struct oracle_choice *choice = oracle_add(verdict, c, NOTHING | ANY_ACK,
			"3.5 figure 7, MUST-10 \"A TCP implementation MUST support "
			"simultaneous open attempts\"");

	choice->states = ORACLE_BIT(TCP_ESTABLISHED);
	choice->outcome = TCP_OUTCOME_OPENED;
	choice->outcome_mask &= ~TCP_OUTCOME_ACKED;
	choice->snd_una = c->segment.ack;
	choice->determined &= ~(ORACLE_TS_RECENT | ORACLE_SND_WND);
}

static const char *
syn_rcvd_reason(enum oracle_timestamp timestamp, bool repeated)
{
	if (timestamp == ORACLE_TIMESTAMP_OLDER)
		return "RFC 7323 5.3 R1 \"SEG.TSval < TS.Recent, [...] and if the RST bit is not "
		       "set, then treat the arriving segment as not acceptable\"";
	if (repeated)
		return "project: a repeated SYN is answered by the same SYN,ACK (conformance "
		       "E10), other SYNs by an ACK";
	return "project: RFC 5961 4.2 in place of 3.10.7.4 fourth \"return this connection to "
	       "the LISTEN state\": challenge ACK and stay";
}

/* 3.10.7.4 fourth, and what the first step does to a SYN. */
static void
syn_arrives_in_syn_rcvd(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	bool repeated = c->segment.seq == c->before.rcv_nxt - 1;
	bool good_ack = acks_something_new(c);
	enum oracle_timestamp timestamp = oracle_timestamp_of(c);
	struct oracle_choice *choice;
	uint32_t sends = ANY_ACK;

	if (timestamp == ORACLE_TIMESTAMP_MISSING)
		sends |= NOTHING; /* RFC 7323 3.2 */
	if (has(c, TCP_FIN))
		sends |= NOTHING; /* The combination is refused in LISTEN too. */
	if (has(c, TCP_ACK) && !good_ack)
		sends |= RST; /* 3.5.2 group 2: unacceptable ACK in a non-synchronized state */
	if (repeated && !has(c, TCP_ACK)) {
		/* 3.8.1: the peer sends again because our SYN,ACK did not come: the same once
		 * more is what helps it. */
		if (is_passive(c) && sends == ANY_ACK && timestamp != ORACLE_TIMESTAMP_OLDER)
			sends = SYN_ACK;
		else
			sends |= SYN_ACK;
	}
	choice = oracle_add(verdict, c, sends, syn_rcvd_reason(timestamp, repeated));
	oracle_leaves_timestamp_open(c, choice);
	choice->determined &= ~ORACLE_SND_WND; /* A repeated SYN's window is as good as before. */

	if (repeated && has(c, TCP_ACK) && good_ack && !is_passive(c) &&
			timestamp != ORACLE_TIMESTAMP_OLDER)
		syn_ack_of_simultaneous_open(c, verdict);
}

void
oracle_syn_arrives(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	enum oracle_timestamp timestamp = oracle_timestamp_of(c);
	struct oracle_choice *choice;
	uint32_t sends = CHALLENGE;

	if (c->before.state == TCP_SYN_RCVD) {
		syn_arrives_in_syn_rcvd(c, verdict);
		return;
	}
	if (c->before.state == TCP_TIME_WAIT && !has(c, TCP_ACK)) {
		syn_in_time_wait(c, verdict);
		return;
	}
	if (!oracle_is_acceptable(c) || timestamp == ORACLE_TIMESTAMP_OLDER)
		sends |= ACK; /* Refused in the first step already. */
	if (timestamp == ORACLE_TIMESTAMP_MISSING)
		sends |= NOTHING; /* RFC 7323 3.2: "a TCP SHOULD silently drop the segment" */
	choice = oracle_add(verdict, c, sends,
			"3.10.7.4 fourth \"if the SYN bit is set, irrespective of the "
			"sequence number, TCP endpoints MUST send a 'challenge ACK'\"");
	oracle_leaves_timestamp_open(c, choice);
}

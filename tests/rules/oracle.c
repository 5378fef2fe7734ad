/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * RFC 9293 3.10.7.4 as nested switches, in the RFC's order; see oracle.h.  Segments with SYN and
 * those for CLOSED, LISTEN and SYN-SENT are in oracle_syn.c, user calls and timeouts in
 * oracle_calls.c.  Quotations are of RFC 9293 unless they name another.
 */

#include "oracle.h"
#include "oracle_internal.h"

struct oracle_choice *
oracle_add(struct oracle_verdict *verdict, const struct oracle_case *c, uint32_t sends,
		const char *because)
{
	struct oracle_choice *choice = &verdict->choice[verdict->count++];

	*choice = (struct oracle_choice){
			.because = because,
			.states = ORACLE_BIT(c->before.state),
			.sends = sends,
			.determined = ORACLE_VARIABLES,
			.rcv_nxt = c->before.rcv_nxt,
			.snd_una = c->before.snd_una,
			.snd_nxt = c->before.snd_nxt,
			.ts_recent = c->before.ts_recent,
			.snd_wnd = c->before.snd_wnd,
			.outcome_mask = TCP_OUTCOME_OPENED | TCP_OUTCOME_DATA |
					TCP_OUTCOME_PEER_FIN | TCP_OUTCOME_ACKED,
	};
	return choice;
}

void
oracle_end(struct oracle_choice *choice, uint8_t endings)
{
	choice->states = ORACLE_BIT(TCP_CLOSED);
	choice->determined = 0; /* "delete the TCB" */
	choice->endings = endings;
}

/* What the segment's timestamp makes of it (RFC 7323 3.2, 5.3). */
enum oracle_timestamp
oracle_timestamp_of(const struct oracle_case *c)
{
	if (!(c->before.flags & TCP_CONN_TIMESTAMPS))
		return ORACLE_TIMESTAMP_UNUSED;
	if (!(c->segment.options & TCP_OPTION_TIMESTAMPS))
		return ORACLE_TIMESTAMP_MISSING;
	if (before(c->segment.tsval, c->before.ts_recent))
		return ORACLE_TIMESTAMP_OLDER;
	return c->segment.tsval == c->before.ts_recent ? ORACLE_TIMESTAMP_EQUAL
						       : ORACLE_TIMESTAMP_NEWER;
}

/* Table 6: Segment Acceptability Tests. */
bool
oracle_is_acceptable(const struct oracle_case *c)
{
	uint32_t window = c->env.rcv_wnd;
	uint32_t length = segment_length(c);
	uint32_t first = c->segment.seq - c->before.rcv_nxt;
	uint32_t last = first + length - 1;

	if (length == 0 && window == 0)
		return first == 0;
	if (length == 0)
		return first < window;
	if (window == 0)
		return false;
	return first < window || last < window;
}

/* R3 is after R2 in RFC 7323 5.3 but before it in its appendix D; and where the segment is refused
 * by a later check, whether TS.Recent moved before cannot be said. */
void
oracle_leaves_timestamp_open(const struct oracle_case *c, struct oracle_choice *choice)
{
	if (!before(c->before.rcv_nxt, c->segment.seq))
		choice->determined &= ~ORACLE_TS_RECENT;
}

/* 3.10.7.4 second; only SEG.SEQ counts, data and SEG.ACK do not (RFC 5961 3.2). */
static void
reset_arrives(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	uint32_t offset = c->segment.seq - c->before.rcv_nxt;
	bool immune = c->before.state == TCP_TIME_WAIT && c->env.config->rfc1337;
	struct oracle_choice *choice;

	/* RFC 7323 5.2: information from a RST's timestamps "MUST NOT be used to update
	 * connection state information": every choice leaves TS.Recent alone. */
	if (offset != 0 && offset >= c->env.rcv_wnd) {
		oracle_add(verdict, c, NOTHING,
				"3.10.7.4 second 1) \"RST bit is set and the sequence number is "
				"outside the current receive window, silently drop the segment\"");
		return;
	}
	if (immune)
		oracle_add(verdict, c, NOTHING,
				"RFC 1337 3 (F1) \"Ignore RST segments in TIME-WAIT state\"");
	if (offset != 0) {
		oracle_add(verdict, c, CHALLENGE,
				"3.10.7.4 second 3) \"does not exactly match the next expected "
				"sequence value, yet is within the current receive window, TCP "
				"endpoints MUST send an acknowledgment (challenge ACK)\"");
		return;
	}
	if (immune)
		return;
	choice = oracle_add(verdict, c, NOTHING,
			"3.10.7.4 second 2) \"exactly matches the next expected sequence "
			"number (RCV.NXT), then TCP endpoints MUST reset the connection\"");
	oracle_end(choice, TCP_OUTCOME_RESET);
	if (c->before.state == TCP_SYN_RCVD && is_passive(c))
		choice->states |= ORACLE_BIT(TCP_LISTEN); /* "return this connection to LISTEN" */
	if (c->before.state == TCP_TIME_WAIT)
		choice->endings |= TCP_OUTCOME_CLOSED; /* Both sides had closed it already. */
}

/* RFC 5961 5.2; MAX.SND.WND is kept as its logarithm, so the answer between one and two times its
 * power of two is open. */
enum ack_range { ACK_IN_RANGE, ACK_OPEN, ACK_OUT_OF_RANGE };

static enum ack_range
ack_range_of(const struct oracle_case *c)
{
	uint32_t power = (uint32_t)1 << (c->before.scales >> 4) << (c->before.scales & 0xf);
	uint32_t old = c->before.snd_una - c->segment.ack;

	if (before(c->before.snd_nxt, c->segment.ack))
		return ACK_OUT_OF_RANGE;
	if (!before(c->segment.ack, c->before.snd_una) || old <= power)
		return ACK_IN_RANGE;
	return old <= 2 * power ? ACK_OPEN : ACK_OUT_OF_RANGE;
}

/* 3.10.7.4 fifth, per state, for an ACK that passed the general check. */
static void
takes_ack(const struct oracle_case *c, struct oracle_choice *choice)
{
	bool is_new = before(c->before.snd_una, c->segment.ack);
	bool acks_fin = is_new && c->segment.ack == c->before.snd_nxt;
	enum tcp_state state = c->before.state;

	if (is_new) {
		choice->snd_una = c->segment.ack;
		choice->outcome |= TCP_OUTCOME_ACKED;
	}
	switch (state) {
	case TCP_SYN_RCVD: /* "then enter ESTABLISHED state and continue processing" */
		state = TCP_ESTABLISHED;
		choice->outcome &= ~TCP_OUTCOME_ACKED;
		choice->outcome |= TCP_OUTCOME_OPENED;
		choice->outcome_mask &= ~TCP_OUTCOME_ACKED;
		break;
	case TCP_FIN_WAIT_1: /* "if the FIN segment is now acknowledged, then enter FIN-WAIT-2" */
		state = acks_fin ? TCP_FIN_WAIT_2 : TCP_FIN_WAIT_1;
		break;
	case TCP_CLOSING: /* "if the ACK acknowledges our FIN, then enter the TIME-WAIT state" */
		state = acks_fin ? TCP_TIME_WAIT : TCP_CLOSING;
		break;
	case TCP_LAST_ACK: /* "If our FIN is now acknowledged, delete the TCB, enter the CLOSED" */
		state = acks_fin ? TCP_CLOSED : TCP_LAST_ACK;
		break;
	default:
		break;
	}
	choice->states = ORACLE_BIT(state);
	if (state == TCP_CLOSED) {
		choice->outcome = 0;
		choice->outcome_mask &= ~TCP_OUTCOME_ACKED;
		oracle_end(choice, TCP_OUTCOME_CLOSED);
	}
}

static void
enters_time_wait(const struct oracle_case *c, struct oracle_choice *choice)
{
	choice->states = ORACLE_BIT(TCP_TIME_WAIT);
	choice->determined |= ORACLE_DELAY; /* "start the time-wait timer": 2 MSL */
	choice->delay_ms = c->env.config->time_wait_ms;
}

static void
may_restart_time_wait(const struct oracle_case *c, struct oracle_choice *choice)
{
	if (c->before.state != TCP_TIME_WAIT && choice->states == ORACLE_BIT(TCP_TIME_WAIT))
		enters_time_wait(c, choice);
}

/* SND.WL1 and SND.WL2 are not kept; where the segment starts at RCV.NXT they cannot object. */
static void
takes_window(const struct oracle_case *c, struct oracle_choice *choice)
{
	if (before(c->segment.ack, c->before.snd_una))
		return;
	if (c->segment.seq != c->before.rcv_nxt || c->before.state >= TCP_CLOSING)
		choice->determined &= ~ORACLE_SND_WND;
	choice->snd_wnd = c->segment.window;
}

/* 3.10.7.4 sixth (URG changes nothing here), seventh and eighth, before the peer's FIN. */
static void
takes_text(const struct oracle_case *c, struct oracle_choice *choice)
{
	uint32_t skip = c->before.rcv_nxt - c->segment.seq;
	uint32_t fresh = c->segment.payload_length - skip;
	uint32_t room = c->env.rcv_wnd;

	/* "Data from segments can be moved into buffers until either the buffer is full or the
	 * segment is empty"; "trimming off any portions that lie outside the window". */
	choice->take = fresh < room ? fresh : room;
	choice->skip = choice->take > 0 ? skip : 0;
	choice->rcv_nxt += choice->take;
	if (choice->take > 0)
		choice->outcome |= TCP_OUTCOME_DATA;
	if (!has(c, TCP_FIN) || fresh >= room)
		return;

	/* "advance RCV.NXT over the FIN, and send an acknowledgment for the FIN" */
	choice->rcv_nxt++;
	choice->outcome |= TCP_OUTCOME_PEER_FIN;
	if (choice->states == ORACLE_BIT(TCP_ESTABLISHED))
		choice->states = ORACLE_BIT(TCP_CLOSE_WAIT);
	else if (choice->states == ORACLE_BIT(TCP_FIN_WAIT_1))
		choice->states = ORACLE_BIT(TCP_CLOSING);
	else
		enters_time_wait(c, choice);
}

/* "Any other segment [...] Users SHOULD": 3.6.1 SHLD-3, data after CLOSE may be answered by RST. */
static void
may_refuse_text(const struct oracle_case *c, struct oracle_verdict *verdict, uint16_t take)
{
	if (take == 0 || !(c->before.flags & TCP_CONN_ORPHAN))
		return;
	oracle_end(oracle_add(verdict, c, ORACLE_BIT(TCP_SEND_ABORT) | RST,
				   "3.6.1 SHLD-3 \"if new data is received after CLOSE is called, "
				   "its "
				   "TCP implementation SHOULD send a RST\""),
			TCP_OUTCOME_RESET);
}

/* A segment that begins at or before RCV.NXT, is acceptable and has an acceptable ACK. */
static void
accepts_in_order(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	bool occupies = segment_length(c) > 0;
	struct oracle_choice *choice = oracle_add(verdict, c, occupies ? ACK : NOTHING,
			occupies ? "3.10.7.4 seventh, eighth \"Send an acknowledgment of the form "
				   "<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>\""
				 : "3.10.7.4 fifth; nothing is sent for an acceptable ACK");

	if (c->before.flags & TCP_CONN_TIMESTAMPS)
		choice->ts_recent = c->segment.tsval; /* RFC 7323 5.3 R3 */
	takes_window(c, choice);
	takes_ack(c, choice);
	switch (c->before.state) {
	case TCP_SYN_RCVD:
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT_1:
	case TCP_FIN_WAIT_2:
		takes_text(c, choice);
		may_refuse_text(c, verdict, choice->take);
		break;
	case TCP_LAST_ACK:
	case TCP_CLOSE_WAIT:
	case TCP_CLOSING:
	case TCP_TIME_WAIT:
		choice->because = "3.10.7.4 fifth and seventh \"This should not occur since a FIN "
				  "has been received from the remote side. Ignore the segment "
				  "text.\"";
		if (occupies)
			choice->sends = NOTHING | ANY_ACK;
		may_restart_time_wait(c, choice);
		break;
	default:
		break;
	}
}

/* "Segments with higher beginning sequence numbers SHOULD be held for later processing (SHLD-31)":
 * this project does not hold them.  Whether the ACK field counts at once is not said. */
static void
arrives_out_of_order(const struct oracle_case *c, struct oracle_verdict *verdict, bool good_ack)
{
	bool had_fin = c->before.state >= TCP_CLOSE_WAIT;
	bool occupies = segment_length(c) > 0;
	uint32_t sends = occupies && !had_fin ? ACK : NOTHING | ANY_ACK;
	struct oracle_choice *choice;

	oracle_add(verdict, c, sends,
			"3.10.7.4 seventh MAY-13, RFC 5681 4.2 \"A TCP receiver SHOULD "
			"send an immediate duplicate ACK when an out-of-order segment "
			"arrives\"");
	if (!good_ack)
		return;
	choice = oracle_add(verdict, c, sends,
			"3.10.7.4 fifth; the ACK field of a segment within the window counts");
	takes_window(c, choice);
	takes_ack(c, choice);
	may_restart_time_wait(c, choice);
	if (choice->states == ORACLE_BIT(TCP_CLOSED))
		choice->sends = NOTHING;
}

/* 3.10.7.4 fifth, for a segment that is acceptable. */
static void
acknowledgment_arrives(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	bool in_order = !before(c->before.rcv_nxt, c->segment.seq);
	struct oracle_choice *choice;
	enum ack_range range = ack_range_of(c);

	if (c->before.state == TCP_SYN_RCVD) {
		bool good = acks_something_new(c);

		if (!good)
			oracle_leaves_timestamp_open(c,
					oracle_add(verdict, c, RST,
							"3.10.7.4 fifth \"If the segment "
							"acknowledgment is not acceptable, "
							"form a reset segment "
							"<SEQ=SEG.ACK><CTL=RST> and send it\"; the "
							"state stays"));
		else if (in_order)
			accepts_in_order(c, verdict);
		if (!in_order)
			arrives_out_of_order(c, verdict, good);
		return;
	}
	if (range != ACK_IN_RANGE) {
		choice = oracle_add(verdict, c, ANY_ACK,
				"3.10.7.4 fifth \"acceptable only if it is in the range of "
				"((SND.UNA - MAX.SND.WND) =< SEG.ACK =< SND.NXT). All [others] "
				"MUST be discarded and an ACK sent back\"");
		oracle_leaves_timestamp_open(c, choice);
	}
	if (range == ACK_OUT_OF_RANGE)
		return;
	if (in_order)
		accepts_in_order(c, verdict);
	else
		arrives_out_of_order(c, verdict, true);
}

/* The ACK field of a segment that is not acceptable, where it may count all the same. */
static void
ack_may_count(const struct oracle_case *c, struct oracle_verdict *verdict, const char *because)
{
	struct oracle_choice *choice;

	if (c->before.state == TCP_SYN_RCVD && !acks_something_new(c)) {
		choice = oracle_add(verdict, c, RST, "3.5.2 group 2, in spite of the zero window");
		choice->determined &= ~ORACLE_TS_RECENT;
		return;
	}
	if (ack_range_of(c) == ACK_OUT_OF_RANGE)
		return;
	choice = oracle_add(verdict, c, ANY_ACK, because);
	takes_window(c, choice);
	choice->determined &= ~(ORACLE_TS_RECENT | ORACLE_SND_WND);
	takes_ack(c, choice);
	may_restart_time_wait(c, choice);
	if (choice->states == ORACLE_BIT(TCP_CLOSED))
		choice->sends |= NOTHING;
}

/* The exceptions to "drop the unacceptable segment and return". */
static void
unacceptable_but(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	uint32_t length = segment_length(c);
	uint32_t end = c->segment.seq + length;
	bool begins_before = before(c->segment.seq, c->before.rcv_nxt);
	bool reaches_beyond = before(c->before.rcv_nxt, end);

	if (!has(c, TCP_ACK))
		return;
	if (c->env.rcv_wnd == 0 && reaches_beyond &&
			(begins_before || c->segment.seq == c->before.rcv_nxt))
		ack_may_count(c, verdict,
				"3.10.7.4 first \"If the RCV.WND is zero, [...] special allowance "
				"should be made to accept valid ACKs\"");
	/* A FIN or a probe once more; in a simultaneous close it may bring the ACK of our FIN. */
	if (c->before.state > TCP_SYN_RCVD &&
			(length > 0 ? end == c->before.rcv_nxt : end + 1 == c->before.rcv_nxt))
		ack_may_count(c, verdict,
				"A.2 \"TCP sequence number validation rules can prevent ACK fields "
				"from being processed [...] implementers should consider\"");
	/* Table 6 forgets the segment that covers the whole window and more; 4 "receive window":
	 * "segments overlapping the range RCV.NXT to RCV.NXT + RCV.WND - 1 carry acceptable data or
	 * control". */
	if (c->env.rcv_wnd > 0 && begins_before && reaches_beyond)
		acknowledgment_arrives(c, verdict);
}

/* "If an incoming segment is not acceptable, an acknowledgment should be sent in reply" */
static void
unacceptable_arrives(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	uint32_t end = c->segment.seq + segment_length(c);
	bool repeated = segment_length(c) > 0 && !before(c->before.rcv_nxt, end);
	struct oracle_choice *choice = oracle_add(verdict, c, ANY_ACK,
			"3.10.7.4 first \"If an incoming segment is not acceptable, an "
			"acknowledgment should be sent in reply [...] drop the "
			"unacceptable segment and return\"");

	oracle_leaves_timestamp_open(c, choice);
	if (!has(c, TCP_ACK))
		choice->sends |= NOTHING; /* The fifth step would drop it. */
	else if (repeated && c->before.state > TCP_SYN_RCVD && c->before.state != TCP_TIME_WAIT)
		/* Our acknowledgment was lost: a rate limit must not eat this one as well. */
		choice->sends = ACK;
	if (c->before.state == TCP_TIME_WAIT && has(c, TCP_FIN) && has(c, TCP_ACK) &&
			end == c->before.rcv_nxt && c->segment.ack == c->before.snd_nxt) {
		choice->because = "3.10.7.4 fifth TIME-WAIT \"a retransmission of the remote FIN. "
				  "Acknowledge it, and restart the 2 MSL timeout.\"";
		choice->determined |= ORACLE_DELAY;
		choice->delay_ms = c->env.config->time_wait_ms;
	}
	unacceptable_but(c, verdict);
}

/* 3.10.7.4 */
static void
arrives_in_other_states(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	enum oracle_timestamp timestamp = oracle_timestamp_of(c);

	if (has(c, TCP_RST)) {
		reset_arrives(c, verdict);
	} else if (has(c, TCP_SYN)) {
		oracle_syn_arrives(c, verdict);
	} else if (timestamp == ORACLE_TIMESTAMP_MISSING) {
		oracle_add(verdict, c, NOTHING,
				"RFC 7323 3.2 \"If a non-<RST> segment is received without a "
				"TSopt, a TCP SHOULD silently drop the segment.\"");
	} else if (timestamp == ORACLE_TIMESTAMP_OLDER) {
		oracle_add(verdict, c, has(c, TCP_ACK) ? ANY_ACK : ANY_ACK | NOTHING,
				"RFC 7323 5.3 R1 \"SEG.TSval < TS.Recent, [...] treat the arriving "
				"segment as not acceptable: Send an acknowledgment in reply [...] "
				"and drop the segment.\"");
	} else if (!oracle_is_acceptable(c)) {
		unacceptable_arrives(c, verdict);
	} else if (!has(c, TCP_ACK)) {
		oracle_leaves_timestamp_open(c, oracle_add(verdict, c, NOTHING,
								"3.10.7.4 fifth \"if the ACK bit "
								"is off, drop the segment and "
								"return\""));
	} else {
		acknowledgment_arrives(c, verdict);
	}
}

static void
segment_arrives(const struct oracle_case *c, struct oracle_verdict *verdict)
{
	switch (c->before.state) {
	case TCP_CLOSED:
		oracle_arrives_in_closed(c, verdict);
		break;
	case TCP_LISTEN:
		oracle_arrives_in_listen(c, verdict);
		break;
	case TCP_SYN_SENT:
		oracle_arrives_in_syn_sent(c, verdict);
		break;
	default:
		arrives_in_other_states(c, verdict);
		break;
	}
}

void
oracle_judge(const struct oracle_case *question, struct oracle_verdict *verdict)
{
	verdict->count = 0;
	switch (question->event) {
	case TCP_EVENT_TIMEOUT:
		oracle_timeout(question, verdict);
		break;
	case TCP_EVENT_OPEN:
		oracle_open(question, verdict);
		break;
	case TCP_EVENT_CLOSE:
		oracle_close(question, verdict);
		break;
	case TCP_EVENT_ABORT:
		oracle_abort(question, verdict);
		break;
	default:
		segment_arrives(question, verdict);
		break;
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Holding what happened against a verdict, and saying in words where they part.
 */

#include "oracle.h"

static const char *const state_names[TCP_STATES] = {
		[TCP_CLOSED] = "CLOSED",
		[TCP_LISTEN] = "LISTEN",
		[TCP_SYN_SENT] = "SYN-SENT",
		[TCP_SYN_RCVD] = "SYN-RECEIVED",
		[TCP_ESTABLISHED] = "ESTABLISHED",
		[TCP_FIN_WAIT_1] = "FIN-WAIT-1",
		[TCP_FIN_WAIT_2] = "FIN-WAIT-2",
		[TCP_CLOSE_WAIT] = "CLOSE-WAIT",
		[TCP_CLOSING] = "CLOSING",
		[TCP_LAST_ACK] = "LAST-ACK",
		[TCP_TIME_WAIT] = "TIME-WAIT",
};

static const char *const send_names[] = {
		[TCP_SEND_NOTHING] = "nothing",
		[TCP_SEND_SYN] = "SYN",
		[TCP_SEND_SYN_ACK] = "SYN,ACK",
		[TCP_SEND_ACK] = "ACK",
		[TCP_SEND_CHALLENGE_ACK] = "challenge ACK",
		[TCP_SEND_RST] = "RST",
		[TCP_SEND_RST_ACK] = "RST,ACK",
		[TCP_SEND_ABORT] = "abort",
		[TCP_SEND_FIN] = "FIN",
		[TCP_SEND_PROBE] = "probe",
};

#define SENDS (sizeof(send_names) / sizeof(send_names[0]))

static const char *const event_names[TCP_EVENTS] = {
		[TCP_EVENT_SYN] = "SYN",
		[TCP_EVENT_SYN_ACK] = "SYN,ACK",
		[TCP_EVENT_ACK] = "ACK",
		[TCP_EVENT_FIN] = "FIN",
		[TCP_EVENT_RST] = "RST",
		[TCP_EVENT_BARE] = "BARE",
		[TCP_EVENT_TIMEOUT] = "TIMEOUT",
		[TCP_EVENT_OPEN] = "OPEN",
		[TCP_EVENT_CLOSE] = "CLOSE",
		[TCP_EVENT_ABORT] = "ABORT",
};

static const char *const outcome_names[] = {
		"OPENED", "DATA", "PEER_FIN", "ACKED", "OUTPUT", "CLOSED", "RESET", "TIMED_OUT"};

static const struct {
	uint8_t bit;
	const char *name;
} flag_names[] = {
		{TCP_SYN, "SYN"},
		{TCP_FIN, "FIN"},
		{TCP_RST, "RST"},
		{TCP_PSH, "PSH"},
		{TCP_ACK, "ACK"},
		{TCP_URG, "URG"},
		{TCP_ECE, "ECE"},
		{TCP_CWR, "CWR"},
};

static bool
numbers_agree(const struct oracle_choice *choice, const struct oracle_case *question,
		const struct tcp_conn *after)
{
	uint32_t wanted = choice->determined;

	if ((wanted & ORACLE_RCV_NXT) && after->rcv_nxt != choice->rcv_nxt)
		return false;
	if ((wanted & ORACLE_SND_UNA) && after->snd_una != choice->snd_una)
		return false;
	if ((wanted & ORACLE_SND_NXT) && after->snd_nxt != choice->snd_nxt)
		return false;
	if ((wanted & ORACLE_TS_RECENT) && after->ts_recent != choice->ts_recent)
		return false;
	if ((wanted & ORACLE_SND_WND) && after->snd_wnd != choice->snd_wnd)
		return false;
	if ((wanted & ORACLE_NEW_ISS) &&
			(after->snd_una - question->before.snd_nxt >= 0x80000000u ||
					after->snd_nxt != after->snd_una + 1))
		return false;
	return true;
}

static bool
choice_permits(const struct oracle_choice *choice, const struct oracle_case *question,
		const struct tcp_conn *after, const struct tcp_action *action)
{
	uint8_t ending = action->outcome & ORACLE_ENDINGS;

	if (after->state >= TCP_STATES || action->send >= SENDS)
		return false;
	if (!(choice->states & ORACLE_BIT(after->state)) ||
			!(choice->sends & ORACLE_BIT(action->send)))
		return false;
	if (!numbers_agree(choice, question, after))
		return false;
	if ((after->flags & choice->flags_mask) != choice->flags)
		return false;
	if ((action->outcome & choice->outcome_mask) != choice->outcome)
		return false;
	if ((action->outcome & TCP_OUTCOME_DATA) &&
			(action->skip != choice->skip || action->take != choice->take))
		return false;
	if (choice->endings == 0 ? ending != 0
				 : (ending & ~choice->endings) != 0 || ending == 0 ||
							(ending & (ending - 1)) != 0)
		return false;
	if ((choice->determined & ORACLE_DELAY) &&
			(action->timer != TCP_TIMER_SET || action->delay_ms != choice->delay_ms))
		return false;
	return true;
}

bool
oracle_permits(const struct oracle_verdict *verdict, const struct oracle_case *question,
		const struct tcp_conn *after, const struct tcp_action *action)
{
	for (unsigned int i = 0; i < verdict->count; i++)
		if (choice_permits(&verdict->choice[i], question, after, action))
			return true;
	return false;
}

static void
print_bits(FILE *file, uint32_t bits, const char *const *names, unsigned int count)
{
	const char *separator = "";

	for (unsigned int i = 0; i < count; i++) {
		if (!(bits & ORACLE_BIT(i)))
			continue;
		fprintf(file, "%s%s", separator, names[i]);
		separator = " or ";
	}
}

static void
print_outcome(FILE *file, uint8_t outcome)
{
	for (unsigned int i = 0; i < 8; i++)
		if (outcome & ORACLE_BIT(i))
			fprintf(file, " %s", outcome_names[i]);
}

static void
print_flags(FILE *file, uint8_t flags)
{
	const char *separator = "";

	fputc('<', file);
	for (unsigned int i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++) {
		if (!(flags & flag_names[i].bit))
			continue;
		fprintf(file, "%s%s", separator, flag_names[i].name);
		separator = ",";
	}
	fputc('>', file);
}

static void
print_segment(FILE *file, const struct oracle_case *question)
{
	const struct tcp_segment *segment = &question->segment;
	const struct tcp_conn *before = &question->before;

	fprintf(file, "    segment ");
	print_flags(file, segment->flags);
	fprintf(file, " SEQ=RCV.NXT%+d", (int32_t)(segment->seq - before->rcv_nxt));
	if (segment->flags & TCP_ACK)
		fprintf(file, " ACK=SND.UNA%+d", (int32_t)(segment->ack - before->snd_una));
	fprintf(file, " payload %u window %u", segment->payload_length, segment->window);
	if (segment->options & TCP_OPTION_TIMESTAMPS)
		fprintf(file, " TSval=TS.Recent%+d", (int32_t)(segment->tsval - before->ts_recent));
	fputc('\n', file);
}

void
oracle_print_case(FILE *file, const struct oracle_case *question)
{
	const struct tcp_conn *before = &question->before;

	fprintf(file,
			"  %s in %s (%s%s%s%s%s), in flight %u, RCV.NXT %#x, RCV.WND %u, retries "
			"%u\n",
			event_names[question->event], state_names[before->state],
			before->flags & TCP_CONN_ACTIVE ? "active" : "passive",
			before->flags & TCP_CONN_TIMESTAMPS ? ", timestamps" : "",
			before->flags & TCP_CONN_ORPHAN ? ", orphan" : "",
			before->flags & TCP_CONN_PERSIST ? ", persist" : "",
			question->env.config->rfc1337 ? ", rfc1337" : "",
			before->snd_nxt - before->snd_una, before->rcv_nxt, question->env.rcv_wnd,
			before->retries);
	if (question->event <= TCP_EVENT_BARE)
		print_segment(file, question);
}

void
oracle_print_verdict(FILE *file, const struct oracle_case *question,
		const struct oracle_verdict *verdict)
{
	const struct tcp_conn *before = &question->before;

	for (unsigned int i = 0; i < verdict->count; i++) {
		const struct oracle_choice *choice = &verdict->choice[i];

		fprintf(file, "    %s ", i == 0 ? "expected" : "or      ");
		print_bits(file, choice->states, state_names, TCP_STATES);
		fprintf(file, "; send ");
		print_bits(file, choice->sends, send_names, SENDS);
		if (choice->determined & ORACLE_RCV_NXT)
			fprintf(file, "; RCV.NXT%+d", (int32_t)(choice->rcv_nxt - before->rcv_nxt));
		if (choice->determined & ORACLE_SND_UNA)
			fprintf(file, "; SND.UNA%+d", (int32_t)(choice->snd_una - before->snd_una));
		if (choice->determined & ORACLE_SND_NXT)
			fprintf(file, "; SND.NXT%+d", (int32_t)(choice->snd_nxt - before->snd_nxt));
		if (choice->determined & ORACLE_NEW_ISS)
			fprintf(file, "; new ISS above SND.NXT");
		if (choice->determined & ORACLE_TS_RECENT)
			fprintf(file, "; TS.Recent%+d",
					(int32_t)(choice->ts_recent - before->ts_recent));
		if (choice->determined & ORACLE_SND_WND)
			fprintf(file, "; SND.WND %u", choice->snd_wnd);
		if (choice->outcome & TCP_OUTCOME_DATA)
			fprintf(file, "; data skip %u take %u", choice->skip, choice->take);
		if (choice->flags_mask)
			fprintf(file, "; flags %#x of %#x", choice->flags, choice->flags_mask);
		if (choice->determined & ORACLE_DELAY)
			fprintf(file, "; timer %u ms", choice->delay_ms);
		fprintf(file, "; outcome");
		print_outcome(file, choice->outcome);
		if (choice->endings) {
			fprintf(file, ", one of");
			print_outcome(file, choice->endings);
		}
		fprintf(file, "\n             %s\n", choice->because);
	}
}

void
oracle_print_result(FILE *file, const struct oracle_case *question, const struct tcp_conn *after,
		const struct tcp_action *action)
{
	const struct tcp_conn *before = &question->before;

	fprintf(file,
			"    got      %s; send %s; RCV.NXT%+d; SND.UNA%+d; SND.NXT%+d; "
			"TS.Recent%+d; "
			"SND.WND %u",
			after->state < TCP_STATES ? state_names[after->state] : "?",
			action->send < SENDS ? send_names[action->send] : "?",
			(int32_t)(after->rcv_nxt - before->rcv_nxt),
			(int32_t)(after->snd_una - before->snd_una),
			(int32_t)(after->snd_nxt - before->snd_nxt),
			(int32_t)(after->ts_recent - before->ts_recent), after->snd_wnd);
	if (action->outcome & TCP_OUTCOME_DATA)
		fprintf(file, "; data skip %u take %u", action->skip, action->take);
	if (after->flags != before->flags)
		fprintf(file, "; flags %#x to %#x", before->flags, after->flags);
	if (action->timer == TCP_TIMER_SET)
		fprintf(file, "; timer %u ms", action->delay_ms);
	fprintf(file, "; outcome");
	print_outcome(file, action->outcome);
	fprintf(file, "; rule %u\n", action->rule);
}

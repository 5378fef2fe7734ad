/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Segments of connections that the generator does not have, or has no more.
 *
 * A connection in TIME_WAIT owes its peer one thing: an answer, should our last acknowledgement
 * have been lost and the FIN come again.  What that answer says can be computed from the segment,
 * and that the connection was ours from what it acknowledges: the end of everything we say, counted
 * from an initial number that is a keyed hash of the tuple plus a clock (RFC 6528).  So nothing is
 * kept, for millions of closes a second, and TIME_WAIT lasts as long as it should.  A segment that
 * only guesses the number is taken for one of ours once in seventy times, and is told nothing but
 * its own numbers.
 */

#include "engine/load.h"
#include "engine/transmit.h"
#include "engine/worker.h"

/* From the beginning of a connection to the end of its TIME_WAIT, in the clock's 4 us. */
#define LOAD_STRANGER_MEMORY (240u * 1000000 / 4)

/* Whether a segment acknowledges our FIN, on a connection that began not long ago. */
static bool
load_stranger_is_past(const struct worker *worker, const struct flow_key *key, uint32_t ack)
{
	const struct load_worker *load = worker->load;
	const struct load_plan *plan = &load->load->plan;
	const uint32_t said = plan->requests * load->request.length;
	const uint32_t hash = (uint32_t)siphash_flow(&worker->engine->isn_key, key);
	/* SYN and FIN count one each. */
	const uint32_t clock = ack - said - 2 - hash;

	return plan->exchange != LOAD_HANDSHAKE &&
	       (uint32_t)(worker->now_us >> 2) - clock < LOAD_STRANGER_MEMORY;
}

/* Turn the packet into an answer. */
static void
load_stranger_answer(struct worker *worker, struct burst *burst, unsigned int i,
		struct frame_tcp *answer)
{
	const struct load_worker *load = worker->load;
	const struct flow_key *key = &burst->key[i];
	const struct tcp_segment *segment = &burst->segment[i];
	const bool timed = (segment->options & TCP_OPTION_TIMESTAMPS) != 0 &&
			   (answer->flags & TCP_RST) == 0;
	struct rte_mbuf *packet = burst->packet[i];
	const struct frame_text *options = NULL;
	struct frame_text text;
	uint8_t bytes[LOAD_TIMES_BYTES];

	if (timed)
		options = load_write_times(load, segment->tsval, bytes, &text);
	answer->source = key->address;
	answer->port = key->port;
	rte_pktmbuf_reset_headroom(packet);
	packet->ol_flags = 0;
	packet->data_len = (uint16_t)frame_template_write(
			&load->load->target[flow_key_target(key)].frames,
			rte_pktmbuf_mtod(packet, uint8_t *), answer, options, NULL);
	packet->pkt_len = packet->data_len;
	transmit_reply(worker, packet);
}

/* What a segment is answered with. @return false: nothing. */
static bool
load_stranger_judge(struct worker *worker, const struct burst *burst, unsigned int i,
		struct frame_tcp *answer)
{
	const struct tcp_segment *segment = &burst->segment[i];
	const enum tcp_event event = (enum tcp_event)burst->event[i];
	const uint32_t length = tcp_segment_length(segment);
	struct tcp_conn closed = {.state = TCP_CLOSED};
	struct tcp_action action;

	if (event == TCP_EVENT_UNREACHABLE || event == TCP_EVENT_TOO_BIG || event == TCP_EVENT_SYN)
		return false;
	if ((event == TCP_EVENT_FIN || event == TCP_EVENT_ACK) &&
			load_stranger_is_past(worker, &burst->key[i], segment->ack)) {
		/* RFC 9293 3.10.7.4: what occupies numbers is acknowledged again. */
		*answer = (struct frame_tcp){.window = UINT16_MAX,
				.seq = segment->ack,
				.ack = segment->seq + length,
				.flags = TCP_ACK};
		return length > 0;
	}
	action = tcp_step(&closed, event, segment, &worker->load->env);
	if (action.send == TCP_SEND_NOTHING || !token_bucket_take(&worker->resets, worker->now_us))
		return false;
	*answer = (struct frame_tcp){.seq = segment->ack, .flags = TCP_RST};
	if (action.send == TCP_SEND_RST_ACK)
		*answer = (struct frame_tcp){
				.ack = segment->seq + length, .flags = TCP_RST | TCP_ACK};
	return true;
}

void
load_stranger(struct worker *worker, struct burst *burst, unsigned int i)
{
	struct frame_tcp answer;

	if (load_stranger_judge(worker, burst, i, &answer))
		load_stranger_answer(worker, burst, i, &answer);
	else
		worker_drop(worker, burst->packet[i], DROP_consumed);
	burst->packet[i] = NULL;
}

/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include "lossy_host.h"
#include "tcp/tcp_seq.h"

#define OUTPUT                                                                              \
	(TCP_OUTCOME_OPENED | TCP_OUTCOME_DATA | TCP_OUTCOME_PEER_FIN | TCP_OUTCOME_ACKED | \
			TCP_OUTCOME_OUTPUT)
#define ENDED       (TCP_OUTCOME_CLOSED | TCP_OUTCOME_RESET | TCP_OUTCOME_TIMED_OUT)
#define BURST_LIMIT 300 /* More segments at once than the largest congestion window. */
/* RFC 5961 7; without it two full windows that were lost acknowledge each other for ever. */
#define CHALLENGE_INTERVAL_MS 10

static void
claim(struct lossy_host *host, bool holds, const char *claim_text)
{
	if (!holds && host->failure == NULL)
		host->failure = claim_text;
}

static uint32_t
receive_window(const struct lossy_host *host)
{
	return host->buffer > host->unread ? host->buffer - host->unread : 0;
}

static struct tcp_env
environment(const struct lossy_host *host)
{
	return (struct tcp_env){
			.config = &host->plan.config,
			.now_ms = (uint32_t)host->now_ms,
			.ts_clock = (uint32_t)host->now_ms + host->plan.ts_offset,
			.rcv_wnd = receive_window(host),
			.isn = host->plan.isn,
			.path_mss = host->plan.path_mss,
			.default_mss = 536,
	};
}

static void
emit(struct lossy_host *host, struct lossy_segment *segment)
{
	struct tcp_segment *tcp = &segment->tcp;
	const bool syn = (tcp->flags & TCP_SYN) != 0;
	const bool scaled = !syn && (host->conn.flags & TCP_CONN_WINDOW_SCALE) != 0;
	const uint8_t shift = scaled ? host->plan.config.rcv_wnd_scale : 0;
	const uint32_t window = receive_window(host) >> shift;

	tcp->window = (uint16_t)(window < UINT16_MAX ? window : UINT16_MAX);
	if ((tcp->flags & TCP_ACK) != 0) {
		const uint32_t edge = tcp->ack + ((uint32_t)tcp->window << shift);

		if (!host->announced || tcp_seq_lt(host->right_edge, edge))
			host->right_edge = edge;
		host->announced = true;
	}
	if ((host->conn.flags & TCP_CONN_TIMESTAMPS) != 0) {
		tcp->options |= TCP_OPTION_TIMESTAMPS;
		tcp->tsval = environment(host).ts_clock;
		tcp->tsecr = host->conn.ts_recent;
	}
	host->emit(host, segment);
}

static void
add_syn_options(const struct lossy_host *host, struct tcp_segment *tcp)
{
	tcp->options |= TCP_OPTION_MSS;
	tcp->mss = host->plan.path_mss;
	if ((host->conn.flags & TCP_CONN_SACK) != 0)
		tcp->options |= TCP_OPTION_SACK_PERMITTED;
	if ((host->conn.flags & TCP_CONN_WINDOW_SCALE) != 0) {
		tcp->options |= TCP_OPTION_WINDOW_SCALE;
		tcp->window_scale = host->plan.config.rcv_wnd_scale;
	}
}

/* enum tcp_send, word by word (tcp_step.h). */
static void
send_control(struct lossy_host *host, enum tcp_send send, const struct tcp_segment *answered)
{
	const struct tcp_conn *conn = &host->conn;
	struct lossy_segment segment = {.tcp = {.flags = TCP_ACK}};
	struct tcp_segment *tcp = &segment.tcp;

	tcp->seq = conn->snd_nxt;
	tcp->ack = conn->rcv_nxt;
	switch (send) {
	case TCP_SEND_NOTHING:
		return;
	case TCP_SEND_SYN:
		tcp->flags = TCP_SYN;
		tcp->seq = conn->snd_una;
		tcp->ack = 0;
		add_syn_options(host, tcp);
		break;
	case TCP_SEND_SYN_ACK:
		tcp->flags = TCP_SYN | TCP_ACK;
		tcp->seq = conn->snd_una;
		add_syn_options(host, tcp);
		break;
	case TCP_SEND_RST:
		tcp->flags = TCP_RST;
		tcp->seq = answered->ack;
		tcp->ack = 0;
		break;
	case TCP_SEND_RST_ACK:
		tcp->flags = TCP_RST | TCP_ACK;
		tcp->seq = 0;
		tcp->ack = answered->seq + tcp_segment_length(answered);
		break;
	case TCP_SEND_ABORT:
		tcp->flags |= TCP_RST;
		break;
	case TCP_SEND_FIN:
		tcp->flags |= TCP_FIN;
		tcp->seq = conn->snd_nxt - 1;
		break;
	case TCP_SEND_PROBE:
		tcp->seq = conn->snd_una - 1;
		break;
	case TCP_SEND_CHALLENGE_ACK:
		if (host->now_ms < host->challenge_ms)
			return;
		host->challenge_ms = host->now_ms + CHALLENGE_INTERVAL_MS;
		break;
	case TCP_SEND_ACK:
		break;
	}
	emit(host, &segment);
}

static struct tcp_stream
stream_of(const struct lossy_host *host)
{
	const struct lossy_plan *plan = &host->plan;
	bool fin = host->ready == plan->send;

	if (plan->close == LOSSY_CLOSE_AFTER_BYTES)
		fin &= host->received == plan->expect;
	else if (plan->close == LOSSY_CLOSE_AFTER_PEER_FIN)
		fin &= host->peer_closed;
	return (struct tcp_stream){.end = plan->isn + 1 + host->ready, .fin = fin};
}

static void
check_chunk(struct lossy_host *host, const struct tcp_chunk *chunk, const struct tcp_conn *before,
		const struct tcp_stream *stream)
{
	const uint32_t fin = (chunk->flags & TCP_FIN) != 0;
	const uint32_t end = chunk->seq + chunk->length + fin;
	const uint32_t window = (uint32_t)before->snd_wnd << (before->scales & 0xf);

	claim(host, (chunk->flags & ~(TCP_FIN | TCP_PSH)) == TCP_ACK, "ACK on every segment");
	claim(host, chunk->length + fin > 0, "no empty segments");
	claim(host, chunk->length <= before->mss, "no segment is larger than the MSS");
	claim(host, tcp_seq_leq(end, stream->end + fin), "nothing beyond the stream's end");
	claim(host, !fin || (stream->fin && end == stream->end + 1), "FIN behind the last byte");
	if (chunk->again) {
		claim(host, chunk->seq == before->snd_una, "sent again from SND.UNA");
		claim(host, tcp_seq_leq(end, before->snd_nxt), "again only what was sent before");
		claim(host, host->conn.snd_nxt == before->snd_nxt, "sending again moves nothing");
		return;
	}
	claim(host, chunk->seq == before->snd_nxt, "new data from SND.NXT");
	claim(host, host->conn.snd_nxt == end, "SND.NXT moves over what was sent");
	claim(host, end - before->snd_una <= window, "new data stays in the peer's window");
	claim(host,
			chunk->length == 0 || end - fin - before->snd_una <=
							      (uint32_t)before->cwnd * before->mss,
			"new data stays in the congestion window");
}

static bool
send_stream(struct lossy_host *host)
{
	const struct tcp_env env = environment(host);
	const struct tcp_stream stream = stream_of(host);
	struct tcp_conn before = host->conn;
	struct tcp_chunk chunk;
	unsigned int sent = 0;
	uint32_t delay_ms;

	while (tcp_output_next(&host->conn, &stream, &env, &chunk)) {
		struct lossy_segment segment = {
				.tcp = {.seq = chunk.seq,
						.ack = host->conn.rcv_nxt,
						.payload_length = chunk.length,
						.flags = chunk.flags},
				.offset = chunk.seq - (host->plan.isn + 1),
		};

		check_chunk(host, &chunk, &before, &stream);
		before = host->conn;
		emit(host, &segment);
		if (++sent == BURST_LIMIT) {
			claim(host, false, "a burst ends");
			break;
		}
	}
	delay_ms = tcp_output_timer(&host->conn, &host->plan.config);
	if (delay_ms != TCP_OUTPUT_TIMER_KEEP)
		host->deadline_ms = host->now_ms + delay_ms;
	return sent > 0;
}

static void
take_outcome(struct lossy_host *host, const struct tcp_action *action, uint32_t acked,
		const struct lossy_segment *segment)
{
	if ((action->outcome & (TCP_OUTCOME_ACKED | TCP_OUTCOME_OUTPUT)) != 0)
		tcp_output_react(&host->conn, &host->sender, action, acked);
	if ((action->outcome & TCP_OUTCOME_DATA) != 0) {
		claim(host,
				segment != NULL && action->take > 0 &&
						action->skip + action->take <=
								segment->tcp.payload_length,
				"only what is in the segment is taken");
		claim(host, segment->offset + action->skip == host->received,
				"the stream comes without gap or repetition");
		claim(host, action->take <= receive_window(host), "nothing beyond RCV.WND");
		claim(host, !host->peer_closed, "no data after the FIN");
		host->received += action->take;
		if (!host->reads)
			host->unread += action->take;
		if (host->received >= host->plan.wait && host->next_piece_ms == UINT64_MAX &&
				host->ready < host->plan.send)
			host->next_piece_ms = host->now_ms;
	}
	if ((action->outcome & TCP_OUTCOME_PEER_FIN) != 0) {
		claim(host, !host->peer_closed, "one FIN");
		claim(host, host->received == host->plan.expect, "FIN after all the data");
		host->peer_closed = true;
	}
}

static void
happens(struct lossy_host *host, enum tcp_event event, const struct lossy_segment *segment)
{
	const struct tcp_segment *tcp = segment != NULL ? &segment->tcp : NULL;
	const struct tcp_env env = environment(host);
	const struct tcp_conn before = host->conn;
	struct tcp_conn *conn = &host->conn;
	struct tcp_action action = tcp_step(conn, event, tcp, &env);
	bool has_stream;

	if ((action.outcome & ENDED) != 0) {
		claim(host, conn->state == TCP_CLOSED, "an ended connection is CLOSED");
		host->last_state = before.state;
		host->ended = action.outcome & ENDED;
		host->deadline_ms = UINT64_MAX;
		host->next_piece_ms = UINT64_MAX;
		if (tcp != NULL)
			take_outcome(host, &action, 0, segment);
		send_control(host, (enum tcp_send)action.send, tcp);
		return;
	}
	if ((action.outcome & TCP_OUTCOME_OPENED) != 0) {
		claim(host, !host->opened, "opened once");
		host->opened = true;
		tcp_output_open(conn, &host->sender, &host->plan.config);
		host->next_piece_ms = host->now_ms;
	}
	claim(host, before.state <= TCP_LISTEN || tcp_seq_leq(before.snd_nxt, conn->snd_nxt),
			"SND.NXT never moves back");
	claim(host, before.state <= TCP_SYN_SENT || tcp_seq_leq(before.rcv_nxt, conn->rcv_nxt),
			"RCV.NXT never moves back");
	take_outcome(host, &action, conn->snd_una - before.snd_una, segment);
	has_stream = (action.outcome & OUTPUT) != 0 && conn->state >= TCP_ESTABLISHED &&
		     conn->state != TCP_TIME_WAIT;
	if (!(has_stream && send_stream(host)))
		send_control(host, (enum tcp_send)action.send, tcp);
	if (!has_stream && action.timer == TCP_TIMER_SET)
		host->deadline_ms = host->now_ms + action.delay_ms;
	if (event == TCP_EVENT_TIMEOUT)
		claim(host, host->deadline_ms > host->now_ms, "a timeout is followed by another");
	claim(host, conn->state <= TCP_LISTEN || host->deadline_ms != UINT64_MAX,
			"a connection has a timer");
}

void
lossy_host_init(struct lossy_host *host, const struct lossy_plan *plan, bool active)
{
	memset(host, 0, sizeof(*host));
	host->name = active ? "client" : "server";
	host->plan = *plan;
	host->conn.state = active ? TCP_CLOSED : TCP_LISTEN;
	host->buffer = plan->buffer;
	host->reads = true;
	host->next_piece_ms = UINT64_MAX;
	host->deadline_ms = UINT64_MAX;
}

void
lossy_host_open(struct lossy_host *host, uint64_t now_ms)
{
	host->now_ms = now_ms;
	happens(host, TCP_EVENT_OPEN, NULL);
}

void
lossy_host_receive(struct lossy_host *host, const struct lossy_segment *segment, uint64_t now_ms)
{
	const uint32_t end = segment->tcp.seq + tcp_segment_length(&segment->tcp);

	host->now_ms = now_ms;
	if (host->announced && segment->tcp.payload_length > 0)
		claim(host, tcp_seq_leq(end, host->right_edge),
				"the peer sends nothing beyond what it was ever offered");
	if (host->ended != 0) {
		/* There is nobody any more: as a closed port. */
		const struct tcp_env env = environment(host);
		struct tcp_conn stranger = {.state = TCP_CLOSED};
		const struct tcp_action action = tcp_step(
				&stranger, tcp_step_event(segment->tcp.flags), &segment->tcp, &env);

		host->conn = stranger;
		send_control(host, (enum tcp_send)action.send, &segment->tcp);
		return;
	}
	happens(host, tcp_step_event(segment->tcp.flags), segment);
}

void
lossy_host_timeout(struct lossy_host *host, uint64_t now_ms)
{
	host->now_ms = now_ms;
	happens(host, TCP_EVENT_TIMEOUT, NULL);
}

/* The application has something to say without being asked by the network. */
static void
speak(struct lossy_host *host)
{
	if (host->ended == 0 && host->conn.state >= TCP_ESTABLISHED &&
			host->conn.state != TCP_TIME_WAIT)
		send_stream(host);
}

void
lossy_host_piece(struct lossy_host *host, uint64_t now_ms)
{
	const struct lossy_plan *plan = &host->plan;

	host->now_ms = now_ms;
	host->next_piece_ms = UINT64_MAX;
	if (host->received < plan->wait)
		return;
	host->ready += plan->piece < plan->send - host->ready ? plan->piece
							      : plan->send - host->ready;
	if (host->ready < plan->send)
		host->next_piece_ms = now_ms + plan->pause;
	speak(host);
}

void
lossy_host_read(struct lossy_host *host, bool reads, uint32_t buffer, uint64_t now_ms)
{
	const uint32_t before = receive_window(host);

	host->now_ms = now_ms;
	host->reads = reads;
	host->buffer = buffer;
	if (reads)
		host->unread = 0;
	/* RFC 9293 3.8.6.2.2, from the receiver's side. */
	if (host->ended == 0 && host->conn.state >= TCP_ESTABLISHED && before < host->conn.mss &&
			receive_window(host) > before)
		send_control(host, TCP_SEND_ACK, NULL);
}

bool
lossy_host_is_done(const struct lossy_host *host)
{
	return host->ended != 0 && host->peer_closed && host->received == host->plan.expect &&
	       (host->conn.state == TCP_CLOSED) && host->ready == host->plan.send;
}

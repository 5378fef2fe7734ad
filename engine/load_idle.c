/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Many connections that are opened and held, in a byte each.
 *
 * Everything a held connection has to say can be computed: its tuple from its place in the walk,
 * its sequence number from its tuple, and what it acknowledges from the segment that asks.  The
 * byte keeps what has happened to it, and the low bits of what the peer sent last: they tell a
 * keep-alive probe from an acknowledgement (not to be answered), and its resets from forged ones.
 *
 * A lost SYN is found by passing over all of them again, as often as --retries says.
 */

#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>

#include "engine/load.h"
#include "engine/transmit.h"
#include "engine/worker.h"

#define LOAD_IDLE_BURST 32
/* SYNs on their way when no rate was asked for. */
#define LOAD_IDLE_WINDOW 512
/* A SYN leaves its place in the window when it has had no answer for so long, or twice that. */
#define LOAD_IDLE_FLIGHT_US 1000000
/* A device that has taken nothing for so long takes no resets; before the batch is given up. */
#define LOAD_IDLE_STUCK_US 500000
/* Tuples looked at per turn, when most of them need nothing. */
#define LOAD_IDLE_LOOKS 4096

/* In the upper bits of the byte; the lower six are the peer's. */
enum load_idle_state {
	LOAD_IDLE_UNUSED = 0x00,
	LOAD_IDLE_ASKED = 0x40,
	LOAD_IDLE_HELD = 0x80,
	LOAD_IDLE_OVER = 0xc0,
	LOAD_IDLE_STATE = 0xc0,
	LOAD_IDLE_PEER = 0x3f,
	/* In the lower bits, until there is a peer: in this pass it was challenged. */
	LOAD_IDLE_CHALLENGED = 0x01,
	LOAD_IDLE_REPEATED = 0x02, /* It went again, in any pass. */
};

struct load_idle {
	uint8_t *conn;   /* One byte for each tuple from base on. */
	uint64_t span;   /* How many. */
	uint64_t base;   /* The number of the first. */
	uint64_t total;  /* Tuples of the walk. */
	uint64_t wanted; /* Connections this worker is to hold, so far. */
	uint64_t asked;
	uint64_t waiting; /* Of those, SYNs without an answer. */
	uint64_t held;
	uint64_t next;      /* Where this pass is, from base on. */
	uint64_t flying[2]; /* SYNs without an answer: sent before the latest mark, and since. */
	uint64_t mark[2];   /* Where the pass was when they began to be sent. */
	uint64_t marked_us; /* When the latest mark was set. */
	uint64_t sent_us;   /* When the last SYN went. */
	unsigned int pass;  /* How often all that have no answer were repeated. */
	bool used_up;       /* Of the tuples each has been used. */
	bool sharing;       /* This pass begins what others could not, and repeats nothing. */
	bool releasing;
};

uint64_t
load_idle_span(uint32_t concurrency, unsigned int workers)
{
	return workers == 1 ? concurrency : (uint64_t)concurrency + concurrency / 8 + 65536;
}

int
load_idle_init(struct worker *worker)
{
	struct load_worker *load = worker->load;
	const struct load_plan *plan = &load->load->plan;
	const unsigned int workers = worker->engine->worker_count;
	struct load_idle *idle = calloc(1, sizeof(*idle));

	if (idle == NULL)
		return -1;
	load->idle = idle;
	idle->total = tuple_walk_count(load->walk);
	/* All workers pass over the same tuples, and each takes its own. */
	idle->base = load->secret % idle->total;
	idle->wanted = load_part(plan->concurrency, worker->index, workers);
	idle->span = RTE_MIN(load_idle_span(plan->concurrency, workers), idle->total);
	idle->wanted = RTE_MIN(idle->wanted, idle->span);
	idle->conn = mmap(NULL, idle->span, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);
	if (idle->conn == MAP_FAILED) {
		idle->conn = NULL;
		return -1;
	}
	madvise(idle->conn, idle->span, MADV_HUGEPAGE);
	tuple_walk_seek(load->walk, idle->base);
	return 0;
}

void
load_idle_free(struct load_worker *load)
{
	if (load->idle == NULL)
		return;
	if (load->idle->conn != NULL)
		munmap(load->idle->conn, load->idle->span);
	free(load->idle);
	load->idle = NULL;
}

bool
load_idle_is_releasing(const struct worker *worker)
{
	const struct load_worker *load = worker->load;
	const struct load_idle *idle = load->idle;
	const bool unsent = load->batch_first < load->batch_end;

	if (!idle->releasing)
		return true;
	return (unsent || (idle->held > 0 && idle->next < idle->span)) &&
	       worker->now_us - load->batch_us < LOAD_IDLE_STUCK_US;
}

/* The byte of a tuple; NULL when it is none of ours. */
static uint8_t *
load_idle_of(const struct load_worker *load, const struct tuple *tuple)
{
	const struct load_idle *idle = load->idle;
	uint64_t number = tuple_walk_number(load->walk, tuple);

	if (number == TUPLE_WALK_NONE)
		return NULL;
	number = number >= idle->base ? number - idle->base : number + idle->total - idle->base;
	return number < idle->span ? &idle->conn[number] : NULL;
}

static void
load_idle_set(struct load_worker *load, uint8_t *conn, enum load_idle_state state, uint32_t peer)
{
	struct load_idle *idle = load->idle;
	const uint8_t before = *conn & LOAD_IDLE_STATE;

	*conn = (uint8_t)(state | (peer & LOAD_IDLE_PEER));
	idle->held += (state == LOAD_IDLE_HELD) - (before == LOAD_IDLE_HELD);
	idle->waiting += (state == LOAD_IDLE_ASKED) - (before == LOAD_IDLE_ASKED);
}

static void
load_idle_write(struct worker *worker, struct rte_mbuf *packet, const struct tuple *tuple,
		struct frame_tcp *tcp, const struct frame_text *options)
{
	struct load_worker *load = worker->load;
	unsigned int length;

	tcp->source = tuple->address;
	tcp->port = tuple->port;
	tcp->window = UINT16_MAX;
	length = frame_template_write(&load->load->target[tuple->target].frames,
			rte_pktmbuf_mtod(packet, uint8_t *), tcp, options, NULL);
	packet->data_len = (uint16_t)length;
	packet->pkt_len = length;
	packet->port = 0;
}

/*
 * A SYN was answered.  Its place in the pass says when it was sent, so what is lost does not stay
 * in the window for as long as others are answered.
 */
static void
load_idle_land(struct load_idle *idle, const uint8_t *conn)
{
	const uint64_t at = (uint64_t)(conn - idle->conn);
	const unsigned int since = at >= idle->mark[1];

	/* Else an earlier pass sent it, or it has left the window. */
	if (at < idle->next && at >= idle->mark[0])
		idle->flying[since] -= idle->flying[since] > 0;
}

/* What was sent before the latest mark has had its time. */
static void
load_idle_mark(struct load_idle *idle, uint64_t now_us)
{
	if (now_us - idle->marked_us < LOAD_IDLE_FLIGHT_US)
		return;
	idle->marked_us = now_us;
	idle->flying[0] = idle->flying[1];
	idle->flying[1] = 0;
	idle->mark[0] = idle->mark[1];
	idle->mark[1] = idle->next;
}

/* Nobody is there. */
static bool
load_idle_fail(struct load_worker *load, uint8_t *conn, enum failure failure)
{
	load_idle_land(load->idle, conn);
	figures_fail(load->figures, failure);
	load_idle_set(load, conn, LOAD_IDLE_OVER, 0);
	return false;
}

/* Our SYN was answered: by what it should be, by something older, or by a refusal. */
static bool
load_idle_asked(struct load_worker *load, uint8_t *conn, const struct tuple *tuple,
		enum tcp_event event, const struct tcp_segment *segment, struct frame_tcp *answer)
{
	const uint32_t isn = load_isn(load, tuple);

	/* RFC 9293 3.9.2.2 (SHLD-26); RFC 5927 4.1: it quotes our SYN. */
	if (event == TCP_EVENT_UNREACHABLE && segment->seq == isn)
		return load_idle_fail(load, conn, FAILURE_unreachable);
	if ((segment->flags & TCP_ACK) == 0)
		return false;
	if (segment->ack != isn + 1) {
		/* RFC 9293 3.10.7.3 first; behind the reset the SYN goes again, once in a pass. */
		if ((segment->flags & TCP_RST) != 0)
			return false;
		figures_count(load->figures, FIGURE_challenges, 1);
		if ((*conn & LOAD_IDLE_CHALLENGED) != 0)
			load_idle_land(load->idle, conn);
		*answer = (struct frame_tcp){.seq = segment->ack, .flags = TCP_RST};
		return true;
	}
	if ((segment->flags & TCP_RST) != 0)
		return load_idle_fail(load, conn, FAILURE_refused);
	load_idle_land(load->idle, conn);
	if ((segment->flags & TCP_SYN) == 0)
		return false;
	figures_count(load->figures, FIGURE_opened, 1);
	load_idle_set(load, conn, LOAD_IDLE_HELD, segment->seq);
	*answer = (struct frame_tcp){
			.seq = segment->ack, .ack = segment->seq + 1, .flags = TCP_ACK};
	return true;
}

/*
 * A held connection is spoken to: RFC 9293 3.10.7.4, with the six bits that are known of RCV.NXT.
 * Of blind resets and probes one in 64 is taken for the peer's.  One that is not in order, but may
 * be in the window, is not challenged: that would say the whole number (RFC 5961 3.2).
 */
static bool
load_idle_spoken(struct worker *worker, uint8_t *conn, const struct tuple *tuple,
		const struct tcp_segment *segment, struct frame_tcp *answer)
{
	struct load_worker *load = worker->load;
	const uint32_t snd_nxt = load_isn(load, tuple) + 1;
	/* From SEG.SEQ on the next number that it can be. */
	const uint32_t rcv_nxt = segment->seq + ((*conn + 1 - segment->seq) & LOAD_IDLE_PEER);

	if ((segment->flags & TCP_RST) != 0 && segment->seq == rcv_nxt) {
		figures_count(load->figures, FIGURE_lost, 1);
		load_idle_set(load, conn, LOAD_IDLE_OVER, 0);
	}
	/* Fifth; an ICMP error comes as a segment without flags. */
	if ((segment->flags & (TCP_RST | TCP_ACK)) != TCP_ACK)
		return false;
	*answer = (struct frame_tcp){.seq = snd_nxt, .ack = rcv_nxt, .flags = TCP_ACK};
	/* RFC 5961 5.2: of all we say there is only the SYN to be acknowledged. */
	if (segment->ack != snd_nxt)
		return token_bucket_take(&worker->challenges, worker->now_us);
	/* The SYN,ACK again: our acknowledgement was lost. */
	if ((segment->flags & TCP_SYN) != 0)
		return true;
	if (tcp_segment_length(segment) == 0) {
		/* RFC 9293 3.8.4: a probe has SEG.SEQ = SND.NXT - 1. */
		figures_count(load->figures, FIGURE_keepalives, rcv_nxt - segment->seq == 1);
		return rcv_nxt - segment->seq == 1;
	}
	answer->ack = segment->seq + tcp_segment_length(segment);
	if ((segment->flags & TCP_FIN) != 0) {
		answer->flags |= TCP_FIN;
		figures_count(load->figures, FIGURE_lost, 1);
		load_idle_set(load, conn, LOAD_IDLE_OVER, 0);
		return true;
	}
	/* Text, or a keep-alive probe that carries a byte. */
	load_idle_set(load, conn, LOAD_IDLE_HELD, answer->ack - 1);
	return true;
}

/* A connection that is over is spoken to. */
static bool
load_idle_over(const struct load_worker *load, const struct tuple *tuple,
		const struct tcp_segment *segment, struct frame_tcp *answer)
{
	/* All that we ever say: the SYN and, should the peer have closed, our FIN. */
	const uint32_t taken = segment->ack - load_isn(load, tuple);

	if ((segment->flags & (TCP_RST | TCP_ACK)) != TCP_ACK)
		return false;
	if ((segment->flags & TCP_FIN) != 0 && (taken == 1 || taken == 2)) {
		/* Its FIN again: the answer was lost (RFC 9293 3.10.7.4, eighth). */
		*answer = (struct frame_tcp){.seq = segment->ack,
				.ack = segment->seq + tcp_segment_length(segment),
				.flags = taken == 1 ? TCP_ACK | TCP_FIN : TCP_ACK};
		return true;
	}
	/* What is over is said to be. */
	*answer = (struct frame_tcp){.seq = segment->ack, .flags = TCP_RST};
	return (segment->flags & TCP_SYN) != 0;
}

/* @return whether @p answer is to be sent. */
static bool
load_idle_judge(struct worker *worker, const struct tuple *tuple, enum tcp_event event,
		const struct tcp_segment *segment, struct frame_tcp *answer)
{
	struct load_worker *load = worker->load;
	uint8_t *conn = load_idle_of(load, tuple);

	if (conn == NULL)
		return false;
	switch (*conn & LOAD_IDLE_STATE) {
	case LOAD_IDLE_ASKED:
		return load_idle_asked(load, conn, tuple, event, segment, answer);
	case LOAD_IDLE_HELD:
		return load_idle_spoken(worker, conn, tuple, segment, answer);
	default:
		return load_idle_over(load, tuple, segment, answer);
	}
}

/* Turn a packet into the answer to what it says. */
static void
load_idle_answer(struct worker *worker, struct rte_mbuf *packet, const struct tuple *tuple,
		const struct tcp_segment *segment, struct frame_tcp *answer)
{
	const struct frame_text *options = NULL;
	struct frame_text text;
	uint8_t bytes[LOAD_TIMES_BYTES];

	/* Who sends timestamps has agreed to them, and they are in all but resets: RFC 7323 3.2. */
	if ((segment->options & TCP_OPTION_TIMESTAMPS) != 0 && (answer->flags & TCP_RST) == 0)
		options = load_write_times(worker->load, segment->tsval, bytes, &text);
	rte_pktmbuf_reset_headroom(packet);
	packet->ol_flags = 0;
	load_idle_write(worker, packet, tuple, answer, options);
	transmit_reply(worker, packet);
}

/*
 * A reset was sent.  When it ended an older connection of the tuple's (RFC 5961 4.2), the next SYN
 * will be taken; a peer that challenges that one too has to wait for the next pass.
 */
static void
load_idle_retry(struct worker *worker, const struct tuple *tuple)
{
	struct load_worker *load = worker->load;
	uint8_t *conn = load_idle_of(load, tuple);
	struct frame_tcp tcp = {.seq = load_isn(load, tuple), .flags = TCP_SYN};
	struct rte_mbuf *packet;

	if ((*conn & ~LOAD_IDLE_REPEATED) != LOAD_IDLE_ASKED)
		return;
	*conn |= LOAD_IDLE_CHALLENGED | LOAD_IDLE_REPEATED;
	packet = rte_pktmbuf_alloc(worker->pool);
	if (packet == NULL) {
		figures_count(load->figures, FIGURE_no_buffer, 1);
		return;
	}
	figures_count(load->figures, FIGURE_syn_retransmits, 1);
	load_idle_write(worker, packet, tuple, &tcp, &load->syn_options);
	transmit_originated(worker, packet, 0);
}

void
load_idle_input(struct worker *worker, struct burst *burst)
{
	for (unsigned int i = 0; i < burst->n; i++) {
		struct tuple tuple = {.port = burst->key[i].port,
				.target = flow_key_target(&burst->key[i])};
		struct rte_mbuf *packet = burst->packet[i];
		struct frame_tcp answer;

		memcpy(tuple.address, burst->key[i].address, sizeof(tuple.address));
		if (!load_idle_judge(worker, &tuple, (enum tcp_event)burst->event[i],
				    &burst->segment[i], &answer)) {
			worker_drop(worker, packet, DROP_consumed);
			continue;
		}
		load_idle_answer(worker, packet, &tuple, &burst->segment[i], &answer);
		if ((answer.flags & TCP_RST) != 0)
			load_idle_retry(worker, &tuple);
	}
	burst->n = 0;
}

/* How many SYNs or resets may go now. */
static unsigned int
load_idle_due(struct worker *worker)
{
	struct load_worker *load = worker->load;
	struct load_idle *idle = load->idle;
	unsigned int n = 0;
	uint64_t intended_us;

	if (idle->releasing)
		return LOAD_IDLE_BURST;
	/* The plan has no rate for what is repeated after its end. */
	if (load->load->plan.rate > 0.0 && load->starting) {
		while (n < LOAD_IDLE_BURST && pace_take(&load->pace, worker->now_us, &intended_us))
			n++;
		return n;
	}
	load_idle_mark(idle, worker->now_us);
	return idle->flying[0] + idle->flying[1] < LOAD_IDLE_WINDOW ? LOAD_IDLE_BURST : 0;
}

/* Whether a connection needs a segment in this pass, and which. */
static bool
load_idle_needs(struct load_worker *load, uint8_t *conn, const struct tuple *tuple,
		struct frame_tcp *tcp)
{
	struct load_idle *idle = load->idle;
	const uint8_t state = *conn & LOAD_IDLE_STATE;

	*tcp = (struct frame_tcp){.seq = load_isn(load, tuple), .flags = TCP_SYN};
	if (idle->releasing) {
		tcp->seq++;
		tcp->flags = TCP_RST;
		if (state != LOAD_IDLE_HELD)
			return false;
		load_idle_set(load, conn, LOAD_IDLE_OVER, 0);
		return true;
	}
	if (state == LOAD_IDLE_UNUSED && idle->asked < idle->wanted && load->starting) {
		idle->asked++;
		load_idle_set(load, conn, LOAD_IDLE_ASKED, 0);
		figures_count(load->figures, FIGURE_started, 1);
	} else if (state == LOAD_IDLE_ASKED && !idle->sharing) {
		*conn = LOAD_IDLE_ASKED | LOAD_IDLE_REPEATED;
		figures_count(load->figures, FIGURE_syn_retransmits, 1);
	} else {
		return false;
	}
	idle->flying[1]++;
	return true;
}

/* SYNs are waited for no longer: those that were repeated have failed, or all have. */
static void
load_idle_give_up(struct load_worker *load, bool only_repeated)
{
	struct load_idle *idle = load->idle;

	for (uint64_t i = 0; i < idle->span && idle->waiting > 0; i++) {
		if ((idle->conn[i] & LOAD_IDLE_STATE) != LOAD_IDLE_ASKED)
			continue;
		if (!only_repeated || (idle->conn[i] & LOAD_IDLE_REPEATED) != 0)
			figures_fail(load->figures, FAILURE_no_syn_ack);
		/* Whose SYN is answered yet is reset then. */
		load_idle_set(load, &idle->conn[i], LOAD_IDLE_OVER, 0);
	}
}

/* RFC 6298 5.5: how long a SYN of this pass may wait for its answer. */
static uint64_t
load_idle_rto_us(const struct load_worker *load)
{
	const struct tcp_conn conn = {.state = TCP_SYN_SENT, .retries = (uint8_t)load->idle->pass};

	return tcp_step_rto_ms(&conn, &load->config) * UINT64_C(1000);
}

static void
load_idle_begin_pass(struct load_worker *load)
{
	struct load_idle *idle = load->idle;

	idle->next = 0;
	memset(idle->flying, 0, sizeof(idle->flying));
	memset(idle->mark, 0, sizeof(idle->mark));
	tuple_walk_seek(load->walk, idle->base);
}

/*
 * The tuples that a worker may use are those that steering gives it, and may be fewer than its
 * part: the others begin what it cannot.  All together have tuples for all.
 *
 * @return whether there is something to begin.
 */
static bool
load_idle_share(struct load_worker *load)
{
	struct load_idle *idle = load->idle;
	uint64_t *unheld = &load->load->unheld;
	uint64_t more;

	if (idle->asked < idle->wanted) {
		__atomic_fetch_add(unheld, idle->wanted - idle->asked, __ATOMIC_RELAXED);
		idle->wanted = idle->asked;
		idle->used_up = true;
	}
	if (idle->used_up || __atomic_load_n(unheld, __ATOMIC_RELAXED) == 0)
		return false;
	more = __atomic_exchange_n(unheld, 0, __ATOMIC_RELAXED);
	idle->wanted += more;
	return more > 0;
}

/* The pass is over; after the last SYN's timeout there may be another one. */
static void
load_idle_end_pass(struct worker *worker)
{
	struct load_worker *load = worker->load;
	struct load_idle *idle = load->idle;

	if (idle->releasing)
		return;
	idle->sharing = load->starting && load_idle_share(load);
	if (idle->sharing) {
		idle->pass = 0;
		load_idle_begin_pass(load);
		return;
	}
	if (idle->pass > load->load->plan.retries ||
			worker->now_us - idle->sent_us < load_idle_rto_us(load))
		return;
	if (idle->waiting == 0 || ++idle->pass > load->load->plan.retries) {
		idle->pass = load->load->plan.retries + 1u;
		load_idle_give_up(load, false);
		return;
	}
	load_idle_begin_pass(load);
}

/* All is to end: behind the drain, which SYNs have, one more pass resets what is held. */
static void
load_idle_release(struct worker *worker)
{
	struct load_worker *load = worker->load;

	if (load->idle->releasing || (load->idle->waiting > 0 && !load_is_drained(worker)))
		return;
	load_idle_give_up(load, true);
	load->idle->releasing = true;
	load_idle_begin_pass(load);
}

/* Connections that need a segment, from where the pass is, until the batch has @p due of them. */
static void
load_idle_pass(struct worker *worker, unsigned int due)
{
	struct load_worker *load = worker->load;
	struct load_idle *idle = load->idle;
	unsigned int looks = LOAD_IDLE_LOOKS;
	struct rte_mbuf *packet = NULL;

	while (load->batch_end < due && looks-- > 0 && idle->next < idle->span) {
		struct frame_tcp tcp;
		struct tuple tuple;
		uint8_t *conn = &idle->conn[idle->next];

		/* First, as a connection that is passed over once is not reset any more. */
		if (packet == NULL)
			packet = rte_pktmbuf_alloc(worker->pool);
		if (packet == NULL) {
			figures_count(load->figures, FIGURE_no_buffer, 1);
			return;
		}
		tuple_walk_next(load->walk, &tuple);
		idle->next++;
		if (!load_owns(worker, &tuple) || !load_idle_needs(load, conn, &tuple, &tcp))
			continue;
		load_idle_write(worker, packet, &tuple, &tcp,
				idle->releasing ? NULL : &load->syn_options);
		load->batch[load->batch_end++] = packet;
		packet = NULL;
	}
	rte_pktmbuf_free(packet);
}

unsigned int
load_idle(struct worker *worker)
{
	struct load_worker *load = worker->load;
	struct load_idle *idle = load->idle;
	unsigned int sent;

	if (!load->began)
		return 0;
	if (!load->starting)
		load_idle_release(worker);
	if (!load_batch_send(worker))
		return 0;
	load_idle_pass(worker, load_idle_due(worker));
	sent = load->batch_end;
	if (sent > 0)
		idle->sent_us = worker->now_us;
	load->batch_us = worker->now_us;
	load_batch_send(worker);
	load->finished_us = worker->now_us;
	load->active = (uint32_t)idle->held;
	if (idle->next == idle->span)
		load_idle_end_pass(worker);
	return sent;
}

/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_malloc.h>

#include "engine/proxy.h"
#include "engine/proxy_held.h"
#include "engine/proxy_send.h"
#include "engine/worker.h"
#include "tcp/tcp_seq.h"

#define CHUNK_BYTES 256
#define CHUNK_TEXT  (CHUNK_BYTES - sizeof(uint32_t))

/* The most text in a segment of ours, whatever the backend takes. */
#define TEXT_MAX 1460

/* After so many tries segments may be too long for a path that does not say so (RFC 4821 5.1). */
#define TRIES_LONG 3
#define TEXT_SHORT 524

/* A backend that answers, but takes nothing, is asked every few seconds. */
#define TRIES_HEARD 4

/* RFC 5681 3.2. */
#define DUPLICATES_MAX 3

/* What the first chunk of a connection begins with.  Numbers count from the client's first. */
struct held {
	uint32_t last;   /* Chunk. */
	uint32_t length; /* Of text. */
	uint32_t has;    /* So much the server has acknowledged; its FIN counts. */
	uint32_t sent;
	uint32_t urgent; /* With TCP_URG: so far it is. */
	uint16_t filled; /* Bytes of the last chunk. */
	uint16_t mss;
	uint8_t flags; /* TCP_FIN, TCP_PSH, TCP_URG */
	uint8_t duplicates;
};

struct proxy_held_chunk {
	uint32_t next; /* 0 is none. */
	union {
		struct held head;
		uint8_t bytes[CHUNK_TEXT];
	};
};

_Static_assert(sizeof(struct proxy_held_chunk) == CHUNK_BYTES, "whole cache lines");

uint64_t
proxy_held_footprint(const struct settings *settings)
{
	return settings->engine.early_memory;
}

int
proxy_held_create(const struct worker *worker, struct proxy_held_pool *pool)
{
	pool->count = (uint32_t)(worker->engine->settings->engine.early_memory / CHUNK_BYTES);
	pool->chunk = rte_malloc_socket("handfast_held", (size_t)pool->count * CHUNK_BYTES,
			RTE_CACHE_LINE_SIZE, worker->numa_node);
	return pool->chunk != NULL ? 0 : -1;
}

static struct proxy_held_chunk *
held_chunk(const struct proxy_held_pool *pool, uint32_t number)
{
	return &pool->chunk[number - 1];
}

static struct held *
held_of(const struct proxy_held_pool *pool, const struct splice *splice)
{
	return &held_chunk(pool, splice->held)->head;
}

/* @return its number, or 0 when all are in use. */
static uint32_t
held_take_chunk(struct proxy_held_pool *pool)
{
	uint32_t number = pool->free;

	if (number != 0)
		pool->free = held_chunk(pool, number)->next;
	else if (pool->fresh < pool->count)
		number = ++pool->fresh;
	else
		return 0;
	held_chunk(pool, number)->next = 0;
	pool->used++;
	return number;
}

static bool
held_begin_chain(struct proxy_held_pool *pool, struct splice *splice)
{
	if (splice->held == 0) {
		splice->held = held_take_chunk(pool);
		if (splice->held == 0)
			return false;
		*held_of(pool, splice) =
				(struct held){.last = splice->held, .filled = sizeof(struct held)};
	}
	return true;
}

/* @return how many bytes found room. */
static uint32_t
held_append(struct proxy_held_pool *pool, struct splice *splice, const uint8_t *bytes,
		uint32_t length)
{
	struct held *held = held_of(pool, splice);
	uint32_t done = 0;

	while (done < length) {
		uint32_t part;

		if (held->filled == CHUNK_TEXT) {
			const uint32_t more = held_take_chunk(pool);

			if (more == 0)
				break;
			held_chunk(pool, held->last)->next = more;
			held->last = more;
			held->filled = 0;
		}
		part = RTE_MIN((uint32_t)CHUNK_TEXT - held->filled, length - done);
		memcpy(held_chunk(pool, held->last)->bytes + held->filled, bytes + done, part);
		held->filled = (uint16_t)(held->filled + part);
		done += part;
	}
	held->length += done;
	pool->bytes += done;
	return done;
}

/* Copy text out of a chain. */
static void
held_read(const struct proxy_held_pool *pool, const struct splice *splice, uint32_t from,
		uint8_t *to, uint32_t length)
{
	const struct proxy_held_chunk *chunk = held_chunk(pool, splice->held);
	uint32_t skip = from + (uint32_t)sizeof(struct held);

	while (length > 0) {
		uint32_t part;

		for (; skip >= CHUNK_TEXT; skip -= (uint32_t)CHUNK_TEXT)
			chunk = held_chunk(pool, chunk->next);
		part = RTE_MIN((uint32_t)CHUNK_TEXT - skip, length);
		memcpy(to, chunk->bytes + skip, part);
		to += part;
		skip += part;
		length -= part;
	}
}

uint32_t
proxy_held_push(struct worker *worker, struct splice *splice, const struct proxy_held_text *text)
{
	struct proxy_held_pool *pool = &worker->proxy->held;
	struct held *held;
	uint32_t taken;

	if (!held_begin_chain(pool, splice))
		return 0;
	held = held_of(pool, splice);
	if ((held->flags & TCP_FIN) != 0)
		return 0;
	if ((text->flags & TCP_URG) != 0) {
		held->urgent = held->length + text->urgent;
		held->flags |= TCP_URG;
	}
	taken = held_append(pool, splice, text->bytes, text->length);
	if (taken < text->length)
		return taken;
	held->flags |= text->flags & (TCP_FIN | TCP_PSH);
	return taken + ((text->flags & TCP_FIN) != 0);
}

bool
proxy_held_has_fin(const struct worker *worker, const struct splice *splice)
{
	return splice->held != 0 && (held_of(&worker->proxy->held, splice)->flags & TCP_FIN) != 0;
}

/* Bytes that anybody could still say, if only one did. */
static uint64_t
held_left(const struct proxy_held_pool *pool)
{
	return (uint64_t)(pool->count - pool->used) * CHUNK_TEXT;
}

uint16_t
proxy_held_first_window(const struct worker *worker, const struct service *service)
{
	const struct proxy_held_pool *pool = &worker->proxy->held;

	return held_left(pool) >= service->first_window + sizeof(struct held) &&
					       pool->used <= pool->count - pool->count / 8
			       ? service->first_window
			       : 0;
}

uint32_t
proxy_held_window(const struct worker *worker, uint32_t promised)
{
	return held_left(&worker->proxy->held) >= promised + sizeof(struct held) ? promised : 0;
}

void
proxy_held_drop(struct worker *worker, struct splice *splice)
{
	struct proxy_held_pool *pool = &worker->proxy->held;
	uint32_t next = splice->held;

	if (next == 0)
		return;
	pool->bytes -= held_of(pool, splice)->length;
	while (next != 0) {
		const uint32_t number = next;

		next = held_chunk(pool, number)->next;
		held_chunk(pool, number)->next = pool->free;
		pool->free = number;
		pool->used--;
	}
	splice->held = 0;
}

/* One segment, from @p from on. @return how many numbers it has. */
static uint32_t
held_send_one(struct worker *worker, struct conn *conn, struct splice *splice, uint32_t from,
		uint32_t room)
{
	const struct held *held = held_of(&worker->proxy->held, splice);
	const uint32_t fits = RTE_MIN(room, (uint32_t)held->mss);
	const uint32_t length = RTE_MIN(fits, held->length - from);
	const bool last = from + length == held->length;
	const bool fin = last && length < room && (held->flags & TCP_FIN) != 0;
	uint8_t bytes[TEXT_MAX];
	const struct proxy_send_text text = {.bytes = bytes, .length = length};
	struct build_tcp tcp = {
			.seq = conn->tcp.rcv_nxt + from + splice->add[SPLICE_CLIENT],
			.ack = splice->ack[SPLICE_CLIENT] - splice->add[SPLICE_SERVER],
			.flags = (uint8_t)(TCP_ACK | (fin ? TCP_FIN : 0) |
					   (last ? held->flags & TCP_PSH : 0)),
			.window = splice_window(splice, SPLICE_CLIENT, conn->tcp.snd_wnd),
	};

	if ((splice->flags & SPLICE_SERVER_TIMESTAMPS) != 0) {
		tcp.options.options = TCP_OPTION_TIMESTAMPS;
		tcp.options.tsval = conn->tcp.ts_recent;
		tcp.options.tsecr = PROXY_SEND_TSVAL(conn);
	}
	/* RFC 6093 3.1: it points behind the urgent text. */
	if ((held->flags & TCP_URG) != 0 && from < held->urgent) {
		tcp.flags |= TCP_URG;
		tcp.urgent = (uint16_t)RTE_MIN(held->urgent - from, (uint32_t)UINT16_MAX);
	}
	held_read(&worker->proxy->held, splice, from, bytes, length);
	proxy_send_text(worker, conn, SPLICE_SERVER, &tcp, &text);
	if (fin)
		splice->closing |= SPLICE_FIN << SPLICE_CLIENT;
	return length + fin;
}

/* All that was not sent and that the server's window takes; at least @p least numbers. */
static void
held_send(struct worker *worker, struct conn *conn, struct splice *splice, uint32_t least)
{
	struct held *held = held_of(&worker->proxy->held, splice);
	const uint32_t all = held->length + ((held->flags & TCP_FIN) != 0);
	const uint32_t limit = splice->limit[SPLICE_CLIENT] - conn->tcp.rcv_nxt;
	uint32_t next;

	while (held->sent < all) {
		uint32_t room = (int32_t)(limit - held->sent) > 0 ? limit - held->sent : 0;

		if (room < least)
			room = least;
		if (room == 0)
			break;
		held->sent += held_send_one(worker, conn, splice, held->sent, room);
		least = 0;
	}
	next = conn->tcp.rcv_nxt + held->sent;
	if (tcp_seq_lt(splice->next[SPLICE_CLIENT], next))
		splice->next[SPLICE_CLIENT] = next;
}

void
proxy_held_begin(struct worker *worker, struct conn *conn, uint32_t mss)
{
	struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);

	if (splice->held == 0)
		return;
	held_of(&worker->proxy->held, splice)->mss = (uint16_t)RTE_MIN(mss, (uint32_t)TEXT_MAX);
	held_send(worker, conn, splice, 0);
	if (splice->ack[SPLICE_SERVER] == conn->tcp.rcv_nxt)
		proxy_held_drop(worker, splice);
}

/* @return whether the server has more of what is held than it had. */
static bool
held_advance(struct worker *worker, const struct conn *conn, struct splice *splice, uint32_t ack)
{
	struct held *held = held_of(&worker->proxy->held, splice);
	const uint32_t has = ack - conn->tcp.rcv_nxt;

	/* One that is below the first wraps, and is beyond what was sent. */
	if (has <= held->has || has > held->sent)
		return false;
	held->has = has;
	held->duplicates = 0;
	return true;
}

/* A server that says the same again and again misses a segment (RFC 5681 3.2). */
static void
held_count_duplicate(struct worker *worker, struct conn *conn, struct splice *splice)
{
	struct held *held = held_of(&worker->proxy->held, splice);

	if (held->has == held->sent || ++held->duplicates != DUPLICATES_MAX)
		return;
	held_send_one(worker, conn, splice, held->has, UINT16_MAX);
	worker_count(worker, splice->port[SPLICE_SERVER], COUNTER_data_retransmits, 1);
}

bool
proxy_held_hear(struct worker *worker, struct conn *conn, enum splice_side from,
		const struct tcp_segment *segment, uint32_t limit)
{
	struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	const uint32_t ack = segment->ack - splice->add[SPLICE_CLIENT];
	bool is_new = limit != splice->limit[SPLICE_CLIENT];

	if ((splice->flags & SPLICE_OURS) == 0 || (splice->closing & SPLICE_ANY_RESET) != 0) {
		proxy_held_drop(worker, splice);
		splice->flags &= (uint8_t)~SPLICE_OURS;
		return false;
	}
	if (from == SPLICE_CLIENT || (segment->flags & (TCP_ACK | TCP_SYN | TCP_RST)) != TCP_ACK)
		return false;
	if (tcp_seq_leq(conn->tcp.rcv_nxt, ack))
		splice->header = 0;
	if (splice->held != 0) {
		if (held_advance(worker, conn, splice, ack)) {
			splice->tries = 1;
			timer_wheel_schedule(worker->wheel, conn, worker->now_ms + PROXY_RETRY_MS);
		} else if (!is_new && tcp_segment_length(segment) == 0) {
			held_count_duplicate(worker, conn, splice);
		}
		/* A window may stay closed for as long as somebody says so (RFC 9293 MUST-37). */
		splice->tries = RTE_MIN(splice->tries, TRIES_HEARD);
		held_send(worker, conn, splice, 0);
	}
	/* What we have acknowledged the client need not hear of again. */
	return !is_new && tcp_segment_length(segment) == 0;
}

bool
proxy_held_shorten(struct worker *worker, struct conn *conn, uint32_t seq, uint32_t mss)
{
	struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	const uint32_t from = seq - conn->tcp.rcv_nxt;
	struct held *held;

	if (splice->held == 0)
		return false;
	held = held_of(&worker->proxy->held, splice);
	/* RFC 5927 4.1: only what is in flight. */
	if (from < held->has || from >= held->sent)
		return false;
	/* Each segment of a flight has a router's word: the first is enough. */
	if (mss < held->mss) {
		held->mss = (uint16_t)mss;
		held->sent = held->has;
		held_send(worker, conn, splice, 0);
		worker_count(worker, splice->port[SPLICE_SERVER], COUNTER_data_retransmits, 1);
	}
	return true;
}

void
proxy_held_repeat(struct worker *worker, struct conn *conn)
{
	struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	struct held *held;

	if (splice->header > 0)
		proxy_send_header(worker, conn);
	if (splice->held != 0) {
		held = held_of(&worker->proxy->held, splice);
		if (splice->tries >= TRIES_LONG)
			held->mss = RTE_MIN(held->mss, TEXT_SHORT);
		held->sent = held->has;
		held->duplicates = 0;
		held_send(worker, conn, splice, 1);
	}
	worker_count(worker, splice->port[SPLICE_SERVER], COUNTER_data_retransmits, 1);
}

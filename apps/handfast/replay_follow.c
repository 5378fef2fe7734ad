/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "cookie/siphash.h"
#include "tcp/flow_key.h"
#include "tcp/tcp_seq.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

#include "replay_follow.h"

#define FOLLOW_PLACES (1u << 16)

/** Both ends of a connection, the client first. */
struct ends {
	uint8_t address[2][16];
	uint16_t port[2];
};

struct flow {
	struct ends ends;
	struct flow *chain;
	uint32_t captured_isn;  /**< Of the captured server, plus one. */
	uint32_t captured_next; /**< After the last that the captured server said. */
	uint32_t engine_isn;    /**< Of the engine, plus one. */
	uint32_t engine_next;   /**< After the last that the engine said. */
	uint32_t engine_tsval;
	bool captured_known;
	bool captured_fin; /**< The captured server has said its FIN, */
	bool fin_heard;    /**< and the client acknowledged it. */
	bool engine_known;
	bool stamped;
};

struct replay_follow {
	struct flow *place[FOLLOW_PLACES];
};

struct replay_follow *
replay_follow_create(void)
{
	return calloc(1, sizeof(struct replay_follow));
}

static void
take_ends(struct ends *ends, const struct explain_packet *packet, bool from_client)
{
	const unsigned int source = from_client ? 0 : 1;

	memset(ends, 0, sizeof(*ends));
	memcpy(ends->address[source], packet->source, 16);
	memcpy(ends->address[!source], packet->destination, 16);
	ends->port[source] = packet->source_port;
	ends->port[!source] = packet->destination_port;
}

/* The connection; a new one if there is none and @p add. */
static struct flow *
find(struct replay_follow *follow, const struct explain_packet *packet, bool from_client, bool add)
{
	static const struct siphash_key key = {1, 2}; /* Placing only; equal in every run. */
	struct flow **place, *flow;
	struct ends ends;

	take_ends(&ends, packet, from_client);
	place = &follow->place[siphash_13(&key, &ends, sizeof(ends)) % FOLLOW_PLACES];
	for (flow = *place; flow != NULL; flow = flow->chain)
		if (memcmp(&flow->ends, &ends, sizeof(ends)) == 0)
			return flow;
	if (!add)
		return NULL;
	flow = calloc(1, sizeof(*flow));
	if (flow == NULL)
		return NULL;
	flow->ends = ends;
	flow->chain = *place;
	*place = flow;
	return flow;
}

static bool
is_syn_ack(const struct tcp_segment *segment)
{
	return (segment->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
}

static uint32_t
end_of(const struct explain_packet *packet)
{
	const uint8_t flags = packet->segment.flags;

	return packet->segment.seq + packet->payload_length + !!(flags & TCP_SYN) +
	       !!(flags & TCP_FIN);
}

/*
 * Where the client expects the next byte of the server (RFC 5961 3.2), or the last one was a FIN,
 * which a segment that crossed it has not seen.  A SYN is refused with a sequence number of 0
 * (RFC 9293 3.10.7.1).
 */
static bool
is_believed(const struct flow *flow, uint32_t seq)
{
	if (!flow->captured_known)
		return seq == 0;
	return seq == flow->captured_next || (flow->captured_fin && seq == flow->captured_next - 1);
}

bool
replay_follow_server(struct replay_follow *follow, const struct explain_packet *packet)
{
	const struct tcp_segment *segment = &packet->segment;
	struct flow *flow = find(follow, packet, false, is_syn_ack(segment));
	const uint32_t next = end_of(packet);

	if (flow == NULL)
		return false;
	if (segment->flags & TCP_RST)
		return is_believed(flow, segment->seq);
	if (is_syn_ack(segment)) {
		flow->captured_known = true;
		flow->captured_isn = next;
		flow->captured_next = next;
	} else if (flow->captured_known && tcp_seq_lt(flow->captured_next, next)) {
		flow->captured_next = next;
		flow->captured_fin = (segment->flags & TCP_FIN) != 0;
	}
	return flow->fin_heard && packet->payload_length == 0 &&
	       !(segment->flags & (TCP_SYN | TCP_FIN));
}

void
replay_follow_engine(struct replay_follow *follow, const struct explain_packet *packet)
{
	const struct tcp_segment *segment = &packet->segment;
	const uint32_t next = end_of(packet);
	struct flow *flow = find(follow, packet, false, is_syn_ack(segment));

	if (flow == NULL)
		return;
	if (is_syn_ack(segment)) {
		/* Of another connection with these ends: its captured server chose anew, too. */
		if (flow->engine_known && flow->engine_isn != next) {
			flow->captured_known = false;
			flow->captured_fin = false;
			flow->fin_heard = false;
		}
		flow->engine_isn = next;
		flow->engine_next = next;
		flow->engine_known = true;
		flow->stamped = false;
	}
	if (tcp_seq_lt(flow->engine_next, next))
		flow->engine_next = next;
	if (segment->options & TCP_OPTION_TIMESTAMPS) {
		flow->engine_tsval = segment->tsval;
		flow->stamped = true;
	}
}

static uint16_t
sum_of(const struct explain_packet *packet, const uint8_t *tcp)
{
	const uint32_t length = packet->segment.payload_offset + packet->payload_length;
	const bool ipv4 = flow_key_is_ipv4(packet->source);
	const unsigned int skipped = ipv4 ? 12 : 0;
	const uint64_t sum = checksum_pseudo(packet->source + skipped,
			packet->destination + skipped, 16 - skipped, 6, length);

	return checksum_fold(checksum_add(sum, tcp, length));
}

/* Timestamps echo what the engine said; SACK blocks are of another stream. */
static void
change_options(const struct flow *flow, const struct explain_packet *packet, uint8_t *tcp)
{
	const unsigned int length = packet->segment.payload_offset;
	unsigned int at = 20;

	while (at + 1 < length && tcp[at] != 0) {
		const unsigned int size = tcp[at] == 1 ? 1 : tcp[at + 1];

		if (size == 0 || at + size > length)
			return;
		if (tcp[at] == 8 && size == 10 && flow->stamped)
			bytes_write_32(tcp + at + 6, flow->engine_tsval);
		if (tcp[at] == 5)
			memset(tcp + at, 1, size);
		at += size;
	}
}

void
replay_follow_client(
		struct replay_follow *follow, const struct explain_packet *packet, uint8_t *tcp)
{
	const struct tcp_segment *segment = &packet->segment;
	struct flow *flow = find(follow, packet, true, false);
	rte_be16_t checksum;
	uint32_t ack;
	bool right;

	if (flow == NULL || !flow->engine_known || !(segment->flags & TCP_ACK) ||
			packet->payload_captured < packet->payload_length)
		return;
	right = sum_of(packet, tcp) == UINT16_MAX;
	if (!flow->captured_known) {
		/* The capture has one direction only: a client acknowledges a SYN first. */
		flow->captured_known = true;
		flow->captured_isn = segment->ack;
		flow->captured_next = segment->ack;
	}
	flow->fin_heard |= flow->captured_fin && segment->ack == flow->captured_next;
	/* Who had heard all of the one hears all of the other, however much that is. */
	ack = segment->ack - flow->captured_isn + flow->engine_isn;
	if (segment->ack == flow->captured_next || tcp_seq_lt(flow->engine_next, ack))
		ack = flow->engine_next;
	bytes_write_32(tcp + 8, ack);
	change_options(flow, packet, tcp);
	if (!right)
		return;
	memset(tcp + 16, 0, sizeof(checksum));
	checksum = (rte_be16_t)~sum_of(packet, tcp);
	memcpy(tcp + 16, &checksum, sizeof(checksum));
}

bool
replay_follow_is_over(struct replay_follow *follow, const struct explain_packet *packet)
{
	const struct flow *flow = find(follow, packet, true, false);

	return flow != NULL && flow->captured_fin;
}

uint32_t
replay_follow_tsval(
		struct replay_follow *follow, const struct explain_packet *packet, bool from_client)
{
	const struct flow *flow = find(follow, packet, from_client, false);

	return flow != NULL ? flow->engine_tsval : 0;
}

void
replay_follow_free(struct replay_follow *follow)
{
	if (follow == NULL)
		return;
	for (unsigned int i = 0; i < FOLLOW_PLACES; i++) {
		while (follow->place[i] != NULL) {
			struct flow *flow = follow->place[i];

			follow->place[i] = flow->chain;
			free(flow);
		}
	}
	free(follow);
}

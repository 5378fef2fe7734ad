/* SPDX-License-Identifier: BSD-3-Clause */

#include "splice/splice.h"

#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "tcp/tcp_seq.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

enum {
	AT_SOURCE_PORT = 0,
	AT_SEQ = 4,
	AT_ACK = 8,
	AT_OFFSET = 12,
	AT_FLAGS = 13,
	AT_WINDOW = 14,
	AT_CHECKSUM = 16,
	AT_OPTIONS = 20,
};

enum {
	KIND_END = 0,
	KIND_NOP = 1,
	KIND_SACK = 5,
	KIND_TIMESTAMPS = 8,
};

#define WORD_TIMESTAMPS 0x0101080au

/* How far behind the other side's last acknowledgement a segment still teaches something. */
#define TRACK_BEHIND (1 << 20)

/* Replace a word at an even offset; @return the sum with what that adds (RFC 1624 eqn. 3). */
static inline uint64_t
replace_32(uint8_t *at, uint32_t value, uint64_t sum)
{
	const rte_be32_t to = rte_cpu_to_be_32(value);
	rte_be32_t from;

	memcpy(&from, at, sizeof(from));
	memcpy(at, &to, sizeof(to));
	return sum + (uint32_t)~from + to;
}

static inline uint64_t
replace_16(uint8_t *at, rte_be16_t to, uint64_t sum)
{
	rte_be16_t from;

	memcpy(&from, at, sizeof(from));
	memcpy(at, &to, sizeof(to));
	return sum + (uint16_t)~from + to;
}

static inline uint64_t
sum_of_ends(const struct splice_ends *ends)
{
	/* What is mapped adds 0xffff to an IPv4 address's sum, which is nothing. */
	return checksum_add_words(
			checksum_add_words((uint64_t)ends->source_port + ends->destination_port,
					ends->source, 16),
			ends->destination, 16);
}

uint16_t
splice_sum(const struct splice_ends *client, const struct splice_ends *server)
{
	return checksum_fold((uint64_t)checksum_fold(sum_of_ends(server)) +
			     (uint16_t)~checksum_fold(sum_of_ends(client)));
}

uint16_t
splice_window(const struct splice *splice, enum splice_side from, uint16_t window)
{
	uint32_t wide = window;

	if (from == SPLICE_SERVER)
		wide = wide << splice->scale[SPLICE_SERVER] >> splice->our_scale;
	else if ((splice->flags & SPLICE_SERVER_SCALES) == 0)
		wide <<= splice->scale[SPLICE_CLIENT];
	return (uint16_t)RTE_MIN(wide, (uint32_t)UINT16_MAX);
}

static inline void
shift_word(uint8_t *at, uint32_t add)
{
	bytes_write_32(at, bytes_read_32(at) + add);
}

/* A window of the server that begins so many numbers in front of what the client is told. */
static uint16_t
hidden_window(const struct splice *splice, uint16_t window, uint32_t hidden)
{
	const uint32_t wide = (uint32_t)window << splice->scale[SPLICE_SERVER];

	return (uint16_t)RTE_MIN((wide > hidden ? wide - hidden : 0) >> splice->our_scale,
			(uint32_t)UINT16_MAX);
}

static inline bool
may_pass(const struct splice *splice, enum splice_side from, uint8_t kind)
{
	const uint8_t wanted = from == SPLICE_CLIENT
					       ? (kind == KIND_SACK ? SPLICE_SERVER_SACK
								    : SPLICE_SERVER_TIMESTAMPS)
					       : (kind == KIND_SACK ? SPLICE_CLIENT_SACK
								    : SPLICE_CLIENT_TIMESTAMPS);

	/* Blocks may lie in front of what the client believes acknowledged. */
	if (unlikely((splice->flags & SPLICE_OURS) != 0 && from == SPLICE_SERVER &&
			    kind == KIND_SACK))
		return false;
	return (splice->flags & wanted) != 0;
}

/* One option whose bytes are all there. */
static void
translate_option(const struct splice *splice, enum splice_side from, uint8_t *option)
{
	const unsigned int length = option[1];
	const enum splice_side other = from == SPLICE_CLIENT ? SPLICE_SERVER : SPLICE_CLIENT;

	if (option[0] == KIND_SACK && length >= 10 && (length - 2) % 8 == 0 &&
			may_pass(splice, from, KIND_SACK)) {
		for (unsigned int at = 2; at < length; at += 4)
			shift_word(option + at, 0 - splice->add[other]);
	} else if (option[0] == KIND_TIMESTAMPS && length == 10 &&
			may_pass(splice, from, KIND_TIMESTAMPS)) {
		if (from == SPLICE_SERVER)
			shift_word(option + 2, splice->stamp_add);
		else
			shift_word(option + 6, 0 - splice->stamp_add);
	} else {
		memset(option, KIND_NOP, length);
	}
}

/* Any options, at any alignment. @return the sum with what they change. */
static uint64_t
translate_options(const struct splice *splice, enum splice_side from, uint8_t *options,
		unsigned int length, uint64_t sum)
{
	const uint16_t before = checksum_fold(checksum_add(0, options, length));
	unsigned int at = 0;

	while (at < length && options[at] != KIND_END) {
		if (options[at] == KIND_NOP) {
			at++;
			continue;
		}
		/* Cut off, or of no length: nothing behind it is an option. */
		if (at + 1 >= length || options[at + 1] < 2 || options[at + 1] > length - at)
			break;
		const unsigned int size = options[at + 1];

		translate_option(splice, from, options + at);
		at += size;
	}
	memset(options + at, KIND_END, length - at);
	return sum + (uint16_t)~before + checksum_fold(checksum_add(0, options, length));
}

/* The one layout that nearly every segment with options has. */
static inline uint64_t
translate_timestamps(
		const struct splice *splice, enum splice_side from, uint8_t *option, uint64_t sum)
{
	uint8_t *at = option + (from == SPLICE_SERVER ? 4 : 8);
	const uint32_t add = from == SPLICE_SERVER ? splice->stamp_add : 0 - splice->stamp_add;

	return replace_32(at, bytes_read_32(at) + add, sum);
}

void
splice_segment(const struct splice *splice, enum splice_side from, const struct splice_ends *ends,
		uint8_t *tcp)
{
	const enum splice_side other = from == SPLICE_CLIENT ? SPLICE_SERVER : SPLICE_CLIENT;
	const unsigned int options = (unsigned int)(tcp[AT_OFFSET] >> 4) * 4 - AT_OPTIONS;
	uint16_t window = splice_window(splice, from, bytes_read_16(tcp + AT_WINDOW));
	rte_be16_t checksum;
	uint64_t sum;

	memcpy(&checksum, tcp + AT_CHECKSUM, sizeof(checksum));
	sum = (uint16_t)~checksum;
	sum += from == SPLICE_CLIENT ? splice->sum_add : (uint16_t)~splice->sum_add;
	memcpy(tcp + AT_SOURCE_PORT, &ends->source_port, sizeof(ends->source_port));
	memcpy(tcp + AT_SOURCE_PORT + 2, &ends->destination_port, sizeof(ends->destination_port));

	sum = replace_32(tcp + AT_SEQ, bytes_read_32(tcp + AT_SEQ) + splice->add[from], sum);
	/* Without the bit the field says nothing, and nothing is to be learnt from it. */
	if (likely((tcp[AT_FLAGS] & TCP_ACK) != 0)) {
		uint32_t ack = bytes_read_32(tcp + AT_ACK) - splice->add[other];

		/* What is ours to repeat is the server's already, as far as the client knows. */
		if (unlikely((splice->flags & SPLICE_OURS) != 0) && from == SPLICE_SERVER &&
				tcp_seq_lt(ack, splice->ack[SPLICE_SERVER])) {
			window = hidden_window(splice, bytes_read_16(tcp + AT_WINDOW),
					splice->ack[SPLICE_SERVER] - ack);
			ack = splice->ack[SPLICE_SERVER];
		}
		sum = replace_32(tcp + AT_ACK, ack, sum);
	}
	sum = replace_16(tcp + AT_WINDOW, rte_cpu_to_be_16(window), sum);
	if (likely(options == 12 && bytes_read_32(tcp + AT_OPTIONS) == WORD_TIMESTAMPS &&
			    may_pass(splice, from, KIND_TIMESTAMPS)))
		sum = translate_timestamps(splice, from, tcp + AT_OPTIONS, sum);
	else if (options > 0)
		sum = translate_options(splice, from, tcp + AT_OPTIONS, options, sum);
	checksum = checksum_finish(sum);
	memcpy(tcp + AT_CHECKSUM, &checksum, sizeof(checksum));
}

static void
rewrite_ipv4(uint8_t *ip, const struct splice_ends *ends)
{
	rte_be16_t checksum;
	uint64_t sum;
	uint32_t source = bytes_read_32(ends->source + 12);
	uint32_t destination = bytes_read_32(ends->destination + 12);

	memcpy(&checksum, ip + 10, sizeof(checksum));
	sum = replace_32(ip + 12, source, (uint16_t)~checksum);
	sum = replace_32(ip + 16, destination, sum);
	sum = replace_16(ip + 8, rte_cpu_to_be_16((uint16_t)(SPLICE_TTL << 8 | ip[9])), sum);
	checksum = checksum_finish(sum);
	memcpy(ip + 10, &checksum, sizeof(checksum));
}

static void
rewrite_ipv6(uint8_t *ip, const struct splice_ends *ends)
{
	ip[7] = SPLICE_TTL;
	memcpy(ip + 8, ends->source, 16);
	memcpy(ip + 24, ends->destination, 16);
}

/* DF, and so an ID of 0 (RFC 6864 4.1): what is longer than the path takes is reported. */
static uint8_t *
make_ipv4(uint8_t *tcp, const struct frame *frame, const struct splice_ends *ends)
{
	uint8_t *ip = tcp - 20;
	rte_be16_t checksum;

	memset(ip, 0, 12);
	ip[0] = 0x45;
	ip[1] = frame->traffic_class;
	bytes_write_16(ip + 2, (uint16_t)(20 + frame->l4_length));
	ip[6] = 0x40;
	ip[8] = SPLICE_TTL;
	ip[9] = 6;
	memcpy(ip + 12, ends->source + 12, 4);
	memcpy(ip + 16, ends->destination + 12, 4);
	checksum = checksum_finish(checksum_add(0, ip, 20));
	memcpy(ip + 10, &checksum, sizeof(checksum));
	return ip;
}

static uint8_t *
make_ipv6(uint8_t *tcp, const struct frame *frame, const struct splice_ends *ends)
{
	uint8_t *ip = tcp - 40;

	bytes_write_32(ip, 6u << 28 | (uint32_t)frame->traffic_class << 20);
	bytes_write_16(ip + 4, frame->l4_length);
	ip[6] = 6;
	rewrite_ipv6(ip, ends);
	return ip;
}

uint8_t *
splice_addresses(uint8_t *data, const struct frame *frame, const struct splice_ends *ends,
		unsigned int family)
{
	uint8_t *ip = data + frame->l3_offset;

	if (likely(family == frame->family)) {
		if (family == 4)
			rewrite_ipv4(ip, ends);
		else
			rewrite_ipv6(ip, ends);
		return ip;
	}
	if (family == 4)
		return make_ipv4(data + frame->l4_offset, frame, ends);
	return make_ipv6(data + frame->l4_offset, frame, ends);
}

/* A RST that is exact for its receiver, as far as can be told from here (RFC 5961 3.2). */
static bool
is_exact(const struct splice *splice, enum splice_side from, uint32_t seq)
{
	const enum splice_side other = from == SPLICE_CLIENT ? SPLICE_SERVER : SPLICE_CLIENT;

	return seq == splice->ack[other] || seq == splice->next[from];
}

uint8_t
splice_track(struct splice *splice, enum splice_side from, const struct tcp_segment *segment)
{
	const enum splice_side other = from == SPLICE_CLIENT ? SPLICE_SERVER : SPLICE_CLIENT;
	const uint32_t seq = segment->seq + (from == SPLICE_SERVER ? splice->add[from] : 0);
	const uint32_t ack = segment->ack - (from == SPLICE_SERVER ? splice->add[other] : 0);
	const uint32_t end = seq + tcp_segment_length(segment);
	uint32_t limit;

	if (unlikely((segment->flags & TCP_RST) != 0)) {
		if (is_exact(splice, from, seq))
			splice->closing |= (uint8_t)(SPLICE_RESET << from);
		return splice->closing;
	}
	if (unlikely((segment->flags & (TCP_SYN | TCP_ACK)) != TCP_ACK ||
			    tcp_seq_lt(splice->limit[from], end) ||
			    tcp_seq_lt(seq + TRACK_BEHIND, splice->ack[other]) ||
			    tcp_seq_lt(splice->next[other], ack) ||
			    tcp_seq_lt(ack + TRACK_BEHIND, splice->ack[from])))
		return splice->closing;
	/* Who goes on did not reset, or somebody else pretended to. */
	splice->closing &= (uint8_t) ~(SPLICE_RESET << from);
	if (tcp_seq_lt(splice->next[from], end)) {
		splice->next[from] = end;
		splice->closing &= (uint8_t) ~(SPLICE_FIN << from);
	}
	if ((segment->flags & TCP_FIN) != 0 && end == splice->next[from])
		splice->closing |= (uint8_t)(SPLICE_FIN << from);
	if (tcp_seq_leq(splice->ack[from], ack)) {
		splice->ack[from] = ack;
		if (from == SPLICE_SERVER) {
			splice->flags &= (uint8_t)~SPLICE_OURS;
			splice->header = 0;
		}
	}
	if (splice->ack[from] == ack || (splice->flags & SPLICE_OURS) != 0) {
		limit = ack + ((uint32_t)segment->window << splice->scale[from]);
		if (tcp_seq_lt(splice->limit[other], limit))
			splice->limit[other] = limit;
	}
	if ((splice->flags & SPLICE_OURS) == 0 && (splice->closing & SPLICE_FIN << other) != 0 &&
			splice->ack[from] == splice->next[other])
		splice->closing |= (uint8_t)(SPLICE_FIN_ACKED << other);
	return splice->closing;
}

enum splice_answer
splice_answer(const struct splice *splice, const struct tcp_segment *segment)
{
	const bool acks = (segment->flags & TCP_ACK) != 0 && segment->ack == splice_iss(splice) + 1;

	if ((segment->flags & TCP_RST) != 0)
		return acks ? SPLICE_ANSWER_REFUSED : SPLICE_ANSWER_NONE;
	if ((segment->flags & TCP_ACK) == 0)
		return SPLICE_ANSWER_NONE;
	if (!acks)
		return SPLICE_ANSWER_STALE;
	return (segment->flags & (TCP_SYN | TCP_FIN)) == TCP_SYN ? SPLICE_ANSWER_GOOD
								 : SPLICE_ANSWER_NONE;
}

void
splice_begin(struct splice *splice, const struct splice_client *client, uint32_t iss,
		uint8_t header)
{
	splice->add[SPLICE_CLIENT] = iss + 1 + header - client->rcv_nxt;
	splice->next[SPLICE_CLIENT] = client->rcv_nxt;
	splice->header = header;
	splice->flags = 0;
	splice->closing = 0;
}

void
splice_join(struct splice *splice, const struct splice_client *client,
		const struct tcp_segment *segment, uint32_t stamp)
{
	const bool scales = client->scaled && (segment->options & TCP_OPTION_WINDOW_SCALE) != 0;
	const bool sack = client->sack && (segment->options & TCP_OPTION_SACK_PERMITTED) != 0;
	const bool stamps = client->timestamps && (segment->options & TCP_OPTION_TIMESTAMPS) != 0;

	splice->add[SPLICE_SERVER] = client->snd_nxt - (segment->seq + 1);
	splice->stamp_add = stamps ? stamp - segment->tsval : 0;
	splice->flags = (uint8_t)((scales ? SPLICE_SERVER_SCALES : 0) |
				  (sack ? SPLICE_SERVER_SACK | SPLICE_CLIENT_SACK : 0) |
				  (stamps ? SPLICE_SERVER_TIMESTAMPS | SPLICE_CLIENT_TIMESTAMPS
					  : 0) |
				  (client->ours > 0 || splice->header > 0 ? SPLICE_OURS : 0));
	splice->scale[SPLICE_CLIENT] = client->scaled ? client->scale : 0;
	splice->scale[SPLICE_SERVER] = scales ? RTE_MIN(segment->window_scale, 14) : 0;
	splice->our_scale = client->scaled ? client->our_scale : 0;
	splice->closing = 0;
	splice->next[SPLICE_CLIENT] = client->rcv_nxt + client->ours;
	splice->ack[SPLICE_SERVER] = client->rcv_nxt + client->ours;
	splice->limit[SPLICE_CLIENT] = client->rcv_nxt + segment->window;
	splice->next[SPLICE_SERVER] = client->snd_nxt;
	splice->ack[SPLICE_CLIENT] = client->snd_nxt;
	splice->limit[SPLICE_SERVER] = client->snd_nxt +
				       ((uint32_t)client->window << splice->scale[SPLICE_CLIENT]);
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Frames from anybody: parsing, reading neighbours, and answering in place.
 *
 * Every input is parsed as it is, and again with the checksums taken for granted, without which
 * nothing would ever get past them.  The sanitizers watch the bytes, the checks what is said; and
 * the short cuts have to say what the long way says.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/build.h"
#include "wire/neighbour.h"
#include "wire/parse.h"
#include "wire/parse_columns.h"
#include "wire/parse_plain.h"
#include "wire/steering_hash.h"

#include "fuzz.h"

/** Which worker a flow goes to is not asked here: any key will do. */
static const struct siphash_key steering_key = {
		UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)};

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/** Room behind an answer in place, as build.h asks for. */
#define ROOM (18 + 40 + 32)

static const uint8_t local_mac[6] = {2, 0, 0, 0, 0, 2};

/** What was built is a frame that parses without a reason to refuse it. */
static void
check_answer(const uint8_t *answer, unsigned int length, enum frame_kind kind)
{
	struct tcp_segment segment;
	struct frame frame;

	REQUIRE(parse_frame(answer, length, 0, &frame, &segment) == DROP_NONE);
	REQUIRE(frame.kind == kind);
}

/** Answer a segment with an empty one. */
static void
answer_tcp(const uint8_t *data, const struct frame *frame, const struct tcp_segment *segment)
{
	const struct build_tcp tcp = {
			.seq = segment->ack,
			.ack = segment->seq,
			.flags = TCP_ACK,
			.options = {.tsecr = segment->tsval, .options = TCP_OPTION_TIMESTAMPS},
	};
	uint8_t answer[BUILD_HEADERS_MAX];
	struct build_lengths lengths;
	struct build_path path;
	unsigned int length;
	uint32_t hash;

	REQUIRE(segment->payload_offset + segment->payload_length == frame->l4_length);
	build_path_reverse(&path, data, frame);
	hash = steering_hash_of(
			&steering_key, path.remote, path.local, path.remote_port, path.local_port);
	REQUIRE(hash == steering_hash(&steering_key, data, frame->l4_offset + frame->l4_length));
	length = build_tcp(answer, &path, &tcp, 0, BUILD_CHECKSUM_SOFTWARE, &lengths);
	REQUIRE(length == build_tcp_headers_length(&path, &tcp.options));
	check_answer(answer, length, FRAME_TCP);
}

/** Say that nobody listens, in a buffer with just the room it may need. */
static void
refuse_datagram(const uint8_t *data, size_t size, const struct frame *frame)
{
	const size_t room = size > BUILD_UNREACHABLE_MAX ? size : BUILD_UNREACHABLE_MAX;
	uint8_t *answer = malloc(room);
	unsigned int length;

	memcpy(answer, data, size);
	length = build_port_unreachable(answer, frame, local_mac);
	REQUIRE(length <= BUILD_UNREACHABLE_MAX);
	check_answer(answer, length, frame->family == 4 ? FRAME_ICMP : FRAME_ICMP6);
	free(answer);
}

/** Answer a neighbour's message in a buffer with just the room it may need. */
static void
answer_neighbour(const uint8_t *data, size_t size, const struct frame *frame)
{
	size_t room = size > ROOM ? size : ROOM;
	struct neighbour_message message;
	uint8_t *answer;

	if (frame->kind == FRAME_UDP) {
		refuse_datagram(data, size, frame);
		return;
	}
	if (neighbour_read(data, frame, &message) != DROP_NONE)
		return;
	answer = malloc(room);
	memcpy(answer, data, size);
	if (message.kind == NEIGHBOUR_ECHO)
		check_answer(answer, build_echo_reply(answer, frame, local_mac), frame->kind);
	else if (message.kind == NEIGHBOUR_REQUEST && frame->kind == FRAME_ARP)
		check_answer(answer, build_arp_reply(answer, frame, local_mac), FRAME_ARP);
	else if (message.kind == NEIGHBOUR_REQUEST)
		check_answer(answer, build_neighbour_advertisement(answer, frame, local_mac),
				FRAME_ICMP6);
	free(answer);
}

/** What a short cut said of a frame is what the long way says. */
static void
check_short_cut(const struct frame *frame, const struct tcp_segment *segment,
		const struct frame *careful_frame, const struct tcp_segment *careful_segment)
{
	REQUIRE(careful_frame->kind == FRAME_TCP);
	REQUIRE(memcmp(frame, careful_frame, sizeof(*frame)) == 0);
	REQUIRE(memcmp(segment, careful_segment, sizeof(*segment)) == 0);
}

/** One by one, and many at once: the frame among copies of it, of which one byte is another. */
static void
compare_short_cuts(const uint8_t *data, size_t size, unsigned int flags)
{
	static const struct parse_columns_end end[2];
	const size_t room = size < PARSE_COLUMNS_READ ? PARSE_COLUMNS_READ : size;
	const unsigned int changed = size > 0 ? data[size / 2] % COLUMNS : 0;
	struct frame frame[COLUMNS], careful_frame;
	struct tcp_segment segment[COLUMNS], careful_segment;
	struct flow_key key[COLUMNS];
	uint8_t event[COLUMNS], *copy = malloc(2 * room);
	const struct parse_columns_rows rows = {frame, segment, key, event};
	struct parse_columns_frames frames = {.n = COLUMNS, .flags = flags};
	struct parse_columns_verdict verdict = {.good = 0};

	if (parse_plain(data, (uint32_t)size, flags, &frame[0], &segment[0])) {
		REQUIRE(parse_frame_carefully(data, (uint32_t)size, flags, &careful_frame,
					&careful_segment) == DROP_NONE);
		check_short_cut(&frame[0], &segment[0], &careful_frame, &careful_segment);
	}
	memset(copy, 0xff, 2 * room);
	memcpy(copy, data, size);
	memcpy(copy + room, data, size);
	if (size > 0)
		copy[room + data[0] * size / 256] ^= data[size - 1] | 1;
	for (unsigned int lane = 0; lane < COLUMNS; lane++) {
		frames.data[lane] = copy + (lane == changed ? room : 0);
		frames.length[lane] = (uint32_t)size;
	}
	if (parse_columns_available())
		verdict = parse_columns(&frames, end, &rows);
	for (unsigned int lane = 0; lane < COLUMNS; lane++) {
		if ((verdict.good >> lane & 1) == 0)
			continue;
		REQUIRE(parse_frame_carefully(frames.data[lane], (uint32_t)size, flags,
					&careful_frame, &careful_segment) == DROP_NONE);
		check_short_cut(&frame[lane], &segment[lane], &careful_frame, &careful_segment);
	}
	free(copy);
}

static void
parse_and_answer(const uint8_t *data, size_t size, unsigned int flags)
{
	struct tcp_segment segment;
	struct frame frame;

	compare_short_cuts(data, size, flags);
	if (parse_frame(data, (uint32_t)size, flags, &frame, &segment) != DROP_NONE)
		return;
	REQUIRE(frame.l4_offset + (size_t)frame.l4_length <= size);
	if (frame.kind == FRAME_TCP)
		answer_tcp(data, &frame, &segment);
	else
		answer_neighbour(data, size, &frame);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	steering_hash(&steering_key, data, (uint32_t)size);
	parse_and_answer(data, size, 0);
	parse_and_answer(data, size, PARSE_PARTIAL_ALLOWED);
	parse_and_answer(data, size, PARSE_IP_CHECKSUM_GOOD | PARSE_TCP_CHECKSUM_GOOD);
	return 0;
}

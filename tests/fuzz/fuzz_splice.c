/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Translating any segment: within its bytes, and with a right checksum afterwards.
 *
 * Input: one byte of what was agreed on and who sends, then a frame.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "splice/splice.h"
#include "wire/bytes.h"

#include "fuzz.h"

#define ROOM 64

static const uint8_t four[4][16] = {
		{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1},
		{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2},
};
static const uint8_t six[2][16] = {{0xfd, [15] = 1}, {0xfd, [15] = 2}};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct splice splice = {.add = {77, 4000000000}, .stamp_add = 12345, .scale = {3, 11}};
	struct frame frame, after;
	struct tcp_segment segment, translated;
	enum splice_side from;
	uint8_t *buffer, *ip;
	unsigned int family;

	if (size < 2 || size > 2000)
		return 0;
	from = (enum splice_side)(data[0] & 1);
	splice.flags = data[0] >> 1 & 0x1f;
	/* What is ours to repeat hides numbers of the server. */
	if ((data[0] & 0x80) != 0)
		splice.flags |= SPLICE_OURS;
	family = (data[0] & 0x40) != 0 ? 6 : 4;
	size--;
	buffer = malloc(ROOM + size);
	memcpy(buffer + ROOM, data + 1, size);
	if (parse_frame(buffer + ROOM, (uint32_t)size, 0, &frame, &segment) == DROP_NONE &&
			frame.kind == FRAME_TCP) {
		struct splice_ends before = {.source_port = 1};
		const struct splice_ends ends = {family == 4 ? four[0] : six[0],
				family == 4 ? four[1] : six[1], rte_cpu_to_be_16(1),
				rte_cpu_to_be_16(2)};
		uint8_t *tcp = buffer + ROOM + frame.l4_offset;
		uint8_t source[16], destination[16];
		rte_be16_t ports[2];

		parse_source(buffer + ROOM, &frame, source);
		parse_destination(buffer + ROOM, &frame, destination);
		memcpy(ports, tcp, sizeof(ports));
		before = (struct splice_ends){source, destination, ports[0], ports[1]};
		splice.sum_add = from == SPLICE_CLIENT ? splice_sum(&before, &ends)
						       : splice_sum(&ends, &before);
		splice_track(&splice, from, &segment);
		splice_segment(&splice, from, &ends, tcp);
		ip = splice_addresses(buffer + ROOM, &frame, &ends, family);
		bytes_write_16(ip - 2, family == 4 ? 0x0800 : 0x86dd);
		if (parse_frame(ip - 14, (uint32_t)(buffer + ROOM + size - (ip - 14)), 0, &after,
				    &translated) != DROP_NONE ||
				translated.payload_length != segment.payload_length ||
				translated.seq != segment.seq + splice.add[from])
			abort();
	}
	free(buffer);
	return 0;
}

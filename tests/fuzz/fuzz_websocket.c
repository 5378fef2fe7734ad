/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * A connection that may become a WebSocket, under arbitrary bytes in arbitrary pieces.
 *
 * Input: one byte how to cut and acknowledge, one byte whether a handshake goes before, then what
 * the peer sends, as far as its window lets it.  One connection gets it in the largest pieces and
 * one in small ones; they must say the same.  What is said behind a 101 must be sound frames.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/echo_rings.h"
#include "respond/respond.h"

#include "fuzz.h"

#define FIRST      0xffffff00u /* The stream soon crosses the wrap. */
#define STREAM_MAX (1u << 21)
#define SENT_MAX   (1u << 15)
#define RINGS      2

static const char handshake[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
				"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
				"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** One connection and what it has said. */
struct peer {
	struct respond_conn conn;
	uint32_t acked;
	uint32_t length;
	bool fin;
	uint8_t stream[STREAM_MAX];
};

static struct respond_service *service;
static struct echo_buffers *buffers;
static struct peer whole, split;

static uint32_t
random_below(uint32_t *seed, uint32_t limit)
{
	return (uint32_t)((uint64_t)fuzz_random(seed) * limit >> 24);
}

static void
prepare(void)
{
	const struct respond_options options = {.reply = RESPOND_HTTP,
			.body = (const uint8_t *)"hello\n",
			.body_length = 6,
			.websocket = true};

	if (service != NULL)
		return;
	service = respond_create(&options);
	CHECK(service != NULL);
	buffers = echo_rings_new(RINGS);
	CHECK(buffers != NULL);
}

/* Hear what is new, and the old again from anywhere. */
static void
hear(struct peer *peer, uint32_t *seed)
{
	static uint8_t again[STREAM_MAX + 1];
	uint32_t end = respond_end(service, &peer->conn, buffers, &peer->fin) - FIRST;
	uint32_t from, part;

	CHECK(end >= peer->length && end < STREAM_MAX);
	respond_fill(service, &peer->conn, buffers, FIRST + peer->length,
			peer->stream + peer->length, end - peer->length);
	peer->length = end;
	if (end == peer->acked)
		return;
	from = peer->acked + random_below(seed, end - peer->acked);
	part = 1 + random_below(seed, end - from);
	again[part] = 0x5a;
	respond_fill(service, &peer->conn, buffers, FIRST + from, again, part);
	CHECK(memcmp(again, peer->stream + from, part) == 0 && again[part] == 0x5a);
}

static void
acknowledge(struct peer *peer, uint32_t to)
{
	peer->acked = to;
	respond_acked(service, &peer->conn, buffers, FIRST + to);
}

/* @return how much was sent: the peer hears and acknowledges at the latest when it may not send. */
static void
talk(struct peer *peer, const uint8_t *data, uint32_t size, uint32_t piece_max, uint32_t *seed)
{
	uint32_t at = 0, edge = 0;

	CHECK(respond_open(service, &peer->conn, FIRST, buffers));
	peer->acked = 0;
	peer->length = 0;
	while (at < size) {
		uint32_t window = respond_window(service, &peer->conn, buffers);
		uint32_t piece = piece_max == 0 ? size : 1 + random_below(seed, piece_max);

		CHECK(at + window >= edge);
		edge = at + window;
		if (window == 0) {
			hear(peer, seed);
			CHECK(peer->acked < peer->length);
			acknowledge(peer, peer->length);
			continue;
		}
		piece = piece < window ? piece : window;
		piece = piece < size - at ? piece : size - at;
		respond_input(service, &peer->conn, buffers, data + at, piece);
		at += piece;
		if (random_below(seed, 4) == 0) {
			hear(peer, seed);
			acknowledge(peer, peer->acked + random_below(seed,
									peer->length - peer->acked +
											1));
		}
	}
	hear(peer, seed);
}

/* Behind a 101: frames without masks, whole unless it is the last of a stream that ends. */
static void
check_frames(const struct peer *peer)
{
	static const char switching[] = "HTTP/1.1 101 ";
	uint32_t at = 0;

	while (at + sizeof(switching) - 1 <= peer->length &&
			memcmp(peer->stream + at, "HTTP/1.1 200 OK\r\n", 17) == 0) {
		const uint8_t *end = memmem(peer->stream + at, peer->length - at, "\r\n\r\n", 4);
		bool head = at + 4 < peer->length;

		CHECK(end != NULL && head);
		at = (uint32_t)(end - peer->stream) + 4;
		if (at + 6 <= peer->length && memcmp(peer->stream + at, "hello\n", 6) == 0)
			at += 6;
	}
	if (peer->length - at < sizeof(switching) - 1 ||
			memcmp(peer->stream + at, switching, sizeof(switching) - 1) != 0)
		return;
	at = (uint32_t)((const uint8_t *)memmem(
					peer->stream + at, peer->length - at, "\r\n\r\n", 4) -
			     peer->stream) +
	     4;
	while (at < peer->length) {
		const uint8_t *frame = peer->stream + at;
		unsigned int opcode, more;
		uint64_t length = 0;

		CHECK(peer->length - at >= 2);
		opcode = frame[0] & 15;
		more = frame[1] < 126 ? 0 : frame[1] == 126 ? 2 : 8;
		CHECK((frame[0] & 0x70) == 0 && frame[1] < 128 && peer->length - at >= 2 + more);
		CHECK(opcode <= 2 || opcode == 8 || opcode == 10);
		CHECK(opcode < 8 || (more == 0 && (frame[0] & 0x80)));
		for (unsigned int i = 0; i < more; i++)
			length = length << 8 | frame[2 + i];
		length = more == 0 ? frame[1] : length;
		CHECK(more == 0 || length >= (more == 2 ? 126 : 65536));
		if (length > peer->length - at - 2 - more) {
			CHECK(opcode != 8);
			return;
		}
		at += 2 + more + (uint32_t)length;
		CHECK(opcode != 8 || (at == peer->length && peer->fin && length <= 2));
	}
}

/* Changes between GET and HEAD are refused by what is owed, so by what was acknowledged when. */
static bool
is_unavailable(const struct peer *peer)
{
	return memmem(peer->stream, peer->length, " 503 ", 5) != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t sent[SENT_MAX];
	uint32_t length = 0, seed;

	if (size < 2 || size > SENT_MAX - sizeof(handshake))
		return 0;
	prepare();
	seed = data[0];
	if (data[1] & 1) {
		length = sizeof(handshake) - 1;
		memcpy(sent, handshake, length);
	}
	memcpy(sent + length, data + 2, size - 2);
	length += (uint32_t)size - 2;
	talk(&whole, sent, length, 0, &seed);
	talk(&split, sent, length, 1 + (data[1] >> 1), &seed);
	if (!is_unavailable(&whole) && !is_unavailable(&split)) {
		CHECK(whole.length == split.length && whole.fin == split.fin);
		CHECK(memcmp(whole.stream, split.stream, whole.length) == 0);
	}
	check_frames(&whole);
	respond_peer_closed(service, &split.conn);
	acknowledge(&split, split.length);
	hear(&split, &seed);
	CHECK(split.fin && split.length == split.acked);
	respond_closed(service, &split.conn, buffers);
	respond_closed(service, &whole.conn, buffers);
	CHECK(echo_buffer_take(buffers) != 0 && echo_buffer_take(buffers) != 0);
	echo_buffer_give(buffers, 1);
	echo_buffer_give(buffers, 2);
	return 0;
}

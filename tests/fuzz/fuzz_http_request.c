/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * http service under arbitrary bytes in arbitrary pieces.
 *
 * Input: one byte who closes, one byte how to cut, then what the peer sends.  One connection gets
 * it whole and one in pieces; they must agree in state and in every byte they say, whatever is
 * acknowledged meanwhile.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "respond/respond.h"

#include "fuzz.h"

#define FIRST      0xffffff00u /* The stream soon crosses the wrap. */
#define STREAM_MAX (1u << 17)

static struct respond_service *
service_of(unsigned int close)
{
	static struct respond_service *services[3];
	const struct respond_options options = {.reply = RESPOND_HTTP,
			.close = (enum respond_close)close,
			.body = (const uint8_t *)"hello\n",
			.body_length = 6};

	if (services[close] == NULL)
		services[close] = respond_create(&options);
	CHECK(services[close] != NULL);
	return services[close];
}

/* Without acknowledgements the window's right edge never moves back. */
static unsigned int
feed_in_pieces(const struct respond_service *service, struct respond_conn *conn,
		const uint8_t *data, size_t size, uint32_t *seed)
{
	uint64_t edge = respond_window(service, conn, NULL);
	unsigned int requests = 0;
	size_t at = 0;

	while (at < size) {
		size_t piece = 1 + fuzz_random(seed) % (1u << (fuzz_random(seed) % 8));

		piece = piece < size - at ? piece : size - at;
		requests += respond_input(service, conn, NULL, data + at, piece);
		at += piece;
		/* Beyond the window, which this peer does not care about, nothing is promised. */
		if (at <= edge)
			CHECK(at + respond_window(service, conn, NULL) >= edge);
		edge = at + respond_window(service, conn, NULL);
	}
	return requests;
}

/* Rewrite and acknowledge stretches until the stream is done. */
static void
listen_in_pieces(const struct respond_service *service, struct respond_conn *conn,
		const uint8_t *stream, uint32_t length, uint32_t *seed)
{
	static uint8_t again[STREAM_MAX + 1];
	uint32_t acked = 0;
	bool fin;

	while (acked < length) {
		uint32_t from = acked + fuzz_random(seed) % (length - acked);
		uint32_t part = 1 + fuzz_random(seed) % (length - from);

		again[part] = 0x5a;
		respond_fill(service, conn, NULL, FIRST + from, again, part);
		CHECK(memcmp(again, stream + from, part) == 0 && again[part] == 0x5a);
		acked = from + 1 + fuzz_random(seed) % part;
		respond_acked(service, conn, NULL, FIRST + acked);
		CHECK(respond_end(service, conn, NULL, &fin) == FIRST + length);
		CHECK(FIRST + acked - conn->base < STREAM_MAX);
	}
	CHECK(conn->base == FIRST + length);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t stream[STREAM_MAX];
	const struct respond_service *service;
	struct respond_conn whole, split;
	bool fin, split_fin;
	uint32_t length, seed;

	if (size < 2)
		return 0;
	service = service_of(data[0] % 3);
	seed = data[1];
	data += 2;
	size -= 2;
	CHECK(respond_open(service, &whole, FIRST, NULL));
	CHECK(respond_open(service, &split, FIRST, NULL));
	CHECK(respond_input(service, &whole, NULL, data, size) ==
			feed_in_pieces(service, &split, data, size, &seed));
	CHECK(memcmp(&whole, &split, sizeof(whole)) == 0);

	length = respond_end(service, &whole, NULL, &fin) - FIRST;
	CHECK(length < STREAM_MAX);
	respond_fill(service, &whole, NULL, FIRST, stream, length);
	CHECK(respond_end(service, &split, NULL, &split_fin) == FIRST + length);
	CHECK(fin == split_fin);
	respond_peer_closed(service, &split);
	listen_in_pieces(service, &split, stream, length, &seed);
	CHECK(respond_end(service, &split, NULL, &fin) == split.base && fin);
	CHECK(respond_input(service, &split, NULL, data, size) == 0);
	respond_closed(service, &split, NULL);
	return 0;
}

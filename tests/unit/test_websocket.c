/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * websocket: frames in, frames out, wherever the stream is split.
 *
 * Streams are written as frames; what they should be answered with is written down or put together
 * by the tests, not by the reader under test.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "echo_rings.h"
#include "random.h"
#include "respond/websocket.h"

#define SEED       UINT64_C(0x776562736f636b)
#define STREAM_MAX (1u << 18)

/** Bytes that are there to be compared. */
struct stream {
	uint32_t length;
	uint8_t bytes[STREAM_MAX];
};

static struct websocket socket;
static struct echo_buffers *buffers;
static uint32_t ring;
static struct stream in, out, said;

static int
setup(void **state)
{
	(void)state;
	buffers = echo_rings_new(1);
	return buffers != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	free(buffers);
	return 0;
}

static void
begin(void)
{
	if (ring != 0)
		echo_buffer_give(buffers, ring);
	ring = echo_buffer_take(buffers);
	memset(&socket, 0, sizeof(socket));
	said.length = 0;
}

static void
clear(void)
{
	in.length = 0;
	out.length = 0;
}

static void
add(struct stream *stream, const void *bytes, size_t length)
{
	assert_true(stream->length + length <= STREAM_MAX);
	memcpy(stream->bytes + stream->length, bytes, length);
	stream->length += (uint32_t)length;
}

/* A header in the fewest bytes. */
static void
add_header(struct stream *stream, uint8_t first, uint64_t length, uint8_t mask)
{
	uint8_t header[10] = {first};
	unsigned int more = length < 126 ? 0 : length < 65536 ? 2 : 8;

	header[1] = mask | (more == 0 ? (uint8_t)length : more == 2 ? 126 : 127);
	for (unsigned int i = 0; i < more; i++)
		header[2 + i] = (uint8_t)(length >> 8 * (more - 1 - i));
	add(stream, header, 2 + more);
}

/* A client's frame. */
static void
add_masked(uint8_t first, const void *payload, size_t length)
{
	static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
	const uint8_t *from = payload;

	add_header(&in, first, length, 0x80);
	add(&in, key, sizeof(key));
	for (size_t i = 0; i < length; i++) {
		uint8_t byte = from[i] ^ key[i % 4];

		add(&in, &byte, 1);
	}
}

/* The server's answer to it. */
static void
add_plain(uint8_t first, const void *payload, size_t length)
{
	add_header(&out, first, length, 0);
	add(&out, payload, length);
}

/* Take everything that may be said out of the ring. */
static void
listen_all(void)
{
	uint32_t ready = websocket_ready(&socket, buffers, ring);

	assert_true(said.length + ready <= STREAM_MAX);
	echo_buffer_peek(buffers, ring, 0, said.bytes + said.length, ready);
	said.length += ready;
	echo_buffer_pop(buffers, ring, ready);
}

/* Feed [from, to) of in, as much at a time as the window allows and at most @p piece. */
static bool
feed(uint32_t from, uint32_t to, uint32_t piece)
{
	while (from < to) {
		uint32_t part = websocket_window(&socket, buffers, ring);

		assert_true(part > 0);
		part = part < piece ? part : piece;
		part = part < to - from ? part : to - from;
		if (!websocket_read(&socket, buffers, ring, in.bytes + from, part)) {
			listen_all();
			return false;
		}
		from += part;
		listen_all();
	}
	return true;
}

static void
assert_said(void)
{
	assert_int_equal(said.length, out.length);
	assert_memory_equal(said.bytes, out.bytes, out.length);
}

/* The same is said whether in comes whole, by the byte, or in two parts split anywhere. */
static void
assert_answer(bool open)
{
	static const uint32_t pieces[] = {1, 2, 3, 7, 1460, STREAM_MAX};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		begin();
		assert_int_equal(feed(0, in.length, pieces[i]), open);
		assert_said();
	}
	for (uint32_t split = 1; split < in.length && in.length < 1000; split++) {
		begin();
		if (feed(0, split, STREAM_MAX))
			assert_int_equal(feed(split, in.length, STREAM_MAX), open);
		else
			assert_false(open);
		assert_said();
	}
	clear();
}

static void
add_bytes(struct stream *stream, const char *bytes, size_t length)
{
	add(stream, bytes, length);
}

#define IN(text)  add_bytes(&in, text, sizeof(text) - 1)
#define OUT(text) add_bytes(&out, text, sizeof(text) - 1)

/* RFC 6455 5.7, with what the other side would say. */
static void
sample_frames_of_the_rfc_are_echoed(void **state)
{
	(void)state;
	IN("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
	OUT("\x81\x05Hello");
	assert_answer(true);
	IN("\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
	OUT("\x8a\x05Hello");
	assert_answer(true);
	add_masked(0x01, "Hel", 3);
	add_masked(0x80, "lo", 2);
	OUT("\x01\x03Hel\x80\x02lo");
	assert_answer(true);
	IN("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"); /* unasked: 5.5.3 */
	assert_answer(true);
}

static void
every_length_is_echoed_with_its_header(void **state)
{
	static const uint32_t lengths[] = {
			0, 1, 125, 126, 127, 4095, 4096, 4097, 16383, 16384, 65535, 65536, 100000};
	static uint8_t payload[100000];

	(void)state;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = 'a' + i % 26;
	for (uint8_t opcode = 1; opcode <= 2; opcode++) {
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			add_masked(0x80 | opcode, payload, lengths[i]);
			add_plain(0x80 | opcode, payload, lengths[i]);
			add_masked(0x89, "x", 1);
			add_plain(0x8a, "x", 1);
			assert_answer(true);
		}
	}
}

static void
control_frames_stand_between_fragments(void **state)
{
	(void)state;
	add_masked(0x02, "\xff\xfe", 2);
	add_masked(0x89, "now?", 4);
	add_masked(0x00, "", 0);
	add_masked(0x8a, "ignored", 7);
	add_masked(0x80, "\x80", 1);
	add_masked(0x89, "", 0);
	add_plain(0x02, "\xff\xfe", 2);
	add_plain(0x8a, "now?", 4);
	add_plain(0x00, "", 0);
	add_plain(0x80, "\x80", 1);
	add_plain(0x8a, "", 0);
	assert_answer(true);
}

static void
a_character_may_be_split_over_fragments(void **state)
{
	(void)state;
	add_masked(0x01, "\xe2", 1);
	add_masked(0x00, "\x82", 1);
	add_masked(0x89, "\xff", 1);
	add_masked(0x80, "\xac", 1);
	add_plain(0x01, "\xe2", 1);
	add_plain(0x00, "\x82", 1);
	add_plain(0x8a, "\xff", 1);
	add_plain(0x80, "\xac", 1);
	assert_answer(true);
}

static void
close_is_answered_with_its_code_and_is_the_last(void **state)
{
	static const uint16_t good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012,
			1014, 3000, 3999, 4000, 4999};

	(void)state;
	add_masked(0x88, "", 0);
	add_masked(0x81, "unheard", 7);
	OUT("\x88\x00");
	assert_answer(false);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const uint8_t code[] = {good[i] >> 8, good[i] & 0xff, 'b', 'y', 'e', 0xc3, 0xa4};

		add_masked(0x81, "a", 1);
		add_masked(0x88, code, i % 2 ? 2 : sizeof(code));
		add_plain(0x81, "a", 1);
		add_plain(0x88, code, 2);
		assert_answer(false);
	}
	/* In the middle of a message, even of a character. */
	add_masked(0x01, "a\xe2", 2);
	add_masked(0x88,
			"\x03\xe8"
			"bye",
			5);
	add_plain(0x01, "a\xe2", 2);
	add_plain(0x88, "\x03\xe8", 2);
	assert_answer(false);
}

static void
wrong_status_codes_are_protocol_errors(void **state)
{
	static const uint16_t bad[] = {
			0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const uint8_t code[] = {bad[i] >> 8, bad[i] & 0xff, 0xff};

		add_masked(0x88, code, 2 + i % 2);
		OUT("\x88\x02\x03\xea");
		assert_answer(false);
	}
	add_masked(0x88, "\x03\xe8\xc3", 3);
	OUT("\x88\x02\x03\xef");
	assert_answer(false);
	add_masked(0x88, "\x03\xe8\xff", 3);
	OUT("\x88\x02\x03\xef");
	assert_answer(false);
}

/* RFC 6455 5.1, 5.2, 5.4, 5.5 */
static void
protocol_errors_are_closed_with_1002(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} errors[] = {
#define ERROR(text) {text, sizeof(text) - 1}
			ERROR("\x81\x05Hello"), /* not masked */
			ERROR("\x89\x05Hello"), /* not masked */
			ERROR("\xc1\x80"),      /* RSV1 */
			ERROR("\xa1\x80"),      /* RSV2 */
			ERROR("\x91\x80"),      /* RSV3 */
			ERROR("\xc9\x80"),      /* RSV1 in a control frame */
			ERROR("\x83\x80"),      /* reserved opcodes */
			ERROR("\x87\x80"), ERROR("\x8b\x80"), ERROR("\x8f\x80"),
			ERROR("\x09\x80"), /* control frames in fragments */
			ERROR("\x08\x80"), ERROR("\x0a\x80"),
			ERROR("\x89\xfe"), /* control frames above 125 bytes */
			ERROR("\x88\xfe"), ERROR("\x8a\xff"),
			ERROR("\x88\x81"), /* half a status code */
			ERROR("\x80\x80"), /* continuation of nothing */
			ERROR("\x00\x80"),
			ERROR("\x82\xfe\x00\x7d"), /* lengths that fewer bytes could say */
			ERROR("\x82\xfe\x00\x00"),
			ERROR("\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff"),
			ERROR("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00"), /* the top bit */
#undef ERROR
	};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		add_masked(0x81, "a", 1);
		add_plain(0x81, "a", 1);
		add_bytes(&in, errors[i].bytes, errors[i].length);
		OUT("\x88\x02\x03\xea");
		assert_answer(false);
	}
	/* A message in a message. */
	add_masked(0x02, "a", 1);
	add_plain(0x02, "a", 1);
	IN("\x82\x80");
	OUT("\x88\x02\x03\xea");
	assert_answer(false);
	add_masked(0x01, "a", 1);
	add_plain(0x01, "a", 1);
	IN("\x01\x80");
	OUT("\x88\x02\x03\xea");
	assert_answer(false);
}

static void
invalid_text_is_closed_with_1007_and_not_echoed(void **state)
{
	static uint8_t text[4096];

	(void)state;
	add_masked(0x81, "ok", 2);
	add_masked(0x81, "Hello \xff", 7);
	add_plain(0x81, "ok", 2);
	OUT("\x88\x02\x03\xef");
	assert_answer(false);
	add_masked(0x81, "\xe2\x82", 2); /* ends within a character */
	OUT("\x88\x02\x03\xef");
	assert_answer(false);
	add_masked(0x01, "\xe2\x82", 2);
	add_masked(0x80, "", 0);
	add_plain(0x01, "\xe2\x82", 2);
	OUT("\x88\x02\x03\xef");
	assert_answer(false);
	add_masked(0x01, "a", 1);
	add_masked(0x89, "", 0);
	add_masked(0x00, "b\xed\xa0\x80", 4);
	add_plain(0x01, "a", 1);
	add_plain(0x8a, "", 0);
	OUT("\x88\x02\x03\xef");
	assert_answer(false);
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = 0xc3;
	add_masked(0x81, text, sizeof(text));
	OUT("\x88\x02\x03\xef");
	assert_answer(false);
	/* Binary may be anything. */
	add_masked(0x82, "Hello \xff", 7);
	add_plain(0x82, "Hello \xff", 7);
	assert_answer(true);
}

/* What is not held back ends within the frame, without a Close that would be part of it. */
static void
invalid_text_in_a_long_frame_ends_the_stream_before_it(void **state)
{
	static uint8_t text[5000];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[4500] = 0xff;
	add_masked(0x81, text, sizeof(text));
	add_header(&out, 0x81, sizeof(text), 0);
	add(&out, text, 4500);
	assert_answer(false);
	/* Unless its error is that it ends. */
	text[4500] = 'a';
	text[4999] = 0xc3;
	add_masked(0x81, text, sizeof(text));
	add_plain(0x81, text, sizeof(text));
	OUT("\x88\x02\x03\xef");
	assert_answer(false);
}

static void
short_text_is_said_only_when_it_is_whole(void **state)
{
	(void)state;
	clear();
	begin();
	add_masked(0x81, "Hello", 5);
	assert_true(feed(0, in.length - 1, STREAM_MAX));
	assert_int_equal(said.length, 0);
	assert_true(feed(in.length - 1, in.length, STREAM_MAX));
	assert_int_equal(said.length, 7);
	clear();
	begin();
	add_masked(0x82, "Hello", 5);
	assert_true(feed(0, in.length - 1, STREAM_MAX));
	assert_int_equal(said.length, 6);
}

/* Nobody listens: the window closes byte by byte and never moves its right edge back. */
static void
the_window_closes_and_everything_inside_it_is_kept(void **state)
{
	uint64_t seed = SEED;

	(void)state;
	print_message("seed %#llx\n", (unsigned long long)SEED);
	for (unsigned int trial = 0; trial < 200; trial++) {
		uint32_t edge, sent = 0;
		bool open = true;

		clear();
		begin();
		while (in.length < 3 * ECHO_BUFFER_BYTES) {
			static uint8_t payload[20000];
			uint32_t length = random_below(
					&seed, 1 + random_below(&seed, 1 << trial % 15));

			if (random_below(&seed, 5) == 0) {
				add_masked(0x89, payload, length % 126);
				add_plain(0x8a, payload, length % 126);
			} else {
				uint8_t first = 0x81 + random_below(&seed, 2);

				add_masked(first, payload, length);
				add_plain(first, payload, length);
			}
		}
		edge = websocket_window(&socket, buffers, ring);
		while (sent < edge && sent < in.length) {
			uint32_t part = 1 + random_below(&seed, edge - sent);

			part = part < in.length - sent ? part : in.length - sent;
			open = open &&
			       websocket_read(&socket, buffers, ring, in.bytes + sent, part);
			sent += part;
			assert_true(sent + websocket_window(&socket, buffers, ring) >= edge);
			edge = sent + websocket_window(&socket, buffers, ring);
			if (random_below(&seed, 3) == 0 && trial % 2)
				listen_all();
		}
		assert_true(open);
		assert_true(trial % 2 || edge - sent == 0);
		listen_all();
		assert_true(said.length <= out.length);
		assert_memory_equal(said.bytes, out.bytes, said.length);
	}
	clear();
}

/* A wrong header that comes in while nobody listens, wherever it falls in the window. */
static void
there_is_room_for_a_close_as_long_as_the_window_is_open(void **state)
{
	static uint8_t payload[ECHO_BUFFER_BYTES];
	unsigned int closed = 0;

	(void)state;
	for (uint32_t left = 0; left < 12; left++) {
		bool open = true;

		clear();
		begin();
		add_masked(0x82, payload, ECHO_BUFFER_BYTES - 4 - left);
		add_plain(0x82, payload, ECHO_BUFFER_BYTES - 4 - left);
		IN("\x83\x80");
		OUT("\x88\x02\x03\xea");
		for (uint32_t at = 0; at < in.length && open; at++) {
			if (websocket_window(&socket, buffers, ring) == 0)
				break;
			open = websocket_read(&socket, buffers, ring, in.bytes + at, 1);
		}
		listen_all();
		if (open)
			continue;
		closed++;
		assert_said();
	}
	assert_int_equal(closed, 6);
	clear();
}

static void
beyond_the_window_the_stream_ends_and_nothing_breaks(void **state)
{
	static uint8_t payload[2 * ECHO_BUFFER_BYTES];

	(void)state;
	clear();
	begin();
	add_masked(0x82, payload, sizeof(payload));
	assert_false(websocket_read(&socket, buffers, ring, in.bytes, in.length));
	listen_all();
	add_plain(0x82, payload, sizeof(payload));
	assert_true(said.length > ECHO_BUFFER_BYTES / 2);
	assert_memory_equal(said.bytes, out.bytes, said.length);
	clear();
}

static void
the_longest_frame_streams(void **state)
{
	static const char header[] = "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\1\2\3\4";
	uint64_t total = 0;
	uint8_t data[1001], heard[1001];

	(void)state;
	begin();
	assert_true(websocket_read(
			&socket, buffers, ring, (const uint8_t *)header, sizeof(header) - 1));
	assert_int_equal(websocket_ready(&socket, buffers, ring), 10);
	echo_buffer_peek(buffers, ring, 0, heard, 10);
	assert_memory_equal(heard, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10);
	echo_buffer_pop(buffers, ring, 10);
	for (unsigned int i = 0; i < 1000; i++) {
		for (size_t at = 0; at < sizeof(data); at++)
			data[at] = (uint8_t)(total + at);
		assert_true(websocket_read(&socket, buffers, ring, data, sizeof(data)));
		assert_int_equal(websocket_ready(&socket, buffers, ring), sizeof(data));
		echo_buffer_peek(buffers, ring, 0, heard, sizeof(data));
		for (size_t at = 0; at < sizeof(data); at++)
			assert_int_equal(heard[at], data[at] ^ ((total + at) % 4 + 1));
		echo_buffer_pop(buffers, ring, sizeof(data));
		total += sizeof(data);
	}
}

#define TEST(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(sample_frames_of_the_rfc_are_echoed),
			TEST(every_length_is_echoed_with_its_header),
			TEST(control_frames_stand_between_fragments),
			TEST(a_character_may_be_split_over_fragments),
			TEST(close_is_answered_with_its_code_and_is_the_last),
			TEST(wrong_status_codes_are_protocol_errors),
			TEST(protocol_errors_are_closed_with_1002),
			TEST(invalid_text_is_closed_with_1007_and_not_echoed),
			TEST(invalid_text_in_a_long_frame_ends_the_stream_before_it),
			TEST(short_text_is_said_only_when_it_is_whole),
			TEST(the_window_closes_and_everything_inside_it_is_kept),
			TEST(there_is_room_for_a_close_as_long_as_the_window_is_open),
			TEST(beyond_the_window_the_stream_ends_and_nothing_breaks),
			TEST(the_longest_frame_streams),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

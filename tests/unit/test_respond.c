/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * respond: what services say, compared with a stream that the test keeps whole.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "echo_rings.h"
#include "random.h"
#include "respond/respond.h"

#define SEED          UINT64_C(0x726573706f6e64)
#define STREAM_MAX    (1u << 20)
#define RINGS         2

#define REQUEST_GET   "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define REQUEST_HEAD  "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
#define REQUEST_CLOSE "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define REPLY_OK                                                                                   \
	"HTTP/1.1 200 OK\r\nServer: handfast\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n" \
	"Connection: "
#define REPLY_HEAD  REPLY_OK "keep-alive\r\n\r\n"
#define REPLY_GET   REPLY_HEAD "hello\n"
#define REPLY_CLOSE REPLY_OK "close\r\n\r\nhello\n"
#define REPLY_ERROR(status, fields)                                                  \
	"HTTP/1.1 " status "\r\nServer: handfast\r\n" fields "Content-Length: 0\r\n" \
	"Connection: close\r\n\r\n"
#define REPLY_400 REPLY_ERROR("400 Bad Request", "")
#define REPLY_503 REPLY_ERROR("503 Service Unavailable", "")

/** One connection, and the stream it should say. */
struct peer {
	struct respond_service *service;
	struct echo_buffers *buffers;
	struct respond_conn conn;
	uint32_t first; /**< Sequence number of stream[0]. */
	uint32_t acked; /**< How much of the stream was acknowledged. */
	uint32_t length;
	uint8_t stream[STREAM_MAX];
};

static struct peer peer;
static uint8_t heard[STREAM_MAX];

static int
teardown(void **state)
{
	(void)state;
	respond_free(peer.service);
	free(peer.buffers);
	peer.service = NULL;
	peer.buffers = NULL;
	return 0;
}

static void
start_at(const struct respond_options *options, uint32_t first)
{
	teardown(NULL);
	peer.service = respond_create(options);
	assert_non_null(peer.service);
	peer.buffers = echo_rings_new(RINGS);
	assert_non_null(peer.buffers);
	peer.first = first;
	peer.acked = 0;
	peer.length = 0;
	assert_true(respond_open(peer.service, &peer.conn, first, peer.buffers));
}

static void
start(enum respond_reply reply, enum respond_close close)
{
	const struct respond_options options = {
			.reply = reply,
			.close = close,
			.banner = "220 ready\r\n",
			.body = (const uint8_t *)"hello\n",
			.body_length = 6,
	};

	start_at(&options, 1000);
}

static unsigned int
input(const char *text)
{
	return respond_input(peer.service, &peer.conn, peer.buffers, (const uint8_t *)text,
			strlen(text));
}

static void
expect_bytes(const void *bytes, size_t length)
{
	assert_true(peer.length + length <= STREAM_MAX);
	memcpy(peer.stream + peer.length, bytes, length);
	peer.length += (uint32_t)length;
}

static void
expect(const char *text)
{
	expect_bytes(text, strlen(text));
}

/* The bytes [from, to) of the stream are what is written, and no byte beyond. */
static void
assert_says(uint32_t from, uint32_t to)
{
	heard[to - from] = 0x5a;
	respond_fill(peer.service, &peer.conn, peer.buffers, peer.first + from, heard, to - from);
	assert_memory_equal(heard, peer.stream + from, to - from);
	assert_int_equal(heard[to - from], 0x5a);
}

/* All that is expected is ready, and whether a FIN follows. */
static void
assert_ready(bool fin)
{
	bool fins;
	uint32_t end = respond_end(peer.service, &peer.conn, peer.buffers, &fins);

	assert_int_equal(end - peer.first, peer.length);
	assert_int_equal(fins, fin);
	if (peer.length > peer.acked)
		assert_says(peer.acked, peer.length);
}

/* As assert_ready(), from every byte that may have to be said again. */
static void
assert_ready_from_anywhere(bool fin)
{
	assert_ready(fin);
	for (uint32_t from = peer.acked; from < peer.length; from++) {
		uint32_t left = peer.length - from;

		assert_says(from, from + 1);
		assert_says(from, from + (left < 536 ? left : 536));
	}
}

static void
ack(uint32_t to)
{
	peer.acked = to;
	respond_acked(peer.service, &peer.conn, peer.buffers, peer.first + to);
}

static uint32_t
window(void)
{
	return respond_window(peer.service, &peer.conn, peer.buffers);
}

static void
nonsensical_options_are_refused(void **state)
{
	const struct respond_options large = {
			.reply = RESPOND_HTTP, .body_length = RESPOND_BODY_MAX + 1};
	const struct respond_options injected = {
			.reply = RESPOND_HTTP, .content_type = "a/b\r\nX: y"};

	(void)state;
	errno = 0;
	assert_null(respond_create(&large));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(respond_create(&injected));
	assert_int_equal(errno, EINVAL);
	respond_free(NULL);
}

static void
discard_says_nothing_and_follows_the_peer(void **state)
{
	(void)state;
	start(RESPOND_DISCARD, RESPOND_CLOSE_PEER);
	assert_ready(false);
	assert_int_equal(input("anything"), 0);
	assert_int_equal(window(), RESPOND_WINDOW_BYTES);
	assert_ready(false);
	respond_peer_closed(peer.service, &peer.conn);
	assert_ready(true);
	ack(1);
	peer.acked = 0;
	assert_ready(true);
}

static void
discard_may_close_at_once(void **state)
{
	(void)state;
	start(RESPOND_DISCARD, RESPOND_CLOSE_AT_ONCE);
	assert_ready(true);
}

static void
discard_never_has_said_a_reply_to_close_after(void **state)
{
	(void)state;
	start(RESPOND_DISCARD, RESPOND_CLOSE_AFTER_REPLY);
	input("anything");
	assert_ready(false);
}

static void
a_banner_is_said_before_anything_is_heard(void **state)
{
	(void)state;
	start(RESPOND_BANNER, RESPOND_CLOSE_PEER);
	expect("220 ready\r\n");
	assert_ready_from_anywhere(false);
	input("EHLO\r\n");
	ack(5);
	assert_ready_from_anywhere(false);
	ack(11);
	assert_ready(false);
	respond_peer_closed(peer.service, &peer.conn);
	assert_ready(true);
}

static void
a_banner_may_be_all_there_is(void **state)
{
	(void)state;
	start(RESPOND_BANNER, RESPOND_CLOSE_AT_ONCE);
	expect("220 ready\r\n");
	assert_ready(true);
	start(RESPOND_BANNER, RESPOND_CLOSE_AFTER_REPLY);
	expect("220 ready\r\n");
	assert_ready(true);
}

static void
echo_says_what_it_hears(void **state)
{
	(void)state;
	start(RESPOND_ECHO, RESPOND_CLOSE_PEER);
	assert_ready(false);
	assert_int_equal(window(), ECHO_BUFFER_BYTES);
	input("hello ");
	expect("hello ");
	input("world");
	expect("world");
	assert_ready_from_anywhere(false);
	assert_int_equal(window(), ECHO_BUFFER_BYTES - 11);
	ack(3);
	assert_int_equal(window(), ECHO_BUFFER_BYTES - 8);
	assert_ready_from_anywhere(false);
	respond_peer_closed(peer.service, &peer.conn);
	assert_ready(true);
	ack(11);
	assert_ready(true);
	ack(12); /* our FIN */
	peer.acked = 11;
	assert_ready(true);
}

static void
echo_closes_its_window_when_full(void **state)
{
	static uint8_t data[ECHO_BUFFER_BYTES];

	(void)state;
	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i % 251);
	start(RESPOND_ECHO, RESPOND_CLOSE_PEER);
	respond_input(peer.service, &peer.conn, peer.buffers, data, sizeof(data));
	expect_bytes(data, sizeof(data));
	assert_int_equal(window(), 0);
	assert_ready(false);
	ack(1);
	assert_int_equal(window(), 1);
	input("x");
	expect("x");
	assert_ready(false);
	assert_int_equal(window(), 0);
}

static void
echo_beyond_the_window_ends_the_stream_without_a_hole(void **state)
{
	static uint8_t data[ECHO_BUFFER_BYTES + 1];

	(void)state;
	start(RESPOND_ECHO, RESPOND_CLOSE_PEER);
	respond_input(peer.service, &peer.conn, peer.buffers, data, sizeof(data));
	expect_bytes(data, ECHO_BUFFER_BYTES);
	assert_ready(true);
	ack(5000);
	input("more");
	assert_ready(true);
}

static void
echo_may_close_after_the_first_reply(void **state)
{
	(void)state;
	start(RESPOND_ECHO, RESPOND_CLOSE_AFTER_REPLY);
	assert_ready(false);
	input("once");
	expect("once");
	assert_ready(true);
	input("twice");
	assert_ready(true);
}

static void
echo_needs_a_ring_only_to_echo(void **state)
{
	struct respond_conn conn[RINGS];

	(void)state;
	start(RESPOND_ECHO, RESPOND_CLOSE_PEER);
	assert_true(respond_open(peer.service, &conn[0], 5, peer.buffers));
	assert_false(respond_open(peer.service, &conn[1], 5, peer.buffers));
	respond_closed(peer.service, &conn[1], peer.buffers);
	assert_false(respond_open(peer.service, &conn[1], 5, peer.buffers));
	respond_closed(peer.service, &conn[0], peer.buffers);
	respond_closed(peer.service, &conn[0], peer.buffers);
	assert_true(respond_open(peer.service, &conn[1], 5, peer.buffers));
	assert_false(respond_open(peer.service, &conn[0], 5, peer.buffers));
	start(RESPOND_ECHO, RESPOND_CLOSE_AT_ONCE);
	for (unsigned int i = 0; i < RINGS; i++)
		assert_true(respond_open(peer.service, &conn[i], 5, peer.buffers));
	input("unheard");
	assert_ready(true);
}

static void
http_keeps_the_connection_and_follows_the_peer(void **state)
{
	(void)state;
	start(RESPOND_HTTP, RESPOND_CLOSE_PEER);
	assert_ready(false);
	assert_int_equal(input(REQUEST_GET), 1);
	expect(REPLY_GET);
	assert_ready_from_anywhere(false);
	ack(peer.length);
	assert_ready(false);
	assert_int_equal(input(REQUEST_HEAD), 1);
	expect(REPLY_HEAD);
	assert_ready_from_anywhere(false);
	respond_peer_closed(peer.service, &peer.conn);
	assert_ready(true);
}

static void
every_refusal_has_its_golden_text(void **state)
{
	static const struct {
		const char *request, *reply;
	} golden[] = {
			{"GET / HTTP/1.0\r\n\r\n", REPLY_CLOSE},
			{"HEAD / HTTP/1.0\r\n\r\n", REPLY_OK "close\r\n\r\n"},
			{"\x16\x03\x01", REPLY_400},
			{"POST / HTTP/1.1\r\n", REPLY_ERROR("405 Method Not Allowed",
								"Allow: GET, HEAD\r\n")},
			{"GET / HTTP/1.0\nContent-Length: 3\n\nabc",
					REPLY_ERROR("413 Content Too Large", "")},
			{"BREW / HTTP/1.1\r\n", REPLY_ERROR("501 Not Implemented", "")},
			{"GET / HTTP/2.0\r\n", REPLY_ERROR("505 HTTP Version Not Supported", "")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
		start(RESPOND_HTTP, RESPOND_CLOSE_PEER);
		assert_int_equal(input(golden[i].request), 1);
		expect(golden[i].reply);
		assert_ready_from_anywhere(true);
		assert_int_equal(input(REQUEST_GET), 0);
		assert_ready(true);
	}
}

static void
overlong_requests_have_golden_texts(void **state)
{
	(void)state;
	start(RESPOND_HTTP, RESPOND_CLOSE_PEER);
	assert_int_equal(input("GET /"), 0);
	for (unsigned int i = 0; i < 2000; i++)
		input("0123456789");
	expect(REPLY_ERROR("414 URI Too Long", ""));
	assert_ready(true);
	start(RESPOND_HTTP, RESPOND_CLOSE_PEER);
	assert_int_equal(input("GET / HTTP/1.1\n"), 0);
	for (unsigned int i = 0; i < 2000; i++)
		input("A: b\nC: d\n");
	expect(REPLY_ERROR("431 Request Header Fields Too Large", ""));
	assert_ready(true);
}

static void
http_may_close_at_once_or_after_the_first_reply(void **state)
{
	(void)state;
	start(RESPOND_HTTP, RESPOND_CLOSE_AT_ONCE);
	assert_ready(true);
	assert_int_equal(input(REQUEST_GET), 0);
	assert_ready(true);
	start(RESPOND_HTTP, RESPOND_CLOSE_AFTER_REPLY);
	assert_ready(false);
	assert_int_equal(input(REQUEST_GET REQUEST_GET), 1);
	expect(REPLY_CLOSE);
	assert_ready(true);
	start(RESPOND_HTTP, RESPOND_CLOSE_AFTER_REPLY);
	input(REQUEST_HEAD);
	expect(REPLY_OK "close\r\n\r\n");
	assert_ready(true);
}

static void
a_request_before_the_fin_is_answered_half_a_request_is_not(void **state)
{
	(void)state;
	start(RESPOND_HTTP, RESPOND_CLOSE_PEER);
	input(REQUEST_GET "GET / HT");
	expect(REPLY_GET);
	assert_ready(false);
	respond_peer_closed(peer.service, &peer.conn);
	assert_ready_from_anywhere(true);
	ack(peer.length);
	assert_ready(true);
	ack(peer.length + 1); /* our FIN */
	peer.acked = peer.length;
	assert_ready(true);
}

static void
an_old_acknowledgement_changes_nothing(void **state)
{
	(void)state;
	start(RESPOND_HTTP, RESPOND_CLOSE_PEER);
	input(REQUEST_GET);
	expect(REPLY_GET);
	ack(peer.length);
	input(REQUEST_GET);
	respond_acked(peer.service, &peer.conn, peer.buffers, peer.first + 3);
	expect(REPLY_GET);
	assert_ready(false);
}

static void
pipelined_kinds_are_answered_in_order(void **state)
{
	(void)state;
	start(RESPOND_HTTP, RESPOND_CLOSE_PEER);
	assert_int_equal(input(REQUEST_GET REQUEST_GET REQUEST_HEAD REQUEST_GET REQUEST_CLOSE), 5);
	expect(REPLY_GET REPLY_GET REPLY_HEAD REPLY_GET REPLY_CLOSE);
	assert_ready_from_anywhere(true);
	while (peer.acked < peer.length) {
		ack(peer.acked + 1);
		assert_ready(true);
	}
}

static void
too_many_changes_of_kind_are_refused(void **state)
{
	(void)state;
	start(RESPOND_HTTP, RESPOND_CLOSE_PEER);
	assert_int_equal(input(REQUEST_HEAD REQUEST_GET REQUEST_HEAD REQUEST_GET REQUEST_GET), 4);
	expect(REPLY_HEAD REPLY_GET REPLY_HEAD REPLY_503);
	assert_ready_from_anywhere(true);
}

/* Whatever a peer sends within its window, of the shortest requests there are. */
static void
the_window_closes_before_the_queue_is_full(void **state)
{
	static const char shortest[] = "GET / HTTP/1.1\nHost:\n\n";
	const size_t length = strlen(shortest);
	uint32_t edge, requests = 0, sent = 0;

	(void)state;
	start(RESPOND_HTTP, RESPOND_CLOSE_PEER);
	edge = window();
	for (unsigned int round = 0; round < 3; round++) {
		while (sent < edge) {
			const uint8_t byte = (uint8_t)shortest[sent % length];

			requests += respond_input(peer.service, &peer.conn, peer.buffers, &byte, 1);
			sent++;
			assert_true(sent + window() >= edge);
			edge = sent + window();
		}
		assert_int_equal(window(), 0);
		while (peer.length < requests * strlen(REPLY_GET))
			expect(REPLY_GET);
		assert_ready(false);
		ack(peer.length - 7 * (uint32_t)strlen(REPLY_GET) + 3);
		assert_ready(false);
		edge = sent + window();
	}
	assert_true(requests > 1000);
}

static void
requests_beyond_the_window_are_refused(void **state)
{
	unsigned int requests = 0;

	(void)state;
	start(RESPOND_HTTP, RESPOND_CLOSE_PEER);
	for (unsigned int i = 0; i < 1000; i++)
		requests += input(REQUEST_GET);
	for (unsigned int i = 1; i < requests; i++)
		expect(REPLY_GET);
	expect(REPLY_503);
	assert_ready(true);
}

static void
a_generated_body_is_text_and_always_the_same(void **state)
{
	const size_t lengths[] = {0, 1, 63, 64, 65, 1024, 100000};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const struct respond_options options = {.reply = RESPOND_HTTP,
				.body_length = lengths[i],
				.content_type = "text/html"};
		char head[256];
		int length = snprintf(head, sizeof(head),
				"HTTP/1.1 200 OK\r\nServer: handfast\r\nContent-Type: text/html\r\n"
				"Content-Length: %zu\r\nConnection: keep-alive\r\n\r\n",
				lengths[i]);
		bool fin;
		uint32_t end;

		start_at(&options, 77);
		input(REQUEST_GET);
		end = respond_end(peer.service, &peer.conn, peer.buffers, &fin);
		assert_int_equal(end - 77, (size_t)length + lengths[i]);
		respond_fill(peer.service, &peer.conn, peer.buffers, 77, heard, end - 77);
		assert_memory_equal(heard, head, length);
		for (size_t at = (size_t)length; at < end - 77; at++)
			assert_true(heard[at] == '\n' || (heard[at] >= ' ' && heard[at] < 127));
		expect_bytes(heard, end - 77);
		start_at(&options, 99);
		peer.length = (uint32_t)(length + lengths[i]);
		input(REQUEST_GET);
		assert_ready(false);
	}
}

static void
the_largest_body_is_said_to_its_last_byte(void **state)
{
	const struct respond_options options = {
			.reply = RESPOND_HTTP, .body_length = RESPOND_BODY_MAX};
	uint32_t end, reply;
	uint8_t first[300], again[300];
	bool fin;

	(void)state;
	start_at(&options, 0xfff00000);
	for (unsigned int i = 0; i < 511; i++)
		assert_int_equal(input(REQUEST_GET), 1);
	end = respond_end(peer.service, &peer.conn, peer.buffers, &fin);
	reply = (end - 0xfff00000) / 511;
	assert_false(fin);
	assert_true(reply > RESPOND_BODY_MAX && reply < RESPOND_BODY_MAX + 300);
	respond_fill(peer.service, &peer.conn, peer.buffers, 0xfff00000, first, 300);
	for (uint32_t i = 0; i < 511; i++) {
		respond_fill(peer.service, &peer.conn, peer.buffers, 0xfff00000 + i * reply, again,
				300);
		assert_memory_equal(first, again, 300);
	}
	respond_fill(peer.service, &peer.conn, peer.buffers, end - 1, again, 1);
	assert_int_equal(again[0], '\n');
	respond_acked(peer.service, &peer.conn, peer.buffers, end - 1);
	assert_int_equal(peer.conn.base, end - reply);
	respond_acked(peer.service, &peer.conn, peer.buffers, end);
	assert_int_equal(peer.conn.base, end);
}

/* One step of a peer that asks, hears, loses and acknowledges as chance will have it. */
static void
random_step(uint64_t *seed, unsigned int *runs, bool *was_get)
{
	bool get = random_next(seed) % 4 != 0;
	uint32_t owed = peer.length - peer.acked, from;

	switch (random_next(seed) % 4) {
	case 0:
		/* The queue holds three runs; the oldest may be there only in part. */
		if (get != *was_get && ++*runs > 2)
			return;
		*was_get = get;
		assert_int_equal(input(get ? REQUEST_GET : REQUEST_HEAD), 1);
		expect(get ? REPLY_GET : REPLY_HEAD);
		break;
	case 1:
		if (random_next(seed) % 3 == 0) {
			ack(peer.length);
			*runs = 0;
		} else if (owed > 0) {
			ack(peer.acked + (uint32_t)(random_next(seed) % owed));
		}
		break;
	default:
		if (owed == 0)
			return;
		from = peer.acked + (uint32_t)(random_next(seed) % owed);
		assert_says(from, from + 1 + (uint32_t)(random_next(seed) % (peer.length - from)));
	}
}

static void
any_stretch_can_be_said_again_across_sequence_wrap(void **state)
{
	const struct respond_options options = {.reply = RESPOND_HTTP,
			.body = (const uint8_t *)"hello\n",
			.body_length = 6};
	uint64_t seed = SEED;

	(void)state;
	print_message("seed %#llx\n", (unsigned long long)SEED);
	for (unsigned int trial = 0; trial < 100; trial++) {
		unsigned int runs = 0;
		bool was_get = true;

		start_at(&options, UINT32_MAX - (uint32_t)(random_next(&seed) % 10000));
		for (unsigned int i = 0; i < 300; i++)
			random_step(&seed, &runs, &was_get);
		assert_ready(false);
	}
}

static void
echo_crosses_sequence_wrap(void **state)
{
	const struct respond_options options = {.reply = RESPOND_ECHO};
	uint64_t seed = SEED;

	(void)state;
	start_at(&options, UINT32_MAX - 50000);
	for (unsigned int i = 0; i < 2000; i++) {
		uint8_t data[100];
		size_t length = random_next(&seed) % sizeof(data);

		for (size_t at = 0; at < length; at++)
			data[at] = (uint8_t)random_next(&seed);
		respond_input(peer.service, &peer.conn, peer.buffers, data, length);
		expect_bytes(data, length);
		assert_ready(false);
		if (i % 3 == 0)
			ack(peer.length - (uint32_t)(random_next(&seed) % (length + 1)));
	}
	assert_true(peer.length > 60000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(nonsensical_options_are_refused),
			cmocka_unit_test(discard_says_nothing_and_follows_the_peer),
			cmocka_unit_test(discard_may_close_at_once),
			cmocka_unit_test(discard_never_has_said_a_reply_to_close_after),
			cmocka_unit_test(a_banner_is_said_before_anything_is_heard),
			cmocka_unit_test(a_banner_may_be_all_there_is),
			cmocka_unit_test(echo_says_what_it_hears),
			cmocka_unit_test(echo_closes_its_window_when_full),
			cmocka_unit_test(echo_beyond_the_window_ends_the_stream_without_a_hole),
			cmocka_unit_test(echo_may_close_after_the_first_reply),
			cmocka_unit_test(echo_needs_a_ring_only_to_echo),
			cmocka_unit_test(http_keeps_the_connection_and_follows_the_peer),
			cmocka_unit_test(every_refusal_has_its_golden_text),
			cmocka_unit_test(overlong_requests_have_golden_texts),
			cmocka_unit_test(http_may_close_at_once_or_after_the_first_reply),
			cmocka_unit_test(
					a_request_before_the_fin_is_answered_half_a_request_is_not),
			cmocka_unit_test(an_old_acknowledgement_changes_nothing),
			cmocka_unit_test(pipelined_kinds_are_answered_in_order),
			cmocka_unit_test(too_many_changes_of_kind_are_refused),
			cmocka_unit_test(the_window_closes_before_the_queue_is_full),
			cmocka_unit_test(requests_beyond_the_window_are_refused),
			cmocka_unit_test(a_generated_body_is_text_and_always_the_same),
			cmocka_unit_test(the_largest_body_is_said_to_its_last_byte),
			cmocka_unit_test(any_stretch_can_be_said_again_across_sequence_wrap),
			cmocka_unit_test(echo_crosses_sequence_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * respond_http: connections that become WebSockets, through respond.h alone.
 *
 * What http says otherwise is in test_respond.c, what frames are answered with in
 * test_websocket.c; here it is where one ends and the other begins, and the rings.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "echo_rings.h"
#include "random.h"
#include "respond/respond.h"

#define SEED        UINT64_C(0x757067726164)
#define STREAM_MAX  (1u << 16)
#define RINGS       2
#define FIRST       0xffffffb0u /* The stream crosses the wrap within the 101. */

#define REQUEST_GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define ASKS        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
#define SPEAKS      "Sec-WebSocket-Version: 13\r\n"
#define HANDSHAKE   ASKS "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" SPEAKS "\r\n"
#define REPLY_GET                                                                                  \
	"HTTP/1.1 200 OK\r\nServer: handfast\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n" \
	"Connection: keep-alive\r\n\r\nhello\n"
#define REPLY_101                                                                        \
	"HTTP/1.1 101 Switching Protocols\r\nServer: handfast\r\nUpgrade: websocket\r\n" \
	"Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
#define REPLY_ERROR(status, fields)                                                  \
	"HTTP/1.1 " status "\r\nServer: handfast\r\n" fields "Content-Length: 0\r\n" \
	"Connection: close\r\n\r\n"
#define REPLY_400 REPLY_ERROR("400 Bad Request", "")
#define REPLY_426                                                                           \
	REPLY_ERROR("426 Upgrade Required", "Upgrade: websocket\r\nConnection: Upgrade\r\n" \
					    "Sec-WebSocket-Version: 13\r\n")
#define REPLY_503  REPLY_ERROR("503 Service Unavailable", "")
#define HELLO      "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" /* RFC 6455 5.7 */
#define SAYS_HELLO "\x81\x05Hello"
#define PING       "\x89\x81\1\2\3\4\x60"
#define PONG       "\x8a\1a"
#define CLOSE      "\x88\x82\1\2\3\4\2\xea" /* 1000 */
#define SAYS_CLOSE "\x88\2\3\xe8"

static struct respond_service *service;
static struct echo_buffers *buffers;
static struct respond_conn conn;
static uint32_t acked;
static uint8_t heard[STREAM_MAX];

static int
teardown(void **state)
{
	(void)state;
	respond_free(service);
	free(buffers);
	service = NULL;
	buffers = NULL;
	return 0;
}

static void
start_service(enum respond_close close, bool websocket)
{
	const struct respond_options options = {
			.reply = RESPOND_HTTP,
			.close = close,
			.body = (const uint8_t *)"hello\n",
			.body_length = 6,
			.websocket = websocket,
	};

	teardown(NULL);
	service = respond_create(&options);
	assert_non_null(service);
	buffers = echo_rings_new(RINGS);
	assert_non_null(buffers);
}

static void
connect_again(void)
{
	assert_true(respond_open(service, &conn, FIRST, buffers));
	acked = 0;
}

static void
start(void)
{
	start_service(RESPOND_CLOSE_PEER, true);
	connect_again();
}

static unsigned int
input_bytes(const void *bytes, size_t length)
{
	return respond_input(service, &conn, buffers, bytes, length);
}

#define INPUT(text) input_bytes(text, sizeof(text) - 1)

/* All that is ready is the end of @p text, from what was acknowledged on, from anywhere. */
static void
assert_says_bytes(const void *text, size_t length, bool fin)
{
	bool fins;
	uint32_t end = respond_end(service, &conn, buffers, &fins) - FIRST;

	assert_int_equal(end, length);
	assert_int_equal(fins, fin);
	for (uint32_t from = acked; from < end; from++) {
		for (uint32_t to = from + 1; to <= end; to += 1 + (end - from) / 3) {
			heard[to - from] = 0x5a;
			respond_fill(service, &conn, buffers, FIRST + from, heard, to - from);
			assert_memory_equal(heard, (const uint8_t *)text + from, to - from);
			assert_int_equal(heard[to - from], 0x5a);
		}
	}
}

#define ASSERT_SAYS(text, fin) assert_says_bytes(text, sizeof(text) - 1, fin)

static void
ack(uint32_t to)
{
	acked = to;
	respond_acked(service, &conn, buffers, FIRST + to);
}

static unsigned int
free_rings(void)
{
	uint32_t ring[RINGS + 1];
	unsigned int count = 0;

	while ((ring[count] = echo_buffer_take(buffers)) != 0)
		count++;
	for (unsigned int i = 0; i < count; i++)
		echo_buffer_give(buffers, ring[i]);
	return count;
}

static void
the_sample_handshake_is_answered(void **state)
{
	(void)state;
	start();
	assert_int_equal(INPUT(HANDSHAKE), 1);
	ASSERT_SAYS(REPLY_101, false);
	assert_int_equal(free_rings(), RINGS - 1);
	ack(sizeof(REPLY_101) - 1);
	ASSERT_SAYS(REPLY_101, false);
	assert_int_equal(INPUT(HELLO PING), 0);
	ASSERT_SAYS(REPLY_101 SAYS_HELLO PONG, false);
	ack(sizeof(REPLY_101) + 2);
	ASSERT_SAYS(REPLY_101 SAYS_HELLO PONG, false);
	INPUT(CLOSE HELLO);
	ASSERT_SAYS(REPLY_101 SAYS_HELLO PONG SAYS_CLOSE, true);
	INPUT(HELLO);
	ack(sizeof(REPLY_101 SAYS_HELLO PONG SAYS_CLOSE) - 1);
	ASSERT_SAYS(REPLY_101 SAYS_HELLO PONG SAYS_CLOSE, true);
	respond_acked(service, &conn, buffers, FIRST + acked + 1); /* our FIN */
	ASSERT_SAYS(REPLY_101 SAYS_HELLO PONG SAYS_CLOSE, true);
	respond_closed(service, &conn, buffers);
	assert_int_equal(free_rings(), RINGS);
}

/* Also when replies are owed before it and frames follow at once. */
static void
every_split_of_the_stream_gives_the_same_answer(void **state)
{
	static const char stream[] = REQUEST_GET REQUEST_GET HANDSHAKE HELLO PING CLOSE;
	static const char answer[] = REPLY_GET REPLY_GET REPLY_101 SAYS_HELLO PONG SAYS_CLOSE;
	const size_t length = sizeof(stream) - 1;

	(void)state;
	start_service(RESPOND_CLOSE_PEER, true);
	for (size_t split = 0; split <= length; split++) {
		connect_again();
		assert_int_equal(input_bytes(stream, split) +
						 input_bytes(stream + split, length - split),
				3);
		ASSERT_SAYS(answer, true);
		respond_closed(service, &conn, buffers);
		assert_int_equal(free_rings(), RINGS);
	}
	connect_again();
	for (size_t at = 0; at < length; at++)
		input_bytes(stream + at, 1);
	while (acked < sizeof(answer) - 1) {
		ASSERT_SAYS(answer, true);
		ack(acked + 1);
	}
	assert_int_equal(conn.base, (uint32_t)(FIRST + sizeof(answer) - 1));
	respond_closed(service, &conn, buffers);
}

/* Acknowledged as chance will have it, before, during and after the switch. */
static void
any_stretch_can_be_said_again(void **state)
{
	static const char stream[] =
			REQUEST_GET REQUEST_GET HANDSHAKE HELLO PING HELLO HELLO PING CLOSE;
	static const char answer[] = REPLY_GET REPLY_GET REPLY_101 SAYS_HELLO PONG SAYS_HELLO
			SAYS_HELLO PONG SAYS_CLOSE;
	uint64_t seed = SEED;

	(void)state;
	print_message("seed %#llx\n", (unsigned long long)SEED);
	start_service(RESPOND_CLOSE_PEER, true);
	for (unsigned int trial = 0; trial < 3000; trial++) {
		size_t at = 0;
		uint32_t edge;

		connect_again();
		edge = respond_window(service, &conn, buffers);
		while (at < sizeof(stream) - 1 || acked < sizeof(answer) - 1) {
			uint32_t left = (uint32_t)(sizeof(stream) - 1 - at);
			uint32_t piece = left == 0 ? 0 : 1 + random_below(&seed, left);
			uint32_t ready, from, part;
			bool fin;

			piece = piece < 40 ? piece : 40;
			input_bytes(stream + at, piece);
			at += piece;
			assert_true(at + respond_window(service, &conn, buffers) >= edge);
			edge = (uint32_t)at + respond_window(service, &conn, buffers);
			ready = respond_end(service, &conn, buffers, &fin) - FIRST;
			assert_int_equal(fin, at == sizeof(stream) - 1);
			if (ready == acked)
				continue;
			from = acked + random_below(&seed, ready - acked);
			part = 1 + random_below(&seed, ready - from);
			respond_fill(service, &conn, buffers, FIRST + from, heard, part);
			assert_memory_equal(heard, answer + from, part);
			ack(from + random_below(&seed, part + 1));
			assert_true(at + respond_window(service, &conn, buffers) >= edge);
			edge = (uint32_t)at + respond_window(service, &conn, buffers);
		}
		respond_closed(service, &conn, buffers);
		assert_int_equal(free_rings(), RINGS);
	}
}

static void
wrong_handshakes_are_refused_and_closed(void **state)
{
	(void)state;
	start();
	INPUT(ASKS "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n"
		   "\r\n" HELLO);
	ASSERT_SAYS(REPLY_426, true);
	connect_again();
	INPUT(ASKS "Sec-WebSocket-Key: dGhlIHNhbX\r\n" SPEAKS "\r\n" HELLO);
	ASSERT_SAYS(REPLY_400, true);
	connect_again();
	INPUT(ASKS SPEAKS "\r\n");
	ASSERT_SAYS(REPLY_400, true);
	assert_int_equal(free_rings(), RINGS);
}

static void
without_a_free_ring_the_answer_is_503(void **state)
{
	uint32_t ring[RINGS];

	(void)state;
	start();
	for (unsigned int i = 0; i < RINGS; i++)
		ring[i] = echo_buffer_take(buffers);
	assert_int_equal(INPUT(REQUEST_GET HANDSHAKE HELLO), 2);
	ASSERT_SAYS(REPLY_GET REPLY_503, true);
	respond_closed(service, &conn, buffers);
	/* Half a key needs a ring at once. */
	connect_again();
	INPUT(ASKS "Sec-WebSocket-Key:");
	ASSERT_SAYS("", false);
	INPUT(" d");
	ASSERT_SAYS(REPLY_503, true);
	INPUT("GhlIHNhbXBsZSBub25jZQ==\r\n" SPEAKS "\r\n");
	ASSERT_SAYS(REPLY_503, true);
	respond_closed(service, &conn, buffers);
	assert_int_equal(free_rings(), 0);
	echo_buffer_give(buffers, ring[0]);
	connect_again();
	INPUT(HANDSHAKE);
	ASSERT_SAYS(REPLY_101, false);
}

static void
half_a_key_waits_in_a_ring_that_is_given_back(void **state)
{
	(void)state;
	start();
	INPUT(REQUEST_GET "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: dGhl");
	assert_int_equal(free_rings(), RINGS - 1);
	ASSERT_SAYS(REPLY_GET, false);
	ack(7);
	INPUT("IHNhbXBsZSBub25jZQ==\r\n\r\n");
	assert_int_equal(free_rings(), RINGS);
	ASSERT_SAYS(REPLY_GET REPLY_GET, false);
	INPUT("GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhl");
	assert_int_equal(free_rings(), RINGS - 1);
	respond_peer_closed(service, &conn);
	ASSERT_SAYS(REPLY_GET REPLY_GET, true);
	ack(sizeof(REPLY_GET REPLY_GET) - 1);
	respond_acked(service, &conn, buffers, FIRST + acked + 1);
	ASSERT_SAYS(REPLY_GET REPLY_GET, true);
	respond_closed(service, &conn, buffers);
	assert_int_equal(free_rings(), RINGS);
	respond_closed(service, &conn, buffers);
	assert_int_equal(free_rings(), RINGS);
}

static void
the_peer_may_leave_without_a_close(void **state)
{
	(void)state;
	start();
	INPUT(HANDSHAKE HELLO);
	INPUT("\x81\x85\x37\xfa\x21\x3d\x7f"); /* half a frame */
	respond_peer_closed(service, &conn);
	ASSERT_SAYS(REPLY_101 SAYS_HELLO, true);
	ack(50);
	ASSERT_SAYS(REPLY_101 SAYS_HELLO, true);
	INPUT("\x9f\x4d\x51\x58");
	ASSERT_SAYS(REPLY_101 SAYS_HELLO, true);
	respond_closed(service, &conn, buffers);
	assert_int_equal(free_rings(), RINGS);
}

static void
a_service_may_not_serve_websockets(void **state)
{
	(void)state;
	start_service(RESPOND_CLOSE_PEER, false);
	connect_again();
	INPUT(HANDSHAKE);
	ASSERT_SAYS(REPLY_GET, false);
	assert_int_equal(free_rings(), RINGS);
	/* One that closes first never does. */
	start_service(RESPOND_CLOSE_AFTER_REPLY, true);
	connect_again();
	INPUT(HANDSHAKE);
	assert_int_equal(conn.base, FIRST);
	respond_fill(service, &conn, buffers, FIRST, heard, 15);
	assert_memory_equal(heard, "HTTP/1.1 200 OK", 15);
	start_service(RESPOND_CLOSE_AT_ONCE, true);
	connect_again();
	INPUT(HANDSHAKE);
	ASSERT_SAYS("", true);
	assert_int_equal(free_rings(), RINGS);
}

/* The largest window that http promised may be full of frames. */
static void
what_http_promised_is_taken_as_frames(void **state)
{
	static uint8_t data[1 << 16];
	uint32_t edge, sent = 0;
	bool fin;

	(void)state;
	start();
	edge = respond_window(service, &conn, buffers);
	memcpy(data, HANDSHAKE, sizeof(HANDSHAKE) - 1);
	for (size_t at = sizeof(HANDSHAKE) - 1; at + sizeof(PING) <= sizeof(data);
			at += sizeof(PING) - 1)
		memcpy(data + at, PING, sizeof(PING) - 1);
	while (sent < edge) {
		uint32_t part = edge - sent < 100 ? edge - sent : 100;

		input_bytes(data + sent, part);
		sent += part;
		assert_true(sent + respond_window(service, &conn, buffers) >= edge);
		edge = sent + respond_window(service, &conn, buffers);
	}
	assert_int_equal(respond_window(service, &conn, buffers), 0);
	assert_true(sent > 16000);
	respond_end(service, &conn, buffers, &fin);
	assert_false(fin);
	ack(sizeof(REPLY_101) - 1);
	assert_int_equal(respond_window(service, &conn, buffers), sizeof(REPLY_101) - 1);
}

/* What a worker remembers of one connection's request must not change another's answer. */
static void
requests_are_answered_alike_whatever_was_asked_before(void **state)
{
	static const char *const texts[] = {REQUEST_GET, REQUEST_GET, REQUEST_GET REQUEST_GET,
			"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "GET /",
			"PUT / HTTP/1.1\r\nHost: a\r\n\r\n", HANDSHAKE, ASKS SPEAKS "\r\n",
			ASKS "\r\n", "G(T / HTTP/1.1\r\n\r\n", REQUEST_GET "G"};
	struct respond_service *services[2];
	struct echo_buffers *others;
	uint64_t seed = SEED;

	(void)state;
	print_message("seed %#llx\n", (unsigned long long)SEED);
	start_service(RESPOND_CLOSE_PEER, false);
	services[0] = service;
	service = NULL;
	start_service(RESPOND_CLOSE_PEER, true);
	services[1] = service;
	others = echo_rings_new(RINGS);
	assert_non_null(others);
	for (unsigned int round = 0; round < 20000; round++) {
		const char *text = texts[random_below(&seed, sizeof(texts) / sizeof(texts[0]))];
		const struct respond_service *asked = services[random_below(&seed, 2)];
		struct respond_conn other;

		echo_buffers_init(others, RINGS);
		assert_true(respond_open(asked, &conn, FIRST, buffers));
		assert_true(respond_open(asked, &other, FIRST, others));
		assert_int_equal(respond_input(asked, &conn, buffers, (const uint8_t *)text,
						 strlen(text)),
				respond_input(asked, &other, others, (const uint8_t *)text,
						strlen(text)));
		assert_memory_equal(&conn, &other, sizeof(conn));
		respond_closed(asked, &conn, buffers);
	}
	free(others);
	respond_free(services[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_teardown(
					requests_are_answered_alike_whatever_was_asked_before,
					teardown),
			cmocka_unit_test(the_sample_handshake_is_answered),
			cmocka_unit_test(every_split_of_the_stream_gives_the_same_answer),
			cmocka_unit_test(any_stretch_can_be_said_again),
			cmocka_unit_test(wrong_handshakes_are_refused_and_closed),
			cmocka_unit_test(without_a_free_ring_the_answer_is_503),
			cmocka_unit_test(half_a_key_waits_in_a_ring_that_is_given_back),
			cmocka_unit_test(the_peer_may_leave_without_a_close),
			cmocka_unit_test(a_service_may_not_serve_websockets),
			cmocka_unit_test(what_http_promised_is_taken_as_frames),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}

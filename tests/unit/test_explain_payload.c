/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <rte_common.h>

#include "explain/explain_payload.h"

#define CLIENT 0
#define SERVER 1

/** Both directions, and how far each has come. */
struct talk {
	struct explain_payload payload;
	uint32_t said[2];
};

static bool
say(struct talk *talk, unsigned int from, const void *bytes, uint32_t length)
{
	const struct explain_text text = {
			talk->said[from], length, length, bytes, talk->said[!from]};

	talk->said[from] += length;
	return explain_payload_add(&talk->payload, from, &text);
}

/* A TLS record with @p length bytes of zeros after what is given. */
static bool
record(struct talk *talk, unsigned int from, uint8_t type, const void *bytes, uint32_t length)
{
	uint8_t data[512] = {type, 3, 3, (uint8_t)(length >> 8), (uint8_t)length};

	if (bytes != NULL)
		memcpy(data + 5, bytes, length);
	return say(talk, from, data, 5 + length);
}

/* version, random, no session, one suite, no compression, extension server_name. */
static const uint8_t client_hello[] = {1, 0, 0, 59, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x13, 1, 1, 0, 0, 16,
		0, 0, 0, 12, 0, 10, 0, 0, 7, 'h', 'f', '.', 't', 'e', 's', 't'};

/* The same of a server of TLS 1.2, and of 1.3: extension supported_versions. */
static const uint8_t server_hello_12[] = {2, 0, 0, 38, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0x2f, 0};
static const uint8_t server_hello_13[] = {2, 0, 0, 46, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x13, 1, 0, 0, 6, 0, 43,
		0, 2, 3, 4};

_Static_assert(sizeof(client_hello) == 63 && sizeof(server_hello_12) == 42 &&
				sizeof(server_hello_13) == 50,
		"as their length fields say");

static void
tls_1_2_is_done_with_both_finished(void **state)
{
	struct talk talk = {0};

	(void)state;
	assert_false(record(&talk, CLIENT, 22, client_hello, sizeof(client_hello)));
	assert_string_equal(talk.payload.name, "hf.test");
	assert_false(record(&talk, SERVER, 22, server_hello_12, sizeof(server_hello_12)));
	assert_string_equal(explain_payload_name(&talk.payload), "TLS 1.2");
	assert_false(record(&talk, CLIENT, 22, NULL, 70));
	assert_false(record(&talk, CLIENT, 20, "\1", 1));
	assert_false(record(&talk, CLIENT, 22, NULL, 40));
	assert_false(record(&talk, SERVER, 20, "\1", 1));
	assert_true(record(&talk, SERVER, 22, NULL, 40));
	assert_false(record(&talk, CLIENT, 23, NULL, 100));
	explain_payload_free(&talk.payload);
}

static void
tls_1_3_is_done_with_the_clients_finished(void **state)
{
	struct talk talk = {0};

	(void)state;
	assert_false(record(&talk, CLIENT, 22, client_hello, sizeof(client_hello)));
	assert_false(record(&talk, SERVER, 22, server_hello_13, sizeof(server_hello_13)));
	assert_string_equal(explain_payload_name(&talk.payload), "TLS 1.3");
	assert_false(record(&talk, SERVER, 20, "\1", 1));
	assert_false(record(&talk, SERVER, 23, NULL, 300));
	assert_false(record(&talk, CLIENT, 20, "\1", 1));
	assert_true(record(&talk, CLIENT, 23, NULL, 60));
	explain_payload_free(&talk.payload);
}

static void
early_data_are_no_finished(void **state)
{
	struct talk talk = {0};

	(void)state;
	assert_false(record(&talk, CLIENT, 22, client_hello, sizeof(client_hello)));
	assert_false(record(&talk, CLIENT, 20, "\1", 1));
	assert_false(record(&talk, CLIENT, 23, NULL, 400));
	assert_false(record(&talk, SERVER, 22, server_hello_13, sizeof(server_hello_13)));
	assert_false(record(&talk, SERVER, 23, NULL, 300));
	/* EndOfEarlyData has a header, its type and a tag. */
	assert_false(record(&talk, CLIENT, 23, NULL, 4 + 1 + 16));
	assert_true(record(&talk, CLIENT, 23, NULL, 4 + 32 + 1 + 16));
	explain_payload_free(&talk.payload);
}

static void
alert_is_no_finished(void **state)
{
	struct talk talk = {0};

	(void)state;
	assert_false(record(&talk, CLIENT, 22, client_hello, sizeof(client_hello)));
	assert_false(record(&talk, SERVER, 22, server_hello_13, sizeof(server_hello_13)));
	assert_false(record(&talk, SERVER, 23, NULL, 300));
	assert_false(record(&talk, CLIENT, 20, "\1", 1));
	assert_false(record(&talk, CLIENT, 23, NULL, 2 + 1 + 16));
	assert_false(talk.payload.done);
	explain_payload_free(&talk.payload);
}

static void
pieces_may_come_in_any_order(void **state)
{
	uint8_t data[5 + sizeof(client_hello)] = {22, 3, 1, 0, sizeof(client_hello)};
	struct explain_payload payload = {0};

	(void)state;
	memcpy(data + 5, client_hello, sizeof(client_hello));
	for (uint32_t i = sizeof(data); i-- > 0;) {
		const uint32_t at = i ^ 1; /* Pairs swapped: 1 0 3 2 ... from the end. */
		const struct explain_text text = {at, 1, 1, data + at, 0};

		if (at < sizeof(data))
			explain_payload_add(&payload, CLIENT, &text);
	}
	/* Islands that touch count one by one, so a byte at a time exceeds them: it is not read. */
	assert_string_equal(payload.name, "");
	for (uint32_t i = 0; i < sizeof(data); i++) {
		const struct explain_text text = {i, 1, 1, data + i, 0};

		explain_payload_add(&payload, CLIENT, &text);
	}
	assert_string_equal(payload.name, "hf.test");
	explain_payload_free(&payload);
}

static void
websocket_is_done_with_the_101(void **state)
{
	static const char ask[] = "GET / HTTP/1.1\r\nHost: h\r\nupgrade: WebSocket\r\n\r\n";
	static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
	struct talk talk = {0};

	(void)state;
	assert_false(say(&talk, CLIENT, ask, sizeof(ask) - 1));
	assert_false(say(&talk, SERVER, answer, 20));
	assert_true(say(&talk, SERVER, answer + 20, sizeof(answer) - 21));
	assert_string_equal(explain_payload_name(&talk.payload), "WebSocket");
	explain_payload_free(&talk.payload);
}

static void
refused_upgrade_is_plain_http(void **state)
{
	static const char ask[] = "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
	static const char answer[] = "HTTP/1.1 200 OK\r\n\r\n";
	struct talk talk = {0};

	(void)state;
	assert_false(say(&talk, CLIENT, ask, sizeof(ask) - 1));
	assert_false(say(&talk, SERVER, answer, sizeof(answer) - 1));
	assert_string_equal(explain_payload_name(&talk.payload), "HTTP");
	explain_payload_free(&talk.payload);
}

static const char get[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
static const char upgrade[] = "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
static const char switching[] = "HTTP/1.1 101 Switching Protocols\r\n\r\n";

static void
upgrade_need_not_be_the_first_request(void **state)
{
	static const char refusal[] = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno";
	static const char body[30000];
	struct talk talk = {0};

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		assert_false(say(&talk, CLIENT, get, sizeof(get) - 1));
		assert_false(say(&talk, SERVER, "HTTP/1.1 200 OK\r\n\r\n", 19));
		assert_false(say(&talk, SERVER, body, sizeof(body)));
		/* What was said already is no turn. */
		talk.said[CLIENT] -= 10;
		assert_false(say(&talk, CLIENT, get, 10));
	}
	assert_null(talk.payload.end[SERVER].stream.data);
	assert_false(say(&talk, CLIENT, upgrade, sizeof(upgrade) - 1));
	assert_false(say(&talk, SERVER, refusal, sizeof(refusal) - 1));
	assert_string_equal(explain_payload_name(&talk.payload), "HTTP");
	assert_false(say(&talk, CLIENT, upgrade, 10));
	assert_false(say(&talk, CLIENT, upgrade + 10, sizeof(upgrade) - 11));
	assert_true(say(&talk, SERVER, switching, sizeof(switching) - 1));
	assert_string_equal(explain_payload_name(&talk.payload), "WebSocket");
	explain_payload_free(&talk.payload);
}

static void
header_may_come_in_bytes_and_is_read_once(void **state)
{
	struct talk talk = {0};

	(void)state;
	for (unsigned int turn = 0; turn < 2; turn++) {
		const char *ask = turn == 0 ? get : upgrade;

		for (size_t i = 0; i < strlen(ask); i++) {
			assert_false(say(&talk, CLIENT, ask + i, 1));
			/* From the method on, and before the end. */
			if (i >= 3 && i + 1 < strlen(ask))
				assert_int_equal(talk.payload.end[CLIENT].looked, i + 1);
		}
		if (turn == 0)
			say(&talk, SERVER, "HTTP/1.1 200 OK\r\n\r\n", 19);
	}
	for (size_t i = 0; i < sizeof(switching) - 2; i++)
		assert_false(say(&talk, SERVER, switching + i, 1));
	assert_true(say(&talk, SERVER, switching + sizeof(switching) - 2, 1));
	explain_payload_free(&talk.payload);
}

static void
body_after_continue_is_no_request(void **state)
{
	static const char post[] = "POST / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n";
	static const char body[] = "a body with\nUpgrade: websocket\r\n\r\n";
	struct talk talk = {0};

	(void)state;
	assert_false(say(&talk, CLIENT, post, sizeof(post) - 1));
	assert_false(say(&talk, SERVER, "HTTP/1.1 100 Continue\r\n\r\n", 25));
	assert_false(say(&talk, CLIENT, body, sizeof(body) - 1));
	assert_false(say(&talk, SERVER, switching, sizeof(switching) - 1));
	assert_false(say(&talk, CLIENT, upgrade, sizeof(upgrade) - 1));
	assert_true(say(&talk, SERVER, switching, sizeof(switching) - 1));
	explain_payload_free(&talk.payload);
}

static void
next_request_may_come_in_any_order(void **state)
{
	struct talk talk = {0};
	struct explain_text text;

	(void)state;
	say(&talk, CLIENT, get, sizeof(get) - 1);
	say(&talk, SERVER, "HTTP/1.1 200 OK\r\n\r\n", 19);
	text = (struct explain_text){talk.said[CLIENT] + 20, sizeof(upgrade) - 21,
			sizeof(upgrade) - 21, (const uint8_t *)upgrade + 20, 0};
	explain_payload_add(&talk.payload, CLIENT, &text);
	say(&talk, CLIENT, upgrade, 20);
	assert_true(say(&talk, SERVER, switching, sizeof(switching) - 1));
	explain_payload_free(&talk.payload);
}

static void
end_of_an_answer_may_be_missing(void **state)
{
	struct talk talk = {0};
	struct explain_text text;

	(void)state;
	say(&talk, CLIENT, get, sizeof(get) - 1);
	say(&talk, SERVER, "HTTP/1.1 200 OK\r\n\r\n", 19);
	talk.said[SERVER] += 5000;
	text = (struct explain_text){talk.said[CLIENT], sizeof(upgrade) - 1, sizeof(upgrade) - 1,
			(const uint8_t *)upgrade, talk.said[SERVER]};
	explain_payload_add(&talk.payload, CLIENT, &text);
	assert_true(say(&talk, SERVER, switching, sizeof(switching) - 1));
	explain_payload_free(&talk.payload);
}

/* Whether a request with this field is one for WebSocket. */
static bool
asks(const char *field)
{
	struct talk talk = {0};
	bool asked;

	say(&talk, CLIENT, "GET / HTTP/1.1\r\n", 16);
	say(&talk, CLIENT, field, (uint32_t)strlen(field));
	say(&talk, CLIENT, "\r\n\r\n", 4);
	asked = say(&talk, SERVER, switching, sizeof(switching) - 1);
	explain_payload_free(&talk.payload);
	return asked;
}

static void
white_space_around_a_field_is_optional(void **state)
{
	(void)state;
	assert_true(asks("Upgrade:websocket"));
	assert_true(asks("upgrade: \tWebSocket \t"));
	assert_true(asks("UPGRADE:h2c,websocket"));
	assert_true(asks("Upgrade: h2c , websocket, x"));
	assert_true(asks("Host: h\r\nUpgrade:websocket\r\nX: y"));
	assert_false(asks("Upgrade: websockets"));
	assert_false(asks("Upgrade: h2c\r\nX: websocket"));
	assert_false(asks("X-Upgrade: websocket"));
	assert_false(asks("Upgrade:"));
}

static void
certificate_that_was_not_captured_does_not_matter(void **state)
{
	const uint8_t header[5] = {22, 3, 3, 4000 >> 8, 4000 & 0xff};
	struct talk talk = {0};
	struct explain_text text;

	(void)state;
	record(&talk, CLIENT, 22, client_hello, sizeof(client_hello));
	record(&talk, SERVER, 22, server_hello_12, sizeof(server_hello_12));
	text = (struct explain_text){talk.said[SERVER], 4005, sizeof(header), header, 0};
	talk.said[SERVER] += 4005;
	explain_payload_add(&talk.payload, SERVER, &text);
	record(&talk, SERVER, 20, "\1", 1);
	record(&talk, SERVER, 22, NULL, 40);
	record(&talk, CLIENT, 20, "\1", 1);
	assert_true(record(&talk, CLIENT, 22, NULL, 40));
	explain_payload_free(&talk.payload);
}

/* What is called a connection whose ServerHello was captured up to @p kept bytes of its record. */
static const char *
name_of_cut(const uint8_t *hello, uint32_t length, uint32_t kept)
{
	uint8_t data[512] = {22, 3, 3, 0, (uint8_t)length};
	const struct explain_text text = {0, 5 + length, kept, data, 0};
	struct talk talk = {0};
	const char *name;

	memcpy(data + 5, hello, length);
	record(&talk, CLIENT, 22, client_hello, sizeof(client_hello));
	explain_payload_add(&talk.payload, SERVER, &text);
	name = explain_payload_name(&talk.payload);
	explain_payload_free(&talk.payload);
	return name;
}

static void
version_is_not_guessed_from_half_a_hello(void **state)
{
	uint8_t old[sizeof(server_hello_12)];

	(void)state;
	for (uint32_t kept = 1; kept < 5 + sizeof(server_hello_13); kept++)
		assert_string_equal(
				name_of_cut(server_hello_13, sizeof(server_hello_13), kept), "TLS");
	assert_string_equal(name_of_cut(server_hello_13, sizeof(server_hello_13),
					    5 + sizeof(server_hello_13)),
			"TLS 1.3");
	assert_string_equal(name_of_cut(server_hello_12, sizeof(server_hello_12),
					    4 + sizeof(server_hello_12)),
			"TLS");
	/* Before 1.2 the first one is the version. */
	memcpy(old, server_hello_12, sizeof(old));
	old[5] = 2;
	assert_string_equal(name_of_cut(old, sizeof(old), 5 + 5), "TLS");
	assert_string_equal(name_of_cut(old, sizeof(old), 5 + 6), "TLS 1.1");
}

static void
server_name_that_was_cut_off_is_none(void **state)
{
	uint8_t data[5 + sizeof(client_hello)] = {22, 3, 1, 0, sizeof(client_hello)};
	const struct explain_text text = {0, sizeof(data), sizeof(data) - 1, data, 0};
	struct explain_payload payload = {0};

	(void)state;
	memcpy(data + 5, client_hello, sizeof(client_hello));
	explain_payload_add(&payload, CLIENT, &text);
	assert_string_equal(explain_payload_name(&payload), "TLS");
	assert_string_equal(payload.name, "");
	explain_payload_free(&payload);
}

static void
length_of_a_record_that_was_cut_off_is_unknown(void **state)
{
	static const uint8_t header[5] = {22, 3, 3, 1, 4};
	struct talk talk = {0};
	struct explain_text text;

	(void)state;
	record(&talk, CLIENT, 22, client_hello, sizeof(client_hello));
	record(&talk, SERVER, 22, server_hello_12, sizeof(server_hello_12));
	text = (struct explain_text){talk.said[SERVER], 5 + 260, 4, header, 0};
	explain_payload_add(&talk.payload, SERVER, &text);
	assert_true(talk.payload.end[SERVER].lost);
	explain_payload_free(&talk.payload);
}

static void
other_protocols_have_no_name(void **state)
{
	struct talk talk = {0};

	(void)state;
	assert_false(say(&talk, CLIENT, "EHLO hf\r\n", 9));
	assert_null(explain_payload_name(&talk.payload));
	explain_payload_free(&talk.payload);
}

static bool
keeps_nothing(const struct talk *talk)
{
	return talk->payload.end[CLIENT].stream.data == NULL &&
	       talk->payload.end[SERVER].stream.data == NULL;
}

static void
nothing_is_kept_of_other_protocols(void **state)
{
	static const uint8_t zeros[30000];
	struct talk talk = {0};
	struct explain_text text;

	(void)state;
	say(&talk, SERVER, "220 hf\r\n", 8);
	say(&talk, CLIENT, "EHLO", 4);
	assert_false(keeps_nothing(&talk));
	say(&talk, CLIENT, " hf\r\n", 5);
	assert_true(keeps_nothing(&talk));
	say(&talk, SERVER, zeros, sizeof(zeros));
	say(&talk, CLIENT, get, sizeof(get) - 1);
	assert_true(keeps_nothing(&talk));
	assert_null(explain_payload_name(&talk.payload));
	/* The client is silent, or not in the capture. */
	memset(&talk, 0, sizeof(talk));
	for (unsigned int i = 0; i < 10; i++)
		say(&talk, SERVER, zeros, 1460);
	assert_true(keeps_nothing(&talk));
	/* Of the client the first bytes are missing. */
	memset(&talk, 0, sizeof(talk));
	text = (struct explain_text){1460, sizeof(zeros), sizeof(zeros), zeros, 0};
	explain_payload_add(&talk.payload, CLIENT, &text);
	assert_true(keeps_nothing(&talk));
}

static void
nothing_is_kept_of_tls_that_is_read(void **state)
{
	static const uint8_t zeros[1460];
	struct talk talk = {0};

	(void)state;
	/* The server's Finished is there; the client's never is. */
	record(&talk, CLIENT, 22, client_hello, sizeof(client_hello));
	record(&talk, SERVER, 22, server_hello_13, sizeof(server_hello_13));
	record(&talk, SERVER, 23, NULL, 300);
	assert_null(talk.payload.end[SERVER].stream.data);
	say(&talk, SERVER, zeros, sizeof(zeros));
	assert_null(talk.payload.end[SERVER].stream.data);
	/* No record at all, and a stream at its end. */
	say(&talk, CLIENT, zeros, sizeof(zeros));
	assert_true(keeps_nothing(&talk));
	memset(&talk, 0, sizeof(talk));
	for (unsigned int i = 0; i < EXPLAIN_STREAM_BYTES / 500 + 1; i++)
		record(&talk, CLIENT, 22, i == 0 ? client_hello : NULL,
				i == 0 ? sizeof(client_hello) : 500);
	assert_true(keeps_nothing(&talk));
}

/* What the client says from @p from on, in segments of 1448 bytes. */
static void
say_segments(struct talk *talk, const uint8_t *bytes, uint32_t from, uint32_t to)
{
	for (talk->said[CLIENT] = from; talk->said[CLIENT] < to;)
		say(talk, CLIENT, bytes + talk->said[CLIENT],
				RTE_MIN(to - talk->said[CLIENT], UINT32_C(1448)));
}

static void
first_bytes_may_come_after_the_others(void **state)
{
	static const char post[] = "POST / HTTP/1.1\r\n\r\n";
	static uint8_t request[17376]; /* Ten segments, and the two that follow them. */
	struct talk talk = {0};

	(void)state;
	memcpy(request, post, sizeof(post) - 1);
	say_segments(&talk, request, 1448, sizeof(request));
	assert_false(keeps_nothing(&talk));
	assert_in_range(talk.payload.end[CLIENT].stream.room, 1, 8192);
	say_segments(&talk, request, 0, 1448);
	assert_string_equal(explain_payload_name(&talk.payload), "HTTP");
	assert_true(keeps_nothing(&talk));
}

static void
handshake_may_lack_its_first_segment_for_a_while(void **state)
{
	static const char begin[] = "GET / HTTP/1.1\r\nCookie: ";
	static const char end[] = "\r\nUpgrade: websocket\r\n\r\n";
	static uint8_t request[8000]; /* Longer than a segment. */
	struct talk talk = {0};

	(void)state;
	memset(request, 'a', sizeof(request));
	memcpy(request, begin, sizeof(begin) - 1);
	memcpy(request + sizeof(request) - (sizeof(end) - 1), end, sizeof(end) - 1);
	say_segments(&talk, request, 1448, sizeof(request));
	say_segments(&talk, request, 0, 1448);
	talk.said[CLIENT] = sizeof(request);
	assert_true(say(&talk, SERVER, switching, sizeof(switching) - 1));
	assert_string_equal(explain_payload_name(&talk.payload), "WebSocket");
	explain_payload_free(&talk.payload);
}

static void
who_lacks_his_first_bytes_is_given_up(void **state)
{
	static const uint8_t zeros[30000];
	struct talk talk = {0};

	(void)state;
	say_segments(&talk, zeros, 1448, sizeof(zeros));
	assert_true(keeps_nothing(&talk));
	memset(&talk, 0, sizeof(talk));
	talk.said[SERVER] = 1448;
	say(&talk, SERVER, zeros, 9000);
	assert_in_range(talk.payload.end[SERVER].stream.room, 1, 8192);
	say(&talk, SERVER, zeros, 20000);
	assert_true(keeps_nothing(&talk));
}

static void
answer_may_be_captured_before_the_question(void **state)
{
	struct talk talk = {0};

	(void)state;
	say(&talk, SERVER, switching, sizeof(switching) - 1);
	assert_true(say(&talk, CLIENT, upgrade, sizeof(upgrade) - 1));
	assert_true(keeps_nothing(&talk));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(tls_1_2_is_done_with_both_finished),
			cmocka_unit_test(tls_1_3_is_done_with_the_clients_finished),
			cmocka_unit_test(early_data_are_no_finished),
			cmocka_unit_test(alert_is_no_finished),
			cmocka_unit_test(pieces_may_come_in_any_order),
			cmocka_unit_test(websocket_is_done_with_the_101),
			cmocka_unit_test(refused_upgrade_is_plain_http),
			cmocka_unit_test(upgrade_need_not_be_the_first_request),
			cmocka_unit_test(header_may_come_in_bytes_and_is_read_once),
			cmocka_unit_test(body_after_continue_is_no_request),
			cmocka_unit_test(next_request_may_come_in_any_order),
			cmocka_unit_test(end_of_an_answer_may_be_missing),
			cmocka_unit_test(white_space_around_a_field_is_optional),
			cmocka_unit_test(certificate_that_was_not_captured_does_not_matter),
			cmocka_unit_test(version_is_not_guessed_from_half_a_hello),
			cmocka_unit_test(server_name_that_was_cut_off_is_none),
			cmocka_unit_test(length_of_a_record_that_was_cut_off_is_unknown),
			cmocka_unit_test(other_protocols_have_no_name),
			cmocka_unit_test(nothing_is_kept_of_other_protocols),
			cmocka_unit_test(nothing_is_kept_of_tls_that_is_read),
			cmocka_unit_test(first_bytes_may_come_after_the_others),
			cmocka_unit_test(handshake_may_lack_its_first_segment_for_a_while),
			cmocka_unit_test(who_lacks_his_first_bytes_is_given_up),
			cmocka_unit_test(answer_may_be_captured_before_the_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What is known of a service's usual connections, against connections that are told all of it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "echo_rings.h"
#include "respond/respond_usual.h"
#include "wire/checksum.h"

#define BASE UINT32_C(0xffffff80)
#define GET  "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static struct echo_buffers *buffers;

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

static bool
remembers(const struct respond_usual *usual, const uint8_t *text, size_t length)
{
	return length == usual->text_length && memcmp(text, usual->text, length) == 0;
}

static void
assert_turn(const struct respond_service *service, const struct respond_conn *conn,
		const struct respond_usual_turn *turn)
{
	struct respond_conn usual;
	bool fin;

	respond_usual_set(&usual, BASE, turn);
	assert_memory_equal(&usual, conn, sizeof(usual));
	assert_int_equal(respond_end(service, conn, buffers, &fin), (uint32_t)(BASE + turn->says));
	assert_int_equal(fin, turn->fin);
	assert_int_equal(respond_window(service, conn, buffers), turn->window);
}

/* A connection to which a text comes first is what is known of it, and says what is known. */
static void
assert_asked(const struct respond_service *service, const struct respond_usual *usual,
		const char *text, size_t length)
{
	uint8_t reply[RESPOND_USUAL_REPLY_MAX];
	struct respond_conn conn;
	uint64_t sum;

	respond_open(service, &conn, BASE, buffers);
	assert_int_equal(respond_input(service, &conn, buffers, (const uint8_t *)text, length),
			usual->requests);
	assert_turn(service, &conn, &usual->asked);
	sum = respond_fill_sum(service, &conn, buffers, BASE, reply, usual->asked.says);
	assert_memory_equal(reply, usual->reply, usual->asked.says);
	assert_int_equal(checksum_fold(sum), usual->reply_sum);
}

static void
check(const struct respond_options *options)
{
	static const char *const texts[] = {GET, "GET / HTTP/1.0\r\n\r\n", GET GET, "GET / HT",
			"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "nonsense\r\n\r\n", GET "GET /"};
	struct respond_service *service = respond_create(options);
	struct respond_usual usual;
	struct respond_conn conn;

	assert_non_null(service);
	respond_usual_begin(&usual, service, buffers);
	assert_true(usual.known);
	assert_int_equal(usual.deaf, options->reply != RESPOND_HTTP);
	respond_open(service, &conn, BASE, buffers);
	assert_turn(service, &conn, &usual.opened);
	respond_peer_closed(service, &conn);
	assert_turn(service, &conn, &usual.closed);
	respond_closed(service, &conn, buffers);
	assert_int_equal(respond_window(service, &conn, buffers), usual.gone_window);
	for (unsigned int t = 0; t < RTE_DIM(texts); t++) {
		const uint8_t *text = (const uint8_t *)texts[t];

		usual.again = 0;
		respond_usual_learn(&usual, service, buffers, text, strlen(texts[t]));
		assert_true(remembers(&usual, text, strlen(texts[t])));
		assert_asked(service, &usual, texts[t], strlen(texts[t]));
		if (usual.deaf)
			assert_int_equal(usual.asked.state, usual.opened.state);
	}
	respond_free(service);
}

static void
usual_is_what_a_connection_does(void **state)
{
	static const enum respond_close closes[] = {
			RESPOND_CLOSE_PEER, RESPOND_CLOSE_AT_ONCE, RESPOND_CLOSE_AFTER_REPLY};

	(void)state;
	for (unsigned int c = 0; c < RTE_DIM(closes); c++) {
		check(&(struct respond_options){.reply = RESPOND_DISCARD, .close = closes[c]});
		check(&(struct respond_options){
				.reply = RESPOND_HTTP, .close = closes[c], .body_length = 64});
	}
}

static void
who_needs_a_ring_or_speaks_first_is_not_usual(void **state)
{
	const struct respond_options options[] = {
			{.reply = RESPOND_ECHO},
			{.reply = RESPOND_BANNER, .banner = "hi"},
			{.reply = RESPOND_HTTP, .websocket = true},
	};

	(void)state;
	for (unsigned int o = 0; o < RTE_DIM(options); o++) {
		struct respond_service *service = respond_create(&options[o]);
		struct respond_usual usual;

		respond_usual_begin(&usual, service, buffers);
		assert_false(usual.known);
		respond_free(service);
	}
}

static void
what_is_too_long_is_not_remembered(void **state)
{
	const struct respond_options options = {
			.reply = RESPOND_HTTP, .body_length = RESPOND_USUAL_REPLY_MAX};
	struct respond_service *service = respond_create(&options);
	uint8_t text[RESPOND_USUAL_TEXT_MAX + 1];
	struct respond_usual usual;

	(void)state;
	memset(text, 'x', sizeof(text));
	respond_usual_begin(&usual, service, buffers);
	respond_usual_learn(&usual, service, buffers, (const uint8_t *)GET, strlen(GET));
	assert_int_equal(usual.text_length, 0);
	usual.again = 0;
	respond_usual_learn(&usual, service, buffers, text, sizeof(text));
	assert_int_equal(usual.text_length, 0);
	usual.again = 0;
	respond_usual_learn(&usual, service, buffers, text, sizeof(text) - 1);
	assert_int_equal(usual.text_length, RESPOND_USUAL_TEXT_MAX);
	respond_free(service);
}

static void
texts_that_all_differ_are_not_learnt_each(void **state)
{
	struct respond_service *service =
			respond_create(&(struct respond_options){.reply = RESPOND_HTTP});
	unsigned int learnt = 0;
	struct respond_usual usual;

	(void)state;
	respond_usual_begin(&usual, service, buffers);
	for (uint8_t t = 0; t < 160; t++) {
		const uint8_t text[] = {'G', 'E', 'T', ' ', '/', '%', t, 'x', 'y'};

		respond_usual_learn(&usual, service, buffers, text, sizeof(text));
		learnt += remembers(&usual, text, sizeof(text));
	}
	assert_in_range(learnt, 1, 10);
	respond_free(service);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(usual_is_what_a_connection_does),
			cmocka_unit_test(who_needs_a_ring_or_speaks_first_is_not_usual),
			cmocka_unit_test(what_is_too_long_is_not_remembered),
			cmocka_unit_test(texts_that_all_differ_are_not_learnt_each),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

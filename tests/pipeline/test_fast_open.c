/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * TCP Fast Open (RFC 7413) through the whole pipeline: cookies are asked for, granted and judged,
 * and what a SYN brings with a good one is answered before the handshake is complete.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cookie/fast_open.h"

#include "rig.h"

#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define IRS     1000
#define PENDING 3
#define PORT    40000

static const char settings[] =
		"engine: {connections: 4096, echo_buffers: 2}\n" RIG_LAN "services:\n"
		"  - {name: web, listen: [\"10.9.0.2:80\", \"[fd00:9::2]:80\"], body_size: 100,\n"
		"     fast_open: true, fast_open_pending: 3}\n"
		"  - {name: slow, listen: \"10.9.0.2:8080\"}\n"
		"  - {name: brief, listen: \"10.9.0.2:81\", close: after_reply, fast_open: true}\n"
		"  - {name: echo, listen: \"10.9.0.2:7\", reply: echo, fast_open: true}\n"
		"  - {name: mail, listen: \"10.9.0.2:25\", reply: banner, fast_open: true}\n"
		"  - {name: sink, listen: \"10.9.0.2:9\", reply: discard, close: at_once,\n"
		"     fast_open: true}\n";

struct exchange {
	struct rig rig;
	struct build_path path;
	struct build_tcp next;
	struct rig_frame frame[16]; /* What the engine answered last. */
	unsigned int frames;
};

static void
exchange_take(struct exchange *exchange)
{
	rig_turn(&exchange->rig);
	exchange->frames = 0;
	while (exchange->frames < 16 &&
			rig_take(&exchange->rig, &exchange->frame[exchange->frames]))
		exchange->frames++;
}

static void
exchange_begin(struct exchange *exchange, unsigned int family, uint16_t engine_port)
{
	memset(exchange, 0, sizeof(*exchange));
	rig_init(&exchange->rig, settings, 1);
	rig_path(&exchange->rig, &exchange->path, family, PORT, engine_port);
}

/* A new client port says SYN; the cookie is as far as @p cookie says: NULL for a request. */
static void
exchange_syn(struct exchange *exchange, uint16_t port, const uint8_t *cookie, const char *text)
{
	exchange->path.local_port = rte_cpu_to_be_16(port);
	exchange->next = (struct build_tcp){.seq = IRS,
			.flags = TCP_SYN,
			.window = 65535,
			.options = {.options = TCP_OPTION_MSS | TCP_OPTION_FAST_OPEN, .mss = 1460}};
	if (cookie != NULL) {
		exchange->next.options.cookie_length = TCP_OPTIONS_COOKIE_BYTES;
		memcpy(exchange->next.options.cookie, cookie, TCP_OPTIONS_COOKIE_BYTES);
	}
	rig_put_tcp(&exchange->rig, &exchange->path, &exchange->next, text,
			(unsigned int)strlen(text));
	exchange_take(exchange);
}

/* A segment without options from the client's last port. */
static void
exchange_say(struct exchange *exchange, uint8_t flags, uint32_t seq, uint32_t ack, const char *text)
{
	exchange->next =
			(struct build_tcp){.seq = seq, .ack = ack, .flags = flags, .window = 65535};
	rig_put_tcp(&exchange->rig, &exchange->path, &exchange->next, text,
			(unsigned int)strlen(text));
	exchange_take(exchange);
}

static void
exchange_cookie(const struct exchange *exchange, uint8_t cookie[TCP_OPTIONS_COOKIE_BYTES])
{
	const struct rig_frame *frame = &exchange->frame[0];

	assert_int_equal(frame->segment.options & TCP_OPTION_FAST_OPEN, TCP_OPTION_FAST_OPEN);
	assert_int_equal(frame->segment.cookie_length, TCP_OPTIONS_COOKIE_BYTES);
	memcpy(cookie, frame->bytes + frame->frame.l4_offset + frame->segment.cookie_offset,
			TCP_OPTIONS_COOKIE_BYTES);
}

/* Get a cookie by an ordinary connection, that is then reset. */
static void
exchange_ask(struct exchange *exchange, uint8_t cookie[TCP_OPTIONS_COOKIE_BYTES])
{
	exchange_syn(exchange, PORT - 1, NULL, "");
	assert_int_equal(exchange->frames, 1);
	exchange_cookie(exchange, cookie);
	exchange_say(exchange, TCP_RST, IRS + 1, 0, "");
	assert_int_equal(rig_connections(&exchange->rig), 0);
}

/* The answer is a SYN,ACK up to @p text bytes behind the SYN, and @p frames - 1 more segments. */
static void
assert_syn_ack(const struct exchange *exchange, size_t text, unsigned int frames, bool cookie)
{
	const struct tcp_segment *segment = &exchange->frame[0].segment;

	assert_int_equal(exchange->frames, frames);
	assert_int_equal(segment->flags, TCP_SYN | TCP_ACK);
	assert_int_equal(segment->ack, IRS + 1 + text);
	assert_int_equal(segment->payload_length, 0);
	assert_int_equal((segment->options & TCP_OPTION_FAST_OPEN) != 0, cookie);
}

static uint32_t
exchange_iss(const struct exchange *exchange)
{
	return exchange->frame[0].segment.seq;
}

static const uint8_t *
exchange_payload(const struct exchange *exchange, unsigned int i)
{
	const struct rig_frame *frame = &exchange->frame[i];

	return frame->bytes + frame->frame.l4_offset + frame->segment.payload_offset;
}

static void
request_with_a_good_cookie_is_answered_before_the_handshake_ends(void **state)
{
	uint8_t cookie[TCP_OPTIONS_COOKIE_BYTES];
	struct exchange exchange;
	uint32_t iss, length;

	(void)state;
	for (unsigned int family = 4; family <= 6; family += 2) {
		exchange_begin(&exchange, family, 80);
		exchange_ask(&exchange, cookie);
		exchange_syn(&exchange, PORT, cookie, REQUEST);
		assert_syn_ack(&exchange, strlen(REQUEST), 2, false);
		iss = exchange_iss(&exchange);
		assert_int_equal(exchange.frame[1].segment.seq, iss + 1);
		assert_int_equal(exchange.frame[1].segment.ack, IRS + 1 + strlen(REQUEST));
		assert_memory_equal(exchange_payload(&exchange, 1), "HTTP/1.1 200", 12);
		assert_int_equal(rig_state(&exchange.rig, PORT), TCP_SYN_RCVD);
		assert_int_equal(rig_counter(&exchange.rig, COUNTER_requests), 1);
		assert_int_equal(rig_counter(&exchange.rig, COUNTER_fast_opens), 1);
		assert_int_equal(rig_counter(&exchange.rig, COUNTER_fast_open_cookies), 1);

		length = exchange.frame[1].segment.payload_length;
		exchange_say(&exchange, TCP_ACK, IRS + 1 + strlen(REQUEST), iss + 1 + length, "");
		assert_int_equal(exchange.frames, 0);
		assert_int_equal(rig_state(&exchange.rig, PORT), TCP_ESTABLISHED);
		assert_int_equal(rig_counter(&exchange.rig, COUNTER_opened), 1);
		/* And on as ever. */
		exchange_say(&exchange, TCP_ACK, IRS + 1 + strlen(REQUEST), iss + 1 + length,
				REQUEST);
		assert_int_equal(exchange.frames, 1);
		assert_int_equal(exchange.frame[0].segment.seq, iss + 1 + length);
		assert_memory_equal(exchange_payload(&exchange, 0), "HTTP/1.1 200", 12);
		exchange_say(&exchange, TCP_RST, IRS + 1 + 2 * strlen(REQUEST), 0, "");
		assert_int_equal(rig_connections(&exchange.rig), 0);
		rig_free(&exchange.rig);
	}
}

static void
forged_cookie_gets_a_good_one_and_the_text_waits(void **state)
{
	uint8_t cookie[TCP_OPTIONS_COOKIE_BYTES], fresh[TCP_OPTIONS_COOKIE_BYTES];
	struct exchange exchange;
	uint32_t iss;

	(void)state;
	exchange_begin(&exchange, 4, 80);
	exchange_ask(&exchange, cookie);
	cookie[7] ^= 0x10;
	exchange_syn(&exchange, PORT, cookie, REQUEST);
	assert_syn_ack(&exchange, 0, 1, true);
	exchange_cookie(&exchange, fresh);
	cookie[7] ^= 0x10;
	assert_memory_equal(cookie, fresh, sizeof(cookie));
	assert_int_equal(rig_counter(&exchange.rig, COUNTER_requests), 0);
	assert_int_equal(rig_counter(&exchange.rig, COUNTER_fast_open_refused), 1);
	/* The text comes again behind the handshake, and counts once. */
	iss = exchange_iss(&exchange);
	exchange_say(&exchange, TCP_ACK, IRS + 1, iss + 1, REQUEST);
	assert_int_equal(exchange.frames, 1);
	assert_memory_equal(exchange_payload(&exchange, 0), "HTTP/1.1 200", 12);
	assert_int_equal(rig_counter(&exchange.rig, COUNTER_requests), 1);
	rig_free(&exchange.rig);
}

static void
cookie_is_not_good_for_another_client(void **state)
{
	uint8_t cookie[TCP_OPTIONS_COOKIE_BYTES];
	struct exchange exchange;

	(void)state;
	exchange_begin(&exchange, 4, 80);
	exchange_ask(&exchange, cookie);
	exchange.path.local[15] = 77;
	exchange_syn(&exchange, PORT, cookie, REQUEST);
	assert_syn_ack(&exchange, 0, 1, true);
	rig_free(&exchange.rig);
}

static void
cookie_is_asked_for_only_where_fast_open_is_on(void **state)
{
	static const uint8_t cookie[TCP_OPTIONS_COOKIE_BYTES] = {1};
	struct exchange exchange;

	(void)state;
	exchange_begin(&exchange, 4, 8080);
	exchange_syn(&exchange, PORT, NULL, "");
	assert_syn_ack(&exchange, 0, 1, false);
	exchange_syn(&exchange, PORT + 1, cookie, REQUEST);
	assert_syn_ack(&exchange, 0, 1, false);
	/* Nor at a closed port, nor without the option. */
	exchange.path.remote_port = rte_cpu_to_be_16(4444);
	exchange_syn(&exchange, PORT, NULL, REQUEST);
	assert_int_equal(exchange.frame[0].segment.flags, TCP_RST | TCP_ACK);
	assert_int_equal(exchange.frame[0].segment.ack, IRS + 1 + strlen(REQUEST));
	exchange.path.remote_port = rte_cpu_to_be_16(80);
	exchange_say(&exchange, TCP_SYN, IRS, 0, REQUEST);
	assert_syn_ack(&exchange, 0, 1, false);
	assert_int_equal(rig_counter(&exchange.rig, COUNTER_fast_open_cookies), 0);
	assert_int_equal(rig_counter(&exchange.rig, COUNTER_fast_open_refused), 0);
	rig_free(&exchange.rig);
}

static void
request_for_a_cookie_with_text_leaves_the_text(void **state)
{
	struct exchange exchange;

	(void)state;
	exchange_begin(&exchange, 4, 80);
	exchange_syn(&exchange, PORT, NULL, REQUEST);
	assert_syn_ack(&exchange, 0, 1, true);
	assert_int_equal(rig_counter(&exchange.rig, COUNTER_requests), 0);
	rig_free(&exchange.rig);
}

static void
cookie_ages_with_the_engines_clock(void **state)
{
	uint8_t cookie[TCP_OPTIONS_COOKIE_BYTES], fresh[TCP_OPTIONS_COOKIE_BYTES];
	struct exchange exchange;

	(void)state;
	exchange_begin(&exchange, 4, 80);
	exchange_ask(&exchange, cookie);
	exchange.rig.engine.clock.base_us += FAST_OPEN_PERIOD_US;
	exchange_syn(&exchange, PORT, cookie, REQUEST);
	/* Taken, and replaced. */
	assert_syn_ack(&exchange, strlen(REQUEST), 2, true);
	exchange_cookie(&exchange, fresh);
	assert_memory_not_equal(cookie, fresh, sizeof(cookie));
	exchange_say(&exchange, TCP_RST, IRS + 1 + strlen(REQUEST), 0, "");
	exchange.rig.engine.clock.base_us += FAST_OPEN_PERIOD_US;
	exchange_syn(&exchange, PORT + 1, cookie, REQUEST);
	assert_syn_ack(&exchange, 0, 1, true);
	exchange_syn(&exchange, PORT + 2, fresh, REQUEST);
	assert_syn_ack(&exchange, strlen(REQUEST), 2, true);
	rig_free(&exchange.rig);
}

static void
retransmitted_syn_is_answered_like_the_first(void **state)
{
	uint8_t cookie[TCP_OPTIONS_COOKIE_BYTES];
	struct exchange exchange;
	uint32_t iss;

	(void)state;
	exchange_begin(&exchange, 4, 80);
	exchange_ask(&exchange, cookie);
	exchange_syn(&exchange, PORT, cookie, REQUEST);
	iss = exchange_iss(&exchange);
	exchange_syn(&exchange, PORT, cookie, REQUEST);
	assert_syn_ack(&exchange, strlen(REQUEST), 1, false);
	assert_int_equal(exchange_iss(&exchange), iss);
	/* As the kernel repeats it: without text and option. */
	exchange_say(&exchange, TCP_SYN, IRS, 0, "");
	assert_syn_ack(&exchange, strlen(REQUEST), 1, false);
	assert_int_equal(rig_counter(&exchange.rig, COUNTER_requests), 1);
	assert_int_equal(rig_counter(&exchange.rig, COUNTER_fast_opens), 1);
	/* And a request for a cookie gets its cookie each time. */
	exchange_syn(&exchange, PORT + 1, NULL, "");
	assert_syn_ack(&exchange, 0, 1, true);
	exchange_syn(&exchange, PORT + 1, NULL, "");
	assert_syn_ack(&exchange, 0, 1, true);
	rig_free(&exchange.rig);
}

static void
lost_syn_ack_and_answer_are_sent_again(void **state)
{
	uint8_t cookie[TCP_OPTIONS_COOKIE_BYTES];
	struct exchange exchange;
	uint32_t iss;

	(void)state;
	exchange_begin(&exchange, 4, 80);
	exchange_ask(&exchange, cookie);
	exchange_syn(&exchange, PORT, cookie, REQUEST);
	iss = exchange_iss(&exchange);
	rig_wait_ms(&exchange.rig, 1050);
	exchange_take(&exchange);
	assert_syn_ack(&exchange, strlen(REQUEST), 1, false);
	assert_int_equal(exchange_iss(&exchange), iss);
	exchange_say(&exchange, TCP_ACK, IRS + 1 + strlen(REQUEST), iss + 1, "");
	assert_int_equal(exchange.frames, 1);
	assert_int_equal(exchange.frame[0].segment.seq, iss + 1);
	assert_memory_equal(exchange_payload(&exchange, 0), "HTTP/1.1 200", 12);
	/* Lost again: the timer watches. */
	rig_wait_ms(&exchange.rig, 3100);
	exchange_take(&exchange);
	assert_int_equal(exchange.frames, 1);
	assert_int_equal(exchange.frame[0].segment.seq, iss + 1);
	rig_free(&exchange.rig);
}

static void
pending_connections_are_limited_and_give_their_places_back(void **state)
{
	const size_t text = strlen(REQUEST);
	uint8_t cookie[TCP_OPTIONS_COOKIE_BYTES];
	struct exchange exchange;
	uint32_t end = 0;

	(void)state;
	exchange_begin(&exchange, 4, 80);
	exchange_ask(&exchange, cookie);
	for (uint16_t i = 0; i < PENDING; i++) {
		exchange_syn(&exchange, PORT + i, cookie, REQUEST);
		assert_syn_ack(&exchange, text, 2, false);
		end = exchange.frame[1].segment.seq + exchange.frame[1].segment.payload_length;
	}
	/* Beyond: an ordinary handshake, and no cookie, for the one there is will do. */
	exchange_syn(&exchange, PORT + PENDING, cookie, REQUEST);
	assert_syn_ack(&exchange, 0, 1, false);
	assert_int_equal(rig_counter(&exchange.rig, COUNTER_fast_open_refused), 1);
	/* A handshake that is completed frees a place. */
	exchange.path.local_port = rte_cpu_to_be_16(PORT + PENDING - 1);
	exchange_say(&exchange, TCP_ACK, IRS + 1 + text, end, "");
	assert_int_equal(rig_state(&exchange.rig, PORT + PENDING - 1), TCP_ESTABLISHED);
	exchange_syn(&exchange, PORT + 10, cookie, REQUEST);
	assert_syn_ack(&exchange, text, 2, false);
	exchange_syn(&exchange, PORT + 11, cookie, REQUEST);
	assert_syn_ack(&exchange, 0, 1, false);
	/* So does a reset. */
	exchange.path.local_port = rte_cpu_to_be_16(PORT);
	exchange_say(&exchange, TCP_RST, IRS + 1 + text, 0, "");
	assert_int_equal(rig_state(&exchange.rig, PORT), TCP_CLOSED);
	exchange_syn(&exchange, PORT + 12, cookie, REQUEST);
	assert_syn_ack(&exchange, text, 2, false);
	/* And who is never heard of again: in the end every place is free. */
	for (unsigned int s = 0; s < 200; s++) {
		rig_wait_ms(&exchange.rig, 1000);
		exchange_take(&exchange);
	}
	assert_int_equal(rig_connections(&exchange.rig), 0);
	assert_int_equal(exchange.rig.engine.worker[0]->share[1].fast_open_pending, 0);
	rig_free(&exchange.rig);
}

static void
fin_waits_for_the_end_of_the_handshake(void **state)
{
	uint8_t cookie[TCP_OPTIONS_COOKIE_BYTES];
	struct exchange exchange;
	uint32_t iss, length;

	(void)state;
	exchange_begin(&exchange, 4, 81);
	exchange_ask(&exchange, cookie);
	exchange_syn(&exchange, PORT, cookie, REQUEST);
	assert_syn_ack(&exchange, strlen(REQUEST), 2, false);
	assert_int_equal(exchange.frame[1].segment.flags & TCP_FIN, 0);
	iss = exchange_iss(&exchange);
	length = exchange.frame[1].segment.payload_length;
	exchange_say(&exchange, TCP_ACK, IRS + 1 + strlen(REQUEST), iss + 1 + length, "");
	assert_int_equal(exchange.frames, 1);
	assert_int_equal(exchange.frame[0].segment.flags & TCP_FIN, TCP_FIN);
	assert_int_equal(exchange.frame[0].segment.seq, iss + 1 + length);
	assert_int_equal(rig_state(&exchange.rig, PORT), TCP_FIN_WAIT_1);
	rig_free(&exchange.rig);
}

static void
every_kind_of_service_opens_fast(void **state)
{
	static const struct {
		uint16_t port;
		const char *text, *answer;
	} kinds[] = {{7, "hello", "hello"}, {25, "helo", "220 handfast"}, {9, "x", NULL}};
	uint8_t cookie[TCP_OPTIONS_COOKIE_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct exchange exchange;
		uint32_t iss, length = 0;

		exchange_begin(&exchange, 4, kinds[i].port);
		exchange_ask(&exchange, cookie);
		exchange_syn(&exchange, PORT, cookie, kinds[i].text);
		assert_syn_ack(&exchange, strlen(kinds[i].text), kinds[i].answer != NULL ? 2 : 1,
				false);
		iss = exchange_iss(&exchange);
		if (kinds[i].answer != NULL) {
			assert_memory_equal(exchange_payload(&exchange, 1), kinds[i].answer,
					strlen(kinds[i].answer));
			length = exchange.frame[1].segment.payload_length;
		}
		exchange_say(&exchange, TCP_ACK | TCP_FIN, IRS + 1 + strlen(kinds[i].text),
				iss + 1 + length, "");
		assert_int_equal(exchange.frames, 1);
		assert_int_equal(exchange.frame[0].segment.flags, TCP_ACK | TCP_FIN);
		exchange_say(&exchange, TCP_ACK, IRS + 2 + strlen(kinds[i].text), iss + 2 + length,
				"");
		rig_free(&exchange.rig);
	}
}

static void
echo_without_a_ring_is_reset_and_its_place_is_free(void **state)
{
	uint8_t cookie[TCP_OPTIONS_COOKIE_BYTES];
	struct exchange exchange;

	(void)state;
	exchange_begin(&exchange, 4, 7);
	exchange_ask(&exchange, cookie);
	for (uint16_t i = 0; i < 2; i++) {
		exchange_syn(&exchange, PORT + i, cookie, "hello");
		assert_syn_ack(&exchange, 5, 2, false);
	}
	exchange_syn(&exchange, PORT + 2, cookie, "hello");
	assert_int_equal(exchange.frames, 1);
	assert_int_equal(exchange.frame[0].segment.flags, TCP_RST | TCP_ACK);
	assert_int_equal(exchange.frame[0].segment.ack, IRS + 6);
	assert_int_equal(rig_state(&exchange.rig, PORT + 2), TCP_CLOSED);
	assert_int_equal(exchange.rig.engine.worker[0]->share[4].fast_open_pending, 2);
	rig_free(&exchange.rig);
}

static void
syn_and_its_reset_may_share_a_burst(void **state)
{
	uint8_t cookie[TCP_OPTIONS_COOKIE_BYTES];
	struct exchange exchange;

	(void)state;
	exchange_begin(&exchange, 4, 80);
	exchange_ask(&exchange, cookie);
	exchange.path.local_port = rte_cpu_to_be_16(PORT);
	exchange.next = (struct build_tcp){.seq = IRS,
			.flags = TCP_SYN,
			.window = 65535,
			.options = {.options = TCP_OPTION_FAST_OPEN,
					.cookie_length = TCP_OPTIONS_COOKIE_BYTES}};
	memcpy(exchange.next.options.cookie, cookie, sizeof(cookie));
	rig_put_tcp(&exchange.rig, &exchange.path, &exchange.next, REQUEST, strlen(REQUEST));
	rig_put_tcp(&exchange.rig, &exchange.path, &exchange.next, REQUEST, strlen(REQUEST));
	exchange_say(&exchange, TCP_RST, IRS + 1 + strlen(REQUEST), 0, "");
	assert_int_equal(rig_counter(&exchange.rig, COUNTER_fast_opens), 1);
	assert_int_equal(rig_connections(&exchange.rig), 0);
	assert_int_equal(exchange.rig.engine.worker[0]->share[1].fast_open_pending, 0);
	rig_free(&exchange.rig);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					request_with_a_good_cookie_is_answered_before_the_handshake_ends),
			cmocka_unit_test(forged_cookie_gets_a_good_one_and_the_text_waits),
			cmocka_unit_test(cookie_is_not_good_for_another_client),
			cmocka_unit_test(cookie_is_asked_for_only_where_fast_open_is_on),
			cmocka_unit_test(request_for_a_cookie_with_text_leaves_the_text),
			cmocka_unit_test(cookie_ages_with_the_engines_clock),
			cmocka_unit_test(retransmitted_syn_is_answered_like_the_first),
			cmocka_unit_test(lost_syn_ack_and_answer_are_sent_again),
			cmocka_unit_test(
					pending_connections_are_limited_and_give_their_places_back),
			cmocka_unit_test(fin_waits_for_the_end_of_the_handshake),
			cmocka_unit_test(every_kind_of_service_opens_fast),
			cmocka_unit_test(echo_without_a_ring_is_reset_and_its_place_is_free),
			cmocka_unit_test(syn_and_its_reset_may_share_a_burst),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

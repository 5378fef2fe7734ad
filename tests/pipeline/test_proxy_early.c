/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * mode: proxy on the bench: what clients say before a backend has answered.
 *
 * Text is a stream of which every byte is known by its place, so what the backend gets is compared
 * whatever segments it comes in.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "engine/proxy.h"
#include "tcp/tcp_seq.h"
#include "wire/bytes.h"

#include "../unit/random.h"
#include "scene.h"

#define FIRST_WINDOW 5888 /* Four segments of 1460, in steps of 128. */
#define STREAM_MAX   70000

/* What a backend has got of a client's stream. */
struct hearer {
	uint32_t base; /* Its number of the first byte. */
	uint32_t next; /* So much is there without a gap. */
	uint8_t flags; /* Of all segments. */
	uint32_t urgent;
	unsigned int segments;
	unsigned int repeated; /* Bytes. */
	uint8_t is_there[STREAM_MAX];
};

static struct scene scene;
static struct hearer hearer;

static uint8_t
stream_byte(uint32_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7);
}

/* A segment of the client, from a place in its stream. */
static void
say(uint32_t at, uint32_t length, unsigned int flags)
{
	struct build_tcp tcp = scene.client.next;
	uint8_t text[1500];

	for (uint32_t i = 0; i < length; i++)
		text[i] = stream_byte(at + i);
	tcp.seq = SCENE_CLIENT_ISN + 1 + at;
	tcp.flags = (uint8_t)(TCP_ACK | flags);
	tcp.options.options &= TCP_OPTION_TIMESTAMPS;
	rig_put_tcp(&scene.rig, &scene.client.path, &tcp, text, length);
	scene.client.next.options.tsval++;
	scene.client.next.seq = tcp.seq + length + ((flags & TCP_FIN) != 0);
	scene_listen(&scene);
}

static struct rig_frame *
next_frame(struct scene_peer *end)
{
	scene_listen(&scene);
	if (end->heard == 0)
		return NULL;
	end->last = end->queue[0];
	end->heard--;
	memmove(end->queue, end->queue + 1, end->heard * sizeof(end->queue[0]));
	return &end->last;
}

/* What the client is told: how much of its stream has arrived, and how much more it may say. */
static void
hear_told(uint32_t acked, uint32_t window)
{
	const struct rig_frame *frame = next_frame(&scene.client);

	assert_non_null(frame);
	assert_int_equal(frame->segment.flags, TCP_ACK);
	assert_int_equal(frame->segment.payload_length, 0);
	assert_int_equal(frame->segment.ack, SCENE_CLIENT_ISN + 1 + acked);
	assert_int_equal(frame->segment.window << 7, window);
	scene.client.next.options.tsecr = frame->segment.tsval;
}

static void
hearer_take(const struct rig_frame *frame)
{
	const struct tcp_segment *segment = &frame->segment;
	const uint8_t *text = frame->bytes + frame->frame.l4_offset + segment->payload_offset;
	const uint32_t at = segment->seq - hearer.base;

	assert_true(segment->payload_length <= 1448);
	assert_int_equal(segment->ack, scene.server.next.seq);
	if ((segment->flags & TCP_URG) != 0)
		hearer.urgent = at + bytes_read_16(frame->bytes + frame->frame.l4_offset + 18);
	hearer.flags |= segment->flags;
	hearer.segments += segment->payload_length > 0;
	for (uint32_t i = 0; i < segment->payload_length; i++) {
		assert_int_equal(text[i], stream_byte(at + i));
		hearer.repeated += hearer.is_there[at + i];
		hearer.is_there[at + i] = 1;
	}
	while (hearer.is_there[hearer.next] != 0)
		hearer.next++;
	if ((segment->options & TCP_OPTION_TIMESTAMPS) != 0)
		scene.server.next.options.tsecr = segment->tsval;
}

/* The backend takes all that has come for it. */
static void
hear_stream(void)
{
	const struct rig_frame *frame;

	while ((frame = next_frame(&scene.server)) != NULL)
		hearer_take(frame);
}

/* The backend acknowledges. */
static void
acknowledge(uint32_t length)
{
	scene.server.next.ack = hearer.base + length;
	scene_say(&scene, &scene.server, TCP_ACK, 0);
}

static struct proxy_held_pool *
pool(void)
{
	return &scene_worker(&scene)->proxy->held;
}

/* The client is there, and a backend was asked. */
static void
open_client(void)
{
	memset(&hearer, 0, sizeof(hearer));
	scene_open_client(&scene);
	hearer.base = scene.server.last.segment.seq + 1;
}

static void
begin(const char *pool_lines)
{
	scene_begin_as(&scene, 4, pool_lines, "", 1);
	open_client();
}

/* All is the backend's, and the two talk. */
static void
finish(uint32_t length)
{
	hear_stream();
	assert_int_equal(hearer.next, length);
	scene.server.next.ack = hearer.base + length;
	scene.client.next.seq = SCENE_CLIENT_ISN + 1 + length;
	while (next_frame(&scene.client) != NULL)
		;
	scene_say(&scene, &scene.server, TCP_ACK, 0);
	while (next_frame(&scene.client) != NULL)
		assert_int_equal(scene.client.last.segment.ack, scene.client.next.seq);
	scene_talk(&scene);
	assert_int_equal(pool()->used, 0);
	assert_int_equal(pool()->bytes, 0);
	scene_close_both(&scene);
}

static void
early_text_is_held_and_comes_in_order(void **state)
{
	(void)state;
	begin("");
	say(0, 1000, 0);
	scene_hear_nothing(&scene, &scene.client);
	say(1000, 1000, 0);
	hear_told(2000, (FIRST_WINDOW - 2000) & ~127u);
	say(2000, 1000, TCP_PSH);
	scene_hear_nothing(&scene, &scene.client);
	rig_wait_ms(&scene.rig, 50);
	hear_told(3000, (FIRST_WINDOW - 3000) & ~127u);
	assert_int_equal(pool()->bytes, 3000);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_early_segments), 3);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_early_bytes), 3000);
	scene_answer(&scene);
	hear_told(3000, (65160 - 3000) & ~127u);
	hear_stream();
	/* Linux takes it for the end of the handshake only so. */
	assert_int_equal(scene.server.last.segment.tsecr, 5000000);
	assert_int_equal(hearer.next, 3000);
	assert_int_equal(hearer.segments, 3);
	/* Some of it is nothing that the client knows of. */
	acknowledge(1448);
	hear_told(3000, (1448 + (509 << 7) - 3000) & ~127u);
	acknowledge(1448);
	scene_hear_nothing(&scene, &scene.client);
	acknowledge(3000);
	hear_told(3000, 509 << 7);
	assert_int_equal(pool()->used, 0);
	finish(3000);
}

static void
a_quick_backend_makes_nothing_ours(void **state)
{
	(void)state;
	begin("");
	say(0, 700, TCP_PSH);
	rig_wait_ms(&scene.rig, 30);
	scene_hear_nothing(&scene, &scene.client);
	scene_answer(&scene);
	scene_hear_nothing(&scene, &scene.client);
	assert_int_equal(pool()->used, 0);
	hear_stream();
	assert_int_equal(hearer.segments, 1);
	assert_true((hearer.flags & TCP_PSH) != 0);
	/* It was lost: the client repeats it, we do not. */
	rig_wait_ms(&scene.rig, 1000);
	hear_stream();
	assert_int_equal(hearer.repeated, 0);
	say(0, 700, TCP_PSH);
	hear_stream();
	assert_int_equal(hearer.repeated, 700);
	finish(700);
}

/* Whoever speaks byte by byte fills what everybody fills, and the backend gets whole segments. */
static void
bytes_are_what_counts(void **state)
{
	(void)state;
	begin("");
	for (uint32_t at = 0; at < FIRST_WINDOW; at++) {
		say(at, 1, 0);
		while (next_frame(&scene.client) != NULL)
			assert_true(at == FIRST_WINDOW - 1 ||
					scene.client.last.segment.window <= FIRST_WINDOW >> 7);
	}
	assert_int_equal(pool()->bytes, FIRST_WINDOW);
	assert_in_range(pool()->used, FIRST_WINDOW / 256, FIRST_WINDOW / 256 + 2);
	assert_int_equal(rig_counter(&scene.rig, DROP_early_full), 0);
	/* Beyond what was promised. */
	say(FIRST_WINDOW, 1, 0);
	hear_told(FIRST_WINDOW, 0);
	assert_int_equal(pool()->bytes, FIRST_WINDOW);
	scene_answer(&scene);
	hear_stream();
	assert_int_equal(hearer.segments, 5);
	hear_told(FIRST_WINDOW, (65160 - FIRST_WINDOW) & ~127u);
	finish(FIRST_WINDOW);
}

static void
a_full_window_is_never_dropped(void **state)
{
	(void)state;
	begin("");
	for (uint32_t at = 0; at < FIRST_WINDOW; at += 1472)
		say(at, 1472, 0);
	assert_int_equal(pool()->bytes, FIRST_WINDOW);
	assert_int_equal(rig_counter(&scene.rig, DROP_early_full), 0);
	scene_answer(&scene);
	finish(FIRST_WINDOW);
}

static void
repeated_overlapping_and_displaced_segments_leave_no_hole(void **state)
{
	(void)state;
	begin("");
	say(0, 1000, 0);
	say(2000, 1000, 0); /* too soon */
	hear_told(0 + 1000, (FIRST_WINDOW - 1000) & ~127u);
	assert_int_equal(rig_counter(&scene.rig, DROP_out_of_order), 0);
	say(2000, 1000, 0); /* once in half a second is enough */
	scene_hear_nothing(&scene, &scene.client);
	assert_int_equal(rig_counter(&scene.rig, DROP_out_of_order), 1);
	say(0, 1000, 0); /* again */
	assert_int_equal(pool()->bytes, 1000);
	assert_int_equal(rig_counter(&scene.rig, DROP_out_of_window), 1);
	say(500, 1000, 0); /* half of it again */
	assert_int_equal(pool()->bytes, 1500);
	say(0, 1460, 0); /* all of it old */
	assert_int_equal(pool()->bytes, 1500);
	say(1200, 900, 0);
	assert_int_equal(pool()->bytes, 2100);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_early_bytes), 2100);
	scene_answer(&scene);
	hear_stream();
	assert_int_equal(hearer.repeated, 0);
	finish(2100);
}

/* Before anything was said a segment can acknowledge our SYN only. */
static void
a_guess_puts_no_words_into_the_stream(void **state)
{
	(void)state;
	begin("");
	say(0, 100, 0);
	scene.client.next.ack -= 5;
	say(100, 100, 0);
	scene.client.next.ack += 10;
	say(100, 100, 0);
	scene.client.next.ack -= 5;
	assert_int_equal(pool()->bytes, 100);
	assert_int_equal(rig_counter(&scene.rig, DROP_bad_ack), 1); /* the other was answered */
	scene_answer(&scene);
	finish(100);
}

static void
fin_push_and_urgent_survive(void **state)
{
	struct scene_peer *client = &scene.client, *server = &scene.server;
	const struct rig_frame *frame;
	uint8_t bytes[RIG_FRAME_MAX];

	(void)state;
	for (unsigned int acked = 0; acked < 2; acked++) {
		begin("");
		/* 40 bytes of 100 are urgent: RFC 9293 3.8.5, as Linux reads it. */
		client->next.urgent = 40;
		say(0, 100, TCP_URG | TCP_PSH);
		client->next.urgent = 0;
		say(100, 50, TCP_FIN);
		assert_int_equal(pool()->bytes, 150);
		hear_told(151, (FIRST_WINDOW - 151) & ~127u);
		say(151, 10, 0); /* behind a FIN nothing comes */
		assert_int_equal(pool()->bytes, 150);
		scene_answer(&scene);
		frame = next_frame(server);
		assert_non_null(frame);
		memcpy(bytes, frame->bytes, frame->length);
		hearer_take(frame);
		assert_int_equal(frame->segment.flags, TCP_ACK | TCP_URG | TCP_PSH | TCP_FIN);
		assert_int_equal(hearer.next, 150);
		assert_int_equal(hearer.urgent, 40);
		while (next_frame(client) != NULL)
			;
		if (acked == 1) {
			rig_wait_ms(&scene.rig, 250); /* lost: the FIN is ours, too */
			frame = next_frame(server);
			assert_non_null(frame);
			assert_true((frame->segment.flags & TCP_FIN) != 0);
		}
		server->next.ack = hearer.base + 151;
		client->next.seq = SCENE_CLIENT_ISN + 1 + 151;
		scene_say(&scene, server, TCP_FIN | TCP_ACK, 50);
		scene_hear(&scene, client, TCP_ACK | TCP_FIN, 50);
		assert_int_equal(client->last.segment.ack, client->next.seq);
		scene_say(&scene, client, TCP_ACK, 0);
		scene_hear(&scene, server, TCP_ACK, 0);
		scene_end_after(&scene, 2100);
	}
}

static void
a_reset_frees_what_is_held(void **state)
{
	(void)state;
	begin("");
	say(0, 1400, 0);
	say(1400, 1400, 0);
	hear_told(2800, (FIRST_WINDOW - 2800) & ~127u);
	assert_true(pool()->used > 0);
	scene_say(&scene, &scene.client, TCP_RST, 0);
	assert_int_equal(pool()->used, 0);
	scene_hear(&scene, &scene.server, TCP_RST, 0);
	scene_end(&scene);
	/* And when it comes while the backend has not got all. */
	begin("");
	say(0, 1400, 0);
	say(1400, 1400, 0);
	scene_answer(&scene);
	hear_stream();
	assert_true(pool()->used > 0);
	scene_say(&scene, &scene.client, TCP_RST, 0);
	assert_int_equal(pool()->used, 0);
	while (next_frame(&scene.client) != NULL)
		;
	scene_hear(&scene, &scene.server, TCP_RST, 0);
	scene_end_after(&scene, 10100);
}

/* Nobody but us can make shorter what the client has been told we have (RFC 1191). */
static void
a_narrow_path_shortens_what_is_held(void **state)
{
	(void)state;
	begin("");
	say(0, 1400, 0);
	say(1400, 1400, 0);
	scene_answer(&scene);
	hear_stream();
	assert_int_equal(hearer.segments, 2);
	for (unsigned int i = 0; i < 2; i++) {
		scene_say_too_big(&scene, &scene.server, 1300);
		hear_stream();
		assert_int_equal(hearer.segments, 2 + 3);
		assert_int_equal(hearer.repeated, 2800);
	}
	assert_int_equal(scene.server.last.segment.payload_length, 2800 - 2 * (1300 - 52));
	assert_int_equal(scene.icmps, 0);
	finish(2800);
}

/* A second backend gets all from the beginning, and behind the header if there is one. */
static void
another_backend_gets_the_same(void **state)
{
	static const char line[] = "PROXY TCP4 10.9.0.1 10.9.0.2 40000 80\r\n";
	const struct rig_frame *frame;

	(void)state;
	for (unsigned int header = 0; header < 2; header++) {
		begin(header ? "proxy_protocol: v1" : "");
		say(0, 1448, 0);
		say(1448, 1448, 0);
		say(2896, 200, TCP_PSH);
		scene_say(&scene, &scene.server, TCP_RST | TCP_ACK, 0);
		scene_hear_syn(&scene);
		hearer.base = scene.server.last.segment.seq + 1;
		scene_answer(&scene);
		if (header) {
			frame = next_frame(&scene.server);
			assert_non_null(frame);
			assert_int_equal(frame->segment.payload_length, sizeof(line) - 1);
			assert_int_equal(frame->segment.seq, hearer.base);
			assert_memory_equal(frame->bytes + frame->length - sizeof(line) + 1, line,
					sizeof(line) - 1);
			hearer.base += (uint32_t)sizeof(line) - 1;
		}
		hear_stream();
		assert_int_equal(hearer.repeated, 0);
		finish(3096);
	}
}

static void
what_we_acknowledged_we_repeat(void **state)
{
	(void)state;
	begin("");
	for (uint32_t at = 0; at < 5600; at += 1400)
		say(at, 1400, 0);
	while (next_frame(&scene.client) != NULL)
		;
	scene_answer(&scene);
	/* All of it is lost. */
	while (next_frame(&scene.server) != NULL)
		;
	rig_wait_ms(&scene.rig, 250);
	hear_stream();
	assert_int_equal(hearer.next, 5600);
	/* And most of that: the server says again and again what it misses. */
	memset(hearer.is_there, 0, sizeof(hearer.is_there));
	hearer.next = 0;
	acknowledge(1448);
	for (unsigned int i = 0; i < 3; i++)
		acknowledge(1448);
	hear_stream();
	assert_int_equal(hearer.is_there[1447], 0);
	assert_int_equal(hearer.is_there[1448], 1);
	assert_int_equal(hearer.is_there[2895], 1);
	assert_int_equal(hearer.is_there[2896], 0);
	/* What the client says itself meanwhile passes, and the client is not asked for ours. */
	while (next_frame(&scene.client) != NULL)
		assert_int_equal(scene.client.last.segment.ack, SCENE_CLIENT_ISN + 1 + 5600);
	say(5600, 1400, 0);
	rig_wait_ms(&scene.rig, 250);
	for (uint32_t i = 0; i < 1448; i++)
		hearer.is_there[i] = 1;
	assert_true(rig_counter(&scene.rig, COUNTER_data_retransmits) >= 3);
	finish(7000);
}

static void
a_backend_that_takes_nothing_of_ours_is_given_up(void **state)
{
	(void)state;
	begin("");
	say(0, 1000, 0);
	say(1000, 1000, 0);
	scene_answer(&scene);
	while (next_frame(&scene.client) != NULL)
		;
	for (unsigned int i = 0; i < 60; i++) {
		rig_wait_ms(&scene.rig, 1000);
		while (next_frame(&scene.server) != NULL)
			;
	}
	assert_int_equal(next_frame(&scene.client)->segment.flags, TCP_RST | TCP_ACK);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_timed_out), 1);
	scene_end(&scene);
}

/* The backend's window is smaller than what was said, and opens later. */
static void
a_small_window_of_the_backend_is_kept(void **state)
{
	(void)state;
	begin("");
	for (uint32_t at = 0; at < 5600; at += 1400)
		say(at, 1400, 0);
	while (next_frame(&scene.client) != NULL)
		;
	scene.server.next.window = 2000;
	scene_answer(&scene);
	hear_told(5600, 0);
	hear_stream();
	assert_int_equal(hearer.next, 2000);
	/* Closed: asked after a while, with a byte. */
	scene.server.next.window = 0;
	acknowledge(2000);
	scene_hear_nothing(&scene, &scene.client);
	hear_stream();
	assert_int_equal(hearer.next, 2000);
	rig_wait_ms(&scene.rig, 250);
	hear_stream();
	assert_int_equal(hearer.next, 2001);
	for (unsigned int i = 0; i < 30; i++) {
		rig_wait_ms(&scene.rig, 4000);
		acknowledge(2000);
		hear_stream();
	}
	assert_int_equal(hearer.next, 2001);
	assert_in_range(hearer.repeated, 20, 40);
	/* 2560 more: to be had by us. */
	scene.server.next.window = 20;
	acknowledge(2001);
	hear_stream();
	assert_int_equal(hearer.next, 2001 + 2560);
	hear_told(5600, 0);
	scene.server.next.window = 100;
	acknowledge(4561);
	hear_told(5600, (4561 + 12800 - 5600) & ~127u);
	hear_stream();
	finish(5600);
}

/* A banner of the server, while our words are on their way to it. */
static void
the_server_may_speak_meanwhile(void **state)
{
	(void)state;
	begin("");
	say(0, 1400, 0);
	say(1400, 1400, 0);
	scene_answer(&scene);
	while (next_frame(&scene.client) != NULL)
		;
	hear_stream();
	scene.server.next.ack = hearer.base;
	scene_say(&scene, &scene.server, TCP_ACK, 40);
	scene_hear(&scene, &scene.client, TCP_ACK, 40);
	assert_int_equal(scene.client.last.segment.ack, SCENE_CLIENT_ISN + 1 + 2800);
	assert_int_equal(scene.client.last.segment.window << 7, (65152 - 2800) & ~127);
	scene.client.next.seq = SCENE_CLIENT_ISN + 1 + 2800;
	scene_say(&scene, &scene.client, TCP_ACK, 0);
	scene_hear(&scene, &scene.server, TCP_ACK, 0);
	assert_int_equal(scene.server.last.segment.ack, scene.server.next.seq);
	scene.server.next.ack = hearer.base + 2800;
	scene_say(&scene, &scene.server, TCP_ACK, 0);
	scene_hear(&scene, &scene.client, TCP_ACK, 0);
	scene_talk(&scene);
	scene_close_both(&scene);
}

/* What the first window becomes, for every agreement about window scales. */
static void
the_window_opens_as_it_is_scaled(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		const bool client_scales = (i & 1) != 0, server_scales = (i & 2) != 0;
		const unsigned int shift = client_scales ? 7 : 0;
		const struct rig_frame *frame;

		scene_begin_as(&scene, 4, "", "", 1);
		if (!client_scales)
			scene.client.next.options.options &= (uint8_t)~TCP_OPTION_WINDOW_SCALE;
		if (!client_scales || !server_scales)
			scene.server.next.options.options &= (uint8_t)~TCP_OPTION_WINDOW_SCALE;
		scene.server.next.options.window_scale = 9;
		open_client();
		assert_int_equal((scene.server.last.segment.options & TCP_OPTION_WINDOW_SCALE) != 0,
				client_scales);
		say(0, 1400, 0);
		say(1400, 1400, 0);
		frame = next_frame(&scene.client);
		assert_non_null(frame);
		assert_int_equal(frame->segment.window, (FIRST_WINDOW - 2800) >> shift);
		scene.server.next.window = 20000;
		scene_answer(&scene);
		frame = next_frame(&scene.client);
		assert_non_null(frame);
		assert_int_equal(frame->segment.window, (20000 - 2800) >> shift);
		hear_stream();
		/* What the client's 502 is on the other side. */
		assert_int_equal(scene.server.last.segment.window,
				client_scales && !server_scales ? 502 << 7 : 502);
		scene.server.next.window = 30;
		acknowledge(2800);
		frame = next_frame(&scene.client);
		assert_non_null(frame);
		assert_int_equal(frame->segment.window,
				client_scales && server_scales ? 30 << 9 >> 7 : 30 >> shift);
		scene.server.next.window = 509;
		finish(2800);
	}
}

#define TINY_CHUNKS 32 /* 8 KiB */

static void
an_empty_pool_closes_the_window(void **state)
{
	uint32_t window;

	(void)state;
	begin("");
	pool()->count = 5;
	say(0, 1000, 0);
	say(1000, 1000, 0);
	/* What found room is acknowledged, the rest is not. */
	assert_int_equal(pool()->used, 5);
	window = (uint32_t)pool()->bytes;
	assert_in_range(window, 1200, 1260);
	hear_told(window, 0);
	assert_int_equal(rig_counter(&scene.rig, DROP_early_full), 0);
	/* The client asks whether that is still so, and is answered: not each time. */
	for (unsigned int i = 0; i < 10; i++) {
		say(window, 1, 0);
		say(window - 1, 0, 0);
	}
	hear_told(window, 0);
	assert_null(next_frame(&scene.client));
	assert_true(rig_counter(&scene.rig, DROP_early_full) > 0);
	rig_wait_ms(&scene.rig, 150);
	assert_null(next_frame(&scene.client));
	/* A backend answers: the window opens by itself. */
	scene_answer(&scene);
	hear_told(window, (65160 - window) & ~127u);
	hear_stream();
	assert_int_equal(hearer.next, window);
	say(window, 1400, 0);
	finish(window + 1400);
}

/* Who comes while nothing more can be held is promised nothing, with a cookie or without. */
static void
a_syn_ack_promises_what_can_be_held(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		scene_begin_as(&scene, 4, "", i == 0 ? "cookies: never" : "cookies: always", 1);
		for (unsigned int full = 0; full < 2; full++) {
			struct scene_peer *client = &scene.client;

			pool()->count = full ? 8 : TINY_CHUNKS;
			client->path.local_port = rte_cpu_to_be_16((uint16_t)(41000 + full));
			client->next = (struct build_tcp){.seq = SCENE_CLIENT_ISN,
					.window = 64240,
					.options = scene_linux};
			scene_say(&scene, client, TCP_SYN, 0);
			scene_hear(&scene, client, TCP_SYN | TCP_ACK, 0);
			assert_int_equal(client->last.segment.window, full ? 0 : FIRST_WINDOW);
			client->next.window = 502;
			scene_say(&scene, client, TCP_ACK, 0);
			scene_hear_syn(&scene);
			scene_answer(&scene);
			scene.server.next.window = 509;
			/* At once, whatever was promised. */
			scene_hear(&scene, client, TCP_ACK, 0);
			assert_int_equal(client->last.segment.window, 65160 >> 7);
			scene_hear(&scene, &scene.server, TCP_ACK, 0);
			scene_talk(&scene);
			scene_say(&scene, client, TCP_RST, 0);
			scene_hear(&scene, &scene.server, TCP_RST, 0);
			scene.server.next = (struct build_tcp){.seq = SCENE_SERVER_ISN,
					.window = 65160,
					.options = scene_linux};
		}
		scene_end_after(&scene, 10100);
	}
}

#define CROWD 100

/* One of many: where it is in its life. */
struct member {
	struct build_path path, server_path;
	struct build_tcp next;
	uint32_t base;  /* The backend's number of its first byte. */
	uint32_t acked; /* So much it knows to have arrived. */
	uint32_t arrived;
};

static struct member crowd[CROWD];

static void
member_say(struct member *member, uint32_t from, uint32_t length)
{
	uint8_t text[1460];

	for (uint32_t i = 0; i < length; i++)
		text[i] = stream_byte(from + i);
	member->next.seq = SCENE_CLIENT_ISN + 1 + from;
	member->next.flags = TCP_ACK;
	rig_put_tcp(&scene.rig, &member->path, &member->next, text, length);
	scene_listen(&scene);
}

/* What the engine has told the member whose turn it is, and its backend. */
static void
member_hear(struct member *member)
{
	const struct rig_frame *frame;

	while ((frame = next_frame(&scene.client)) != NULL)
		member->acked = frame->segment.ack - (SCENE_CLIENT_ISN + 1);
	while ((frame = next_frame(&scene.server)) != NULL) {
		const uint8_t *text = frame->bytes + frame->frame.l4_offset +
				      frame->segment.payload_offset;
		const uint32_t at = frame->segment.seq - member->base;

		for (uint32_t i = 0; i < frame->segment.payload_length; i++)
			assert_int_equal(text[i], stream_byte(at + i));
		if (at <= member->arrived)
			member->arrived = RTE_MAX(
					member->arrived, at + frame->segment.payload_length);
	}
}

static void
member_open(struct member *member, unsigned int number)
{
	struct scene_peer *client = &scene.client;

	memset(member, 0, sizeof(*member));
	client->path.local_port = rte_cpu_to_be_16((uint16_t)(42000 + number));
	client->next = (struct build_tcp){
			.seq = SCENE_CLIENT_ISN, .window = 64240, .options = scene_linux};
	client->next.options.options &= (uint8_t)~TCP_OPTION_TIMESTAMPS;
	scene_open_client(&scene);
	member->path = client->path;
	member->next = client->next;
	member->base = scene.server.last.segment.seq + 1;
	member->server_path = scene.server.path;
}

/* Its backend answers, and takes what it gets. */
static void
member_answer(struct member *member)
{
	struct build_tcp tcp = {.seq = SCENE_SERVER_ISN,
			.ack = member->base,
			.window = 65160,
			.flags = TCP_SYN | TCP_ACK,
			.options = scene_linux};

	tcp.options.options &= (uint8_t)~TCP_OPTION_TIMESTAMPS;
	rig_put_tcp(&scene.rig, &member->server_path, &tcp, NULL, 0);
	scene_listen(&scene);
	member_hear(member);
	tcp = (struct build_tcp){.seq = SCENE_SERVER_ISN + 1,
			.ack = member->base + member->arrived,
			.window = 509,
			.flags = TCP_ACK};
	rig_put_tcp(&scene.rig, &member->server_path, &tcp, NULL, 0);
	scene_listen(&scene);
	member_hear(member);
	assert_int_equal(member->acked, member->arrived);
}

/* Many speak at once; there is room for a few; all are served, and nothing stays. */
static void
a_crowd_uses_up_the_pool_and_all_are_served(void **state)
{
	unsigned int full = 0;

	(void)state;
	scene_begin_as(&scene, 4, "", "", 1);
	pool()->count = 10 * TINY_CHUNKS;
	for (unsigned int i = 0; i < CROWD; i++)
		member_open(&crowd[i], i);
	for (unsigned int i = 0; i < CROWD; i++) {
		for (uint32_t at = 0; at < 5600; at += 1400)
			member_say(&crowd[i], at, 1400);
		member_hear(&crowd[i]);
		full += crowd[i].acked < 5600;
	}
	assert_true(full > CROWD / 2 && full < CROWD);
	assert_int_equal(pool()->used, pool()->count);
	for (unsigned int i = 0; i < CROWD; i++) {
		member_answer(&crowd[i]);
		for (uint32_t at = crowd[i].acked; at < 5600; at += RTE_MIN(5600 - at, 1400u))
			member_say(&crowd[i], at, RTE_MIN(5600 - at, 1400u));
		member_hear(&crowd[i]);
		assert_int_equal(crowd[i].arrived, 5600);
	}
	assert_int_equal(pool()->used, 0);
	assert_int_equal(pool()->bytes, 0);
	assert_int_equal(rig_connections(&scene.rig), CROWD);
	rig_free(&scene.rig);
}

#define TRIALS      150
#define TRIAL_BYTES 9000u
#define SEED        20261121

/* A connection on which everything happens that may. */
struct trial {
	uint64_t random;
	uint32_t told;     /* So much the client knows to have arrived. */
	uint32_t edge;     /* So far it may speak. */
	bool fin_told;     /* And that its FIN has. */
	bool answered;     /* The backend. */
	uint32_t got;      /* What it has in order; its client's FIN counts. */
	uint32_t takes;    /* So far it takes, and never less. */
	unsigned int lost; /* Of ten segments to it. */
};

/* The client listens: what it was told never goes back, and is the truth in the end. */
static void
trial_client_hears(struct trial *trial)
{
	const struct rig_frame *frame;

	while ((frame = next_frame(&scene.client)) != NULL) {
		const uint32_t acked = frame->segment.ack - (SCENE_CLIENT_ISN + 1);

		assert_int_equal(frame->segment.flags, TCP_ACK);
		assert_true(acked >= trial->told && acked <= TRIAL_BYTES + 1);
		trial->told = RTE_MIN(acked, TRIAL_BYTES);
		trial->fin_told = acked > TRIAL_BYTES;
		trial->edge = RTE_MAX(trial->edge, trial->told + (frame->segment.window << 7));
		scene.client.next.options.tsecr = frame->segment.tsval;
	}
}

/* It says something that it may say: new, old, or both, in any order. */
static void
trial_client_says(struct trial *trial)
{
	const uint32_t last = RTE_MIN(trial->edge, TRIAL_BYTES);
	uint32_t from = trial->told, length;

	if (random_below(&trial->random, 3) == 0)
		from -= random_below(&trial->random, RTE_MIN(from, 3000u) + 1);
	else if (random_below(&trial->random, 3) == 0 && last > from)
		from += random_below(&trial->random, last - from);
	length = random_below(&trial->random, 2) == 0 ? 1448 : random_below(&trial->random, 40);
	length = last > from ? RTE_MIN(length, last - from) : 0;
	say(from, length,
			from + length == TRIAL_BYTES && random_below(&trial->random, 2) == 0
					? TCP_FIN | TCP_PSH
					: 0);
}

static void
trial_server_hears(struct trial *trial)
{
	const struct rig_frame *frame;

	while ((frame = next_frame(&scene.server)) != NULL) {
		if ((frame->segment.flags & TCP_SYN) != 0) {
			hearer.base = frame->segment.seq + 1;
			build_path_reverse(&scene.server.path, frame->bytes, &frame->frame);
			continue;
		}
		if (!trial->answered || random_below(&trial->random, 10) < trial->lost ||
				frame->segment.seq - hearer.base + frame->segment.payload_length >
						trial->takes)
			continue;
		hearer_take(frame);
		trial->got = hearer.next +
			     (hearer.next == TRIAL_BYTES && ((hearer.flags & TCP_FIN) != 0));
	}
}

/* What the backend does: it answers, or says what it has, and takes more or less. */
static void
trial_server_says(struct trial *trial)
{
	struct build_tcp *tcp = &scene.server.next;
	uint32_t more;

	if (!trial->answered) {
		if (random_below(&trial->random, 12) != 0)
			return;
		tcp->ack = hearer.base;
		trial->takes = random_below(&trial->random, 20000);
		tcp->window = (uint16_t)trial->takes;
		trial->answered = true;
		scene_say(&scene, &scene.server, TCP_SYN | TCP_ACK, 0);
		return;
	}
	tcp->ack = hearer.base + trial->got;
	more = random_below(&trial->random, 12000);
	more = RTE_MAX(more, trial->takes > trial->got ? trial->takes - trial->got : 0);
	tcp->window = (uint16_t)((more + 127) / 128);
	trial->takes = trial->got + tcp->window * 128u;
	scene_say(&scene, &scene.server, TCP_ACK, 0);
}

static void
trial_run(struct trial *trial)
{
	scene.client.path.local_port =
			rte_cpu_to_be_16((uint16_t)(20000 + random_below(&trial->random, 40000)));
	scene.client.next = (struct build_tcp){
			.seq = SCENE_CLIENT_ISN, .window = 64240, .options = scene_linux};
	scene.server.next = (struct build_tcp){
			.seq = SCENE_SERVER_ISN, .window = 65160, .options = scene_linux};
	open_client();
	trial->edge = FIRST_WINDOW;
	for (unsigned int step = 0; trial->got <= TRIAL_BYTES || !trial->fin_told; step++) {
		assert_true(step < 5000);
		/* In the end all goes well. */
		trial->lost = step < 100 ? 3 : 0;
		trial_client_says(trial);
		trial_client_hears(trial);
		trial_server_hears(trial);
		trial_server_says(trial);
		trial_client_hears(trial);
		rig_wait_ms(&scene.rig, random_below(&trial->random, 2) * 30);
		trial_server_hears(trial);
	}
	scene.client.next.seq = SCENE_CLIENT_ISN + 1 + TRIAL_BYTES + 1;
	scene_say(&scene, &scene.client, TCP_RST, 0);
	while (next_frame(&scene.server) != NULL)
		;
}

/* Any segments, any losses, a pool of any size: a backend gets the stream, and nothing else. */
static void
whatever_happens_the_stream_arrives(void **state)
{
	struct trial trial = {.random = SEED};

	(void)state;
	print_message("seed %u\n", SEED);
	scene_begin_as(&scene, 4, "", "", 1);
	for (unsigned int i = 0; i < TRIALS; i++) {
		trial = (struct trial){.random = trial.random};
		pool()->count = 2 + random_below(&trial.random, 40);
		pool()->fresh = 0;
		pool()->free = 0;
		trial_run(&trial);
		assert_int_equal(pool()->used, 0);
		assert_int_equal(pool()->bytes, 0);
	}
	rig_wait_ms(&scene.rig, 11000);
	scene_listen(&scene);
	assert_int_equal(rig_connections(&scene.rig), 0);
	rig_free(&scene.rig);
}

#define EARLY_TEST(name) RIG_TEST(name, scene.rig)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			EARLY_TEST(early_text_is_held_and_comes_in_order),
			EARLY_TEST(a_quick_backend_makes_nothing_ours),
			EARLY_TEST(bytes_are_what_counts),
			EARLY_TEST(a_full_window_is_never_dropped),
			EARLY_TEST(repeated_overlapping_and_displaced_segments_leave_no_hole),
			EARLY_TEST(a_guess_puts_no_words_into_the_stream),
			EARLY_TEST(fin_push_and_urgent_survive),
			EARLY_TEST(a_reset_frees_what_is_held),
			EARLY_TEST(a_narrow_path_shortens_what_is_held),
			EARLY_TEST(another_backend_gets_the_same),
			EARLY_TEST(what_we_acknowledged_we_repeat),
			EARLY_TEST(a_backend_that_takes_nothing_of_ours_is_given_up),
			EARLY_TEST(a_small_window_of_the_backend_is_kept),
			EARLY_TEST(the_server_may_speak_meanwhile),
			EARLY_TEST(the_window_opens_as_it_is_scaled),
			EARLY_TEST(an_empty_pool_closes_the_window),
			EARLY_TEST(a_syn_ack_promises_what_can_be_held),
			EARLY_TEST(whatever_happens_the_stream_arrives),
			EARLY_TEST(a_crowd_uses_up_the_pool_and_all_are_served),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * TIME_WAIT through the whole pipeline: kept apart from the connections, and borrowed by packets.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "rig.h"

#define CLIENT_PORT  40000
#define FIN_FIRST    81 /* The rig's service that closes as soon as it is open. */
#define TIME_WAIT_MS 60000

struct closer {
	struct rig rig;
	struct build_path path;
	struct build_tcp next;
	struct rig_frame heard;
	uint32_t engine_nxt; /* The engine's SND.NXT. */
};

static void
closer_put(struct closer *closer, uint8_t flags)
{
	closer->next.flags = flags;
	rig_put_tcp(&closer->rig, &closer->path, &closer->next, NULL, 0);
}

static unsigned int
closer_hear(struct closer *closer)
{
	unsigned int heard = 0;

	rig_turn(&closer->rig);
	while (rig_take(&closer->rig, &closer->heard))
		heard++;
	return heard;
}

static unsigned int
waiting(const struct closer *closer)
{
	unsigned int count = 0;

	for (unsigned int w = 0; w < closer->rig.engine.worker_count; w++)
		count += time_wait_count(closer->rig.engine.worker[w]->time_wait);
	return count;
}

/* A connection that the engine closed first and the client closed, too. */
static void
closer_begin(struct closer *closer, unsigned int family, unsigned int workers)
{
	memset(closer, 0, sizeof(*closer));
	rig_init(&closer->rig, NULL, workers);
	rig_path(&closer->rig, &closer->path, family, CLIENT_PORT, FIN_FIRST);
	closer->next = (struct build_tcp){.seq = 100, .window = 65535};
	closer->next.options = (struct tcp_options){.options = TCP_OPTION_TIMESTAMPS, .tsval = 7};
	closer_put(closer, TCP_SYN);
	assert_int_equal(closer_hear(closer), 1);
	closer->next.options.tsecr = closer->heard.segment.tsval;
	closer->next.seq++;
	closer->next.ack = closer->heard.segment.seq + 1;
	closer_put(closer, TCP_ACK);
	assert_int_equal(closer_hear(closer), 1);
	assert_int_equal(closer->heard.segment.flags, TCP_FIN | TCP_ACK);
	closer->next.ack++;
	closer_put(closer, TCP_FIN | TCP_ACK);
	assert_int_equal(closer_hear(closer), 1);
	assert_int_equal(closer->heard.segment.flags, TCP_ACK);
	closer->engine_nxt = closer->heard.segment.seq;
	assert_int_equal(rig_connections(&closer->rig), 0);
	assert_int_equal(waiting(closer), 1);
}

static void
closed_connection_is_kept_small_and_lapses(void **state)
{
	struct closer closer;

	(void)state;
	for (unsigned int family = 4; family <= 6; family += 2) {
		closer_begin(&closer, family, family == 4 ? 1 : 3);
		rig_wait_ms(&closer.rig, TIME_WAIT_MS - 10);
		assert_int_equal(waiting(&closer), 1);
		rig_wait_ms(&closer.rig, 20);
		assert_int_equal(waiting(&closer), 0);
		rig_free(&closer.rig);
	}
}

static void
repeated_fin_is_acknowledged_and_starts_anew(void **state)
{
	struct closer closer;

	(void)state;
	closer_begin(&closer, 4, 1);
	rig_wait_ms(&closer.rig, TIME_WAIT_MS / 2);
	/* Twice in one burst: the second finds what the first borrowed. */
	closer_put(&closer, TCP_FIN | TCP_ACK);
	closer_put(&closer, TCP_FIN | TCP_ACK);
	assert_int_equal(closer_hear(&closer), 2);
	assert_int_equal(closer.heard.segment.flags, TCP_ACK);
	assert_int_equal(closer.heard.segment.seq, closer.engine_nxt);
	assert_int_equal(closer.heard.segment.ack, closer.next.seq + 1);
	assert_int_equal(rig_connections(&closer.rig), 0);
	rig_wait_ms(&closer.rig, TIME_WAIT_MS - 10);
	assert_int_equal(waiting(&closer), 1);
	rig_wait_ms(&closer.rig, 20);
	assert_int_equal(waiting(&closer), 0);
	rig_free(&closer.rig);
}

static void
old_segment_does_not_start_anew(void **state)
{
	struct closer closer;

	(void)state;
	closer_begin(&closer, 4, 1);
	rig_wait_ms(&closer.rig, TIME_WAIT_MS / 2);
	closer.next.seq -= 50;
	closer_put(&closer, TCP_ACK);
	assert_int_equal(closer_hear(&closer), 1); /* RFC 9293 3.10.7.4 first: an ACK */
	rig_wait_ms(&closer.rig, TIME_WAIT_MS / 2 + 20);
	assert_int_equal(waiting(&closer), 0);
	rig_free(&closer.rig);
}

static void
newer_syn_opens_again_above_the_old_numbers(void **state)
{
	struct closer closer;

	(void)state;
	closer_begin(&closer, 4, 2);
	/* RFC 6191: a later timestamp is enough, even with a lower sequence number. */
	closer.next.seq = 50;
	closer.next.options.tsval += 1;
	closer_put(&closer, TCP_SYN);
	assert_int_equal(closer_hear(&closer), 1);
	assert_int_equal(closer.heard.segment.flags, TCP_SYN | TCP_ACK);
	assert_true((int32_t)(closer.heard.segment.seq - closer.engine_nxt) >= 0);
	assert_int_equal(waiting(&closer), 0);
	assert_int_equal(rig_connections(&closer.rig), 1);
	closer.next.seq++;
	closer.next.ack = closer.heard.segment.seq + 1;
	closer_put(&closer, TCP_ACK);
	assert_int_equal(closer_hear(&closer), 1);
	assert_int_equal(closer.heard.segment.flags, TCP_FIN | TCP_ACK);
	assert_int_equal(rig_counter(&closer.rig, COUNTER_opened), 2);
	rig_free(&closer.rig);
}

static void
fin_and_newer_syn_share_a_burst(void **state)
{
	struct closer closer;

	(void)state;
	closer_begin(&closer, 4, 1);
	closer_put(&closer, TCP_FIN | TCP_ACK);
	closer.next.seq = 5000;
	closer.next.options.tsval += 1;
	closer_put(&closer, TCP_SYN);
	assert_int_equal(closer_hear(&closer), 2);
	assert_int_equal(closer.heard.segment.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(rig_connections(&closer.rig), 1);
	assert_int_equal(waiting(&closer), 0);
	rig_free(&closer.rig);
}

static void
exact_reset_ends_it(void **state)
{
	struct closer closer;

	(void)state;
	closer_begin(&closer, 4, 1);
	closer.next.seq++; /* behind the FIN: RCV.NXT */
	closer_put(&closer, TCP_RST);
	assert_int_equal(closer_hear(&closer), 0);
	assert_int_equal(waiting(&closer), 0);
	assert_int_equal(rig_connections(&closer.rig), 0);
	rig_free(&closer.rig);
}

static void
older_syn_is_only_challenged(void **state)
{
	struct closer closer;

	(void)state;
	closer_begin(&closer, 4, 1);
	closer.next.seq = 5000;
	closer.next.options.tsval -= 1;
	closer_put(&closer, TCP_SYN);
	assert_int_equal(closer_hear(&closer), 1);
	assert_int_equal(closer.heard.segment.flags, TCP_ACK);
	assert_int_equal(waiting(&closer), 1);
	rig_free(&closer.rig);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(closed_connection_is_kept_small_and_lapses),
			cmocka_unit_test(repeated_fin_is_acknowledged_and_starts_anew),
			cmocka_unit_test(old_segment_does_not_start_anew),
			cmocka_unit_test(newer_syn_opens_again_above_the_old_numbers),
			cmocka_unit_test(fin_and_newer_syn_share_a_burst),
			cmocka_unit_test(exact_reset_ends_it),
			cmocka_unit_test(older_syn_is_only_challenged),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

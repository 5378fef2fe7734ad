/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What a capture is shown: what was received and what was sent, each packet once.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/tap_shared.h"
#include "engine/transmit.h"
#include "rig.h"

#define PACKETS    3
#define SNAP       64
#define SLOT_BYTES 128

static struct rig rig;
static struct tap_memory *memory;
static struct rte_mbuf *packets[PACKETS];

/* A capture of everything, and packets that have their number in each byte. */
static void
begin(void)
{
	rig_init(&rig, NULL, 1);
	memory = calloc(1, tap_bytes(1, SLOT_BYTES));
	assert_non_null(memory);
	memory->rings = 1;
	memory->slot_bytes = SLOT_BYTES;
	memory->snap = SNAP;
	memory->port = TAP_ANY;
	memory->directions = TAP_IN | TAP_OUT;
	rig.engine.worker[0]->tap = memory;
	for (unsigned int i = 0; i < PACKETS; i++) {
		packets[i] = rte_pktmbuf_alloc(rig.engine.pool);
		assert_non_null(packets[i]);
		memset(rte_pktmbuf_append(packets[i], SNAP), (int)i, SNAP);
	}
}

static void
take(unsigned int n)
{
	struct rig_bytes bytes;

	while (n-- > 0)
		assert_true(rig_take_bytes(&rig, &bytes));
}

static void
end(void)
{
	take(rte_ring_count(rig.from_engine));
	rig_free(&rig);
	free(memory);
}

static unsigned int
transmit(unsigned int from)
{
	return transmit_some(rig.engine.worker[0], &packets[from], PACKETS - from, 0);
}

/* Leave the device room for so many packets. */
static void
leave_room(unsigned int room)
{
	struct rte_mbuf *filler = rte_pktmbuf_alloc(rig.engine.pool);
	const unsigned int n = rte_ring_free_count(rig.from_engine) - room;

	assert_non_null(filler);
	rte_mbuf_refcnt_update(filler, (int16_t)(n - 1));
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(rte_ring_enqueue(rig.from_engine, filler), 0);
}

static void
check_shown(unsigned int n)
{
	assert_int_equal(memory->ring[0].head, n);
	for (unsigned int i = 0; i < n; i++) {
		const struct tap_slot *slot = tap_slot_at(memory, 0, i);

		assert_int_equal(slot->direction, TAP_OUT);
		assert_int_equal(slot->captured, SNAP);
		assert_int_equal(*(const uint8_t *)(slot + 1), i);
	}
}

static void
a_packet_that_was_refused_is_shown_when_it_is_sent(void **state)
{
	(void)state;
	begin();
	leave_room(2);
	assert_int_equal(transmit(0), 2);
	for (unsigned int i = 0; i < 5; i++) {
		check_shown(2);
		assert_int_equal(transmit(2), 0);
	}
	take(1);
	assert_int_equal(transmit(2), 1);
	check_shown(3);
	assert_int_equal(memory->ring[0].dropped, 0);
	end();
}

static void
sent_without_a_slot_is_counted_and_refused_is_not(void **state)
{
	(void)state;
	begin();
	memory->ring[0].head = TAP_SLOTS - 1;
	leave_room(2);
	assert_int_equal(transmit(0), 2);
	assert_int_equal(transmit(2), 0);
	assert_int_equal(memory->ring[0].head, TAP_SLOTS);
	assert_int_equal(memory->ring[0].dropped, 1);
	take(1);
	assert_int_equal(transmit(2), 1);
	assert_int_equal(memory->ring[0].head, TAP_SLOTS);
	assert_int_equal(memory->ring[0].dropped, 2);
	end();
}

static void
what_is_not_wanted_is_neither_shown_nor_counted(void **state)
{
	static const uint8_t noise[SNAP] = {0x02, 0, 0, 0, 0, 0x02};

	(void)state;
	begin();
	memory->directions = TAP_IN;
	assert_int_equal(transmit(0), PACKETS);
	assert_int_equal(memory->ring[0].head, 0);
	rig_put(&rig, noise, sizeof(noise));
	rig_turn(&rig);
	assert_int_equal(memory->ring[0].head, 1);
	assert_int_equal(tap_slot_at(memory, 0, 0)->direction, TAP_IN);
	memory->port = 1;
	rig_put(&rig, noise, sizeof(noise));
	rig_turn(&rig);
	assert_int_equal(memory->ring[0].head, 1);
	assert_int_equal(memory->ring[0].dropped, 0);
	end();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			RIG_TEST(a_packet_that_was_refused_is_shown_when_it_is_sent, rig),
			RIG_TEST(sent_without_a_slot_is_counted_and_refused_is_not, rig),
			RIG_TEST(what_is_not_wanted_is_neither_shown_nor_counted, rig),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

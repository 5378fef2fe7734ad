/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Flows and their backends: found, forgotten in time, and who gives way to whom.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "balance/affinity.h"
#include "random.h"

#define SEED     15
#define FLOWS    10000
#define SWEEP    64
#define WAYS     8
#define ONE_LINE 1 /* One bucket is enough for so many. */

static const struct affinity_timeouts timeouts = {.seconds = {
								  [AFFINITY_SYN] = 3,
								  [AFFINITY_NEW] = 10,
								  [AFFINITY_LIVE] = 600,
								  [AFFINITY_CLOSED] = 120,
								  [AFFINITY_RESET] = 5,
						  }};

static struct affinity *
affinity_new(uint32_t flows)
{
	void *memory = aligned_alloc(64, affinity_footprint(flows));
	struct affinity *affinity;

	assert_non_null(memory);
	memset(memory, 0xa5, affinity_footprint(flows));
	affinity = affinity_init(memory, flows);
	affinity_set_timeouts(affinity, &timeouts);
	return affinity;
}

/* Insert where there is room without anybody giving way. */
static struct affinity_flow *
insert(struct affinity *affinity, uint64_t hash, uint16_t backend, uint32_t now_s)
{
	uint16_t displaced;
	struct affinity_flow *flow = affinity_insert(affinity, hash, backend, now_s, &displaced);

	assert_non_null(flow);
	assert_int_equal(displaced, AFFINITY_NONE);
	return flow;
}

static void
flows_are_found_with_their_backends(void **state)
{
	struct affinity *affinity = affinity_new(FLOWS * 2);
	uint64_t seed = SEED;
	uint32_t found = 0;

	(void)state;
	printf("seed %d\n", SEED);
	assert_in_range(affinity_capacity(affinity), FLOWS * 2, FLOWS * 3);
	for (uint16_t i = 0; i < FLOWS; i++) {
		uint64_t hash = random_next(&seed);
		uint16_t displaced;

		assert_null(affinity_find(affinity, hash, 0));
		assert_non_null(affinity_insert(affinity, hash, i % 8000, 0, &displaced));
	}
	seed = SEED;
	for (uint16_t i = 0; i < FLOWS; i++) {
		const struct affinity_flow *flow = affinity_find(affinity, random_next(&seed), 0);

		if (flow == NULL)
			continue;
		assert_int_equal(flow->backend, i % 8000);
		found++;
	}
	/* Half full: next to nobody gave way. */
	assert_in_range(found, FLOWS - FLOWS / 50, FLOWS);
	free(affinity);
}

static void
silence_ends_a_flow_by_its_state(void **state)
{
	struct affinity *affinity = affinity_new(ONE_LINE);
	struct affinity_flow *flow;

	(void)state;
	flow = insert(affinity, 1, 7, 100);
	assert_non_null(affinity_find(affinity, 1, 109));
	assert_null(affinity_find(affinity, 1, 110));
	affinity_touch(flow, 105);
	assert_non_null(affinity_find(affinity, 1, 105 + 599));
	assert_null(affinity_find(affinity, 1, 105 + 600));
	affinity_close(flow, false);
	assert_non_null(affinity_find(affinity, 1, 105 + 119));
	assert_null(affinity_find(affinity, 1, 105 + 120));
	affinity_close(flow, true);
	assert_non_null(affinity_find(affinity, 1, 105 + 4));
	assert_null(affinity_find(affinity, 1, 105 + 5));
	affinity_close(flow, false);
	affinity_touch(flow, 105);
	assert_int_equal(flow->state, AFFINITY_RESET);
	affinity_remove(flow);
	assert_null(affinity_find(affinity, 1, 105));
	free(affinity);
}

static void
time_may_wrap(void **state)
{
	struct affinity *affinity = affinity_new(ONE_LINE);
	struct affinity_flow *flow = insert(affinity, 1, 7, UINT32_MAX - 3);

	(void)state;
	affinity_touch(flow, UINT32_MAX - 3);
	assert_non_null(affinity_find(affinity, 1, 500));
	assert_null(affinity_find(affinity, 1, 600));
	affinity_touch(flow, 65530);
	assert_non_null(affinity_find(affinity, 1, 65536 + 500));
	free(affinity);
}

static void
new_flows_give_way_and_live_ones_do_not(void **state)
{
	struct affinity *affinity = affinity_new(ONE_LINE);
	uint16_t displaced;

	(void)state;
	for (uint16_t i = 0; i < WAYS; i++)
		affinity_touch(insert(affinity, i, i, 10), 10);
	assert_null(affinity_insert(affinity, 100, 100, 20, &displaced));
	assert_int_equal(displaced, AFFINITY_NONE);
	affinity_close(affinity_find(affinity, 3, 20), false);
	affinity_close(affinity_find(affinity, 5, 20), true);
	/* A flood takes the place of the one that was reset, and then its own. */
	assert_non_null(affinity_insert(affinity, 100, 100, 12, &displaced));
	assert_int_equal(displaced, 5);
	assert_non_null(affinity_insert(affinity, 101, 101, 12, &displaced));
	assert_int_equal(displaced, 3);
	for (uint16_t i = 102; i < 1000; i++) {
		assert_non_null(affinity_insert(affinity, i, i, 13, &displaced));
		assert_in_range(displaced, 100, 999);
	}
	for (uint16_t i = 0; i < WAYS; i++)
		if (i != 3 && i != 5)
			assert_int_equal(affinity_find(affinity, i, 13)->backend, i);
	/* Whoever is idle for too long is gone. */
	assert_non_null(affinity_insert(affinity, 2000, 2000, 10 + 600, &displaced));
	free(affinity);
}

static void
a_syn_takes_the_place_of_no_flow(void **state)
{
	struct affinity *affinity = affinity_new(ONE_LINE);
	struct affinity_flow *flow;
	uint16_t backends[WAYS];
	uint16_t displaced;

	(void)state;
	for (uint16_t i = 0; i < WAYS - 1; i++)
		insert(affinity, i, i, 10);
	affinity_close(affinity_find(affinity, 1, 10), false);
	affinity_close(affinity_find(affinity, 2, 10), true);
	for (uint16_t i = 100; i < 200; i++) {
		assert_int_equal(affinity_expect(affinity, i, i, 10), AFFINITY_NONE);
		assert_int_equal(affinity_find(affinity, i, 10)->backend, i);
		assert_int_equal(affinity_find(affinity, i, 10)->state, AFFINITY_SYN);
	}
	for (uint16_t i = 0; i < WAYS - 1; i++)
		assert_int_equal(affinity_find(affinity, i, 10)->backend, i);
	/* It becomes a flow where it is, and gives way to one before. */
	insert(affinity, 300, 300, 10);
	assert_null(affinity_find(affinity, 199, 10));
	affinity_expect(affinity, 400, 400, 10);
	assert_null(affinity_find(affinity, 400, 10));
	affinity_remove(affinity_find(affinity, 300, 10));
	affinity_expect(affinity, 400, 400, 10);
	flow = affinity_find(affinity, 400, 10);
	affinity_open(flow, 10);
	assert_int_equal(flow->state, AFFINITY_NEW);
	affinity_expect(affinity, 500, 500, 10);
	assert_null(affinity_find(affinity, 500, 10));
	/* Where one is forgotten there is a place, and the caller hears of it. */
	assert_int_equal(affinity_expect(affinity, 500, 500, 15), 2);
	assert_non_null(affinity_find(affinity, 500, 17));
	assert_null(affinity_find(affinity, 500, 18));
	assert_int_equal(affinity_insert(affinity, 600, 600, 18, &displaced)->backend, 600);
	assert_int_equal(displaced, AFFINITY_NONE);
	affinity_remove(affinity_find(affinity, 600, 18));
	affinity_expect(affinity, 700, 700, 18);
	/* All but the SYN and the closed one. */
	assert_int_equal(affinity_sweep(affinity, 21, 1, backends), WAYS - 2);
	for (unsigned int i = 0; i < WAYS - 2; i++)
		assert_int_not_equal(backends[i], 700);
	assert_null(affinity_find(affinity, 700, 21));
	free(affinity);
}

static void
sweep_forgets_all_that_are_over_and_no_others(void **state)
{
	struct affinity *affinity = affinity_new(1000);
	uint16_t backends[SWEEP * WAYS];
	uint64_t seed = SEED;
	unsigned int inserted = 0;
	unsigned int forgotten = 0;

	(void)state;
	for (unsigned int i = 0; i < 700; i++) {
		uint16_t displaced;
		struct affinity_flow *flow = affinity_insert(
				affinity, random_next(&seed), (uint16_t)(i % 2), 0, &displaced);

		if (flow == NULL)
			continue;
		if (i % 2 == 1)
			affinity_touch(flow, 0);
		inserted += i % 2 == 0 && displaced == AFFINITY_NONE;
	}
	for (uint32_t at = 0; at < affinity_capacity(affinity) / WAYS; at += SWEEP) {
		unsigned int n = affinity_sweep(affinity, 10, SWEEP, backends);

		for (unsigned int i = 0; i < n; i++)
			assert_int_equal(backends[i], 0);
		forgotten += n;
	}
	assert_in_range(forgotten, inserted - 10, inserted);
	assert_int_equal(affinity_sweep(affinity, 10, SWEEP, backends), 0);
	free(affinity);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(flows_are_found_with_their_backends),
			cmocka_unit_test(silence_ends_a_flow_by_its_state),
			cmocka_unit_test(time_may_wrap),
			cmocka_unit_test(new_flows_give_way_and_live_ones_do_not),
			cmocka_unit_test(a_syn_takes_the_place_of_no_flow),
			cmocka_unit_test(sweep_forgets_all_that_are_over_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What DPDK's interrupt thread unmaps while workers run: not before each of them has moved on.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <time.h>

#include <rte_alarm.h>

#include "engine/unmap.h"
#include "rig.h"

static struct rig rig;
static void *region;
static int unmapped; /* Atomic. */

/* In DPDK's interrupt thread. */
static void
unmap_region(void *argument)
{
	(void)argument;
	munmap(region, 4096);
	__atomic_store_n(&unmapped, 1, __ATOMIC_SEQ_CST);
}

/* @return whether the region was unmapped within so many ms. */
static bool
unmapped_within_ms(unsigned int ms)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (unsigned int i = 0; i < ms; i++) {
		if (__atomic_load_n(&unmapped, __ATOMIC_SEQ_CST) != 0)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static void
begin_unmapping(void)
{
	unmapped = 0;
	region = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(region, MAP_FAILED);
	assert_int_equal(rte_eal_alarm_set(1, unmap_region, NULL), 0);
}

static void
interrupt_thread_unmaps_after_every_worker_moved_on(void **state)
{
	(void)state;
	rig_init(&rig, NULL, 2);
	unmap_wait_for(&rig.engine);
	begin_unmapping();
	assert_false(unmapped_within_ms(50));
	for (unsigned int i = 0; i < 2; i++)
		worker_turn(rig.engine.worker[0]);
	assert_false(unmapped_within_ms(50)); /* The other one may still be looking. */
	for (unsigned int i = 0; i < 2; i++)
		worker_turn(rig.engine.worker[1]);
	assert_true(unmapped_within_ms(10000));
	unmap_wait_for(NULL);
	rig_free(&rig);
}

static void
nobody_waits_for_workers_that_left(void **state)
{
	(void)state;
	rig_init(&rig, NULL, 1);
	unmap_wait_for(&rig.engine);
	begin_unmapping();
	assert_false(unmapped_within_ms(50));
	unmap_wait_for(NULL);
	assert_true(unmapped_within_ms(10000));
	begin_unmapping();
	assert_true(unmapped_within_ms(10000));
	rig_free(&rig);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
			RIG_TEST(interrupt_thread_unmaps_after_every_worker_moved_on, rig),
			RIG_TEST(nobody_waits_for_workers_that_left, rig),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * echo_buffer: rings against a plain array of everything pushed.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "echo_rings.h"
#include "random.h"

#define RINGS 4
#define SEED  UINT64_C(0x6563686f)

static struct echo_buffers *buffers;
static uint8_t scratch[ECHO_BUFFER_BYTES];

static int
setup(void **state)
{
	(void)state;
	buffers = echo_rings_new(RINGS);
	return buffers != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	free(buffers);
	return 0;
}

/* The byte that is pushed as number @p n into @p ring. */
static uint8_t
byte_at(uint32_t ring, uint64_t n)
{
	return (uint8_t)((n * 31 + (n >> 8) + ring * 97) & 0xff);
}

static void
push(uint32_t ring, uint64_t from, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		scratch[i] = byte_at(ring, from + i);
	echo_buffer_push(buffers, ring, scratch, length);
}

static void
assert_held(uint32_t ring, uint64_t from, uint32_t offset, uint32_t length)
{
	memset(scratch, 0, sizeof(scratch));
	echo_buffer_peek(buffers, ring, offset, scratch, length);
	for (uint32_t i = 0; i < length; i++)
		assert_int_equal(scratch[i], byte_at(ring, from + offset + i));
}

static void
rings_are_taken_until_none_is_left(void **state)
{
	uint32_t ring[RINGS];

	(void)state;
	for (unsigned int i = 0; i < RINGS; i++) {
		ring[i] = echo_buffer_take(buffers);
		assert_in_range(ring[i], 1, RINGS);
		for (unsigned int j = 0; j < i; j++)
			assert_int_not_equal(ring[i], ring[j]);
	}
	assert_int_equal(echo_buffer_take(buffers), 0);
	echo_buffer_give(buffers, ring[2]);
	echo_buffer_give(buffers, ring[0]);
	assert_int_equal(echo_buffer_take(buffers), ring[0]);
	assert_int_equal(echo_buffer_take(buffers), ring[2]);
	assert_int_equal(echo_buffer_take(buffers), 0);
}

static void
an_empty_pool_has_no_ring(void **state)
{
	void *memory = aligned_alloc(64, 4096);

	(void)state;
	assert_true(echo_buffers_footprint(0) <= 4096);
	assert_int_equal(echo_buffer_take(echo_buffers_init(memory, 0)), 0);
	free(memory);
}

static void
a_ring_taken_again_is_empty(void **state)
{
	uint32_t ring = echo_buffer_take(buffers);

	(void)state;
	push(ring, 0, 1000);
	echo_buffer_give(buffers, ring);
	assert_int_equal(echo_buffer_take(buffers), ring);
	assert_int_equal(echo_buffer_used(buffers, ring), 0);
	assert_int_equal(echo_buffer_room(buffers, ring), ECHO_BUFFER_BYTES);
}

static void
a_ring_holds_all_its_bytes_wherever_it_begins(void **state)
{
	uint32_t ring = echo_buffer_take(buffers);
	uint64_t from = 0;

	(void)state;
	for (uint32_t skip = 0; skip < ECHO_BUFFER_BYTES; skip += 4095) {
		push(ring, from, skip);
		echo_buffer_pop(buffers, ring, skip);
		from += skip;
		push(ring, from, ECHO_BUFFER_BYTES);
		assert_int_equal(echo_buffer_room(buffers, ring), 0);
		assert_held(ring, from, 0, ECHO_BUFFER_BYTES);
		assert_held(ring, from, ECHO_BUFFER_BYTES - 1, 1);
		echo_buffer_pop(buffers, ring, ECHO_BUFFER_BYTES);
		assert_int_equal(echo_buffer_used(buffers, ring), 0);
		from += ECHO_BUFFER_BYTES;
	}
}

static void
every_ring_has_an_area_of_its_own(void **state)
{
	(void)state;
	for (uint32_t ring = 1; ring <= RINGS; ring++) {
		assert_int_equal((uintptr_t)echo_buffer_area(buffers, ring) % 64, 0);
		assert_int_equal(echo_buffer_take(buffers), ring);
		memset(echo_buffer_area(buffers, ring), (int)ring, ECHO_BUFFER_AREA_BYTES);
		push(ring, 0, ECHO_BUFFER_BYTES);
	}
	for (uint32_t ring = 1; ring <= RINGS; ring++) {
		const uint8_t *area = echo_buffer_area(buffers, ring);

		for (unsigned int i = 0; i < ECHO_BUFFER_AREA_BYTES; i++)
			assert_int_equal(area[i], ring);
		assert_held(ring, 0, 0, ECHO_BUFFER_BYTES);
	}
}

static void
interleaved_rings_do_not_mix(void **state)
{
	uint64_t first[RINGS + 1] = {0}, next[RINGS + 1] = {0};
	uint64_t seed = SEED;

	(void)state;
	print_message("seed %#llx\n", (unsigned long long)SEED);
	for (unsigned int i = 0; i < RINGS; i++)
		assert_int_not_equal(echo_buffer_take(buffers), 0);
	for (unsigned int round = 0; round < 4000; round++) {
		uint32_t ring = 1 + random_next(&seed) % RINGS;
		uint32_t used = (uint32_t)(next[ring] - first[ring]);
		uint32_t part = (uint32_t)(random_next(&seed) % 3000);

		assert_int_equal(echo_buffer_used(buffers, ring), used);
		assert_int_equal(echo_buffer_room(buffers, ring), ECHO_BUFFER_BYTES - used);
		if (random_next(&seed) % 2) {
			part = part < ECHO_BUFFER_BYTES - used ? part : ECHO_BUFFER_BYTES - used;
			push(ring, next[ring], part);
			next[ring] += part;
		} else if (random_next(&seed) % 4 == 0) {
			part = part < used ? part : used;
			echo_buffer_retract(buffers, ring, part);
			next[ring] -= part;
		} else {
			part = part < used ? part : used;
			assert_held(ring, first[ring], used - part, part);
			assert_held(ring, first[ring], 0, part);
			echo_buffer_pop(buffers, ring, part);
			first[ring] += part;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					rings_are_taken_until_none_is_left, setup, teardown),
			cmocka_unit_test(an_empty_pool_has_no_ring),
			cmocka_unit_test_setup_teardown(
					a_ring_taken_again_is_empty, setup, teardown),
			cmocka_unit_test_setup_teardown(
					a_ring_holds_all_its_bytes_wherever_it_begins, setup,
					teardown),
			cmocka_unit_test_setup_teardown(
					every_ring_has_an_area_of_its_own, setup, teardown),
			cmocka_unit_test_setup_teardown(
					interleaved_rings_do_not_mix, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

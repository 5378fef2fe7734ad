/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "load/tuple_index.h"
#include "load/tuple_walk.h"

#include "random.h"

#define CONNECTIONS 512

static uint64_t seed = 20261121;

static void *
make(struct tuple_index *index, uint32_t connections)
{
	void *memory = calloc(1, tuple_index_footprint(connections));

	assert_non_null(memory);
	tuple_index_init(index, memory, connections);
	return memory;
}

static struct flow_key
key_of(const struct tuple *tuple)
{
	struct flow_key key = {.port = tuple->port, .endpoint = FLOW_KEY_ACTIVE};

	memcpy(key.address, tuple->address, sizeof(key.address));
	return key;
}

/* So many tuples that follow each other: how many find their place taken. */
static unsigned int
taken_of(struct tuple_walk *walk)
{
	struct tuple_index index;
	void *memory = make(&index, CONNECTIONS);
	unsigned int taken = 0;

	for (uint32_t i = 0; i < CONNECTIONS; i++) {
		struct tuple tuple;
		struct flow_key key;
		uint32_t place;

		tuple_walk_next(walk, &tuple);
		key = key_of(&tuple);
		place = tuple_index_place(&index, &key);
		taken += tuple_index_at(&index, place) != TUPLE_INDEX_NONE;
		tuple_index_set(&index, place, i);
	}
	free(memory);
	return taken;
}

static void
walks_find_most_of_their_places_free(void **state)
{
	static const struct {
		uint8_t address[16];
		unsigned int length;
		uint16_t last_port;
	} sources[] = {
			{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 9, 0, 1}, 32, 65535},
			{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 9, 128, 0}, 17, 1024},
			{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 9, 1, 0}, 29, 65535},
			{{0xfd, 0, 0, 9}, 64, 1031},
			{{0xfd, 0, 0, 9, 0, 0, 0, 0, 1}, 128, 65535},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		struct tuple_walk walk;

		tuple_walk_init(&walk, 1024, sources[i].last_port, 1);
		assert_true(tuple_walk_add(&walk, sources[i].address, sources[i].length));
		for (unsigned int again = 0; again < 20; again++) {
			tuple_walk_seek(&walk, random_next(&seed) % tuple_walk_count(&walk));
			assert_in_range(taken_of(&walk), 0, CONNECTIONS / 8);
		}
	}
}

static void
every_bit_of_a_tuple_counts(void **state)
{
	struct tuple_index index;
	void *memory = make(&index, 1u << 20);

	(void)state;
	for (unsigned int bit = 0; bit < 8 * sizeof(struct flow_key); bit++) {
		unsigned int same = 0;

		for (unsigned int i = 0; i < 16; i++) {
			struct flow_key key, other;

			random_fill(&seed, (uint8_t *)&key, sizeof(key));
			other = key;
			((uint8_t *)&other)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
			same += tuple_index_place(&index, &key) ==
				tuple_index_place(&index, &other);
		}
		assert_in_range(same, 0, 2);
	}
	free(memory);
}

static void
a_place_holds_one_until_it_is_cleared(void **state)
{
	struct tuple_index index;
	void *memory = make(&index, 1);

	(void)state;
	assert_int_equal(tuple_index_at(&index, 7), TUPLE_INDEX_NONE);
	tuple_index_set(&index, 7, 0);
	assert_int_equal(tuple_index_at(&index, 7), 0);
	assert_int_equal(tuple_index_at(&index, 6), TUPLE_INDEX_NONE);
	tuple_index_clear(&index, 7);
	assert_int_equal(tuple_index_at(&index, 7), TUPLE_INDEX_NONE);
	free(memory);
}

static void
who_is_elsewhere_is_never_forgotten(void **state)
{
	struct tuple_index index;
	void *memory = make(&index, 1);

	(void)state;
	tuple_index_sent_away(&index, 3);
	tuple_index_sent_away(&index, 3);
	tuple_index_came_back(&index, 3);
	assert_true(tuple_index_has_away(&index, 3));
	tuple_index_came_back(&index, 3);
	assert_false(tuple_index_has_away(&index, 3));
	/* More than can be counted. */
	for (unsigned int i = 0; i < 300; i++)
		tuple_index_sent_away(&index, 3);
	for (unsigned int i = 0; i < 299; i++)
		tuple_index_came_back(&index, 3);
	assert_true(tuple_index_has_away(&index, 3));
	free(memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(walks_find_most_of_their_places_free),
			cmocka_unit_test(every_bit_of_a_tuple_counts),
			cmocka_unit_test(a_place_holds_one_until_it_is_cleared),
			cmocka_unit_test(who_is_elsewhere_is_never_forgotten),
	};

	printf("seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Segments of open connections, turned around sixteen at a time, are those turned around alone.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <rte_common.h>

#include "golden.h"
#include "columns_begin.h"
#include "random.h"
#include "wire/turn_columns.h"

#define SEED     20261120
#define TEXT_MAX 100
#define ROOM     256

/* A golden frame with other addresses, ports and MAC addresses, and a text in its place. */
static void
random_frame(uint64_t *random, const uint8_t *golden, size_t length, const struct build_turn *turn,
		uint8_t data[ROOM])
{
	const unsigned int ip = 14, addresses = golden[12] == 0x08 ? ip + 12 : ip + 8;
	const unsigned int tcp = golden[12] == 0x08 ? ip + 20 : ip + 40;

	memset(data, 0xa5, ROOM);
	memcpy(data, golden, length);
	random_fill(random, data, 12);
	random_fill(random, data + addresses, tcp + 8 - addresses);
	if (random_below(random, 8) == 0)
		memset(data + addresses, random_below(random, 2) ? 0xff : 0, tcp + 8 - addresses);
	random_fill(random, data + tcp + build_turn_header(turn), turn->payload_length);
}

static void
check_turns(uint64_t *random, const uint8_t *golden, size_t golden_length, uint8_t family,
		bool timestamps)
{
	const unsigned int n = 1 + random_below(random, TURN_COLUMNS_MAX);
	const struct frame frame = {.l3_offset = 14,
			.l4_offset = family == 4 ? 34 : 54,
			.kind = FRAME_TCP,
			.family = family};
	uint8_t frames[TURN_COLUMNS_MAX][ROOM], expected[TURN_COLUMNS_MAX][ROOM];
	struct turn_columns turns = {.family = family, .timestamps = timestamps};

	assert_true(turn_columns_may(&frame));
	for (unsigned int i = 0; i < n; i++) {
		struct build_turn turn;

		random_fill(random, (uint8_t *)&turn, offsetof(struct build_turn, timestamps));
		turn.timestamps = timestamps;
		turn.payload_length = random_below(random, 2) ? random_below(random, TEXT_MAX) : 0;
		random_frame(random, golden, golden_length, &turn, frames[i]);
		turn.payload_sum = checksum_add(0,
				frames[i] + frame.l4_offset + build_turn_header(&turn),
				turn.payload_length);
		memcpy(expected[i], frames[i], ROOM);
		build_turn(expected[i], &frame, &turn, BUILD_CHECKSUM_SOFTWARE);
		turn_columns_add(&turns, frames[i], &turn);
	}
	turn_columns(&turns);
	assert_int_equal(turns.n, 0);
	for (unsigned int i = 0; i < n; i++)
		assert_memory_equal(frames[i], expected[i], ROOM);
}

/* Lanes that are added at once are the same as each of them added alone. */
static void
lanes_are_added_in_order(void **state)
{
	uint32_t number[TURN_COLUMNS_NUMBERS][COLUMNS];
	uint64_t random = columns_begin(SEED);

	(void)state;
	for (unsigned int round = 0; round < 1000; round++) {
		const uint16_t lanes = (uint16_t)random_next(&random);
		const unsigned int before = random_below(&random, TURN_COLUMNS_MAX - COLUMNS + 1);
		struct turn_columns turns = {.n = before};
		unsigned int n = before;

		random_fill(&random, (uint8_t *)number, sizeof(number));
		turn_columns_add_lanes(&turns, (const uint32_t(*)[COLUMNS])number, lanes);
		for (unsigned int i = 0; i < COLUMNS; i++) {
			for (unsigned int k = 0; (lanes >> i & 1) != 0 && k < TURN_COLUMNS_NUMBERS;
					k++)
				assert_int_equal(turns.number[k][n], number[k][i]);
			n += lanes >> i & 1;
		}
		assert_int_equal(turns.n, n);
		for (unsigned int k = 0; k < TURN_COLUMNS_NUMBERS && before > 0; k++)
			assert_int_equal(turns.number[k][before - 1], 0);
	}
}

static void
frames_turned_around_at_once_are_those_turned_around_alone(void **state)
{
	uint64_t random = columns_begin(SEED);

	(void)state;
	for (unsigned int round = 0; round < 10000; round++) {
		const bool timestamps = random_below(&random, 2) != 0;

		check_turns(&random, golden_syn_v4, sizeof(golden_syn_v4), 4, timestamps);
		check_turns(&random, golden_syn_v6, sizeof(golden_syn_v6), 6, timestamps);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(lanes_are_added_in_order),
			cmocka_unit_test(
					frames_turned_around_at_once_are_those_turned_around_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ip.h>

#include "random.h"
#include "wire/checksum.h"

#define SEED 20251120

/** RFC 1071 1: 16-bit words, end-around carry, an odd byte is padded. */
static uint16_t
plain_sum(const uint8_t *bytes, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return rte_cpu_to_be_16((uint16_t)sum);
}

static void
every_length_and_alignment_equals_the_plain_sum(void **state)
{
	uint64_t seed = SEED;

	(void)state;
	print_message("seed %d\n", SEED);
	for (size_t length = 0; length <= 300; length++) {
		for (size_t shift = 0; shift < 8; shift++) {
			uint8_t *memory = malloc(length + shift);

			random_fill(&seed, memory, length + shift);
			assert_int_equal(checksum_fold(checksum_add(0, memory + shift, length)),
					plain_sum(memory + shift, length));
			free(memory);
		}
	}
}

static void
sixty_four_kilobytes_of_ones_do_not_overflow(void **state)
{
	static uint8_t ones[65536];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(checksum_fold(checksum_add(0, ones, sizeof(ones))), 0xffff);
	assert_int_equal(checksum_fold(checksum_add(1, ones, sizeof(ones))), 1);
	ones[sizeof(ones) - 1] = 0xfe;
	assert_int_equal(checksum_fold(checksum_add(0, ones, sizeof(ones))),
			rte_cpu_to_be_16(0xfffe));
}

static void
agrees_with_dpdk(void **state)
{
	uint64_t seed = SEED;
	uint8_t bytes[1500];

	(void)state;
	random_fill(&seed, bytes, sizeof(bytes));
	for (size_t length = 1; length <= sizeof(bytes); length += 13)
		assert_int_equal(checksum_fold(checksum_add(0, bytes, length)),
				rte_raw_cksum(bytes, length));
}

static void
parts_add_up(void **state)
{
	uint64_t seed = SEED;
	uint8_t bytes[257];

	(void)state;
	random_fill(&seed, bytes, sizeof(bytes));
	for (size_t cut = 0; cut <= sizeof(bytes); cut += 2) {
		uint64_t first = checksum_add(0, bytes, cut);
		uint64_t second = checksum_add(0, bytes + cut, sizeof(bytes) - cut);

		assert_int_equal(checksum_fold(first + second), plain_sum(bytes, sizeof(bytes)));
		assert_int_equal(checksum_fold(checksum_add(
						 first, bytes + cut, sizeof(bytes) - cut)),
				plain_sum(bytes, sizeof(bytes)));
	}
}

static void
pseudo_header_is_that_of_the_rfcs(void **state)
{
	/* RFC 9293 3.1: addresses, zero, protocol, length; RFC 8200 8.1: length in 32 bits. */
	const uint8_t v4[] = {192, 0, 2, 1, 198, 51, 100, 2, 0, 6, 0x12, 0x34};
	uint8_t v6[40] = {0x20, 0x01, [15] = 1, [16] = 0xfe, 0x80, [31] = 2, 0, 0x01, 0x23, 0x45, 0,
			0, 0, 58};

	(void)state;
	assert_int_equal(checksum_fold(checksum_pseudo(v4, v4 + 4, 4, 6, 0x1234)),
			plain_sum(v4, sizeof(v4)));
	assert_int_equal(checksum_fold(checksum_pseudo(v6, v6 + 16, 16, 58, 0x012345)),
			plain_sum(v6, sizeof(v6)));
}

/** Compare updating with recomputing for one change in @p words, of which one is never zero. */
static void
check_update(const uint16_t words[8], unsigned int at, uint16_t to16, uint32_t to32)
{
	rte_be16_t before = checksum_finish(checksum_add(0, words, 16));
	uint16_t changed[8];
	uint32_t from32;

	memcpy(changed, words, sizeof(changed));
	changed[at] = to16;
	assert_int_equal(checksum_update_16(before, words[at], to16),
			checksum_finish(checksum_add(0, changed, 16)));

	at &= ~1u;
	memcpy(changed, words, sizeof(changed));
	memcpy(&from32, words + at, sizeof(from32));
	memcpy(changed + at, &to32, sizeof(to32));
	assert_int_equal(checksum_update_32(before, from32, to32),
			checksum_finish(checksum_add(0, changed, 16)));
}

static void
update_equals_recomputation(void **state)
{
	static const uint16_t corners[] = {0x0000, 0x0001, 0x7fff, 0x8000, 0xfffe, 0xffff};
	uint64_t seed = SEED;
	uint16_t words[8];

	(void)state;
	print_message("seed %d\n", SEED);
	for (unsigned int round = 0; round < 200000; round++) {
		unsigned int at = random_below(&seed, 6);
		uint64_t draw = random_next(&seed);
		uint16_t to16 = (uint16_t)draw;
		uint32_t to32 = (uint32_t)(draw >> 32);

		random_fill(&seed, (uint8_t *)words, sizeof(words));
		words[7] |= 1; /* As a version number or a pseudo-header makes sure of. */
		if (round & 1) {
			for (unsigned int i = 0; i < 7; i++)
				words[i] = corners[random_below(&seed, 6)];
			to16 = corners[random_below(&seed, 6)];
			to32 = (uint32_t)corners[random_below(&seed, 6)] << 16 |
			       corners[random_below(&seed, 6)];
		}
		if (round & 2)
			words[7] = 0xffff;
		check_update(words, at, to16, to32);
	}
}

static void
update_of_the_example_in_rfc_1624(void **state)
{
	(void)state;
	/* RFC 1624 4: 0xdd2f, 0x5555 becomes 0x3285; the older equation made 0xffff of it. */
	assert_int_equal(checksum_update_16(rte_cpu_to_be_16(0xdd2f), rte_cpu_to_be_16(0x5555),
					 rte_cpu_to_be_16(0x3285)),
			0x0000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_length_and_alignment_equals_the_plain_sum),
			cmocka_unit_test(sixty_four_kilobytes_of_ones_do_not_overflow),
			cmocka_unit_test(agrees_with_dpdk),
			cmocka_unit_test(parts_add_up),
			cmocka_unit_test(pseudo_header_is_that_of_the_rfcs),
			cmocka_unit_test(update_equals_recomputation),
			cmocka_unit_test(update_of_the_example_in_rfc_1624),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

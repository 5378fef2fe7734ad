/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * A flood aimed at the connection table's buckets, by who knows all of its hash but the key.
 *
 * The attacker picks, of millions of flows, those that crowd a small part of the table under the
 * key that he guesses.  Where his guess is right, most of them find no place; under any other key
 * they spread like flows that nobody picked.
 */

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <rte_common.h>

#include "table/bucket.h"
#include "table/conn_table.h"

#define PLACES  65536 /* buckets that loads are counted for */
#define SECRETS 8

static const struct siphash_key guessed = {0, 0};

/* One that he does not know. */
static struct siphash_key
secret(uint64_t number)
{
	return (struct siphash_key){
			UINT64_C(0x243f6a8885a308d3) ^ number, UINT64_C(0x13198a2e03707344)};
}

/* An attacker has 2^40 flows to choose from: a /8 of addresses and all ports. */
static struct flow_key
flow_of(uint64_t number)
{
	struct flow_key key;

	memset(&key, 0, sizeof(key));
	flow_key_map_ipv4(key.address, 0x0b | (uint32_t)(number >> 16 << 8));
	key.port = (rte_be16_t)number;
	return key;
}

/* Flows whose both buckets are in the same 2^-bits of each half, under a key. */
static struct flow_key *
flows_aimed(const struct siphash_key *key, unsigned int n, unsigned int bits)
{
	struct flow_key *flows = malloc(n * sizeof(*flows));
	struct flow_key tried[64];
	uint64_t hashes[64];
	uint64_t number = 0;
	unsigned int found = 0;

	assert_non_null(flows);
	while (found < n) {
		for (unsigned int i = 0; i < 64; i++)
			tried[i] = flow_of(number++);
		siphash_flow_bulk(key, tried, 64, hashes);
		for (unsigned int i = 0; i < 64 && found < n; i++) {
			if (bucket_first(hashes[i], 1U << bits) == 0 &&
					bucket_second(hashes[i], 1U << bits) == 0)
				flows[found++] = tried[i];
		}
	}
	return flows;
}

/* How many of the flows a table made for so many refuses. */
static unsigned int
refused(const struct siphash_key *key, const struct flow_key *flows, unsigned int n)
{
	void *memory = aligned_alloc(64, conn_table_footprint(n));
	struct conn_table *table;
	unsigned int count = 0;

	assert_non_null(memory);
	table = conn_table_init(memory, n, key);
	for (unsigned int i = 0; i < n; i++) {
		const uint64_t hash = conn_table_hash(table, &flows[i]);

		count += conn_table_insert(table, &flows[i], hash) == NULL;
	}
	free(memory);
	return count;
}

/* The most flows that have the same first bucket. */
static unsigned int
fullest(const struct siphash_key *key, const struct flow_key *flows, unsigned int n)
{
	unsigned int *load = calloc(PLACES, sizeof(*load));
	unsigned int most = 0;

	assert_non_null(load);
	for (unsigned int i = 0; i < n; i++) {
		const uint32_t place = bucket_first(siphash_flow(key, &flows[i]), PLACES);

		most = RTE_MAX(most, ++load[place]);
	}
	free(load);
	return most;
}

/* Flows that were aimed with one key do no more than any others under another. */
static void
aimed_flows_spread(unsigned int n, unsigned int bits)
{
	struct flow_key *aimed = flows_aimed(&guessed, n, bits);
	struct flow_key *any = flows_aimed(&guessed, n, 0);
	unsigned int of_aimed = 0, of_any = 0;

	/* It works where the key is known, or this test would show nothing. */
	assert_true(refused(&guessed, aimed, n) > n / 2);
	assert_true(fullest(&guessed, aimed, n) > 2 * fullest(&guessed, any, n));
	for (unsigned int i = 0; i < SECRETS; i++) {
		const struct siphash_key key = secret(i);

		of_aimed += fullest(&key, aimed, n);
		of_any += fullest(&key, any, n);
		if (i == 0)
			assert_true(refused(&key, aimed, n) <= refused(&key, any, n) + n / 1000);
	}
	print_message("%u flows aimed at 1/%u of the buckets: the fullest has %u where the key is "
		      "known, %u.%u where it is not; with any flows %u.%u\n",
			n, 1U << bits, fullest(&guessed, aimed, n), of_aimed / SECRETS,
			of_aimed % SECRETS * 10 / SECRETS, of_any / SECRETS,
			of_any % SECRETS * 10 / SECRETS);
	assert_true(of_aimed * 8 <= of_any * 9);
	free(aimed);
	free(any);
}

static void
million_aimed_flows_spread_like_any(void **state)
{
	(void)state;
	aimed_flows_spread(1 << 20, 2);
}

static void
few_flows_aimed_at_few_buckets_spread_like_any(void **state)
{
	(void)state;
	aimed_flows_spread(1 << 12, 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(million_aimed_flows_spread_like_any),
			cmocka_unit_test(few_flows_aimed_at_few_buckets_spread_like_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

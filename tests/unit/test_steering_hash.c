/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Owners of flows: shared out evenly, whoever chose the flows without knowing the key.  That
 * packets and connections have the same owner is asked in test_parse.c, over all of its frames.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <rte_byteorder.h>

#include "random.h"
#include "wire/steering_hash.h"

#define SEED 16

static struct siphash_key
random_key(uint64_t *seed)
{
	struct siphash_key key;

	random_fill(seed, (uint8_t *)&key, sizeof(key));
	return key;
}

/** Hash flows that differ as @p vary says, and see how 3 and 64 workers share them. */
static void
check_uniformity(const struct siphash_key *key,
		void (*vary)(uint8_t remote[16], rte_be16_t *port, uint32_t i))
{
	const uint8_t local[16] = {[10] = 0xff, 0xff, 198, 51, 100, 2};
	const uint32_t flows = 60000;
	uint32_t of_3[3] = {0}, of_64[64] = {0};

	for (uint32_t i = 0; i < flows; i++) {
		uint8_t remote[16] = {[10] = 0xff, 0xff, 10, 0, 0, 1};
		rte_be16_t port = rte_cpu_to_be_16(40000);
		uint32_t hash;

		vary(remote, &port, i);
		hash = steering_hash_of(key, remote, local, port, rte_cpu_to_be_16(80));
		of_3[(uint64_t)hash * 3 >> 32]++;
		of_64[(uint64_t)hash * 64 >> 32]++;
	}
	/* Five standard deviations of a binomial distribution. */
	for (unsigned int i = 0; i < 3; i++)
		assert_in_range(of_3[i], 20000 - 578, 20000 + 578);
	for (unsigned int i = 0; i < 64; i++)
		assert_in_range(of_64[i], 937 - 152, 938 + 152);
}

static void
vary_port(uint8_t remote[16], rte_be16_t *port, uint32_t i)
{
	(void)remote;
	*port = rte_cpu_to_be_16((uint16_t)(1024 + i));
}

static void
vary_address(uint8_t remote[16], rte_be16_t *port, uint32_t i)
{
	(void)port;
	remote[14] = (uint8_t)(i >> 8);
	remote[15] = (uint8_t)i;
}

static void
vary_network(uint8_t remote[16], rte_be16_t *port, uint32_t i)
{
	(void)port;
	remote[12] = (uint8_t)(i >> 8);
	remote[13] = (uint8_t)i;
}

static void
vary_both(uint8_t remote[16], rte_be16_t *port, uint32_t i)
{
	remote[15] = (uint8_t)i;
	*port = rte_cpu_to_be_16((uint16_t)(1024 + (i >> 8) * 2));
}

static void
vary_ipv6_prefix(uint8_t remote[16], rte_be16_t *port, uint32_t i)
{
	(void)port;
	memset(remote, 0, 16);
	remote[0] = 0x20;
	remote[6] = (uint8_t)(i >> 8);
	remote[7] = (uint8_t)i;
	remote[15] = 1;
}

static void
flows_are_shared_out_evenly(void **state)
{
	uint64_t seed = SEED;

	(void)state;
	printf("seed %d\n", SEED);
	for (unsigned int round = 0; round < 20; round++) {
		const struct siphash_key key = random_key(&seed);

		check_uniformity(&key, vary_port);
		check_uniformity(&key, vary_address);
		check_uniformity(&key, vary_network);
		check_uniformity(&key, vary_both);
		check_uniformity(&key, vary_ipv6_prefix);
	}
}

/** A flow of an attacker who may choose address and port. */
static uint32_t
hash_of_attacker(const struct siphash_key *key, uint64_t flow)
{
	const uint8_t local[16] = {[10] = 0xff, 0xff, 198, 51, 100, 2};
	uint8_t remote[16] = {[10] = 0xff, 0xff};
	const uint32_t address = rte_cpu_to_be_32((uint32_t)(flow >> 16));

	memcpy(remote + 12, &address, sizeof(address));
	return steering_hash_of(
			key, remote, local, rte_cpu_to_be_16((uint16_t)flow), rte_cpu_to_be_16(80));
}

/** What was aimed at one worker under one key is everybody's under another. */
static void
aimed_flows_are_shared_out_evenly_under_another_key(void **state)
{
	enum { WORKERS = 8, FLOWS = 8000 };
	uint64_t seed = SEED;

	(void)state;
	printf("seed %d\n", SEED);
	for (unsigned int round = 0; round < 20; round++) {
		const struct siphash_key known = random_key(&seed), other = random_key(&seed);
		uint32_t of[WORKERS] = {0};
		uint64_t flow = random_next(&seed);

		for (unsigned int n = 0; n < FLOWS; flow++) {
			if ((uint64_t)hash_of_attacker(&known, flow) * WORKERS >> 32 != 0)
				continue;
			of[(uint64_t)hash_of_attacker(&other, flow) * WORKERS >> 32]++;
			n++;
		}
		/* Six standard deviations. */
		for (unsigned int i = 0; i < WORKERS; i++)
			assert_in_range(of[i], 1000 - 178, 1000 + 178);
	}
}

/** Whoever knows no key: two flows meet at one of eight workers under an eighth of all keys. */
static void
two_flows_seldom_meet(void **state)
{
	enum { WORKERS = 8, KEYS = 40000 };
	static const uint64_t differences[] = {1, 2, 0x100, 0x8000, 0x10000, 0x1000000,
			UINT64_C(0x10000000000), 0xffff, 0x10001};
	uint64_t seed = SEED;

	(void)state;
	printf("seed %d\n", SEED);
	for (unsigned int i = 0; i < sizeof(differences) / sizeof(differences[0]); i++) {
		const uint64_t flow = random_next(&seed) & UINT64_C(0xffffffffffff);
		unsigned int met = 0;

		for (unsigned int n = 0; n < KEYS; n++) {
			const struct siphash_key key = random_key(&seed);
			const uint64_t a = hash_of_attacker(&key, flow);
			const uint64_t b = hash_of_attacker(&key, flow + differences[i]);

			met += a * WORKERS >> 32 == b * WORKERS >> 32;
		}
		/* Six standard deviations of a binomial distribution. */
		assert_in_range(met, KEYS / WORKERS - 397, KEYS / WORKERS + 397);
	}
}

/** Each worker finds a local port among few neighbouring ones, whatever the key. */
static void
every_worker_has_one_of_neighbouring_ports(void **state)
{
	enum { WORKERS = 3, PORTS = 16 * WORKERS, KEYS = 20000 };
	uint64_t seed = SEED;

	(void)state;
	printf("seed %d\n", SEED);
	for (unsigned int n = 0; n < KEYS; n++) {
		const uint8_t remote[16] = {[10] = 0xff, 0xff, 10, 9, 0, 11};
		const uint8_t local[16] = {[10] = 0xff, 0xff, 10, 9, 0, 2};
		const struct siphash_key key = random_key(&seed);
		unsigned int seen = 0;

		for (uint16_t port = 32768; port < 32768 + PORTS; port++) {
			const uint64_t hash = steering_hash_of(&key, remote, local,
					rte_cpu_to_be_16(8080), rte_cpu_to_be_16(port));

			seen |= 1u << (hash * WORKERS >> 32);
		}
		assert_int_equal(seen, (1u << WORKERS) - 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(flows_are_shared_out_evenly),
			cmocka_unit_test(aimed_flows_are_shared_out_evenly_under_another_key),
			cmocka_unit_test(two_flows_seldom_meet),
			cmocka_unit_test(every_worker_has_one_of_neighbouring_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

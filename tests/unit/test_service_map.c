/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The service map, by hand and against a plain list.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <rte_byteorder.h>

#include "table/service_map.h"
#include "tcp/flow_key.h"

#define SEED 7

static struct service_map *
map_new(unsigned int entries)
{
	void *memory = malloc(service_map_footprint(entries));

	assert_non_null(memory);
	memset(memory, 0xa5, service_map_footprint(entries));
	return service_map_init(memory, entries);
}

static void
address_of(uint8_t address[16], uint32_t number)
{
	flow_key_map_ipv4(address, rte_cpu_to_be_32(0x0a000000 + number));
}

static void
listener_is_found_and_its_address_is_ours(void **state)
{
	struct service_map *map = map_new(4);
	uint8_t ours[16];
	uint8_t foreign[16];

	(void)state;
	address_of(ours, 1);
	address_of(foreign, 2);
	assert_int_equal(service_map_add_listener(map, ours, rte_cpu_to_be_16(80), 3), 0);
	assert_int_equal(service_map_lookup(map, ours, rte_cpu_to_be_16(80)), 3);
	assert_int_equal(service_map_lookup(map, ours, rte_cpu_to_be_16(81)), SERVICE_MAP_NONE);
	assert_int_equal(service_map_lookup(map, ours, 0), SERVICE_MAP_NONE);
	assert_int_equal(service_map_lookup(map, foreign, rte_cpu_to_be_16(80)),
			SERVICE_MAP_FOREIGN);
	assert_true(service_map_is_ours(map, ours));
	assert_false(service_map_is_ours(map, foreign));
	free(map);
}

static void
broadcast_address_is_nobodys(void **state)
{
	struct service_map *map = map_new(4);
	uint8_t ours[16], broadcast[16], peer[16];

	(void)state;
	address_of(ours, 1);
	address_of(peer, 2);
	address_of(broadcast, 255);
	assert_int_equal(service_map_add_listener(map, ours, rte_cpu_to_be_16(80), 0), 0);
	assert_int_equal(service_map_add_broadcast(map, broadcast), 0);
	assert_int_equal(service_map_add_broadcast(map, broadcast), 0);
	assert_int_equal(service_map_add_broadcast(map, ours), -EEXIST);
	assert_true(service_map_is_no_peer(map, ours));
	assert_true(service_map_is_no_peer(map, broadcast));
	assert_false(service_map_is_no_peer(map, peer));
	/* Another address that ends as ours does. */
	ours[0] = 0x20;
	assert_false(service_map_is_no_peer(map, ours));
	assert_false(service_map_is_ours(map, broadcast));
	assert_int_equal(service_map_lookup(map, broadcast, rte_cpu_to_be_16(80)),
			SERVICE_MAP_FOREIGN);
	assert_int_equal(service_map_lookup(map, broadcast, 0), SERVICE_MAP_FOREIGN);
	free(map);
}

static void
address_without_listener_is_ours(void **state)
{
	struct service_map *map = map_new(1);
	uint8_t address[16];

	(void)state;
	address_of(address, 1);
	assert_int_equal(service_map_add_address(map, address), 0);
	assert_int_equal(service_map_add_address(map, address), 0);
	assert_true(service_map_is_ours(map, address));
	assert_int_equal(service_map_lookup(map, address, rte_cpu_to_be_16(80)), SERVICE_MAP_NONE);
	free(map);
}

static void
second_service_on_a_listener_is_refused(void **state)
{
	struct service_map *map = map_new(2);
	uint8_t address[16];

	(void)state;
	address_of(address, 1);
	assert_int_equal(service_map_add_listener(map, address, rte_cpu_to_be_16(80), 1), 0);
	assert_int_equal(service_map_add_listener(map, address, rte_cpu_to_be_16(80), 2), -EEXIST);
	assert_int_equal(service_map_add_listener(map, address, rte_cpu_to_be_16(80), 1), 0);
	assert_int_equal(service_map_lookup(map, address, rte_cpu_to_be_16(80)), 1);
	free(map);
}

static void
meaningless_listeners_are_refused(void **state)
{
	struct service_map *map = map_new(2);
	uint8_t address[16];

	(void)state;
	address_of(address, 1);
	assert_int_equal(service_map_add_listener(map, address, 0, 1), -EINVAL);
	assert_int_equal(service_map_add_listener(
					 map, address, rte_cpu_to_be_16(80), SERVICE_MAP_NONE),
			-EINVAL);
	assert_int_equal(service_map_add_listener(
					 map, address, rte_cpu_to_be_16(80), SERVICE_MAP_FOREIGN),
			-EINVAL);
	assert_false(service_map_is_ours(map, address));
	free(map);
}

static void
map_takes_what_was_promised_and_then_refuses(void **state)
{
	(void)state;
	for (unsigned int entries = 1; entries <= 100; entries++) {
		struct service_map *map = map_new(entries);
		uint8_t address[16];
		uint32_t number = 0;

		for (; number < entries; number++) {
			address_of(address, number);
			assert_int_equal(service_map_add_listener(
							 map, address, rte_cpu_to_be_16(443), 1),
					0);
		}
		do
			address_of(address, number++);
		while (service_map_add_listener(map, address, rte_cpu_to_be_16(443), 1) == 0);
		assert_int_equal(service_map_add_listener(map, address, rte_cpu_to_be_16(443), 1),
				-ENOSPC);
		assert_int_equal(service_map_lookup(map, address, rte_cpu_to_be_16(1)) ==
						 SERVICE_MAP_NONE,
				service_map_is_ours(map, address));
		address_of(address, 1000000);
		assert_false(service_map_is_ours(map, address));
		address_of(address, 0);
		assert_int_equal(service_map_lookup(map, address, rte_cpu_to_be_16(443)), 1);
		free(map);
	}
}

/* 8 addresses, 64 ports; the model is the array of what was added. */
static void
map_agrees_with_a_plain_table(void **state)
{
	(void)state;
	print_message("seed %d\n", SEED);
	srandom(SEED);
	for (int round = 0; round < 20; round++) {
		struct service_map *map = map_new(256);
		uint16_t model[8][65];
		uint8_t address[16];

		for (int a = 0; a < 8; a++)
			for (int port = 0; port <= 64; port++)
				model[a][port] = SERVICE_MAP_FOREIGN;
		for (int i = 0; i < 200; i++) {
			int a = (int)(random() % 7);
			int port = (int)(random() % 65);
			uint16_t service = (uint16_t)(random() % 5);
			rte_be16_t be_port = rte_cpu_to_be_16((uint16_t)port);

			address_of(address, (uint32_t)a);
			if (port == 0) {
				assert_int_equal(service_map_add_address(map, address), 0);
			} else if (model[a][port] < SERVICE_MAP_FOREIGN &&
					model[a][port] != service) {
				assert_int_equal(service_map_add_listener(
								 map, address, be_port, service),
						-EEXIST);
				continue;
			} else {
				assert_int_equal(service_map_add_listener(
								 map, address, be_port, service),
						0);
				model[a][port] = service;
			}
			model[a][0] = SERVICE_MAP_NONE;
		}
		for (int a = 0; a < 8; a++) {
			address_of(address, (uint32_t)a);
			assert_int_equal(service_map_is_ours(map, address),
					model[a][0] == SERVICE_MAP_NONE);
			for (int port = 0; port <= 64; port++) {
				uint16_t expected = model[a][port];

				if (expected == SERVICE_MAP_FOREIGN)
					expected = model[a][0];
				assert_int_equal(service_map_lookup(map, address,
								 rte_cpu_to_be_16((uint16_t)port)),
						expected);
			}
		}
		free(map);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(listener_is_found_and_its_address_is_ours),
			cmocka_unit_test(broadcast_address_is_nobodys),
			cmocka_unit_test(address_without_listener_is_ours),
			cmocka_unit_test(second_service_on_a_listener_is_refused),
			cmocka_unit_test(meaningless_listeners_are_refused),
			cmocka_unit_test(map_takes_what_was_promised_and_then_refuses),
			cmocka_unit_test(map_agrees_with_a_plain_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

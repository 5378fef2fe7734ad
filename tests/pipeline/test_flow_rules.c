/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Rules that a NIC is given, looked at as the NIC would: which queue does a segment come to.
 *
 * No device here takes rules, so the linker puts a NIC of ours behind rte_flow_create().
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <rte_common.h>
#include <rte_flow.h>

#include "engine/flow_rules.h"
#include "engine/local_ports.h"
#include "engine/proxy.h"
#include "engine/steering.h"

#include "rig.h"

#define RULES_MAX 64

/* A rule as the NIC keeps it. */
struct nic_rule {
	bool taken;
	bool tagged;
	uint16_t vlan;
	uint8_t address[16];
	uint16_t port_bits, port_mask;
	uint16_t queue;
};

static struct {
	struct nic_rule rule[RULES_MAX];
	unsigned int count;
	unsigned int most; /* Rules that it has room for. */
} nic;

struct rte_flow *__wrap_rte_flow_create(uint16_t port_id, const struct rte_flow_attr *attr,
		const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
		struct rte_flow_error *error);
int __wrap_rte_flow_destroy(uint16_t port_id, struct rte_flow *flow, struct rte_flow_error *error);

static void
nic_read_item(struct nic_rule *rule, const struct rte_flow_item *item)
{
	const struct rte_flow_item_vlan *vlan = item->spec;
	const struct rte_flow_item_ipv4 *ipv4 = item->spec;
	const struct rte_flow_item_ipv6 *ipv6 = item->spec;
	const struct rte_flow_item_tcp *tcp = item->spec, *tcp_mask = item->mask;

	switch (item->type) {
	case RTE_FLOW_ITEM_TYPE_VLAN:
		rule->tagged = true;
		rule->vlan = rte_be_to_cpu_16(vlan->hdr.vlan_tci);
		break;
	case RTE_FLOW_ITEM_TYPE_IPV4:
		flow_key_map_ipv4(rule->address, ipv4->hdr.dst_addr);
		break;
	case RTE_FLOW_ITEM_TYPE_IPV6:
		memcpy(rule->address, &ipv6->hdr.dst_addr, 16);
		break;
	case RTE_FLOW_ITEM_TYPE_TCP:
		rule->port_bits = rte_be_to_cpu_16(tcp->hdr.dst_port);
		rule->port_mask = rte_be_to_cpu_16(tcp_mask->hdr.dst_port);
		break;
	default:
		assert_int_equal(item->type, RTE_FLOW_ITEM_TYPE_ETH);
		assert_null(item->spec);
		break;
	}
}

struct rte_flow *
__wrap_rte_flow_create(uint16_t port_id, const struct rte_flow_attr *attr,
		const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
		struct rte_flow_error *error)
{
	struct nic_rule *rule = &nic.rule[nic.count];

	(void)port_id;
	assert_true(attr->ingress && !attr->egress);
	if (nic.count == nic.most) {
		error->message = "no room";
		return NULL;
	}
	memset(rule, 0, sizeof(*rule));
	for (; pattern->type != RTE_FLOW_ITEM_TYPE_END; pattern++)
		nic_read_item(rule, pattern);
	assert_int_equal(actions[0].type, RTE_FLOW_ACTION_TYPE_QUEUE);
	assert_int_equal(actions[1].type, RTE_FLOW_ACTION_TYPE_END);
	rule->queue = ((const struct rte_flow_action_queue *)actions[0].conf)->index;
	rule->taken = true;
	nic.count++;
	return (struct rte_flow *)(void *)rule;
}

int
__wrap_rte_flow_destroy(uint16_t port_id, struct rte_flow *flow, struct rte_flow_error *error)
{
	struct nic_rule *rule = (struct nic_rule *)(void *)flow;

	(void)port_id;
	(void)error;
	assert_true(rule->taken);
	rule->taken = false;
	return 0;
}

/* The queue that the NIC's one rule for a segment names. */
static unsigned int
nic_queue(const uint8_t address[16], uint16_t local_port)
{
	unsigned int queue = UINT16_MAX;

	for (unsigned int i = 0; i < nic.count; i++) {
		const struct nic_rule *rule = &nic.rule[i];

		if (!rule->taken || memcmp(rule->address, address, 16) != 0 ||
				(local_port & rule->port_mask) != rule->port_bits)
			continue;
		assert_int_equal(queue, UINT16_MAX);
		queue = rule->queue;
	}
	return queue;
}

static void
nic_begin(unsigned int most)
{
	memset(&nic, 0, sizeof(nic));
	nic.most = most;
}

static void
every_port_has_one_queue_and_queues_share_ports_evenly(void **state)
{
	static const struct settings_port settings = {.name = "lan"};
	uint8_t addresses[2][16] = {{0}, {0xfd, [1] = 0x12, [15] = 7}};

	(void)state;
	flow_key_map_ipv4(addresses[0], RTE_BE32(0x0a090064));
	for (unsigned int workers = 2; workers <= 7; workers++) {
		const struct port port = {.settings = &settings,
				.receive_queues = (uint16_t)workers,
				.tagged = workers == 3,
				.vlan = workers == 3 ? 42 : 0};
		unsigned int seen[7] = {0};

		nic_begin(RULES_MAX);
		assert_true(flow_rules_add(&port, addresses[0]));
		assert_true(flow_rules_add(&port, addresses[1]));
		assert_int_equal(nic.count, 2 * flow_rules_classes(workers));
		for (uint32_t p = 1; p <= UINT16_MAX; p++) {
			const unsigned int queue = nic_queue(addresses[p & 1], (uint16_t)p);

			assert_int_equal(queue,
					flow_rules_queue(workers, rte_cpu_to_be_16((uint16_t)p)));
			assert_true(queue < workers);
			seen[queue]++;
		}
		for (unsigned int w = 0; w < workers; w++)
			assert_in_range(seen[w], UINT16_MAX / workers * 3 / 4,
					UINT16_MAX / workers * 5 / 4);
		assert_true(nic.rule[0].tagged == port.tagged && nic.rule[0].vlan == port.vlan);
	}
}

static void
nic_without_room_for_all_rules_keeps_none(void **state)
{
	static const struct settings_port settings = {.name = "lan"};
	const struct port port = {.settings = &settings, .receive_queues = 4};
	uint8_t address[16];

	(void)state;
	flow_key_map_ipv4(address, RTE_BE32(0x0a090064));
	nic_begin(3);
	assert_false(flow_rules_add(&port, address));
	assert_int_equal(nic.count, 3);
	for (unsigned int i = 0; i < 3; i++)
		assert_false(nic.rule[i].taken);
}

static const char proxy_settings[] =
		"engine: {workers: 3, memory: none, connections: 1000}\n"
		"ports:\n"
		"  - {name: lan, device: \"vdev:net_ring_rig\", addresses: [10.9.0.2/24]}\n"
		"pools:\n"
		"  - {name: web, backends: [\"10.9.0.50:80\"], check: none,\n"
		"     local_addresses: [10.9.0.7], local_ports: 20000-20999}\n"
		"services:\n"
		"  - {name: web, listen: \"10.9.0.2:80\", mode: proxy, pool: web}\n";

static void
workers_take_the_ports_that_rules_bring_to_them(void **state)
{
	struct local_ports_way way = {.remote_port = RTE_BE16(80)};
	struct rig rig;
	struct port *port;
	uint8_t remote[16], local[16];

	(void)state;
	rig_init(&rig, proxy_settings, 3);
	flow_key_map_ipv4(remote, RTE_BE32(0x0a090032));
	flow_key_map_ipv4(local, RTE_BE32(0x0a090008));
	port = &rig.engine.port[0];
	way.remote = remote;
	/* As if it had found a NIC with three queues. */
	nic_begin(RULES_MAX);
	port->software_steering = false;
	port->hardware_steering = true;
	port->receive_queues = 3;
	way.local = local_ports_add(&rig.engine, local,
			&(struct settings_port_range){.first = 30000, .last = 30999}, true);
	assert_int_not_equal(way.local, LOCAL_PORTS_NONE);
	assert_int_equal(nic.count, flow_rules_classes(3));
	for (uint32_t slot = 0; slot < 300; slot++) {
		const unsigned int w = slot % 3;
		const rte_be16_t taken = local_ports_take(rig.engine.worker[w], &way, slot);

		assert_int_not_equal(taken, 0);
		assert_int_equal(nic_queue(local, rte_be_to_cpu_16(taken)), w);
	}
	/* An address where clients come, too, is left to RSS. */
	flow_key_map_ipv4(local, RTE_BE32(0x0a090009));
	nic_begin(RULES_MAX);
	local_ports_add(&rig.engine, local,
			&(struct settings_port_range){.first = 30000, .last = 30999}, false);
	assert_int_equal(nic.count, 0);
	port->receive_queues = 1;
	port->hardware_steering = false;
	port->software_steering = true;
	rig_free(&rig);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_port_has_one_queue_and_queues_share_ports_evenly),
			cmocka_unit_test(nic_without_room_for_all_rules_keeps_none),
			cmocka_unit_test(workers_take_the_ports_that_rules_bring_to_them),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

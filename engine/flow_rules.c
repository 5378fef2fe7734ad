/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_flow.h>

#include "engine/flow_rules.h"
#include "engine/log.h"
#include "settings/settings.h"
#include "tcp/flow_key.h"

/* Workers are at most SETTINGS_WORKERS_MAX; their classes less than eight times as many. */
#define FLOW_RULES_MAX (8 * SETTINGS_WORKERS_MAX)

/* What a rule looks for: headers from the outermost on. */
struct flow_rules_match {
	struct rte_flow_item_vlan vlan, vlan_mask;
	struct rte_flow_item_ipv4 ipv4, ipv4_mask;
	struct rte_flow_item_ipv6 ipv6, ipv6_mask;
	struct rte_flow_item_tcp tcp, tcp_mask;
	struct rte_flow_item item[5];
};

static void
flow_rules_push(struct flow_rules_match *match, unsigned int *count, enum rte_flow_item_type type,
		const void *spec, const void *mask)
{
	match->item[(*count)++] = (struct rte_flow_item){.type = type, .spec = spec, .mask = mask};
}

/* TCP to an address, and to a port whose low bits, those in @p port_mask, are @p port_bits. */
static void
flow_rules_match(struct flow_rules_match *match, const struct port *port, const uint8_t address[16],
		uint16_t port_bits, uint16_t port_mask)
{
	unsigned int count = 0;

	memset(match, 0, sizeof(*match));
	flow_rules_push(match, &count, RTE_FLOW_ITEM_TYPE_ETH, NULL, NULL);
	if (port->tagged) {
		match->vlan.hdr.vlan_tci = rte_cpu_to_be_16(port->vlan);
		match->vlan_mask.hdr.vlan_tci = RTE_BE16(0x0fff);
		flow_rules_push(match, &count, RTE_FLOW_ITEM_TYPE_VLAN, &match->vlan,
				&match->vlan_mask);
	}
	if (flow_key_is_ipv4(address)) {
		memcpy(&match->ipv4.hdr.dst_addr, address + 12, 4);
		match->ipv4_mask.hdr.dst_addr = UINT32_MAX;
		flow_rules_push(match, &count, RTE_FLOW_ITEM_TYPE_IPV4, &match->ipv4,
				&match->ipv4_mask);
	} else {
		memcpy(&match->ipv6.hdr.dst_addr, address, 16);
		memset(&match->ipv6_mask.hdr.dst_addr, 0xff, 16);
		flow_rules_push(match, &count, RTE_FLOW_ITEM_TYPE_IPV6, &match->ipv6,
				&match->ipv6_mask);
	}
	match->tcp.hdr.dst_port = rte_cpu_to_be_16(port_bits);
	match->tcp_mask.hdr.dst_port = rte_cpu_to_be_16(port_mask);
	flow_rules_push(match, &count, RTE_FLOW_ITEM_TYPE_TCP, &match->tcp, &match->tcp_mask);
	flow_rules_push(match, &count, RTE_FLOW_ITEM_TYPE_END, NULL, NULL);
}

bool
flow_rules_add(const struct port *port, const uint8_t address[16])
{
	const struct rte_flow_attr ingress = {.ingress = 1};
	const uint32_t classes = flow_rules_classes(port->receive_queues);
	struct rte_flow *rules[FLOW_RULES_MAX];
	struct rte_flow_error error = {0};
	char text[46];

	settings_format_address(address, text);
	for (uint32_t class = 0; class < classes; class ++) {
		struct rte_flow_action_queue queue = {
				.index = (uint16_t)flow_rules_queue(port->receive_queues,
						rte_cpu_to_be_16((uint16_t) class))};
		const struct rte_flow_action actions[] = {
				{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue},
				{.type = RTE_FLOW_ACTION_TYPE_END},
		};
		struct flow_rules_match match;

		flow_rules_match(&match, port, address, (uint16_t) class, (uint16_t)(classes - 1));
		rules[class] = rte_flow_create(port->id, &ingress, match.item, actions, &error);
		if (rules[class] != NULL)
			continue;
		log_info(port->settings->name,
				"replies to %s come by RSS: the NIC takes no rule for them (%s)",
				text, error.message != NULL ? error.message : "no reason given");
		while (class > 0)
			rte_flow_destroy(port->id, rules[--class], &error);
		return false;
	}
	log_info(port->settings->name, "replies to %s come by %u rules of the NIC", text, classes);
	return true;
}

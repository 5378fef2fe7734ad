/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_thash.h>

#include "cookie/siphash.h"
#include "engine/log.h"
#include "engine/memif.h"
#include "engine/port.h"
#include "tcp/flow_key.h"
#include "wire/parse.h"

#define PORT_CHECKSUMS_TX (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM)
#define PORT_CHECKSUMS_RX (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM)
#define PORT_LINK_WAIT_MS 9000
#define PORT_MEMIF_QUEUES 256
#define PORT_RETA_MAX     2048
#define PORT_RETA_USUAL   128 /* What those have who do not tell. */

/* Toeplitz with this key gives both directions of a flow the same hash. */
#define PORT_RSS_KEY_4  0x6d, 0x5a, 0x6d, 0x5a
#define PORT_RSS_KEY_16 PORT_RSS_KEY_4, PORT_RSS_KEY_4, PORT_RSS_KEY_4, PORT_RSS_KEY_4
static uint8_t port_symmetric_rss_key[52] __rte_aligned(4)
= {PORT_RSS_KEY_16, PORT_RSS_KEY_16, PORT_RSS_KEY_16, PORT_RSS_KEY_4};

/* What the NIC hashes of an address: 32-bit words, high byte first; an IPv4 address is the last. */
static unsigned int
port_rss_words(const uint8_t address[16], bool ipv4, uint32_t words[])
{
	unsigned int n = 0;

	for (unsigned int i = ipv4 ? 12 : 0; i < 16; i += 4)
		words[n++] = (uint32_t)address[i] << 24 | (uint32_t)address[i + 1] << 16 |
			     (uint32_t)address[i + 2] << 8 | address[i + 3];
	return n;
}

uint16_t
port_rss_queue(const struct port *port, const struct port_flow *flow)
{
	const bool ipv4 = flow_key_is_ipv4(flow->remote);
	const uint64_t type = ipv4 ? RTE_ETH_RSS_NONFRAG_IPV4_TCP : RTE_ETH_RSS_NONFRAG_IPV6_TCP;
	uint32_t words[9];
	unsigned int n;
	uint32_t hash;

	if ((port->rss_types & type) == 0)
		return 0;
	n = port_rss_words(flow->remote, ipv4, words);
	n += port_rss_words(flow->local, ipv4, &words[n]);
	words[n++] = (uint32_t)rte_be_to_cpu_16(flow->remote_port) << 16 |
		     rte_be_to_cpu_16(flow->local_port);
	hash = rte_softrss(words, n, port_symmetric_rss_key);
	return (uint16_t)(hash % port->reta_size % port->receive_queues);
}

/*
 * The NIC's table from hash to queue, filled in turn so that port_rss_queue() knows it.  Drivers
 * that do not let us fill it in have filled it so themselves.
 */
static void
port_fill_reta(struct port *port, const struct rte_eth_dev_info *info)
{
	struct rte_eth_rss_reta_entry64 table[PORT_RETA_MAX / RTE_ETH_RETA_GROUP_SIZE] = {0};
	int result;

	if (port->rss_types == 0)
		return;
	port->reta_size = info->reta_size != 0 ? info->reta_size : PORT_RETA_USUAL;
	if (info->reta_size == 0 || info->reta_size > PORT_RETA_MAX)
		return;
	for (unsigned int i = 0; i < info->reta_size; i++) {
		table[i / RTE_ETH_RETA_GROUP_SIZE].mask |= UINT64_C(1)
							   << i % RTE_ETH_RETA_GROUP_SIZE;
		table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] =
				(uint16_t)(i % port->receive_queues);
	}
	result = rte_eth_dev_rss_reta_update(port->id, table, info->reta_size);
	if (result != 0 && result != -ENOTSUP)
		log_warning(port->settings->name,
				"%s keeps its own spreading of flows (%s): `probe` may not find "
				"the answers to what it opens",
				port->device.name, strerror(-result));
}

/*
 * An address of our own for devices whose address the kernel uses at the other end: locally
 * administered, the same at every start so that neighbours' caches stay right, another on every
 * machine.
 */
static void
port_make_mac(struct port *port)
{
	static const struct siphash_key key = {0x68616e6466617374, 0x6d61630000000000};
	char text[256] = "";
	size_t length = 0;
	uint64_t hash;
	FILE *machine = fopen("/etc/machine-id", "r");

	if (machine != NULL) {
		length = fread(text, 1, 64, machine);
		fclose(machine);
	}
	length += (size_t)snprintf(text + length, sizeof(text) - length, "%s %s",
			port->settings->name, port->settings->device.argument);
	hash = siphash_24(&key, text, length);
	memcpy(port->mac.addr_bytes, &hash, RTE_ETHER_ADDR_LEN);
	port->mac.addr_bytes[0] = 0x02;
}

static int
port_choose_mac(struct port *port)
{
	const struct settings_mac *wanted = &port->settings->mac;

	if (!wanted->automatic)
		memcpy(port->mac.addr_bytes, wanted->bytes, RTE_ETHER_ADDR_LEN);
	else if (port->device.own_mac)
		port_make_mac(port);
	else
		return rte_eth_macaddr_get(port->id, &port->mac);
	return 0;
}

static int
port_find(struct port *port)
{
	const struct device *device = &port->device;

	if (rte_eth_dev_get_port_by_name(device->name, &port->id) == 0)
		return 0;
	if (device->virtual && device->driver != NULL)
		log_error(port->settings->name,
				"DPDK did not make %s (%s); its own reason stands above. If it "
				"says "
				"nothing: apt install %s, and check that the name is free and that "
				"this user may make it",
				device->name, device->argument, device->package);
	else if (device->virtual)
		log_error(port->settings->name,
				"DPDK did not make %s; its own reason stands above. Check the "
				"driver's name and apt install librte-net-*",
				device->argument);
	else
		log_error(port->settings->name,
				"no DPDK driver took %s: bind it with `driverctl set-override %s "
				"vfio-pci` (never the interface you are logged in over), and "
				"apt install librte-meta-net for its driver",
				device->name, device->name);
	return -1;
}

/* What RSS the device offers of what we can use; 0 when its word is not to be trusted. */
static uint64_t
port_rss(const struct port *port, const struct rte_eth_dev_info *info)
{
	const uint64_t wanted = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP;

	/* Virtual devices spread by rules of their own, or promise and do not (net_tap). */
	if (port->device.virtual)
		return 0;
	return wanted & info->flow_type_rss_offloads;
}

static unsigned int
port_choose_queues(
		const struct port *port, const struct rte_eth_dev_info *info, unsigned int workers)
{
	unsigned int queues = port->settings->queues;

	if (queues == 0)
		queues = port->device.virtual ? 1 : workers;
	queues = RTE_MIN(queues, (unsigned int)info->max_rx_queues);
	queues = RTE_MIN(queues, (unsigned int)info->max_tx_queues);
	/* Without hardware steering a queue more than workers brings nothing. */
	queues = RTE_MIN(queues, workers);
	return RTE_MAX(queues, 1u);
}

/* And who finds a packet's worker. */
static void
port_set_queues(struct port *port, unsigned int queues, unsigned int workers, bool spreads)
{
	port->receive_queues = (uint16_t)queues;
	port->transmit_queues = (uint16_t)queues;
	port->software_steering = workers > 1 && (!spreads || queues != workers);
	port->hardware_steering = workers > 1 && !port->software_steering;
	port->rss = workers == 1              ? "one worker"
		    : port->software_steering ? "software"
					      : "hardware (symmetric)";
}

static int
port_configure(struct port *port, const struct rte_eth_dev_info *info, unsigned int workers)
{
	const uint64_t rss = port_rss(port, info);
	const unsigned int queues = port_choose_queues(port, info, workers);
	struct rte_eth_conf conf = {0};
	int result;

	port_set_queues(port, queues, workers, rss != 0);
	port->transmit_offload = !port->device.virtual &&
				 (info->tx_offload_capa & PORT_CHECKSUMS_TX) == PORT_CHECKSUMS_TX;
	port->receive_offload = !port->device.virtual &&
				(info->rx_offload_capa & PORT_CHECKSUMS_RX) == PORT_CHECKSUMS_RX;

	conf.rxmode.offloads = port->receive_offload ? PORT_CHECKSUMS_RX : 0;
	conf.txmode.offloads = port->transmit_offload ? PORT_CHECKSUMS_TX : 0;
	if (rss != 0 && queues > 1) {
		port->rss_types = rss;
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = rss;
		conf.rx_adv_conf.rss_conf.rss_key = port_symmetric_rss_key;
		conf.rx_adv_conf.rss_conf.rss_key_len =
				info->hash_key_size != 0
						? RTE_MIN(info->hash_key_size,
								  (uint8_t)sizeof(port_symmetric_rss_key))
						: 40;
	}
	result = rte_eth_dev_configure(
			port->id, port->receive_queues, port->transmit_queues, &conf);
	if (result != 0)
		log_error(port->settings->name,
				"%s cannot be configured with %u queues: %s; try "
				"`queues: 1`",
				port->device.name, queues, strerror(-result));
	return result;
}

static int
port_set_up_queues(struct port *port, const struct rte_eth_dev_info *info, struct rte_mempool *pool)
{
	struct rte_eth_rxconf rx = info->default_rxconf;
	struct rte_eth_txconf tx = info->default_txconf;
	uint16_t rx_descriptors = PORT_DESCRIPTORS, tx_descriptors = PORT_DESCRIPTORS;
	int result = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx_descriptors, &tx_descriptors);

	for (uint16_t q = 0; result == 0 && q < port->receive_queues; q++)
		result = rte_eth_rx_queue_setup(port->id, q, rx_descriptors,
				(unsigned int)rte_eth_dev_socket_id(port->id), &rx, pool);
	for (uint16_t q = 0; result == 0 && q < port->transmit_queues; q++)
		result = rte_eth_tx_queue_setup(port->id, q, tx_descriptors,
				(unsigned int)rte_eth_dev_socket_id(port->id), &tx);
	if (result != 0)
		log_error(port->settings->name, "%s: a queue cannot be set up: %s",
				port->device.name, strerror(-result));
	return result;
}

/* What some virtual devices refuse without harm is said and passed over. */
static void
port_set_optional(const struct port *port)
{
	uint16_t mtu;
	int result;

	if (rte_eth_dev_get_mtu(port->id, &mtu) != 0 || mtu != port->mtu) {
		result = rte_eth_dev_set_mtu(port->id, port->mtu);
		if (result != 0)
			log_warning(port->settings->name,
					"%s keeps its own MTU (%s): set the "
					"other end's to %u by hand",
					port->device.name, strerror(-result), port->mtu);
	}
	if (port->settings->promiscuous) {
		result = rte_eth_promiscuous_enable(port->id);
		if (result != 0 && result != -ENOTSUP)
			log_warning(port->settings->name, "%s: no promiscuous mode: %s",
					port->device.name, strerror(-result));
	} else {
		rte_eth_allmulticast_enable(port->id);
	}
}

bool
port_link_is_up(const struct port *port)
{
	struct rte_eth_link link = {0};

	if (port->memif != NULL)
		return memif_is_up(port->memif);
	return rte_eth_link_get_nowait(port->id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

/* A real link may take seconds; a virtual one lies, so nothing waits for it. */
static const char *
port_wait_for_link(const struct port *port)
{
	for (unsigned int waited_ms = 0; waited_ms <= PORT_LINK_WAIT_MS; waited_ms += 100) {
		if (port_link_is_up(port))
			return "up";
		if (port->device.virtual)
			break;
		usleep(100000);
	}
	return "down";
}

static void
port_announce(struct port *port)
{
	char mac[RTE_ETHER_ADDR_FMT_SIZE];
	const char *link = port_wait_for_link(port);

	port->link_up = strcmp(link, "up") == 0;
	rte_ether_format_addr(mac, sizeof(mac), &port->mac);
	log_info(port->settings->name,
			"device=%s driver=%s mac=%s vlan=%u mtu=%u queues=%u csum_rx=%s csum_tx=%s "
			"partial=%s steering=\"%s\" link=%s numa=%d",
			port->device.name, port->driver, mac, port->vlan, port->mtu,
			port->receive_queues, port->receive_offload ? "nic" : "software",
			port->transmit_offload ? "nic" : "software",
			(port->parse_flags & PARSE_PARTIAL_ALLOWED) != 0 ? "accepted" : "refused",
			port->rss, link, port->numa_node);
}

static bool
port_accepts_partial(const struct port *port)
{
	switch (port->settings->partial_checksums) {
	case SETTINGS_PARTIAL_ACCEPT:
		return true;
	case SETTINGS_PARTIAL_REFUSE:
		return false;
	case SETTINGS_PARTIAL_AUTO:
		break;
	}
	return port->device.kernel_partial;
}

/* A memif whose buffers are lent is nothing that DPDK knows of. */
static int
port_open_memif(struct port *port, unsigned int workers, const struct port_memory *memory)
{
	const struct rte_eth_dev_info info = {
			.max_rx_queues = PORT_MEMIF_QUEUES, .max_tx_queues = PORT_MEMIF_QUEUES};
	const struct memif_plan plan = {
			.name = port->settings->name,
			.device = &port->settings->device,
			.queues = port_choose_queues(port, &info, workers),
			.port = port->index,
			.pool = memory->pool,
			.lent = memory->lent,
	};

	port->id = RTE_MAX_ETHPORTS;
	port->driver = "memif";
	port->numa_node = -1;
	port_set_queues(port, plan.queues, workers, false);
	if (port->settings->mac.automatic)
		port_make_mac(port);
	else
		port_choose_mac(port);
	if (settings_device_is_zero_copy(&port->settings->device) && memory->lent->base == NULL) {
		log_error(port->settings->name,
				"buffers that a NIC uses cannot be lent: zero-copy=no");
		return -1;
	}
	port->memif = memif_open(&plan);
	if (port->memif == NULL)
		return -1;
	port_announce(port);
	return 0;
}

static int
port_open_device(struct port *port, unsigned int workers, struct rte_mempool *pool)
{
	const struct settings_port *settings = port->settings;
	struct rte_eth_dev_info info;
	int result;

	if (port_find(port) != 0)
		return -1;
	result = rte_eth_dev_info_get(port->id, &info);
	if (result != 0) {
		log_error(settings->name, "%s says nothing about itself: %s", port->device.name,
				strerror(-result));
		return -1;
	}
	port->driver = info.driver_name;
	port->numa_node = rte_eth_dev_socket_id(port->id);
	if (port_choose_mac(port) != 0 || port_configure(port, &info, workers) != 0 ||
			port_set_up_queues(port, &info, pool) != 0)
		return -1;
	result = rte_eth_dev_start(port->id);
	if (result != 0) {
		log_error(settings->name, "%s does not start: %s%s", port->device.name,
				strerror(-result),
				settings_device_is_memif_client(&settings->device)
						? "; nobody listens at its socket: start the "
						  "memif's server first"
						: "");
		return -1;
	}
	port_fill_reta(port, &info);
	port_set_optional(port);
	port_announce(port);
	return 0;
}

int
port_open(struct port *port, const struct settings_port *settings, unsigned int index,
		unsigned int workers, const struct port_memory *memory)
{
	port->settings = settings;
	port->index = (uint8_t)index;
	port->vlan = (uint16_t)settings->vlan;
	port->tagged = settings->vlan != 0;
	port->mtu = (uint16_t)settings->mtu;
	device_resolve(&port->device, settings, index);
	if (port_accepts_partial(port))
		port->parse_flags |= PARSE_PARTIAL_ALLOWED;
	return memif_is_ours(&settings->device) ? port_open_memif(port, workers, memory)
						: port_open_device(port, workers, memory->pool);
}

void
port_watch(struct port *port)
{
	const bool was_up = port->link_up;

	if (port->settings->device.kind != SETTINGS_DEVICE_MEMIF)
		return;
	if (port->memif != NULL)
		memif_watch(port->memif);
	port->link_up = port_link_is_up(port);
	if (port->link_up == was_up)
		return;
	if (port->link_up)
		log_info(port->settings->name, "the memif's other end has come");
	else if (port->memif != NULL)
		log_warning(port->settings->name,
				"the memif's other end has gone; it may come back");
	else
		log_error(port->settings->name,
				"the memif's server has gone, and its client does not come "
				"back: start handfast again once the server listens");
}

void
port_close(struct port *port)
{
	struct rte_flow_error error;

	memif_close(port->memif);
	if (port->memif != NULL)
		return;
	rte_flow_flush(port->id, &error);
	rte_eth_dev_stop(port->id);
	rte_eth_dev_close(port->id);
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What reaches TCP and what does not: neighbours, pings, VLANs, and every reason to drop a frame.
 *
 * Frames are written here byte by byte where lib/wire would not write them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "wire/bytes.h"
#include "wire/checksum.h"

#include "rig.h"

#define CLIENT_PORT 40000
#define ETHERNET    14
#define IPV4        20
#define IPV6        40

static const uint8_t client_mac[6] = {0x02, 0, 0, 0, 0, 0x01};
static const uint8_t engine_mac[6] = {0x02, 0, 0, 0, 0, 0x02};

/* One at a time; close_rig() takes it apart should a test fail. */
static struct rig rig;

/* A frame in the making. */
struct draft {
	uint8_t bytes[RIG_FRAME_MAX];
	unsigned int length;
};

static void
draft_syn(struct draft *draft, unsigned int family)
{
	const struct build_tcp tcp = {.seq = 100, .window = 1000, .flags = TCP_SYN};
	struct build_lengths lengths;
	struct build_path path;

	memset(draft, 0, sizeof(*draft));
	rig_path(&rig, &path, family, CLIENT_PORT, 80);
	draft->length = build_tcp(draft->bytes, &path, &tcp, 0, BUILD_CHECKSUM_SOFTWARE, &lengths);
}

/* A SYN between other IPv4 addresses, all checksums right. */
static void
draft_syn_between(struct draft *draft, const char *from, const char *to)
{
	const struct build_tcp tcp = {.seq = 100, .window = 1000, .flags = TCP_SYN};
	struct build_lengths lengths;
	struct build_path path;
	rte_be32_t address;

	memset(draft, 0, sizeof(*draft));
	rig_path(&rig, &path, 4, CLIENT_PORT, 80);
	assert_int_equal(inet_pton(AF_INET, from, &address), 1);
	flow_key_map_ipv4(path.local, address);
	assert_int_equal(inet_pton(AF_INET, to, &address), 1);
	flow_key_map_ipv4(path.remote, address);
	draft->length = build_tcp(draft->bytes, &path, &tcp, 0, BUILD_CHECKSUM_SOFTWARE, &lengths);
}

/* Make the IPv4 header's checksum right again. */
static void
draft_fix_ipv4(struct draft *draft)
{
	uint8_t *ip = draft->bytes + ETHERNET;
	const unsigned int header = (ip[0] & 0x0fu) * 4;
	rte_be16_t checksum;

	memset(ip + 10, 0, 2);
	checksum = checksum_finish(checksum_add(0, ip, header));
	memcpy(ip + 10, &checksum, sizeof(checksum));
}

static void
draft_ethernet(struct draft *draft, const uint8_t to[6], uint16_t type)
{
	memset(draft, 0, sizeof(*draft));
	memcpy(draft->bytes, to, 6);
	memcpy(draft->bytes + 6, client_mac, 6);
	bytes_write_16(draft->bytes + 12, type);
}

static void
draft_arp(struct draft *draft, uint16_t operation, const char *sender, const char *target)
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t *arp = draft->bytes + ETHERNET;

	draft_ethernet(draft, everybody, 0x0806);
	memcpy(arp, (const uint8_t[]){0, 1, 8, 0, 6, 4}, 6);
	bytes_write_16(arp + 6, operation);
	memcpy(arp + 8, client_mac, 6);
	assert_int_equal(inet_pton(AF_INET, sender, arp + 14), 1);
	assert_int_equal(inet_pton(AF_INET, target, arp + 24), 1);
	draft->length = 60;
}

/* An IPv4 packet with @p length bytes behind its header. */
static void
draft_ipv4(struct draft *draft, uint8_t protocol, const void *payload, unsigned int length)
{
	uint8_t *ip = draft->bytes + ETHERNET;

	draft_ethernet(draft, engine_mac, 0x0800);
	ip[0] = 0x45;
	bytes_write_16(ip + 2, (uint16_t)(IPV4 + length));
	ip[8] = 64;
	ip[9] = protocol;
	inet_pton(AF_INET, RIG_CLIENT_IP4, ip + 12);
	inet_pton(AF_INET, RIG_ENGINE_IP4, ip + 16);
	memcpy(ip + IPV4, payload, length);
	draft->length = ETHERNET + IPV4 + length;
	draft_fix_ipv4(draft);
}

static void
draft_ping_ipv4(struct draft *draft, uint8_t type)
{
	uint8_t icmp[64] = {type, 0, 0, 0, 0x12, 0x34, 0, 1};
	rte_be16_t checksum;

	memset(icmp + 8, 'p', sizeof(icmp) - 8);
	checksum = checksum_finish(checksum_add(0, icmp, sizeof(icmp)));
	memcpy(icmp + 2, &checksum, sizeof(checksum));
	draft_ipv4(draft, 1, icmp, sizeof(icmp));
}

/* An ICMPv6 message; its checksum is filled in. */
static void
draft_icmp6(struct draft *draft, const char *from, const char *to, uint8_t hop_limit,
		const void *message, unsigned int length)
{
	uint8_t *ip = draft->bytes + ETHERNET;
	rte_be16_t checksum;

	draft_ethernet(draft, engine_mac, 0x86dd);
	ip[0] = 0x60;
	bytes_write_16(ip + 4, (uint16_t)length);
	ip[6] = 58;
	ip[7] = hop_limit;
	assert_int_equal(inet_pton(AF_INET6, from, ip + 8), 1);
	assert_int_equal(inet_pton(AF_INET6, to, ip + 24), 1);
	if (ip[24] == 0xff) {
		memcpy(draft->bytes, (const uint8_t[]){0x33, 0x33}, 2);
		memcpy(draft->bytes + 2, ip + 36, 4);
	}
	memcpy(ip + IPV6, message, length);
	checksum = checksum_finish(checksum_add(
			checksum_pseudo(ip + 8, ip + 24, 16, 58, length), ip + IPV6, length));
	memcpy(ip + IPV6 + 2, &checksum, sizeof(checksum));
	draft->length = ETHERNET + IPV6 + length;
}

/* RFC 4861 4.3: a solicitation, with the sender's address unless it has none yet (DAD). */
static void
draft_solicitation(struct draft *draft, const char *from, const char *target, uint8_t hop_limit)
{
	uint8_t message[32] = {135};
	const bool probe = strcmp(from, "::") == 0;
	char group[INET6_ADDRSTRLEN];

	assert_int_equal(inet_pton(AF_INET6, target, message + 8), 1);
	snprintf(group, sizeof(group), "ff02::1:ff%02x:%02x%02x", message[21], message[22],
			message[23]);
	message[24] = 1;
	message[25] = 1;
	memcpy(message + 26, client_mac, 6);
	draft_icmp6(draft, from, group, hop_limit, message, probe ? 24 : 32);
}

static void
draft_put(const struct draft *draft)
{
	rig_put(&rig, draft->bytes, draft->length);
	rig_turn(&rig);
}

static void
draft_is_answered(const struct draft *draft, struct rig_frame *answer)
{
	draft_put(draft);
	assert_true(rig_take(&rig, answer));
}

static void
draft_is_dropped(const struct draft *draft, enum counter reason)
{
	const uint64_t before = rig_counter(&rig, reason);
	struct rig_frame answer;

	draft_put(draft);
	if (rig_counter(&rig, reason) != before + 1)
		fail_msg("not dropped as %s", counters_name(reason));
	assert_false(rig_take(&rig, &answer));
}

static void
arp_request_is_answered_to_who_asked(void **state)
{
	struct draft draft;
	struct rig_frame answer;

	(void)state;
	rig_init(&rig, NULL, 1);
	draft_arp(&draft, 1, RIG_CLIENT_IP4, RIG_ENGINE_IP4);
	draft_is_answered(&draft, &answer);
	assert_int_equal(answer.frame.kind, FRAME_ARP);
	assert_memory_equal(answer.bytes, client_mac, 6);
	assert_memory_equal(answer.bytes + 6, engine_mac, 6);
	assert_int_equal(bytes_read_16(answer.bytes + ETHERNET + 6), 2);
	assert_memory_equal(answer.bytes + ETHERNET + 8, engine_mac, 6);
	assert_memory_equal(answer.bytes + ETHERNET + 14, draft.bytes + ETHERNET + 24, 4);
	assert_memory_equal(answer.bytes + ETHERNET + 18, client_mac, 6);
	assert_memory_equal(answer.bytes + ETHERNET + 24, draft.bytes + ETHERNET + 14, 4);
	assert_int_equal(rig_counter(&rig, COUNTER_arp_replies), 1);
	rig_free(&rig);
}

static void
arp_probe_for_our_address_is_answered(void **state)
{
	struct draft draft;
	struct rig_frame answer;

	(void)state;
	rig_init(&rig, NULL, 1);
	/* RFC 5227 2.1.1: somebody asks, without an address yet, whether ours is free. */
	draft_arp(&draft, 1, "0.0.0.0", RIG_ENGINE_IP4);
	draft_is_answered(&draft, &answer);
	assert_memory_equal(answer.bytes + ETHERNET + 8, engine_mac, 6);
	rig_free(&rig);
}

static void
arp_for_others_is_ignored(void **state)
{
	struct draft draft;

	(void)state;
	rig_init(&rig, NULL, 1);
	draft_arp(&draft, 1, RIG_CLIENT_IP4, "10.9.0.77");
	draft_is_dropped(&draft, DROP_arp_ignored);
	draft_arp(&draft, 2, RIG_CLIENT_IP4, RIG_ENGINE_IP4);
	draft_is_dropped(&draft, DROP_consumed);
	draft_arp(&draft, 1, RIG_CLIENT_IP4, RIG_ENGINE_IP4);
	draft.bytes[ETHERNET + 4] = 7; /* hardware address length */
	draft_is_dropped(&draft, DROP_bad_arp);
	draft_arp(&draft, 1, RIG_CLIENT_IP4, RIG_ENGINE_IP4);
	draft.length = ETHERNET + 20;
	draft_put(&draft);
	assert_int_equal(rig_counter(&rig, DROP_bad_arp) + rig_counter(&rig, DROP_too_short), 2);
	rig_free(&rig);
}

static void
solicitation_is_answered_to_who_asked(void **state)
{
	struct draft draft;
	struct rig_frame answer;

	(void)state;
	rig_init(&rig, NULL, 1);
	draft_solicitation(&draft, RIG_CLIENT_IP6, RIG_ENGINE_IP6, 255);
	draft_is_answered(&draft, &answer);
	assert_int_equal(answer.frame.kind, FRAME_ICMP6);
	assert_memory_equal(answer.bytes, client_mac, 6);
	assert_int_equal(answer.bytes[ETHERNET + 7], 255); /* RFC 4861 7.1.2 */
	assert_int_equal(answer.bytes[ETHERNET + IPV6], 136);
	/* Solicited and override (RFC 4861 7.2.4), our address in its option. */
	assert_int_equal(answer.bytes[ETHERNET + IPV6 + 4], 0x60);
	assert_memory_equal(answer.bytes + ETHERNET + IPV6 + 26, engine_mac, 6);
	assert_int_equal(rig_counter(&rig, COUNTER_ndp_replies), 1);
	rig_free(&rig);
}

static void
address_probe_is_answered_to_all_nodes(void **state)
{
	static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
	struct draft draft;
	struct rig_frame answer;

	(void)state;
	rig_init(&rig, NULL, 1);
	/* RFC 4862 5.4.3, RFC 4861 7.2.4: duplicate address detection has no address to answer. */
	draft_solicitation(&draft, "::", RIG_ENGINE_IP6, 255);
	draft_is_answered(&draft, &answer);
	assert_memory_equal(answer.bytes + ETHERNET + 24, all_nodes, 16);
	assert_memory_equal(answer.bytes, ((const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}), 6);
	assert_int_equal(answer.bytes[ETHERNET + IPV6 + 4], 0x20);
	rig_free(&rig);
}

static void
solicitation_from_afar_or_for_others_is_dropped(void **state)
{
	struct draft draft;

	(void)state;
	rig_init(&rig, NULL, 1);
	draft_solicitation(&draft, RIG_CLIENT_IP6, RIG_ENGINE_IP6, 64);
	draft_is_dropped(&draft, DROP_bad_ndp);
	draft_solicitation(&draft, RIG_CLIENT_IP6, "fd00:9::77", 255);
	draft_is_dropped(&draft, DROP_ndp_ignored);
	draft_solicitation(&draft, RIG_CLIENT_IP6, RIG_ENGINE_IP6, 255);
	draft.bytes[ETHERNET + IPV6 + 3] ^= 1;
	draft_is_dropped(&draft, DROP_bad_icmp);
	rig_free(&rig);
}

/* Put UDP's header in front of what a frame carries behind its IP header. */
static void
draft_datagram(struct draft *draft, unsigned int family, unsigned int length)
{
	const unsigned int l4 = ETHERNET + (family == 4 ? IPV4 : IPV6);
	const unsigned int addresses = family == 4 ? 4 : 16, at = family == 4 ? 12 : 8;
	uint8_t payload[1400] = {0x30, 0x39, 0x82, 0x9b}, *ip = draft->bytes + ETHERNET;
	rte_be16_t checksum;

	bytes_write_16(payload + 4, (uint16_t)length);
	memset(payload + 8, 'u', length - 8);
	if (family == 4) {
		draft_ipv4(draft, 17, payload, length);
	} else {
		draft_icmp6(draft, RIG_CLIENT_IP6, RIG_ENGINE_IP6, 1, payload, length);
		ip[6] = 17;
		memcpy(draft->bytes + l4, payload, length);
	}
	checksum = checksum_finish(checksum_add(
			checksum_pseudo(ip + at, ip + at + addresses, addresses, 17, length),
			draft->bytes + l4, length));
	memcpy(draft->bytes + l4 + 6, &checksum, sizeof(checksum));
}

/* traceroute's last hop: nobody listens for UDP, and says so, as often as echoes are answered. */
static void
datagram_is_told_that_nobody_listens(void **state)
{
	static const char yaml[] = "engine: {connections: 64}\n"
				   "tcp: {echo_rate: 6}\n" RIG_LAN
				   "services: [{name: web, listen: \"10.9.0.2:81\"}]\n";
	static const unsigned int lengths[] = {8, 40, 1400};
	struct rig_frame answer;
	struct draft draft;

	(void)state;
	rig_init(&rig, yaml, 1);
	for (unsigned int i = 0; i < 2 * RTE_DIM(lengths); i++) {
		const unsigned int ip = i % 2 == 0 ? IPV4 : IPV6, length = lengths[i / 2];
		const uint8_t *icmp = answer.bytes + ETHERNET + ip;

		draft_datagram(&draft, i % 2 == 0 ? 4 : 6, length);
		draft_is_answered(&draft, &answer);
		assert_int_equal(answer.frame.kind, i % 2 == 0 ? FRAME_ICMP : FRAME_ICMP6);
		assert_int_equal(icmp[0], i % 2 == 0 ? 3 : 1);
		assert_int_equal(icmp[1], i % 2 == 0 ? 3 : 4);
		assert_int_equal(answer.frame.l4_length, 8 + RTE_MIN(ip + length, 528u));
		assert_memory_equal(icmp + 8, draft.bytes + ETHERNET, answer.frame.l4_length - 8u);
	}
	assert_int_equal(rig_counter(&rig, COUNTER_unreachables_sent), 6);
	draft_datagram(&draft, 4, 40);
	draft_is_dropped(&draft, DROP_unknown_protocol);
	rig_wait_ms(&rig, 1000);
	draft.bytes[ETHERNET + IPV4 + 9]++;
	draft_is_dropped(&draft, DROP_unknown_protocol);
	draft_datagram(&draft, 4, 40);
	bytes_write_16(draft.bytes + ETHERNET + IPV4 + 4, 41);
	draft_is_dropped(&draft, DROP_unknown_protocol);
	draft_datagram(&draft, 4, 40);
	draft.bytes[0] |= 1;
	draft_is_dropped(&draft, DROP_unknown_protocol);
	rig_free(&rig);
}

static void
ping_is_answered_with_its_payload(void **state)
{
	uint8_t echo6[40] = {128, 0, 0, 0, 0x12, 0x34, 0, 1, 'p'};
	struct draft draft;
	struct rig_frame answer;

	(void)state;
	rig_init(&rig, NULL, 1);
	draft_ping_ipv4(&draft, 8);
	draft_is_answered(&draft, &answer);
	assert_int_equal(answer.frame.kind, FRAME_ICMP);
	assert_int_equal(answer.bytes[ETHERNET + IPV4], 0);
	assert_int_equal(answer.length, draft.length);
	assert_memory_equal(
			answer.bytes + ETHERNET + IPV4 + 4, draft.bytes + ETHERNET + IPV4 + 4, 60);
	draft_icmp6(&draft, RIG_CLIENT_IP6, RIG_ENGINE_IP6, 64, echo6, sizeof(echo6));
	draft_is_answered(&draft, &answer);
	assert_int_equal(answer.bytes[ETHERNET + IPV6], 129);
	assert_memory_equal(answer.bytes + ETHERNET + IPV6 + 4, echo6 + 4, sizeof(echo6) - 4);
	assert_int_equal(rig_counter(&rig, COUNTER_echo_replies), 2);
	rig_free(&rig);
}

static void
other_icmp_is_dropped(void **state)
{
	struct draft draft;

	(void)state;
	rig_init(&rig, NULL, 1);
	draft_ping_ipv4(&draft, 13);
	draft_is_dropped(&draft, DROP_icmp_ignored);
	draft_ping_ipv4(&draft, 8);
	draft.bytes[ETHERNET + IPV4 + 20] ^= 1;
	draft_is_dropped(&draft, DROP_bad_icmp);
	/* A ping to everybody is not answered: that is how smurf attacks worked. */
	draft_ping_ipv4(&draft, 8);
	memset(draft.bytes, 0xff, 6);
	draft_is_dropped(&draft, DROP_not_for_us);
	rig_free(&rig);
}

static void
pings_and_resets_are_limited(void **state)
{
	static const char yaml[] =
			"engine: {connections: 64}\n"
			"tcp: {echo_rate: 3, reset_rate: 2}\n"
			"ports:\n"
			"  - {name: lan, device: \"vdev:net_ring_rig\", mac: 02:00:00:00:00:02,\n"
			"     addresses: 10.9.0.2/24}\n"
			"services: [{name: web, listen: \"10.9.0.2:81\"}]\n";
	struct draft draft;
	struct rig_frame answer;

	(void)state;
	rig_init(&rig, yaml, 1);
	draft_ping_ipv4(&draft, 8);
	for (unsigned int i = 0; i < 3; i++)
		draft_is_answered(&draft, &answer);
	draft_is_dropped(&draft, DROP_echo_limited);
	draft_syn(&draft, 4); /* to port 80, where nobody is */
	for (unsigned int i = 0; i < 2; i++)
		draft_is_answered(&draft, &answer);
	draft_is_dropped(&draft, DROP_rst_limited);
	/* The limits fill again with time, and never beyond a second's worth. */
	rig_wait_ms(&rig, 5000);
	for (unsigned int i = 0; i < 2; i++)
		draft_is_answered(&draft, &answer);
	draft_is_dropped(&draft, DROP_rst_limited);
	rig_free(&rig);
}

/* Put an 802.1Q tag into a frame. */
static void
draft_tag(struct draft *draft, uint16_t identifier)
{
	memmove(draft->bytes + 16, draft->bytes + 12, draft->length - 12);
	bytes_write_16(draft->bytes + 12, 0x8100);
	bytes_write_16(draft->bytes + 14, identifier);
	draft->length += 4;
}

static void
only_the_port_s_vlan_is_heard(void **state)
{
	static const char yaml[] =
			"engine: {connections: 64}\n"
			"ports:\n"
			"  - {name: lan, device: \"vdev:net_ring_rig\", mac: 02:00:00:00:00:02,\n"
			"     vlan: 42, addresses: 10.9.0.2/24}\n"
			"services: [{name: web, listen: \"10.9.0.2:80\"}]\n";
	struct draft draft;
	struct rig_frame answer;

	(void)state;
	rig_init(&rig, yaml, 1);
	draft_syn(&draft, 4); /* on the rig's way, with the right tag */
	draft_is_answered(&draft, &answer);
	assert_int_equal(bytes_read_16(answer.bytes + 12), 0x8100);
	assert_int_equal(bytes_read_16(answer.bytes + 14), 42);
	draft.bytes[15] = 43;
	draft_is_dropped(&draft, DROP_bad_vlan);
	draft_arp(&draft, 1, RIG_CLIENT_IP4, RIG_ENGINE_IP4);
	draft_is_dropped(&draft, DROP_bad_vlan);
	draft_tag(&draft, 42);
	draft_is_answered(&draft, &answer);
	assert_int_equal(bytes_read_16(answer.bytes + 14), 42);
	draft_arp(&draft, 1, RIG_CLIENT_IP4, RIG_ENGINE_IP4);
	draft_tag(&draft, 43);
	draft_is_dropped(&draft, DROP_bad_vlan);
	rig_free(&rig);
}

static void
tag_on_an_untagged_port_is_dropped(void **state)
{
	struct draft draft;
	struct rig_frame answer;

	(void)state;
	rig_init(&rig, NULL, 1);
	draft_syn(&draft, 4);
	draft_tag(&draft, 42);
	draft_is_dropped(&draft, DROP_bad_vlan);
	/* IEEE 802.1Q: identifier 0 is a priority, not a VLAN. */
	draft_syn(&draft, 4);
	draft_tag(&draft, 0);
	draft_is_answered(&draft, &answer);
	draft_syn(&draft, 6);
	draft_tag(&draft, 42);
	draft_tag(&draft, 42);
	draft_is_dropped(&draft, DROP_bad_vlan);
	rig_free(&rig);
}

static void
frames_for_others_are_dropped(void **state)
{
	struct draft draft;

	(void)state;
	rig_init(&rig, NULL, 1);
	draft_syn(&draft, 4);
	draft.bytes[5] = 0x77;
	draft_is_dropped(&draft, DROP_not_for_us);
	draft_syn(&draft, 6);
	memset(draft.bytes, 0xff, 6);
	draft_is_dropped(&draft, DROP_not_for_us);
	draft_syn(&draft, 4);
	bytes_write_16(draft.bytes + 12, 0x88cc);
	draft_is_dropped(&draft, DROP_ethertype);
	draft_syn_between(&draft, RIG_CLIENT_IP4, "10.9.0.77");
	draft_is_dropped(&draft, DROP_unknown_destination);
	draft_syn_between(&draft, RIG_CLIENT_IP4, "224.0.0.1");
	draft_is_dropped(&draft, DROP_unknown_destination);
	draft_syn_between(&draft, RIG_CLIENT_IP4, "255.255.255.255");
	draft_is_dropped(&draft, DROP_unknown_destination);
	draft_ipv4(&draft, 17, "datagram", 8);
	draft_is_dropped(&draft, DROP_unknown_protocol);
	rig_free(&rig);
}

static void
nobody_s_address_is_never_answered(void **state)
{
	static const char *const sources[] = {"0.0.0.0", "127.0.0.1", "224.0.0.1",
			"255.255.255.255", "10.9.0.255", RIG_ENGINE_IP4};

	(void)state;
	rig_init(&rig, NULL, 1);
	/* RFC 9293 3.9.2.3 (MUST-63), the subnet's broadcast address, and land. */
	for (unsigned int i = 0; i < RTE_DIM(sources); i++) {
		struct draft draft;

		draft_syn_between(&draft, sources[i], RIG_ENGINE_IP4);
		draft_is_dropped(&draft, DROP_bad_source);
	}
	rig_free(&rig);
}

static void
broken_ip_is_dropped_for_what_is_broken(void **state)
{
	struct draft draft;

	(void)state;
	rig_init(&rig, NULL, 1);
	draft_syn(&draft, 4);
	draft.length = ETHERNET - 1;
	draft_is_dropped(&draft, DROP_too_short);
	draft_syn(&draft, 4);
	draft.bytes[ETHERNET] = 0x55;
	draft_is_dropped(&draft, DROP_bad_ip_header);
	draft_syn(&draft, 4);
	draft.bytes[ETHERNET] = 0x44;
	draft_is_dropped(&draft, DROP_bad_ip_header);
	draft_syn(&draft, 6);
	draft.bytes[ETHERNET] = 0x50;
	draft_is_dropped(&draft, DROP_bad_ip_header);
	draft_syn(&draft, 4);
	draft.bytes[ETHERNET + 10] ^= 1;
	draft_is_dropped(&draft, DROP_bad_ip_checksum);
	draft_syn(&draft, 4);
	draft.length -= 1;
	draft_is_dropped(&draft, DROP_truncated);
	draft_syn(&draft, 6);
	draft.length -= 1;
	draft_is_dropped(&draft, DROP_truncated);
	rig_free(&rig);
}

static void
fragments_are_dropped(void **state)
{
	/* More fragments; the last one; one in the middle whose bytes look like a SYN (RFC 1858).
	 */
	static const uint16_t fields[] = {0x2000, 0x0003, 0x2003};
	struct draft draft;

	(void)state;
	rig_init(&rig, NULL, 1);
	for (unsigned int i = 0; i < RTE_DIM(fields); i++) {
		draft_syn(&draft, 4);
		bytes_write_16(draft.bytes + ETHERNET + 6, fields[i]);
		draft_fix_ipv4(&draft);
		draft_is_dropped(&draft, DROP_fragment);
	}
	draft_syn(&draft, 6);
	memmove(draft.bytes + ETHERNET + IPV6 + 8, draft.bytes + ETHERNET + IPV6,
			draft.length - ETHERNET - IPV6);
	memcpy(draft.bytes + ETHERNET + IPV6, (const uint8_t[]){6, 0, 0, 1, 0, 0, 0, 9}, 8);
	draft.bytes[ETHERNET + 6] = 44;
	draft.bytes[ETHERNET + 5] += 8;
	draft.length += 8;
	draft_is_dropped(&draft, DROP_fragment);
	rig_free(&rig);
}

static void
source_routes_are_dropped(void **state)
{
	static const uint8_t route[8] = {131, 7, 4, 10, 9, 0, 9, 0};
	struct draft draft;

	(void)state;
	rig_init(&rig, NULL, 1);
	draft_syn(&draft, 4);
	memmove(draft.bytes + ETHERNET + IPV4 + 8, draft.bytes + ETHERNET + IPV4,
			draft.length - ETHERNET - IPV4);
	memcpy(draft.bytes + ETHERNET + IPV4, route, sizeof(route));
	draft.bytes[ETHERNET] = 0x47;
	draft.bytes[ETHERNET + 3] += 8;
	draft.length += 8;
	draft_fix_ipv4(&draft);
	draft_is_dropped(&draft, DROP_ip_options);
	rig_free(&rig);
}

static void
broken_tcp_is_dropped_for_what_is_broken(void **state)
{
	struct draft draft;
	struct rig_frame answer;

	(void)state;
	rig_init(&rig, NULL, 1);
	draft_syn(&draft, 4);
	draft.bytes[ETHERNET + IPV4 + 12] = 0x40;
	draft_is_dropped(&draft, DROP_bad_tcp_header);
	draft_syn(&draft, 4);
	draft.bytes[ETHERNET + 3] = IPV4 + 19;
	draft_fix_ipv4(&draft);
	draft_is_dropped(&draft, DROP_bad_tcp_header);
	for (unsigned int family = 4; family <= 6; family += 2) {
		draft_syn(&draft, family);
		draft.bytes[draft.length - 1] ^= 1;
		draft_is_dropped(&draft, DROP_bad_tcp_checksum);
		/* What Ethernet pads a short frame with is no data (RFC 894). */
		draft_syn(&draft, family);
		memset(draft.bytes + draft.length, 0xaa, 16);
		draft.length += 16;
		draft_is_answered(&draft, &answer);
		assert_int_equal(answer.segment.ack, 101);
	}
	rig_free(&rig);
}

/* A SYN as a local kernel hands it over: the checksum field holds the pseudo-header's sum. */
static void
draft_partial(struct draft *draft)
{
	const struct build_tcp tcp = {.seq = 100, .window = 1000, .flags = TCP_SYN};
	uint8_t *ip = draft->bytes + ETHERNET;
	struct build_lengths lengths;
	struct build_path path;

	memset(draft, 0, sizeof(*draft));
	rig_path(&rig, &path, 4, CLIENT_PORT, 80);
	draft->length = build_tcp(draft->bytes, &path, &tcp, 0, BUILD_CHECKSUM_OFFLOAD, &lengths);
	assert_int_equal(bytes_read_16(ip + 10), 0);
	draft_fix_ipv4(draft);
}

static void
unfinished_checksums_are_accepted_only_where_allowed(void **state)
{
	static const char *const words[] = {"accept", "refuse", "auto"};
	struct draft draft;
	struct rig_frame answer;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(words); i++) {
		char yaml[512];

		snprintf(yaml, sizeof(yaml),
				"engine: {connections: 64}\n"
				"ports:\n"
				"  - {name: lan, device: \"vdev:net_ring_rig\", addresses: "
				"10.9.0.2/24,\n"
				"     mac: 02:00:00:00:00:02, partial_checksums: %s}\n"
				"services: [{name: web, listen: \"10.9.0.2:80\"}]\n",
				words[i]);
		rig_init(&rig, yaml, 1);
		draft_partial(&draft);
		if (i == 0) {
			draft_is_answered(&draft, &answer);
			assert_int_equal(rig_counter(&rig, COUNTER_partial_checksums), 1);
		} else {
			draft_is_dropped(&draft, DROP_bad_tcp_checksum);
			assert_int_equal(rig_counter(&rig, COUNTER_partial_checksums), 0);
		}
		rig_free(&rig);
	}
}

static void
frames_cut_at_every_length_are_dropped(void **state)
{
	(void)state;
	rig_init(&rig, NULL, 1);
	for (unsigned int family = 4; family <= 6; family += 2) {
		struct draft draft;
		struct rig_frame answer;

		draft_syn(&draft, family);
		for (unsigned int length = draft.length - 1; length > 0; length--) {
			draft.length = length;
			draft_put(&draft);
			assert_false(rig_take(&rig, &answer));
		}
	}
	rig_free(&rig);
}

#define TEST(name) RIG_TEST(name, rig)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			TEST(arp_request_is_answered_to_who_asked),
			TEST(arp_probe_for_our_address_is_answered),
			TEST(arp_for_others_is_ignored),
			TEST(solicitation_is_answered_to_who_asked),
			TEST(address_probe_is_answered_to_all_nodes),
			TEST(solicitation_from_afar_or_for_others_is_dropped),
			TEST(datagram_is_told_that_nobody_listens),
			TEST(ping_is_answered_with_its_payload),
			TEST(other_icmp_is_dropped),
			TEST(pings_and_resets_are_limited),
			TEST(only_the_port_s_vlan_is_heard),
			TEST(tag_on_an_untagged_port_is_dropped),
			TEST(frames_for_others_are_dropped),
			TEST(nobody_s_address_is_never_answered),
			TEST(broken_ip_is_dropped_for_what_is_broken),
			TEST(fragments_are_dropped),
			TEST(source_routes_are_dropped),
			TEST(broken_tcp_is_dropped_for_what_is_broken),
			TEST(unfinished_checksums_are_accepted_only_where_allowed),
			TEST(frames_cut_at_every_length_are_dropped),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

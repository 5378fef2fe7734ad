/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * A server that is faster than any client: it keeps nothing, believes every segment, and answers in
 * place with as few instructions as it can.
 *
 * What a load generator can do over a device is seen only where its peer is not the limit, and the
 * engine is: it verifies, looks up, remembers.  This one takes IPv4 without IP options, turns
 * addresses round, and lets the numbers follow from the segment.  Every so many frames can be lost,
 * to see what the generator makes of that.
 *
 *   answerer DEVICE SECONDS [LOSE_ONE_IN] [keep]
 *
 * DEVICE is as in --vdev; with "keep" it does not close behind its answers.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "engine/eal.h"
#include "wire/checksum.h"

#define BURST     64
#define RING_SIZE 4096
#define BUFFERS   16383
#define ISN       1000000u
#define WINDOW    65535
#define FRAME_MIN (sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr) + 20)

static const char answer_text[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";
static const uint8_t syn_options[] = {2, 4, 5, 180, 1, 3, 3, 2};

static struct {
	uint64_t frames;
	uint64_t lost;
	uint64_t not_taken;
	uint64_t busy_cycles;
	uint64_t answer_sum;
	uint64_t options_sum;
	uint32_t until_loss;
	uint32_t lose_one_in;
	bool keeps; /* The client closes, whatever was asked. */
} state;

/* Flags and numbers of the answer, to a segment with so much text. @return whether there is one. */
static bool
answer_numbers(const struct rte_tcp_hdr *asked, unsigned int text, struct rte_tcp_hdr *answer)
{
	uint32_t took = text;

	answer->sent_seq = asked->recv_ack;
	answer->tcp_flags = RTE_TCP_ACK_FLAG;
	if ((asked->tcp_flags & RTE_TCP_RST_FLAG) != 0)
		return false;
	if ((asked->tcp_flags & RTE_TCP_SYN_FLAG) != 0) {
		answer->sent_seq = rte_cpu_to_be_32(ISN);
		answer->tcp_flags |= RTE_TCP_SYN_FLAG;
		took = 1;
	} else if (text > 0) {
		answer->tcp_flags |= RTE_TCP_PSH_FLAG | (state.keeps ? 0 : RTE_TCP_FIN_FLAG);
	} else if ((asked->tcp_flags & RTE_TCP_FIN_FLAG) == 0) {
		return false;
	} else {
		took = 1;
		if (state.keeps || asked->recv_ack == rte_cpu_to_be_32(ISN + 1))
			answer->tcp_flags |= RTE_TCP_FIN_FLAG;
	}
	answer->recv_ack = rte_cpu_to_be_32(rte_be_to_cpu_32(asked->sent_seq) + took);
	return true;
}

/* What follows the TCP header, with its sum. @return its length. */
static unsigned int
answer_tail(uint8_t *to, uint8_t flags, uint64_t *sum)
{
	if ((flags & RTE_TCP_SYN_FLAG) != 0) {
		memcpy(to, syn_options, sizeof(syn_options));
		*sum = state.options_sum;
		return sizeof(syn_options);
	}
	if ((flags & RTE_TCP_PSH_FLAG) != 0) {
		memcpy(to, answer_text, sizeof(answer_text) - 1);
		*sum = state.answer_sum;
		return sizeof(answer_text) - 1;
	}
	*sum = 0;
	return 0;
}

static void
turn_round(struct rte_ether_hdr *ethernet, struct rte_ipv4_hdr *ip, struct rte_tcp_hdr *tcp)
{
	const struct rte_ether_addr mac = ethernet->src_addr;
	const rte_be32_t address = ip->src_addr;
	const rte_be16_t port = tcp->src_port;

	ethernet->src_addr = ethernet->dst_addr;
	ethernet->dst_addr = mac;
	ip->src_addr = ip->dst_addr;
	ip->dst_addr = address;
	tcp->src_port = tcp->dst_port;
	tcp->dst_port = port;
}

/* @return whether the frame was made an answer. */
static bool
answer(struct rte_mbuf *packet)
{
	struct rte_ether_hdr *ethernet = rte_pktmbuf_mtod(packet, struct rte_ether_hdr *);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(ethernet + 1);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);
	struct rte_tcp_hdr numbers;
	unsigned int tail, l4;
	uint64_t sum;

	if (packet->data_len < FRAME_MIN ||
			ethernet->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) ||
			ip->next_proto_id != IPPROTO_TCP || ip->version_ihl != 0x45)
		return false;
	if (!answer_numbers(tcp,
			    rte_be_to_cpu_16(ip->total_length) - 20u - (tcp->data_off >> 4) * 4u,
			    &numbers))
		return false;
	turn_round(ethernet, ip, tcp);
	tail = answer_tail((uint8_t *)(tcp + 1), numbers.tcp_flags, &sum);
	tcp->sent_seq = numbers.sent_seq;
	tcp->recv_ack = numbers.recv_ack;
	tcp->tcp_flags = numbers.tcp_flags;
	tcp->data_off = (numbers.tcp_flags & RTE_TCP_SYN_FLAG) != 0
					? (uint8_t)((20 + sizeof(syn_options)) << 2)
					: 20 << 2;
	tcp->rx_win = rte_cpu_to_be_16(WINDOW);
	l4 = 20 + tail;
	sum += (uint64_t)ip->src_addr + ip->dst_addr + rte_cpu_to_be_16(IPPROTO_TCP) +
	       rte_cpu_to_be_16((uint16_t)l4);
	sum += (uint64_t)tcp->src_port + tcp->dst_port + tcp->sent_seq + tcp->recv_ack;
	sum += (uint64_t)(tcp->data_off | tcp->tcp_flags << 8) + tcp->rx_win;
	tcp->tcp_urp = 0;
	tcp->cksum = checksum_finish(sum);
	ip->total_length = rte_cpu_to_be_16((uint16_t)(20 + l4));
	ip->hdr_checksum = 0;
	ip->hdr_checksum = checksum_finish(checksum_add(0, ip, sizeof(*ip)));
	packet->data_len = (uint16_t)(sizeof(*ethernet) + 20 + l4);
	packet->pkt_len = packet->data_len;
	return true;
}

static bool
is_lost(void)
{
	if (state.lose_one_in == 0 || --state.until_loss > 0)
		return false;
	/* Not every so many exactly: that would meet the same segment of each connection. */
	state.until_loss = 1 + (uint32_t)((uint64_t)rand() % (2 * state.lose_one_in));
	state.lost++;
	return true;
}

static void
serve(uint16_t port)
{
	const uint64_t begin = rte_rdtsc();
	struct rte_mbuf *packet[BURST];
	const unsigned int n = rte_eth_rx_burst(port, 0, packet, BURST);
	unsigned int kept = 0, sent;

	if (n == 0)
		return;
	for (unsigned int i = 0; i < n; i++) {
		if (!is_lost() && answer(packet[i]))
			packet[kept++] = packet[i];
		else
			rte_pktmbuf_free(packet[i]);
	}
	sent = rte_eth_tx_burst(port, 0, packet, (uint16_t)kept);
	if (sent < kept) {
		rte_pktmbuf_free_bulk(&packet[sent], kept - sent);
		state.not_taken += kept - sent;
	}
	state.frames += n;
	state.busy_cycles += rte_rdtsc() - begin;
}

static void
start_dpdk(const char *program, const char *device)
{
	char prefix[64], vdev[256];
	const char *const words[] = {program, "--no-huge", "-m", "256", "--no-pci",
			"--no-telemetry", "--no-shconf", "--log-level=*:error", prefix, vdev};
	/* EAL keeps pointers to them, and moves them about. */
	static char text[RTE_DIM(words)][256];
	static char *arguments[RTE_DIM(words) + 1];

	snprintf(prefix, sizeof(prefix), "--file-prefix=answerer-%d", (int)getpid());
	snprintf(vdev, sizeof(vdev), "--vdev=%s", device);
	for (unsigned int i = 0; i < RTE_DIM(words); i++) {
		snprintf(text[i], sizeof(text[i]), "%s", words[i]);
		arguments[i] = text[i];
	}
	eal_leave_no_folder();
	if (rte_eal_init(RTE_DIM(words), arguments) < 0)
		rte_exit(EXIT_FAILURE, "DPDK does not start\n");
}

static void
start_port(uint16_t port)
{
	static const struct rte_eth_conf conf;
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
			"answerer", BUFFERS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

	if (pool == NULL || !rte_eth_dev_is_valid_port(port) ||
			rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
			rte_eth_rx_queue_setup(port, 0, RING_SIZE, SOCKET_ID_ANY, NULL, pool) !=
					0 ||
			rte_eth_tx_queue_setup(port, 0, RING_SIZE, SOCKET_ID_ANY, NULL) != 0 ||
			rte_eth_dev_start(port) != 0)
		rte_exit(EXIT_FAILURE, "the device does not start\n");
}

int
main(int argc, char *argv[])
{
	double seconds;
	uint64_t begin, end;

	if (argc < 3)
		rte_exit(EXIT_FAILURE, "usage: answerer DEVICE SECONDS [LOSE_ONE_IN] [keep]\n");
	seconds = atof(argv[2]);
	state.lose_one_in = argc > 3 ? (uint32_t)atoi(argv[3]) : 0;
	state.until_loss = state.lose_one_in;
	state.keeps = argc > 4;
	state.answer_sum = checksum_add(0, answer_text, sizeof(answer_text) - 1);
	state.options_sum = checksum_add(0, syn_options, sizeof(syn_options));
	start_dpdk(argv[0], argv[1]);
	start_port(0);
	begin = rte_rdtsc();
	end = begin + (uint64_t)(seconds * (double)rte_get_tsc_hz());
	while (rte_rdtsc() < end)
		serve(0);
	printf("%" PRIu64 " frames, busy %.0f %%, %.0f cycles a frame, %" PRIu64 " lost, %" PRIu64
	       " not taken\n",
			state.frames, 100.0 * (double)state.busy_cycles / (double)(end - begin),
			(double)state.busy_cycles / (double)state.frames, state.lost,
			state.not_taken);
	rte_eal_cleanup();
	return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef RANDOM_TCP_H
#define RANDOM_TCP_H

/**
 * @file
 * Connections, and segments for them, of random numbers in a small range around those that matter,
 * so that also fields which the machine would never combine are compared.
 */

#include "../tcp_defaults.h"
#include "random.h"
#include "tcp/tcp_step.h"

#define RCV 0xfffffffeu /* Numbers wrap. */
#define SND 0x7ffffffeu

static struct tcp_config random_tcp_config = {
		TCP_DEFAULTS,
		.idle_timeout_ms = 300000,
		.keepalive_time_ms = 7200000,
		.keepalive_intvl_ms = 75000,
		.keepalive_probes = 9,
		.rcv_wnd_scale = 2,
};

/* One of the numbers that make a difference. */
static inline uint32_t
random_tcp_pick(uint64_t *state, const uint32_t numbers[], unsigned int n)
{
	return numbers[random_below(state, n)];
}

#define PICK(...)                                               \
	random_tcp_pick(state, (const uint32_t[]){__VA_ARGS__}, \
			sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static inline struct tcp_conn
random_tcp_conn(uint64_t *state)
{
	struct tcp_conn conn = {
			.snd_una = SND,
			.snd_nxt = SND + PICK(0, 1, 1, 2, 100, 101),
			.rcv_nxt = RCV,
			.ts_recent = PICK(5, 0xfffffffa),
			.snd_wnd = (uint16_t)PICK(0, 1, 1000, 64240, 65535),
			.mss = 1448,
			.srtt_8ms = (uint16_t)PICK(0, 8, 100, 65535),
			.rttvar_4ms = (uint16_t)PICK(0, 1, 1, 2, 3, 100),
			.state = (uint8_t)random_below(state, TCP_STATES),
			.scales = (uint8_t)PICK(0, 7, 0xf7, 0xe0, 0x90),
			.retries = (uint8_t)PICK(0, 0, 0, 1, 8, 15),
			.cwnd = (uint8_t)PICK(1, 10),
			.timer_tick = 77,
	};

	if (random_below(state, 4) == 0)
		conn.flags = (uint16_t)random_next(state);
	else
		conn.flags = (uint16_t)(PICK(0, TCP_CONN_TIMESTAMPS) |
					PICK(0, TCP_CONN_WINDOW_SCALE | TCP_CONN_SACK) |
					PICK(0, TCP_CONN_RTT_MEASURED) |
					PICK(0, TCP_CONN_SYN_RETRANSMITTED) |
					PICK(0, TCP_CONN_FIN_SENT) | PICK(0, 0x1000, 0x2000));
	return conn;
}

static inline struct tcp_segment
random_tcp_segment(uint64_t *state, const struct tcp_conn *conn)
{
	struct tcp_segment segment = {
			.seq = RCV + PICK(0, 0, 0, 0, 0, 0, 1, -1u, 100),
			.ack = SND + PICK(0, 0, 1, 1, 2, 100, 101, -1u),
			.tsval = conn->ts_recent + PICK(0, 1, 100, -1u),
			.tsecr = PICK(0, 900, 1000, 0xffff0000u),
			.window = (uint16_t)PICK(conn->snd_wnd, conn->snd_wnd, 0, 500, 65535),
			.payload_length = (uint16_t)PICK(0, 0, 0, 1, 99, 100, 1000),
			.options = (uint8_t)PICK(
					0, TCP_OPTION_TIMESTAMPS, TCP_OPTION_TIMESTAMPS, 0x3f),
			.mss = 1460,
			.window_scale = (uint8_t)PICK(0, 7, 20),
			.flags = (uint8_t)PICK(TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH,
					TCP_ACK | TCP_FIN, TCP_ACK | TCP_FIN | TCP_PSH, TCP_SYN,
					TCP_SYN | TCP_ECE | TCP_CWR),
	};

	if (random_below(state, 16) == 0)
		segment.flags = (uint8_t)random_next(state);
	return segment;
}

static inline struct tcp_env
random_tcp_env(uint64_t *state)
{
	return (struct tcp_env){
			.config = &random_tcp_config,
			.now_ms = 1000,
			.ts_clock = PICK(1000, 0x10000, 0xffff0010u),
			.rcv_wnd = PICK(0, 1, 2, 99, 100, 101, 16384, 65535),
			.isn = 0x12345678,
			.path_mss = 1460,
			.default_mss = 536,
			.fast_open = random_below(state, 8) == 0,
	};
}

#endif /* RANDOM_TCP_H */

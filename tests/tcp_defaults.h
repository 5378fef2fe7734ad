/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TCP_DEFAULTS_H
#define TCP_DEFAULTS_H

/**
 * @file
 * Members of struct tcp_config as lib/settings/options.def has them by default, but for those that
 * tests and benchmarks want their own way: idle_timeout_ms, keep-alive, rcv_wnd_scale.
 */

#include "tcp/tcp_step.h"

#define TCP_DEFAULTS                                                                             \
	.fin_timeout_ms = 60000, .time_wait_ms = 60000, .rto_min_ms = 200, .rto_max_ms = 120000, \
	.synack_retries = 5, .syn_retries = 6, .retries2 = 15, .orphan_retries = 8,              \
	.initial_cwnd = 10, .timestamps = true, .sack = true, .window_scaling = true

#endif /* TCP_DEFAULTS_H */

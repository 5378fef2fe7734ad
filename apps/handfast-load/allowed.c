/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_common.h>

#include "allowed.h"

#define ALLOWED_TIME "a time such as 500us, 20ms, 10s or 5m"

struct allowed {
	const char *option;
	const char *values;
};

static const struct allowed known[] = {
		{"port", "one of at most 16 devices"},
		{"address", "ADDRESS/LENGTH, such as 10.0.0.1/24; all of a port within 511 "
			    "characters"},
		{"gateway", "an address; all of a port within 511 characters"},
		{"target", "ADDRESS:PORT or [IPV6-ADDRESS]:PORT, with a port from 1 to 65535 and "
			   "no "
			   "host name; at most 64 of them"},
		{"target-mac", "an Ethernet address such as 02:00:00:00:00:01"},
		{"sources", "PREFIX/LENGTH, such as 10.0.0.0/16 or fd00::/64; at most 64 of them"},
		{"source-ports", "FIRST-LAST, from 1 to 65535"},
		{"order", "turn or random"},
		{"exchange", "syn, handshake, open-close, request, keepalive, idle, forged-ack or "
			     "rst-flood"},
		{"path", "a path that begins with /, of letters, digits and -._~!$&'()*+,;=:@/?, "
			 "with "
			 "%XX for all others"},
		{"expect-bytes", "a number from 0 to 4294967295"},
		{"requests", "a number from 1 to 65535"},
		{"close", "peer or us"},
		{"third-ack", "ride or alone"},
		{"concurrency", "a number from 1 to 268435456"},
		{"rate", "a number from 0.0001 on, such as 0.5 or 20k"},
		{"spacing", "even or poisson"},
		{"count", "a number from 1 on"},
		{"duration", ALLOWED_TIME ", above 0"},
		{"ramp-up", ALLOWED_TIME},
		{"ramp-down", ALLOWED_TIME},
		{"delay", ALLOWED_TIME},
		{"drain", ALLOWED_TIME},
		{"timeout", ALLOWED_TIME ", from 1ms to 1h"},
		{"retries", "a number from 0 to 15"},
		{"resolve", ALLOWED_TIME ", at most 1h"},
		{"min-rate", "a number above 0, such as 0.5 or 20k"},
		{"max-p99", ALLOWED_TIME ", above 0"},
		{"max-failures", "a number from 0 on, or a share from 0% to 100%"},
};

const char *
allowed_values(const char *option)
{
	for (unsigned int i = 0; i < RTE_DIM(known); i++) {
		if (strcmp(known[i].option, option) == 0)
			return known[i].values;
	}
	return "something else";
}

/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef USUAL_OPTIONS_H
#define USUAL_OPTIONS_H

/**
 * @file
 * TCP options as the world sends them: none, old SYNs', timestamps alone, the SYNs of Windows,
 * Linux (also without SACK) and macOS, and a selective acknowledgement with zeros behind it.
 */

#include <stdint.h>

#include "wire/tcp_options.h"

struct usual_options {
	unsigned int length;
	uint8_t bytes[TCP_OPTIONS_BYTES_MAX];
};

static const struct usual_options usual_options[] = {
		{0, {0}},
		{4, {2, 4, 5, 0xb4}},
		{8, {2, 4, 5, 0xb4, 1, 3, 3, 7}},
		{12, {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}},
		{12, {2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2}},
		{20, {2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 9, 8, 7, 6, 1, 3, 3, 7}},
		{20, {2, 4, 5, 0xb4, 1, 1, 8, 10, 1, 2, 3, 4, 9, 8, 7, 6, 1, 3, 3, 7}},
		{24, {2, 4, 5, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 1, 1, 4, 2, 0, 0}},
		{28, {1, 1, 5, 18, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8}},
};

#endif /* USUAL_OPTIONS_H */

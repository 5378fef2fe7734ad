/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef ECHO_RINGS_H
#define ECHO_RINGS_H

/**
 * @file
 * Echo rings for those who test what uses them.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "respond/echo_buffer.h"

/**
 * Make a pool in memory of exactly its footprint, which the sanitizer knows the edges of, and full
 * of rubbish.
 *
 * @return what free() takes; NULL without memory.
 */
static inline struct echo_buffers *
echo_rings_new(uint32_t rings)
{
	const size_t bytes = (echo_buffers_footprint(rings) + 63) & ~(size_t)63;
	void *memory = aligned_alloc(64, bytes);

	if (memory == NULL)
		return NULL;
	memset(memory, 0xa5, bytes);
	return echo_buffers_init(memory, rings);
}

#endif /* ECHO_RINGS_H */

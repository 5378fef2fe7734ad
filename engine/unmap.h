/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef UNMAP_H
#define UNMAP_H

/**
 * @file
 * munmap() of this program, which lets workers finish first.
 *
 * When a memif peer leaves, DPDK's driver (22.11 to 24.11 at least) takes the shared rings away
 * from its interrupt thread: it says that the port is not connected, and unmaps.  A worker that had
 * looked before it said so, and was held up in between, reads the ring and the process ends with
 * SIGSEGV: once in 25 times when a busy peer was killed.  The driver offers no place to wait at
 * but the call itself, which the linker binds to the one here.
 *
 * So: what the interrupt thread unmaps is unmapped once every worker has begun a turn after that.
 * All others pass through.
 */

#include <stdbool.h>

struct engine;

/** Whose workers to wait for; NULL: nobody's.  By control. */
void unmap_wait_for(const struct engine *engine);

/**
 * Return once no worker uses any more what was out of reach for new turns before; not by one.
 *
 * @return false: one has not moved for a second, or they are about to end.
 */
bool unmap_wait_for_workers(void);

#endif /* UNMAP_H */

/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_OLDER_H
#define BURST_OLDER_H

/**
 * @file
 * Packets of connections that began before the services were changed.
 *
 * A packet is looked up at the newest listener of its address.  Where that has older ones, and
 * nothing was found, those are asked, too; and where it takes no new connections, TIME_WAIT must
 * not let one in.  All of it costs nothing unless listeners are closed or have older ones.
 */

struct burst;
struct worker;

/** After the lookup of a burst: give packets to connections of older listeners. */
void burst_older(struct worker *worker, struct burst *burst);

/** The connection of packet i ended earlier in the burst, at an older listener: the packet goes to
 * the newest one. */
void burst_older_renew(struct worker *worker, struct burst *burst, unsigned int i);

#endif /* BURST_OLDER_H */

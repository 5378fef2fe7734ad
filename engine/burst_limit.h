/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_LIMIT_H
#define BURST_LIMIT_H

/**
 * @file
 * Who may speak to our services, and how often a SYN is answered: judged as soon as it is known
 * whose packet it is, before anything is looked up.
 *
 * Every SYN for a service counts, also one that is sent again or meets a connection: each would be
 * answered, and the answer may go to somebody who never asked (reflection).  First its source's
 * network is asked for a token, then the service, so that who has too many uses up nobody's.
 *
 * Costs one branch per burst where nothing of this is configured.
 */

struct burst;
struct worker;

/** Drop what lists and rates refuse. */
void burst_limit(struct worker *worker, struct burst *burst);

#endif /* BURST_LIMIT_H */

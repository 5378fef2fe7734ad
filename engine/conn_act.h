/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef CONN_ACT_H
#define CONN_ACT_H

/**
 * @file
 * What control can do to a live connection, by its key: close, shut down, reset.
 *
 * Closing is the service's to do, for only it knows what is still owed: it is told that nobody will
 * ask it anything any more, and the FIN goes out behind its last byte.
 */

#include <stdint.h>

#include "tcp/flow_key.h"

struct worker;

#define CONN_ACT_KEYS 64

enum conn_act {
	CONN_ACT_CLOSE,    /**< FIN behind what is owed; what comes after it is answered by RST. */
	CONN_ACT_SHUTDOWN, /**< FIN behind what is owed; the peer may go on sending. */
	CONN_ACT_RESET,    /**< RST, at once. */
};

struct conn_act_question {
	enum conn_act act;
	unsigned int count;
	struct flow_key key[CONN_ACT_KEYS]; /**< Those that a worker has not are passed over. */
};

struct conn_act_answer {
	uint32_t done;
	uint32_t unfit; /**< In a state where it means nothing: not open yet, or closing already. */
};

/** Act on those of the keys that are connections of this worker. */
void conn_act_apply(struct worker *worker, const struct conn_act_question *question,
		struct conn_act_answer *answer);

#endif /* CONN_ACT_H */

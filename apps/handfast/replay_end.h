/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef REPLAY_END_H
#define REPLAY_END_H

/**
 * @file
 * The last word of a captured client to an engine's connection that is over in the capture.
 *
 * What ended it there was said by the captured server, or to it, and the engine never hears of it:
 * its connection would stay, and refuse the client's next one of the same ports by a challenge ACK
 * (RFC 5961 4.2).  The client's kernel would have ended it: it acknowledges a FIN, and has a RST
 * for whoever speaks of a connection that it does not know (RFC 9293 3.5.2).
 */

#include <stdbool.h>
#include <stdint.h>

#include "explain/explain_packet.h"
#include "wire/build.h"

#include "replay_engine.h"
#include "replay_follow.h"

/** A packet of the capture. */
struct replay_end {
	const struct replay_engine *engine;
	struct replay_follow *follow;
	const uint8_t *data; /**< From the Ethernet header on. */
	const struct explain_packet *packet;
	unsigned int port; /**< Of the engine's. */
	bool from_server;  /**< The captured server's last word; else a client's SYN. */
};

/**
 * Write what the client says to the engine's connection that is over with this packet, or was
 * before it.  One that nobody has closed in the capture stays: a forged SYN meets what it met then.
 *
 * @return
 *   Length of the frame, 0 where nothing is to be said.
 */
unsigned int replay_end_write(const struct replay_end *end, uint8_t frame[BUILD_HEADERS_MAX]);

#endif /* REPLAY_END_H */

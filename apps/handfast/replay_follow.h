/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef REPLAY_FOLLOW_H
#define REPLAY_FOLLOW_H

/**
 * @file
 * Makes captured clients talk to the engine instead of to whom they talked then.
 *
 * A client's acknowledgements count from the initial sequence number of the server in the capture;
 * the engine has chosen another one.  For every connection the difference is learnt, from the
 * engine's SYN-ACK on one side and from the captured SYN-ACK or the client's first acknowledgement
 * on the other, and acknowledgements are moved by it: never beyond what the engine has said, and
 * up to there when the client had acknowledged all that the captured server had said.
 * TSecr becomes the last TSval of the engine.  A checksum that was right stays right, and a wrong
 * one wrong.  SACK blocks are not translated; they become NOPs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "explain/explain_packet.h"

struct replay_follow;

/** @return NULL when there is no memory. */
struct replay_follow *replay_follow_create(void);

/**
 * What the captured server said.
 *
 * @return
 *   Whether its client has nothing to say after it: it was a RST that the client believed, or an
 *   ACK when the client had acknowledged the server's FIN, and nothing if it had said its own.
 */
bool replay_follow_server(struct replay_follow *follow, const struct explain_packet *packet);

/** What the engine said. */
void replay_follow_engine(struct replay_follow *follow, const struct explain_packet *packet);

/**
 * Adapt what a client said; nothing happens to what was not captured whole.
 *
 * @param tcp
 *   The TCP header that @p packet was parsed from; changed in place.
 */
void replay_follow_client(
		struct replay_follow *follow, const struct explain_packet *packet, uint8_t *tcp);

/** Whether the captured server had closed the connection of a client's packet. */
bool replay_follow_is_over(struct replay_follow *follow, const struct explain_packet *packet);

/** The engine's last TSval on the connection of a packet. */
uint32_t replay_follow_tsval(struct replay_follow *follow, const struct explain_packet *packet,
		bool from_client);

void replay_follow_free(struct replay_follow *follow);

#endif /* REPLAY_FOLLOW_H */

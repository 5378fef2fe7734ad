/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef CLIENT_H
#define CLIENT_H

/**
 * @file
 * A client of the engine on the bench that opens by hand: a segment at a time.
 */

#include <stdint.h>

#include "rig.h"

#define CLIENT_FIRST_PORT 40000

/** What Linux offers in a SYN. */
extern const struct tcp_options client_linux_syn;

struct client {
	struct rig *rig;
	struct build_path path;
	struct build_tcp next; /**< What is sent next. */
	struct rig_frame heard;
};

/** Begin again, from CLIENT_FIRST_PORT to a port of the engine; nothing is sent. */
void client_init(struct client *client, struct rig *rig, unsigned int family, uint16_t port,
		const struct tcp_options *options);

/** The same as Linux would, from any address and port. */
void client_init_from(struct client *client, struct rig *rig, const char *address,
		uint16_t client_port, uint16_t port);

/** Put a segment before the engine; it is looked at in the next turn. */
void client_put(struct client *client, uint8_t flags, const char *text);

/** Turn the engine. @return how many frames came out; the last is in client->heard. */
unsigned int client_hear(struct client *client);

/** Say the SYN of a client that client_init() prepared, and take the SYN-ACK in: the next segment
 * is the third of the handshake. @return whether there was one. */
bool client_say_syn(struct client *client);

/** A client whose SYN was answered, from CLIENT_FIRST_PORT. */
void client_syn(struct client *client, struct rig *rig, unsigned int family, uint16_t port,
		const struct tcp_options *options);

#endif /* CLIENT_H */

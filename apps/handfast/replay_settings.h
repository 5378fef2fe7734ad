/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef REPLAY_SETTINGS_H
#define REPLAY_SETTINGS_H

/**
 * @file
 * The settings of a replay: a configuration file with its devices exchanged, or made for what the
 * capture asks for.
 */

#include <stdbool.h>
#include <stdint.h>

#include "explain/explain_packet.h"
#include "settings/settings.h"

/** What a capture asks for: whom its SYNs went to. */
struct replay_wish {
	struct settings_endpoints listen;
	unsigned int left_out; /**< More of them than there is room for. */
	bool elsewhere;        /**< SYNs went to a loopback or the like, where no engine can be. */
	uint8_t mac[6];        /**< To which Ethernet address the first one went. */
	bool mac_known;
	uint16_t vlan;
	int64_t first_ns; /**< When the capture begins. */
	bool nanoseconds; /**< Its timestamps have more than microseconds. */
	uint64_t packets;
};

/** What the command line says. */
struct replay_words {
	const char *config;  /**< NULL: make one. */
	const char *reply;   /**< Of the services that are made; NULL: by their ports. */
	const char *cookies; /**< Of the services that are made; NULL: auto. */
};

/** Note what one packet of the capture asks for. */
void replay_wish_note(struct replay_wish *wish, const struct explain_frame *frame);

/** Add a place to listen at, "ADDRESS:PORT" or "[ADDRESS]:PORT". @return false if it is none. */
bool replay_wish_add(struct replay_wish *wish, const char *text);

/** @return settings to be freed with settings_free(), or NULL after the errors were written. */
struct settings *replay_settings_make(
		const struct replay_words *words, const struct replay_wish *wish);

/** On which port of the settings a packet to this address comes in; -1: it is not ours. */
int replay_settings_port(const struct settings *settings, const uint8_t address[16]);

#endif /* REPLAY_SETTINGS_H */

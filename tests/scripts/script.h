/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SCRIPT_H
#define SCRIPT_H

/**
 * @file
 * A packet exchange as a file says it: read once per IP version, then played by play.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"

#define SCRIPT_STEPS_MAX    512
#define SCRIPT_SETTINGS_MAX 8
#define SCRIPT_NAME_MAX     64
#define SCRIPT_LINE_MAX     1024

enum script_kind {
	SCRIPT_PUT,         /**< `<`: the client sends. */
	SCRIPT_ICMP,        /**< The client, or a router before it, sends an ICMP error. */
	SCRIPT_EXPECT,      /**< `>`: the engine must send. */
	SCRIPT_SILENCE,     /**< Nothing comes for that long. */
	SCRIPT_STATE,       /**< The connection's state. */
	SCRIPT_COUNTER,     /**< A counter's value. */
	SCRIPT_CONNECTIONS, /**< Connections in all tables. */
	SCRIPT_OPEN,        /**< Local call: an active open, to the client's port. */
	SCRIPT_ACT,         /**< Local call on the connection: close, shutdown or reset. */
	SCRIPT_PORT,        /**< From now on from this port. */
	SCRIPT_ISN,         /**< The client's initial sequence number. */
	SCRIPT_ENGINE_ISN,  /**< Turn the clock to where the engine would choose this number. */
};

struct script_step {
	enum script_kind kind;
	unsigned int line;
	unsigned int after_ms; /**< After the step before. */
	bool joined;           /**< `&`: in one burst with the packet before. */
	struct packet packet;
	struct packet_error error; /**< Its seq is relative. */
	char name[SCRIPT_NAME_MAX];
	uint32_t number;
	char text[SCRIPT_LINE_MAX]; /**< The line, for failures. */
};

/** `set SECTION.KEY VALUE` */
struct script_setting {
	char section[SCRIPT_NAME_MAX];
	char key[SCRIPT_NAME_MAX];
	char value[SCRIPT_NAME_MAX];
};

struct script {
	char claim[SCRIPT_LINE_MAX];         /**< Its first line. */
	char service[SCRIPT_NAME_MAX];       /**< Which kind; see play.c. */
	char known_failure[SCRIPT_LINE_MAX]; /**< Why it is expected to fail; empty if not. */
	unsigned int only_family;            /**< 4, 6, or 0 for both. */
	unsigned int setting_count;
	struct script_setting setting[SCRIPT_SETTINGS_MAX];
	unsigned int step_count;
	struct script_step step[SCRIPT_STEPS_MAX];
};

/**
 * Read a script.
 *
 * @param problem
 *   Room for @p size bytes: filled with "PATH:LINE: what is wrong" on failure.
 */
bool script_read(struct script *script, const char *path, unsigned int family, char *problem,
		size_t size);

#endif /* SCRIPT_H */

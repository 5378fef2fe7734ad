/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef GIVEN_H
#define GIVEN_H

/**
 * @file
 * What the command line of handfast-load gave, and what follows from it: the rest of the plan, the
 * request, the engine's settings. Settings are written as the text of a file and parsed, so that
 * their rules and messages exist once. Options are read in options.c; nothing here knows their
 * numbers.
 */

#include <stdbool.h>

#include "settings/settings.h"

#include "options.h"

/** Words that become lines of a port's settings; NULL or empty: not given. */
struct given_port {
	const char *device;
	const char *mac;
	const char *vlan;
	const char *mtu;
	const char *queues;
	char addresses[SETTINGS_TEXT_MAX];
	char gateways[SETTINGS_TEXT_MAX];
};

/** The same of the engine's. */
struct given_words {
	const char *workers;
	const char *main_core;
	const char *memory;
	const char *memory_size;
	const char *idle;
	const char *eal;
	const char *log_level;
	const char *connections;
	const char *instance;
};

/** The options of one command line, while they are read. */
struct given {
	struct options *options;
	struct given_words words;
	unsigned int at; /**< The port that options are about: that of the last --port. */
	struct given_port port[SETTINGS_PORTS_MAX];
	const char *program;
	const char *path;
	const char *send;
	const char *send_file;
	bool closes;    /**< Who closes was said, */
	bool third_ack; /**< and how the third segment goes, */
	bool spacing;   /**< and how starts lie, */
	bool retries;   /**< how often segments are repeated, */
	bool timeout;   /**< and how long a peer may be silent. */
};

/**
 * Fill options->plan, request and settings from what was given.
 * @return an exit code; the reason was written to standard error.
 */
int given_complete(struct given *given);

#endif /* GIVEN_H */

/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TELEMETRY_CLIENT_H
#define TELEMETRY_CLIENT_H

/**
 * @file
 * Questions to a running engine, over DPDK's own telemetry socket (protocol version 2).
 *
 * The socket is the one that dpdk-telemetry.py uses, so that there is one way in, with DPDK's
 * permissions on it.  Every failure is explained on stderr here, once; callers only stop.
 */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct telemetry_client;

/**
 * Connect to an instance.
 *
 * @param instance
 *   engine.instance of the configuration: DPDK's file prefix.
 * @param code
 *   Set to the exit code when NULL is returned.
 */
struct telemetry_client *telemetry_client_open(const char *instance, int *code);

/**
 * Send a command, wait for the answer and take it out of its wrapping.
 *
 * @return
 *   The value, owned by the caller, a JSON null when the engine does not know the command; NULL
 *   after a failure was reported.
 */
json_t *telemetry_client_ask(struct telemetry_client *client, const char *format, ...)
		__attribute__((format(printf, 2, 3)));

/**
 * Put the pieces of a long text (telemetry_text.h) together.
 *
 * @return @p text, empty when there is none of that name.
 */
const char *telemetry_client_join(const json_t *answer, const char *name, char *text, size_t size);

/** Wait so many seconds for an answer from now on, instead of 5. */
void telemetry_client_be_patient(struct telemetry_client *client, unsigned int seconds);

/** Whether the engine has closed the connection, as it does when it ends; says nothing. */
bool telemetry_client_lost(const struct telemetry_client *client);

void telemetry_client_close(struct telemetry_client *client);

/** Whether an instance runs; says nothing on stderr. */
bool telemetry_client_answers(const char *instance);

/** Where DPDK of this user keeps run-time files: a directory per instance. @return directory */
const char *telemetry_client_directory(char *directory, size_t size);

#endif /* TELEMETRY_CLIENT_H */

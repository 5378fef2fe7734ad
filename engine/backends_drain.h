/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BACKENDS_DRAIN_H
#define BACKENDS_DRAIN_H

/**
 * @file
 * One backend by hand: no new connections go there, those it has stay.  The same as a weight of 0
 * in the configuration, which it needs no change of, and which it outlasts a reload of.
 */

#include <stdbool.h>
#include <stdio.h>

#include "engine/reload.h"

struct engine;

/** @param name POOL/ADDRESS:PORT, as in the configuration. */
enum reload_result backends_drain(
		struct engine *engine, const char *name, bool drained, FILE *report);

#endif /* BACKENDS_DRAIN_H */

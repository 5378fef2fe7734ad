/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PREFLIGHT_H
#define PREFLIGHT_H

/**
 * @file
 * Whether this machine has what a configuration needs, before anything is started.
 *
 * DPDK answers most of these mistakes late and obscurely: a core out of range with its whole usage
 * text, a missing driver with no port at all.  Here each has a sentence and a remedy.
 */

#include <stdio.h>

#include "settings/settings.h"

#include "findings.h"
#include "machine.h"

/** Add what is wrong for @p settings; `doctor -c` shows it all. */
void preflight_check(const struct machine *machine, const struct settings *settings,
		struct findings *findings);

/** The part of preflight_check() that is about one port. */
void preflight_device_check(const struct machine *machine, const struct settings *settings,
		const struct settings_port *port, struct findings *findings);

/**
 * Check this machine for `run`: warnings and what blocks are written to @p errors.
 *
 * @return
 *   EXIT_CODE_OK or EXIT_CODE_PREFLIGHT.
 */
int preflight(const struct settings *settings, FILE *errors);

#endif /* PREFLIGHT_H */

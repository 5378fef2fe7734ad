/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TUPLES_H
#define TUPLES_H

/**
 * @file
 * Sources, source ports and targets as the command line gives them.
 */

#include <stdbool.h>

#include "engine/load.h"

/** Prefixes between commas, at least one, behind those that are there; cuts up @p text. */
bool tuples_parse_sources(char *text, struct settings_prefixes *sources);

/** The same of endpoints. */
bool tuples_parse_targets(char *text, struct settings_endpoints *targets);

/** FIRST-LAST. */
bool tuples_parse_ports(const char *text, struct load_plan *plan);

/** Say which prefixes of @p sources overlap. @return false: some do. */
bool tuples_check_sources(const struct settings_prefixes *sources, const char *program);

#endif /* TUPLES_H */

/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SERVICES_MAP_H
#define SERVICES_MAP_H

/**
 * @file
 * Which addresses come in through which port, and who listens at them.
 */

#include <stdbool.h>
#include <stdint.h>

#include "settings/settings.h"

struct engine;
struct port;
struct services;

/**
 * Build the map of a port: its own addresses and those we have towards backends, the services in
 * its subnets, and those in nobody's subnet, which a gateway sends here.
 *
 * @return 0, or -1 after the reason was logged.
 */
int services_map_port(
		const struct engine *engine, struct services *services, const struct port *port);

/** Whether the address is in one of the port's subnets. */
bool services_in_subnets(const uint8_t address[16], const struct settings_port *port);

#endif /* SERVICES_MAP_H */

/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SETTINGS_ADDRESS_H
#define SETTINGS_ADDRESS_H

/**
 * @file
 * IP addresses in settings: text, family, prefixes, and which ones no host may have.
 */

#include <stdbool.h>
#include <stdint.h>

#include "settings/settings.h"

/** @return false unless @p text is an IPv4 or IPv6 address; an IPv4-mapped one is neither. */
bool settings_address_parse(const char *text, uint8_t address[16]);

bool settings_address_is_ipv4(const uint8_t address[16]);

bool settings_address_is_link_local(const uint8_t address[16]);

/** @return what kind of address it is when no single host can have it, else NULL. */
const char *settings_address_unusable(const uint8_t address[16]);

bool settings_prefix_holds(const struct settings_prefix *prefix, const uint8_t address[16]);

/** @return whether an address is an IPv4 subnet's own or its broadcast address. */
bool settings_prefix_reserves(const struct settings_prefix *prefix, const uint8_t address[16]);

#endif /* SETTINGS_ADDRESS_H */

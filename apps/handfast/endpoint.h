/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef ENDPOINT_H
#define ENDPOINT_H

/**
 * @file
 * Addresses and ports from the command line.
 */

#include <stdbool.h>

struct endpoint {
	char address[46]; /**< As the engine writes it. */
	unsigned int port;
};

/** Read ADDRESS:PORT or [ADDRESS]:PORT. @return false when it is neither. */
bool endpoint_parse(const char *text, struct endpoint *endpoint);

/** Read an address and a port of two words. */
bool endpoint_parse_words(const char *address, const char *port, struct endpoint *endpoint);

/** Write it as endpoint_parse() reads it. @return text */
const char *endpoint_format(const struct endpoint *endpoint, char text[64]);

#endif /* ENDPOINT_H */

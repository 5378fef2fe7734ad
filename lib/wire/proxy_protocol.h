/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PROXY_PROTOCOL_H
#define PROXY_PROTOCOL_H

/**
 * @file
 * The header that tells a backend who its client is: PROXY protocol, versions 1 and 2.
 *
 * After "The PROXY protocol, versions 1 & 2" (Willy Tarreau, haproxy's doc/proxy-protocol.txt),
 * sections 2.1 and 2.2.  Both ends of a header have one family; should they differ, as no TCP
 * connection's do, both are written as IPv6, the IPv4 one mapped (RFC 4291 2.5.5.2).  The family is
 * that of the client's connection to us, whatever ours to the backend is.  No TLVs.
 */

#include <stddef.h>
#include <stdint.h>

#include <rte_byteorder.h>

/** Room for any header: the longest line of version 1, without the end that text has in C. */
#define PROXY_PROTOCOL_MAX 107

enum proxy_protocol_version {
	PROXY_PROTOCOL_NONE,
	PROXY_PROTOCOL_V1, /**< A line of text. */
	PROXY_PROTOCOL_V2, /**< Binary. */
};

/** The connection that the client opened. */
struct proxy_protocol_ends {
	uint8_t source[16];      /**< The client; IPv4-mapped. */
	uint8_t destination[16]; /**< What it connected to; IPv4-mapped. */
	rte_be16_t source_port;
	rte_be16_t destination_port;
};

/**
 * Write the header for a client.
 *
 * @param to
 *   PROXY_PROTOCOL_MAX bytes of room.
 * @return
 *   How many were written; 0 for PROXY_PROTOCOL_NONE.
 */
size_t proxy_protocol_write(uint8_t *to, enum proxy_protocol_version version,
		const struct proxy_protocol_ends *ends);

/** Write the header for a connection of our own, such as a health check; the same otherwise. */
size_t proxy_protocol_write_own(uint8_t *to, enum proxy_protocol_version version);

/** What proxy_protocol_write() will return, without writing. */
size_t proxy_protocol_length(
		enum proxy_protocol_version version, const struct proxy_protocol_ends *ends);

#endif /* PROXY_PROTOCOL_H */

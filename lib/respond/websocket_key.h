/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef WEBSOCKET_KEY_H
#define WEBSOCKET_KEY_H

/**
 * @file
 * Sec-WebSocket-Key and the answer to it (RFC 6455 4.2).
 *
 * The answer proves that a WebSocket server and no other read the request; it keeps no secret, so
 * that SHA-1 is broken does not matter.
 */

#include <stdbool.h>
#include <stdint.h>

struct evp_md_st; /* OpenSSL's EVP_MD */

#define WEBSOCKET_KEY_LENGTH    24 /**< Sixteen bytes in base64. */
#define WEBSOCKET_ACCEPT_LENGTH 28 /**< The twenty of a SHA-1. */

/** The key as it comes; all zero before its first byte. */
struct websocket_key {
	uint8_t length;
	char text[WEBSOCKET_KEY_LENGTH];
};

/** One more byte of the field's value. */
void websocket_key_add(struct websocket_key *key, uint8_t byte);

/** The value ends: what is not whole now will never be. */
void websocket_key_end(struct websocket_key *key);

/** Whether there was one key and it was sixteen bytes in base64. */
bool websocket_key_valid(const struct websocket_key *key);

/**
 * The Sec-WebSocket-Accept of a valid key.
 *
 * @param sha1
 *   SHA-1, fetched beforehand: looking it up would lock.
 * @return
 *   false when OpenSSL has no memory.
 */
bool websocket_key_accept(const struct websocket_key *key, const struct evp_md_st *sha1,
		char accept[WEBSOCKET_ACCEPT_LENGTH + 1]);

#endif /* WEBSOCKET_KEY_H */

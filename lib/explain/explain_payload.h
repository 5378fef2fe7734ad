/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef EXPLAIN_PAYLOAD_H
#define EXPLAIN_PAYLOAD_H

/**
 * @file
 * When the handshake above TCP was done: TLS (RFC 8446, RFC 5246) or WebSocket (RFC 6455).
 *
 * TLS is done when both ends have sent their Finished, which is encrypted: it is the first
 * handshake record after an end's ChangeCipherSpec up to TLS 1.2.  In TLS 1.3 it is the client's
 * first application_data record after one of the server: what came before is early data (0-RTT),
 * and what is too short is an alert, by which a client refuses a certificate.  curl -w stops
 * time_appconnect at the same event, when SSL_connect() has written the client's Finished; it does
 * not wait for a NewSessionTicket.  Nothing is decrypted.
 *
 * A connection may have carried other requests before it is upgraded.  HTTP/1.1 is looked at turn
 * by turn, so bodies need not be understood: who asks for an upgrade has had the answers to what he
 * asked before, and his next turn begins when he speaks after the server has.
 */

#include <stdbool.h>
#include <stdint.h>

#include "explain/explain_stream.h"

enum explain_protocol {
	EXPLAIN_PROTOCOL_UNKNOWN,
	EXPLAIN_PROTOCOL_TLS,
	EXPLAIN_PROTOCOL_WEBSOCKET,
	EXPLAIN_PROTOCOL_HTTP,
};

struct explain_payload_end {
	struct explain_stream stream; /**< Of HTTP: of this turn. */
	uint32_t origin;              /**< Where it begins. */
	uint32_t next;                /**< After the highest byte that was there. */
	uint32_t looked;     /**< Bytes of whole records, or of a header, that have been read. */
	bool cipher_changed; /**< ChangeCipherSpec was there. */
	bool finished;       /**< Its Finished was there. */
	bool lost; /**< Not what it seemed to be, or all was there; not looked at any more. */
};

struct explain_payload {
	struct explain_payload_end end[2]; /**< Client, server. */
	uint8_t protocol;                  /**< enum explain_protocol */
	uint16_t version;                  /**< Of TLS: 0x0303 is 1.2; 0 unknown. */
	bool done;      /**< The handshake is finished; streams are no longer kept. */
	char name[254]; /**< Server name that the client asked TLS for, or empty. */
};

/**
 * Add a piece of what an end said.
 *
 * @param from
 *   0 for the client, 1 for the server.
 * @return true when this piece finished the handshake.
 */
bool explain_payload_add(struct explain_payload *payload, unsigned int from,
		const struct explain_text *text);

/** Whether the client has said something after its Finished of TLS, maybe in the same segment. */
bool explain_payload_request_follows(const struct explain_payload *payload);

/** "TLS 1.3", "WebSocket"...; NULL when unknown. */
const char *explain_payload_name(const struct explain_payload *payload);

void explain_payload_free(struct explain_payload *payload);

#endif /* EXPLAIN_PAYLOAD_H */

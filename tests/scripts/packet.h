/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PACKET_H
#define PACKET_H

/**
 * @file
 * One TCP segment as a script writes it: from text, to text, to bytes, from bytes, and compared.
 *
 * Bytes are written and read here once more, without lib/wire, so that a script can send what
 * lib/wire would never build, and so that a mistake there is not made twice.
 *
 *     FLAGS SEQ:END(LEN) ack N win N urg N <options> "payload"
 *
 * README.md of this folder, written by index.py, has the grammar.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_OPTIONS_MAX 40
#define PACKET_TEXT_MAX    512
#define PACKET_FRAME_MAX   2048

/** A number that an expectation may leave open (`*`). */
struct packet_number {
	uint32_t value;
	bool any;
};

/** How a sequence number is meant. */
enum packet_base {
	PACKET_RELATIVE, /**< To the sender's initial sequence number. */
	PACKET_ABSOLUTE, /**< `@N`: as on the wire. */
	PACKET_NEW,   /**< `new`: a new initial sequence number, later ones are relative to it. */
	PACKET_ABOVE, /**< `above`: the same, and above all the numbers before it. */
};

enum packet_option_kind {
	PACKET_END = 0,
	PACKET_NOP = 1,
	PACKET_MSS = 2,
	PACKET_WINDOW_SCALE = 3,
	PACKET_SACK_PERMITTED = 4,
	PACKET_SACK = 5,
	PACKET_TIMESTAMPS = 8,
	PACKET_RAW = 256, /**< Bytes as they are, well formed or not. */
};

struct packet_option {
	unsigned int kind; /**< enum packet_option_kind */
	struct packet_number value[2];
	uint8_t raw[PACKET_OPTIONS_MAX];
	unsigned int raw_length;
};

struct packet {
	uint16_t flags; /**< FIN to CWR as on the wire; the reserved bits above them. */
	enum packet_base base;
	struct packet_number seq;
	enum packet_base ack_base;
	struct packet_number ack;
	bool has_ack; /**< An acknowledgement number is written. */
	struct packet_number window;
	uint16_t urgent;
	uint16_t length; /**< Payload bytes. */
	bool length_any; /**< `(*)` */
	bool options_any;
	unsigned int option_count;
	struct packet_option option[PACKET_OPTIONS_MAX];
	bool has_text; /**< The payload is quoted; otherwise it is a pattern. */
	bool text_is_prefix;
	char text[PACKET_TEXT_MAX];
	bool bad_checksum;
	uint8_t data_offset; /**< In words; 0 is the right one. */
};

/** Between whom it travels. */
struct packet_path {
	unsigned int family;
	uint8_t from[16]; /**< The first four bytes with family 4. */
	uint8_t to[16];
	uint8_t from_mac[6];
	uint8_t to_mac[6];
	uint16_t from_port;
	uint16_t to_port;
};

/** What relative numbers are relative to, one per direction. */
struct packet_origin {
	uint32_t seq; /**< Of the sender's SYN. */
	uint32_t tsval;
};

/**
 * Read a packet.
 *
 * @param family
 *   4 or 6: what `PATH` and `DEFAULT` stand for.
 * @return
 *   NULL, or what is wrong with it.
 */
const char *packet_parse(struct packet *packet, const char *text, unsigned int family);

/** Write a packet as text; @p text has room for @p size bytes. */
void packet_print(const struct packet *packet, char *text, size_t size);

/** The byte of the pattern at an offset in a stream. */
static inline uint8_t
packet_pattern(uint32_t offset)
{
	return (uint8_t)('a' + offset % 26);
}

/**
 * To bytes.
 *
 * @param own
 *   What the sender's numbers are relative to; @p peer, the receiver's.
 * @return
 *   Length of the frame.
 */
unsigned int packet_encode(const struct packet *packet, const struct packet_path *path,
		const struct packet_origin *own, const struct packet_origin *peer, uint8_t *frame);

/** An ICMP error about a segment of the receiver's. */
struct packet_error {
	bool too_big; /**< Packet too big, with @ref mtu; else port unreachable. */
	uint32_t mtu;
	uint32_t seq; /**< The quoted segment's, as on the wire. */
};

/** An ICMP error to bytes; the path is the error's, the quoted segment went the other way. */
unsigned int packet_encode_error(
		const struct packet_error *error, const struct packet_path *path, uint8_t *frame);

/**
 * From bytes; the other way round than packet_encode().
 *
 * @param path
 *   The way the answer was expected to travel.
 * @param payload
 *   Set to where the payload starts.
 * @return
 *   NULL, or what is wrong: not TCP, another path, a checksum, a reserved bit.
 */
const char *packet_decode(struct packet *packet, const struct packet_path *path,
		const uint8_t *frame, unsigned int length, const uint8_t **payload);

/** Subtract the origins from a decoded packet's absolute numbers. */
void packet_make_relative(struct packet *packet, const struct packet_origin *own,
		const struct packet_origin *peer);

/** Whether @p got is what @p expected says; payload apart. Both relative. */
bool packet_matches(const struct packet *expected, const struct packet *got);

#endif /* PACKET_H */

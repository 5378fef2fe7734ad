/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The frame reader: headers byte by byte, payload in stretches.
 *
 * A header is collected until it is whole and judged as early as its bytes allow.  What is said
 * depends on the bytes alone and not on how they were split.
 */

#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>

#include "websocket.h"

#define FIN         0x80
#define RSV         0x70
#define OPCODE      0x0f
#define CONTROL     0x08 /**< Bit of an opcode. */
#define MASK        0x80
#define LENGTH      0x7f
#define LENGTH_16   126 /**< A 16-bit length follows. */
#define LENGTH_64   127
#define CONTROL_MAX 125
#define MASK_BYTES  4
#define CLOSE_BYTES 4   /**< A Close frame of ours with a status code. */
#define STRETCH     512 /**< Bytes unmasked at a time. */

/** Text frames up to this length are complete and valid when they are echoed. */
#define HELD_MAX (ECHO_BUFFER_BYTES / 4)

/** RFC 6455 11.8 */
enum opcode {
	OPCODE_CONTINUATION = 0,
	OPCODE_TEXT = 1,
	OPCODE_BINARY = 2,
	OPCODE_CLOSE = 8,
	OPCODE_PING = 9,
	OPCODE_PONG = 10,
};

/** RFC 6455 7.4.1 */
enum code {
	CODE_NONE = 0,
	CODE_PROTOCOL_ERROR = 1002,
	CODE_INVALID_PAYLOAD = 1007,
};

/** A socket and where it speaks. */
struct speaker {
	struct websocket *socket;
	struct echo_buffers *buffers;
	uint32_t ring;
};

static enum opcode
opcode_of(const struct websocket *socket)
{
	return (enum opcode)(socket->header[0] & OPCODE);
}

static bool
is_control(const struct websocket *socket)
{
	return socket->header[0] & CONTROL;
}

/* Whether the current frame belongs to a message of text. */
static bool
is_text(const struct websocket *socket)
{
	return !is_control(socket) && socket->message == OPCODE_TEXT;
}

/* @return false when the peer did not keep to its window: better no word than a wrong one. */
static bool
say(const struct speaker *speaker, const uint8_t *bytes, uint32_t length)
{
	if (length > echo_buffer_room(speaker->buffers, speaker->ring))
		return false;
	echo_buffer_push(speaker->buffers, speaker->ring, bytes, length);
	if (speaker->socket->held > 0)
		speaker->socket->held += (uint16_t)length;
	return true;
}

/* The last frame (RFC 6455 5.5.1).  @return false */
static bool
say_close(const struct speaker *speaker, enum code code)
{
	const uint8_t frame[CLOSE_BYTES] = {
			FIN | OPCODE_CLOSE, code == CODE_NONE ? 0 : 2, code >> 8, code & 0xff};

	say(speaker, frame, 2u + frame[1]);
	return false;
}

/* RFC 6455 7.1.7.  What was held back is never said.  @return false */
static bool
fail(const struct speaker *speaker, enum code code)
{
	struct websocket *socket = speaker->socket;

	echo_buffer_retract(speaker->buffers, speaker->ring, socket->held);
	socket->held = 0;
	return say_close(speaker, code);
}

/* RFC 6455 7.4: what may stand in a Close frame, with IANA's later 1012 to 1014. */
static bool
is_code(uint16_t code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

/* Bytes of the extended length (RFC 6455 5.2). */
static unsigned int
extended(const struct websocket *socket)
{
	switch (socket->header[1] & LENGTH) {
	case LENGTH_16:
		return 2;
	case LENGTH_64:
		return 8;
	default:
		return 0;
	}
}

/* The first two bytes. */
static bool
begin_is_sound(const struct websocket *socket)
{
	unsigned int length = socket->header[1] & LENGTH;

	if ((socket->header[0] & RSV) != 0 || (socket->header[1] & MASK) == 0)
		return false;
	switch (opcode_of(socket)) {
	case OPCODE_CONTINUATION:
		return socket->message != 0;
	case OPCODE_TEXT:
	case OPCODE_BINARY:
		return socket->message == 0;
	case OPCODE_CLOSE:
		return (socket->header[0] & FIN) != 0 && length <= CONTROL_MAX && length != 1;
	case OPCODE_PING:
	case OPCODE_PONG:
		return (socket->header[0] & FIN) != 0 && length <= CONTROL_MAX;
	default:
		return false;
	}
}

static uint64_t
length_of(const struct websocket *socket)
{
	rte_be16_t length_16;
	rte_be64_t length_64;

	switch (extended(socket)) {
	case 2:
		memcpy(&length_16, socket->header + 2, sizeof(length_16));
		return rte_be_to_cpu_16(length_16);
	case 8:
		memcpy(&length_64, socket->header + 2, sizeof(length_64));
		return rte_be_to_cpu_64(length_64);
	default:
		return socket->header[1] & LENGTH;
	}
}

/* RFC 6455 5.2: the fewest bytes that can say it, and the top bit is 0. */
static bool
length_is_sound(const struct websocket *socket)
{
	uint64_t length = length_of(socket);

	switch (extended(socket)) {
	case 2:
		return length >= LENGTH_16;
	case 8:
		return length > UINT16_MAX && length <= INT64_MAX;
	default:
		return true;
	}
}

/* The header is whole: say ours, which is the same without the masking key. */
static bool
begin_frame(const struct speaker *speaker)
{
	struct websocket *socket = speaker->socket;
	enum opcode opcode = opcode_of(socket);
	uint8_t header[WEBSOCKET_HEADER_MAX - MASK_BYTES];
	uint32_t length = 2 + extended(socket);

	memcpy(header, socket->header, length);
	header[1] &= LENGTH;
	socket->mask_at = 0;
	if (opcode == OPCODE_CLOSE || opcode == OPCODE_TEXT)
		socket->utf8 = (struct utf8){0};
	if (opcode == OPCODE_CLOSE || opcode == OPCODE_PONG)
		return true;
	if (opcode == OPCODE_PING)
		header[0] = FIN | OPCODE_PONG;
	else if (opcode != OPCODE_CONTINUATION)
		socket->message = (uint8_t)opcode;
	if (!say(speaker, header, length))
		return false;
	if (is_text(socket) && socket->left <= HELD_MAX)
		socket->held = (uint16_t)length;
	return true;
}

static bool
end_close(const struct speaker *speaker)
{
	struct websocket *socket = speaker->socket;

	if ((socket->header[1] & LENGTH) == 0)
		return say_close(speaker, CODE_NONE);
	if (!is_code(socket->code))
		return fail(speaker, CODE_PROTOCOL_ERROR);
	if (!utf8_complete(&socket->utf8))
		return fail(speaker, CODE_INVALID_PAYLOAD);
	return say_close(speaker, (enum code)socket->code);
}

static bool
end_frame(const struct speaker *speaker)
{
	struct websocket *socket = speaker->socket;

	socket->header_length = 0;
	if (opcode_of(socket) == OPCODE_CLOSE)
		return end_close(speaker);
	if (!is_control(socket) && (socket->header[0] & FIN) != 0) {
		if (is_text(socket) && !utf8_complete(&socket->utf8))
			return fail(speaker, CODE_INVALID_PAYLOAD);
		socket->message = 0;
	}
	socket->held = 0;
	return true;
}

static bool
read_header(const struct speaker *speaker, uint8_t byte)
{
	struct websocket *socket = speaker->socket;
	unsigned int length;

	socket->header[socket->header_length++] = byte;
	if (socket->header_length < 2)
		return true;
	if (socket->header_length == 2 && !begin_is_sound(socket))
		return fail(speaker, CODE_PROTOCOL_ERROR);
	length = 2 + extended(socket);
	if (socket->header_length == length && !length_is_sound(socket))
		return fail(speaker, CODE_PROTOCOL_ERROR);
	if (socket->header_length < length + MASK_BYTES)
		return true;
	socket->left = length_of(socket);
	if (!begin_frame(speaker))
		return false;
	return socket->left > 0 || end_frame(speaker);
}

/* RFC 6455 5.3, four bytes at a time. */
static void
unmask(struct websocket *socket, const uint8_t *data, uint8_t *to, size_t length)
{
	const uint8_t *key = socket->header + 2 + extended(socket);
	uint8_t turned[MASK_BYTES];
	uint32_t mask, word;
	size_t at = 0;

	for (unsigned int i = 0; i < MASK_BYTES; i++)
		turned[i] = key[(socket->mask_at + i) % MASK_BYTES];
	memcpy(&mask, turned, sizeof(mask));
	for (; at + sizeof(word) <= length; at += sizeof(word)) {
		memcpy(&word, data + at, sizeof(word));
		word ^= mask;
		memcpy(to + at, &word, sizeof(word));
	}
	for (; at < length; at++)
		to[at] = data[at] ^ turned[at % MASK_BYTES];
	socket->mask_at = (socket->mask_at + length) % MASK_BYTES;
}

/* A status code and a reason in UTF-8 (RFC 6455 5.5.1); the answer has the code alone. */
static bool
read_close(const struct speaker *speaker, const uint8_t *text, size_t length)
{
	struct websocket *socket = speaker->socket;
	size_t at = (socket->header[1] & LENGTH) - socket->left;

	for (; length > 0 && at < 2; at++, length--)
		socket->code = (uint16_t)(socket->code << 8 | *text++);
	if (utf8_read(&socket->utf8, text, length) == length)
		return true;
	/* The code is wrong first if both are. */
	return fail(speaker, is_code(socket->code) ? CODE_INVALID_PAYLOAD : CODE_PROTOCOL_ERROR);
}

static bool
read_text(const struct speaker *speaker, const uint8_t *text, size_t length)
{
	struct websocket *socket = speaker->socket;
	size_t valid = utf8_read(&socket->utf8, text, length);

	if (valid == length)
		return say(speaker, text, (uint32_t)length);
	if (socket->held > 0)
		return fail(speaker, CODE_INVALID_PAYLOAD);
	/* The frame is half said and a Close would only be more of it: there is nothing to say. */
	say(speaker, text, (uint32_t)valid);
	return false;
}

/* One stretch of the payload, not beyond its end. */
static bool
read_payload(const struct speaker *speaker, const uint8_t *data, size_t length)
{
	struct websocket *socket = speaker->socket;
	uint8_t plain[STRETCH];
	bool open = true;

	unmask(socket, data, plain, length);
	if (opcode_of(socket) == OPCODE_CLOSE)
		open = read_close(speaker, plain, length);
	else if (is_text(socket))
		open = read_text(speaker, plain, length);
	else if (opcode_of(socket) != OPCODE_PONG)
		open = say(speaker, plain, (uint32_t)length);
	socket->left -= length;
	if (!open)
		return false;
	return socket->left > 0 || end_frame(speaker);
}

bool
websocket_read(struct websocket *socket, struct echo_buffers *buffers, uint32_t ring,
		const uint8_t *data, size_t length)
{
	const struct speaker speaker = {socket, buffers, ring};
	bool open = true;

	while (open && length > 0) {
		size_t stretch = RTE_MIN(length, (size_t)STRETCH);
		size_t used = (size_t)RTE_MIN((uint64_t)stretch, socket->left);

		if (used == 0) {
			used = 1;
			open = read_header(&speaker, *data);
		} else {
			open = read_payload(&speaker, data, used);
		}
		data += used;
		length -= used;
	}
	return open;
}

/*
 * A header uses up room as it comes, as if it were said at once, and there is always room for a
 * Close: so the right edge never moves back and all that is inside it can be said.
 */
uint32_t
websocket_window(const struct websocket *socket, const struct echo_buffers *buffers, uint32_t ring)
{
	uint32_t room = echo_buffer_room(buffers, ring);
	uint32_t used = CLOSE_BYTES + (socket->left == 0 ? socket->header_length : 0);

	return room > used ? room - used : 0;
}

uint32_t
websocket_ready(const struct websocket *socket, const struct echo_buffers *buffers, uint32_t ring)
{
	return echo_buffer_used(buffers, ring) - socket->held;
}

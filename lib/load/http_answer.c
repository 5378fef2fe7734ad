/* SPDX-License-Identifier: BSD-3-Clause */

#include "load/http_answer.h"

/* In the low bits of http_answer.state; the high bits are flags. */
enum state {
	VERSION,     /* "HTTP/1." and one digit. */
	STATUS,      /* " 1xx" to " 3xx"; match counts its characters. */
	REASON,      /* To the end of the status line. */
	LINE,        /* At the start of a header line. */
	NAME_LENGTH, /* In what may be "content-length:". */
	NAME_CODING, /* In what may be "transfer-encoding:". */
	LENGTH,      /* Its value; match: before its digits, in them, behind them. */
	CODING,      /* Its value; match counts "chunked". */
	SKIP,        /* To the end of a header line. */
	BODY,
	BODY_TO_CLOSE,
	CHUNK_SIZE,
	CHUNK_EXTENSION,
	CHUNK_DATA,
	CHUNK_END, /* The line end behind a chunk; match: its carriage return came. */
	TRAILER,   /* match: characters in the line. */
	STATE_MASK = 0x0f,
	IS_INTERIM = 0x10, /* 1xx: another one follows. */
	HAS_LENGTH = 0x20,
	IS_CHUNKED = 0x40,
	HAS_NO_BODY = 0x80, /* 204 or 304. */
};

_Static_assert((TRAILER & ~STATE_MASK) == 0, "the states are apart from the flags");

static const char version[] = "http/1.";
static const char content_length[] = "content-length:";
static const char transfer_encoding[] = "transfer-encoding:";
static const char chunked[] = "chunked";

static uint8_t
lower(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

static void
enter(struct http_answer *answer, enum state state)
{
	answer->state = (uint8_t)((answer->state & ~STATE_MASK) | state);
	answer->match = 0;
}

static bool
add_digit(struct http_answer *answer, unsigned int digit, unsigned int base)
{
	if (answer->left > (UINT32_MAX - digit) / base)
		return false;
	answer->left = answer->left * base + digit;
	return true;
}

static int
hex_digit(uint8_t byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte = lower(byte);
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The empty line behind the header. */
static enum http_answer_result
end_of_header(struct http_answer *answer)
{
	/* It has no content, whatever it says (RFC 9112 6.3): the next one begins here. */
	if ((answer->state & IS_INTERIM) != 0) {
		*answer = (struct http_answer){0};
		return HTTP_ANSWER_MORE;
	}
	if ((answer->state & HAS_NO_BODY) != 0)
		return HTTP_ANSWER_DONE;
	if ((answer->state & IS_CHUNKED) != 0) {
		answer->left = 0;
		enter(answer, CHUNK_SIZE);
		return HTTP_ANSWER_MORE;
	}
	if ((answer->state & HAS_LENGTH) == 0) {
		enter(answer, BODY_TO_CLOSE);
		return HTTP_ANSWER_MORE;
	}
	enter(answer, BODY);
	return answer->left == 0 ? HTTP_ANSWER_DONE : HTTP_ANSWER_MORE;
}

/* All three digits. */
static enum http_answer_result
take_code(struct http_answer *answer, uint32_t code)
{
	/* Another protocol, which nobody asked for (RFC 9110 15.2.2). */
	if (code == 0x313031)
		return HTTP_ANSWER_WRONG;
	if (code >> 16 == '1')
		answer->state |= IS_INTERIM;
	if (code == 0x323034 || code == 0x333034)
		answer->state |= HAS_NO_BODY;
	answer->left = 0;
	enter(answer, REASON);
	return HTTP_ANSWER_MORE;
}

static enum http_answer_result
take_status(struct http_answer *answer, uint8_t byte)
{
	switch (answer->match++) {
	case 0:
		return HTTP_ANSWER_MORE; /* The version's minor digit. */
	case 1:
		return byte == ' ' ? HTTP_ANSWER_MORE : HTTP_ANSWER_WRONG;
	case 2:
		answer->left = byte;
		return byte >= '1' && byte <= '3' ? HTTP_ANSWER_MORE : HTTP_ANSWER_WRONG;
	case 3:
		answer->left = answer->left << 8 | byte;
		return HTTP_ANSWER_MORE;
	default:
		return take_code(answer, answer->left << 8 | byte);
	}
}

/*
 * One more character of a header field's name. Neither field may come twice: RFC 9110 8.6 has a
 * sender say the length once, whether or not it says the same, and RFC 9112 6.1 chunk once.
 */
static enum http_answer_result
take_name(struct http_answer *answer, uint8_t byte, const char *name, enum state value)
{
	const unsigned int once = value == LENGTH ? HAS_LENGTH : IS_CHUNKED;

	if (byte == '\n') {
		enter(answer, LINE);
	} else if (lower(byte) != (uint8_t)name[answer->match]) {
		enter(answer, SKIP);
	} else if (name[++answer->match] == '\0') {
		if ((answer->state & once) != 0)
			return HTTP_ANSWER_WRONG;
		answer->state |= (uint8_t)once;
		if (value == LENGTH)
			answer->left = 0;
		enter(answer, value);
	}
	return HTTP_ANSWER_MORE;
}

static enum http_answer_result
take_line(struct http_answer *answer, uint8_t byte)
{
	if (byte == '\n')
		return end_of_header(answer);
	if (byte == '\r')
		return HTTP_ANSWER_MORE;
	if (lower(byte) == (uint8_t)content_length[0]) {
		enter(answer, NAME_LENGTH);
		answer->match = 1;
	} else if (lower(byte) == (uint8_t)transfer_encoding[0]) {
		enter(answer, NAME_CODING);
		answer->match = 1;
	} else {
		enter(answer, SKIP);
	}
	return HTTP_ANSWER_MORE;
}

static bool
is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

/* One number, and blanks around it. */
static enum http_answer_result
take_length(struct http_answer *answer, uint8_t byte)
{
	if (byte >= '0' && byte <= '9' && answer->match < 2) {
		answer->match = 1;
		return add_digit(answer, byte - '0', 10) ? HTTP_ANSWER_MORE : HTTP_ANSWER_WRONG;
	}
	if (byte == '\n' && answer->match > 0)
		enter(answer, LINE);
	else if (!is_blank(byte))
		return HTTP_ANSWER_WRONG;
	else if (answer->match == 1)
		answer->match = 2;
	return HTTP_ANSWER_MORE;
}

/* Nothing but "chunked", and blanks around it: others are for who asks (RFC 9112 7.4). */
static enum http_answer_result
take_coding(struct http_answer *answer, uint8_t byte)
{
	const uint8_t wanted = (uint8_t)chunked[answer->match];

	if (byte == '\n' && wanted == '\0')
		enter(answer, LINE);
	else if (wanted != '\0' && lower(byte) == wanted)
		answer->match++;
	else if (!is_blank(byte) || (answer->match > 0 && wanted != '\0'))
		return HTTP_ANSWER_WRONG;
	return HTTP_ANSWER_MORE;
}

static enum http_answer_result
take_chunk_size(struct http_answer *answer, uint8_t byte)
{
	const int digit = hex_digit(byte);

	if (digit >= 0) {
		answer->match = 1;
		return add_digit(answer, (unsigned int)digit, 16) ? HTTP_ANSWER_MORE
								  : HTTP_ANSWER_WRONG;
	}
	/* RFC 9112 7.1: an extension begins with a semicolon. */
	if (answer->match == 0 || (byte != '\n' && byte != ';' && !is_blank(byte)))
		return HTTP_ANSWER_WRONG;
	if (byte == '\n')
		enter(answer, answer->left > 0 ? CHUNK_DATA : TRAILER);
	else
		enter(answer, CHUNK_EXTENSION);
	return HTTP_ANSWER_MORE;
}

static enum http_answer_result
take_chunk_end(struct http_answer *answer, uint8_t byte)
{
	if (byte == '\n')
		enter(answer, CHUNK_SIZE);
	else if (byte != '\r' || answer->match++ > 0)
		return HTTP_ANSWER_WRONG;
	return HTTP_ANSWER_MORE;
}

static enum http_answer_result
take_trailer(struct http_answer *answer, uint8_t byte)
{
	if (byte == '\n') {
		if (answer->match == 0)
			return HTTP_ANSWER_DONE;
		answer->match = 0;
	} else if (byte != '\r') {
		answer->match = 1;
	}
	return HTTP_ANSWER_MORE;
}

static enum http_answer_result
take_byte(struct http_answer *answer, uint8_t byte)
{
	switch (answer->state & STATE_MASK) {
	case VERSION:
		if (lower(byte) != (uint8_t)version[answer->match])
			return HTTP_ANSWER_WRONG;
		if (version[++answer->match] == '\0')
			enter(answer, STATUS);
		return HTTP_ANSWER_MORE;
	case STATUS:
		return take_status(answer, byte);
	case LINE:
		return take_line(answer, byte);
	case NAME_LENGTH:
		return take_name(answer, byte, content_length, LENGTH);
	case NAME_CODING:
		return take_name(answer, byte, transfer_encoding, CODING);
	case LENGTH:
		return take_length(answer, byte);
	case CODING:
		return take_coding(answer, byte);
	case CHUNK_SIZE:
		return take_chunk_size(answer, byte);
	case CHUNK_EXTENSION:
		if (byte == '\n')
			enter(answer, answer->left > 0 ? CHUNK_DATA : TRAILER);
		return HTTP_ANSWER_MORE;
	case CHUNK_END:
		return take_chunk_end(answer, byte);
	case TRAILER:
		return take_trailer(answer, byte);
	default: /* REASON, SKIP */
		if (byte == '\n')
			enter(answer, LINE);
		return HTTP_ANSWER_MORE;
	}
}

/* Bytes that need no look. @return how many. */
static size_t
take_body(struct http_answer *answer, size_t length)
{
	const size_t body = length < answer->left ? length : answer->left;

	if ((answer->state & STATE_MASK) == BODY_TO_CLOSE)
		return length;
	answer->left -= (uint32_t)body;
	if (answer->left == 0 && (answer->state & STATE_MASK) == CHUNK_DATA)
		enter(answer, CHUNK_END);
	return body;
}

enum http_answer_result
http_answer_input(struct http_answer *answer, const uint8_t *data, size_t length, size_t *taken)
{
	enum http_answer_result result = HTTP_ANSWER_MORE;
	size_t at = 0;

	while (at < length && result == HTTP_ANSWER_MORE) {
		const unsigned int state = answer->state & STATE_MASK;

		if (state == BODY || state == BODY_TO_CLOSE || state == CHUNK_DATA) {
			at += take_body(answer, length - at);
			if (state == BODY && answer->left == 0)
				result = HTTP_ANSWER_DONE;
		} else {
			result = take_byte(answer, data[at++]);
		}
	}
	*taken = at;
	return result;
}

bool
http_answer_is_counted(const struct http_answer *answer)
{
	return (answer->state & STATE_MASK) == BODY;
}

enum http_answer_result
http_answer_closed(const struct http_answer *answer)
{
	return (answer->state & STATE_MASK) == BODY_TO_CLOSE ? HTTP_ANSWER_DONE : HTTP_ANSWER_WRONG;
}

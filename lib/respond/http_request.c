/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The request reader: a place per byte of the grammar.
 *
 * The words that matter lie behind one another in `texts`, and the place inside a word is its
 * index there; the remaining places are a small enum in front.  A byte that does not continue its
 * word may continue another of the same group that begins alike, so only one place is remembered.
 * Words are few and mismatches rare, so the search is a loop and not a table.
 *
 * Long stretches (target, values, names of no interest) are skipped by character class without
 * going through the places at all.
 */

#include <string.h>

#include <rte_common.h>

#include "http_request.h"

/** What we may stand before, outside the words. */
enum place {
	START,        /**< A request line, or an empty line before it (RFC 9112 2.2). */
	START_LF,     /**< The rest of such an empty line. */
	METHOD_OTHER, /**< More of a method that is none of ours. */
	TARGET_START,
	TARGET,
	VERSION_DOT,
	VERSION_MINOR,
	VERSION_END,
	REQUEST_LINE_LF,
	FIELD_START, /**< A field line or the empty line. */
	END_LF,      /**< The rest of the empty line. */
	NAME_OTHER,
	FIELD_LF,
	VALUE, /**< A value of no interest; the other places of values follow. */
	HOST_START,
	HOST,
	HOST_END,
	LENGTH_START,
	LENGTH_ZERO, /**< Nothing but zeros so far. */
	LENGTH_ZERO_END,
	LENGTH_SOME,
	LENGTH_SOME_END,
	OPTION_START, /**< A connection option (RFC 9110 7.6.1). */
	OPTION_OTHER,
	OPTION_END,
	STOPPED,
	WORDS = 32, /**< From here on: places in texts. */
};

/* The words, in any order.  What is not case-sensitive is in lower case. */
#define METHODS(WORD)            \
	WORD(GET, "GET")         \
	WORD(HEAD, "HEAD")       \
	WORD(POST, "POST")       \
	WORD(PUT, "PUT")         \
	WORD(DELETE, "DELETE")   \
	WORD(OPTIONS, "OPTIONS") \
	WORD(TRACE, "TRACE")     \
	WORD(CONNECT, "CONNECT") \
	WORD(PATCH, "PATCH")
#define SCHEMES(WORD)         \
	WORD(HTTP, "http://") \
	WORD(HTTPS, "https://")
#define VERSIONS(WORD) WORD(VERSION, "HTTP/")
#define NAMES(WORD)                            \
	WORD(CONNECTION, "connection")         \
	WORD(CONTENT_LENGTH, "content-length") \
	WORD(HOST_NAME, "host")                \
	WORD(TRANSFER_ENCODING, "transfer-encoding")
#define OPTIONS(WORD)        \
	WORD(CLOSE, "close") \
	WORD(KEEP_ALIVE, "keep-alive")

/* Each group is followed by an empty word, which ends a search. */
#define WORD_TEXT(name, text) text "\0"
static const char texts[] = "\0" METHODS(WORD_TEXT) "\0" SCHEMES(WORD_TEXT) "\0" VERSIONS(
		WORD_TEXT) "\0" NAMES(WORD_TEXT) "\0" OPTIONS(WORD_TEXT);

/* AT_<name> is the place before a word's first byte, END_<name> the one behind its last. */
#define WORD_PLACE(name, text) AT_##name, END_##name = AT_##name + sizeof(text) - 1,
enum word_place {
	BEFORE_METHODS = WORDS,
	METHODS(WORD_PLACE) BEFORE_SCHEMES,
	SCHEMES(WORD_PLACE) BEFORE_VERSIONS,
	VERSIONS(WORD_PLACE) BEFORE_NAMES,
	NAMES(WORD_PLACE) BEFORE_OPTIONS,
	OPTIONS(WORD_PLACE) AFTER_OPTIONS,
};

_Static_assert(STOPPED < WORDS, "the places before the words");
_Static_assert(AFTER_OPTIONS <= 256, "fits http_request.place");
_Static_assert(AFTER_OPTIONS - WORDS == sizeof(texts) - 1, "places and texts agree");

enum method {
	METHOD_UNKNOWN, /**< Not one of RFC 9110 9.3 or RFC 5789: 501. */
	METHOD_KNOWN,   /**< One of them that a fixed body has no use for: 405. */
	METHOD_GET,
	METHOD_HEAD,
};

enum {
	CLASS_TOKEN = 1,  /**< tchar, RFC 9110 5.6.2 */
	CLASS_TARGET = 2, /**< RFC 9112 3.2; bytes above 127 too, since clients send them. */
	CLASS_VALUE = 4,  /**< RFC 9110 5.5: no control characters but HTAB. */
	CLASS_HOST = 8,   /**< uri-host [ ":" port ], RFC 3986 3.2.2 */
	CLASS_NAME = 16,  /**< The first letter of a word in NAMES; spares most fields a search. */
};

#define IS_ALNUM(c) \
	(((c) >= '0' && (c) <= '9') || ((c) >= 'A' && (c) <= 'Z') || ((c) >= 'a' && (c) <= 'z'))
#define IS_TOKEN(c)                                                                              \
	(IS_ALNUM(c) || (c) == '!' || ((c) >= '#' && (c) <= '\'') || (c) == '*' || (c) == '+' || \
			(c) == '-' || (c) == '.' || ((c) >= '^' && (c) <= '`') || (c) == '|' ||  \
			(c) == '~')
#define IS_HOST(c)                                                                              \
	(IS_ALNUM(c) || (c) == '!' || ((c) >= '$' && (c) <= '.') || (c) == ':' || (c) == ';' || \
			(c) == '=' || (c) == '[' || (c) == ']' || (c) == '_' || (c) == '~')
#define IS_NAME(c) \
	((c) == 'C' || (c) == 'H' || (c) == 'T' || (c) == 'c' || (c) == 'h' || (c) == 't')
#define IS_VISIBLE(c) ((c) > ' ' && (c) != 127)
#define CLASS_1(c)                                                                       \
	(IS_TOKEN(c) ? CLASS_TOKEN : 0) | (IS_VISIBLE(c) ? CLASS_TARGET : 0) |           \
			(IS_VISIBLE(c) || (c) == ' ' || (c) == '\t' ? CLASS_VALUE : 0) | \
			(IS_HOST(c) ? CLASS_HOST : 0) | (IS_NAME(c) ? CLASS_NAME : 0)
#define CLASS_4(c)  CLASS_1(c), CLASS_1((c) + 1), CLASS_1((c) + 2), CLASS_1((c) + 3)
#define CLASS_16(c) CLASS_4(c), CLASS_4((c) + 4), CLASS_4((c) + 8), CLASS_4((c) + 12)
#define CLASS_64(c) CLASS_16(c), CLASS_16((c) + 16), CLASS_16((c) + 32), CLASS_16((c) + 48)

static const uint8_t classes[256] = {CLASS_64(0), CLASS_64(64), CLASS_64(128), CLASS_64(192)};

/* The bytes that leave a place as it is; skip() takes them. */
static const uint8_t stays[WORDS] = {
		[METHOD_OTHER] = CLASS_TOKEN,
		[TARGET] = CLASS_TARGET,
		[NAME_OTHER] = CLASS_TOKEN,
		[VALUE] = CLASS_VALUE,
		[HOST] = CLASS_HOST,
};

static bool
is(uint8_t byte, unsigned int class)
{
	return classes[byte] & class;
}

static bool
is_space(uint8_t byte)
{
	return byte == ' ' || byte == '\t';
}

static uint8_t
lower(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

static bool
word_ends(unsigned int place)
{
	return texts[place - WORDS] == '\0';
}

/* The place behind @p byte in a word of the group, or @p otherwise. */
static unsigned int
word_step(unsigned int place, uint8_t byte, unsigned int otherwise)
{
	const char *at = &texts[place - WORDS];
	const char *start = at, *other;
	size_t matched;

	if (*at == (char)byte)
		return place + 1;
	while (start[-1] != '\0')
		start--;
	matched = (size_t)(at - start);
	for (other = start + strlen(start) + 1; *other != '\0'; other += strlen(other) + 1)
		if (strncmp(other, start, matched) == 0 && other[matched] == (char)byte)
			return WORDS + (unsigned int)(other + matched + 1 - texts);
	return otherwise;
}

static enum http_reply
go(struct http_request *request, unsigned int place)
{
	request->place = place & 0xff;
	return HTTP_REPLY_NONE;
}

/* Go where @p byte leads from between two lines: nowhere, a CR must have its LF (RFC 9112 2.2). */
static enum http_reply
go_line_feed(struct http_request *request, uint8_t byte, unsigned int place)
{
	return byte == '\n' ? go(request, place) : HTTP_REPLY_BAD_REQUEST;
}

static enum http_reply
request_line_end(struct http_request *request)
{
	if (request->method == METHOD_UNKNOWN)
		return HTTP_REPLY_NOT_IMPLEMENTED;
	if (request->method == METHOD_KNOWN)
		return HTTP_REPLY_METHOD_NOT_ALLOWED;
	return go(request, FIELD_START);
}

static enum http_reply
request_end(const struct http_request *request)
{
	/* RFC 9112 3.2: a 1.1 request without Host is bad.  9.3: who stays, who goes. */
	bool keep = !request->close && (request->minor || request->keep);

	if (request->minor && !request->host)
		return HTTP_REPLY_BAD_REQUEST;
	if (request->content)
		return HTTP_REPLY_CONTENT_TOO_LARGE;
	if (request->method == METHOD_HEAD)
		return keep ? HTTP_REPLY_HEAD : HTTP_REPLY_HEAD_CLOSE;
	return keep ? HTTP_REPLY_GET : HTTP_REPLY_GET_CLOSE;
}

static enum http_reply
method_step(struct http_request *request, uint8_t byte)
{
	if (byte == ' ') {
		if (request->place == END_GET)
			request->method = METHOD_GET;
		else if (request->place == END_HEAD)
			request->method = METHOD_HEAD;
		else if (request->place >= WORDS && word_ends(request->place))
			request->method = METHOD_KNOWN;
		return go(request, TARGET_START);
	}
	if (request->place == METHOD_OTHER || !is(byte, CLASS_TOKEN))
		return HTTP_REPLY_BAD_REQUEST;
	return go(request, word_step(request->place, byte, METHOD_OTHER));
}

/*
 * RFC 9112 3.2: GET and HEAD take a path or an absolute URI.  What other methods take does not
 * matter, their request line only has to have the right parts.
 */
static enum http_reply
target_step(struct http_request *request, uint8_t byte)
{
	unsigned int place = request->place == TARGET_START ? AT_HTTP : request->place;

	if (place == TARGET)
		return byte == ' ' ? go(request, AT_VERSION) : HTTP_REPLY_BAD_REQUEST;
	if (!is(byte, CLASS_TARGET))
		return HTTP_REPLY_BAD_REQUEST;
	if (word_ends(place) || request->method == METHOD_KNOWN ||
			request->method == METHOD_UNKNOWN || (place == AT_HTTP && byte == '/'))
		return go(request, TARGET);
	place = word_step(place, lower(byte), START);
	return place == START ? HTTP_REPLY_BAD_REQUEST : go(request, place);
}

/* HTTP-name is case-sensitive, major and minor are one digit each (RFC 9112 2.3). */
static enum http_reply
version_step(struct http_request *request, uint8_t byte)
{
	bool digit = byte >= '0' && byte <= '9';

	switch (request->place) {
	case END_VERSION:
		if (digit && byte != '1')
			return HTTP_REPLY_VERSION;
		return byte == '1' ? go(request, VERSION_DOT) : HTTP_REPLY_BAD_REQUEST;
	case VERSION_DOT:
		return byte == '.' ? go(request, VERSION_MINOR) : HTTP_REPLY_BAD_REQUEST;
	case VERSION_MINOR:
		request->minor = byte != '0';
		return digit ? go(request, VERSION_END) : HTTP_REPLY_BAD_REQUEST;
	case VERSION_END:
		if (byte == '\r')
			return go(request, REQUEST_LINE_LF);
		/* Fall through. */
	case REQUEST_LINE_LF:
		return byte == '\n' ? request_line_end(request) : HTTP_REPLY_BAD_REQUEST;
	default:
		return HTTP_REPLY_BAD_REQUEST; /* skip() took all that matches. */
	}
}

/* RFC 9112 5.1: no space before the colon. */
static enum http_reply
name_step(struct http_request *request, uint8_t byte)
{
	if (byte != ':') {
		if (request->place == NAME_OTHER || !is(byte, CLASS_TOKEN))
			return HTTP_REPLY_BAD_REQUEST;
		return go(request, word_step(request->place, lower(byte), NAME_OTHER));
	}
	switch (request->place) {
	case END_HOST_NAME:
		if (request->host)
			return HTTP_REPLY_BAD_REQUEST;
		request->host = 1;
		return go(request, HOST_START);
	case END_CONTENT_LENGTH:
		return go(request, LENGTH_START);
	case END_CONNECTION:
		return go(request, OPTION_START);
	case END_TRANSFER_ENCODING:
		request->content = 1;
		return go(request, VALUE);
	default:
		return go(request, VALUE);
	}
}

static enum http_reply
host_step(struct http_request *request, uint8_t byte)
{
	if (is_space(byte))
		return go(request, request->place == HOST_START ? HOST_START : HOST_END);
	if (request->place == HOST_END || !is(byte, CLASS_HOST))
		return HTTP_REPLY_BAD_REQUEST;
	return go(request, HOST);
}

static enum http_reply
length_step(struct http_request *request, uint8_t byte)
{
	unsigned int place = request->place;

	if (is_space(byte)) {
		if (place == LENGTH_ZERO || place == LENGTH_SOME)
			place++;
		return go(request, place);
	}
	if (byte < '0' || byte > '9' || place == LENGTH_ZERO_END || place == LENGTH_SOME_END)
		return HTTP_REPLY_BAD_REQUEST;
	return go(request, byte == '0' && place != LENGTH_SOME ? LENGTH_ZERO : LENGTH_SOME);
}

static void
option_end(struct http_request *request)
{
	if (request->place == END_CLOSE)
		request->close = 1;
	else if (request->place == END_KEEP_ALIVE)
		request->keep = 1;
}

static enum http_reply
option_step(struct http_request *request, uint8_t byte)
{
	unsigned int place = request->place;

	if (!is(byte, CLASS_VALUE))
		return HTTP_REPLY_BAD_REQUEST;
	if (byte == ',' || is_space(byte)) {
		option_end(request);
		if (byte == ',')
			place = OPTION_START;
		else if (place >= WORDS)
			place = OPTION_END;
		return go(request, place);
	}
	if (place == OPTION_START)
		place = AT_CLOSE;
	if (place < WORDS)
		return go(request, OPTION_OTHER);
	return go(request, word_step(place, lower(byte), OPTION_OTHER));
}

static enum http_reply
value_end(struct http_request *request, uint8_t byte)
{
	unsigned int place = request->place;

	if (place == LENGTH_START)
		return HTTP_REPLY_BAD_REQUEST;
	if (place == LENGTH_SOME || place == LENGTH_SOME_END)
		request->content = 1;
	option_end(request);
	return go(request, byte == '\r' ? FIELD_LF : FIELD_START);
}

static enum http_reply
value_step(struct http_request *request, uint8_t byte)
{
	if (byte == '\r' || byte == '\n')
		return value_end(request, byte);
	if (request->place >= BEFORE_OPTIONS)
		return option_step(request, byte);
	switch (request->place) {
	case HOST_START:
	case HOST:
	case HOST_END:
		return host_step(request, byte);
	case OPTION_START:
	case OPTION_OTHER:
	case OPTION_END:
		return option_step(request, byte);
	case VALUE:
		return HTTP_REPLY_BAD_REQUEST;
	default:
		return length_step(request, byte);
	}
}

/* Before the request line, before a field line, and in the middle of CRLF. */
static enum http_reply
line_step(struct http_request *request, uint8_t byte)
{
	switch (request->place) {
	case START:
		if (byte == '\r')
			return go(request, START_LF);
		if (byte == '\n')
			return go(request, START);
		if (!is(byte, CLASS_TOKEN))
			return HTTP_REPLY_BAD_REQUEST;
		return go(request, word_step(AT_GET, byte, METHOD_OTHER));
	case START_LF:
		return go_line_feed(request, byte, START);
	case FIELD_START:
		if (byte == '\r')
			return go(request, END_LF);
		if (byte == '\n')
			return request_end(request);
		/* White space here is a folded line, which RFC 9112 5.2 lets a server refuse. */
		if (!is(byte, CLASS_TOKEN))
			return HTTP_REPLY_BAD_REQUEST;
		if (!is(byte, CLASS_NAME))
			return go(request, NAME_OTHER);
		return go(request, word_step(AT_CONNECTION, lower(byte), NAME_OTHER));
	case FIELD_LF:
		return go_line_feed(request, byte, FIELD_START);
	default:
		return byte == '\n' ? request_end(request) : HTTP_REPLY_BAD_REQUEST;
	}
}

static enum http_reply
step(struct http_request *request, uint8_t byte)
{
	switch (request->place) {
	case START:
	case START_LF:
	case FIELD_START:
	case FIELD_LF:
	case END_LF:
		return line_step(request, byte);
	case METHOD_OTHER:
	case AT_GET ... END_PATCH:
		return method_step(request, byte);
	case TARGET_START:
	case TARGET:
	case AT_HTTP ... END_HTTPS:
		return target_step(request, byte);
	case VERSION_DOT:
	case VERSION_MINOR:
	case VERSION_END:
	case REQUEST_LINE_LF:
	case AT_VERSION ... END_VERSION:
		return version_step(request, byte);
	case NAME_OTHER:
	case AT_CONNECTION ... END_TRANSFER_ENCODING:
		return name_step(request, byte);
	default:
		return value_step(request, byte);
	}
}

/* A request line or header section beyond the limit. */
static enum http_reply
too_long(const struct http_request *request)
{
	switch (request->place) {
	case METHOD_OTHER:
		return HTTP_REPLY_NOT_IMPLEMENTED; /* RFC 9112 3 */
	case TARGET:
		return HTTP_REPLY_URI_TOO_LONG;
	case START:
	case START_LF:
		return HTTP_REPLY_BAD_REQUEST;
	default:
		return HTTP_REPLY_HEADER_TOO_LARGE;
	}
}

/* The bytes that decide nothing: more of the same, or of the word they began. */
static size_t
skip(struct http_request *request, const uint8_t *data, size_t length)
{
	unsigned int place = request->place;
	size_t used = 0;

	if (place < WORDS) {
		while (used < length && is(data[used], stays[place]))
			used++;
		return used;
	}
	while (used < length && data[used] == (uint8_t)texts[place - WORDS] && data[used] != '\0') {
		used++;
		place++;
	}
	request->place = place & 0xff;
	return used;
}

size_t
http_request_read(struct http_request *request, const uint8_t *data, size_t length,
		enum http_reply *reply)
{
	size_t limit = RTE_MIN(length, (size_t)(HTTP_REQUEST_BYTES_MAX - request->length));
	size_t used = 0;

	*reply = HTTP_REPLY_NONE;
	if (http_request_stopped(request))
		return length;
	while (used < limit) {
		used += skip(request, data + used, limit - used);
		if (used == limit)
			break;
		*reply = step(request, data[used++]);
		if (*reply != HTTP_REPLY_NONE)
			break;
	}
	request->length += (uint32_t)used & HTTP_REQUEST_BYTES_MAX;
	if (*reply == HTTP_REPLY_NONE && request->length == HTTP_REQUEST_BYTES_MAX)
		*reply = too_long(request);
	if (*reply >= HTTP_REPLY_CLOSING)
		http_request_stop(request);
	else if (*reply != HTTP_REPLY_NONE)
		*request = (struct http_request){0};
	return used;
}

void
http_request_stop(struct http_request *request)
{
	*request = (struct http_request){.place = STOPPED};
}

bool
http_request_stopped(const struct http_request *request)
{
	return request->place == STOPPED;
}

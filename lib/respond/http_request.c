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

#include "http_byte.h"
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
	PROTOCOL_START, /**< A protocol to upgrade to (RFC 9110 7.8). */
	PROTOCOL_OTHER,
	SPOKEN_START, /**< A version of the WebSocket protocol. */
	SPOKEN_OTHER,
	KEY, /**< In Sec-WebSocket-Key; what of it came is in struct websocket_key. */
	SWITCHED,
	STOPPED,
	WORDS, /**< From here on: places in texts. */
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
#define NAMES(WORD)                                  \
	WORD(CONNECTION, "connection")               \
	WORD(CONTENT_LENGTH, "content-length")       \
	WORD(HOST_NAME, "host")                      \
	WORD(KEY_NAME, "sec-websocket-key")          \
	WORD(SPOKEN, "sec-websocket-version")        \
	WORD(TRANSFER_ENCODING, "transfer-encoding") \
	WORD(UPGRADE_NAME, "upgrade")
#define OPTIONS(WORD)                  \
	WORD(CLOSE, "close")           \
	WORD(KEEP_ALIVE, "keep-alive") \
	WORD(UPGRADE, "upgrade")
#define PROTOCOLS(WORD)       WORD(WEBSOCKET, "websocket")
#define SPOKEN_VERSIONS(WORD) WORD(VERSION_13, "13")

/* Each group is followed by an empty word, which ends a search. */
#define WORD_TEXT(name, text) text "\0"
#define GROUP(words)          "\0" words(WORD_TEXT)
static const char texts[] = GROUP(METHODS) GROUP(SCHEMES) GROUP(VERSIONS) GROUP(NAMES)
		GROUP(OPTIONS) GROUP(PROTOCOLS) GROUP(SPOKEN_VERSIONS);

/* AT_<name> is the place before a word's first byte, END_<name> the one behind its last. */
#define WORD_PLACE(name, text) AT_##name, END_##name = AT_##name + sizeof(text) - 1,
enum word_place {
	BEFORE_METHODS = WORDS,
	METHODS(WORD_PLACE) BEFORE_SCHEMES,
	SCHEMES(WORD_PLACE) BEFORE_VERSIONS,
	VERSIONS(WORD_PLACE) BEFORE_NAMES,
	NAMES(WORD_PLACE) BEFORE_OPTIONS,
	OPTIONS(WORD_PLACE) BEFORE_PROTOCOLS,
	PROTOCOLS(WORD_PLACE) BEFORE_SPOKEN_VERSIONS,
	SPOKEN_VERSIONS(WORD_PLACE) AFTER_WORDS,
};

_Static_assert(AFTER_WORDS <= 256, "fits http_request.place");
_Static_assert(AFTER_WORDS - WORDS == sizeof(texts) - 1, "places and texts agree");

enum method {
	METHOD_UNKNOWN, /**< Not one of RFC 9110 9.3 or RFC 5789: 501. */
	METHOD_KNOWN,   /**< One of them that a fixed body has no use for: 405. */
	METHOD_GET,
	METHOD_HEAD,
};

/* The bytes that leave a place as it is; skip() takes them. */
static const uint8_t stays[WORDS] = {
		[METHOD_OTHER] = HTTP_BYTE_TOKEN,
		[TARGET] = HTTP_BYTE_TARGET,
		[NAME_OTHER] = HTTP_BYTE_TOKEN,
		[VALUE] = HTTP_BYTE_VALUE,
		[HOST] = HTTP_BYTE_HOST,
};

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
	if (request->place == METHOD_OTHER || !http_byte_is(byte, HTTP_BYTE_TOKEN))
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
	if (!http_byte_is(byte, HTTP_BYTE_TARGET))
		return HTTP_REPLY_BAD_REQUEST;
	if (word_ends(place) || request->method == METHOD_KNOWN ||
			request->method == METHOD_UNKNOWN || (place == AT_HTTP && byte == '/'))
		return go(request, TARGET);
	place = word_step(place, http_byte_lower(byte), START);
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

/* The place behind a name's first letter: most names are of no interest and cost no search. */
static unsigned int
name_begin(uint8_t byte)
{
	static const uint8_t places[32] = {['c' & 31] = AT_CONNECTION + 1,
			['h' & 31] = AT_HOST_NAME + 1,
			['s' & 31] = AT_KEY_NAME + 1,
			['t' & 31] = AT_TRANSFER_ENCODING + 1,
			['u' & 31] = AT_UPGRADE_NAME + 1};
	unsigned int place = byte >= 'A' ? places[byte & 31] : 0;

	return place != 0 ? place : NAME_OTHER;
}

/* RFC 9112 5.1: no space before the colon. */
static enum http_reply
name_step(struct http_request *request, uint8_t byte)
{
	if (byte != ':') {
		if (request->place == NAME_OTHER || !http_byte_is(byte, HTTP_BYTE_TOKEN))
			return HTTP_REPLY_BAD_REQUEST;
		return go(request, word_step(request->place, http_byte_lower(byte), NAME_OTHER));
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
	case END_UPGRADE_NAME:
		return go(request, PROTOCOL_START);
	case END_SPOKEN:
		return go(request, SPOKEN_START);
	case END_KEY_NAME:
		return go(request, KEY);
	default:
		return go(request, VALUE);
	}
}

static enum http_reply
host_step(struct http_request *request, uint8_t byte)
{
	if (http_byte_is_space(byte))
		return go(request, request->place == HOST_START ? HOST_START : HOST_END);
	if (request->place == HOST_END || !http_byte_is(byte, HTTP_BYTE_HOST))
		return HTTP_REPLY_BAD_REQUEST;
	return go(request, HOST);
}

static enum http_reply
length_step(struct http_request *request, uint8_t byte)
{
	unsigned int place = request->place;

	if (http_byte_is_space(byte)) {
		if (place == LENGTH_ZERO || place == LENGTH_SOME)
			place++;
		return go(request, place);
	}
	if (byte < '0' || byte > '9' || place == LENGTH_ZERO_END || place == LENGTH_SOME_END)
		return HTTP_REPLY_BAD_REQUEST;
	return go(request, byte == '0' && place != LENGTH_SOME ? LENGTH_ZERO : LENGTH_SOME);
}

/** A field whose value is a list of words (RFC 9110 5.6.1), of which some matter. */
struct list {
	unsigned int start; /**< Before a word, */
	unsigned int other; /**< in or behind one of no interest, */
	unsigned int words; /**< and before those that matter. */
};

static const struct list options = {OPTION_START, OPTION_OTHER, AT_CLOSE};
static const struct list protocols = {PROTOCOL_START, PROTOCOL_OTHER, AT_WEBSOCKET};
/* RFC 6455 11.3.5 has one version in one field; 13 among several is as good. */
static const struct list spoken = {SPOKEN_START, SPOKEN_OTHER, AT_VERSION_13};

static void
list_word_end(struct http_request *request)
{
	request->close |= request->place == END_CLOSE;
	request->keep |= request->place == END_KEEP_ALIVE;
	request->upgrade |= request->place == END_UPGRADE;
	request->websocket |= request->place == END_WEBSOCKET;
	request->version_13 |= request->place == END_VERSION_13;
}

static enum http_reply
list_step(struct http_request *request, uint8_t byte, const struct list *list)
{
	unsigned int place = request->place;

	if (!http_byte_is(byte, HTTP_BYTE_VALUE))
		return HTTP_REPLY_BAD_REQUEST;
	if (byte == ',' || http_byte_is_space(byte)) {
		list_word_end(request);
		if (byte == ',')
			place = list->start;
		else if (place >= WORDS)
			place = list->other;
		return go(request, place);
	}
	if (place == list->start)
		place = list->words;
	if (place < WORDS)
		return go(request, list->other);
	return go(request, word_step(place, http_byte_lower(byte), list->other));
}

static enum http_reply
value_end(struct http_request *request, uint8_t byte)
{
	unsigned int place = request->place;

	if (place == LENGTH_START)
		return HTTP_REPLY_BAD_REQUEST;
	if (place == LENGTH_SOME || place == LENGTH_SOME_END)
		request->content = 1;
	list_word_end(request);
	return go(request, byte == '\r' ? FIELD_LF : FIELD_START);
}

static enum http_reply
value_step(struct http_request *request, uint8_t byte)
{
	if (byte == '\r' || byte == '\n')
		return value_end(request, byte);
	switch (request->place) {
	case HOST_START ... HOST_END:
		return host_step(request, byte);
	case OPTION_START ... OPTION_OTHER:
	case AT_CLOSE ... END_UPGRADE:
		return list_step(request, byte, &options);
	case PROTOCOL_START ... PROTOCOL_OTHER:
	case AT_WEBSOCKET ... END_WEBSOCKET:
		return list_step(request, byte, &protocols);
	case SPOKEN_START ... SPOKEN_OTHER:
	case AT_VERSION_13 ... END_VERSION_13:
		return list_step(request, byte, &spoken);
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
		if (!http_byte_is(byte, HTTP_BYTE_TOKEN))
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
		if (!http_byte_is(byte, HTTP_BYTE_TOKEN))
			return HTTP_REPLY_BAD_REQUEST;
		return go(request, name_begin(byte));
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
	case AT_CONNECTION ... END_UPGRADE_NAME:
		return name_step(request, byte);
	default:
		return value_step(request, byte);
	}
}

/* RFC 6455 4.1: one field, white space around the key but not in it. */
static enum http_reply
key_step(struct http_request *request, struct websocket_key *key, uint8_t byte)
{
	if (byte == '\r' || byte == '\n') {
		websocket_key_end(key);
		return value_end(request, byte);
	}
	if (!http_byte_is(byte, HTTP_BYTE_VALUE))
		return HTTP_REPLY_BAD_REQUEST;
	if (!http_byte_is_space(byte))
		websocket_key_add(key, byte);
	else if (key->length > 0)
		websocket_key_end(key);
	return HTTP_REPLY_NONE;
}

/*
 * RFC 9110 7.8: an upgrade is asked for by both fields, and never by HTTP/1.0.  RFC 6455 4.2.2: a
 * version that we do not speak may have another kind of key.
 */
static enum http_reply
handshake_end(const struct http_request *request, const struct websocket_key *key,
		enum http_reply reply)
{
	bool body = reply == HTTP_REPLY_GET || reply == HTTP_REPLY_GET_CLOSE;

	if (!body || !request->minor || !request->upgrade || !request->websocket)
		return reply;
	if (!request->version_13)
		return HTTP_REPLY_UPGRADE_REQUIRED;
	return websocket_key_valid(key) ? HTTP_REPLY_SWITCHING : HTTP_REPLY_BAD_REQUEST;
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
		while (used < length && http_byte_is(data[used], stays[place]))
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
http_request_read(struct http_request *request, struct websocket_key *key, const uint8_t *data,
		size_t length, enum http_reply *reply)
{
	struct websocket_key unused = {0};
	bool served = key != NULL;
	size_t limit = RTE_MIN(length, (size_t)(HTTP_REQUEST_BYTES_MAX - request->length));
	size_t used = 0;

	*reply = HTTP_REPLY_NONE;
	if (http_request_stopped(request))
		return length;
	if (!served)
		key = &unused;
	while (used < limit) {
		used += skip(request, data + used, limit - used);
		if (used == limit)
			break;
		if (request->place == KEY)
			*reply = key_step(request, key, data[used++]);
		else
			*reply = step(request, data[used++]);
		if (*reply != HTTP_REPLY_NONE)
			break;
	}
	request->length += (uint32_t)used & HTTP_REQUEST_BYTES_MAX;
	if (*reply == HTTP_REPLY_NONE && request->length == HTTP_REQUEST_BYTES_MAX)
		*reply = too_long(request);
	if (served)
		*reply = handshake_end(request, key, *reply);
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

void
http_request_switch(struct http_request *request)
{
	*request = (struct http_request){.place = SWITCHED};
}

bool
http_request_switched(const struct http_request *request)
{
	return request->place == SWITCHED;
}

bool
http_request_stopped(const struct http_request *request)
{
	return request->place == STOPPED;
}

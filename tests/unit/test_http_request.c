/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * http_request: what each request deserves, wherever it is split.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"
#include "respond/http_request.h"

#define SEED        UINT64_C(0x72657175657374)
#define REPLIES_MAX 16

/** Bytes, and the replies they deserve. */
struct sample {
	const char *text;
	enum http_reply reply[REPLIES_MAX];
};

#define GET    HTTP_REPLY_GET
#define HEAD   HTTP_REPLY_HEAD
#define GET_C  HTTP_REPLY_GET_CLOSE
#define HEAD_C HTTP_REPLY_HEAD_CLOSE
#define BAD    HTTP_REPLY_BAD_REQUEST
#define R405   HTTP_REPLY_METHOD_NOT_ALLOWED
#define R413   HTTP_REPLY_CONTENT_TOO_LARGE
#define R501   HTTP_REPLY_NOT_IMPLEMENTED
#define R505   HTTP_REPLY_VERSION
/* A request line and a Host field, so that a sample shows only what it is about. */
#define OK11 "GET / HTTP/1.1\r\nHost: a\r\n"

static const struct sample persistence[] = {
		{"GET / HTTP/1.1\nHost:\n\n", {GET}},
		{"GET / HTTP/1.1\r\nHost: 10.9.0.2\r\nUser-Agent: curl/7.88.1\r\nAccept: "
		 "*/*\r\n\r\n",
				{GET}},
		{"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", {HEAD}},
		{"GET /a/b?c=d&e=%20 HTTP/1.1\r\nhOsT: [fd00::1]:80\r\n\r\n", {GET}},
		{"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", {GET}},
		{"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", {GET}},
		{"GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n", {GET}},
		{"GET / HTTP/1.7\r\nHost: a\r\n\r\n", {GET}},
		{"GET / HTTP/1.0\r\n\r\n", {GET_C}},
		{"HEAD / HTTP/1.0\r\n\r\n", {HEAD_C}},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nHost: a\r\nUser-Agent: "
		 "ApacheBench/2.3\r\n"
		 "Accept: */*\r\n\r\n",
				{GET}},
		{"HEAD / HTTP/1.0\nConnection:keep-alive\n\n", {HEAD}},
		{OK11 "Connection: close\r\n\r\n", {GET_C}},
		{OK11 "CONNECTION:\t ClOsE \t\r\n\r\n", {GET_C}},
		{OK11 "Connection: keep-alive\r\n\r\n", {GET}},
		{OK11 "Connection: TE, close\r\n\r\n", {GET_C}},
		{OK11 "Connection: close,TE\r\n\r\n", {GET_C}},
		{OK11 "Connection: ,, ,close,\r\n\r\n", {GET_C}},
		{OK11 "Connection: keep-alive, close\r\n\r\n", {GET_C}},
		{OK11 "Connection: close\r\nConnection: keep-alive\r\n\r\n", {GET_C}},
		{"GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n", {GET_C}},
		{OK11 "Connection: closed\r\n\r\n", {GET}},
		{OK11 "Connection: clos\r\n\r\n", {GET}},
		{OK11 "Connection: xclose\r\n\r\n", {GET}},
		{OK11 "Connection: x close\r\n\r\n", {GET}},
		{OK11 "Connection:\r\n\r\n", {GET}},
		{"GET / HTTP/1.0\r\nConnection: keep-alives\r\n\r\n", {GET_C}},
		{"GET / HTTP/1.0\r\nConnection: keep-aliv, e\r\n\r\n", {GET_C}},
		{OK11 "Connectio: close\r\n\r\n", {GET}},
		{OK11 "Connections: close\r\n\r\n", {GET}},
		{OK11 "X-Connection: close\r\n\r\n", {GET}},
		{OK11 "Proxy-Connection: close\r\n\r\n", {GET}},
};

static const struct sample tolerated[] = {
		{"\r\n" OK11 "\r\n", {GET}},
		{"\n\r\n\n" OK11 "\r\n", {GET}},
		{"GET / HTTP/1.1\nHost: a\nConnection: close\n\n", {GET_C}},
		{"GET / HTTP/1.1\nHost: a\r\n\n", {GET}},
		{OK11 "Empty:\r\nSpaces: \t \r\nUtf: \xc3\xa4\r\n!#$%&'*+-.^_`|~09: x\r\n\r\n",
				{GET}},
		{OK11 "Content-Length: 0\r\n\r\n", {GET}},
		{OK11 "Content-Length:000 \t\r\n\r\n", {GET}},
		{OK11 "Expect: 100-continue\r\n\r\n", {GET}},
		{OK11 "Hos: b\r\nHosts: c\r\nContent-Type: d\r\nContent-Lengthy: 5\r\nContent: "
		      "x\r\n\r\n",
				{GET}},
		{"", {HTTP_REPLY_NONE}},
		{"\r\n\r\n", {HTTP_REPLY_NONE}},
		{"GET / HTTP/1.1\r\nHost: a\r\n", {HTTP_REPLY_NONE}},
		{OK11 "\r", {HTTP_REPLY_NONE}},
};

static const struct sample pipelined[] = {
		{OK11 "\r\n" OK11 "\r\n" OK11 "\r\n", {GET, GET, GET}},
		{OK11 "\r\nHEAD / HTTP/1.1\nHost:\n\n" OK11 "\r\n", {GET, HEAD, GET}},
		{OK11 "Connection: close\r\n\r\n" OK11 "\r\n", {GET_C}},
		{OK11 "\r\nGET / HTTP/1.0\r\n\r\n" OK11 "\r\n", {GET, GET_C}},
		{OK11 "\r\n\r\n" OK11 "\r\n", {GET, GET}},
		{OK11 "\r\nPOST / HTTP/1.1\r\n" OK11 "\r\n", {GET, R405}},
		/* What one request said does not stick to the next. */
		{"GET / HTTP/1.0\nConnection: keep-alive\n\nGET / HTTP/1.0\n\n", {GET, GET_C}},
		{OK11 "\r\nGET / HTTP/1.1\r\n\r\n", {GET, BAD}},
};

static const struct sample refused[] = {
		{"POST / HTTP/1.1\r\n", {R405}},
		{"PUT /x HTTP/1.1\r\n", {R405}},
		{"PATCH /x HTTP/1.1\r\n", {R405}},
		{"DELETE /x HTTP/1.1\r\n", {R405}},
		{"TRACE /x HTTP/1.1\r\n", {R405}},
		{"OPTIONS * HTTP/1.1\r\n", {R405}},
		{"CONNECT a:443 HTTP/1.1\r\n", {R405}},
		{"CONNECT a:443 HTTP/1.0\n", {R405}},
		{"BREW / HTTP/1.1\r\n", {R501}},
		{"get / HTTP/1.1\r\n", {R501}},
		{"GETS / HTTP/1.1\r\n", {R501}},
		{"GE / HTTP/1.1\r\n", {R501}},
		{"P / HTTP/1.1\r\n", {R501}},
		{"CONNECTION / HTTP/1.1\r\n", {R501}},
		{"GET / HTTP/2", {R505}},
		{"GET / HTTP/0", {R505}},
		{"PRI * HTTP/2", {R505}},
		{OK11 "Content-Length: 1\r\n\r\n", {R413}},
		{OK11 "content-length:\t0010 \r\n\r\n", {R413}},
		{OK11 "Content-Length: 99999999999999999999999999\r\n\r\n", {R413}},
		{OK11 "Content-Length: 0\r\nContent-Length: 7\r\n\r\n", {R413}},
		{OK11 "Transfer-Encoding: chunked\r\n\r\n", {R413}},
		{"HEAD / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", {R413}},
};

static const struct sample nonsense[] = {
		{" ", {BAD}},
		{":", {BAD}},
		{"\x16", {BAD}}, /* a TLS ClientHello */
		{"\x80", {BAD}},
		{"\rG", {BAD}},
		{"\r\r", {BAD}},
		{"GET\r", {BAD}},
		{"GET\n", {BAD}},
		{"GET\t", {BAD}},
		{"GET:", {BAD}},
		{"FOO\r", {BAD}},
		{"GET  ", {BAD}},
		{"GET \r", {BAD}},
		{"GET a", {BAD}},
		{"GET *", {BAD}},
		{"GET f", {BAD}},
		{"GET htx", {BAD}},
		{"GET http:/x", {BAD}},
		{"GET http:// ", {BAD}},
		{"GET /\r", {BAD}},
		{"GET /\n", {BAD}},
		{"GET /\t", {BAD}},
		{"GET /\x7f", {BAD}},
		{"GET /\x01", {BAD}},
		{"GET / \r", {BAD}},
		{"GET /  ", {BAD}},
		{"GET / x", {BAD}},
		{"GET / h", {BAD}},
		{"GET / HTTPS", {BAD}},
		{"GET / HTTP/x", {BAD}},
		{"GET / HTTP/1\r", {BAD}},
		{"GET / HTTP/11", {BAD}},
		{"GET / HTTP/1.x", {BAD}},
		{"GET / HTTP/1.10", {BAD}},
		{"GET / HTTP/1.1 ", {BAD}},
		{"GET / HTTP/1.1\r\r", {BAD}},
		{"GET / HTTP/1.1\rH", {BAD}},
		{"GET / HTTP/1.1\r\n ", {BAD}},
		{"GET / HTTP/1.1\r\n\t", {BAD}},
		{"GET / HTTP/1.1\r\n:", {BAD}},
		{"GET / HTTP/1.1\r\n\r\n", {BAD}},
		{"GET / HTTP/1.1\r\n\rH", {BAD}},
		{"GET / HTTP/1.1\r\nAccept: x\r\n\r\n", {BAD}},
		{"GET / HTTP/1.1\r\nHost ", {BAD}},
		{"GET / HTTP/1.1\r\nHost\r", {BAD}},
		{"GET / HTTP/1.1\r\nAccept\n", {BAD}},
		{"GET / HTTP/1.1\r\nAcc\x80", {BAD}},
		{"GET / HTTP/1.1\r\nHost: a b", {BAD}},
		{"GET / HTTP/1.1\r\nHost: a/", {BAD}},
		{"GET / HTTP/1.1\r\nHost: a@", {BAD}},
		{"GET / HTTP/1.1\r\nHost: a,", {HTTP_REPLY_NONE}}, /* sub-delims may be in a name */
		{OK11 "Host:", {BAD}},
		{OK11 "X: y\r\n ", {BAD}},
		{OK11 "X: \x01", {BAD}},
		{OK11 "X: y\rz", {BAD}},
		{OK11 "X: y\x7f", {BAD}},
		{OK11 "Connection: \x02", {BAD}},
		{OK11 "Connection: close\x02", {BAD}},
		{OK11 "Content-Length:\r", {BAD}},
		{OK11 "Content-Length: \n", {BAD}},
		{OK11 "Content-Length: x", {BAD}},
		{OK11 "Content-Length: -", {BAD}},
		{OK11 "Content-Length: 0,", {BAD}},
		{OK11 "Content-Length: 0 0", {BAD}},
		{OK11 "Content-Length: 5 5", {BAD}},
		{OK11 "Content-Length: 5x", {BAD}},
};

#define R426       HTTP_REPLY_UPGRADE_REQUIRED
#define R101       HTTP_REPLY_SWITCHING
#define UPGRADE    "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define ASKS       OK11 UPGRADE CONNECTION
#define KEY        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define SPEAKS     "Sec-WebSocket-Version: 13\r\n"

/* With WebSockets served; without, each of the first group is a GET. */
static const struct sample handshakes[] = {
		{"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
		 "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		 "Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n"
		 "Sec-WebSocket-Version: 13\r\n\r\n",
				{R101}}, /* RFC 6455 1.3 */
		{ASKS KEY SPEAKS "\r\n", {R101}},
		{"GET / HTTP/1.1\n" SPEAKS KEY CONNECTION UPGRADE "Host:\n\n", {R101}},
		{OK11 "UPGRADE: h2c, WebSocket\r\nconnection: keep-alive ,\tuPGRADE\r\n"
		      "SEC-WEBSOCKET-KEY:\t dGhlIHNhbXBsZSBub25jZQ== \t\r\n"
		      "sec-websocket-version:13 \r\n\r\n",
				{R101}},
		{OK11 "Upgrade: foo/1\r\n" UPGRADE "Connection: TE\r\n" CONNECTION KEY
		      "Sec-WebSocket-Version: 8\r\n" SPEAKS "\r\n",
				{R101}},
		{OK11 "\r\n" ASKS KEY SPEAKS "\r\n", {GET, R101}},
		{ASKS KEY SPEAKS "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", {R101}},
};

/* RFC 9110 7.8: without both fields, or before HTTP/1.1, nothing is asked. */
static const struct sample no_handshakes[] = {
		{OK11 UPGRADE KEY SPEAKS "\r\n", {GET}},
		{OK11 CONNECTION KEY SPEAKS "\r\n", {GET}},
		{OK11 KEY SPEAKS "\r\n", {GET}},
		{OK11 KEY "\r\n" ASKS SPEAKS KEY "X", {GET}},
		{OK11 CONNECTION "Upgrade: websockets\r\n" KEY SPEAKS "\r\n", {GET}},
		{OK11 CONNECTION "Upgrade: websocket/13\r\n" KEY SPEAKS "\r\n", {GET}},
		{OK11 CONNECTION "Upgrade: close\r\n" KEY SPEAKS "\r\n", {GET}},
		{OK11 "Connection: websocket\r\n" UPGRADE KEY SPEAKS "\r\n", {GET}},
		{OK11 "Connection: Upgrades, 13\r\n" UPGRADE KEY SPEAKS "\r\n", {GET}},
		{"GET / HTTP/1.0\r\nHost: a\r\n" CONNECTION UPGRADE KEY SPEAKS "\r\n", {GET_C}},
		{"HEAD / HTTP/1.1\r\nHost: a\r\n" CONNECTION UPGRADE KEY SPEAKS "\r\n", {HEAD}},
		{ASKS KEY SPEAKS "Content-Length: 1\r\n\r\n", {R413}},
		{"GET / HTTP/1.1\r\n" CONNECTION UPGRADE KEY SPEAKS "\r\n", {BAD}},
		{OK11 "Sec-WebSocket-Key: \x01", {BAD}},
		{OK11 "Sec-WebSocket-Key: dGhl\x7f", {BAD}},
		{OK11 "Sec-WebSocket-Version: 1\x02", {BAD}},
		{OK11 "Upgrade: web\x02", {BAD}},
		{OK11 "Sec-WebSocket-Ke: x\r\nSec-WebSocket-Keys: x\r\nSec-WebSocket-Versio: 8\r\n"
		      "Upgrad: x\r\nServer: x\r\nUser-Agent: x\r\n\r\n",
				{GET}},
};

static const struct sample refused_handshakes[] = {
		{ASKS KEY "\r\n", {R426}},
		{ASKS KEY "Sec-WebSocket-Version:\r\n\r\n", {R426}},
		{ASKS KEY "Sec-WebSocket-Version: 8\r\n\r\n", {R426}},
		{ASKS KEY "Sec-WebSocket-Version: 130\r\n\r\n", {R426}},
		{ASKS KEY "Sec-WebSocket-Version: 1\r\n\r\n", {R426}},
		{ASKS KEY "Sec-WebSocket-Version: 1 3\r\n\r\n", {R426}},
		{ASKS KEY "Sec-WebSocket-Version: 013\r\n\r\n", {R426}},
		{ASKS "Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 14\r\n\r\n", {R426}},
		{ASKS SPEAKS "\r\n", {BAD}},
		{ASKS SPEAKS "Sec-WebSocket-Key:\r\n\r\n", {BAD}},
		{ASKS SPEAKS "Sec-WebSocket-Key: \t \r\n\r\n", {BAD}},
		{ASKS SPEAKS "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n\r\n", {BAD}},
		{ASKS SPEAKS "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ===\r\n\r\n", {BAD}},
		{ASKS SPEAKS "Sec-WebSocket-Key: dGhlIHNhbXBs ZSBub25jZQ==\r\n\r\n", {BAD}},
		{ASKS SPEAKS "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ== x\r\n\r\n", {BAD}},
		{ASKS SPEAKS "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==, a\r\n\r\n", {BAD}},
		{ASKS SPEAKS KEY KEY "\r\n", {BAD}},
		{ASKS SPEAKS "Sec-WebSocket-Key: dGhlIHNhbXBs\r\nSec-WebSocket-Key: "
			     "ZSBub25jZQ==\r\n"
			     "\r\n",
				{BAD}},
		{ASKS SPEAKS "Sec-WebSocket-Key:\r\n" KEY "\r\n", {BAD}},
};

/** What a reader made of a stream. */
struct outcome {
	unsigned int replies;
	enum http_reply reply[REPLIES_MAX];
	struct http_request request;
	struct websocket_key key;
	bool served; /**< WebSockets are. */
};

static void
read_piece(struct outcome *outcome, const uint8_t *data, size_t length)
{
	while (length > 0) {
		enum http_reply reply;
		size_t used = http_request_read(&outcome->request,
				outcome->served ? &outcome->key : NULL, data, length, &reply);

		assert_true(used > 0 && used <= length);
		data += used;
		length -= used;
		if (reply == HTTP_REPLY_NONE) {
			assert_int_equal(length, 0);
			continue;
		}
		assert_true(outcome->replies < REPLIES_MAX);
		outcome->reply[outcome->replies++] = reply;
		outcome->key = (struct websocket_key){0};
		assert_int_equal(http_request_stopped(&outcome->request),
				reply >= HTTP_REPLY_CLOSING);
	}
}

static void
assert_outcome(const struct outcome *outcome, const struct sample *sample)
{
	for (unsigned int i = 0; i < REPLIES_MAX; i++) {
		if (outcome->reply[i] != sample->reply[i])
			print_message("reply %u of: %s\n", i, sample->text);
		assert_int_equal(outcome->reply[i], sample->reply[i]);
	}
}

/* At once; cut in two anywhere; byte by byte. */
static void
check(const struct sample *samples, size_t count, bool served)
{
	for (size_t i = 0; i < count; i++) {
		const uint8_t *text = (const uint8_t *)samples[i].text;
		size_t length = strlen(samples[i].text);
		struct outcome whole = {.served = served}, single = whole;

		read_piece(&whole, text, length);
		assert_outcome(&whole, &samples[i]);
		for (size_t cut = 0; cut <= length; cut++) {
			struct outcome two = {.served = served};

			read_piece(&two, text, cut);
			read_piece(&two, text + cut, length - cut);
			assert_memory_equal(&two, &whole, sizeof(two));
		}
		for (size_t at = 0; at < length; at++)
			read_piece(&single, text + at, 1);
		assert_memory_equal(&single, &whole, sizeof(single));
	}
}

#define CHECK_SERVED(samples, served) check(samples, sizeof(samples) / sizeof(samples[0]), served)

/* What has nothing to do with WebSockets does not depend on them. */
#define CHECK(samples)                        \
	do {                                  \
		CHECK_SERVED(samples, false); \
		CHECK_SERVED(samples, true);  \
	} while (0)

static void
persistence_follows_version_and_connection_options(void **state)
{
	(void)state;
	CHECK(persistence);
}

static void
harmless_oddities_are_tolerated(void **state)
{
	(void)state;
	CHECK(tolerated);
}

static void
pipelined_requests_are_told_apart(void **state)
{
	(void)state;
	CHECK(pipelined);
}

static void
a_websocket_is_switched_to_when_served(void **state)
{
	(void)state;
	CHECK_SERVED(handshakes, true);
	for (size_t i = 0; i < sizeof(handshakes) / sizeof(handshakes[0]); i++) {
		const struct sample *sample = &handshakes[i];
		struct sample plain = *sample;

		for (unsigned int reply = 0; reply < REPLIES_MAX; reply++)
			if (plain.reply[reply] == R101)
				plain.reply[reply] = GET;
		check(&plain, 1, false);
	}
}

static void
what_does_not_ask_for_a_websocket_gets_none(void **state)
{
	(void)state;
	CHECK(no_handshakes);
}

static void
wrong_versions_and_keys_are_refused_when_served(void **state)
{
	(void)state;
	CHECK_SERVED(refused_handshakes, true);
	for (size_t i = 0; i < sizeof(refused_handshakes) / sizeof(refused_handshakes[0]); i++) {
		const struct sample plain = {refused_handshakes[i].text, {GET}};

		check(&plain, 1, false);
	}
}

static void
what_we_do_not_do_is_refused_by_name(void **state)
{
	(void)state;
	CHECK(refused);
}

static void
nonsense_is_bad_at_its_first_wrong_byte(void **state)
{
	(void)state;
	CHECK(nonsense);
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		struct outcome outcome = {0};
		size_t length = strlen(nonsense[i].text);

		/* Nothing but a missing Host is only known at the end, and that is a byte too. */
		read_piece(&outcome, (const uint8_t *)nonsense[i].text, length - 1);
		if (outcome.replies != 0)
			print_message("too early: %s\n", nonsense[i].text);
		assert_int_equal(outcome.replies, 0);
	}
}

static void
control_characters_are_bad_everywhere(void **state)
{
	static const char request[] = "GET /x HTTP/1.1\r\nHost: a\r\nA: b\r\nConnection: close\r\n"
				      "Content-Length: 0\r\n\r\n";
	uint8_t text[sizeof(request)];

	(void)state;
	for (unsigned int control = 0; control < 33; control++) {
		uint8_t byte = control < 32 ? (uint8_t)control : 127;

		if (byte == '\t' || byte == '\r' || byte == '\n')
			continue;
		for (size_t at = 0; at < sizeof(request) - 1; at++) {
			struct outcome outcome = {0};

			memcpy(text, request, sizeof(request));
			text[at] = byte;
			read_piece(&outcome, text, sizeof(request) - 1);
			assert_int_equal(outcome.replies, 1);
			assert_int_equal(outcome.reply[0], BAD);
		}
	}
}

static void
after_the_last_reply_everything_is_swallowed(void **state)
{
	struct outcome outcome = {0};

	(void)state;
	read_piece(&outcome, (const uint8_t *)"GET / HTTP/1.0\n\n", 16);
	assert_int_equal(outcome.replies, 1);
	for (unsigned int i = 0; i < 1000; i++)
		read_piece(&outcome, (const uint8_t *)OK11 "\r\n", strlen(OK11 "\r\n"));
	assert_int_equal(outcome.replies, 1);
	assert_true(http_request_stopped(&outcome.request));
}

/* Fill with @p filler to exactly @p length bytes, then end with @p end. */
static enum http_reply
read_long(const char *begin, char filler, size_t length, const char *end, size_t piece)
{
	static uint8_t text[2 * HTTP_REQUEST_BYTES_MAX];
	struct outcome outcome = {0};

	memset(text, filler, length);
	memcpy(text, begin, strlen(begin));
	memcpy(text + length - strlen(end), end, strlen(end));
	for (size_t at = 0; at < length; at += piece)
		read_piece(&outcome, text + at, length - at < piece ? length - at : piece);
	assert_true(outcome.replies <= 1);
	return outcome.reply[0];
}

static void
length_is_limited_to_the_byte(void **state)
{
	const size_t pieces[] = {1, 7, 1460, 2 * HTTP_REQUEST_BYTES_MAX};
	const size_t max = HTTP_REQUEST_BYTES_MAX;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		size_t piece = pieces[i];

		assert_int_equal(read_long(OK11 "X: ", 'x', max, "\r\n\r\n", piece), GET);
		assert_int_equal(read_long(OK11 "X: ", 'x', max + 1, "\r\n\r\n", piece),
				HTTP_REPLY_HEADER_TOO_LARGE);
		assert_int_equal(read_long(OK11, 'x', max + 1, ":\r\n\r\n", piece),
				HTTP_REPLY_HEADER_TOO_LARGE);
		assert_int_equal(read_long(OK11 "X: ", 'x', max - 1, "", piece), HTTP_REPLY_NONE);
		assert_int_equal(read_long("GET /", 'x', max + 1000, "", piece),
				HTTP_REPLY_URI_TOO_LONG);
		assert_int_equal(read_long("G", 'G', max + 1000, "", piece), R501);
		assert_int_equal(read_long("", '\n', max + 1000, "", piece), BAD);
	}
}

static void
random_cuts_change_nothing(void **state)
{
	static const struct sample *const groups[] = {persistence, tolerated, pipelined};
	static const size_t sizes[] = {sizeof(persistence) / sizeof(struct sample),
			sizeof(tolerated) / sizeof(struct sample),
			sizeof(pipelined) / sizeof(struct sample)};
	uint64_t seed = SEED;

	(void)state;
	print_message("seed %#llx\n", (unsigned long long)SEED);
	for (unsigned int round = 0; round < 5000; round++) {
		unsigned int group = random_next(&seed) % 3;
		const struct sample *sample = &groups[group][random_next(&seed) % sizes[group]];
		size_t length = strlen(sample->text), at = 0;
		struct outcome outcome = {0};

		while (at < length) {
			size_t piece = 1 + random_next(&seed) % 20;

			piece = piece < length - at ? piece : length - at;
			read_piece(&outcome, (const uint8_t *)sample->text + at, piece);
			at += piece;
		}
		assert_outcome(&outcome, sample);
	}
}

/* The claim behind HTTP_REQUEST_BYTES_MIN: every single byte of the shortest is needed. */
static void
no_request_that_is_kept_is_shorter_than_the_minimum(void **state)
{
	static const char shortest[] = "GET / HTTP/1.1\nHost:\n\n";

	(void)state;
	assert_int_equal(strlen(shortest), HTTP_REQUEST_BYTES_MIN);
	for (size_t gone = 0; gone < strlen(shortest); gone++) {
		char text[sizeof(shortest)];
		struct outcome outcome = {0};

		memcpy(text, shortest, gone);
		memcpy(text + gone, shortest + gone + 1, sizeof(shortest) - gone - 1);
		read_piece(&outcome, (const uint8_t *)text, strlen(text));
		assert_true(outcome.reply[0] != GET && outcome.reply[0] != HEAD);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(persistence_follows_version_and_connection_options),
			cmocka_unit_test(harmless_oddities_are_tolerated),
			cmocka_unit_test(pipelined_requests_are_told_apart),
			cmocka_unit_test(a_websocket_is_switched_to_when_served),
			cmocka_unit_test(what_does_not_ask_for_a_websocket_gets_none),
			cmocka_unit_test(wrong_versions_and_keys_are_refused_when_served),
			cmocka_unit_test(what_we_do_not_do_is_refused_by_name),
			cmocka_unit_test(nonsense_is_bad_at_its_first_wrong_byte),
			cmocka_unit_test(control_characters_are_bad_everywhere),
			cmocka_unit_test(after_the_last_reply_everything_is_swallowed),
			cmocka_unit_test(length_is_limited_to_the_byte),
			cmocka_unit_test(random_cuts_change_nothing),
			cmocka_unit_test(no_request_that_is_kept_is_shorter_than_the_minimum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

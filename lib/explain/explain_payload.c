/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>
#include <strings.h>

#include <rte_common.h>

#include "explain/explain_payload.h"
#include "tcp/tcp_seq.h"
#include "wire/bytes.h"

#define TLS_RECORD_HEADER 5
#define TLS_RECORD_MAX    (16384 + 2048)

/**
 * A Finished in a record of TLS 1.3: header, hash, type, and a tag of 8 bytes (RFC 8446 4.4.4, 5.2;
 * AES-CCM-8 has the shortest).  An encrypted alert has 19 bytes at most.
 */
#define TLS_FINISHED_MIN (4 + 32 + 1 + 8)

#define HTTP_METHOD_MAX  8 /**< The longest that is known, with its space; TLS needs less. */

/**
 * So much in order without the client's first bytes: the capture lacks them, or he has nothing to
 * say.  No more than that is kept beyond a gap.
 */
#define UNRECOGNISED_BYTES UINT32_C(8192)

/**
 * Whoever has come so far does not say his first bytes again: that they are lost is known after ten
 * segments (RFC 6928 2), two more (RFC 3042 2), and some for a window that has grown.
 */
#define UNRECOGNISED_REACH (3 * UNRECOGNISED_BYTES)

/** TLS record types (RFC 8446 5.1). */
enum tls_record {
	TLS_CHANGE_CIPHER_SPEC = 20,
	TLS_ALERT = 21,
	TLS_HANDSHAKE = 22,
	TLS_APPLICATION_DATA = 23,
};

enum tls_version {
	TLS_1_2 = 0x0303,
	TLS_1_3 = 0x0304,
};

enum tls_message {
	TLS_CLIENT_HELLO = 1,
	TLS_SERVER_HELLO = 2,
};

enum tls_extension {
	TLS_SERVER_NAME = 0,
	TLS_SUPPORTED_VERSIONS = 43,
};

/** Bytes of a message that are still to be read. */
struct reader {
	const uint8_t *at;
	uint32_t left;
};

static uint32_t
take_number(struct reader *reader, unsigned int bytes)
{
	uint32_t number = 0;

	if (reader->left < bytes) {
		reader->left = 0;
		return 0;
	}
	for (unsigned int i = 0; i < bytes; i++)
		number = number << 8 | reader->at[i];
	reader->at += bytes;
	reader->left -= bytes;
	return number;
}

/* What a length of @p bytes announces; empty when it announces more than there is. */
static struct reader
take_vector(struct reader *reader, unsigned int bytes)
{
	const uint32_t length = take_number(reader, bytes);
	struct reader inner = {reader->at, length};

	if (length > reader->left) {
		reader->left = 0;
		inner.left = 0;
		return inner;
	}
	reader->at += length;
	reader->left -= length;
	return inner;
}

/* The same, but what there is of it when that is less; says whether it was. */
static struct reader
take_beginning(struct reader *reader, unsigned int bytes, bool *cut)
{
	const uint32_t length = take_number(reader, bytes);
	const struct reader inner = {reader->at, RTE_MIN(length, reader->left)};

	*cut = length > reader->left;
	reader->at += inner.left;
	reader->left -= inner.left;
	return inner;
}

static void
skip_bytes(struct reader *reader, uint32_t bytes)
{
	const uint32_t skipped = RTE_MIN(bytes, reader->left);

	reader->at += skipped;
	reader->left -= skipped;
}

static void
read_server_name(struct explain_payload *payload, struct reader extension)
{
	struct reader list = take_vector(&extension, 2), name;
	size_t length;

	if (take_number(&list, 1) != 0)
		return;
	name = take_vector(&list, 2);
	length = RTE_MIN((size_t)name.left, sizeof(payload->name) - 1);
	for (size_t i = 0; i < length; i++)
		payload->name[i] = name.at[i] > ' ' && name.at[i] < 0x7f ? (char)name.at[i] : '?';
	payload->name[length] = '\0';
}

/*
 * ClientHello and ServerHello begin alike: version, random, session, and differ in two lists.  From
 * 1.3 on the version is in the server's supported_versions, and what is first is that of 1.2 (RFC
 * 8446 4.1.3, 4.2.1), so it is not known of a ServerHello that the capture @p cut off before.
 */
static void
read_hello(struct explain_payload *payload, struct reader hello, bool server, bool cut)
{
	const uint16_t legacy_version = (uint16_t)take_number(&hello, 2);
	struct reader extensions;

	if (server && (!cut || legacy_version < TLS_1_2))
		payload->version = legacy_version;
	skip_bytes(&hello, 32);
	take_vector(&hello, 1);
	if (server) {
		skip_bytes(&hello, 3);
	} else {
		take_vector(&hello, 2);
		take_vector(&hello, 1);
	}
	extensions = take_beginning(&hello, 2, &cut);
	while (extensions.left >= 4) {
		const uint32_t type = take_number(&extensions, 2);
		struct reader extension = take_vector(&extensions, 2);

		if (type == TLS_SERVER_NAME && !server)
			read_server_name(payload, extension);
		if (type == TLS_SUPPORTED_VERSIONS && server && extension.left >= 2)
			payload->version = (uint16_t)take_number(&extension, 2);
	}
}

static void
read_handshake(struct explain_payload *payload, unsigned int from, struct reader record)
{
	struct explain_payload_end *end = &payload->end[from];
	struct reader body;
	uint32_t message;
	bool cut;

	if (end->cipher_changed && payload->version < TLS_1_3) {
		end->finished = true;
		return;
	}
	message = take_number(&record, 1);
	body = take_beginning(&record, 3, &cut);
	if (message == TLS_CLIENT_HELLO && from == 0)
		read_hello(payload, body, false, cut);
	if (message == TLS_SERVER_HELLO && from == 1)
		read_hello(payload, body, true, cut);
}

/* What is in it is not seen, but whose it is, how long it is and what came before. */
static void
read_encrypted(struct explain_payload *payload, unsigned int from, uint32_t length)
{
	struct explain_payload_end *end = &payload->end[from];

	if (from == 1)
		end->finished = true;
	else if (payload->end[1].finished && length >= TLS_FINISHED_MIN)
		end->finished = true;
}

/* @p length bytes of a record, as far as the capture has them. */
static void
read_record(struct explain_payload *payload, unsigned int from, uint8_t type, uint32_t length)
{
	struct explain_payload_end *end = &payload->end[from];
	const uint32_t at = end->looked + TLS_RECORD_HEADER;
	const struct reader record = {
			end->stream.data + at, explain_stream_kept(&end->stream, at, length)};

	if (type == TLS_HANDSHAKE)
		read_handshake(payload, from, record);
	else if (type == TLS_CHANGE_CIPHER_SPEC)
		end->cipher_changed = true;
	else if (type == TLS_APPLICATION_DATA && payload->version >= TLS_1_3)
		read_encrypted(payload, from, length);
}

/* Records that are there in whole, up to Finished: what follows is the application's. */
static void
read_records(struct explain_payload *payload, unsigned int from)
{
	struct explain_payload_end *end = &payload->end[from];
	const struct explain_stream *stream = &end->stream;

	while (!end->lost && !end->finished && stream->ready - end->looked >= TLS_RECORD_HEADER) {
		const uint8_t *header = stream->data + end->looked;
		const uint32_t length = bytes_read_16(header + 3);

		if (explain_stream_kept(stream, end->looked, TLS_RECORD_HEADER) <
						TLS_RECORD_HEADER ||
				header[0] < TLS_CHANGE_CIPHER_SPEC ||
				header[0] > TLS_APPLICATION_DATA || header[1] != 3 ||
				length > TLS_RECORD_MAX) {
			end->lost = true;
			return;
		}
		if (stream->ready - end->looked - TLS_RECORD_HEADER < length)
			return;
		read_record(payload, from, header[0], length);
		end->looked += TLS_RECORD_HEADER + length;
	}
}

/* Where the header of an HTTP message ends, 0 as long as it has not; goes on where it was. */
static uint32_t
http_header_end(struct explain_payload_end *end)
{
	for (uint32_t i = RTE_MAX(end->looked, UINT32_C(3)); i < end->stream.ready; i++)
		if (memcmp(end->stream.data + i - 3, "\r\n\r\n", 4) == 0)
			return i + 1;
	end->looked = end->stream.ready;
	return 0;
}

/* What the client says first tells what it is. */
static uint8_t
recognise(const struct explain_stream *client)
{
	static const char *const methods[] = {
			"GET ", "POST ", "PUT ", "HEAD ", "OPTIONS ", "DELETE ", "PATCH "};

	if (client->ready >= 6 && client->data[0] == TLS_HANDSHAKE && client->data[1] == 3 &&
			client->data[5] == TLS_CLIENT_HELLO)
		return EXPLAIN_PROTOCOL_TLS;
	for (unsigned int i = 0; i < RTE_DIM(methods); i++) {
		const size_t size = strlen(methods[i]);

		if (client->ready >= size && memcmp(client->data, methods[i], size) == 0)
			return EXPLAIN_PROTOCOL_HTTP;
	}
	return EXPLAIN_PROTOCOL_UNKNOWN;
}

/* Not looked at any more. */
static void
give_up_end(struct explain_payload_end *end)
{
	end->lost = true;
	explain_stream_free(&end->stream);
}

static void
read_tls(struct explain_payload *payload)
{
	for (unsigned int i = 0; i < RTE_DIM(payload->end); i++) {
		struct explain_payload_end *end = &payload->end[i];

		read_records(payload, i);
		if (end->lost || end->finished || end->stream.ready == EXPLAIN_STREAM_BYTES)
			give_up_end(end);
	}
}

bool
explain_payload_request_follows(const struct explain_payload *payload)
{
	const struct explain_payload_end *client = &payload->end[0];

	return payload->protocol == EXPLAIN_PROTOCOL_TLS && client->finished &&
	       tcp_seq_lt(client->looked, client->next);
}

/* A list of protocols, with or without white space (RFC 9110 5.6.1, 5.6.3, 7.8). */
static bool
http_lists_websocket(const char *at, const char *stop)
{
	static const char protocol[] = "websocket";
	const size_t size = sizeof(protocol) - 1;

	while (at < stop && *at != '\n') {
		if (*at == ' ' || *at == '\t' || *at == ',') {
			at++;
			continue;
		}
		if ((size_t)(stop - at) > size && strncasecmp(at, protocol, size) == 0 &&
				strchr(" \t\r\n,", at[size]) != NULL)
			return true;
		while (at < stop && *at != ',' && *at != '\n')
			at++;
	}
	return false;
}

/* Whether one of the fields after the request line is Upgrade, and asks for WebSocket. */
static bool
http_asks_websocket(const struct explain_payload_end *end, uint32_t length)
{
	static const char field[] = "Upgrade:";
	const size_t size = sizeof(field) - 1;
	const char *at = (const char *)end->stream.data, *const stop = at + length;

	while ((at = memchr(at, '\n', (size_t)(stop - at))) != NULL) {
		at++;
		if ((size_t)(stop - at) > size && strncasecmp(at, field, size) == 0 &&
				http_lists_websocket(at + size, stop))
			return true;
	}
	return false;
}

/* Nothing to wait for, in this turn: plain HTTP has no handshake of its own. */
static void
give_up_turn(struct explain_payload *payload)
{
	for (unsigned int i = 0; i < RTE_DIM(payload->end); i++)
		give_up_end(&payload->end[i]);
}

/* Neither TLS nor HTTP, as the client's first bytes say, or as far as can be known. */
static bool
is_unknown(const struct explain_payload *payload)
{
	if (payload->protocol != EXPLAIN_PROTOCOL_UNKNOWN)
		return false;
	for (unsigned int i = 0; i < RTE_DIM(payload->end); i++)
		if (payload->end[i].stream.ready > UNRECOGNISED_BYTES ||
				payload->end[i].next > UNRECOGNISED_REACH)
			return true;
	return payload->end[0].stream.ready >= HTTP_METHOD_MAX;
}

static void
read_request(struct explain_payload *payload)
{
	struct explain_payload_end *client = &payload->end[0];
	uint32_t length;

	if (client->finished)
		return;
	if (client->stream.ready >= HTTP_METHOD_MAX &&
			recognise(&client->stream) != EXPLAIN_PROTOCOL_HTTP) {
		/* More of a body, after "100 Continue". */
		give_up_turn(payload);
		return;
	}
	length = http_header_end(client);
	if (length == 0)
		return;
	client->finished = http_asks_websocket(client, length);
	if (!client->finished)
		give_up_turn(payload);
}

static void
read_response(struct explain_payload *payload)
{
	struct explain_payload_end *server = &payload->end[1];
	const uint32_t length = http_header_end(server);

	if (length == 0)
		return;
	server->finished = length >= 12 && memcmp(server->stream.data + 9, "101", 3) == 0;
	if (server->finished)
		payload->protocol = EXPLAIN_PROTOCOL_WEBSOCKET;
	else
		give_up_turn(payload);
}

static void
read_http(struct explain_payload *payload)
{
	if (payload->end[0].lost || payload->end[1].lost)
		return;
	read_request(payload);
	if (payload->end[0].finished)
		read_response(payload);
}

/*
 * The client has heard something and says something new: his next request.  He has had what he
 * acknowledges, also where the capture lacks the end of it.
 */
static void
begin_turn(struct explain_payload *payload, const struct explain_text *text)
{
	struct explain_payload_end *server = &payload->end[1];

	if (tcp_seq_lt(server->next, text->acked))
		server->next = text->acked;
	for (unsigned int i = 0; i < RTE_DIM(payload->end); i++) {
		struct explain_payload_end *end = &payload->end[i];

		explain_stream_free(&end->stream);
		end->origin = end->next;
		end->looked = 0;
		end->finished = false;
		end->lost = false;
	}
}

static bool
is_new_turn(const struct explain_payload *payload, const struct explain_text *text)
{
	const struct explain_payload_end *server = &payload->end[1];

	return payload->protocol == EXPLAIN_PROTOCOL_HTTP &&
	       tcp_seq_lt(server->origin, server->next) &&
	       tcp_seq_lt(payload->end[0].next, text->offset + text->length);
}

/*
 * Into the stream, without what was said before that began.  Beyond a gap it may be of no use, and
 * as long as nobody knows what it is, little is kept.
 */
static void
keep_text(const struct explain_payload *payload, struct explain_payload_end *end,
		const struct explain_text *text)
{
	const uint32_t offset = text->offset - end->origin;
	const uint32_t before = tcp_seq_lt(text->offset, end->origin) ? -offset : 0;
	const uint32_t missing = RTE_MIN(before, text->captured);
	struct explain_text rest = {.offset = offset + before,
			.length = text->length - before,
			.captured = text->captured - missing,
			.bytes = missing > 0 ? text->bytes + missing : text->bytes};

	if (before >= text->length)
		return;
	if (payload->protocol == EXPLAIN_PROTOCOL_UNKNOWN && rest.offset > end->stream.ready) {
		const uint32_t from = RTE_MIN(rest.offset, UNRECOGNISED_BYTES);

		rest.length = RTE_MIN(rest.length, UNRECOGNISED_BYTES - from);
	}
	if (!explain_stream_add(&end->stream, &rest))
		end->lost = true;
}

bool
explain_payload_add(
		struct explain_payload *payload, unsigned int from, const struct explain_text *text)
{
	struct explain_payload_end *end = &payload->end[from];

	if (payload->done)
		return false;
	if (from == 0 && is_new_turn(payload, text))
		begin_turn(payload, text);
	if (tcp_seq_lt(end->next, text->offset + text->length))
		end->next = text->offset + text->length;
	if (end->lost)
		return false;
	keep_text(payload, end, text);
	if (payload->protocol == EXPLAIN_PROTOCOL_UNKNOWN)
		payload->protocol = recognise(&payload->end[0].stream);
	/* The other end may have said something before it was known what that would be. */
	if (payload->protocol == EXPLAIN_PROTOCOL_HTTP)
		read_http(payload);
	if (payload->protocol == EXPLAIN_PROTOCOL_TLS)
		read_tls(payload);
	if (is_unknown(payload))
		give_up_turn(payload);
	payload->done = payload->end[0].finished && payload->end[1].finished;
	if (payload->done) {
		explain_stream_free(&payload->end[0].stream);
		explain_stream_free(&payload->end[1].stream);
	}
	return payload->done;
}

const char *
explain_payload_name(const struct explain_payload *payload)
{
	static const char *const versions[] = {
			"SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"};

	switch (payload->protocol) {
	case EXPLAIN_PROTOCOL_TLS:
		if (payload->version >> 8 == 3 && (payload->version & 0xff) < RTE_DIM(versions))
			return versions[payload->version & 0xff];
		return "TLS";
	case EXPLAIN_PROTOCOL_WEBSOCKET:
		return "WebSocket";
	case EXPLAIN_PROTOCOL_HTTP:
		return "HTTP";
	default:
		return NULL;
	}
}

void
explain_payload_free(struct explain_payload *payload)
{
	explain_stream_free(&payload->end[0].stream);
	explain_stream_free(&payload->end[1].stream);
}

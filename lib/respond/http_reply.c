/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Prepares replies, counts what is owed, and writes any stretch of it.
 *
 * Every reply but the 200s is without content, which is right whatever the method was: a client
 * that sent HEAD expects none (RFC 9110 9.3.2).
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "http_reply.h"
#include "respond.h"
#include "wire/checksum.h"

/* One run may be all there is. */
_Static_assert(HTTP_REPLY_OWED_MAX < 1 << HTTP_REPLY_RUN_BITS, "a run's length fits its bits");
/* Heads are less than 1 KiB: respond_create() bounds the content type. */
_Static_assert((HTTP_REPLY_OWED_MAX + 1) * (RESPOND_BODY_MAX + 1024) < 1u << 30,
		"what is owed can be compared as sequence numbers");

struct template
{
	const char *status;
	const char *fields; /**< Beyond those that every reply has. */
	bool content;       /**< Content-Type and the body's length, */
	bool body;          /**< and the body. */
};

static const struct template templates[HTTP_REPLIES] = {
		[HTTP_REPLY_GET] = {"200 OK", "", true, true},
		[HTTP_REPLY_HEAD] = {"200 OK", "", true, false},
		[HTTP_REPLY_GET_CLOSE] = {"200 OK", "", true, true},
		[HTTP_REPLY_HEAD_CLOSE] = {"200 OK", "", true, false},
		[HTTP_REPLY_BAD_REQUEST] = {"400 Bad Request", "", false, false},
		[HTTP_REPLY_METHOD_NOT_ALLOWED] = {"405 Method Not Allowed", "Allow: GET, HEAD\r\n",
				false, false},
		[HTTP_REPLY_CONTENT_TOO_LARGE] = {"413 Content Too Large", "", false, false},
		[HTTP_REPLY_URI_TOO_LONG] = {"414 URI Too Long", "", false, false},
		[HTTP_REPLY_HEADER_TOO_LARGE] = {"431 Request Header Fields Too Large", "", false,
				false},
		[HTTP_REPLY_NOT_IMPLEMENTED] = {"501 Not Implemented", "", false, false},
		[HTTP_REPLY_UNAVAILABLE] = {"503 Service Unavailable", "", false, false},
		/* RFC 9110 15.5.22 and 7.8, RFC 6455 4.4 */
		[HTTP_REPLY_UPGRADE_REQUIRED] = {"426 Upgrade Required",
				"Upgrade: websocket\r\nConnection: Upgrade\r\n"
				"Sec-WebSocket-Version: 13\r\n",
				false, false},
		[HTTP_REPLY_VERSION] = {"505 HTTP Version Not Supported", "", false, false},
};

/* Text in which every line names its offset, so that a shifted or lost byte shows. */
static void
generate_body(uint8_t *body, size_t length)
{
	char line[80];

	for (size_t at = 0; at < length; at += 64) {
		snprintf(line, sizeof(line),
				"%07u the quick brown fox jumps over the lazy dog by handfast\n",
				(unsigned int)at % 10000000);
		memcpy(body + at, line, RTE_MIN((size_t)64, length - at));
	}
	if (length > 0)
		body[length - 1] = '\n';
}

/* As asprintf(), but the answer is NULL when it fails. */
static char *
format(const struct template *template, const char *type, const char *content_length,
		const char *connection)
{
	char *head;
	int length = asprintf(&head,
			"HTTP/1.1 %s\r\nServer: handfast\r\n%s%s%s%sContent-Length: %s\r\n"
			"Connection: %s\r\n\r\n",
			template->status, template->fields,
			template->content ? "Content-Type: " : "", template->content ? type : "",
			template->content ? "\r\n" : "", content_length, connection);

	return length < 0 ? NULL : head;
}

/* Connection: keep-alive is for HTTP/1.0 clients, who wait for it; HTTP/1.1 lets us say it. */
static bool
prepare(struct http_reply_texts *texts, enum http_reply reply, const char *type)
{
	const struct template *template = &templates[reply];
	struct http_reply_text *text = &texts->reply[reply];
	char content_length[16];

	snprintf(content_length, sizeof(content_length), "%u",
			template->content ? texts->body_length : 0);
	text->head = format(template, type, content_length,
			reply < HTTP_REPLY_CLOSING ? "keep-alive" : "close");
	if (text->head == NULL)
		return false;
	text->head_length = (uint32_t)strlen(text->head);
	text->length = text->head_length + (template->body ? texts->body_length : 0);
	text->reciprocal = (uint32_t)((UINT64_C(1) << 32) / text->length);
	text->sum = checksum_add(0, text->head, text->head_length);
	if (template->body) {
		uint64_t body = checksum_add(0, texts->body, texts->body_length);

		/* Behind an odd byte, every byte is the other half of its word (RFC 1071 2 (B)). */
		if (text->head_length % 2 != 0)
			body = rte_bswap16(checksum_fold(body));
		text->sum += body;
	}
	return true;
}

bool
http_reply_prepare(struct http_reply_texts *texts, const struct http_reply_content *content)
{
	const char *type = content->type != NULL ? content->type : "text/plain";

	texts->body_length = (uint32_t)content->body_length;
	texts->body = malloc(content->body_length + 1);
	if (texts->body == NULL)
		return false;
	if (content->body != NULL)
		memcpy(texts->body, content->body, content->body_length);
	else
		generate_body(texts->body, content->body_length);
	for (unsigned int reply = HTTP_REPLY_GET; reply < HTTP_REPLIES; reply++)
		if (!prepare(texts, reply, type))
			return false;
	return true;
}

void
http_reply_free(struct http_reply_texts *texts)
{
	for (unsigned int reply = 0; reply < HTTP_REPLIES; reply++)
		free(texts->reply[reply].head);
	free(texts->body);
}

bool
http_reply_same(const struct http_reply_texts *left, const struct http_reply_texts *right)
{
	for (unsigned int reply = 0; reply < HTTP_REPLIES; reply++) {
		const struct http_reply_text *one = &left->reply[reply];
		const struct http_reply_text *other = &right->reply[reply];

		if (one->head_length != other->head_length || one->length != other->length ||
				(one->head_length > 0 && memcmp(one->head, other->head,
									 one->head_length) != 0))
			return false;
	}
	return left->body_length == right->body_length &&
	       (left->body_length == 0 || memcmp(left->body, right->body, left->body_length) == 0);
}

unsigned int
http_reply_owed(const struct http_reply_queue *queue)
{
	return queue->run_0 + queue->run_1 + queue->run_2;
}

/* Lengthen the last run or begin the next. */
static bool
push_kept(struct http_reply_queue *queue, unsigned int kind)
{
	if (http_reply_owed(queue) == HTTP_REPLY_OWED_MAX)
		return false;
	if (queue->run_0 == 0) {
		queue->kind = kind & 1;
		queue->run_0 = 1;
	} else if (queue->run_1 == 0) {
		if (queue->kind == kind)
			queue->run_0++;
		else
			queue->run_1 = 1;
	} else if (queue->run_2 == 0 && queue->kind != kind) {
		queue->run_1++;
	} else {
		if (queue->kind != kind)
			return false;
		queue->run_2++;
	}
	return true;
}

bool
http_reply_push(struct http_reply_queue *queue, enum http_reply reply)
{
	if (queue->final != HTTP_REPLY_NONE)
		return true;
	if (reply >= HTTP_REPLY_CLOSING) {
		queue->final = reply & 15;
		return true;
	}
	if (push_kept(queue, reply - HTTP_REPLY_GET))
		return true;
	queue->final = HTTP_REPLY_UNAVAILABLE;
	return false;
}

static const struct http_reply_text *
kept(const struct http_reply_texts *texts, unsigned int kind)
{
	return &texts->reply[HTTP_REPLY_GET + kind];
}

uint32_t
http_reply_bytes(const struct http_reply_texts *texts, const struct http_reply_queue *queue)
{
	/* reply[HTTP_REPLY_NONE] is empty. */
	return (queue->run_0 + queue->run_2) * kept(texts, queue->kind)->length +
	       queue->run_1 * kept(texts, queue->kind ^ 1)->length +
	       texts->reply[queue->final].length;
}

/*
 * How many whole replies are in @p bytes.  The reciprocal is rounded down, by less than 1; bytes
 * are fewer than 2^32, so the product's error is less than one reply.
 */
static uint32_t
whole(const struct http_reply_text *text, uint32_t bytes)
{
	uint32_t replies = (uint32_t)((uint64_t)bytes * text->reciprocal >> 32);

	return bytes - replies * text->length >= text->length ? replies + 1 : replies;
}

uint32_t
http_reply_pop(const struct http_reply_texts *texts, struct http_reply_queue *queue, uint32_t acked)
{
	uint32_t bytes = 0;

	while (queue->run_0 != 0) {
		const struct http_reply_text *text = kept(texts, queue->kind);
		uint32_t replies = RTE_MIN(whole(text, acked - bytes), (uint32_t)queue->run_0);

		bytes += replies * text->length;
		queue->run_0 -= replies & HTTP_REPLY_OWED_MAX;
		if (queue->run_0 != 0)
			return bytes;
		queue->run_0 = queue->run_1;
		queue->run_1 = queue->run_2;
		queue->run_2 = 0;
		queue->kind ^= 1;
	}
	if (queue->final != HTTP_REPLY_NONE && acked - bytes >= texts->reply[queue->final].length) {
		bytes += texts->reply[queue->final].length;
		queue->final = HTTP_REPLY_NONE;
	}
	return bytes;
}

/* Write [offset, offset + length) of one reply said again and again. */
static void
copy(const struct http_reply_texts *texts, const struct http_reply_text *text, uint32_t offset,
		uint8_t *to, size_t length)
{
	while (length > 0) {
		size_t part = RTE_MIN(length, (size_t)(text->length - offset));
		size_t of_head = 0;

		if (offset < text->head_length) {
			of_head = RTE_MIN(part, (size_t)(text->head_length - offset));
			memcpy(to, text->head + offset, of_head);
		}
		/* A part that ends inside the head has no place in the body to point to. */
		if (part > of_head)
			memcpy(to + of_head, texts->body + (offset + of_head - text->head_length),
					part - of_head);
		to += part;
		length -= part;
		offset = 0;
	}
}

void
http_reply_fill(const struct http_reply_texts *texts, const struct http_reply_queue *queue,
		uint32_t offset, uint8_t *to, size_t length)
{
	const uint32_t run[HTTP_REPLY_RUNS] = {queue->run_0, queue->run_1, queue->run_2};
	unsigned int kind = queue->kind;

	for (unsigned int i = 0; i < HTTP_REPLY_RUNS && length > 0; i++, kind ^= 1) {
		const struct http_reply_text *text = kept(texts, kind);
		uint32_t bytes = run[i] * text->length;
		size_t part;

		if (offset >= bytes) {
			offset -= bytes;
			continue;
		}
		part = RTE_MIN(length, (size_t)(bytes - offset));
		copy(texts, text, offset - whole(text, offset) * text->length, to, part);
		to += part;
		length -= part;
		offset = 0;
	}
	if (length > 0 && queue->final != HTTP_REPLY_NONE)
		copy(texts, &texts->reply[queue->final], offset, to, length);
}

bool
http_reply_fill_whole(const struct http_reply_texts *texts, const struct http_reply_queue *queue,
		uint8_t *to, size_t length, uint64_t *sum)
{
	const struct http_reply_text *text =
			queue->run_0 != 0 ? kept(texts, queue->kind) : &texts->reply[queue->final];

	if (queue->run_0 + (queue->final != HTTP_REPLY_NONE) != 1 || queue->run_1 != 0 ||
			length != text->length)
		return false;
	memcpy(to, text->head, text->head_length);
	if (length > text->head_length)
		memcpy(to + text->head_length, texts->body, length - text->head_length);
	*sum = text->sum;
	return true;
}

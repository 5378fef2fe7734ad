/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * http_reply: the queue in four bytes against a plain list of replies.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"
#include "respond/http_reply.h"
#include "wire/checksum.h"

#define SEED     UINT64_C(0x7265706c79)
#define LIST_MAX (HTTP_REPLY_OWED_MAX + 1)

/** What the queue should be. */
struct list {
	unsigned int length;
	enum http_reply reply[LIST_MAX];
};

static struct http_reply_texts texts;
static const char body[] = "some bytes";

static int
setup(void **state)
{
	const struct http_reply_content content = {
			.body = (const uint8_t *)body, .body_length = strlen(body)};

	(void)state;
	memset(&texts, 0, sizeof(texts));
	return http_reply_prepare(&texts, &content) ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	http_reply_free(&texts);
	return 0;
}

/* One reply's text, put together independently of http_reply_fill(). */
static uint32_t
append(uint8_t *to, enum http_reply reply)
{
	uint32_t length = texts.reply[reply].head_length;

	memcpy(to, texts.reply[reply].head, length);
	if (reply == HTTP_REPLY_GET || reply == HTTP_REPLY_GET_CLOSE) {
		memcpy(to + length, body, strlen(body));
		length += (uint32_t)strlen(body);
	}
	return length;
}

static void
assert_same(const struct http_reply_queue *queue, const struct list *list, uint64_t *seed)
{
	static uint8_t expected[LIST_MAX * 256], filled[LIST_MAX * 256];
	uint32_t bytes = 0, from, part;
	uint64_t sum;

	for (unsigned int i = 0; i < list->length; i++)
		bytes += append(expected + bytes, list->reply[i]);
	assert_int_equal(http_reply_bytes(&texts, queue), bytes);
	if (bytes == 0)
		return;
	from = (uint32_t)(random_next(seed) % bytes);
	part = (uint32_t)(random_next(seed) % (bytes - from + 1));
	memset(filled, 0x5a, part + 1);
	http_reply_fill(&texts, queue, from, filled, part);
	assert_memory_equal(filled, expected + from, part);
	assert_int_equal(filled[part], 0x5a);
	memset(filled, 0x5a, bytes + 1);
	assert_int_equal(http_reply_fill_whole(&texts, queue, filled, bytes, &sum),
			list->length == 1);
	assert_false(http_reply_fill_whole(&texts, queue, filled, bytes - 1, &sum));
	if (list->length != 1)
		return;
	assert_memory_equal(filled, expected, bytes);
	assert_int_equal(filled[bytes], 0x5a);
	assert_int_equal(checksum_fold(sum), checksum_fold(checksum_add(0, expected, bytes)));
}

/* How often neighbours differ: the queue has one run more than that. */
static unsigned int
changes(const struct list *list)
{
	unsigned int count = 0;

	for (unsigned int i = 1; i < list->length; i++)
		count += list->reply[i] != list->reply[i - 1];
	return count;
}

static void
push_both(struct http_reply_queue *queue, struct list *list, enum http_reply reply)
{
	list->reply[list->length++] = reply;
	if (changes(list) < HTTP_REPLY_RUNS && list->length <= HTTP_REPLY_OWED_MAX) {
		assert_true(http_reply_push(queue, reply));
		assert_int_equal(http_reply_owed(queue), list->length);
	} else {
		list->reply[list->length - 1] = HTTP_REPLY_UNAVAILABLE;
		assert_false(http_reply_push(queue, reply));
		assert_int_equal(http_reply_owed(queue), list->length - 1);
	}
}

static void
pop_both(struct http_reply_queue *queue, struct list *list, uint64_t *seed)
{
	uint8_t scratch[256];
	unsigned int whole = (unsigned int)(random_next(seed) % (list->length + 1));
	uint32_t bytes = 0, more;

	for (unsigned int i = 0; i < whole; i++)
		bytes += append(scratch, list->reply[i]);
	/* A part of the next one does not count. */
	more = whole < list->length ? append(scratch, list->reply[whole]) - 1 : 1;
	more = (uint32_t)(random_next(seed) % (more + 1));
	assert_int_equal(http_reply_pop(&texts, queue, bytes + more), bytes);
	memmove(list->reply, list->reply + whole, (list->length - whole) * sizeof(list->reply[0]));
	list->length -= whole;
}

static void
a_queue_is_the_list_it_stands_for(void **state)
{
	uint64_t seed = SEED;

	(void)state;
	print_message("seed %#llx\n", (unsigned long long)SEED);
	for (unsigned int trial = 0; trial < 300; trial++) {
		struct http_reply_queue queue = {0};
		struct list list = {0};
		enum http_reply reply = HTTP_REPLY_GET;
		unsigned int rarely = 2 + (unsigned int)(random_next(&seed) % 400);

		while (queue.final == HTTP_REPLY_NONE) {
			if (random_next(&seed) % rarely == 0)
				reply = HTTP_REPLY_GET + HTTP_REPLY_HEAD - reply;
			push_both(&queue, &list, reply);
			if (random_next(&seed) % 100 == 0)
				pop_both(&queue, &list, &seed);
			if (random_next(&seed) % 10 == 0)
				assert_same(&queue, &list, &seed);
		}
		for (unsigned int i = 0; i < 20; i++) {
			assert_same(&queue, &list, &seed);
			pop_both(&queue, &list, &seed);
		}
	}
}

static void
nothing_stands_behind_a_closing_reply(void **state)
{
	for (unsigned int final = HTTP_REPLY_CLOSING; final < HTTP_REPLIES; final++) {
		struct http_reply_queue queue = {0};
		struct list list = {.length = 2, .reply = {HTTP_REPLY_HEAD, final}};
		uint64_t seed = SEED;

		(void)state;
		assert_true(http_reply_push(&queue, HTTP_REPLY_HEAD));
		assert_true(http_reply_push(&queue, final));
		assert_true(http_reply_push(&queue, HTTP_REPLY_GET));
		assert_true(http_reply_push(&queue, HTTP_REPLY_BAD_REQUEST));
		assert_same(&queue, &list, &seed);
		assert_int_equal(http_reply_owed(&queue), 1);
	}
}

static void
every_reply_is_one_well_formed_head(void **state)
{
	(void)state;
	for (unsigned int reply = HTTP_REPLY_GET; reply < HTTP_REPLIES; reply++) {
		const struct http_reply_text *text = &texts.reply[reply];
		bool closes = strstr(text->head, "\r\nConnection: close\r\n") != NULL;
		bool keeps = strstr(text->head, "\r\nConnection: keep-alive\r\n") != NULL;

		assert_int_equal(strncmp(text->head, "HTTP/1.1 ", 9), 0);
		assert_int_equal(
				strstr(text->head, "\r\n\r\n") - text->head, text->head_length - 4);
		assert_int_equal(closes, reply >= HTTP_REPLY_CLOSING);
		assert_int_equal(keeps, reply < HTTP_REPLY_CLOSING);
		assert_non_null(strstr(text->head, "\r\nContent-Length: "));
	}
}

/* A HEAD's fields are a GET's (RFC 9110 9.3.2). */
static void
head_differs_from_get_in_the_body_only(void **state)
{
	(void)state;
	assert_string_equal(texts.reply[HTTP_REPLY_GET].head, texts.reply[HTTP_REPLY_HEAD].head);
	assert_string_equal(texts.reply[HTTP_REPLY_GET_CLOSE].head,
			texts.reply[HTTP_REPLY_HEAD_CLOSE].head);
	assert_int_equal(texts.reply[HTTP_REPLY_GET].length,
			texts.reply[HTTP_REPLY_HEAD].length + strlen(body));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_queue_is_the_list_it_stands_for),
			cmocka_unit_test(nothing_stands_behind_a_closing_reply),
			cmocka_unit_test(every_reply_is_one_well_formed_head),
			cmocka_unit_test(head_differs_from_get_in_the_body_only),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

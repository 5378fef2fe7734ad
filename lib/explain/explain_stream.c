/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "explain/explain_stream.h"

/* Memory with zeros after what there was. */
static bool
lengthen(uint8_t **bytes, uint32_t from, uint32_t to)
{
	uint8_t *longer = realloc(*bytes, to);

	if (longer == NULL)
		return false;
	memset(longer + from, 0, to - from);
	*bytes = longer;
	return true;
}

static bool
make_room(struct explain_stream *stream, uint32_t bytes)
{
	uint32_t room = stream->room > 0 ? stream->room : 2048;

	if (bytes <= stream->room)
		return true;
	while (room < bytes)
		room *= 2;
	if (!lengthen(&stream->data, stream->room, room) ||
			!lengthen(&stream->kept, stream->room / 8, room / 8))
		return false;
	stream->room = room;
	return true;
}

static void
keep(struct explain_stream *stream, uint32_t offset, const uint8_t *bytes, uint32_t length)
{
	if (length > 0)
		memcpy(stream->data + offset, bytes, length);
	for (uint32_t i = offset; i < offset + length; i++)
		stream->kept[i / 8] |= (uint8_t)(1u << i % 8);
}

/* Islands that the shore has reached become part of it. */
static void
advance(struct explain_stream *stream)
{
	for (unsigned int i = 0; i < stream->pieces;) {
		if (stream->piece[i].from > stream->ready) {
			i++;
			continue;
		}
		stream->ready = RTE_MAX(stream->ready, stream->piece[i].to);
		stream->piece[i] = stream->piece[--stream->pieces];
		i = 0;
	}
}

bool
explain_stream_add(struct explain_stream *stream, const struct explain_text *text)
{
	uint32_t end, captured;

	if (text->offset >= EXPLAIN_STREAM_BYTES || text->length == 0)
		return true;
	end = text->offset + RTE_MIN(text->length, EXPLAIN_STREAM_BYTES - text->offset);
	captured = RTE_MIN(text->captured, end - text->offset);
	if (end <= stream->ready)
		return true;
	if (text->offset > stream->ready && stream->pieces == EXPLAIN_STREAM_PIECES)
		return true;
	if (!make_room(stream, end))
		return false;
	keep(stream, text->offset, text->bytes, captured);
	if (text->offset > stream->ready) {
		stream->piece[stream->pieces].from = text->offset;
		stream->piece[stream->pieces].to = end;
		stream->pieces++;
	} else {
		stream->ready = end;
		advance(stream);
	}
	return true;
}

uint32_t
explain_stream_kept(const struct explain_stream *stream, uint32_t from, uint32_t most)
{
	uint32_t at = from;

	while (at < stream->ready && at - from < most && (stream->kept[at / 8] >> at % 8 & 1))
		at++;
	return at - from;
}

void
explain_stream_free(struct explain_stream *stream)
{
	free(stream->data);
	free(stream->kept);
	memset(stream, 0, sizeof(*stream));
}

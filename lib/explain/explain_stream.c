/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "explain/explain_stream.h"

static bool
make_room(struct explain_stream *stream, uint32_t bytes)
{
	uint32_t room = stream->room > 0 ? stream->room : 2048;
	uint8_t *data;

	if (bytes <= stream->room)
		return true;
	while (room < bytes)
		room *= 2;
	data = realloc(stream->data, room);
	if (data == NULL)
		return false;
	memset(data + stream->room, 0, room - stream->room);
	stream->data = data;
	stream->room = room;
	return true;
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
	if (captured > 0)
		memcpy(stream->data + text->offset, text->bytes, captured);
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

void
explain_stream_free(struct explain_stream *stream)
{
	free(stream->data);
	memset(stream, 0, sizeof(*stream));
}

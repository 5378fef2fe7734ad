/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_common.h>
#include <rte_telemetry.h>

#include "engine/telemetry_text.h"

/* A quote or a backslash takes two bytes of JSON, and DPDK counts those. */
#define PIECE_MAX 60

void
telemetry_add_text(struct rte_tel_data *data, const char *name, const char *text)
{
	struct rte_tel_data *pieces;
	size_t left = strlen(text);

	if (left == 0)
		return;
	pieces = rte_tel_data_alloc();
	if (pieces == NULL)
		return;
	rte_tel_data_start_array(pieces, RTE_TEL_STRING_VAL);
	while (left > 0) {
		size_t length = RTE_MIN(left, (size_t)PIECE_MAX);
		char piece[PIECE_MAX + 1];

		/* Never through a character: the bytes of UTF-8 after the first are 10xxxxxx. */
		while (length < left && length > 1 && ((uint8_t)text[length] & 0xc0) == 0x80)
			length--;
		memcpy(piece, text, length);
		piece[length] = '\0';
		rte_tel_data_add_array_string(pieces, piece);
		text += length;
		left -= length;
	}
	rte_tel_data_add_dict_container(data, name, pieces, 0);
}

int
telemetry_say_problem(struct rte_tel_data *data, const char *reason, const char *remedy)
{
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "result", "error");
	telemetry_add_text(data, "reason", reason);
	telemetry_add_text(data, "remedy", remedy);
	return 0;
}

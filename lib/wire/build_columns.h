/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BUILD_COLUMNS_H
#define BUILD_COLUMNS_H

/**
 * @file
 * build_reply() for sixteen frames at once that are answered by the same form.
 *
 * The words that vary are computed in columns, checksums and all, and stored with those of the form
 * as rows; the bytes are those of build_reply().  For frames without a tag, IP options or extension
 * headers, complete checksums, and CPUs with AVX-512 (columns_available()); everything else is
 * answered one by one.
 */

#include <stdbool.h>
#include <stdint.h>

#include "wire/build_reply.h"
#include "wire/columns.h"

/** Answers of one form. */
struct build_columns {
	uint8_t *data[COLUMNS]; /**< Frames, room for BUILD_HEADERS_MAX bytes. */
	uint32_t seq[COLUMNS];
	uint32_t ack[COLUMNS];
	uint32_t tsval[COLUMNS];
	uint32_t tsecr[COLUMNS];
	unsigned int n;
};

/** Whether answers of the form can be built so. */
static inline bool
build_columns_takes(const struct build_form *form)
{
	return form->l4_length <= 40 && (form->timestamps == 0 || form->timestamps == 28);
}

/** Turn the frames around, in place.  @return the length of each answer. */
unsigned int build_columns(struct build_columns *replies, const struct build_form *form);

#endif /* BUILD_COLUMNS_H */

/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "capture_file.h"
#include "version.h"

#define PCAP_MAGIC_NANOSECONDS 0xa1b23c4d
#define PCAPNG_SECTION         0x0a0d0d0a
#define PCAPNG_INTERFACE       1
#define PCAPNG_STATISTICS      5
#define PCAPNG_PACKET          6
#define PCAPNG_BYTE_ORDER      0x1a2b3c4d
#define LINKTYPE_ETHERNET      1

#define CAPTURE_BUFFER         65536

/** Options of pcapng blocks (draft-ietf-opsawg-pcapng 3.5, 4). */
enum pcapng_option {
	PCAPNG_OPTION_END = 0,
	PCAPNG_OPTION_HARDWARE = 2,
	PCAPNG_OPTION_IF_NAME = 2,
	PCAPNG_OPTION_EPB_FLAGS = 2,
	PCAPNG_OPTION_APPLICATION = 4,
	PCAPNG_OPTION_ISB_DROPPED = 5,
	PCAPNG_OPTION_IF_TSRESOL = 9,
	PCAPNG_OPTION_IF_FILTER = 11,
};

struct capture_file {
	const char *program;
	struct capture_plan plan;
	bool classic;
	char path[4096];
	unsigned int number; /**< Of files begun. */
	FILE *out;
	uint64_t bytes; /**< Of this file. */
	uint64_t last_ns;
	uint64_t unflushed;         /**< Bytes in the buffer. */
	uint64_t unflushed_packets; /**< They may be in the file in part when writing fails. */
	bool failed;
};

/* Of the one file that is written; static, since standard output outlives its capture_file. */
static char buffer[CAPTURE_BUFFER];

/** A pcapng block in the making. */
struct block {
	uint8_t data[512];
	uint32_t used;
};

static void
block_add(struct block *block, const void *data, uint32_t length)
{
	memcpy(block->data + block->used, data, length);
	memset(block->data + block->used + length, 0, RTE_ALIGN_CEIL(length, 4u) - length);
	block->used += RTE_ALIGN_CEIL(length, 4u);
}

static void
block_add_32(struct block *block, uint32_t value)
{
	block_add(block, &value, sizeof(value));
}

static void
block_option(struct block *block, uint16_t code, const void *data, uint16_t length)
{
	const uint16_t head[2] = {code, length};

	block_add(block, head, sizeof(head));
	if (length > 0)
		block_add(block, data, length);
}

/* Once: what is left is thrown away, or closing would try to write it again. */
static bool
complain(struct capture_file *file)
{
	if (!file->failed)
		fprintf(stderr, "%s: %s: %s\n", file->program, file->path, strerror(errno));
	file->failed = true;
	if (file->out != NULL)
		__fpurge(file->out);
	return false;
}

static bool
put(struct capture_file *file, const void *data, size_t length)
{
	file->bytes += length;
	file->unflushed += length;
	return fwrite(data, 1, length, file->out) == length || complain(file);
}

/* A block around its body; @p more bytes of data stand between @p head and @p tail. */
static bool
put_block(struct capture_file *file, uint32_t type, const struct block *body)
{
	const uint32_t length = body->used + 12;
	const uint32_t head[2] = {type, length};

	return put(file, head, sizeof(head)) && put(file, body->data, body->used) &&
	       put(file, &length, sizeof(length));
}

static bool
put_interface(struct capture_file *file, unsigned int port)
{
	const struct tap_memory *memory = file->plan.memory;
	const char *filter = file->plan.filter;
	const uint8_t nanoseconds = 9;
	struct block block = {.used = 0};
	const uint16_t head[2] = {LINKTYPE_ETHERNET, 0};

	block_add(&block, head, sizeof(head));
	block_add_32(&block, memory->snap);
	block_option(&block, PCAPNG_OPTION_IF_NAME, memory->name[port],
			(uint16_t)strnlen(memory->name[port], TAP_NAME));
	block_option(&block, PCAPNG_OPTION_IF_TSRESOL, &nanoseconds, 1);
	if (filter != NULL && strlen(filter) < 256) {
		char text[257] = "";

		snprintf(text + 1, sizeof(text) - 1, "%s", filter);
		block_option(&block, PCAPNG_OPTION_IF_FILTER, text, (uint16_t)(strlen(filter) + 1));
	}
	block_option(&block, PCAPNG_OPTION_END, NULL, 0);
	return put_block(file, PCAPNG_INTERFACE, &block);
}

static bool
put_head(struct capture_file *file)
{
	const char *application = "handfast " VERSION_TEXT;
	const uint16_t version[2] = {1, 0};
	const uint64_t unknown = UINT64_MAX;
	struct block block = {.used = 0};

	if (file->classic) {
		const uint32_t head[6] = {PCAP_MAGIC_NANOSECONDS, 2 | 4 << 16, 0, 0,
				file->plan.memory->snap, LINKTYPE_ETHERNET};

		return put(file, head, sizeof(head));
	}
	block_add_32(&block, PCAPNG_BYTE_ORDER);
	block_add(&block, version, sizeof(version));
	block_add(&block, &unknown, sizeof(unknown));
	block_option(&block, PCAPNG_OPTION_APPLICATION, application, (uint16_t)strlen(application));
	block_option(&block, PCAPNG_OPTION_END, NULL, 0);
	if (!put_block(file, PCAPNG_SECTION, &block))
		return false;
	for (unsigned int port = 0; port < file->plan.memory->ports; port++)
		if (!put_interface(file, port))
			return false;
	return true;
}

static bool
begin(struct capture_file *file)
{
	if (file->plan.files > 1)
		snprintf(file->path, sizeof(file->path), "%s.%u", file->plan.path,
				file->number % file->plan.files + 1);
	else
		snprintf(file->path, sizeof(file->path), "%s", file->plan.path);
	file->number++;
	file->bytes = 0;
	file->out = strcmp(file->path, "-") == 0 ? stdout : fopen(file->path, "wb");
	if (file->out == NULL)
		return complain(file);
	setvbuf(file->out, buffer, _IOFBF, sizeof(buffer));
	return put_head(file);
}

bool
capture_file_flush(struct capture_file *file)
{
	if (file->failed)
		return false;
	if (fflush(file->out) != 0)
		return complain(file);
	file->unflushed = 0;
	file->unflushed_packets = 0;
	return true;
}

static bool
end(struct capture_file *file)
{
	FILE *out = file->out;
	bool good;

	if (out == NULL)
		return true;
	good = capture_file_flush(file);
	file->out = NULL;
	return (out == stdout || fclose(out) == 0 || complain(file)) && good;
}

struct capture_file *
capture_file_open(const char *program, const struct capture_plan *plan)
{
	struct capture_file *file = calloc(1, sizeof(*file));
	const size_t length = strlen(plan->path);

	if (file == NULL)
		return NULL;
	file->program = program;
	file->plan = *plan;
	file->classic = length > 5 && strcmp(plan->path + length - 5, ".pcap") == 0;
	if (begin(file))
		return file;
	end(file);
	free(file);
	return NULL;
}

static uint32_t
record_bytes(const struct capture_file *file, const struct tap_slot *slot)
{
	return file->classic ? 16u + slot->captured
			     : 32u + RTE_ALIGN_CEIL((uint32_t)slot->captured, 4u) + 12;
}

static bool
put_classic(struct capture_file *file, const struct tap_slot *slot)
{
	const uint32_t head[4] = {(uint32_t)(slot->unix_ns / 1000000000),
			(uint32_t)(slot->unix_ns % 1000000000), slot->captured, slot->length};

	return put(file, head, sizeof(head)) && put(file, slot + 1, slot->captured);
}

static bool
put_packet(struct capture_file *file, const struct tap_slot *slot)
{
	static const uint8_t zeros[4];
	const uint32_t padding = RTE_ALIGN_CEIL((uint32_t)slot->captured, 4u) - slot->captured;
	const uint32_t length = record_bytes(file, slot);
	const uint32_t head[7] = {PCAPNG_PACKET, length, slot->port,
			(uint32_t)(slot->unix_ns >> 32), (uint32_t)slot->unix_ns, slot->captured,
			slot->length};
	const uint32_t tail[4] = {PCAPNG_OPTION_EPB_FLAGS | 4 << 16,
			slot->direction == TAP_IN ? 1 : 2, PCAPNG_OPTION_END, length};

	return put(file, head, sizeof(head)) && put(file, slot + 1, slot->captured) &&
	       put(file, zeros, padding) && put(file, tail, sizeof(tail));
}

enum capture_written
capture_file_write(struct capture_file *file, const struct tap_slot *slot)
{
	if (file->plan.bytes != 0 && file->bytes + record_bytes(file, slot) > file->plan.bytes) {
		if (file->plan.files == 1)
			return CAPTURE_FULL;
		if (!end(file) || !begin(file))
			return CAPTURE_ERROR;
	}
	/* The buffer is never written behind our back, so what has not been is known. */
	if (file->unflushed + record_bytes(file, slot) > CAPTURE_BUFFER &&
			!capture_file_flush(file))
		return CAPTURE_ERROR;
	file->last_ns = slot->unix_ns;
	if (!(file->classic ? put_classic(file, slot) : put_packet(file, slot)))
		return CAPTURE_ERROR;
	file->unflushed_packets++;
	return CAPTURE_WRITTEN;
}

/* What was lost belongs to the first port: workers count it for all of them. */
static bool
put_dropped(struct capture_file *file, uint64_t dropped)
{
	struct block block = {.used = 0};

	block_add_32(&block, 0);
	block_add_32(&block, (uint32_t)(file->last_ns >> 32));
	block_add_32(&block, (uint32_t)file->last_ns);
	block_option(&block, PCAPNG_OPTION_ISB_DROPPED, &dropped, sizeof(dropped));
	block_option(&block, PCAPNG_OPTION_END, NULL, 0);
	return put_block(file, PCAPNG_STATISTICS, &block);
}

bool
capture_file_close(struct capture_file *file, uint64_t dropped, uint64_t *unsure)
{
	bool good = !file->failed;

	if (good && file->out != NULL && !file->classic && file->plan.memory->ports > 0)
		good = put_dropped(file, dropped);
	good &= end(file);
	*unsure = file->unflushed_packets;
	free(file);
	return good;
}

/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TAP_SHARED_H
#define TAP_SHARED_H

/**
 * @file
 * The memory in which an engine leaves copies of packets for `handfast capture`.
 *
 * A file in DPDK's run-time directory of the instance, beside its telemetry socket, so whoever may
 * ask the engine may read it.  It exists while a capture runs.  Each worker has a ring of slots of
 * its own that only it fills; the reader only moves tails and the beat.  A full ring costs copies,
 * never packets.
 */

#include <stdint.h>

#define TAP_FILE             "handfast_tap"
#define TAP_MAGIC            UINT64_C(0x3150415446414e48)
#define TAP_SLOTS            4096 /**< Of each worker; a power of two. */
#define TAP_PORTS            16
#define TAP_ANY              0xff /**< Every port. */
#define TAP_NAME             32
#define TAP_PATIENCE_SECONDS 5 /**< Without a beat for so long, the reader is gone. */

enum tap_direction {
	TAP_IN = 0x1,  /**< Received. */
	TAP_OUT = 0x2, /**< Taken by the device; what it refuses (tx_full) is not there. */
};

/** Why there is no more to come. */
enum tap_ended {
	TAP_ENDED_STOPPED = 1, /**< It was asked to, or the engine itself ends. */
	TAP_ENDED_SILENT = 2,  /**< The reader was taken for dead. */
};

/** One packet; captured bytes follow. */
struct tap_slot {
	uint64_t unix_ns;
	uint32_t length; /**< On the wire. */
	uint16_t captured;
	uint8_t port;
	uint8_t direction; /**< enum tap_direction */
};

/** Of one worker; each side's words in a cache line of its own. */
struct tap_ring {
	uint32_t head; /**< Slots filled so far; the worker's. */
	uint32_t reserved;
	uint64_t dropped; /**< Packets that found no free slot; the worker's. */
	uint8_t padding[48];
	uint32_t tail; /**< Slots read so far; the reader's. */
	uint8_t padding_too[60];
};

_Static_assert(sizeof(struct tap_ring) == 128, "two cache lines");

struct tap_memory {
	uint64_t magic;
	uint64_t bytes; /**< Of all of it. */
	uint32_t rings;
	uint32_t slot_bytes; /**< Header and captured bytes together, a multiple of 64. */
	uint32_t snap;       /**< Bytes kept of each packet, at most. */
	uint32_t ports;
	uint8_t port;       /**< The port wanted, or TAP_ANY. */
	uint8_t directions; /**< enum tap_direction bits wanted. */
	uint8_t padding[6];
	char name[TAP_PORTS][TAP_NAME];
	uint64_t beat;   /**< The reader changes it every second, or is taken for dead. */
	uint64_t ended;  /**< enum tap_ended, set by the engine; 0: it runs. */
	uint64_t locked; /**< Set once the reader has a lock (flock) on the file, which it keeps. */
	struct tap_ring ring[];
};

_Static_assert(sizeof(struct tap_memory) % 64 == 0, "rings are in cache lines of their own");

static inline struct tap_slot *
tap_slot_at(struct tap_memory *memory, unsigned int ring, uint32_t number)
{
	uint8_t *slots = (uint8_t *)&memory->ring[memory->rings];
	const uint64_t index = (uint64_t)ring * TAP_SLOTS + (number & (TAP_SLOTS - 1));

	return (struct tap_slot *)(slots + index * memory->slot_bytes);
}

static inline uint64_t
tap_bytes(uint32_t rings, uint32_t slot_bytes)
{
	return sizeof(struct tap_memory) +
	       (uint64_t)rings * (sizeof(struct tap_ring) + (uint64_t)TAP_SLOTS * slot_bytes);
}

#endif /* TAP_SHARED_H */

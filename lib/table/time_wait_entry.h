/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TIME_WAIT_ENTRY_H
#define TIME_WAIT_ENTRY_H

/**
 * @file
 * What a record of TIME_WAIT looks like in memory; for time_wait.c and time_wait_entry.c alone.
 *
 * The last eight bytes of a flow key are all that differs between IPv4 keys, so an IPv4 entry holds
 * those, and an IPv6 entry the other twelve in a second slot.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "table/time_wait.h"

/* The bits of time_wait_entry.flags; the lowest four are the last challenge's half second. */
#define TIME_WAIT_FLAGS_CHALLENGED 0x0f
#define TIME_WAIT_FLAG_TIMESTAMPS  0x10 /* TCP_CONN_TIMESTAMPS */
#define TIME_WAIT_FLAG_IPV6        0x20 /* Another slot follows: struct time_wait_second_slot. */
#define TIME_WAIT_FLAG_RESTARTED   0x40 /* since_ms moved after the record was queued. */
#define TIME_WAIT_FLAG_DEAD        0x80 /* A hole, or a second slot. */

/*
 * As Snd.Wind.Shift in time_wait_entry.scales: no TCP_CONN_WINDOW_SCALE.  RFC 7323 2.3 ends at 14,
 * and without the option the shift is 0.
 */
#define TIME_WAIT_SHIFT_NONE 15

struct time_wait_entry {
	uint64_t key_end; /* The last eight bytes of the flow key: with IPv4, all that differs. */
	uint32_t snd_nxt;
	uint32_t rcv_nxt;
	uint32_t ts_recent;
	uint32_t since_ms;  /* When 2 MSL began. */
	uint32_t hash_low;  /* Bits 0 to 31 of the hash. */
	uint16_t hash_high; /* Bits 32 to 47. */
	uint8_t flags;
	uint8_t scales;
};

#define TIME_WAIT_ENTRY_KEY_START_BYTES (sizeof(struct flow_key) - sizeof(uint64_t))

/* The rest of an IPv6 entry. */
struct time_wait_second_slot {
	uint8_t key_start[TIME_WAIT_ENTRY_KEY_START_BYTES];
	uint8_t reserved[18];
	uint8_t flags; /* TIME_WAIT_FLAG_DEAD: no record begins here. */
	uint8_t reserved_too;
};

_Static_assert(sizeof(struct time_wait_entry) == 32, "two entries to a cache line");
_Static_assert(sizeof(struct time_wait_second_slot) == sizeof(struct time_wait_entry), "a slot");
_Static_assert(offsetof(struct time_wait_second_slot, flags) ==
				offsetof(struct time_wait_entry, flags),
		"a second slot is told from a record");
_Static_assert(offsetof(struct flow_key, address) + 12 == TIME_WAIT_ENTRY_KEY_START_BYTES,
		"an IPv4 address and all after it are the key's end");

static inline uint64_t
time_wait_entry_hash(const struct time_wait_entry *entry)
{
	return (uint64_t)entry->hash_high << 32 | entry->hash_low;
}

static inline uint32_t
time_wait_entry_slots(const struct time_wait_entry *entry)
{
	return (entry->flags & TIME_WAIT_FLAG_IPV6) != 0 ? 2 : 1;
}

/* The key without its start: for IPv4 the address, and for both the port and the endpoint. */
static inline uint64_t
time_wait_entry_key_end(const struct flow_key *key)
{
	uint64_t end;

	memcpy(&end, (const uint8_t *)key + TIME_WAIT_ENTRY_KEY_START_BYTES, sizeof(end));
	return end;
}

/* Whether it is an entry, and of this key. */
static inline bool
time_wait_entry_has_key(const struct time_wait_entry *entry, const struct flow_key *key)
{
	const struct time_wait_second_slot *second =
			(const struct time_wait_second_slot *)(entry + 1);

	if (entry->key_end != time_wait_entry_key_end(key) ||
			(entry->flags & TIME_WAIT_FLAG_DEAD) != 0)
		return false;
	if ((entry->flags & TIME_WAIT_FLAG_IPV6) == 0)
		return flow_key_is_ipv4(key->address);
	return memcmp(second->key_start, key->address, sizeof(second->key_start)) == 0;
}

static inline void
time_wait_entry_get_key(const struct time_wait_entry *entry, struct flow_key *key)
{
	const struct time_wait_second_slot *second =
			(const struct time_wait_second_slot *)(entry + 1);

	flow_key_map_ipv4(key->address, 0);
	if ((entry->flags & TIME_WAIT_FLAG_IPV6) != 0)
		memcpy(key->address, second->key_start, sizeof(second->key_start));
	memcpy((uint8_t *)key + TIME_WAIT_ENTRY_KEY_START_BYTES, &entry->key_end,
			sizeof(entry->key_end));
}

#endif /* TIME_WAIT_ENTRY_H */

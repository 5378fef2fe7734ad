/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef RIG_H
#define RIG_H

/**
 * @file
 * An engine on a bench: one port made of two rings, workers turned by hand, a clock that is moved
 * by hand.  Nothing runs by itself, so every answer and every time is exact.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/worker.h"
#include "observe/counters.h"
#include "tcp/tcp_segment.h"
#include "wire/build.h"

#define RIG_FRAME_MAX 2048

/** The client's and the engine's ends. */
#define RIG_CLIENT_IP4 "10.9.0.1"
#define RIG_ENGINE_IP4 "10.9.0.2"
#define RIG_CLIENT_IP6 "fd00:9::1"
#define RIG_ENGINE_IP6 "fd00:9::2"

/** Settings of the port that there is, and the engine's ends. */
#define RIG_LAN                               \
	"ports:\n"                            \
	"  - name: lan\n"                     \
	"    device: \"vdev:net_ring_rig\"\n" \
	"    mac: 02:00:00:00:00:02\n"        \
	"    addresses: [" RIG_ENGINE_IP4 "/24, \"" RIG_ENGINE_IP6 "/64\"]\n"

/** A frame that came out of the engine, parsed and found correct. */
struct rig_frame {
	uint8_t bytes[RIG_FRAME_MAX];
	unsigned int length;
	struct frame frame;
	struct tcp_segment segment; /**< When frame.kind is FRAME_TCP. */
};

/** A frame that came out of the engine, as it is. */
struct rig_bytes {
	uint8_t data[RIG_FRAME_MAX];
	unsigned int length;
};

struct rig {
	struct settings *settings;
	struct engine engine;
	struct rte_ring *to_engine;
	struct rte_ring *from_engine;
	uint16_t port_id;
	bool open; /**< Between rig_init() and rig_close(). */
};

/** Start DPDK without hugepages, devices or privileges; once per program. */
void rig_start_dpdk(const char *program);

/**
 * Put an engine together.
 *
 * @param yaml
 *   Settings; the port's device must be "vdev:net_ring_rig".  NULL takes services for every reply
 *   kind: http on 80, echo on 7, discard on 9, banner on 25, a server that closes first on 81.
 * @param workers
 *   How many.
 */
void rig_init(struct rig *rig, const char *yaml, unsigned int workers);

/** Check that nothing was lost and take the engine apart. */
void rig_free(struct rig *rig);

/** Take the engine apart, whatever state it is in. */
void rig_close(struct rig *rig);

/** A cmocka teardown: close a rig that a test left open, for it failed. */
int rig_teardown(void **state);

/** A test whose rig is closed, however the test ends. */
#define RIG_TEST(name, rig) \
	cmocka_unit_test_prestate_setup_teardown(name, NULL, rig_teardown, &(rig))

/** Give the engine a frame; it is looked at in the next turn. */
void rig_put(struct rig *rig, const uint8_t *bytes, unsigned int length);

/** Let every worker take turns until nothing moves any more. */
void rig_turn(struct rig *rig);

/** Let @p ms milliseconds pass, a turn each. */
void rig_wait_ms(struct rig *rig, unsigned int ms);

/** The next frame out of the engine. @return false when there is none. */
bool rig_take(struct rig *rig, struct rig_frame *frame);

/** The next frame out of the engine, not looked at. @return false when there is none. */
bool rig_take_bytes(struct rig *rig, struct rig_bytes *bytes);

/** The way from a client's port to an engine's port, for build_tcp(). */
void rig_path(const struct rig *rig, struct build_path *path, unsigned int family,
		uint16_t client_port, uint16_t engine_port);

/** Build a segment on a path and rig_put() it. */
void rig_put_tcp(struct rig *rig, const struct build_path *path, const struct build_tcp *tcp,
		const void *payload, unsigned int length);

/** A counter summed over workers. */
uint64_t rig_counter(const struct rig *rig, enum counter counter);

/**
 * Whether rx = replies + forwards + sum(drops) and tx = what was to be sent, exactly.
 *
 * @param reason
 *   Room for @p size bytes: filled with what is wrong.
 */
bool rig_conserves(const struct rig *rig, char *reason, size_t size);

/** The same, asserted. */
void rig_check_conservation(const struct rig *rig);

/** The state of a client's connection, TIME_WAIT included; TCP_CLOSED when there is none. */
enum tcp_state rig_state(const struct rig *rig, uint16_t client_port);

/** Connections in all tables, without those in TIME_WAIT. */
unsigned int rig_connections(const struct rig *rig);

#endif /* RIG_H */

/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SCENE_H
#define SCENE_H

/**
 * @file
 * mode: proxy on the bench: a client and three backends on one port, every segment by hand.
 *
 * The rig reads every frame that the engine sends, so a checksum that translation got wrong fails
 * the test that saw it.
 */

#include <stdint.h>

#include "engine/worker.h"

#include "rig.h"

#define SCENE_CLIENT_PORT  40000
#define SCENE_SERVICE_PORT 80
#define SCENE_CLIENT_ISN   1000u
#define SCENE_SERVER_ISN   900000u
#define SCENE_SERVERS      3
#define SCENE_HEARD_MAX    64

/** What either end says in its SYN. */
extern const struct tcp_options scene_linux;

/** One end: what it says next, and what it has heard and not looked at. */
struct scene_peer {
	struct build_path path;
	struct build_tcp next;
	unsigned int heard;
	struct rig_frame queue[SCENE_HEARD_MAX];
	struct rig_frame last;
};

struct scene {
	struct rig rig;
	struct scene_peer client;
	struct scene_peer server; /**< Whichever of them got the SYN. */
	uint8_t payload[2000];
	unsigned int icmps;
	struct rig_frame icmp; /**< The last one. */
};

/** The engine, with lines more for the pool and the service, or "". */
void scene_begin_as(struct scene *scene, unsigned int family, const char *pool, const char *service,
		unsigned int workers);

/** The same with settings of the caller's. */
void scene_begin_with(
		struct scene *scene, unsigned int family, const char *yaml, unsigned int workers);

void scene_begin(struct scene *scene);

/** Hand out what the engine has sent. */
void scene_listen(struct scene *scene);

void scene_say(struct scene *scene, struct scene_peer *end, unsigned int flags,
		unsigned int length);

/** The next segment for this end; its next one acknowledges it. */
void scene_hear(struct scene *scene, struct scene_peer *end, unsigned int flags,
		unsigned int length);

void scene_hear_nothing(struct scene *scene, const struct scene_peer *end);

/** Whoever gets a SYN is the server from then on. */
void scene_hear_syn(struct scene *scene);

/** The client's handshake, and our SYN to a server. */
void scene_open_client(struct scene *scene);

/** The server's SYN-ACK. */
void scene_answer(struct scene *scene);

/** Both handshakes, with nothing said yet. */
void scene_open_both(struct scene *scene);

/** Data both ways, as each end expects it. */
void scene_talk(struct scene *scene);

/** FIN from both, the client first, and nothing is left. */
void scene_close_both(struct scene *scene);

/** A router's word about the last frame that an end got, quoting eight bytes of TCP. */
void scene_say_too_big(struct scene *scene, const struct scene_peer *end, uint16_t mtu);

struct worker *scene_worker(struct scene *scene);

uint32_t scene_ports_in_use(struct scene *scene);

/** Nothing is left of any connection. */
void scene_end(struct scene *scene);

void scene_end_after(struct scene *scene, unsigned int ms);

#endif /* SCENE_H */

/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "engine/proxy.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

#include "scene.h"

const struct tcp_options scene_linux = {
		.options = TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED |
			   TCP_OPTION_TIMESTAMPS,
		.mss = 1460,
		.window_scale = 7,
		.tsval = 70000,
};

static void
scene_yaml(char *text, size_t size, const char *pool, const char *service)
{
	snprintf(text, size,
			"engine: {connections: 256, echo_buffers: 64}\n"
			"tcp: {fin_timeout: 10s}\n" RIG_LAN "pools:\n"
			"  - {name: web, choice: round_robin, backends: [\"10.9.0.11:8080\", "
			"\"10.9.0.12:8080\", \"10.9.0.13:8080\"]%s%s}\n"
			"services:\n"
			"  - {name: web, listen: [\"10.9.0.2:80\", \"[fd00:9::2]:80\"], mode: "
			"proxy, "
			"pool: web, idle_timeout: 60s%s%s}\n",
			pool[0] != '\0' ? ", " : "", pool, service[0] != '\0' ? ", " : "", service);
}

/* Answer ARP for a backend: its Ethernet address ends as its IP address does. */
static void
scene_answer_arp(struct scene *scene, const struct rig_frame *request)
{
	uint8_t reply[42];

	memcpy(reply, request->bytes, sizeof(reply));
	memcpy(reply, request->bytes + 6, 6);
	memcpy(reply + 6, "\x02\0\0\0\0", 5);
	reply[11] = request->bytes[41];
	reply[21] = 2;
	memcpy(reply + 22, reply + 6, 6);
	memcpy(reply + 28, request->bytes + 38, 4);
	memcpy(reply + 32, request->bytes + 22, 10);
	rig_put(&scene->rig, reply, sizeof(reply));
}

void
scene_listen(struct scene *scene)
{
	struct rig_frame frame;
	struct scene_peer *end;
	uint8_t to[16];

	rig_turn(&scene->rig);
	while (rig_take(&scene->rig, &frame)) {
		if (frame.frame.kind == FRAME_ARP) {
			scene_answer_arp(scene, &frame);
			continue;
		}
		if (frame.frame.kind != FRAME_TCP) {
			scene->icmp = frame;
			scene->icmps++;
			continue;
		}
		parse_destination(frame.bytes, &frame.frame, to);
		end = memcmp(to, scene->client.path.local, 16) == 0 ? &scene->client
								    : &scene->server;
		assert_true(end->heard < SCENE_HEARD_MAX);
		end->queue[end->heard++] = frame;
	}
	rig_turn(&scene->rig);
}

void
scene_begin_with(struct scene *scene, unsigned int family, const char *yaml, unsigned int workers)
{
	memset(scene, 0, sizeof(*scene));
	for (unsigned int i = 0; i < sizeof(scene->payload); i++)
		scene->payload[i] = (uint8_t)(i * 31);
	rig_init(&scene->rig, yaml, workers);
	rig_path(&scene->rig, &scene->client.path, family, SCENE_CLIENT_PORT, SCENE_SERVICE_PORT);
	scene->client.next = (struct build_tcp){
			.seq = SCENE_CLIENT_ISN, .window = 64240, .options = scene_linux};
	scene->server.next = (struct build_tcp){
			.seq = SCENE_SERVER_ISN, .window = 65160, .options = scene_linux};
	scene->server.next.options.tsval = 5000000;
	scene_listen(scene);
	scene_listen(scene);
}

void
scene_begin_as(struct scene *scene, unsigned int family, const char *pool, const char *service,
		unsigned int workers)
{
	char text[2000];

	scene_yaml(text, sizeof(text), pool, service);
	scene_begin_with(scene, family, text, workers);
}

void
scene_begin(struct scene *scene)
{
	scene_begin_as(scene, 4, "", "", 1);
}

void
scene_say(struct scene *scene, struct scene_peer *end, unsigned int flags, unsigned int length)
{
	end->next.flags = (uint8_t)flags;
	if ((flags & TCP_SYN) == 0)
		end->next.options.options &= TCP_OPTION_TIMESTAMPS;
	rig_put_tcp(&scene->rig, &end->path, &end->next, scene->payload, length);
	end->next.seq += length + ((flags & TCP_SYN) != 0) + ((flags & TCP_FIN) != 0);
	end->next.options.tsval++;
	scene_listen(scene);
}

void
scene_hear_nothing(struct scene *scene, const struct scene_peer *end)
{
	scene_listen(scene);
	assert_int_equal(end->heard, 0);
}

void
scene_hear(struct scene *scene, struct scene_peer *end, unsigned int flags, unsigned int length)
{
	scene_listen(scene);
	assert_true(end->heard > 0);
	end->last = end->queue[0];
	end->heard--;
	memmove(end->queue, end->queue + 1, end->heard * sizeof(end->queue[0]));
	assert_int_equal(end->last.segment.flags & ~TCP_PSH, flags);
	assert_int_equal(end->last.segment.payload_length, length);
	assert_memory_equal(end->last.bytes + end->last.frame.l4_offset +
					    end->last.segment.payload_offset,
			scene->payload, length);
	if ((flags & TCP_RST) != 0)
		return;
	end->next.ack = end->last.segment.seq + tcp_segment_length(&end->last.segment);
	if ((end->last.segment.options & TCP_OPTION_TIMESTAMPS) != 0)
		end->next.options.tsecr = end->last.segment.tsval;
}

void
scene_hear_syn(struct scene *scene)
{
	struct scene_peer *server = &scene->server;
	const uint8_t *tcp;

	scene_hear(scene, server, TCP_SYN, 0);
	tcp = server->last.bytes + server->last.frame.l4_offset;
	build_path_reverse(&server->path, server->last.bytes, &server->last.frame);
	assert_memory_equal(&server->path.local_port, tcp + 2, 2);
	assert_int_equal(server->last.bytes[5], server->path.local[15]);
}

void
scene_open_client(struct scene *scene)
{
	struct scene_peer *client = &scene->client;

	scene_say(scene, client, TCP_SYN, 0);
	scene_hear(scene, client, TCP_SYN | TCP_ACK, 0);
	client->next.window = 502;
	if ((client->last.segment.options & TCP_OPTION_TIMESTAMPS) == 0)
		client->next.options.options = 0;
	scene_say(scene, client, TCP_ACK, 0);
	scene_hear_syn(scene);
}

void
scene_answer(struct scene *scene)
{
	scene_say(scene, &scene->server, TCP_SYN | TCP_ACK, 0);
	scene->server.next.window = 509;
}

void
scene_open_both(struct scene *scene)
{
	scene_open_client(scene);
	scene_answer(scene);
	scene_hear(scene, &scene->server, TCP_ACK, 0);
	assert_int_equal(scene->server.last.segment.window, 502);
	scene_hear(scene, &scene->client, TCP_ACK, 0);
	assert_int_equal(rig_state(&scene->rig, SCENE_CLIENT_PORT), TCP_SPLICED);
}

void
scene_talk(struct scene *scene)
{
	struct scene_peer *client = &scene->client, *server = &scene->server;

	scene_say(scene, client, TCP_ACK, 100);
	scene_hear(scene, server, TCP_ACK, 100);
	assert_int_equal(server->last.segment.seq + 100, server->next.ack);
	assert_int_equal(server->last.segment.ack, server->next.seq);
	scene_say(scene, server, TCP_ACK, 200);
	scene_hear(scene, client, TCP_ACK, 200);
	assert_int_equal(client->last.segment.ack, client->next.seq);
	scene_say(scene, client, TCP_ACK, 0);
	scene_hear(scene, server, TCP_ACK, 0);
	assert_int_equal(server->last.segment.ack, server->next.seq);
}

struct worker *
scene_worker(struct scene *scene)
{
	return scene->rig.engine.worker[0];
}

uint32_t
scene_ports_in_use(struct scene *scene)
{
	const struct local_ports *ports = scene_worker(scene)->proxy->ports[0];

	return ports->count - ports->free;
}

void
scene_end(struct scene *scene)
{
	assert_int_equal(rig_connections(&scene->rig), 0);
	assert_int_equal(scene_ports_in_use(scene), 0);
	assert_int_equal(scene_worker(scene)->proxy->held.used, 0);
	for (unsigned int i = 0; i < SCENE_SERVERS; i++)
		assert_int_equal(scene_worker(scene)->backends->own[i], 0);
	assert_int_equal(scene_worker(scene)->share[1].connections, 0);
	rig_free(&scene->rig);
}

void
scene_end_after(struct scene *scene, unsigned int ms)
{
	rig_wait_ms(&scene->rig, ms);
	scene_end(scene);
}

void
scene_close_both(struct scene *scene)
{
	struct scene_peer *client = &scene->client, *server = &scene->server;

	scene_say(scene, client, TCP_FIN | TCP_ACK, 0);
	scene_hear(scene, server, TCP_FIN | TCP_ACK, 0);
	scene_say(scene, server, TCP_FIN | TCP_ACK, 0);
	scene_hear(scene, client, TCP_FIN | TCP_ACK, 0);
	scene_say(scene, client, TCP_ACK, 0);
	scene_hear(scene, server, TCP_ACK, 0);
	scene_end_after(scene, 2100);
}

void
scene_say_too_big(struct scene *scene, const struct scene_peer *end, uint16_t mtu)
{
	const struct rig_frame *frame = &end->last;
	const bool ipv4 = frame->frame.family == 4;
	const unsigned int header = ipv4 ? 20 : 40;
	uint8_t bytes[200] = {0};
	uint8_t *ip = bytes + 14, *icmp = ip + header;
	rte_be16_t checksum;
	uint64_t sum = 0;

	memcpy(bytes, frame->bytes + 6, 6);
	memcpy(bytes + 6, frame->bytes, 6);
	memcpy(bytes + 12, frame->bytes + 12, 2);
	memcpy(ip, frame->bytes + 14, header);
	icmp[0] = ipv4 ? 3 : 2;
	icmp[1] = ipv4 ? 4 : 0;
	bytes_write_16(icmp + 6, mtu);
	memcpy(icmp + 8, frame->bytes + 14, header);
	memcpy(icmp + 8 + header, frame->bytes + frame->frame.l4_offset, 8);
	if (ipv4) {
		memcpy(ip + 12, frame->bytes + 14 + 16, 4);
		memcpy(ip + 16, frame->bytes + 14 + 12, 4);
		bytes_write_16(ip + 2, 56);
		ip[9] = 1;
		memset(ip + 10, 0, 2);
		checksum = checksum_finish(checksum_add(0, ip, 20));
		memcpy(ip + 10, &checksum, 2);
	} else {
		memcpy(ip + 8, frame->bytes + 14 + 24, 16);
		memcpy(ip + 24, frame->bytes + 14 + 8, 16);
		bytes_write_16(ip + 4, 56);
		ip[6] = 58;
		sum = checksum_pseudo(ip + 8, ip + 24, 16, 58, 56);
	}
	checksum = checksum_finish(checksum_add(sum, icmp, header + 16));
	memcpy(icmp + 2, &checksum, 2);
	rig_put(&scene->rig, bytes, 14 + header + header + 16);
	scene_listen(scene);
}

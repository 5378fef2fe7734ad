/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "client.h"

const struct tcp_options client_linux_syn = {
		.options = TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED |
			   TCP_OPTION_TIMESTAMPS,
		.mss = 1400,
		.window_scale = 7,
		.tsval = 1000,
};

void
client_init(struct client *client, struct rig *rig, unsigned int family, uint16_t port,
		const struct tcp_options *options)
{
	memset(client, 0, sizeof(*client));
	client->rig = rig;
	rig_path(rig, &client->path, family, CLIENT_FIRST_PORT, port);
	client->next = (struct build_tcp){.seq = 0xfffffffe, .window = 1000, .options = *options};
}

void
client_init_from(struct client *client, struct rig *rig, const char *address, uint16_t client_port,
		uint16_t port)
{
	const bool ipv6 = strchr(address, ':') != NULL;

	client_init(client, rig, ipv6 ? 6 : 4, port, &client_linux_syn);
	if (ipv6)
		assert_int_equal(inet_pton(AF_INET6, address, client->path.local), 1);
	else
		assert_int_equal(inet_pton(AF_INET, address, client->path.local + 12), 1);
	client->path.local_port = rte_cpu_to_be_16(client_port);
}

void
client_put(struct client *client, uint8_t flags, const char *text)
{
	client->next.flags = flags;
	rig_put_tcp(client->rig, &client->path, &client->next, text, (unsigned int)strlen(text));
}

unsigned int
client_hear(struct client *client)
{
	unsigned int heard = 0;

	rig_turn(client->rig);
	while (rig_take(client->rig, &client->heard))
		heard++;
	return heard;
}

bool
client_say_syn(struct client *client)
{
	client_put(client, TCP_SYN, "");
	if (client_hear(client) != 1)
		return false;
	assert_int_equal(client->heard.segment.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(client->heard.segment.ack, client->next.seq + 1);
	client->next.seq++;
	client->next.ack = client->heard.segment.seq + 1;
	client->next.options.options &= TCP_OPTION_TIMESTAMPS;
	client->next.options.tsecr = client->heard.segment.tsval;
	return true;
}

void
client_syn(struct client *client, struct rig *rig, unsigned int family, uint16_t port,
		const struct tcp_options *options)
{
	client_init(client, rig, family, port, options);
	assert_true(client_say_syn(client));
}

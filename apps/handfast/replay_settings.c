/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "engine/device.h"
#include "settings/settings_address.h"
#include "tcp/flow_key.h"
#include "wire/bytes.h"

#include "replay_engine.h"
#include "replay_settings.h"

#define WISH_TEXT_MAX 64

static bool
is_listened_at(const struct settings_endpoints *listen, const uint8_t address[16])
{
	for (unsigned int i = 0; i < listen->count; i++)
		if (memcmp(listen->item[i].address, address, 16) == 0)
			return true;
	return false;
}

static void
add_endpoint(struct replay_wish *wish, const uint8_t address[16], uint16_t port)
{
	struct settings_endpoints *listen = &wish->listen;
	const rte_be16_t be_port = rte_cpu_to_be_16(port);

	for (unsigned int i = 0; i < listen->count; i++)
		if (listen->item[i].port == be_port &&
				memcmp(listen->item[i].address, address, 16) == 0)
			return;
	if (listen->count == SETTINGS_ENDPOINTS_MAX) {
		wish->left_out++;
		return;
	}
	memcpy(listen->item[listen->count].address, address, 16);
	listen->item[listen->count].port = be_port;
	listen->count++;
}

/* Where the frame of a SYN went tells who we are on its link. */
static void
note_link(struct replay_wish *wish, const struct explain_frame *frame)
{
	static const uint8_t none[6]; /* As on Linux's loopback. */

	if (wish->mac_known || frame->link != EXPLAIN_LINK_ETHERNET || frame->captured < 18 ||
			(frame->data[0] & 1) || memcmp(frame->data, none, sizeof(none)) == 0)
		return;
	memcpy(wish->mac, frame->data, sizeof(wish->mac));
	wish->mac_known = true;
	if (bytes_read_16(frame->data + 12) == 0x8100)
		wish->vlan = bytes_read_16(frame->data + 14) & 0xfff;
}

void
replay_wish_note(struct replay_wish *wish, const struct explain_frame *frame)
{
	struct explain_packet packet;

	if (explain_packet_parse(frame, &packet) != EXPLAIN_TCP ||
			(packet.segment.flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN ||
			packet.destination_port == 0)
		return;
	if (settings_address_unusable(packet.destination) != NULL) {
		wish->elsewhere = true;
		return;
	}
	/* The engine is a server: where one opens a connection, the other end is not it, too. */
	if (is_listened_at(&wish->listen, packet.source))
		return;
	add_endpoint(wish, packet.destination, packet.destination_port);
	note_link(wish, frame);
}

bool
replay_wish_add(struct replay_wish *wish, const char *text)
{
	const char *colon = strrchr(text, ':');
	char host[WISH_TEXT_MAX], *end;
	unsigned long port;
	uint8_t address[16];
	rte_be32_t ipv4;
	size_t length;

	if (colon == NULL)
		return false;
	port = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port == 0 || port > UINT16_MAX)
		return false;
	length = (size_t)(colon - text);
	if (text[0] == '[' && length > 2 && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	if (length >= sizeof(host))
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	if (inet_pton(AF_INET, host, &ipv4) == 1)
		flow_key_map_ipv4(address, ipv4);
	else if (inet_pton(AF_INET6, host, address) != 1)
		return false;
	add_endpoint(wish, address, (uint16_t)port);
	return true;
}

static const char *
address_text(const uint8_t address[16], char text[WISH_TEXT_MAX])
{
	if (flow_key_is_ipv4(address))
		inet_ntop(AF_INET, address + 12, text, WISH_TEXT_MAX);
	else
		inet_ntop(AF_INET6, address, text, WISH_TEXT_MAX);
	return text;
}

static bool
is_first_of_its_address(const struct settings_endpoints *listen, unsigned int index)
{
	for (unsigned int i = 0; i < index; i++)
		if (memcmp(listen->item[i].address, listen->item[index].address, 16) == 0)
			return false;
	return true;
}

static void
write_addresses(FILE *out, const struct settings_endpoints *listen)
{
	char text[WISH_TEXT_MAX];
	const char *comma = "";

	for (unsigned int i = 0; i < listen->count; i++) {
		if (!is_first_of_its_address(listen, i))
			continue;
		fprintf(out, "%s\"%s/%u\"", comma, address_text(listen->item[i].address, text),
				flow_key_is_ipv4(listen->item[i].address) ? 32 : 128);
		comma = ", ";
	}
}

static bool
is_web_port(rte_be16_t port)
{
	return port == RTE_BE16(80) || port == RTE_BE16(8080) || port == RTE_BE16(8000);
}

/* One service for the ports that speak HTTP, one for the others. */
static void
write_service(FILE *out, const struct replay_words *words, const struct replay_wish *wish, bool web)
{
	const struct settings_endpoints *listen = &wish->listen;
	char text[WISH_TEXT_MAX];
	const char *comma = "";

	fprintf(out, "  - name: %s\n    reply: %s\n    cookies: %s\n    listen: [",
			web ? "web" : "other",
			words->reply != NULL ? words->reply
			: web                ? "http"
					     : "discard",
			words->cookies != NULL ? words->cookies : "auto");
	for (unsigned int i = 0; i < listen->count; i++) {
		const struct settings_endpoint *item = &listen->item[i];

		if (is_web_port(item->port) != web)
			continue;
		fprintf(out, flow_key_is_ipv4(item->address) ? "%s\"%s:%u\"" : "%s\"[%s]:%u\"",
				comma, address_text(item->address, text),
				rte_be_to_cpu_16(item->port));
		comma = ", ";
	}
	fprintf(out, "]\n");
}

static unsigned int
count_web(const struct settings_endpoints *listen)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < listen->count; i++)
		count += is_web_port(listen->item[i].port);
	return count;
}

static struct settings *
make(const struct replay_words *words, const struct replay_wish *wish)
{
	const uint8_t *mac = wish->mac;
	struct settings *settings;
	unsigned int web;
	char *text = NULL;
	size_t size;
	FILE *out;

	if (wish->listen.count == 0 && wish->elsewhere) {
		fputs("handfast replay: all SYNs of the capture go to addresses that no engine can "
		      "have; try: capture on a device that is not a loopback\n",
				stderr);
		return NULL;
	}
	if (wish->listen.count == 0) {
		fputs("handfast replay: the capture has no SYN to listen for; name a place with "
		      "--listen ADDRESS:PORT\n",
				stderr);
		return NULL;
	}
	out = open_memstream(&text, &size);
	if (out == NULL)
		return NULL;
	web = count_web(&wish->listen);
	fprintf(out,
			"engine: {connections: 65536, echo_buffers: 256, workers: 1}\n"
			"ports:\n  - name: replay\n    device: \"vdev:" REPLAY_DEVICE "0\"\n"
			"    partial_checksums: accept\n    vlan: %u\n",
			wish->vlan);
	if (wish->mac_known)
		fprintf(out, "    mac: \"%02x:%02x:%02x:%02x:%02x:%02x\"\n", mac[0], mac[1], mac[2],
				mac[3], mac[4], mac[5]);
	fprintf(out, "    addresses: [");
	write_addresses(out, &wish->listen);
	fprintf(out, "]\nservices:\n");
	if (web > 0)
		write_service(out, words, wish, true);
	if (web < wish->listen.count)
		write_service(out, words, wish, false);
	fclose(out);
	settings = settings_parse("made for the capture", text, size, stderr);
	free(text);
	return settings;
}

/* What `auto` is depends on the device, which is going to be another one. */
static void
resolve_partial(struct settings_port *port, unsigned int index)
{
	struct device device;

	if (port->partial_checksums != SETTINGS_PARTIAL_AUTO)
		return;
	device_resolve(&device, port, index);
	port->partial_checksums =
			device.kernel_partial ? SETTINGS_PARTIAL_ACCEPT : SETTINGS_PARTIAL_REFUSE;
}

/* The file's settings; only where its packets come from changes. */
static struct settings *
load(const char *path, const struct replay_wish *wish)
{
	struct settings *settings = settings_load(path, stderr);

	if (settings == NULL)
		return NULL;
	settings->engine.workers.count = 1;
	settings->engine.workers.cores[0] = SETTINGS_ANY_CORE;
	for (unsigned int i = 0; i < settings->port_count; i++) {
		struct settings_port *port = &settings->port[i];

		resolve_partial(port, i);
		port->device.kind = SETTINGS_DEVICE_VDEV;
		snprintf(port->device.argument, sizeof(port->device.argument), REPLAY_DEVICE "%u",
				i);
		port->queues = 1;
		if (port->mac.automatic && wish->mac_known && i == 0) {
			port->mac.automatic = false;
			memcpy(port->mac.bytes, wish->mac, sizeof(port->mac.bytes));
		}
	}
	return settings;
}

struct settings *
replay_settings_make(const struct replay_words *words, const struct replay_wish *wish)
{
	struct settings *settings =
			words->config != NULL ? load(words->config, wish) : make(words, wish);

	if (settings != NULL)
		settings->engine.memory = SETTINGS_MEMORY_NONE;
	return settings;
}

int
replay_settings_port(const struct settings *settings, const uint8_t address[16])
{
	for (unsigned int i = 0; i < settings->port_count; i++)
		for (unsigned int a = 0; a < settings->port[i].addresses.count; a++)
			if (memcmp(settings->port[i].addresses.item[a].address, address, 16) == 0)
				return (int)i;
	return -1;
}

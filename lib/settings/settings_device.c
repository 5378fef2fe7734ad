/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * A port's device: `kind:argument`, checked as far as text goes.
 *
 * Whether the device exists is found out when it is opened.  What is checked here is what DPDK
 * would refuse with a message about something else, or take in silence.
 */

#include "settings/settings_value.h"

#include <stdlib.h>
#include <string.h>

#include "settings/settings.h"

#define INTERFACE_MAX   15  /* IFNAMSIZ - 1 */
#define SOCKET_PATH_MAX 107 /* struct sockaddr_un */

#define DIGITS          "0123456789"
#define WORD_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-." DIGITS

static const char *const kind_words[] = {
		[SETTINGS_DEVICE_PCI] = "pci",
		[SETTINGS_DEVICE_TAP] = "tap",
		[SETTINGS_DEVICE_VETH] = "veth",
		[SETTINGS_DEVICE_MEMIF] = "memif",
		[SETTINGS_DEVICE_VHOST] = "vhost",
		[SETTINGS_DEVICE_PCAP] = "pcap",
		[SETTINGS_DEVICE_NULL] = "null",
		[SETTINGS_DEVICE_RING] = "ring",
		[SETTINGS_DEVICE_VDEV] = "vdev",
};

static bool
refuse(struct settings_value *value, const char *problem, const char *hint)
{
	settings_problem_add(
			value->errors, value->place, "device: \"%s\" %s", value->text, problem);
	settings_problem_hint(value->errors, "%s", hint);
	return false;
}

/* `pattern` has x for a hexadecimal digit, 0 for an octal one and itself for the rest. */
static bool
matches(const char *text, const char *pattern)
{
	for (; *pattern != '\0'; text++, pattern++) {
		const char *allowed = *pattern == 'x' ? DIGITS "abcdefABCDEF" : "01234567";
		bool literal = *pattern != 'x' && *pattern != '0';

		if (*text == '\0' || (literal ? *text != *pattern : strchr(allowed, *text) == NULL))
			return false;
	}
	return *text == '\0';
}

static bool
is_pci(const char *text)
{
	return matches(text, "xxxx:xx:xx.0") || matches(text, "xx:xx.0");
}

/* DPDK names the device with its domain and in lower case; so do we, to find it again. */
static bool
take_pci(struct settings_value *value, struct settings_device *device)
{
	char *at;

	if (!is_pci(device->argument))
		return refuse(value, "is no PCI address", "write it as pci:0000:3b:00.0");
	if (strlen(device->argument) == strlen("3b:00.0")) {
		memmove(device->argument + 5, device->argument, strlen(device->argument) + 1);
		memcpy(device->argument, "0000:", 5);
	}
	for (at = device->argument; *at != '\0'; at++)
		if (*at >= 'A' && *at <= 'F')
			*at |= 0x20;
	return true;
}

static bool
take_interface(struct settings_value *value, struct settings_device *device)
{
	size_t length = strlen(device->argument);

	if (length == 0 || length > INTERFACE_MAX)
		return refuse(value, "needs an interface name of 1 to 15 characters",
				"write it as tap:hf0 or veth:veth0");
	if (strspn(device->argument, WORD_CHARACTERS) != length || device->argument[0] == '.')
		return refuse(value, "is no interface name",
				"a name has letters, digits, _, . and -");
	return true;
}

/* NAME[,af_packet|,af_xdp] */
static bool
take_veth(struct settings_value *value, struct settings_device *device)
{
	char *comma = strchr(device->argument, ',');
	bool taken;

	if (comma != NULL && strcmp(comma, ",af_packet") != 0 && strcmp(comma, ",af_xdp") != 0)
		return refuse(value, "knows no such driver",
				"write veth:veth0,af_packet or veth:veth0,af_xdp");
	if (comma != NULL)
		*comma = '\0';
	taken = take_interface(value, device);
	if (comma != NULL)
		*comma = ',';
	return taken;
}

static bool
take_path(struct settings_value *value, struct settings_device *device)
{
	if (device->argument[0] != '/' || strlen(device->argument) > SOCKET_PATH_MAX ||
			strpbrk(device->argument, ", ") != NULL)
		return refuse(value, "needs the path of a socket",
				"an absolute path of at most 107 bytes, without comma and space, "
				"such as vhost:/run/handfast.sock");
	return true;
}

static bool
take_pcap(struct settings_value *value, struct settings_device *device)
{
	char *comma = strchr(device->argument, ',');
	const char *out = comma == NULL ? "" : comma + 1;
	size_t in_length = strcspn(device->argument, ",");

	if (strchr(out, ',') != NULL || (in_length == 0 && out[0] == '\0'))
		return refuse(value, "needs one or two files",
				"write pcap:IN.pcap,OUT.pcap, pcap:IN.pcap or pcap:,OUT.pcap");
	if (in_length == strlen(out) && strncmp(device->argument, out, in_length) == 0)
		return refuse(value, "reads and writes the same file",
				"the output would overwrite the input: name another file");
	if (comma != NULL && out[0] == '\0')
		*comma = '\0';
	return true;
}

/* What a memif takes, by DPDK's names. */
enum memif_key {
	MEMIF_SOCKET,
	MEMIF_ROLE,
	MEMIF_ID,
	MEMIF_BSIZE,
	MEMIF_RSIZE,
	MEMIF_SECRET,
	MEMIF_ZERO_COPY,
	MEMIF_SOCKET_ABSTRACT,
	MEMIF_KEYS,
};

static const char *const memif_keys[MEMIF_KEYS] = {
		[MEMIF_SOCKET] = "socket",
		[MEMIF_ROLE] = "role",
		[MEMIF_ID] = "id",
		[MEMIF_BSIZE] = "bsize",
		[MEMIF_RSIZE] = "rsize",
		[MEMIF_SECRET] = "secret",
		[MEMIF_ZERO_COPY] = "zero-copy",
		[MEMIF_SOCKET_ABSTRACT] = "socket-abstract",
};

#define MEMIF_RSIZE_USUAL 10
#define MEMIF_RSIZE_MAX   14

/* One key=value of a memif.  @return enum memif_key, or -1 */
static int
memif_key(const char *item, size_t length)
{
	size_t key = strcspn(item, "=");

	if (key + 1 >= length)
		return -1;
	for (int i = 0; i < MEMIF_KEYS; i++)
		if (strlen(memif_keys[i]) == key && strncmp(memif_keys[i], item, key) == 0)
			return i;
	return -1;
}

/* The value of a key that settings_device_read() has seen; NULL when it was not given. */
static const char *
memif_value(const char *argument, enum memif_key wanted)
{
	while (*argument != '\0') {
		const size_t length = strcspn(argument, ",");

		if (memif_key(argument, length) == (int)wanted)
			return strchr(argument, '=') + 1;
		argument += length + (argument[length] == ',');
	}
	return NULL;
}

static bool
is_either(const char *text, size_t length, const char *one, const char *other)
{
	return (length == strlen(one) && strncmp(text, one, length) == 0) ||
	       (length == strlen(other) && strncmp(text, other, length) == 0);
}

/* DPDK takes the upper bits of longer numbers away, in silence. */
static bool
is_number(const char *text, size_t length, unsigned long least, unsigned long most)
{
	if (length >= 10 || strspn(text, DIGITS) < length)
		return false;
	return strtoul(text, NULL, 10) >= least && strtoul(text, NULL, 10) <= most;
}

static bool
memif_item_good(const char *item, size_t length, int key)
{
	const char *text = strchr(item, '=') + 1;
	size_t left = length - (size_t)(text - item);

	switch (key) {
	case MEMIF_SOCKET:
		return left <= SOCKET_PATH_MAX;
	case MEMIF_ROLE:
		return is_either(text, left, "server", "client");
	case MEMIF_ID:
		return is_number(text, left, 0, 999999999);
	case MEMIF_BSIZE:
		return is_number(text, left, 1, UINT16_MAX);
	case MEMIF_RSIZE:
		return is_number(text, left, 1, MEMIF_RSIZE_MAX);
	case MEMIF_ZERO_COPY:
	case MEMIF_SOCKET_ABSTRACT:
		return is_either(text, left, "yes", "no");
	default:
		return true;
	}
}

static bool
take_memif(struct settings_value *value, struct settings_device *device)
{
	const char *item = device->argument;
	unsigned int seen = 0;

	while (*item != '\0') {
		size_t length = strcspn(item, ",");
		int key = memif_key(item, length);

		if (key < 0 || !memif_item_good(item, length, key) || (seen & 1u << key) != 0) {
			settings_problem_add(value->errors, value->place,
					"device: \"%.*s\" is not understood", (int)length, item);
			settings_problem_hint(value->errors,
					"a memif takes socket=, role=server or role=client, id=, "
					"bsize= (bytes), rsize= (1 to 14: a power of two), "
					"secret=, zero-copy=yes or no, socket-abstract=yes or no, "
					"each once");
			return false;
		}
		seen |= 1u << key;
		item += length + (item[length] == ',');
	}
	if ((seen & 1u << MEMIF_ROLE) == 0 || (seen & 1u << MEMIF_SOCKET) == 0)
		return refuse(value, "needs socket= and role=",
				"such as memif:socket=/run/handfast.sock,role=server,id=0");
	if (settings_device_is_zero_copy(device) && !settings_device_is_memif_client(device))
		return refuse(value, "is a server, which always copies",
				"packet buffers are the client's: write role=client, or leave "
				"zero-copy=yes to the other end");
	return true;
}

bool
settings_device_is_memif_client(const struct settings_device *device)
{
	return device->kind == SETTINGS_DEVICE_MEMIF &&
	       memif_value(device->argument, MEMIF_ROLE)[0] == 'c';
}

bool
settings_device_is_zero_copy(const struct settings_device *device)
{
	const char *wanted = device->kind == SETTINGS_DEVICE_MEMIF
					     ? memif_value(device->argument, MEMIF_ZERO_COPY)
					     : NULL;

	return wanted != NULL && wanted[0] == 'y';
}

/* Empty when it was not given. */
static void
memif_text(const char *argument, enum memif_key wanted, char *text, size_t size)
{
	const char *value = memif_value(argument, wanted);

	snprintf(text, size, "%.*s", value == NULL ? 0 : (int)strcspn(value, ","),
			value == NULL ? "" : value);
}

void
settings_device_memif(const struct settings_device *device, struct settings_memif *memif)
{
	const char *id = memif_value(device->argument, MEMIF_ID);
	const char *abstract = memif_value(device->argument, MEMIF_SOCKET_ABSTRACT);

	memif_text(device->argument, MEMIF_SOCKET, memif->socket, sizeof(memif->socket));
	memif_text(device->argument, MEMIF_SECRET, memif->secret, sizeof(memif->secret));
	memif->id = id == NULL ? 0 : (uint32_t)strtoul(id, NULL, 10);
	memif->abstract = abstract == NULL || abstract[0] == 'y';
}

unsigned int
settings_device_ring_slots(const struct settings_device *device)
{
	const char *wanted = memif_value(device->argument, MEMIF_RSIZE);

	return 1u << (wanted != NULL ? strtoul(wanted, NULL, 10) : MEMIF_RSIZE_USUAL);
}

static bool
take_word(struct settings_value *value, struct settings_device *device)
{
	if (strspn(device->argument, WORD_CHARACTERS "=,") != strlen(device->argument))
		return refuse(value, "has characters that do not belong there",
				"write \"null:\" or \"ring:\"");
	return true;
}

static bool
take_vdev(struct settings_value *value, struct settings_device *device)
{
	size_t name = strcspn(device->argument, ",");

	if (strncmp(device->argument, "net_", 4) != 0 || name == 4 ||
			strspn(device->argument, WORD_CHARACTERS) < name ||
			strpbrk(device->argument, " \t\r\n") != NULL)
		return refuse(value, "does not begin with a driver's name",
				"write what DPDK takes as --vdev, without spaces, such as "
				"vdev:net_ring0");
	return true;
}

static bool (*const takers[])(struct settings_value *value, struct settings_device *device) = {
		[SETTINGS_DEVICE_PCI] = take_pci,
		[SETTINGS_DEVICE_TAP] = take_interface,
		[SETTINGS_DEVICE_VETH] = take_veth,
		[SETTINGS_DEVICE_MEMIF] = take_memif,
		[SETTINGS_DEVICE_VHOST] = take_path,
		[SETTINGS_DEVICE_PCAP] = take_pcap,
		[SETTINGS_DEVICE_NULL] = take_word,
		[SETTINGS_DEVICE_RING] = take_word,
		[SETTINGS_DEVICE_VDEV] = take_vdev,
};

static bool
refuse_kind(struct settings_value *value, const char *word)
{
	struct settings_nearest nearest = {.word = word};
	unsigned int i;

	for (i = 0; i < RTE_DIM(kind_words); i++)
		settings_nearest_offer(&nearest, kind_words[i]);
	settings_problem_add(value->errors, value->place, "device: \"%s\" names no kind of device",
			value->text);
	if (is_pci(value->text))
		settings_problem_hint(value->errors, "write pci:%s", value->text);
	else if (nearest.best != NULL)
		settings_problem_hint(value->errors, "did you mean %s:?", nearest.best);
	else
		settings_problem_hint(value->errors,
				"a device is pci:, tap:, veth:, memif:, vhost:, "
				"pcap:, null:, ring: or vdev: and its argument");
	return false;
}

bool
settings_device_read(struct settings_value *value)
{
	struct settings_device device = {.kind = 0};
	size_t word_length = strcspn(value->text, ":");
	const char *argument = value->text + word_length + (value->text[word_length] == ':');
	char word[SETTINGS_NAME_MAX];
	unsigned int kind;

	snprintf(word, sizeof(word), "%.*s", (int)RTE_MIN(word_length, sizeof(word)), value->text);
	for (kind = 0; kind < RTE_DIM(kind_words) && strcmp(word, kind_words[kind]) != 0; kind++)
		;
	if (kind == RTE_DIM(kind_words))
		return refuse_kind(value, word);
	/* Room for the PCI domain that may be added. */
	if (strlen(argument) > sizeof(device.argument) - 1 - strlen("0000:"))
		return refuse(value, "is too long", "at most 500 bytes");
	device.kind = kind;
	memcpy(device.argument, argument, strlen(argument));
	if (!takers[kind](value, &device))
		return false;
	*(struct settings_device *)value->member = device;
	return true;
}

const char *
settings_format_device(const struct settings_device *device, char text[SETTINGS_DEVICE_TEXT_MAX])
{
	snprintf(text, SETTINGS_DEVICE_TEXT_MAX, "%s:%s", kind_words[device->kind],
			device->argument);
	return text;
}

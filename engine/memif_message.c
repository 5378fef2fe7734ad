/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_common.h>

#include "engine/memif_message.h"
#include "engine/memif_queue.h"

#define MESSAGE_VERSION    0x0200
#define MESSAGE_NAME_BYTES 32
#define MESSAGE_TO_SERVER  1 /* Flag of a ring. */

/* A server takes so many. */
#define MESSAGE_REGION_LAST (MEMIF_REGIONS - 2)

enum message_type {
	MESSAGE_ACK = 1,
	MESSAGE_HELLO,
	MESSAGE_INIT,
	MESSAGE_ADD_REGION,
	MESSAGE_ADD_RING,
	MESSAGE_CONNECT,
	MESSAGE_CONNECTED,
	MESSAGE_DISCONNECT,
};

struct message_hello {
	char name[MESSAGE_NAME_BYTES];
	uint16_t version_min;
	uint16_t version_max;
	uint16_t region_last;
	uint16_t ring_to_client_last;
	uint16_t ring_to_server_last;
	uint8_t log2_slots_most;
} __rte_packed;

struct message_init {
	uint16_t version;
	uint32_t id;
	uint8_t mode; /* 0: Ethernet. */
	char secret[24];
	char name[MESSAGE_NAME_BYTES];
} __rte_packed;

struct message_region {
	uint16_t index;
	uint64_t bytes;
} __rte_packed;

struct message_ring {
	uint16_t flags;
	uint16_t index;
	uint16_t region;
	uint32_t offset;
	uint8_t log2_slots;
	uint16_t private_bytes;
} __rte_packed;

struct message {
	uint16_t type;
	union {
		struct message_hello hello;
		struct message_init init;
		struct message_region region;
		struct message_ring ring;
		char name[MESSAGE_NAME_BYTES];
		uint8_t bytes[126];
	};
} __rte_packed;

_Static_assert(sizeof(struct message) == 128, "all messages are as long");

/* A file of -1 is none. */
static bool
message_send(int socket, struct message *message, int file)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} with = {.bytes = {0}};
	struct iovec text = {message, sizeof(*message)};
	struct msghdr envelope = {.msg_iov = &text, .msg_iovlen = 1};

	if (file >= 0) {
		envelope.msg_control = with.bytes;
		envelope.msg_controllen = sizeof(with.bytes);
		with.header.cmsg_level = SOL_SOCKET;
		with.header.cmsg_type = SCM_RIGHTS;
		with.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&with.header), &file, sizeof(file));
	}
	return sendmsg(socket, &envelope, MSG_NOSIGNAL) == (ssize_t)sizeof(*message);
}

/* A refusal comes as another type. */
static bool
message_await(int socket, enum message_type type, struct message *message)
{
	const ssize_t got = recv(socket, message, sizeof(*message), 0);

	if (got == (ssize_t)sizeof(*message) && message->type == type)
		return true;
	if (got >= 0)
		errno = ECONNREFUSED;
	return false;
}

static bool
message_ask(int socket, struct message *message, int file, enum message_type answer)
{
	return message_send(socket, message, file) && message_await(socket, answer, message);
}

/* An abstract name begins with a byte 0, and has no more bytes than it needs. */
static socklen_t
message_address(const struct settings_memif *wanted, struct sockaddr_un *address)
{
	const size_t length = strlen(wanted->socket);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path + wanted->abstract, wanted->socket,
			RTE_MIN(length, sizeof(address->sun_path) - 1));
	if (!wanted->abstract)
		return sizeof(*address);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			   RTE_MIN(1 + length, sizeof(address->sun_path)));
}

bool
memif_message_wait_at_most(int socket, unsigned int patience_ms)
{
	const struct timeval patience = {
			.tv_sec = patience_ms / 1000, .tv_usec = patience_ms % 1000 * 1000};

	return setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
	       setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0;
}

static bool
message_greets(int socket)
{
	struct message message;

	if (!message_await(socket, MESSAGE_HELLO, &message))
		return false;
	if (message.hello.version_min <= MESSAGE_VERSION &&
			message.hello.version_max >= MESSAGE_VERSION)
		return true;
	errno = EPROTONOSUPPORT;
	return false;
}

int
memif_message_connect(const struct settings_memif *wanted, unsigned int patience_ms)
{
	struct sockaddr_un address;
	const socklen_t length = message_address(wanted, &address);
	const int end = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (end < 0)
		return -1;
	if (connect(end, (const struct sockaddr *)&address, length) != 0 ||
			!memif_message_wait_at_most(end, patience_ms) || !message_greets(end)) {
		const int reason = errno;

		close(end);
		errno = reason;
		return -1;
	}
	return end;
}

bool
memif_message_init(int socket, const struct settings_memif *wanted)
{
	struct message message = {.type = MESSAGE_INIT};

	message.init.version = MESSAGE_VERSION;
	message.init.id = wanted->id;
	memcpy(message.init.name, "handfast", sizeof("handfast"));
	memcpy(message.init.secret, wanted->secret,
			strnlen(wanted->secret, sizeof(message.init.secret)));
	return message_ask(socket, &message, -1, MESSAGE_ACK);
}

bool
memif_message_add_region(int socket, uint16_t index, const struct memif_memory *memory)
{
	struct message message = {.type = MESSAGE_ADD_REGION};

	message.region.index = index;
	message.region.bytes = memory->bytes;
	return message_ask(socket, &message, memory->file, MESSAGE_ACK);
}

bool
memif_message_add_ring(int socket, const struct memif_place *place)
{
	struct message message = {.type = MESSAGE_ADD_RING};

	message.ring.flags = place->to_server ? MESSAGE_TO_SERVER : 0;
	message.ring.index = place->index;
	message.ring.offset = place->offset;
	message.ring.log2_slots = place->log2_slots;
	return message_ask(socket, &message, place->event, MESSAGE_ACK);
}

bool
memif_message_start(int socket)
{
	struct message message = {.type = MESSAGE_CONNECT};

	memcpy(message.name, "handfast", sizeof("handfast"));
	return message_ask(socket, &message, -1, MESSAGE_CONNECTED);
}

/* A server that was killed leaves its socket behind. */
static void
message_clear_away(int end, const struct sockaddr_un *address, socklen_t length)
{
	struct stat about;

	if (lstat(address->sun_path, &about) == 0 && S_ISSOCK(about.st_mode) &&
			connect(end, (const struct sockaddr *)address, length) != 0 &&
			errno == ECONNREFUSED)
		unlink(address->sun_path);
}

int
memif_message_listen(const struct settings_memif *wanted)
{
	struct sockaddr_un address;
	const socklen_t length = message_address(wanted, &address);
	const int end = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (end < 0)
		return -1;
	if (!wanted->abstract)
		message_clear_away(end, &address, length);
	if (bind(end, (const struct sockaddr *)&address, length) != 0 || listen(end, 1) != 0) {
		const int reason = errno;

		close(end);
		errno = reason;
		return -1;
	}
	return end;
}

bool
memif_message_greet(int socket, unsigned int queues)
{
	struct message message = {.type = MESSAGE_HELLO};

	memcpy(message.hello.name, "handfast", sizeof("handfast"));
	message.hello.version_min = MESSAGE_VERSION;
	message.hello.version_max = MESSAGE_VERSION;
	message.hello.region_last = MESSAGE_REGION_LAST;
	message.hello.ring_to_client_last = (uint16_t)(queues - 1);
	message.hello.ring_to_server_last = (uint16_t)(queues - 1);
	message.hello.log2_slots_most = MEMIF_LOG2_SLOTS_MAX;
	return message_send(socket, &message, -1);
}

/* @return what recvmsg() does, and the first file that came. */
static ssize_t
message_receive(int socket, struct message *message, int *file)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} with;
	struct iovec text = {message, sizeof(*message)};
	struct msghdr envelope = {.msg_iov = &text,
			.msg_iovlen = 1,
			.msg_control = with.bytes,
			.msg_controllen = sizeof(with.bytes)};
	const ssize_t got = recvmsg(socket, &envelope, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = got < 0 ? NULL : CMSG_FIRSTHDR(&envelope);

	*file = -1;
	if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
			header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(file, CMSG_DATA(header), sizeof(*file));
	return got;
}

static void
message_read(const struct message *message, struct memif_word *word)
{
	word->kind = MEMIF_WORD_OTHER;
	switch (message->type) {
	case MESSAGE_INIT:
		word->kind = message->init.version == MESSAGE_VERSION ? MEMIF_WORD_INIT
								      : MEMIF_WORD_OTHER;
		word->id = message->init.id;
		word->ethernet = message->init.mode == 0;
		memcpy(word->secret, message->init.secret, sizeof(message->init.secret));
		break;
	case MESSAGE_ADD_REGION:
		word->kind = MEMIF_WORD_REGION;
		word->index = message->region.index;
		word->bytes = message->region.bytes;
		break;
	case MESSAGE_ADD_RING:
		word->kind = MEMIF_WORD_RING;
		word->region = message->ring.region;
		word->place = (struct memif_place){
				.offset = message->ring.offset,
				.index = message->ring.index,
				.to_server = (message->ring.flags & MESSAGE_TO_SERVER) != 0,
				.log2_slots = message->ring.log2_slots,
				.event = word->file,
		};
		break;
	case MESSAGE_CONNECT:
		word->kind = MEMIF_WORD_START;
		break;
	default:
		break;
	}
}

bool
memif_message_hear(int socket, struct memif_word *word)
{
	struct message message;
	ssize_t got;

	memset(word, 0, sizeof(*word));
	do {
		got = message_receive(socket, &message, &word->file);
	} while (got < 0 && errno == EINTR);
	if (got == (ssize_t)sizeof(message) && message.type != MESSAGE_DISCONNECT) {
		message_read(&message, word);
		return true;
	}
	if (word->file >= 0)
		close(word->file);
	return false;
}

bool
memif_message_agree(int socket, bool start)
{
	struct message message = {.type = start ? MESSAGE_CONNECTED : MESSAGE_ACK};

	if (start)
		memcpy(message.name, "handfast", sizeof("handfast"));
	return message_send(socket, &message, -1);
}

void
memif_message_leave(int socket)
{
	struct message message = {.type = MESSAGE_DISCONNECT};

	message_send(socket, &message, -1);
	close(socket);
}

bool
memif_message_still_there(int socket)
{
	struct message message;
	const ssize_t got = recv(socket, &message, sizeof(message), MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
	return got == (ssize_t)sizeof(message) && message.type != MESSAGE_DISCONNECT;
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * A bad cable for the system tests: carries frames between a device and a TAP that it makes in
 * another network namespace, and on the way drops, reorders and duplicates some of them, or adds
 * and removes a VLAN tag.
 *
 * The near end is an AF_PACKET socket on an existing device (the engine's TAP); the far end is a
 * TAP, because a TAP's kernel finishes every checksum before it lets a frame go.  Chance comes from
 * a seed and the order of frames, so a run can be repeated as far as the kernel allows.  VLAN tags
 * are handled here since not every kernel has 8021q.
 *
 * A reordered frame waits until REORDER_DISTANCE later ones of its direction have passed, or
 * REORDER_PATIENCE_MS are over.  The counts are printed at SIGTERM or SIGINT.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX           2048
#define VLAN_TAG_BYTES      4
#define ADDRESSES_BYTES     12 /* A VLAN tag follows the two Ethernet addresses. */
#define HELD_MAX            64
#define REORDER_DISTANCE    3
#define REORDER_PATIENCE_MS 20
#define PER_CENT            100.0

struct frame {
	size_t length;
	uint8_t bytes[FRAME_MAX];
};

/** A frame on its way, later than it should be. */
struct held {
	unsigned int countdown; /**< Frames still to overtake it; 0 is a free place. */
	int64_t deadline_ms;
	struct frame frame;
};

struct direction {
	const char *name;
	int source;
	int target;
	bool from_tap; /**< The source is the TAP, else the packet socket. */
	struct held held[HELD_MAX];
	uint64_t passed, dropped, reordered, duplicated, foreign, refused;
};

static struct {
	const char *near;
	const char *far;
	const char *namespace;
	double drop, reorder, duplicate; /**< Per cent. */
	uint64_t seed;
	uint16_t vlan; /**< 0 is none. */
} options = {.seed = 1};

static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
	(void)number;
	stop = 1;
}

static void
die(const char *what)
{
	fprintf(stderr, "lossy: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/** xorshift64*: small, seeded, good enough to choose packets. */
static bool
chance(double per_cent)
{
	options.seed ^= options.seed >> 12;
	options.seed ^= options.seed << 25;
	options.seed ^= options.seed >> 27;
	return (double)((options.seed * UINT64_C(2685821657736338717)) >> 11) /
			       (double)(1ULL << 53) <
	       per_cent / PER_CENT;
}

static int
open_near(const char *name)
{
	const int one = 1;
	struct sockaddr_ll address = {
			.sll_family = AF_PACKET,
			.sll_protocol = htons(ETH_P_ALL),
			.sll_ifindex = (int)if_nametoindex(name),
	};
	struct packet_mreq promiscuous = {
			.mr_ifindex = address.sll_ifindex,
			.mr_type = PACKET_MR_PROMISC,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);

	if (fd < 0 || address.sll_ifindex == 0)
		die(name);
	/* The kernel moves a VLAN tag out of the frame; AUXDATA is where it tells. */
	if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) != 0 ||
			setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) !=
					0 ||
			setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous,
					sizeof(promiscuous)) != 0 ||
			bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		die(name);
	return fd;
}

static int
open_far(const char *namespace, const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", namespace);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
		die(path);
	close(fd);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0)
		die(name);
	return fd;
}

/** The VLAN identifier that the kernel took out of the frame, 0 when there was none. */
static uint16_t
stripped_vlan(struct msghdr *message)
{
	for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item != NULL;
			item = CMSG_NXTHDR(message, item)) {
		struct tpacket_auxdata aux;

		if (item->cmsg_level != SOL_PACKET || item->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(item), sizeof(aux));
		if (aux.tp_status & TP_STATUS_VLAN_VALID)
			return aux.tp_vlan_tci & 0x0fff;
	}
	return 0;
}

/** @return 1 and a frame, 0 for one that is not to be passed on, -1 when none waits. */
static int
receive(struct direction *direction, struct frame *frame)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct iovec part = {.iov_base = frame->bytes, .iov_len = FRAME_MAX - VLAN_TAG_BYTES};
	struct msghdr message = {
			.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
	};
	ssize_t length;

	if (direction->from_tap)
		length = read(direction->source, frame->bytes, FRAME_MAX - VLAN_TAG_BYTES);
	else
		length = recvmsg(direction->source, &message, 0);
	if (length <= ADDRESSES_BYTES)
		return -1;
	frame->length = (size_t)length;
	if (!direction->from_tap && stripped_vlan(&message) != options.vlan) {
		direction->foreign++;
		return 0;
	}
	return 1;
}

static void
add_tag(struct frame *frame)
{
	const uint16_t tag[2] = {htons(ETH_P_8021Q), htons(options.vlan)};

	memmove(frame->bytes + ADDRESSES_BYTES + VLAN_TAG_BYTES, frame->bytes + ADDRESSES_BYTES,
			frame->length - ADDRESSES_BYTES);
	memcpy(frame->bytes + ADDRESSES_BYTES, tag, sizeof(tag));
	frame->length += VLAN_TAG_BYTES;
}

static void
deliver(struct direction *direction, const struct frame *frame)
{
	if (write(direction->target, frame->bytes, frame->length) == (ssize_t)frame->length)
		direction->passed++;
	else
		direction->refused++;
}

/** Let held frames go whose time has come; a passing frame counts for each of them. */
static void
release(struct direction *direction, unsigned int overtaken_by)
{
	const int64_t now = now_ms();

	for (unsigned int i = 0; i < HELD_MAX; i++) {
		struct held *held = &direction->held[i];

		if (held->countdown == 0)
			continue;
		held->countdown -= overtaken_by;
		if (held->countdown == 0 || now >= held->deadline_ms) {
			held->countdown = 0;
			deliver(direction, &held->frame);
		}
	}
}

static bool
hold(struct direction *direction, const struct frame *frame)
{
	for (unsigned int i = 0; i < HELD_MAX; i++) {
		struct held *held = &direction->held[i];

		if (held->countdown != 0)
			continue;
		held->countdown = REORDER_DISTANCE;
		held->deadline_ms = now_ms() + REORDER_PATIENCE_MS;
		held->frame = *frame;
		direction->reordered++;
		return true;
	}
	return false;
}

static void
carry(struct direction *direction)
{
	struct frame frame;
	int got;

	while ((got = receive(direction, &frame)) >= 0) {
		if (got == 0)
			continue;
		if (direction->from_tap && options.vlan != 0)
			add_tag(&frame);
		if (chance(options.drop)) {
			direction->dropped++;
			continue;
		}
		if (chance(options.reorder) && hold(direction, &frame))
			continue;
		deliver(direction, &frame);
		if (chance(options.duplicate)) {
			direction->duplicated++;
			deliver(direction, &frame);
		}
		release(direction, 1);
	}
	release(direction, 0);
}

static void
parse_options(int argc, char **argv)
{
	static const struct option known[] = {
			{"near", required_argument, NULL, 'n'},
			{"far", required_argument, NULL, 'f'},
			{"namespace", required_argument, NULL, 'N'},
			{"drop", required_argument, NULL, 'd'},
			{"reorder", required_argument, NULL, 'r'},
			{"duplicate", required_argument, NULL, 'D'},
			{"seed", required_argument, NULL, 's'},
			{"vlan", required_argument, NULL, 'v'},
			{NULL, 0, NULL, 0},
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (letter) {
		case 'n':
			options.near = optarg;
			break;
		case 'f':
			options.far = optarg;
			break;
		case 'N':
			options.namespace = optarg;
			break;
		case 'd':
			options.drop = strtod(optarg, NULL);
			break;
		case 'r':
			options.reorder = strtod(optarg, NULL);
			break;
		case 'D':
			options.duplicate = strtod(optarg, NULL);
			break;
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'v':
			options.vlan = (uint16_t)strtoul(optarg, NULL, 0);
			break;
		default:
			exit(2);
		}
	}
	if (options.near == NULL || options.far == NULL || options.namespace == NULL ||
			options.seed == 0) {
		fprintf(stderr, "usage: lossy --near DEVICE --far TAP --namespace NAME [--drop %%]"
				" [--reorder %%] [--duplicate %%] [--seed N] [--vlan ID]\n");
		exit(2);
	}
}

static void
print(const struct direction *direction)
{
	printf("%s passed %lu dropped %lu reordered %lu duplicated %lu foreign %lu refused %lu\n",
			direction->name, direction->passed, direction->dropped,
			direction->reordered, direction->duplicated, direction->foreign,
			direction->refused);
}

int
main(int argc, char **argv)
{
	static struct direction to_far = {.name = "from-near"};
	static struct direction to_near = {.name = "from-far", .from_tap = true};
	const struct sigaction action = {.sa_handler = on_signal};
	struct pollfd ends[2];

	parse_options(argc, argv);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	to_far.source = to_near.target = open_near(options.near);
	to_near.source = to_far.target = open_far(options.namespace, options.far);
	ends[0] = (struct pollfd){.fd = to_far.source, .events = POLLIN};
	ends[1] = (struct pollfd){.fd = to_near.source, .events = POLLIN};
	printf("ready\n");
	fflush(stdout);

	while (!stop) {
		poll(ends, 2, REORDER_PATIENCE_MS / 4);
		carry(&to_far);
		carry(&to_near);
	}
	print(&to_far);
	print(&to_near);
	return 0;
}

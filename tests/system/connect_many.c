/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Thousands of TCP connections of the local kernel to one address, all open at the same time: opens
 * them without waiting, then asks each for a page or says nothing, then closes them.
 *
 * Prints one JSON object: how many opened and failed, and the time from connect() to the
 * handshake's end in microseconds.  The kernel does TCP; this only counts.  Exit code 1 when any
 * failed.
 */

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX    256
#define IN_FLIGHT_MAX 512 /* Handshakes at a time; the established ones stay open. */
#define PATIENCE_MS   20000
#define SPARE_FILES   64
#define MICROSECONDS  1000000
#define NS_PER_US     1000

enum stage { STAGE_CONNECTING, STAGE_OPEN, STAGE_ASKED, STAGE_DONE, STAGE_FAILED };

struct client {
	int fd;
	enum stage stage;
	int64_t began_us;
	int64_t took_us;
	size_t received;
};

struct crowd {
	struct client *clients;
	unsigned int count, started, connecting, opened, answered, failed;
	int epoll;
	bool ask;
	const struct addrinfo *address;
};

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * MICROSECONDS + now.tv_nsec / NS_PER_US;
}

static void
fail(struct crowd *crowd, struct client *client, const char *what, int error)
{
	if (crowd->failed++ == 0)
		fprintf(stderr, "connect_many: first failure: %s: %s\n", what, strerror(error));
	if (client->stage == STAGE_CONNECTING)
		crowd->connecting--;
	client->stage = STAGE_FAILED;
	close(client->fd);
}

static void
start_one(struct crowd *crowd)
{
	struct client *client = &crowd->clients[crowd->started++];
	struct epoll_event event = {.events = EPOLLOUT, .data.ptr = client};

	client->fd = socket(crowd->address->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	client->began_us = now_us();
	crowd->connecting++;
	if (client->fd < 0 ||
			(connect(client->fd, crowd->address->ai_addr, crowd->address->ai_addrlen) !=
							0 &&
					errno != EINPROGRESS) ||
			epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
		fail(crowd, client, "connect", errno);
}

static void
connected(struct crowd *crowd, struct client *client)
{
	int error = 0;
	socklen_t size = sizeof(error);
	struct epoll_event event = {.data.ptr = client};

	getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error != 0) {
		fail(crowd, client, "connect", error);
		return;
	}
	client->took_us = now_us() - client->began_us;
	client->stage = STAGE_OPEN;
	crowd->connecting--;
	crowd->opened++;
	epoll_ctl(crowd->epoll, EPOLL_CTL_MOD, client->fd, &event);
}

static void
answered(struct crowd *crowd, struct client *client)
{
	char page[4096];
	ssize_t got = read(client->fd, page, sizeof(page));

	if (got > 0) {
		client->received += (size_t)got;
		return;
	}
	if (got < 0 && errno == EAGAIN)
		return;
	if (got < 0 || client->received == 0) {
		fail(crowd, client, "page", got < 0 ? errno : ENODATA);
		return;
	}
	client->stage = STAGE_DONE;
	crowd->answered++;
	close(client->fd);
}

static void
ask_all(struct crowd *crowd)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";

	for (unsigned int i = 0; i < crowd->count; i++) {
		struct client *client = &crowd->clients[i];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

		if (client->stage != STAGE_OPEN)
			continue;
		client->stage = STAGE_ASKED;
		if (write(client->fd, request, sizeof(request) - 1) != (ssize_t)sizeof(request) - 1)
			fail(crowd, client, "request", errno);
		else
			epoll_ctl(crowd->epoll, EPOLL_CTL_MOD, client->fd, &event);
	}
}

/** Handle events until nothing is outstanding or nothing happens any more. */
static void
work(struct crowd *crowd, bool opening)
{
	struct epoll_event events[EVENTS_MAX];
	int n;

	for (;;) {
		while (opening && crowd->started < crowd->count &&
				crowd->connecting < IN_FLIGHT_MAX)
			start_one(crowd);
		if (opening ? crowd->opened + crowd->failed == crowd->count
			    : crowd->answered + crowd->failed == crowd->count)
			return;
		n = epoll_wait(crowd->epoll, events, EVENTS_MAX, PATIENCE_MS);
		if (n <= 0)
			return;
		for (int i = 0; i < n; i++) {
			struct client *client = events[i].data.ptr;

			if (client->stage == STAGE_CONNECTING)
				connected(crowd, client);
			else if (client->stage == STAGE_ASKED)
				answered(crowd, client);
			else if (events[i].events & EPOLLERR)
				fail(crowd, client, "open connection", ECONNRESET);
		}
	}
}

static int
compare_times(const void *left, const void *right)
{
	const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

	return (a > b) - (a < b);
}

static void
report(const struct crowd *crowd, int64_t opening_us)
{
	int64_t *times = calloc(crowd->count, sizeof(*times));
	unsigned int n = 0;

	if (times == NULL)
		exit(1);
	for (unsigned int i = 0; i < crowd->count; i++)
		if (crowd->clients[i].took_us > 0)
			times[n++] = crowd->clients[i].took_us;
	qsort(times, n, sizeof(*times), compare_times);
	printf("{\"asked\": %u, \"opened\": %u, \"answered\": %u, \"failed\": %u,"
	       " \"seconds\": %.6f, \"p50_us\": %ld, \"p99_us\": %ld, \"max_us\": %ld}\n",
			crowd->count, crowd->opened, crowd->answered, crowd->failed,
			(double)opening_us / MICROSECONDS, n > 0 ? times[n / 2] : 0,
			n > 0 ? times[(uint64_t)n * 99 / 100] : 0, n > 0 ? times[n - 1] : 0);
	free(times);
}

int
main(int argc, char **argv)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct rlimit files;
	struct addrinfo *address;
	struct crowd crowd = {.ask = argc == 5 && strcmp(argv[4], "--ask") == 0};
	int64_t began_us, opening_us;

	if (argc < 4 || (argc == 5 && !crowd.ask) || argc > 5 ||
			getaddrinfo(argv[1], argv[2], &hints, &address) != 0) {
		fprintf(stderr, "usage: connect_many ADDRESS PORT COUNT [--ask]\n");
		return 2;
	}
	crowd.address = address;
	crowd.count = (unsigned int)strtoul(argv[3], NULL, 10);
	crowd.clients = calloc(crowd.count, sizeof(*crowd.clients));
	crowd.epoll = epoll_create1(0);
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < crowd.count + SPARE_FILES) {
		files.rlim_cur = crowd.count + SPARE_FILES;
		if (files.rlim_max < files.rlim_cur)
			files.rlim_max = files.rlim_cur;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (crowd.clients == NULL || crowd.epoll < 0)
		return 1;

	began_us = now_us();
	work(&crowd, true);
	opening_us = now_us() - began_us;
	if (crowd.ask) {
		ask_all(&crowd);
		work(&crowd, false);
	}
	crowd.failed = crowd.count - (crowd.ask ? crowd.answered : crowd.opened);
	report(&crowd, opening_us);
	free(crowd.clients);
	freeaddrinfo(address);
	return crowd.failed != 0;
}

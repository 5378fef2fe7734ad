/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The least that a server on top of the kernel's TCP can be: accept, read once, answer with one
 * write, close.  It shows what the kernel's listener itself does, and with a third argument, a
 * server whose own work is what limits it: generators that disagree about that one are wrong.
 *
 *   listener ADDRESS PORT [MICROSECONDS]
 *
 * MICROSECONDS are spent computing for each connection: so much as took so long when the program
 * began, not until a clock says so, for then what interrupts it would cost nothing.  One thread,
 * one connection at a time, IPv4; TCP_DEFER_ACCEPT has the request there when accept() returns, so
 * that nobody is waited for.
 */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#define ATTEMPTS       50
#define ATTEMPT_ROUNDS 100000
#define BACKLOG        4096
#define BODY           "0123456789012345678901234567890123456789012345678901234567890123"
#define ANSWER         "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 64\r\n\r\n" BODY
#define PATIENCE_S     5
#define NS_PER_US      1000
#define NS_PER_S       1000000000
#define REQUEST_SIZE   2048

_Static_assert(sizeof(BODY) == 64 + 1, "the body is as long as its header says");

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int
listen_at(const char *address, const char *port)
{
	const int on = 1, patience = PATIENCE_S;
	struct sockaddr_in local = {
			.sin_family = AF_INET,
			.sin_port = htons((uint16_t)atoi(port)),
	};
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &local.sin_addr) != 1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
			setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &patience, sizeof(patience)) <
					0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&local, sizeof(local)) < 0 || listen(fd, BACKLOG) < 0)
		return -1;
	return fd;
}

/* So much work; @return what nobody needs, so that no compiler leaves it out. */
static uint32_t
work(uint64_t rounds)
{
	uint32_t number = (uint32_t)rounds;

	for (uint64_t i = 0; i < rounds; i++)
		number = number * 1664525 + 1013904223;
	return number;
}

/* How many rounds take so long; the fastest of several attempts is the one nobody disturbed. */
static uint64_t
rounds_of(int64_t microseconds)
{
	int64_t least = INT64_MAX;

	for (unsigned int i = 0; i < ATTEMPTS; i++) {
		const int64_t begun = now_ns();
		volatile uint32_t sink = work(ATTEMPT_ROUNDS);
		const int64_t taken = now_ns() - begun;

		(void)sink;
		least = taken < least ? taken : least;
	}
	return (uint64_t)(microseconds * NS_PER_US * ATTEMPT_ROUNDS / least);
}

/* One connection; a client that went away meanwhile is its own loss. */
static void
serve(int fd, uint64_t rounds)
{
	char request[REQUEST_SIZE];
	volatile uint32_t sink;

	if (recv(fd, request, sizeof(request), 0) > 0) {
		sink = work(rounds);
		(void)sink;
		if (send(fd, ANSWER, sizeof(ANSWER) - 1, MSG_NOSIGNAL) < 0)
			perror("listener: send");
	}
	close(fd);
}

int
main(int argc, char **argv)
{
	uint64_t rounds;
	int listener;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: listener ADDRESS PORT [MICROSECONDS]\n");
		return 2;
	}
	rounds = argc > 3 ? rounds_of(strtoll(argv[3], NULL, 10)) : 0;
	listener = listen_at(argv[1], argv[2]);
	if (listener < 0) {
		perror("listener");
		return 1;
	}
	for (;;) {
		const int fd = accept(listener, NULL, NULL);

		if (fd >= 0)
			serve(fd, rounds);
		else if (errno != EINTR && errno != ECONNABORTED)
			break;
	}
	perror("listener: accept");
	return 1;
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * handfast-core-to-core A B: how long a cache line takes from one core to another and back.
 *
 * Two threads write to one word in turns.  What comes out is the median of many rounds in
 * nanoseconds; on virtual machines it may change from minute to minute, and with it every figure of
 * two processes that talk over shared memory.  So it stands beside them.
 */

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS   101
#define TURNS    500
#define LIMIT_NS 5e8 /* On a busy machine fewer rounds have to do. */

static struct {
	_Alignas(64) uint64_t turn; /* Odd: the other's. */
	_Alignas(64) int core;
	bool over;
} shared;

static bool
move_to(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0;
}

/* @return false when it is over. */
static bool
wait_for(uint64_t turn)
{
	while (__atomic_load_n(&shared.turn, __ATOMIC_ACQUIRE) != turn)
		if (__atomic_load_n(&shared.over, __ATOMIC_RELAXED))
			return false;
	return true;
}

static void *
answer(void *unused)
{
	(void)unused;
	move_to(shared.core);
	for (uint64_t turn = 1; wait_for(turn); turn += 2)
		__atomic_store_n(&shared.turn, turn + 1, __ATOMIC_RELEASE);
	return NULL;
}

static double
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int
compare(const void *a, const void *b)
{
	const double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

int
main(int argc, char **argv)
{
	static double round_trip[ROUNDS];
	unsigned int rounds = 0;
	double begun, end;
	uint64_t turn = 0;
	pthread_t other;

	if (argc != 3) {
		fprintf(stderr, "usage: %s CORE CORE\n", argv[0]);
		return 2;
	}
	shared.core = atoi(argv[2]);
	if (!move_to(atoi(argv[1])) || pthread_create(&other, NULL, answer, NULL) != 0) {
		fprintf(stderr, "%s: cannot run on core %s\n", argv[0], argv[1]);
		return 1;
	}
	end = now_ns() + LIMIT_NS;
	while (rounds < ROUNDS && (begun = now_ns()) < end) {
		for (unsigned int t = 0; t < TURNS; t++) {
			__atomic_store_n(&shared.turn, turn + 1, __ATOMIC_RELEASE);
			turn += 2;
			wait_for(turn);
		}
		round_trip[rounds++] = (now_ns() - begun) / TURNS;
	}
	__atomic_store_n(&shared.over, true, __ATOMIC_RELAXED);
	pthread_join(other, NULL);
	qsort(round_trip, rounds, sizeof(round_trip[0]), compare);
	printf("%.1f\n", round_trip[rounds / 2]);
	return 0;
}

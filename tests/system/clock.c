/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * A wall clock that is wrong: preloaded into an engine, adds the seconds in the file that
 * CLOCK_OFFSET_FILE names, which may change at any time.  All other clocks stay as they are.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	const char *path;
	long offset = 0;
	FILE *file;

	if (syscall(SYS_clock_gettime, clock, now) != 0)
		return -1;
	if (clock != CLOCK_REALTIME)
		return 0;
	path = getenv("CLOCK_OFFSET_FILE");
	file = path != NULL ? fopen(path, "r") : NULL;
	if (file != NULL) {
		if (fscanf(file, "%ld", &offset) == 1)
			now->tv_sec += offset;
		fclose(file);
	}
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "descriptors.h"

bool
descriptors_open_standard(const char *program)
{
	/* open() takes the lowest free number.  Each the wrong way round: reading what was closed,
	 * or writing to it, stays the EBADF that it was, and is not taken for success.
	 */
	for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++) {
		if (fcntl(file, F_GETFD) != -1)
			continue;
		if (open("/dev/null", file == STDIN_FILENO ? O_WRONLY : O_RDONLY) == -1) {
			fprintf(stderr, "%s: /dev/null: %s\n", program, strerror(errno));
			return false;
		}
	}
	return true;
}

/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast demo`: hands over to demo.py.  Making namespaces and running other people's clients is
 * a script's work; the script finds this very program in the environment variable HANDFAST.
 */

#include "script.h"
#include "verbs.h"

const char demo_help[] = "usage: handfast demo [--requests N] [--connections N]\n"
			 "\n"
			 "Makes two network namespaces and a TAP device, starts the engine as a "
			 "responder, sends it\n"
			 "curl, ab and thousands of parallel connects, prints a table and removes "
			 "everything.\n"
			 "Needs root; needs no NIC and no hugepages.\n"
			 "\n"
			 "example:\n"
			 "  sudo handfast demo\n";

int
demo_verb(int argc, char **argv)
{
	return script_become("demo.py", argc, argv);
}

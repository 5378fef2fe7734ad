/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast demo`: hands over to demo/demo.py.  Making namespaces and running other people's
 * clients is a script's work; the script finds this very program in the environment variable
 * HANDFAST.
 */

#include "script.h"
#include "verbs.h"

const char demo_help[] =
		"usage: handfast demo [--responder] [--requests N] [--connections N]\n"
		"\n"
		"Makes network namespaces and two TAP devices, starts the engine as the load\n"
		"balancer in front of two nginx, sends it curl, ab, wrk and thousands of\n"
		"parallel connects, kills a backend, reloads, floods it with SYNs, prints a\n"
		"table and removes everything.  With --responder the engine answers by itself,\n"
		"on one TAP device.  Needs root; needs no NIC and no hugepages.\n"
		"\n"
		"examples:\n"
		"  sudo handfast demo\n"
		"  sudo handfast demo --responder\n";

int
demo_verb(int argc, char **argv)
{
	return script_become("demo/demo.py", argc, argv);
}

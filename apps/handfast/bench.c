/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast bench`: hands over to bench/bench.py.
 */

#include "script.h"
#include "verbs.h"

const char bench_help[] =
		"usage: handfast bench NAME... [OPTIONS]\n"
		"\n"
		"Measures this machine and this build without a NIC: engine and generator are two "
		"processes\n"
		"on two cores with shared memory between them.  Rates are medians of the "
		"repetitions.\n"
		"\n"
		"  syn, forged-ack  packets per second from net_pcap, beside testpmd's 5tswap; "
		"needs the\n"
		"                   source tree\n"
		"  open-close       connections opened and closed per second, without data\n"
		"  cookies          the same, each proven by a SYN cookie\n"
		"  request          the same with an HTTP request and its answer, 6 packets\n"
		"  proxy, forward   through the engine to a backend\n"
		"  table            open-close beside more and more connections that are held\n"
		"  flood            clients during floods of 0, 1, 3 and 10 times their packet "
		"rate\n"
		"  search           highest rate without loss (NDR, PDR), offered and done up to "
		"1.5 times\n"
		"  idle             start-up, and an idle engine: its share of a core, its "
		"handshakes\n"
		"  all              all of these\n"
		"\n"
		"  --repetitions N      of each figure, default 10\n"
		"  --seconds S          of each run, default 2\n"
		"  --concurrency N      connections at once, default 512\n"
		"  --cores E,G          engine's and generator's; default the last two;\n"
		"                       on one core they share it, and rates say little\n"
		"  --memory WHICH       auto | huge | none\n"
		"  --zero-copy no       copy at both ends of each memif, not at the far one alone\n"
		"  --against PROGRAM    another handfast, measured in turns with this one\n"
		"  --limit [MODES]      testpmd on the same port and core in turns: "
		"5tswap,macswap,io\n"
		"  --exchange NAME      what search searches, default open-close\n"
		"  --precision P        of search, default 0.05 of the closed-loop rate\n"
		"  --flood-clients N    at once during floods, default 64\n"
		"  --flood-times N,N... default 0,1,3,10; the first is 0, which the others are "
		"times of\n"
		"  --sizes N,N...       of table, default 10000,100000,1000000,10000000\n"
		"  --json               one JSON object on standard output\n"
		"  --report FILE        one self-contained HTML page with tables and plots\n"
		"\n"
		"The expected time is said first.  Ctrl-C or SIGTERM ends it and reports what is "
		"complete.\n"
		"\n"
		"exit codes: 0 ok, 1 nothing could be measured, or there was an accident such as a "
		"crash,\n"
		"            2 usage, 130 or 143 by SIGINT, SIGTERM\n"
		"\n"
		"examples:\n"
		"  handfast bench open-close request --limit --report out.html\n"
		"  handfast bench search --exchange request --json\n"
		"  handfast bench open-close --against /tmp/before/handfast --repetitions 20\n";

int
bench_verb(int argc, char **argv)
{
	return script_become("bench/bench.py", argc, argv);
}

/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SCRIPT_H
#define SCRIPT_H

/**
 * @file
 * Verbs whose work is a script's: making namespaces, starting other programs, drawing pages.
 */

/**
 * Become python3 with a script, which finds this very program in the environment variable HANDFAST.
 *
 * @param name
 *   Of the script: "demo/demo.py", or "bench/bench.py"; looked for in the source tree that this was
 *   built from, then where it is installed.
 * @param argv
 *   The verb's own; argv[0] is for messages.
 * @return
 *   Only when it cannot: an exit code, after the reason was written.
 */
int script_become(const char *name, int argc, char **argv);

#endif /* SCRIPT_H */

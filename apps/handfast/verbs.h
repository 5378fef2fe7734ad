/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef VERBS_H
#define VERBS_H

/**
 * @file
 * The verbs of the command line.
 *
 * A verb is called with its own argument vector: argv[0] is "handfast VERB", so that getopt_long()
 * names it in messages.  It returns an enum exit_code and never exits by itself.  `--help` is
 * answered by main.c from the help text: a usage line, the options, examples.
 */

int bench_verb(int argc, char **argv);
int capture_verb(int argc, char **argv);
int check_verb(int argc, char **argv);
int conns_verb(int argc, char **argv);
int demo_verb(int argc, char **argv);
int doctor_verb(int argc, char **argv);
int drain_verb(int argc, char **argv);
int key_verb(int argc, char **argv);
int explain_verb(int argc, char **argv);
int lists_verb(int argc, char **argv);
int probe_verb(int argc, char **argv);
int reload_verb(int argc, char **argv);
int replay_verb(int argc, char **argv);
int run_verb(int argc, char **argv);
int stats_verb(int argc, char **argv);
int top_verb(int argc, char **argv);
int undrain_verb(int argc, char **argv);
int version_verb(int argc, char **argv);

extern const char bench_help[];
extern const char capture_help[];
extern const char check_help[];
extern const char conns_help[];
extern const char demo_help[];
extern const char doctor_help[];
extern const char drain_help[];
extern const char key_help[];
extern const char explain_help[];
extern const char lists_help[];
extern const char probe_help[];
extern const char reload_help[];
extern const char replay_help[];
extern const char run_help[];
extern const char stats_help[];
extern const char top_help[];
extern const char undrain_help[];
extern const char version_help[];

#endif /* VERBS_H */

/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TOP_H
#define TOP_H

/**
 * @file
 * The live screen on a terminal.
 */

#include "telemetry_client.h"

/** Show until q, Ctrl-C or the engine's end. @return 0, or -1 after a failure was reported */
int top_show(struct telemetry_client *client, double interval_seconds);

#endif /* TOP_H */

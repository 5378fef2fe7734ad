/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef EXIT_CODE_H
#define EXIT_CODE_H

/**
 * @file
 * What a verb returns and the process exits with.  Scripts and the systemd unit
 * (RestartPreventExitStatus) depend on the numbers: add to the end, never change one.
 */

enum exit_code {
	EXIT_CODE_OK = 0,
	EXIT_CODE_RUNTIME = 1,    /**< It ran and then failed. */
	EXIT_CODE_USAGE = 2,      /**< The command line made no sense. */
	EXIT_CODE_SETTINGS = 3,   /**< The configuration file is wrong. */
	EXIT_CODE_PREFLIGHT = 4,  /**< This machine lacks something that the run needs. */
	EXIT_CODE_DEVICE = 5,     /**< A port could not be opened or started. */
	EXIT_CODE_PERMISSION = 6, /**< Not allowed. */
	EXIT_CODE_THRESHOLD = 7,  /**< It worked, but not as well as was asked for. */
	EXIT_CODE_SIGNAL = 128,   /**< Plus the signal's number: it came before the planned end. */
};

#endif /* EXIT_CODE_H */

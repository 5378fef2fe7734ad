/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MACHINE_H
#define MACHINE_H

/**
 * @file
 * Questions about this machine, answered from /proc, /sys and /dev, read only.
 *
 * All paths are under a root, empty for the real machine: the tests lay out trees of machines that
 * nobody has at hand.  For the real one NUMA comes from libnuma, for others from the same files
 * that libnuma reads.
 */

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define MACHINE_NODES_MAX 32
#define MACHINE_LIST_MAX  4096
#define MACHINE_NAME_MAX  64

struct machine_node {
	bool present;
	uint64_t memory_bytes;
	uint64_t free_bytes;
	uint8_t distance[MACHINE_NODES_MAX]; /**< 10 is local; 0 is unknown. */
};

struct machine {
	char root[PATH_MAX / 2];       /**< Empty for the real machine. */
	char online[MACHINE_LIST_MAX]; /**< Cores, as "0-3,8". */
	unsigned int node_count;       /**< Nodes present. */
	struct machine_node node[MACHINE_NODES_MAX];
};

/** A network interface or a PCI network device without one. */
struct machine_nic {
	char name[MACHINE_NAME_MAX];    /**< Of the kernel's interface; empty without one. */
	char address[MACHINE_NAME_MAX]; /**< PCI address; empty when not on PCI. */
	char driver[MACHINE_NAME_MAX];  /**< Kernel driver; empty without one. */
	unsigned int vendor;
	unsigned int device;
	int node;           /**< NUMA node, or -1. */
	bool default_route; /**< The machine's way to the rest of the world. */
};

/** Capabilities, by the numbers of <linux/capability.h>. */
enum machine_capability {
	MACHINE_CAP_NET_ADMIN = 12,
	MACHINE_CAP_NET_RAW = 13,
	MACHINE_CAP_IPC_LOCK = 14,
	MACHINE_CAP_SYS_ADMIN = 21,
};

/** Look at the machine under @p root, which "" means the real one. */
void machine_init(struct machine *machine, const char *root);

/** Whether this is the machine that we run on. */
bool machine_is_real(const struct machine *machine);

/* All that follow take a path in the manner of printf, without the root. */

/** Read a small file without its last newline. @return 0, or a negative errno. */
int machine_read(const struct machine *machine, char *text, size_t size, const char *path, ...)
		__attribute__((format(printf, 4, 5)));

/** Read a number in any base, @p missing if there is none. */
long long machine_number(const struct machine *machine, long long missing, const char *path, ...)
		__attribute__((format(printf, 3, 4)));

bool machine_exists(const struct machine *machine, const char *path, ...)
		__attribute__((format(printf, 2, 3)));

FILE *machine_open(const struct machine *machine, const char *path, ...)
		__attribute__((format(printf, 2, 3)));

DIR *machine_open_directory(const struct machine *machine, const char *path, ...)
		__attribute__((format(printf, 2, 3)));

/** The last component of what a link points to; empty without a link. @return name */
const char *machine_link(const struct machine *machine, char name[MACHINE_NAME_MAX],
		const char *path, ...) __attribute__((format(printf, 3, 4)));

/** Whether a list such as "0-3,8" has a number. */
bool machine_list_has(const char *list, unsigned int number);

/** How many numbers a list has. */
unsigned int machine_list_count(const char *list);

/** A line "NAME: VALUE" of a file such as /proc/self/status. @return 0, or a negative errno. */
int machine_field(const struct machine *machine, char *value, size_t size, const char *path,
		const char *name);

bool machine_capable(const struct machine *machine, enum machine_capability capability);

/** In use by the default route, IPv4 or IPv6. */
bool machine_has_default_route(const struct machine *machine, const char *interface);

/** List network devices, loopback and other virtual ones left out. @return how many */
unsigned int machine_nics(
		const struct machine *machine, struct machine_nic nics[], unsigned int max);

/** Free hugepages of all sizes and nodes, in bytes. */
uint64_t machine_free_hugepages(const struct machine *machine);

/** The NUMA node of a core, -1 if unknown. */
int machine_node_of_core(const struct machine *machine, unsigned int core);

/** Fill node[] and node_count; machine_init() does it. */
void machine_nodes_init(struct machine *machine);

#endif /* MACHINE_H */

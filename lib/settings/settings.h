/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SETTINGS_H
#define SETTINGS_H

/**
 * @file
 * What was asked for, as values: one struct per section of the configuration file, with the members
 * that options.def declares.
 *
 * Nothing here opens a device or knows one exists beyond its name.  All of it is filled once by
 * settings_load() and then only read.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_byteorder.h>

#define SETTINGS_NAME_MAX          32
#define SETTINGS_TEXT_MAX          512
#define SETTINGS_WORKERS_MAX       128
#define SETTINGS_ANY_CORE          UINT16_MAX /**< A worker whose core handfast chooses. */
#define SETTINGS_PORTS_MAX         16
#define SETTINGS_SERVICES_MAX      1024
#define SETTINGS_POOLS_MAX         256
#define SETTINGS_BACKENDS_MAX      4096 /**< Of all pools together. */
#define SETTINGS_POOL_BACKENDS_MAX 256
#define SETTINGS_ADDRESSES_MAX     64
#define SETTINGS_LOCALS_MAX        255 /**< Of a pool's, and of any list of addresses. */
#define SETTINGS_ENDPOINTS_MAX     64

#define SETTINGS_AUTO              UINT32_MAX /**< "auto" for numbers. */

enum settings_memory {
	SETTINGS_MEMORY_AUTO,
	SETTINGS_MEMORY_HUGE,
	SETTINGS_MEMORY_SHARED,
	SETTINGS_MEMORY_NONE
};
enum settings_idle {
	SETTINGS_IDLE_SPIN,
	SETTINGS_IDLE_PAUSE,
	SETTINGS_IDLE_YIELD,
	SETTINGS_IDLE_SLEEP
};
enum settings_log_level {
	SETTINGS_LOG_ERROR,
	SETTINGS_LOG_WARNING,
	SETTINGS_LOG_INFO,
	SETTINGS_LOG_DEBUG
};
enum settings_partial { SETTINGS_PARTIAL_AUTO, SETTINGS_PARTIAL_ACCEPT, SETTINGS_PARTIAL_REFUSE };
enum settings_mode { SETTINGS_MODE_RESPOND, SETTINGS_MODE_PROXY, SETTINGS_MODE_DIRECT };

enum settings_choice {
	SETTINGS_CHOICE_MAGLEV,
	SETTINGS_CHOICE_ROUND_ROBIN,
	SETTINGS_CHOICE_LEAST_CONNECTIONS,
	SETTINGS_CHOICE_SOURCE_HASH,
};
enum settings_source_of { SETTINGS_SOURCE_LOCAL, SETTINGS_SOURCE_CLIENT };
enum settings_check { SETTINGS_CHECK_NONE, SETTINGS_CHECK_TCP, SETTINGS_CHECK_HTTP };
enum settings_when_down { SETTINGS_WHEN_DOWN_RESET, SETTINGS_WHEN_DOWN_DROP };
enum settings_proxy_protocol {
	SETTINGS_PROXY_PROTOCOL_NONE,
	SETTINGS_PROXY_PROTOCOL_V1,
	SETTINGS_PROXY_PROTOCOL_V2,
};

enum settings_cookies {
	SETTINGS_COOKIES_NEVER,
	SETTINGS_COOKIES_ALWAYS,
	SETTINGS_COOKIES_AUTO,
};
/* service.reply and service.close hold enum respond_reply and enum respond_close. */

/** Kinds of device, from the word before the colon. */
enum settings_device_kind {
	SETTINGS_DEVICE_PCI,
	SETTINGS_DEVICE_TAP,
	SETTINGS_DEVICE_VETH,
	SETTINGS_DEVICE_MEMIF,
	SETTINGS_DEVICE_VHOST,
	SETTINGS_DEVICE_PCAP,
	SETTINGS_DEVICE_NULL,
	SETTINGS_DEVICE_RING,
	SETTINGS_DEVICE_VDEV,
};

struct settings_device {
	enum settings_device_kind kind;
	/**
	 * What follows the colon, checked: PCI addresses with their domain and in lower case; memif
	 * and vdev as DPDK's arguments; pcap IN or IN,OUT, of which IN may be empty.
	 */
	char argument[SETTINGS_TEXT_MAX];
};

/** Worker cores; count 0 is auto. */
struct settings_workers {
	unsigned int count;
	uint16_t cores[SETTINGS_WORKERS_MAX];
};

struct settings_mac {
	bool automatic;
	uint8_t bytes[6];
};

struct settings_prefix {
	uint8_t address[16]; /**< IPv4-mapped. */
	uint8_t length;      /**< Of the address's own family: 0 to 32, or 0 to 128. */
};

struct settings_endpoint {
	uint8_t address[16];
	rte_be16_t port;
};

struct settings_backend {
	uint8_t address[16];
	rte_be16_t port;
	uint16_t weight; /**< 0 to 255. */
};

/** Both included. */
struct settings_port_range {
	uint16_t first;
	uint16_t last;
};

struct settings_prefixes {
	unsigned int count;
	struct settings_prefix item[SETTINGS_ADDRESSES_MAX];
};

struct settings_addresses {
	unsigned int count;
	uint8_t item[SETTINGS_LOCALS_MAX][16];
};

struct settings_endpoints {
	unsigned int count;
	struct settings_endpoint item[SETTINGS_ENDPOINTS_MAX];
};

struct settings_backends {
	unsigned int count;
	struct settings_backend item[SETTINGS_POOL_BACKENDS_MAX];
};

/* The C type of every option type.  SETTINGS_AUTO stands for auto in CORE; 0 in BYTES. */
#define SETTINGS_TYPE_WORKERS(name)               struct settings_workers name;
#define SETTINGS_TYPE_CORE(name)                  uint32_t name;
#define SETTINGS_TYPE_MEMORY(name)                enum settings_memory name;
#define SETTINGS_TYPE_BYTES(name)                 uint64_t name;
#define SETTINGS_TYPE_IDLE(name)                  enum settings_idle name;
#define SETTINGS_TYPE_NAME(name)                  char name[SETTINGS_NAME_MAX];
#define SETTINGS_TYPE_TEXT(name)                  char name[SETTINGS_TEXT_MAX];
#define SETTINGS_TYPE_PATH(name)                  char name[SETTINGS_TEXT_MAX];
#define SETTINGS_TYPE_COUNT(name)                 uint32_t name;
#define SETTINGS_TYPE_RATE(name)                  uint32_t name;
#define SETTINGS_TYPE_LOG_LEVEL(name)             enum settings_log_level name;
#define SETTINGS_TYPE_MILLISECONDS(name)          uint32_t name##_ms;
#define SETTINGS_TYPE_BOOL(name)                  bool name;
#define SETTINGS_TYPE_DEVICE(name)                struct settings_device name;
#define SETTINGS_TYPE_MAC(name)                   struct settings_mac name;
#define SETTINGS_TYPE_PREFIXES(name)              struct settings_prefixes name;
#define SETTINGS_TYPE_ADDRESSES(name)             struct settings_addresses name;
#define SETTINGS_TYPE_ENDPOINTS(name)             struct settings_endpoints name;
#define SETTINGS_TYPE_PARTIAL(name)               enum settings_partial name;
#define SETTINGS_TYPE_MODE(name)                  enum settings_mode name;
#define SETTINGS_TYPE_REPLY(name)                 uint8_t name;
#define SETTINGS_TYPE_CLOSE(name)                 uint8_t name;
#define SETTINGS_TYPE_COOKIES(name)               enum settings_cookies name;
#define SETTINGS_TYPE_BACKENDS(name)              struct settings_backends name;
#define SETTINGS_TYPE_PORT_RANGE(name)            struct settings_port_range name;
#define SETTINGS_TYPE_CHOICE(name)                enum settings_choice name;
#define SETTINGS_TYPE_SOURCE(name)                enum settings_source_of name;
#define SETTINGS_TYPE_CHECK(name)                 enum settings_check name;
#define SETTINGS_TYPE_WHEN_DOWN(name)             enum settings_when_down name;
#define SETTINGS_TYPE_PROXY_PROTOCOL(name)        enum settings_proxy_protocol name;

#define SETTINGS_MEMBER_engine_engine(type, name) SETTINGS_TYPE_##type(name)
#define SETTINGS_MEMBER_engine_tcp(type, name)
#define SETTINGS_MEMBER_engine_port(type, name)
#define SETTINGS_MEMBER_engine_pool(type, name)
#define SETTINGS_MEMBER_engine_service(type, name)
#define SETTINGS_MEMBER_tcp_engine(type, name)
#define SETTINGS_MEMBER_tcp_tcp(type, name) SETTINGS_TYPE_##type(name)
#define SETTINGS_MEMBER_tcp_port(type, name)
#define SETTINGS_MEMBER_tcp_pool(type, name)
#define SETTINGS_MEMBER_tcp_service(type, name)
#define SETTINGS_MEMBER_port_engine(type, name)
#define SETTINGS_MEMBER_port_tcp(type, name)
#define SETTINGS_MEMBER_port_port(type, name) SETTINGS_TYPE_##type(name)
#define SETTINGS_MEMBER_port_pool(type, name)
#define SETTINGS_MEMBER_port_service(type, name)
#define SETTINGS_MEMBER_pool_engine(type, name)
#define SETTINGS_MEMBER_pool_tcp(type, name)
#define SETTINGS_MEMBER_pool_port(type, name)
#define SETTINGS_MEMBER_pool_pool(type, name) SETTINGS_TYPE_##type(name)
#define SETTINGS_MEMBER_pool_service(type, name)
#define SETTINGS_MEMBER_service_engine(type, name)
#define SETTINGS_MEMBER_service_tcp(type, name)
#define SETTINGS_MEMBER_service_port(type, name)
#define SETTINGS_MEMBER_service_pool(type, name)
#define SETTINGS_MEMBER_service_service(type, name) SETTINGS_TYPE_##type(name)

struct settings_engine {
#define OPTION(section, name, type, ...) SETTINGS_MEMBER_engine_##section(type, name)
#include "settings/options.def"
#undef OPTION
};

struct settings_tcp {
#define OPTION(section, name, type, ...) SETTINGS_MEMBER_tcp_##section(type, name)
#include "settings/options.def"
#undef OPTION
};

struct settings_port {
#define OPTION(section, name, type, ...) SETTINGS_MEMBER_port_##section(type, name)
#include "settings/options.def"
#undef OPTION
};

struct settings_pool {
#define OPTION(section, name, type, ...) SETTINGS_MEMBER_pool_##section(type, name)
#include "settings/options.def"
#undef OPTION
};

struct settings_service {
#define OPTION(section, name, type, ...) SETTINGS_MEMBER_service_##section(type, name)
#include "settings/options.def"
#undef OPTION
};

struct settings {
	struct settings_engine engine;
	struct settings_tcp tcp;
	unsigned int port_count;
	struct settings_port port[SETTINGS_PORTS_MAX];
	unsigned int pool_count;
	struct settings_pool *pool; /**< pool_count of them. */
	unsigned int service_count;
	struct settings_service *service; /**< service_count of them. */
};

/**
 * Read and verify a configuration file.
 *
 * Every error is found in one go and written to @p errors as
 * `FILE:LINE:COLUMN: error: TEXT`, the source line, a caret under the place and a hint.
 *
 * @return
 *   Settings to be freed with settings_free(), or NULL after at least one error was written.
 */
struct settings *settings_load(const char *path, FILE *errors);

/** The same from memory; @p name stands for the file in messages. */
struct settings *settings_parse(const char *name, const char *text, size_t length, FILE *errors);

void settings_free(struct settings *settings);

/** The number of the pool of that name, or SETTINGS_POOLS_MAX. */
unsigned int settings_find_pool(const struct settings *settings, const char *name);

/** Write settings as a file that settings_load() reads back to the same values. */
void settings_print(const struct settings *settings, FILE *out);

/** Write every option with its default and help as Markdown tables, one for each section. */
void settings_print_reference(FILE *out);

/** Format an IPv4-mapped or IPv6 address; @p text has 46 bytes (INET6_ADDRSTRLEN). @return text */
const char *settings_format_address(const uint8_t address[16], char text[46]);

#define SETTINGS_DEVICE_TEXT_MAX (SETTINGS_TEXT_MAX + 8)

/** Format a device as `kind:argument`, as in the file. @return text */
const char *settings_format_device(
		const struct settings_device *device, char text[SETTINGS_DEVICE_TEXT_MAX]);

/** Whether a memif connects to another process, which listens. */
bool settings_device_is_memif_client(const struct settings_device *device);

/** Whether a memif lends its packet buffers to the other process instead of copying. */
bool settings_device_is_zero_copy(const struct settings_device *device);

/** Whom a memif's client connects to. */
struct settings_memif {
	char socket[108]; /**< A path, or a name. */
	bool abstract;    /**< It is a name. */
	uint32_t id;
	char secret[25]; /**< Empty: none. */
};

void settings_device_memif(const struct settings_device *device, struct settings_memif *memif);

/** Packets that each ring of a memif has room for. */
unsigned int settings_device_ring_slots(const struct settings_device *device);

#endif /* SETTINGS_H */

/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SETTINGS_OPTION_H
#define SETTINGS_OPTION_H

/**
 * @file
 * options.def as a table: what the reader, the printer and the reference loop over.
 */

#include <stddef.h>
#include <stdint.h>

#include "settings/settings.h"

enum settings_kind {
	SETTINGS_KIND_WORKERS,
	SETTINGS_KIND_CORE,
	SETTINGS_KIND_MEMORY,
	SETTINGS_KIND_BYTES,
	SETTINGS_KIND_IDLE,
	SETTINGS_KIND_NAME,
	SETTINGS_KIND_TEXT,
	SETTINGS_KIND_PATH,
	SETTINGS_KIND_COUNT,
	SETTINGS_KIND_RATE,
	SETTINGS_KIND_LOG_LEVEL,
	SETTINGS_KIND_MILLISECONDS,
	SETTINGS_KIND_BOOL,
	SETTINGS_KIND_DEVICE,
	SETTINGS_KIND_MAC,
	SETTINGS_KIND_PREFIXES,
	SETTINGS_KIND_ADDRESSES,
	SETTINGS_KIND_ENDPOINTS,
	SETTINGS_KIND_PARTIAL,
	SETTINGS_KIND_MODE,
	SETTINGS_KIND_REPLY,
	SETTINGS_KIND_CLOSE,
	SETTINGS_KIND_COOKIES,
	SETTINGS_KIND_BACKENDS,
	SETTINGS_KIND_PORT_RANGE,
	SETTINGS_KIND_CHOICE,
	SETTINGS_KIND_SOURCE,
	SETTINGS_KIND_CHECK,
	SETTINGS_KIND_WHEN_DOWN,
	SETTINGS_KIND_PROXY_PROTOCOL,
};

enum settings_section {
	SETTINGS_SECTION_engine,
	SETTINGS_SECTION_tcp,
	SETTINGS_SECTION_port,
	SETTINGS_SECTION_pool,
	SETTINGS_SECTION_service,
	SETTINGS_SECTION_COUNT
};

/** Every option's row in settings_options. */
enum {
#define OPTION(section, name, ...) SETTINGS_OPTION_##section##_##name,
#include "settings/options.def"
#undef OPTION
	SETTINGS_OPTION_COUNT
};

/** When a new value takes effect. */
enum settings_change {
	SETTINGS_CHANGE_restart, /**< When the engine is started anew. */
	SETTINGS_CHANGE_reload,  /**< At a reload. */
};

struct settings_option {
	enum settings_section section;
	const char *name;
	enum settings_kind kind;
	size_t offset; /**< Into the section's struct. */
	size_t size;   /**< Of the member there. */
	const char *standard;
	uint64_t minimum;
	uint64_t maximum;
	enum settings_change change;
	const char *help;
};

extern const struct settings_option settings_options[SETTINGS_OPTION_COUNT];

/** Write an option's value as it stands in a file; @p member is its place in the section. */
void settings_print_value(const struct settings_option *option, const void *member, FILE *out);

/** A section's word at the top of the file: engine, tcp, ports, pools, services. */
extern const char *const settings_option_section[SETTINGS_SECTION_COUNT];

#endif /* SETTINGS_OPTION_H */

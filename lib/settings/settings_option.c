/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The table of options, expanded from options.def.
 */

#include "settings/settings_option.h"

/* The member of an option: its name, with the unit where there is one. */
#define MEMBER_WORKERS(name)        name
#define MEMBER_CORE(name)           name
#define MEMBER_MEMORY(name)         name
#define MEMBER_BYTES(name)          name
#define MEMBER_IDLE(name)           name
#define MEMBER_NAME(name)           name
#define MEMBER_TEXT(name)           name
#define MEMBER_PATH(name)           name
#define MEMBER_COUNT(name)          name
#define MEMBER_RATE(name)           name
#define MEMBER_LOG_LEVEL(name)      name
#define MEMBER_MILLISECONDS(name)   name##_ms
#define MEMBER_BOOL(name)           name
#define MEMBER_DEVICE(name)         name
#define MEMBER_MAC(name)            name
#define MEMBER_PREFIXES(name)       name
#define MEMBER_ADDRESSES(name)      name
#define MEMBER_ENDPOINTS(name)      name
#define MEMBER_PARTIAL(name)        name
#define MEMBER_MODE(name)           name
#define MEMBER_REPLY(name)          name
#define MEMBER_CLOSE(name)          name
#define MEMBER_COOKIES(name)        name
#define MEMBER_BACKENDS(name)       name
#define MEMBER_PORT_RANGE(name)     name
#define MEMBER_CHOICE(name)         name
#define MEMBER_SOURCE(name)         name
#define MEMBER_CHECK(name)          name
#define MEMBER_WHEN_DOWN(name)      name
#define MEMBER_PROXY_PROTOCOL(name) name

const struct settings_option settings_options[SETTINGS_OPTION_COUNT] = {
#define OPTION(section_, name_, type_, default_, minimum_, maximum_, change_, help_)              \
	{                                                                                         \
			.section = SETTINGS_SECTION_##section_,                                   \
			.name = #name_,                                                           \
			.kind = SETTINGS_KIND_##type_,                                            \
			.offset = offsetof(struct settings_##section_, MEMBER_##type_(name_)),    \
			.size = sizeof(((struct settings_##section_ *)0)->MEMBER_##type_(name_)), \
			.standard = default_,                                                     \
			.minimum = minimum_,                                                      \
			.maximum = maximum_,                                                      \
			.change = SETTINGS_CHANGE_##change_,                                      \
			.help = help_,                                                            \
	},
#include "settings/options.def"
#undef OPTION
};

const char *const settings_option_section[SETTINGS_SECTION_COUNT] = {
		[SETTINGS_SECTION_engine] = "engine",
		[SETTINGS_SECTION_tcp] = "tcp",
		[SETTINGS_SECTION_port] = "ports",
		[SETTINGS_SECTION_pool] = "pools",
		[SETTINGS_SECTION_service] = "services",
};

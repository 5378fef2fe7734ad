# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# Which Debian packages handfast needs and what each is for; sourced by ./run and ./test.
#
# DPDK's drivers and mempool handlers are plugins that it opens by name at run time: no linker and
# no dpkg-shlibdeps sees them, and without them the engine finds no port and no packet memory.
# So they are named one by one, although libdpdk-dev happens to bring them along today.

# name, then the reason that is printed when it is missing
# shellcheck disable=SC2034  # used by the scripts that source this
packages_to_run=(
	"build-essential          C compiler and C library"
	"meson                    build system"
	"ninja-build              build system"
	"pkg-config               finds the libraries"
	"libdpdk-dev              DPDK"
	"librte-bus-pci23         DPDK plugin: physical NICs"
	"librte-bus-vdev23        DPDK plugin: software devices"
	"librte-mempool-ring23    DPDK plugin: packet memory"
	"librte-meta-net          DPDK plugins: drivers of physical NICs"
	"librte-net-af-packet23   DPDK plugin: veth:NAME,af_packet"
	"librte-net-af-xdp23      DPDK plugin: veth:NAME,af_xdp"
	"librte-net-memif23       DPDK plugin: memif:"
	"librte-net-null23        DPDK plugin: null:"
	"librte-net-pcap23        DPDK plugin: pcap:IN,OUT"
	"librte-net-ring23        DPDK plugin: ring:"
	"librte-net-tap23         DPDK plugin: tap:NAME"
	"librte-net-vhost23       DPDK plugin: vhost:"
	"librte-net-virtio23      DPDK plugin: the other end of vhost:"
	"libnuma-dev              memory on the worker's node"
	"libssl-dev               SHA-1 of WebSocket handshakes"
	"libyaml-dev              configuration files"
	"libjansson-dev           JSON output"
	"libpcap-dev              explain, replay and capture: files and filters"
	"python3                  the demo"
	"iproute2                 the demo's network namespaces"
	"curl                     the demo's first client"
	"apache2-utils            ab, the demo's second client"
	"wrk                      the demo's third client"
	"nginx-light              the demo's servers"
	"hping3                   the demo's SYN flood"
)

# shellcheck disable=SC2034
packages_to_test=(
	"clang                    second compiler, fuzzing"
	"libclang-rt-14-dev       sanitizers and libFuzzer for clang"
	"clang-format             style check"
	"libcmocka-dev            unit tests"
	"tshark                   judges the captures"
	"tcpdump                  takes the captures"
	"iputils-ping             ARP, NDP and echo by the kernel"
	"traceroute               its last hop is the engine"
	"ethtool                  checksum offloads of veths"
	"haproxy                  a proxy nobody here wrote"
	"openssl                  certificates for tests"
	"nmap                     odd TCP flags"
	"netsniff-ng              trafgen: frames of any content, fast"
	"nftables                 sends SYNs to one node and ACKs to another"
	"python3-scapy            hostile packets"
	"python3-websockets       WebSockets that nobody here wrote"
	"dpdk-dev                 dpdk-testpmd and dpdk-telemetry.py"
	"chromium                 draws the report of handfast bench"
	"fonts-dejavu-core        letters for it"
	"shellcheck               shell style"
)

# Print the entries of the given list whose package is not installed.
packages_missing()
{
	local entry name
	for entry in "$@"; do
		name=${entry%% *}
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
			printf '%s\n' "$entry"
	done
}

# Install what is missing of the given list.  Fails, having said what to do, when it cannot.
packages_install()
{
	local entry log missing names=()

	if ! command -v dpkg-query >/dev/null; then
		echo "This is no Debian system: cannot look for packages; going on with what is there."
		return 0
	fi
	mapfile -t missing < <(packages_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0

	echo "Missing Debian packages:"
	for entry in "${missing[@]}"; do
		names+=("${entry%% *}")
		printf '  %s\n' "$entry"
	done
	if [ "$(id -u)" != 0 ]; then
		echo "Only root can install them:"
		echo "  sudo apt-get update && sudo apt-get install --no-install-recommends ${names[*]}"
		return 6
	fi

	log=$(mktemp /tmp/handfast-apt.XXXXXX)
	echo "Installing them with apt-get (log: $log) ..."
	if ! { apt-get update && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends "${names[@]}"; } >"$log" 2>&1 </dev/null; then
		tail -n 20 "$log"
		echo "apt-get failed; the lines above say why. Look at the network and"
		echo "/etc/apt/sources.list, then start this again."
		return 1
	fi
	rm -f "$log"
	echo "Installed ${#names[@]} packages."
}

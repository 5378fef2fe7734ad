# SPDX-License-Identifier: BSD-3-Clause
"""Trees of files that look like machines nobody has at hand, for `handfast doctor --root`."""

import os

PLUGINS = ["bus_pci", "bus_vdev", "mempool_ring", "net_af_packet", "net_af_xdp", "net_memif",
           "net_null", "net_pcap", "net_ring", "net_tap", "net_vhost", "net_virtio"]
ALL_CAPABILITIES = "000001ffffffffff"


class Machine:
    """A healthy machine of one node and four cores, run by root; tests then break it."""

    def __init__(self, root, plugin_directory):
        self.root = root
        self.plugin_directory = plugin_directory
        self.write("/proc/cpuinfo", "processor\t: 0\nmodel name\t: Test CPU\n"
                   "flags\t\t: fpu sse4_1 sse4_2 avx2\n")
        self.write("/proc/sys/kernel/osrelease", "6.1.0-test\n")
        self.write("/proc/self/limits",
                   "Max locked memory         8388608              8388608              bytes\n")
        self.write("/proc/mounts", "none /dev/hugepages hugetlbfs rw 0 0\n")
        self.write("/proc/locks", "")
        self.write("/proc/net/route", "Iface Destination Gateway Flags RefCnt Use Metric Mask\n")
        self.write("/proc/net/ipv6_route", "")
        self.write("/dev/net/tun", "")
        self.write("/dev/hugepages/.keep", "")
        self.write("/sys/devices/system/cpu/online", "0-3\n")
        self.write("/sys/devices/system/cpu/isolated", "\n")
        self.write("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n")
        self.capabilities(ALL_CAPABILITIES)
        self.node(0, "0-3", "10")
        self.hugepages(0, total=512, free=512)
        for plugin in PLUGINS:
            self.write("%s/librte_%s.so" % (plugin_directory, plugin), "")

    def path(self, name):
        return self.root + name

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def link(self, name, target):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        os.symlink(target, self.path(name))

    def capabilities(self, mask):
        self.write("/proc/self/status", "Name:\ttest\nCapEff:\t%s\n" % mask)

    def node(self, number, cores, distances):
        base = "/sys/devices/system/node/node%d" % number
        self.write(base + "/cpulist", cores + "\n")
        self.write(base + "/distance", distances + "\n")
        self.write(base + "/meminfo", "Node %d MemTotal:       8388608 kB\n"
                   "Node %d MemFree:        4194304 kB\n" % (number, number))

    def hugepages(self, node, total, free, reserved=0):
        for base in ("/sys/devices/system/node/node%d/hugepages" % node,
                     "/sys/kernel/mm/hugepages"):
            self.write(base + "/hugepages-2048kB/nr_hugepages", "%d\n" % total)
            self.write(base + "/hugepages-2048kB/free_hugepages", "%d\n" % free)
        self.write("/sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "%d\n" % reserved)

    def remove_plugin(self, plugin):
        os.unlink(self.path("%s/librte_%s.so" % (self.plugin_directory, plugin)))

    def default_route(self, interface):
        self.write("/proc/net/route", "Iface Destination Gateway Flags RefCnt Use Metric Mask\n"
                   "%s\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n" % interface)

    def nic(self, address, driver, interface=None, node=-1):
        """A NIC on PCI, with a kernel interface or without."""
        device = "/sys/devices/pci0000:00/" + address
        for name, value in (("class", "0x020000"), ("vendor", "0x8086"), ("device", "0x1572"),
                            ("numa_node", str(node))):
            self.write("%s/%s" % (device, name), value + "\n")
        self.link("/sys/bus/pci/devices/" + address, "../../../devices/pci0000:00/" + address)
        self.link(device + "/driver", "../../../bus/pci/drivers/" + driver)
        if interface:
            self.link("/sys/class/net/%s/device" % interface,
                      "../../../devices/pci0000:00/" + address)

    def iommu_group(self, addresses):
        for address in addresses:
            for other in addresses:
                self.write("/sys/devices/pci0000:00/%s/iommu_group/devices/%s" %
                           (address, other), "")

    def stale_file(self, name, locked):
        self.write("/dev/hugepages/" + name, "x" * 4096)
        status = os.stat(self.path("/dev/hugepages/" + name))
        if locked:
            self.write("/proc/locks", "1: FLOCK  ADVISORY  READ 42 %02x:%02x:%d 0 EOF\n" %
                       (os.major(status.st_dev), os.minor(status.st_dev), status.st_ino))

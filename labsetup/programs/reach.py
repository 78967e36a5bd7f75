"""How far a program may reach: packets and maps, and nothing else of the machine.

The verifier keeps a program from crashing the kernel.  What it lets a privileged one do is a matter
of what the program calls; these calls are refused before anything is loaded.  The numbers are those
of linux/bpf.h, which has had no new ones since Linux 6.2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..libbpf.programs import BY_TYPE
from .explain.listing import Listing

# BCC makes functions of these names, and would attach them to the machine by itself.
PROBES = (
    "bpf_iter__",
    "kfunc__",
    "kmod_ret__",
    "kprobe__",
    "kretfunc__",
    "kretprobe__",
    "lsm__",
    "raw_tracepoint__",
    "tracepoint__",
)

ACTS = "which acts on whatever process is running"
TELLS = "which tells of processes and of the kernel's memory"
ENDLESS = "which can keep a CPU for hours, and nobody can end it"
# trace_printk stays: what it writes is read with the machine's other traces, and harms none.
REFUSED = {
    "probe_write_user": (36, ACTS),
    "override_return": (58, ACTS),
    "send_signal": (109, ACTS),
    "send_signal_thread": (117, ACTS),
    "sys_bpf": (166, ACTS),
    "sys_close": (168, ACTS),
    "probe_read": (4, TELLS),
    "get_current_pid_tgid": (14, TELLS),
    "get_current_uid_gid": (15, TELLS),
    "get_current_comm": (16, TELLS),
    "perf_event_read": (22, TELLS),
    "get_stackid": (27, TELLS),
    "get_current_task": (35, TELLS),
    "probe_read_str": (45, TELLS),
    "perf_event_read_value": (55, TELLS),
    "get_stack": (67, TELLS),
    "get_current_cgroup_id": (80, TELLS),
    "probe_read_user": (112, TELLS),
    "probe_read_kernel": (113, TELLS),
    "probe_read_user_str": (114, TELLS),
    "probe_read_kernel_str": (115, TELLS),
    "get_ns_current_pid_tgid": (120, TELLS),
    "get_current_ancestor_cgroup_id": (123, TELLS),
    "get_task_stack": (141, TELLS),
    "inode_storage_get": (145, TELLS),
    "d_path": (147, TELLS),
    "copy_from_user": (148, TELLS),
    "snprintf_btf": (149, TELLS),
    "task_storage_get": (156, TELLS),
    "get_current_task_btf": (158, TELLS),
    "btf_find_by_name_kind": (167, TELLS),
    "task_pt_regs": (175, TELLS),
    "kallsyms_lookup_name": (179, TELLS),
    "find_vma": (180, TELLS),
    "copy_from_user_task": (191, TELLS),
    "for_each_map_elem": (164, ENDLESS),
    "timer_init": (169, ENDLESS),
    "timer_set_callback": (170, ENDLESS),
    "timer_start": (171, ENDLESS),
    "loop": (181, ENDLESS),
    "user_ringbuf_drain": (209, ENDLESS),
}
NAMES = {number: name for name, (number, _) in REFUSED.items()}
LAST = 211


def too_far(functions: Sequence[str], calls: Sequence[int], listing: Listing) -> str:
    """What a program would do beyond packets and maps, as the end of a sentence; empty if nothing.

    Args:
        functions: all that the C has.
        calls: of the kernel's functions that the program calls, the numbers.
        listing: the C, to find the line.
    """
    for function in functions:
        if function.startswith(PROBES):
            here = _line(listing, function.rpartition("__")[2])
            return (
                f" has a probe of the whole machine, {function}{here}; the lab loads one XDP "
                "program and nothing beside it: take the probe out"
            )
    for number in calls:
        if number in NAMES:
            name = NAMES[number]
            here = _line(listing, f"bpf_{name}")
            does = f"bpf_{name}(){here}, {REFUSED[name][1]}"
        elif number == BY_TYPE or number > LAST:
            does = "one of the kernel's inner functions by its number"
        else:
            continue
        return f" calls {does}; the lab's programs act on packets and maps alone: take the call out"
    return ""


def _line(listing: Listing, name: str) -> str:
    place = listing.only(rf"\b\w*{re.escape(name)}\b")
    return f" at {place}" if place else ""

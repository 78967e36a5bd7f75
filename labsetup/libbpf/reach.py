"""How far a program may reach: packets and maps, and nothing else of the machine.

The verifier keeps a program from crashing the kernel.  What it lets a privileged one do is a matter
of what the program calls; these calls are refused before anything is loaded.  The numbers are those
of linux/bpf.h, which has had no new ones since Linux 6.2.
"""

from __future__ import annotations

from .programs import MAY_GOTO

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

# trace_printk is not among them: what it writes is read with the machine's traces, and harms none.
ACTS = "which acts on whatever process is running"
TELLS = "which tells of processes and of the kernel's memory"
ENDLESS = "which can keep a CPU for hours, and nobody can end it"
_REFUSED = {
    ACTS: (
        "36 probe_write_user, 58 override_return, 109 send_signal, 117 send_signal_thread, 166 "
        "sys_bpf, 168 sys_close"
    ),
    TELLS: (
        "4 probe_read, 14 get_current_pid_tgid, 15 get_current_uid_gid, 16 get_current_comm, 22 "
        "perf_event_read, 27 get_stackid, 35 get_current_task, 45 probe_read_str, 55 "
        "perf_event_read_value, 67 get_stack, 80 get_current_cgroup_id, 112 probe_read_user, 113 "
        "probe_read_kernel, 114 probe_read_user_str, 115 probe_read_kernel_str, 120 "
        "get_ns_current_pid_tgid, 123 get_current_ancestor_cgroup_id, 141 get_task_stack, 145 "
        "inode_storage_get, 147 d_path, 148 copy_from_user, 149 snprintf_btf, 156 "
        "task_storage_get, 158 get_current_task_btf, 167 btf_find_by_name_kind, 175 task_pt_regs, "
        "179 kallsyms_lookup_name, 180 find_vma, 191 copy_from_user_task"
    ),
    ENDLESS: (
        "164 for_each_map_elem, 169 timer_init, 170 timer_set_callback, 171 timer_start, 181 "
        "loop, 209 user_ringbuf_drain"
    ),
}
REFUSED = {
    int(number): (f"bpf_{name}", why)
    for why, listed in _REFUSED.items()
    for number, name in (one.split() for one in listed.split(", "))
}
REFUSED[MAY_GOTO] = "may_goto", ENDLESS
LAST = 211

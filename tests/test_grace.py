"""What a program looked up stays while it runs: to wait for programs is to wait for their end."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from labsetup import ICMP, IP, Program
from labsetup.libbpf.grace import wait_for_programs
from labsetup.packets.craft import frame

SLOW = """
BPF_ARRAY(begun, u32, 1);
BPF_ARRAY(ended, u32, 1);

int slow(struct xdp_md *ctx)
{
	int first = 0;
	char bytes[400] = {};
	u32 sum = 0;

	begun.increment(first);
	for (int i = 0; i < 60000; i++)
		sum = bpf_csum_diff(NULL, 0, (void *)bytes, sizeof(bytes), sum);
	if (sum != 1) /* never so; else clang leaves the loop out */
		ended.increment(first);
	return XDP_PASS;
}
"""


@pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2, reason="on one CPU nobody can look while a program runs"
)
def test_who_waits_for_programs_finds_none_in_the_middle_of_its_run():
    slow, in_the_middle = Program("slow", SLOW), 0
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)  # seconds: this thread must look while the other's program runs
    for turn in range(1, 2001):
        running = threading.Thread(target=slow.run, args=(frame(IP() / ICMP()),))
        running.start()
        while slow["begun"][0] < turn:
            pass  # a run of a millisecond, which nobody announces
        in_the_middle += slow["ended"][0] < turn
        wait_for_programs()
        assert slow["ended"][0] == turn
        running.join()
        if in_the_middle == 3:
            break
    sys.setswitchinterval(before)
    assert in_the_middle == 3

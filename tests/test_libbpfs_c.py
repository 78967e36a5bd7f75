"""C as everybody else writes it: compiled by clang, loaded by libbpf, shown like any other."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from support.libbpfs_c import COUNTS, HEAD, PING, TAIL, of

from labsetup import LabError, Program, pinned, record, two_hosts
from labsetup.compiling.clang import is_libbpfs, record_of
from labsetup.programs.printed import Printed, pattern_of, texts_of


def test_a_source_says_whose_c_it_is():
    assert is_libbpfs(HEAD + COUNTS)
    assert is_libbpfs('#include "vmlinux.h"\nint x;')
    assert is_libbpfs("#define SEC(NAME) __attribute__((section(NAME), used))\n")
    assert not is_libbpfs('#include "xdp.h"\nSEC("xdp") int it(struct xdp_md *ctx)')
    assert not is_libbpfs('// #include <bpf/bpf_helpers.h>\n#include "xdp.h"\n')
    assert not is_libbpfs("#define SEC(x)\nBPF_ARRAY(a, u64, 1);")


def test_a_counter_counts_and_a_run_shows_it():
    program = of(COUNTS, "counted")
    run = program.run(PING)
    assert run.verdict == "XDP_PASS"
    assert program["counts"][0].sum == {"packets": 1, "bytes": 42}
    assert "counts[0]" in repr(run)
    assert "8 instructions" not in program.summary and "not attached" in program.summary


def test_it_runs_on_an_interface_and_is_loaded_once_more_empty():
    net = two_hosts()
    program = of(COUNTS, "counted")
    program.attach(net.server.eth0)
    assert net.client.ping(net.server).received == 3
    assert program["counts"][0].sum["packets"] >= 3
    again = Program(program)
    assert again["counts"][0].sum["packets"] == 0
    assert again.run(PING).verdict == "XDP_PASS"


ALL_TYPES = """
enum why { FIRST, SECOND, THIRD };
struct event {
	__u32 length;
	enum why why;
	__u8 mac[6];
	char name[8];
	struct { __u16 a, b; } in;
	union { __u32 whole; __u8 part[4]; };
	__u32 one : 3, two : 5;
	__s8 below;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, enum why);
	__type(value, struct event);
} events SEC(".maps");

SEC("xdp")
int it(struct xdp_md *ctx)
{
	enum why key = THIRD;
	struct event event = {
		.length = ctx->data_end - ctx->data, .why = SECOND, .mac = { 2, 0, 0, 0, 0, 1 },
		.name = "eth0", .in.b = 7, .whole = 0x01020304, .one = 5, .two = 3, .below = -2,
	};
	bpf_map_update_elem(&events, &key, &event, BPF_ANY);
	return XDP_PASS;
}
"""


def test_every_type_is_python_s():
    program = of(ALL_TYPES)
    program.run(PING)
    ((key, value),) = program["events"].items()
    assert (key, repr(key)) == (2, "THIRD")
    assert repr(value["why"]) == "SECOND"
    assert value["length"] == 42 and value["mac"] == bytes([2, 0, 0, 0, 0, 1])
    assert value["name"] == b"eth0" and value["in"] == {"a": 0, "b": 7}
    assert value["whole/part"] == (0x01020304).to_bytes(4, "little")
    assert value["one/two"] == 5 | 3 << 3 and value["below"] == -2
    program["events"]["FIRST"] = value | {"length": 9, "why": "THIRD"}
    assert program["events"][0]["length"] == 9 and program["events"]["FIRST"]["why"] == 2
    with pytest.raises(LabError, match="a key of map events is one of FIRST, SECOND, THIRD"):
        program["events"]["FOURTH"]


GLOBALS = """
const volatile __u16 port = 80;
__u64 seen;
int wanted = 5;
struct { __u32 a; __u8 b[3]; } kept = { 1, { 2, 3, 4 } };

SEC("xdp")
int it(struct xdp_md *ctx)
{
	seen += port;
	kept.a++;
	return wanted > 4 ? XDP_PASS : XDP_DROP;
}
"""


def test_variables_are_read_and_set():
    program = of(GLOBALS)
    assert dict(program.variables) == {
        "port": 80, "seen": 0, "wanted": 5, "kept": {"a": 1, "b": b"\2\3\4"},
    }  # fmt: skip
    assert program.maps == {}
    run = program.run(PING)
    assert run.maps["seen"] == (0, 80)
    program.variables["wanted"] = 2
    assert program.run(PING).verdict == "XDP_DROP"
    program.variables["kept"] = {"a": 7, "b": b"abc"}
    assert program.variables["kept"] == {"a": 7, "b": b"abc"}
    assert program.variables["seen"] == 160  # what stands beside is left alone


def test_one_may_ask_whether_a_variable_is_there():
    program = of(GLOBALS)
    assert "port" in program.variables and "prot" not in program.variables
    assert program.variables.get("prot", 7) == 7
    assert "port" not in Program("xdp_pass").variables


def test_a_file_s_own_variables_are_set_as_others_are():
    own = "static volatile int own = 5;\nstatic volatile __u64 beside, seen = 1;\n"
    body = own + (
        'SEC("xdp") int it(struct xdp_md *ctx) { seen++; beside++; '
        "return own ? XDP_PASS : XDP_DROP; }\n"
    )
    program = of(body)
    assert program.run(PING).verdict == "XDP_PASS"
    program.variables["own"] = 0
    assert program.run(PING).verdict == "XDP_DROP"
    program.variables["beside"] = 40
    assert dict(program.variables) == {"own": 0, "beside": 40, "seen": 3}


def test_a_constant_is_set_before_it_is_loaded_and_never_again():
    program = Program("it", HEAD + GLOBALS + TAIL, constants={"port": 443})
    assert program.run(PING).maps["seen"] == (0, 443)
    with pytest.raises(LabError, match=r"const volatile: .*Program\(it, constants=\{'port': 1\}"):
        program.variables["port"] = 1
    with pytest.raises(LabError, match="no constant 'prot': it has port"):
        Program("it", HEAD + GLOBALS + TAIL, constants={"prot": 1})
    with pytest.raises(LabError, match=r"a number of 2 bytes, not 70000; .* 0 to 65,535"):
        Program("it", HEAD + GLOBALS + TAIL, constants={"port": 70000})
    with pytest.raises(LabError, match="no variable 'x'; its variables: port"):
        program.variables["x"]
    with pytest.raises(LabError, match="BCC's C, which has no constants"):
        Program("xdp_pass", constants={"a": 1})
    with pytest.raises(LabError, match="in BCC's C there are none that Python reads"):
        Program("xdp_pass").variables["a"]
    assert Program(program).run(PING).maps["seen"] == (0, 443)


JUMPS = """
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} jumps SEC(".maps");
int here;

SEC("xdp")
int it(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &jumps, 1);
	return XDP_PASS;
}

SEC("xdp")
int other(struct xdp_md *ctx)
{
	here++;
	return XDP_DROP;
}
"""


def test_one_function_goes_on_in_another_with_the_same_variables():
    program = of(JUMPS)
    assert program.run(PING).verdict == "XDP_PASS"
    program["jumps"][1] = program.functions["other"]
    assert program.run(PING).verdict == "XDP_DROP"
    assert program.variables["here"] == 1
    assert program.functions["other"].run(PING).verdict == "XDP_DROP"
    assert program.variables["here"] == 2


RING = """
struct event { __u32 length; __u32 queue; };
struct other { __u64 a, b; };
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

SEC("xdp")
int it(struct xdp_md *ctx)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return XDP_ABORTED;
	event->length = ctx->data_end - ctx->data;
	event->queue = ctx->rx_queue_index;
	bpf_ringbuf_submit(event, 0);
	return XDP_PASS;
}
"""


def test_a_ring_buffer_is_read_as_the_structs_that_are_put_there():
    assert record_of(HEAD + RING, "events") == "event"
    program = of(RING)
    assert program["events"].read() == []
    program.run(PING)
    program.run(PING / b"four")
    assert [one["length"] for one in program["events"].read()] == [42, 46]
    assert program["events"].read() == []
    program.run(PING)
    with pytest.raises(LabError, match=r"no struct 'evnt'; it has: .*event"):
        program["events"].read("evnt")
    with pytest.raises(LabError, match="counts is no ring buffer"):
        of(COUNTS, "counted")["counts"].read()


def test_a_full_ring_aborts_and_loses_nothing_that_was_in_it():
    program = of(RING)
    verdicts = [program.run(PING).verdict for _ in range(300)]
    assert verdicts[0] == "XDP_PASS" and verdicts[-1] == "XDP_ABORTED"
    assert len(program["events"].read()) == verdicts.count("XDP_PASS")


def test_what_it_prints_is_known_by_its_texts():
    source = HEAD + '/* bpf_printk("no") */ bpf_printk("a %d of %pI4 " "%%, %s\\n", 1); ' + TAIL
    assert texts_of(source) == {"a %d of %pI4 %%, %s"}
    assert texts_of('bpf_printk("x: " fmt, ##__VA_ARGS__)') == {"x: %s"}
    assert pattern_of("a %d of %pI4 %%").fullmatch("a 7 of 192.0.2.1 %")
    assert not pattern_of("a %d b").fullmatch("a 7 c")
    printed = Printed()
    assert printed.trouble == ""
    ours = 'SEC("xdp") int it(struct xdp_md *ctx) { bpf_printk("len %d", 42); return XDP_PASS; }\n'
    printed.know(HEAD + ours)
    of(ours).run(PING)
    of(ours.replace("len", "somebody else's")).run(PING)
    assert printed.lines() == ["len 42"]
    assert printed.lines() == []


def test_capture_goes_around_it():
    net = two_hosts()
    program = Program("counted", HEAD + COUNTS + TAIL, capture=True)
    program.attach(net.server.eth0)
    with record(program) as seen:
        net.client.ping(net.server)
    assert {one.verdict for one in seen} == {"XDP_PASS"} and len(seen) >= 3
    assert list(program.maps) == ["counts"]


@pytest.mark.alone
def test_from_an_edit_to_the_kernel_it_takes_a_third_of_bccs_time():
    libbpfs = HEAD + COUNTS + TAIL
    bccs = """#include "xdp.h"
struct datarec { u64 packets, bytes; };
BPF_PERCPU_ARRAY(counts, struct datarec, 1);
int counted(struct xdp_md *ctx)
{
	int key = 0;
	struct datarec *rec = counts.lookup(&key);
	if (!rec)
		return XDP_ABORTED;
	rec->packets++;
	rec->bytes += ctx->data_end - ctx->data;
	return XDP_PASS;
}
"""

    def seconds(source: str) -> float:
        begun = time.monotonic()
        Program("counted", source)
        return time.monotonic() - begun

    rounds = [(seconds(bccs), seconds(libbpfs)) for _ in range(9)]
    theirs, ours = (min(one) for one in zip(*rounds, strict=True))  # a machine has busy moments
    assert ours <= 0.35 * theirs, rounds


def test_bpftool_shows_its_types():
    program = of(COUNTS, "counted")
    shown = subprocess.run(
        ["bpftool", "map", "dump", "id", str(program["counts"].id)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert '"packets": 0' in shown


PINNED = COUNTS.replace(
    "__type(value, struct datarec);",
    "__type(value, struct datarec);\n\t__uint(pinning, LIBBPF_PIN_BY_NAME);",
)


def test_a_pinned_map_is_read_by_anybody():
    first = of(PINNED, "counted")
    first.run(PING)
    there = pinned("counts")
    assert there[0].sum == {"packets": 1, "bytes": 42}
    assert of(PINNED, "counted")["counts"][0].sum["packets"] == 1  # taken over, not made anew
    there[0] = {"packets": 0, "bytes": 0}
    assert first["counts"][0].sum["packets"] == 0
    Path("/sys/fs/bpf/counts").unlink()
    with pytest.raises(LabError, match=r"nothing can be read at /sys/fs/bpf/counts"):
        pinned("counts")
    subprocess.run(["bpftool", "prog", "pin", "id", str(first.id), "/sys/fs/bpf/p"], check=True)
    with pytest.raises(LabError, match="what is pinned at /sys/fs/bpf/p is no map"):
        pinned("/sys/fs/bpf/p")
    with pytest.raises(LabError, match=r"pinned in /sys/fs/bpf are (?:.*, )?p\b"):
        pinned("q")
    Path("/sys/fs/bpf/p").unlink()

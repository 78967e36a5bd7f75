"""C as everybody else writes it: compiled by clang, loaded by libbpf, shown like any other."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest

from labsetup import ICMP, IP, Ether, LabError, Program, pinned, record, two_hosts
from labsetup.compiling.bcc import Whose
from labsetup.compiling.clang import is_libbpfs, record_of
from labsetup.network.session import current
from labsetup.programs.build import BuildError, VerifierError
from labsetup.programs.printed import Printed, pattern_of, texts_of

ELSEWHERE = Path(__file__).parent / "elsewhere" / "refused"
HEAD = """#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
"""
TAIL = 'char LICENSE[] SEC("license") = "GPL";\n'
COUNTS = """
struct datarec {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct datarec);
} counts SEC(".maps");

SEC("xdp")
int counted(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct datarec *rec = bpf_map_lookup_elem(&counts, &key);

	if (!rec)
		return XDP_ABORTED;
	rec->packets++;
	rec->bytes += ctx->data_end - ctx->data;
	return XDP_PASS;
}
"""
PING = Ether() / IP() / ICMP()


def of(body: str, name: str = "it") -> Program:
    return Program(name, HEAD + body + TAIL)


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
    with pytest.raises(LabError, match=r"const volatile: .*constants=\{'port': 1\}"):
        program.variables["port"] = 1
    with pytest.raises(LabError, match="no constant 'prot': it has port"):
        Program("it", HEAD + GLOBALS + TAIL, constants={"prot": 1})
    with pytest.raises(LabError, match="port is a number of 2 bytes, not 70000"):
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


REFUSED = {
    "a bound that was not asked": (
        'SEC("xdp") int it(struct xdp_md *ctx) {\n\tstruct ethhdr *eth = (void *)(long)ctx->data;\n'
        "\treturn eth->h_proto; // here\n}\n",
        r"the verifier refused it at line {here}, .*: .*data_end",
    ),
    "a pointer that may be NULL": (
        COUNTS.replace("PERCPU_ARRAY", "HASH")
        .replace("if (!rec)\n\t\treturn XDP_ABORTED;\n\t", "")
        .replace("rec->packets++;", "rec->packets++; // here"),
        r"the verifier refused .* at line {here}, .*NULL",
    ),
    "a helper without a licence": (
        'SEC("xdp") int it(struct xdp_md *ctx) {\n\tbpf_printk("x"); // here\n'
        "\treturn XDP_PASS;\n}\n/* no */",
        r"GPL",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_refusal_is_told_at_the_reader_s_line(what):
    body, pattern = REFUSED[what]
    source = HEAD + body + ("" if "/* no */" in body else TAIL)
    here = next((n for n, x in enumerate(source.splitlines(), 1) if "// here" in x), 0)
    with pytest.raises(VerifierError) as raised:
        Program("counted" if "counted" in body else "it", source)
    assert re.search(pattern.replace("{here}", str(here)), str(raised.value)), raised.value


NOT_LOADED = {
    "a section that is none": (
        'SEC("xpd") int it(struct xdp_md *ctx) { return XDP_PASS; }\n',
        r'has it\(\) in SEC\("xpd"\), which is no kind of program',
    ),
    "a probe": (
        'SEC("kprobe/do_nanosleep") int probe(void *ctx) { return 0; }\n'
        'SEC("xdp") int it(struct xdp_md *ctx) { return XDP_PASS; }\n',
        r"has a probe of the whole machine, probe.*take that out",
    ),
    "a signal": (
        'SEC("xdp") int it(struct xdp_md *ctx) {\n\tbpf_send_signal(9);\n\treturn XDP_PASS; }\n',
        r"calls bpf_send_signal at line \d+, .*act on packets and maps alone",
    ),
    "a signal in a function without a section": (
        "static __attribute__((noinline)) int f(int n) { return n + bpf_send_signal(n); }\n"
        'SEC("xdp") int it(struct xdp_md *ctx) { return f(ctx->rx_queue_index); }\n',
        r"calls bpf_send_signal .*act on packets and maps alone",
    ),
    "what stands nowhere": (
        "extern int nowhere(int) __ksym;\n"
        'SEC("xdp") int it(struct xdp_md *ctx) { return nowhere(1); }\n',
        r"uses nowhere at line \d+, .*declared and stands nowhere",
    ),
    "a map without a size": (
        "struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, int); __type(value, int); } m "
        'SEC(".maps");\nSEC("xdp") int it(struct xdp_md *ctx) { int k = 0;\n'
        "return !bpf_map_lookup_elem(&m, &k); }\n",
        r"the kernel refused its map m: it has room for 0 entries",
    ),
    "a number as a type": (
        "struct { __uint(type, BPF_MAP_TYPE_HASH); __type(max_entries, 8); __type(key, int); "
        '__type(value, int); } m SEC(".maps");\nSEC("xdp") int it(struct xdp_md *ctx) {'
        "int k = 0; return !bpf_map_lookup_elem(&m, &k); }\n",
        r"in its map m max_entries is written with the wrong word; __uint\(max_entries, …\)",
    ),
    "a way to pin that is none": (
        "struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, int); "
        '__type(value, int); __uint(pinning, 5); } m SEC(".maps");\n'
        'SEC("xdp") int it(struct xdp_md *ctx) { int k = 0; '
        "return !bpf_map_lookup_elem(&m, &k); }\n",
        r"how its map m is pinned .*; write __uint\(pinning, LIBBPF_PIN_BY_NAME\)",
    ),
    "maps larger than memory": (
        "struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1 << 30); "
        '__type(key, int); __type(value, __u64); } m SEC(".maps");\n'
        'SEC("xdp") int it(struct xdp_md *ctx) { int k = 0;\n'
        "return !bpf_map_lookup_elem(&m, &k); }\n",
        r"map m is too large",
    ),
}


@pytest.mark.parametrize("what", NOT_LOADED)
def test_what_is_not_loaded_is_told_in_words(what):
    body, pattern = NOT_LOADED[what]
    with pytest.raises(LabError, match=pattern):
        of(body)


def test_nothing_is_a_compiler_s_secret(tmp_path, monkeypatch):
    """A stranger's C reads the distribution's headers and the lab's: nothing of anybody's home."""
    secret = tmp_path / "secret.h"
    secret.write_text("#define SECRET XDP_DROP\n")
    body = f'#include "{secret}"\nSEC("xdp") int it(struct xdp_md *ctx) {{ return SECRET; }}\n'
    assert of(body).run(PING).verdict == "XDP_DROP"
    monkeypatch.setattr(current().one(Whose), "strangers", True)
    with pytest.raises(BuildError, match=f"there is no {secret} here"):
        of(body)


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

    rounds = [(seconds(bccs), seconds(libbpfs)) for _ in range(7)]
    ratios = sorted(theirs / ours for ours, theirs in rounds)
    assert ratios[3] <= 0.35, ratios


def test_bpftool_shows_its_types():
    program = of(COUNTS, "counted")
    shown = subprocess.run(
        ["bpftool", "map", "dump", "id", str(program["counts"].id)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert '"packets": 0' in shown


REFUSED_ELSEWHERE = {
    "endian_not_included": r"line 15, .*bpf_htons\(\), which nothing declares; <bpf/bpf_endian.h>",
    "endless_loop": r"line 14, .*a loop whose end cannot be proven",
    "key_by_value": r"line 17, .*give its address: &variable",
    "key_too_short": r"line 17, .*a key or value that is too small; give a key the type",
    "kprobe_beside_xdp": r"a probe of the whole machine, count_calls, SEC\(\"kprobe/ip_rcv\"\)",
    "legacy_map": r"line 6, .*maps of that form are gone since libbpf 1.0",
    "legacy_map_with_its_struct": r"bpf_map_def with SEC\(\"maps\"\) is gone since libbpf 1.0",
    "licence_missing": r"line 9, .*nothing of its licence; write char LICENSE",
    "lookup_not_checked": r"line 21, .*bpf_map_lookup_elem\(\) may return NULL",
    "map_by_value": r"line 17, .*handed over by its address: write &",
    "map_without_size": r"its map counts: it has room for 0 entries; write __uint\(max_entries",
    "map_without_type": r"its map counts does not say what it is; write __uint\(type",
    "no_bounds_check": r"line 13, .*has proved that 0 bytes are there",
    "prints_with_stdio": r"prints at line 10, .*; bpf_printk\(",
    "ring_record_not_checked": r"line 22, .*bpf_ringbuf_reserve\(\) may return NULL",
    "section_missing": r"has pass_all\(\) in no section; write SEC\(\"xdp\"\)",
    "section_misspelt": r"pass_all\(\) in SEC\(\"xpd\"\), which is no kind of program",
    "stack_too_large": r"512 bytes in local variables.*; put large data into a map",
    "undefined_extern": r"uses limit at line 11, .*declared and stands nowhere",
    "value_type_missing": r"how large a value of its map counts is cannot be known",
}


def test_each_mistake_of_elsewhere_has_its_words():
    here = {path.stem for path in ELSEWHERE.glob("*.c")}
    assert here == set(REFUSED_ELSEWHERE)


@pytest.mark.parametrize("name", REFUSED_ELSEWHERE)
def test_a_mistake_of_elsewhere_is_told(name):
    with pytest.raises(LabError, match=REFUSED_ELSEWHERE[name]):
        Program(ELSEWHERE / f"{name}.c")


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
    with pytest.raises(LabError, match="pinned in /sys/fs/bpf are p"):
        pinned("q")
    Path("/sys/fs/bpf/p").unlink()

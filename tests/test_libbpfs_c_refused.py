"""What is wrong in libbpf's C is told at its line, in words, before anything of it runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.libbpfs_c import COUNTS, HEAD, PING, TAIL, of

from labsetup import LabError, Program
from labsetup.compiling.bcc import Whose
from labsetup.compiling.loader import Loader
from labsetup.network.session import current
from labsetup.programs.build import BuildError, VerifierError

ELSEWHERE = Path(__file__).parent / "elsewhere" / "refused"
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


def test_what_only_newer_kernels_take_is_told():
    unasked = COUNTS.replace("if (!rec)\n\t\treturn XDP_ABORTED;\n\t", "")
    assert unasked != COUNTS
    try:
        warned = of(unasked, "counted").warnings
    except VerifierError as error:  # before Linux 6.14
        assert "may return NULL" in str(error)
        return
    assert any("rec may be NULL, and nothing asks" in one for one in warned), warned
    assert of(COUNTS, "counted").warnings == []


@pytest.mark.parametrize("name", ["memcmp", "__builtin_memcmp"])
def test_a_function_of_the_c_library_is_told_at_its_line(name):
    body = (
        'SEC("xdp") int it(struct xdp_md *ctx) {\n\tchar *data = (void *)(long)ctx->data;\n'
        "\tif (data + 60 > (char *)(long)ctx->data_end)\n\t\treturn XDP_PASS;\n"
        f'\treturn !{name}(data, "HTTP/1.1 200 OK", 15);\n}}\n'
    )
    with pytest.raises(
        BuildError, match=r"memcmp\(\).* at line \d+|at line \d+.* memcmp\(\)"
    ) as it:
        Program("it", "#include <string.h>\n" + HEAD + body + TAIL)
    assert "compare or copy one by one" in str(it.value)


def test_what_libbpf_does_not_end_with_is_told(monkeypatch):
    def late(seconds: float) -> None:
        raise TimeoutError

    monkeypatch.setattr(Loader, "give", lambda self, data: setattr(self.child, "listen", late))
    with pytest.raises(LabError, match=r"libbpf was stopped after .* over the object file of it;"):
        Program("it", HEAD + 'SEC("xdp") int it(struct xdp_md *ctx) { return XDP_PASS; }\n' + TAIL)

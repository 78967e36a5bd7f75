"""What BCC makes of a map's methods, as calls of the kernel's helpers.

Source: what BCC 0.26 prints of the C that it has rewritten, with debug=4.
"""

from __future__ import annotations

from .declared import HASH, Declared, Wrong

# What a method becomes: {map} is the map's address, {0} and so on what stood in the brackets.
_CALLS = {
    "lookup": "bpf_map_lookup_elem({map}, {0})",
    "update": "bpf_map_update_elem({map}, {0}, {1}, BPF_ANY)",
    "insert": "bpf_map_update_elem({map}, {0}, {1}, BPF_NOEXIST)",
    "delete": "bpf_map_delete_elem({map}, {0})",
    "lookup_or_try_init": "map_lookup_or_try_init({name}, {0}, {1})",
    "lookup_or_init": "map_lookup_or_init({name}, {0}, {1})",
    "call": "bpf_tail_call({0}, {map}, {1})",
    "redirect_map": "bpf_redirect_map({map}, {0}, {1})",
    "perf_submit": "bpf_perf_event_output({0}, {map}, BPF_F_CURRENT_CPU, {1}, {2})",
    "perf_submit_skb": (
        "bpf_perf_event_output({0}, {map}, ((__u64)({1}) << 32) | BPF_F_CURRENT_CPU, {2}, {3})"
    ),
    "ringbuf_output": "bpf_ringbuf_output({map}, {0}, {1}, {2})",
    "ringbuf_reserve": "bpf_ringbuf_reserve({map}, {0}, 0)",
    "ringbuf_submit": "bpf_ringbuf_submit({0}, {1})",
    "ringbuf_discard": "bpf_ringbuf_discard({0}, {1})",
    "push": "bpf_map_push_elem({map}, {0}, {1})",
    "pop": "bpf_map_pop_elem({map}, {0})",
    "peek": "bpf_map_peek_elem({map}, {0})",
}
_TAKES = {name: sum(f"{{{n}}}" in text for n in range(4)) for name, text in _CALLS.items()}
_ELSEWHERE = {
    *("get_stackid", "perf_read", "perf_counter_value", "check_current_task"),
    *("sk_storage_get", "sk_storage_delete", "inode_storage_get", "inode_storage_delete"),
    *("task_storage_get", "task_storage_delete", "get_local_storage", "sock_map_update"),
    *("sock_hash_update", "msg_redirect_map", "sk_redirect_map", "msg_redirect_hash"),
    "sk_redirect_hash",
}
METHODS = {*_CALLS, *_ELSEWHERE, "increment", "atomic_increment"}

_ADDS = """\
/* {what} the value of a key; {without}. */
#define {name}(map, at, by) \\
	({{ \\
		typeof(*(map).key) at_ = (at); \\
		typeof(*(map).value) *value_ = bpf_map_lookup_elem(&(map), &at_); \\
		if (value_) \\
			{add};{otherwise} \\
	}})
"""
_OTHERWISE = """ \\
		else {{ \\
			typeof(*(map).value) new_ = (by); \\
			bpf_map_update_elem(&(map), &at_, &new_, BPF_NOEXIST); \\
		}}"""


def _adding(name: str, what: str, add: str, inserts: bool) -> str:
    without = (
        "a key that is not there begins at 0"
        if inserts
        else "where there is no such key, nothing is done"
    )
    otherwise = _OTHERWISE.format() if inserts else ""
    return _ADDS.format(what=what, without=without, name=name, add=add, otherwise=otherwise)


_PLAIN = "Adds to", "*value_ += (by)"
_ATOMIC = "Adds, one CPU at a time, to", "__sync_fetch_and_add(value_, (by))"

# What one call does not do; each stands once in the C that needs it.
HELPERS = {
    "map_increment": _adding("map_increment", *_PLAIN, inserts=False),
    "map_increment_or_insert": _adding("map_increment_or_insert", *_PLAIN, inserts=True),
    "map_atomic_increment": _adding("map_atomic_increment", *_ATOMIC, inserts=False),
    "map_atomic_increment_or_insert": _adding(
        "map_atomic_increment_or_insert", *_ATOMIC, inserts=True
    ),
    "map_lookup_or_try_init": """\
/* The value of *at, which is *first where the map had none; NULL where it has no room for it. */
#define map_lookup_or_try_init(map, at, first) \\
	({ \\
		typeof(*(map).value) *value_ = bpf_map_lookup_elem(&(map), at); \\
		if (!value_) { \\
			bpf_map_update_elem(&(map), at, first, BPF_NOEXIST); \\
			value_ = bpf_map_lookup_elem(&(map), at); \\
		} \\
		value_; \\
	})
""",
    "map_lookup_or_init": """\
/* The same; where the map has no room, the function around it returns 0, and nothing follows. */
#define map_lookup_or_init(map, at, first) \\
	({ \\
		typeof(*(map).value) *found_ = map_lookup_or_try_init(map, at, first); \\
		if (!found_) \\
			return 0; \\
		found_; \\
	})
""",
}
NEEDS = {"map_lookup_or_init": ["map_lookup_or_try_init"]}


def call(one: Declared, method: str, given: list[str]) -> tuple[str, str]:
    """What stands in a method's place.

    Args:
        given: what stood in its brackets.

    Returns:
        C, and the name of one of HELPERS, if that is what it calls.

    Raises:
        Wrong: saying why there is nothing.
    """
    if method in _ELSEWHERE:
        raise Wrong(f"no XDP program can call {method}()")
    if method in ("increment", "atomic_increment"):
        if len(given) not in (1, 2):
            raise Wrong(f"{method}() takes a key, and perhaps how much to add")
        # BCC 0.26 makes an entry for a new key in a hash alone, and not in one for each CPU.
        helper = f"map_{method}" + "_or_insert" * (one.kind == HASH)
        return f"{helper}({one.name}, {given[0]}, {given[1] if len(given) > 1 else 1})", helper
    if len(given) != _TAKES[method]:
        raise Wrong(f"{method}() takes {_TAKES[method]} arguments, not {len(given)}")
    text = _CALLS[method].format(*given, map=f"&{one.name}", name=one.name)
    helper = text.partition("(")[0]
    return text, helper if helper in HELPERS else ""
